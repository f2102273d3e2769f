// What a build may be beside an enclave image: app-compose.json, and what Nitro hardware signed.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { registrarctl } from '../harness/daemon.mjs'
import { dropFile } from '../harness/eif.mjs'
import { makeWorld, until } from '../harness/world.mjs'

const fixtures = new URL('../fixtures/', import.meta.url).pathname
const inWorld = (fn, settings = {}) => async () => {
  const world = await makeWorld({})
  try { await fn(world, world.daemon(settings)) } finally { await world.close() }
}

const attested = '0x1894b0b29e94a9db16e88a2914f0923e52bb16c08bf3bb484df786a147e2eb79'

describe('documents in a folder', { concurrency: 2 }, () => {
  test('app-compose.json: its compose hash is added to the app, until confirmed', inWorld(async (world, daemon) => {
    await daemon.start()
    const compose = JSON.stringify({ manifest_version: 2, name: 'payments', runner: 'docker-compose', docker_compose_file: 'services:\n  a:\n    image: nginx:latest\n' }, null, 4)
    const value = `0x${createHash('sha256').update(compose).digest('hex')}`
    dropFile(world.folder('payments', 'project', 'shared'), 'app-compose.json', compose)
    const p = await daemon.untilProposal(value)
    assert.deepEqual(p.calls.map((c) => [c.kind, c.action, c.to.toLowerCase(), c.value]), [['compose', 'add', world.registry.app.toLowerCase(), value]])
    const [m] = await daemon.untilMeasurement(value, (x) => x.status === 'proposed')
    assert.equal(m.evidence[0].level, 'recomputed')
    assert.deepEqual(m.evidence[0].details.unpinned_images, ['nginx:latest'])
    assert.match((await daemon.ctl(['measurements', value])).stdout, /undecided pinned-images: 1 of 1 images/)

    const schedule = await daemon.untilQueued(p.id, 'schedule')
    await world.owners.approve(schedule.safe_tx_hash)
    await daemon.untilState(p.id, 'timelock')
    await world.passDelay()
    const execute = await daemon.untilQueued(p.id, 'execute')
    await world.owners.approve(execute.safe_tx_hash)
    await daemon.untilState(p.id, ['executed', 'confirmed'])
    await world.chain.mine(3)
    await daemon.untilState(p.id, 'confirmed')
    assert.equal((await daemon.ctl(['wait', value, '--timeout', '30s'])).code, 0)
  }))

  test('an attestation document is attested evidence; a debug enclave is refused', inWorld(async (world, daemon) => {
    await daemon.start()
    const put = (folder, from) => {
      mkdirSync(world.folder('payments', folder), { recursive: true })
      copyFileSync(join(fixtures, 'nitro', from), world.folder('payments', folder, from))
    }
    put('debug', 'nitro_attestation_dbg.nsm.cose')
    put('attested', 'nitro_attestation.nsm.cose')
    const p = await daemon.untilProposal(attested)
    assert.deepEqual(p.calls.map((c) => c.kind).sort(), ['compose', 'os-image'])
    for (const m of await daemon.untilMeasurement(attested, (x) => x.status === 'proposed')) {
      assert.equal(m.evidence[0].level, 'attested')
      const checks = Object.fromEntries(m.evidence[0].details.checks.map((c) => [c.check, c.result]))
      assert.deepEqual(checks, { root: 'passed', chain: 'passed', signature: 'passed', debug: 'passed', freshness: 'undecided' })
    }
    await until(async () => (await daemon.events()).some((e) => /debug.*refused.*debug mode/.test(JSON.stringify(e))), { what: 'the refusal of the debug enclave' })
  }, { target: { min_evidence: 'attested' } }))

  test('documents that tell different compose hashes are refused with both', inWorld(async (world, daemon) => {
    await daemon.start()
    mkdirSync(world.folder('payments', 'two'), { recursive: true })
    copyFileSync(join(fixtures, 'tdx', 'examples-rtmr3.app-compose.json'), world.folder('payments', 'two', 'app-compose.json'))
    copyFileSync(join(fixtures, 'tdx', 'mpc.tcb_info.json'), world.folder('payments', 'two', 'info.json'))
    await until(async () => (await daemon.events()).some((e) => /refused/.test(JSON.stringify(e)) && /06768e6df639ce3b/.test(JSON.stringify(e)) && /2911e1f733466216/.test(JSON.stringify(e))),
      { what: 'a refusal with both values' })
    assert.deepEqual(await daemon.proposals(), [])
  }))

  test('a dstack OS image: recomputed once every listed file is there, refused with another file', inWorld(async (world, daemon) => {
    await daemon.start()
    const value = '0x58673e7eb144dea81f8634eea8403c18bca7e995c86ead03d9f12a198de2ee6d'
    const from = join(fixtures, 'osimage/synthetic')
    const put = (folder, name, bytes = readFileSync(join(from, name))) => dropFile(world.folder('payments', folder), name, bytes)
    for (const name of ['digest.txt', 'sha256sum.txt', 'ovmf.fd', 'bzImage', 'initramfs.cpio.gz', 'metadata.json']) put('image', name)
    const [held] = await daemon.untilMeasurement(value, (x) => x.status === 'held')
    assert.match(held.reason, /^evidence claimed/)
    put('other', 'sha256sum.txt')
    put('other', 'bzImage', Buffer.from('another kernel'))
    await until(async () => (await daemon.alarms('build-refused')).some((a) => /bzImage has another digest than sha256sum\.txt lists/.test(a.text)), { what: 'the refusal' })
    put('image', 'measurement.tdx.cbor')
    const p = await daemon.untilProposal(value)
    assert.deepEqual(p.calls.map((c) => [c.kind, c.to.toLowerCase()]), [['os-image', world.registry.kms.toLowerCase()]])
    await world.carry(daemon, p.id)
    assert.equal((await world.allowed(value)).kms, true)
  }))

  test('a TDX quote is attested for a known OS and the target\'s app alone, and says what it does not know', async () => {
    const world = await makeWorld({})
    try {
      const quote = join(fixtures, 'tdx/quote-report.json')
      const value = '0x3763bc34552cf3a27ff71ad5f7a90471562a1a2df552dfc1998cba2d60da27e7'
      const known = spawnSync(registrarctl(), ['inspect', '--known-os', quote], { encoding: 'utf8' })
      assert.equal(known.status, 0)
      assert.match(known.stdout, /^[0-9a-f]{64}\n$/)
      const app = '0x3763bc34552cf3a27ff71ad5f7a90471562a1a2d' // the machine's: nothing is deployed there
      const own = world.target({ app, min_evidence: 'attested' })
      const daemon = world.daemon({ targets: {
        unknown: own,
        known: { ...own, known_os: [known.stdout.trim()] },
        others: world.target({ known_os: [known.stdout.trim()] }),
      } })
      await daemon.start()
      for (const target of ['unknown', 'known', 'others']) dropFile(world.folder(target, 'q'), 'quote.json', readFileSync(quote))
      const of = async (target) => (await daemon.measurements(value)).find((m) => m.target === target)
      await until(async () => (await of('known')) && (await of('unknown')), { what: 'both measurements' })
      const best = (m) => m.evidence.at(-1)
      assert.equal(best(await of('known')).level, 'attested')
      assert.equal(best(await of('unknown')).level, 'claimed')
      assert.equal((await of('unknown')).status, 'held')
      const checks = best(await of('known')).details.checks
      const result = (name) => checks.find((c) => c.check === name)?.result
      for (const name of ['known-os', 'app']) assert.equal(result(name), 'passed', name)
      assert.ok(checks.some((c) => c.result === 'undecided' && /TCB/.test(c.text)), JSON.stringify(checks))
      await until(async () => (await daemon.alarms('build-refused')).some((a) => /others: .*app id 3763bc34/.test(a.text)), { what: 'another target\'s refusal' })
      assert.equal(await of('others'), undefined)
    } finally {
      await world.close()
    }
  })

  test('every kind goes to its registry, and is confirmed there', inWorld(async (world, daemon) => {
    await daemon.start()
    const kinds = { 'os-image': ['kms', 'allowedOsImages'], compose: ['app', 'allowedComposeHashes'], 'kms-mr': ['kms', 'kmsAllowedAggregatedMrs'], 'kms-device': ['kms', 'kmsAllowedDeviceIds'], device: ['app', 'allowedDeviceIds'] }
    const values = Object.fromEntries(Object.keys(kinds).map((kind) => [kind, `0x${createHash('sha256').update(kind).digest('hex')}`]))
    for (const [kind, value] of Object.entries(values)) await daemon.ctl(['register', value, '--target', 'payments', '--kind', kind])
    const p = await daemon.untilProposal(values.device)
    assert.deepEqual(p.calls.map((c) => [c.kind, c.to.toLowerCase(), c.value]).sort(),
      Object.entries(kinds).map(([kind, [contract]]) => [kind, world.registry[contract].toLowerCase(), values[kind]]).sort())
    await world.carry(daemon, p.id)
    for (const [kind, [contract, getter]] of Object.entries(kinds)) {
      assert.equal(await world.chain.read(world.registry[contract], `function ${getter}(bytes32) view returns (bool)`, values[kind]), true, kind)
      assert.equal((await daemon.ctl(['wait', values[kind], '--timeout', '30s'])).code, 0, kind)
    }
  }, { target: { batch: { quiet: '3s' } } }))
})
