// What a build may be beside an enclave image: app-compose.json, and what Nitro hardware signed.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
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
})
