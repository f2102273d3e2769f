// What is left when something was taken back: what waits for finality and what must not wait for it, cancellations that
// an account sends, and what lies in a Safe's queue although it can only revert.
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { keccak256, toHex } from 'viem'
import { makeEif } from '../harness/eif.mjs'
import { callsFor } from '../harness/opinion.mjs'
import { makeWorld, people, until } from '../harness/world.mjs'
import { tick } from '../harness/util.mjs'

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

// An account schedules, so an account cancels: from the file, or with the scheduler key where that key may.
describe('model timelock, withdrawn after it was scheduled', { concurrency: 2 }, () => {
  const options = { model: 'timelock', proposers: [people.outsider.address, people.scheduler.address], service: false, open: true, minDelay: 600 }
  const settings = { chain: { resend: '500ms' }, target: { execute: 'manual', scheduler: people.scheduler } }
  const fund = (world) => world.chain.rpc('anvil_setBalance', people.scheduler.address, '0xde0b6b3a7640000')
  const CANCELLER = keccak256(toHex('CANCELLER_ROLE'))
  const sent = (world) => world.chain.client.getTransactionCount({ address: people.scheduler.address })

  test('the scheduler key cancels it, once, killed before and after it is sent', inWorld(options, async (world, daemon) => {
    await fund(world)
    await daemon.start()
    for (const how of ['before', 'after']) {
      const eif = world.drop()
      const p = await daemon.untilProposal(eif.value)
      await daemon.untilState(p.id, 'timelock')
      const before = await sent(world)
      const fault = world.rpc.fault({ match: (method) => method === 'eth_sendRawTransaction', times: 1, drop: how, then: () => daemon.kill9() })
      await revoke(daemon, eif.value).catch(() => {})
      await until(() => fault.hits === 1 && !daemon.running, { every: 5, what: 'the kill' })
      await daemon.start()
      await until(async () => await world.timelock.timestamp(p.operation_id) === 0, { what: 'the cancellation' })
      assert.ok(existsSync(join(daemon.stateDir, 'drafts', `${p.id}-cancel-1.cast`)), 'people have the file in any case')
      await tick(1500) // time to resend it, which must not happen: it is in a block
      await world.chain.mine(3)
      assert.match((await daemon.untilState(p.id, 'cancelled')).history.at(-1).reason, /withdrawn/)
      await untilRevoked(daemon, eif.value)
      assert.equal(await sent(world), before + 1)
      assert.deepEqual(await world.allowed(eif.value), { kms: false, app: false })
    }
    assert.deepEqual((await daemon.events()).filter((e) => e.type === 'alarm'), [])
    const doctor = await daemon.ctl(['doctor', '--json'], { ok: false })
    assert.match(doctor.json.find((r) => r.check === 'scheduler key').found, /can cancel/)
  }, settings))

  test('a scheduler key without the role: the file names who has it, and an alarm says so', inWorld(options, async (world, daemon) => {
    await fund(world)
    await world.timelock.runByHand([{ to: world.timelock.address, data: world.timelock.encode('revokeRole', [CANCELLER, people.scheduler.address]) }])
    await daemon.start()
    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    await daemon.untilState(p.id, 'timelock')
    await daemon.ctl(['withdraw', p.id])
    await daemon.untilAlarm('not-withdrawn', { subject: p.id, text: /scheduler key does not have the timelock's CANCELLER_ROLE; the draft files/ })
    const file = (suffix) => readFileSync(join(daemon.stateDir, 'drafts', `${p.id}-cancel-1.${suffix}`), 'utf8')
    assert.match(file('cast').split('\n')[0], new RegExp(`CANCELLER_ROLE: ${people.outsider.address}$`))
    assert.equal(JSON.parse(file('json')).transactions[0].to, world.timelock.address)
    const [to, data] = file('calldata').trim().split(' ')
    await world.chain.send({ from: people.outsider.address, to, data })
    await world.chain.mine(3)
    await daemon.untilState(p.id, 'cancelled')
    await daemon.untilMeasurement(eif.value, (m) => m.status === 'held' && /withdrawn/.test(m.reason))
    assert.equal(await sent(world), 1)
  }, settings))
})
