// What is dropped: good builds, broken builds, contradictions, slow copies, links, and what a person must approve.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { appendFileSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { ctl } from '../harness/daemon.mjs'
import { buildEnclaveJson, dropBuild, dropFile, makeEif, measurementsJson } from '../harness/eif.mjs'
import { crc32 } from '../harness/crc32.mjs'
import { makeWorld, until } from '../harness/world.mjs'

function withCrc(image) {
  image.writeUInt32BE(crc32(Buffer.concat([image.subarray(0, 544), image.subarray(548)])), 544)
  return image
}

const inWorld = (options, fn, settings = {}) => async () => {
  const world = await makeWorld(options)
  try { await fn(world, world.daemon(settings)) } finally { await world.close() }
}

/// The record of a refused build: where the daemon shows it is the event log and `wait`.
async function untilRefused(daemon, folder, ...texts) {
  await until(async () => {
    const events = JSON.stringify((await daemon.events()).filter((e) => JSON.stringify(e).includes(folder) && /refused/.test(JSON.stringify(e))))
    return events !== '[]' && texts.every((t) => events.includes(t))
  }, { what: async () => `the refusal of ${folder} with ${texts}\n${JSON.stringify(await daemon.events(), null, 1).slice(-3000)}` })
}

/// A sentinel: when this later, good build has its proposal, the daemon had time to do wrong with the earlier one.
async function sentinel(world, daemon) {
  const eif = world.drop()
  await daemon.untilProposal(eif.value)
  return eif
}
const nothingOf = async (daemon, value) => assert.deepEqual((await daemon.proposals()).filter((p) => p.calls.some((c) => c.value === value)), [])

describe('builds', { concurrency: 3 }, () => {
  test('contradictions are refused with both values, and do not poison a good drop', inWorld({}, async (world, daemon) => {
    await daemon.start()
    const eif = makeEif(world.random), other = makeEif(world.random)
    // measurements.json tells other PCRs than the image has
    dropBuild(world.folder('payments', 'lie'), eif, { json: measurementsJson(other) })
    await untilRefused(daemon, 'lie', eif.pcrs.PCR0, other.pcrs.PCR0)
    // right PCRs, wrong hash
    const third = makeEif(world.random)
    dropBuild(world.folder('payments', 'wrong-hash'), third, { json: measurementsJson({ ...third, value: other.value }) })
    await untilRefused(daemon, 'wrong-hash', third.value.slice(2), other.value.slice(2))
    // nitro-cli's output of another image
    const fourth = makeEif(world.random)
    dropBuild(world.folder('payments', 'mixed'), fourth)
    dropFile(world.folder('payments', 'mixed'), 'nitro-cli.json', buildEnclaveJson(other))
    await untilRefused(daemon, 'mixed')
    // all-zero PCRs: a debug enclave
    const zero = '0'.repeat(96)
    dropBuild(world.folder('payments', 'debug'), { ...other }, { withEif: false, json: JSON.stringify({ PCR0: zero, PCR1: zero, PCR2: zero }) })
    await untilRefused(daemon, 'debug')
    // a broken image
    const broken = makeEif(world.random)
    dropFile(world.folder('payments', 'bad-crc'), 'enclave.eif', Buffer.concat([broken.bytes.subarray(0, -1), Buffer.from([broken.bytes.at(-1) ^ 1])]))
    await untilRefused(daemon, 'bad-crc')

    const waited = await daemon.ctl(['wait', third.value, '--timeout', '30s'], { ok: false })
    assert.equal(waited.code, 2, 'only refused builds carry it')
    await sentinel(world, daemon)
    for (const e of [eif, other, third, fourth, broken]) await nothingOf(daemon, e.value)

    // The same image in a good folder is another build: the refusal does not stick to the value.
    world.drop('payments', { eif, folder: 'good' })
    await daemon.untilProposal(eif.value)
    // New content opens the verdict again.
    dropFile(world.folder('payments', 'wrong-hash'), 'measurements.json', measurementsJson(third, 'script'))
    await daemon.untilProposal(third.value)
  }))

  test('one folder, several images: one build each; every JSON must be of one of them', inWorld({}, async (world, daemon) => {
    await daemon.start()
    const a = makeEif(world.random), b = makeEif(world.random), c = makeEif(world.random)
    const folder = world.folder('payments', 'both')
    dropFile(folder, 'a.eif', a.bytes)
    dropFile(folder, 'b.eif', b.bytes)
    dropFile(folder, 'a.json', measurementsJson(a))
    dropFile(folder, 'b.json', buildEnclaveJson(b))
    await daemon.untilProposal(a.value)
    await daemon.untilProposal(b.value)
    dropFile(world.folder('payments', 'stray'), 'c.eif', c.bytes)
    dropFile(world.folder('payments', 'stray'), 'other.json', measurementsJson(a))
    await untilRefused(daemon, 'stray')
    await sentinel(world, daemon)
    await nothingOf(daemon, c.value)
  }))

  test('a claim without an image is held until approved; its later image lifts it', inWorld({}, async (world, daemon) => {
    await daemon.start()
    const eif = makeEif(world.random), other = makeEif(world.random)
    world.drop('payments', { eif, folder: 'claim', withEif: false })
    world.drop('payments', { eif: other, folder: 'later', withEif: false, shape: 'script' })
    const [m] = await daemon.untilMeasurement(eif.value, (x) => x.status === 'held')
    assert.match(m.reason, /evidence|claimed/)
    assert.deepEqual(m.evidence.map((e) => e.level), ['claimed'])
    await daemon.untilMeasurement(other.value, (x) => x.status === 'held')
    assert.equal((await daemon.ctl(['wait', eif.value, '--timeout', '30s'], { ok: false })).code, 2, 'held: will not be by itself')
    const first = await sentinel(world, daemon)
    await nothingOf(daemon, eif.value)
    await world.carry(daemon, (await daemon.untilProposal(first.value)).id) // the Safe executes in the order of nonces
    // The build, so both registrations at once: two approvals one after the other may become two proposals.
    const build = (await daemon.events()).find((e) => e.type === 'build' && /\/claim\b/.test(e.text))
    await daemon.ctl(['approve', build.subject])
    const p = await daemon.untilProposal(eif.value)
    assert.equal(p.calls.length, 2)
    await world.carry(daemon, p.id)
    // what was held only because it was a claim is proposed when its image comes
    await nothingOf(daemon, other.value)
    dropFile(world.folder('payments', 'later'), 'enclave.eif', other.bytes)
    await daemon.untilProposal(other.value)
    assert.ok((await daemon.measurements(other.value)).every((x) => x.evidence.some((e) => e.level === 'recomputed')))
    // hold and approve by hand
    const third = makeEif(world.random)
    world.drop('payments', { eif: third, folder: 'third', withEif: false })
    const [held] = await daemon.untilMeasurement(third.value, (x) => x.status === 'held')
    assert.equal((await daemon.ctl(['approve', 'm99999'], { ok: false })).code, 1)
    assert.equal((await daemon.ctl(['hold', held.id])).code, 0)
  }))

  test('min_evidence: claimed lets a claim through', inWorld({}, async (world, daemon) => {
    await daemon.start()
    const eif = makeEif(world.random)
    world.drop('payments', { eif, withEif: false, shape: 'old' })
    await daemon.untilProposal(eif.value)
  }, { target: { min_evidence: 'claimed' } }))

  test('all ways a build may arrive', inWorld({}, async (world, daemon) => {
    const root = world.folder('payments')
    const early = world.drop('payments', { folder: 'while-down' })
    await daemon.start()
    const found = { early }
    // a whole folder renamed into place
    found.renamed = makeEif(world.random)
    dropBuild(join(world.tmp.path, 'staging'), found.renamed)
    renameSync(join(world.tmp.path, 'staging'), join(root, 'renamed'))
    // deep in new folders
    found.deep = makeEif(world.random)
    dropBuild(join(root, 'a', 'b', 'c'), found.deep)
    // straight into the watched folder
    found.top = makeEif(world.random)
    dropFile(root, 'top.eif', found.top.bytes)
    // written slowly, by a process that holds it open
    found.slow = makeEif(world.random, { size: 20_000 })
    mkdirSync(join(root, 'slow'))
    const path = join(root, 'slow', 'enclave.eif')
    writeFileSync(path, '')
    for (let at = 0; at < found.slow.bytes.length; at += 2000) {
      appendFileSync(path, found.slow.bytes.subarray(at, at + 2000))
      await new Promise((ok) => setTimeout(ok, 20))
    }
    // copied in the wrong order: first a JSON of the next release over the old image, then its image
    found.next = makeEif(world.random)
    const previous = makeEif(world.random)
    dropFile(join(root, 'copy'), 'enclave.eif', previous.bytes)
    dropFile(join(root, 'copy'), 'measurements.json', measurementsJson(found.next))
    dropFile(join(root, 'copy'), 'enclave.eif', found.next.bytes)
    for (const [how, eif] of Object.entries(found)) await daemon.untilProposal(eif.value, { timeout: 15_000 }).catch((e) => assert.fail(`${how}: ${e.message}`))
    // links: inside the tree yes, out of it never; no FIFO blocks it
    const outside = makeEif(world.random)
    dropBuild(join(world.tmp.path, 'outside'), outside)
    mkdirSync(join(root, 'links'))
    symlinkSync(join(world.tmp.path, 'outside', 'enclave.eif'), join(root, 'links', 'enclave.eif'))
    symlinkSync(join(world.tmp.path, 'outside'), join(root, 'linked-folder'))
    symlinkSync('a', join(root, 'current'))
    execFileSync('mkfifo', [join(root, 'links', 'pipe.eif')])
    // the folder deleted and made again
    rmSync(root, { recursive: true })
    mkdirSync(root)
    const reborn = world.drop('payments', { folder: 'reborn' })
    await daemon.untilProposal(reborn.value)
    await nothingOf(daemon, outside.value)
    assert.deepEqual(await daemon.measurements(outside.value), [])
    await nothingOf(daemon, previous.value) // a copy in progress is no build
  }, { target: { min_evidence: 'recomputed' }, watch: { build_settle: '500ms' } }))

  test('many at once: recorded once each, batched, nothing twice', inWorld({}, async (world, daemon) => {
    await daemon.start()
    const eifs = Array.from({ length: 60 }, () => world.drop())
    await until(async () => {
      const all = await daemon.measurements()
      return eifs.every((e) => all.filter((m) => m.value === e.value && m.status === 'proposed').length >= 1)
    }, { timeout: 30_000, what: 'all of them proposed' })
    const proposals = await daemon.proposals()
    const calls = proposals.flatMap((p) => p.calls.map((c) => `${c.to} ${c.data}`))
    assert.equal(new Set(calls).size, calls.length, 'one call, one proposal')
    assert.equal(calls.length, 120)
    for (const p of proposals) assert.ok(p.calls.length <= 20, 'max_calls')
    await until(async () => (await world.service.pending(world.safe.address)).length === proposals.length, { what: 'all posted' })
    const nonces = (await world.service.pending(world.safe.address)).map((t) => Number(t.tx.nonce))
    assert.deepEqual(nonces, nonces.map((_, i) => nonces[0] + i), 'no gap and no conflict of nonces')
  }, { target: { batch: { quiet: '300ms', max_calls: 20 } } }))

  test('inspect: no daemon needed; exit 0, 2 for a refused file', async () => {
    const world = await makeWorld({ service: false })
    try {
      const dir = join(world.tmp.path, 'files')
      const eif = makeEif(world.random)
      dropBuild(dir, eif, { nitro: true })
      const { json, code } = await ctl(['inspect', join(dir, 'enclave.eif'), join(dir, 'measurements.json'), join(dir, 'nitro-cli.json'), '--json'])
      assert.equal(code, 0)
      assert.equal(json.length, 3)
      for (const [i, file] of ['enclave.eif', 'measurements.json', 'nitro-cli.json'].entries()) {
        assert.ok(json[i].file.endsWith(file))
        assert.equal(json[i].ok, true)
        assert.equal(json[i].refusal, null)
        for (const m of json[i].measurements) assert.deepEqual([m.value, m.level, m.signed], [eif.value, i === 0 ? 'recomputed' : 'claimed', false])
        for (const k of [0, 1, 2]) assert.equal(json[i].details[`pcr${k}`], eif.pcrs[`PCR${k}`])
      }
      assert.ok((await ctl(['inspect', join(dir, 'enclave.eif')])).stdout.includes(eif.pcrs.PCR0))
      // What the strict profile refuses although a lenient reader might not.
      const flip = (at) => (b) => { const c = Buffer.from(b); c[at < 0 ? c.length + at : at] ^= 1; return c }
      const wrong = {
        crc: flip(-1), magic: flip(0), truncated: (b) => b.subarray(0, -10), trailing: (b) => Buffer.concat([b, Buffer.alloc(11)]),
        sections: (b) => withCrc(flip(27)(b)), offset: (b) => withCrc(flip(28 + 7)(b)), empty: () => Buffer.alloc(0),
      }
      for (const [what, mutate] of Object.entries(wrong)) {
        const path = dropFile(dir, `${what}.eif`, makeEif(world.random, { mutate }).bytes)
        const result = await ctl(['inspect', path, '--json'], { ok: false })
        assert.equal(result.code, 2, what)
        assert.equal(result.json[0].ok, false)
        assert.ok(result.json[0].refusal.length > 5, what)
        assert.deepEqual(result.json[0].measurements, [])
      }
      assert.notEqual((await ctl(['inspect', join(dir, 'missing.eif')], { ok: false })).code, 0)
    } finally { await world.close() }
  })
})
