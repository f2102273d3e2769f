// What is left when something was taken back: what waits for finality and what must not wait for it, cancellations that
// an account sends, and what lies in a Safe's queue although it can only revert.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { makeEif } from '../harness/eif.mjs'
import { callsFor } from '../harness/opinion.mjs'
import { makeWorld } from '../harness/world.mjs'

const inWorld = (options, fn, settings = {}) => async () => {
  const world = await makeWorld(options)
  try { await fn(world, world.daemon(settings)) } finally { await world.close() }
}
const revoke = (daemon, value, ...more) => daemon.ctl(['revoke', value, '--target', 'payments', ...more, '--json'])
const untilRevoked = (daemon, value) => daemon.untilMeasurement(value, (m) => m.status === 'revoked' && m.wanted === 'absent')

describe('an urgent removal', { concurrency: 2 }, () => {
  test('that waits for finality keeps nothing else of its target waiting', inWorld({ minDelay: 1 }, async (world, daemon) => {
    const gone = makeEif(world.random), other = makeEif(world.random)
    const byHand = (action, salt) => world.timelock.runByHand(callsFor(world.registry, gone.value, action), { salt: `0x${salt.repeat(64)}` })
    await byHand('add', '7')
    await world.chain.mine(25)
    await daemon.start()
    await byHand('remove', '8') // at the head, and not final for a while
    await daemon.ctl(['revoke', gone.value, '--target', 'payments', '--kind', 'os-image', '--urgent'])
    await daemon.ctl(['register', other.value, '--target', 'payments'])
    const p = await daemon.untilProposal(other.value)
    assert.deepEqual(p.calls.map((c) => [c.action, c.value]), [['add', other.value], ['add', other.value]])
    await daemon.untilQueued(p.id, 'schedule')
    assert.ok((await daemon.measurements(gone.value)).every((m) => m.status !== 'revoked'), 'not final yet')
    await world.chain.mine(25)
    await untilRevoked(daemon, gone.value)
    assert.equal((await daemon.proposals()).length, 1)
  }, { chain: { confirmations: 20 } }))
})
