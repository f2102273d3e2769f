// Writes small, valid Nitro enclave images and what a build drops beside them, and computes their PCRs. Written from
// the format's description alone, so that the daemon's measuring is not checked against itself.
import { createHash } from 'node:crypto'
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 as crc } from './crc32.mjs'

const HEADER = 548
const KERNEL = 1, CMDLINE = 2, RAMDISK = 3, METADATA = 5

const sha384 = (...parts) => { const h = createHash('sha384'); for (const p of parts) h.update(p); return h.digest() }
const pcr = (...parts) => sha384(Buffer.alloc(48), sha384(...parts)).toString('hex')

export const osImageHash = (pcrs) => `0x${createHash('sha256').update(Buffer.from(pcrs.PCR0 + pcrs.PCR1 + pcrs.PCR2, 'hex')).digest('hex')}`

function section(type, data) {
  const head = Buffer.alloc(12)
  head.writeUInt16BE(type, 0)
  head.writeBigUInt64BE(BigInt(data.length), 4)
  return Buffer.concat([head, data])
}

/// sections: [[type, bytes]...] in file order.
function assembleEif(sections, { version = 4, flags = 0 } = {}) {
  const header = Buffer.alloc(HEADER)
  header.write('.eif', 0, 'latin1')
  header.writeUInt16BE(version, 4)
  header.writeUInt16BE(flags, 6)
  header.writeBigUInt64BE(1n << 30n, 8) // default memory
  header.writeBigUInt64BE(2n, 16) // default CPUs
  header.writeUInt16BE(sections.length, 26)
  let at = HEADER
  const body = sections.map(([type, data], i) => {
    header.writeBigUInt64BE(BigInt(at), 28 + 8 * i)
    header.writeBigUInt64BE(BigInt(data.length), 284 + 8 * i)
    at += 12 + data.length
    return section(type, data)
  })
  header.writeUInt32BE(crc(Buffer.concat([header.subarray(0, 544), ...body])), 544)
  return Buffer.concat([header, ...body])
}

/// One image with random content. random: from util.seeded(). size: bytes of the last ramdisk.
export function makeEif(random, { name = 'payments', size = 2000, ramdisks = 2, cmdline = 'reboot=k panic=30 console=ttyS0', mutate = (x) => x } = {}) {
  const kernel = random.bytes(400)
  const cmd = Buffer.from(cmdline)
  const disks = Array.from({ length: ramdisks }, (_, i) => random.bytes(i === ramdisks - 1 ? size : 300))
  const metadata = Buffer.from(JSON.stringify({
    ImageName: name, ImageVersion: '1.0',
    BuildMetadata: { BuildTime: '2026-01-01T00:00:00+00:00', BuildTool: 'nitro-cli', BuildToolVersion: '1.4.4', OperatingSystem: 'Linux', KernelVersion: '6.1.0' },
    DockerInfo: null, CustomMetadata: null,
  }))
  const bytes = mutate(assembleEif([[KERNEL, kernel], [CMDLINE, cmd], [METADATA, metadata], ...disks.map((d) => [RAMDISK, d])]))
  const pcrs = { PCR0: pcr(kernel, cmd, ...disks), PCR1: pcr(kernel, cmd, disks[0]), PCR2: pcr(...disks.slice(1)) }
  return { bytes, pcrs, value: osImageHash(pcrs) }
}

/// measurements.json in the three shapes that exist: 'script' and 'old' (code_hash), 'ci' (os_image_hash).
export function measurementsJson({ pcrs, value }, shape = 'ci') {
  const more = { kms_url: 'https://kms.example', app_id: '' }
  const shapes = {
    script: { ...pcrs, code_hash: value, ...more, dstack_version: 'v0.5.8', built_at: '2026-01-01T00:00:00Z' },
    ci: { ...pcrs, os_image_hash: value, ...more, dstack_commit: 'abc1234', git_sha: 'def5678', built_at: '2026-01-01T00:00:00Z' },
    old: { ...pcrs, code_hash: value, ...more, dstack_version: 'v0.5.8', git_sha: 'def5678', built_at: '2026-01-01T00:00:00Z' },
  }
  return JSON.stringify(shapes[shape], null, 2) + '\n'
}

/// What nitro-cli build-enclave prints.
export const buildEnclaveJson = ({ pcrs }) => JSON.stringify({ Measurements: { HashAlgorithm: 'Sha384 { ... }', ...pcrs } }, null, 2) + '\n'

/// Drops a file the way careful build scripts do: written aside, renamed into place.
export function dropFile(folder, name, content) {
  mkdirSync(folder, { recursive: true })
  const tmp = join(folder, `.${name}.tmp`)
  writeFileSync(tmp, content)
  renameSync(tmp, join(folder, name))
  return join(folder, name)
}

/// Drops a whole build: <folder>/enclave.eif and measurements.json (unless shape is null) and nitro.json if asked.
export function dropBuild(folder, eif, { shape = 'ci', nitro = false, eifName = 'enclave.eif', withEif = true, json } = {}) {
  if (withEif) dropFile(folder, eifName, eif.bytes)
  if (shape || json) dropFile(folder, 'measurements.json', json ?? measurementsJson(eif, shape))
  if (nitro) dropFile(folder, 'nitro-cli.json', buildEnclaveJson(eif))
}
