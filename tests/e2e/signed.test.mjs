// require_signed: a build goes on only with a signature by whom the target names, over its bytes.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { writeSecret } from '../harness/daemon.mjs'
import { Pipeline, freePort } from '../harness/drop.mjs'
import { crc32 } from '../harness/crc32.mjs'
import { dropFile, makeEif, measurementsJson } from '../harness/eif.mjs'
import { makeSigner } from '../harness/minisign.mjs'
import { makeWorld, until } from '../harness/world.mjs'

const fixtures = new URL('../fixtures/', import.meta.url).pathname
const fixture = (name) => readFileSync(join(fixtures, name))

/// The image that the fixtures' bundles attest.
const image = fixture('eif/basic2rd.eif')
const value = '0x5d6721fc6e2ebc513cada41c539b60357fb53d40b8d85f44015d09054ff5ad35'
const workflows = 'https://github.com/example-org/my-enclave/.github/workflows/'
const bundle = (subject, layout) => fixture(`sigstore/synthetic_${subject}_${layout}.sigstore.json`)

const bySigstore = (more = {}) => ({
  require_signed: { sigstore: { workflow: `${workflows}build-and-release.yml@refs/tags/`, trusted_root_file: join(fixtures, 'sigstore/synthetic_trusted_root.json'), ...more } },
})
const byKeys = (...signers) => ({ require_signed: { ed25519: { public_keys: signers.map((s) => s.publicKey) } } })

const inWorld = (fn) => async () => {
  const world = await makeWorld({})
  try { await fn(world) } finally { await world.close() }
}

async function untilRefused(daemon, folder, text) {
  await until(async () => (await daemon.events()).some((e) => e.type === 'build' && e.text.includes(`/${folder}/`) && e.text.includes('refused') && e.text.includes(text)), {
    what: async () => `the refusal of ${folder} with ${text}\n${JSON.stringify((await daemon.events()).slice(-6), null, 1)}`,
  })
}

function fixCrc(bytes) {
  bytes.writeUInt32BE(crc32(Buffer.concat([bytes.subarray(0, 544), bytes.subarray(548)])), 544)
  return bytes
}

const checks = (evidence) => Object.fromEntries(evidence.details.checks.map((c) => [c.check, c.result]))

describe('signed builds', { concurrency: 3 }, () => {
  test('signed with Sigstore: proposed, confirmed, and every check is shown', inWorld(async (world) => {
    const daemon = world.daemon({ target: bySigstore() })
    await daemon.start()
    dropFile(world.folder('payments', 'v1'), 'enclave.eif', image)
    dropFile(world.folder('payments', 'v1'), 'measurements.sigstore.json', bundle('eif', 'v3'))
    const p = await daemon.untilProposal(value)
    assert.equal(p.calls.length, 2)
    const [m] = await daemon.untilMeasurement(value, (x) => x.status === 'proposed')
    const signed = m.evidence.find((e) => e.signed)
    assert.equal(signed.level, 'claimed')
    assert.match(signed.artifact, /measurements\.sigstore\.json$/)
    assert.equal(signed.details.workflow, `${workflows}build-and-release.yml@refs/tags/v1.2.3`)
    const results = checks(signed)
    for (const check of ['envelope', 'predicate', 'log-body', 'log-promise', 'log-time', 'inclusion', 'certificate', 'issuer', 'workflow', 'subject'])
      assert.equal(results[check], 'passed', check)
    assert.equal(results['certificate-log'], 'undecided', 'this trusted root names none')
    const { stdout } = await daemon.ctl(['measurements', value])
    assert.match(stdout, /claimed, signed, from folder: .*measurements\.sigstore\.json/)
    assert.match(stdout, /ok +workflow: https:\/\/github\.com\/example-org/)
    await world.carry(daemon, p.id)
    assert.equal((await daemon.ctl(['wait', value, '--timeout', '30s'])).code, 0)
    assert.deepEqual(await world.allowed(value), { kms: true, app: true })
  }))

  test('unsigned: held; the signature arrives in the old layout, over the PCRs: goes on', inWorld(async (world) => {
    const daemon = world.daemon({ target: bySigstore() })
    await daemon.start()
    const folder = world.folder('payments', 'v1')
    dropFile(folder, 'enclave.eif', image)
    const [held] = await daemon.untilMeasurement(value, (x) => x.status === 'held')
    assert.match(held.reason, /^evidence unsigned, the target wants a signature \(sigstore\)/)
    assert.equal((await daemon.ctl(['wait', value, '--timeout', '30s'], { ok: false })).code, 2)
    // What is held stays so through a kill.
    await daemon.kill9()
    await daemon.start()
    assert.equal((await daemon.measurements(value))[0].status, 'held')
    assert.deepEqual(await daemon.proposals(), [])
    dropFile(folder, 'measurements.sigstore.json', bundle('pcr_payload', 'legacy'))
    const p = await daemon.untilProposal(value)
    assert.ok((await daemon.measurements(value)).every((x) => x.evidence.some((e) => e.signed)))
    await world.carry(daemon, p.id)
  }))

  test('a signature by somebody else, over other bytes, or broken refuses the build', inWorld(async (world) => {
    const good = world.target(bySigstore())
    const daemon = world.daemon({
      targets: {
        payments: good,
        fork: { ...good, ...bySigstore({ workflow: 'https://github.com/example-org/my-enclave-2/.github/workflows/' }) },
      },
    })
    await daemon.start()
    const refused = async (target, folder, files, ...texts) => {
      for (const [name, bytes] of Object.entries(files)) dropFile(world.folder(target, folder), name, bytes)
      for (const text of texts) await untilRefused(daemon, folder, text)
    }
    const attestation = bundle('eif', 'v3')
    const edited = (what, by) => Buffer.from(attestation.toString().replace(what, by))
    await refused('fork', 'other-workflow', { 'enclave.eif': image, 'measurements.sigstore.json': attestation },
      `measurements.sigstore.json: workflow: signed by ${workflows}build-and-release.yml@refs/tags/v1.2.3, expected https://github.com/example-org/my-enclave-2/`)
    await refused('payments', 'other-image', { 'enclave.eif': makeEif(world.random).bytes, 'measurements.sigstore.json': attestation }, 'measurements.sigstore.json says 0x')
    // The same measurements in another file: nothing that PCRs cover differs.
    const renamed = Buffer.from(image)
    renamed.write('2027', renamed.indexOf('2026-01-01T'))
    await refused('payments', 'other-bytes', { 'enclave.eif': fixCrc(renamed), 'measurements.sigstore.json': attestation }, 'measurements.sigstore.json: subject: it attests enclave.eif (SHA-256 bd720942')
    await refused('payments', 'bad-signature', { 'enclave.eif': image, 'measurements.sigstore.json': edited('"sig": "M', '"sig": "N') }, 'measurements.sigstore.json: envelope: ')
    await refused('payments', 'bad-promise', { 'enclave.eif': image, 'measurements.sigstore.json': edited('"signedEntryTimestamp": "M', '"signedEntryTimestamp": "N') }, 'measurements.sigstore.json: log-promise: ')
    await refused('payments', 'cut-off', { 'enclave.eif': image, 'measurements.sigstore.json': attestation.subarray(0, 3000) }, 'measurements.sigstore.json: ')
    assert.equal((await daemon.alarms('build-refused')).length, 6)
    assert.deepEqual(await daemon.proposals(), [])
    assert.deepEqual(await daemon.measurements(value), [], 'a refused build makes no measurement')
    const waited = await daemon.ctl(['wait', value, '--target', 'payments', '--timeout', '30s'], { ok: false })
    assert.equal(waited.code, 2)
    // The refusal belongs to those builds: the right signature beside the same image is another one.
    dropFile(world.folder('payments', 'good'), 'enclave.eif', image)
    dropFile(world.folder('payments', 'good'), 'measurements.sigstore.json', attestation)
    await daemon.untilProposal(value)
  }))

  test('minisign: one of the keys, over the bytes of the file', inWorld(async (world) => {
    const [old, current, stranger] = [makeSigner(), makeSigner(), makeSigner()]
    const daemon = world.daemon({ target: byKeys(old, current) })
    await daemon.start()
    const drop = (name, eif, signature, more = {}) => {
      const folder = world.folder('payments', name)
      if (eif) dropFile(folder, 'enclave.eif', eif.bytes)
      if (signature) dropFile(folder, 'enclave.eif.minisig', signature)
      for (const [file, bytes] of Object.entries(more)) dropFile(folder, file, bytes)
    }
    const first = makeEif(world.random)
    drop('v1', first, old.sign(first.bytes))
    const p = await daemon.untilProposal(first.value)
    const [m] = await daemon.measurements(first.value)
    const signed = m.evidence.find((e) => e.signed)
    assert.deepEqual(checks(signed), { key: 'passed', 'trusted-comment': 'passed', signature: 'passed' })
    assert.equal(signed.details.key, old.id)
    await world.carry(daemon, p.id)

    // Unsigned, then signed; over measurements.json, whose value the image has.
    const second = makeEif(world.random), json = measurementsJson(second)
    drop('v2', second, null, { 'measurements.json': json })
    const [held] = await daemon.untilMeasurement(second.value, (x) => x.status === 'held')
    assert.match(held.reason, /^evidence unsigned, the target wants a signature \(ed25519\)/)
    drop('v2', null, null, { 'measurements.json.minisig': current.sign(Buffer.from(json)) })
    await world.carry(daemon, (await daemon.untilProposal(second.value)).id)

    const third = makeEif(world.random)
    drop('stranger', third, stranger.sign(third.bytes))
    await untilRefused(daemon, 'stranger', `enclave.eif.minisig: key: signed with key ${stranger.id}`)
    drop('other-bytes', third, current.sign(first.bytes))
    await untilRefused(daemon, 'other-bytes', 'enclave.eif.minisig: signature: it is over other bytes than those of enclave.eif')
    const text = current.sign(third.bytes)
    drop('bad-comment', third, text.replace('timestamp:17', 'timestamp:18'))
    await untilRefused(daemon, 'bad-comment', 'enclave.eif.minisig: trusted-comment: ')
    drop('broken', third, text.slice(0, 100))
    await untilRefused(daemon, 'broken', 'enclave.eif.minisig: line 2')
    assert.deepEqual((await daemon.proposals()).filter((x) => x.calls.some((c) => c.value === third.value)), [])
    // The good signature in the same place opens the verdict again.
    drop('broken', null, text)
    await daemon.untilProposal(third.value)
  }))

  test('another rule is another verdict, also for what lies there', inWorld(async (world) => {
    const [before, after] = [makeSigner(), makeSigner()]
    const daemon = world.daemon()
    await daemon.start()
    const eif = makeEif(world.random)
    const folder = world.folder('payments', 'v1')
    dropFile(folder, 'enclave.eif', eif.bytes)
    dropFile(folder, 'enclave.eif.minisig', before.sign(eif.bytes))
    const p = await daemon.untilProposal(eif.value)
    await world.carry(daemon, p.id)
    const late = makeEif(world.random)
    // Held while nobody looks: the daemon comes back with a rule.
    await daemon.stop()
    dropFile(world.folder('payments', 'v2'), 'enclave.eif', late.bytes)
    dropFile(world.folder('payments', 'v2'), 'enclave.eif.minisig', before.sign(late.bytes))
    const rule = (signer) => daemon.configure({ ...daemon.config, targets: { payments: world.target(byKeys(signer)) } })
    rule(after)
    await daemon.start()
    await untilRefused(daemon, 'v2', `signed with key ${before.id}`)
    await untilRefused(daemon, 'v1', `signed with key ${before.id}`)
    await daemon.stop()
    rule(before)
    await daemon.start()
    await daemon.untilProposal(late.value)
  }))

  test('dropped by HTTP, and inspected offline', inWorld(async (world) => {
    const token = randomBytes(24).toString('hex')
    const token_file = writeSecret(join(world.tmp.path, 'token'), token)
    const port = await freePort()
    const daemon = world.daemon({ target: { ...bySigstore(), token_file }, settings: { http: { listen: `127.0.0.1:${port}` } } })
    await daemon.start()
    const pipeline = new Pipeline({ port, token })
    await pipeline.put('v1/enclave.eif', image)
    await pipeline.ask('POST', 'v1/complete')
    await daemon.untilMeasurement(value, (x) => x.status === 'held' && /unsigned/.test(x.reason))
    await pipeline.put('v2/enclave.eif', image)
    await pipeline.put('v2/measurements.sigstore.json', bundle('eif', 'legacy'))
    await pipeline.ask('POST', 'v2/complete')
    await daemon.untilProposal(value)

    const files = ['eif/basic2rd.eif', 'sigstore/synthetic_eif_v3.sigstore.json'].map((f) => join(fixtures, f))
    const root = ['--trusted-root', join(fixtures, 'sigstore/synthetic_trusted_root.json')]
    const inspect = (...args) => daemon.ctl(['inspect', ...args, '--json'], { ok: false })
    const good = await inspect(...files, ...root, '--identity', workflows)
    assert.equal(good.code, 0)
    assert.ok(good.json.every((f) => f.measurements.every((m) => m.signed)))
    assert.equal((await inspect(...files)).code, 0, 'nobody asked who signed')
    assert.equal((await inspect(...files, ...root, '--identity', 'https://github.com/example-org/other/.github/')).code, 2)
    assert.equal((await inspect(files[0], ...root, '--identity', workflows)).code, 1, 'there is no signature')
    assert.equal((await inspect(files[0], ...root)).code, 64)
    const signer = makeSigner()
    const own = [join(world.tmp.path, 'a.eif'), join(world.tmp.path, 'a.eif.minisig')]
    writeFileSync(own[0], image)
    writeFileSync(own[1], signer.sign(image))
    assert.equal((await inspect(...own, '--public-key', signer.publicKey)).code, 0)
    writeFileSync(join(world.tmp.path, 'key'), `untrusted comment: minisign public key\n${signer.publicKey}\n`)
    assert.equal((await inspect(...own, '--public-key', join(world.tmp.path, 'key'))).code, 0)
    assert.equal((await inspect(...own, '--public-key', makeSigner().publicKey)).code, 2)
    writeFileSync(own[1], signer.sign(Buffer.from('other')))
    const wrong = await inspect(...own, '--public-key', signer.publicKey)
    assert.equal(wrong.code, 2)
    assert.match(wrong.json[1].refusal, /over other bytes than those of a\.eif/)
  }))
})
