// Taking back on every way: the other service, other Safes, an owner without a Safe, a Delay module.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { delayTarget, makeDelayWorld } from '../harness/delay.mjs'
import { makeEif } from '../harness/eif.mjs'
import { makeWorld, people, until } from '../harness/world.mjs'

const inWorld = (make, options, fn, settings = () => ({})) => async () => {
  const world = await make(options)
  try { await fn(world, world.daemon(settings(world))) } finally { await world.close() }
}
const revoke = (daemon, value, ...more) => daemon.ctl(['revoke', value, '--target', 'payments', ...more, '--json'])
const carries = (action, value) => (p) => p.calls.some((c) => c.action === action && c.value === value)
const untilRemoval = (daemon, value) => daemon.untilProposal(value, { where: carries('remove', value) })
const untilRevoked = (daemon, value) => daemon.untilMeasurement(value, (m) => m.status === 'revoked' && m.wanted === 'absent')
const linesOf = (daemon, name) => until(() => { try { return readFileSync(join(daemon.stateDir, 'drafts', `${name}.calldata`), 'utf8').trim().split('\n').map((l) => l.split(' ')) } catch { return null } }, { what: () => `the file ${name}\n${daemon.tail(10)}` })
const send = async (world, from, lines) => { for (const [to, data] of lines) await world.chain.send({ from, to, data }) }
const alarms = async (daemon) => (await daemon.events()).filter((e) => e.type === 'alarm')

describe('revoke, other services and Safes', { concurrency: 2 }, () => {
  for (const [name, how, options] of [
    ['Safe Queue Service, Safe 1.5.0', 'before', { queue: true, safeVersion: '1.5.0' }],
    ['Safe Transaction Service, Safe 1.3.0 eip155, no events of the singleton', 'before', { safeVersion: '1.3.0', safeDeployment: 'eip155', l2: false }],
  ])
    test(`${name}: rejected and forgotten, killed ${how} the DELETE; landed first, cancelled; urgent, displaces`, inWorld(makeWorld, { minDelay: 60, open: true, ...options }, async (world, daemon) => {
      const front = world.queue ?? world.service
      await daemon.start()
      const [a, b] = [makeEif(world.random), makeEif(world.random)]
      for (const eif of [a, b]) await daemon.ctl(['register', eif.value, '--target', 'payments'])
      const p = await daemon.untilProposal(b.value, { where: carries('add', a.value) })
      const row = await daemon.untilQueued(p.id, 'schedule')
      const fault = front.fault({ match: /^DELETE .*multisig-transactions\//, times: 1, drop: how, then: () => daemon.kill9() })
      await revoke(daemon, a.value)
      await until(() => fault.hits === 1 && !daemon.running, { every: 5, what: () => `the kill\n${daemon.tail(15)}` })
      await daemon.start()
      const rejection = await daemon.untilQueued(p.id, 'reject')
      assert.equal(rejection.nonce, row.nonce)
      await until(() => !world.service.transactions.has(row.safe_tx_hash), { what: 'the deletion' })
      await world.owners.approve(rejection.safe_tx_hash)
      await world.chain.mine(3)
      await daemon.untilState(p.id, 'rejected')
      await untilRevoked(daemon, a.value)

      const q = await daemon.untilProposal(b.value, { where: (x) => x.id !== p.id })
      const second = await daemon.untilQueued(q.id, 'schedule')
      for (const owner of people.owners.slice(0, 2)) await world.owners.confirm(second.safe_tx_hash, owner)
      await until(async () => (await daemon.proposal(q.id)).confirmations === 2, { what: 'two confirmations' })
      await revoke(daemon, b.value)
      await daemon.untilQueued(q.id, 'reject')
      await world.owners.execute(second.safe_tx_hash)
      const cancel = await daemon.untilQueued(q.id, 'cancel')
      assert.equal(cancel.nonce, second.nonce + 1)
      await world.owners.approve(cancel.safe_tx_hash)
      await world.chain.mine(3)
      await daemon.untilState(q.id, 'cancelled')
      await untilRevoked(daemon, b.value)

      // What was posted and what others posted, displaced by what is urgent.
      const known = world.drop()
      const r = await daemon.untilProposal(known.value)
      await world.owners.approve((await daemon.untilQueued(r.id, 'schedule')).safe_tx_hash)
      await daemon.untilState(r.id, 'timelock')
      await world.passDelay()
      await world.carryOn(daemon, r.id)
      const other = world.drop()
      const s = await daemon.untilProposal(other.value)
      const waits = await daemon.untilQueued(s.id, 'schedule')
      const { json } = await revoke(daemon, known.value, '--urgent')
      assert.deepEqual(json[0].displaces.map((d) => [d.nonce, d.safe_tx_hash, d.by]), [[waits.nonce, waits.safe_tx_hash, 'registrard']])
      const removal = await untilRemoval(daemon, known.value)
      const urgent = await daemon.untilQueued(removal.id, 'schedule')
      assert.equal(urgent.nonce, waits.nonce)
      await world.owners.approve(urgent.safe_tx_hash)
      await daemon.untilState(removal.id, 'timelock')
      await world.chain.mine(3)
      await until(async () => (await daemon.proposal(s.id)).safe_txs.some((t) => t.attempt === 2 && t.status === 'queued'), { what: 'the displaced, asked again' })
      assert.deepEqual(await alarms(daemon), [])
    }, () => ({ target: { batch: { quiet: '1500ms' } } })))
})

describe('revoke without a Safe of the owner', { concurrency: 2 }, () => {
  test('model direct: given up unsent; authorized, removed by files', inWorld(makeWorld, { model: 'direct', service: false }, async (world, daemon) => {
    await daemon.start()
    const first = world.drop()
    const p = await daemon.untilProposal(first.value)
    const { json } = await revoke(daemon, first.value)
    assert.match(json[0].next[0], new RegExp(`^${p.id}, which would add it, is given up; who has its files can send them all the same`))
    await daemon.untilState(p.id, 'cancelled')
    await world.chain.mine(3) // what is not there counts when that is final
    await untilRevoked(daemon, first.value)
    const second = world.drop()
    const q = await daemon.untilProposal(second.value)
    await send(world, people.deployer.address, await linesOf(daemon, `${q.id}-apply-1`))
    await world.chain.mine(3)
    await daemon.untilState(q.id, 'confirmed')
    const again = await revoke(daemon, second.value)
    assert.match(again.json[0].next[0], /its removal is drafted when it was quiet for \S+: the contract's owner sends its draft files/)
    const removal = await untilRemoval(daemon, second.value)
    await send(world, people.deployer.address, await linesOf(daemon, `${removal.id}-apply-1`))
    await world.chain.mine(3)
    await daemon.untilState(removal.id, 'confirmed')
    await untilRevoked(daemon, second.value)
    assert.deepEqual(await world.allowed(second.value), { kms: false, app: false })
    assert.deepEqual(await alarms(daemon), [])
  }))

  const enqueue = async (world, daemon, id) => {
    await world.owners.approve((await daemon.untilQueued(id, 'schedule')).safe_tx_hash)
    return daemon.untilState(id, 'timelock')
  }
  const delaySettings = (world) => ({ target: delayTarget(world, { batch: { quiet: '500ms' }, execute: 'manual' }) })

  test('model delay: rejected before it is enqueued, the rest goes on; enqueued, passed over by setTxNonce', inWorld(makeDelayWorld, {}, async (world, daemon) => {
    await daemon.start()
    const [a, b] = [makeEif(world.random), makeEif(world.random)]
    for (const eif of [a, b]) await daemon.ctl(['register', eif.value, '--target', 'payments'])
    const p = await daemon.untilProposal(b.value, { where: carries('add', a.value) })
    const row = await daemon.untilQueued(p.id, 'schedule')
    await revoke(daemon, a.value)
    const rejection = await daemon.untilQueued(p.id, 'reject')
    assert.equal(rejection.nonce, row.nonce)
    await world.owners.approve(rejection.safe_tx_hash)
    await world.chain.mine(3)
    await daemon.untilState(p.id, 'rejected')
    await untilRevoked(daemon, a.value)
    const q = await daemon.untilProposal(b.value, { where: (x) => x.id !== p.id })
    assert.ok(!carries('add', a.value)(q))
    await enqueue(world, daemon, q.id)
    const { json } = await revoke(daemon, b.value)
    assert.match(json[0].next[0], new RegExp(`^${q.id}, which would add it, can be executed from \\S+ on: the module's owner passes over it by setTxNonce`))
    await daemon.untilAlarm('not-withdrawn', { subject: q.id })
    const [[to, data]] = await linesOf(daemon, `${q.id}-veto-0`)
    await world.avatar.byHand({ to, data })
    await world.chain.mine(3)
    await daemon.untilState(q.id, 'cancelled')
    await untilRevoked(daemon, b.value)
    assert.deepEqual(await world.allowed(b.value), { kms: false, app: false })
  }, delaySettings))

  test('model delay: executed before anybody passes over it, its removal goes through the module at once', inWorld(makeDelayWorld, {}, async (world, daemon) => {
    const execute = async (id) => {
      await world.chain.advance(world.cooldown + 5)
      await daemon.untilState(id, 'execute')
      const p = await daemon.proposal(id)
      await world.delay.execute(world.delay.entryOf(p.calls))
    }
    await daemon.start()
    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    await enqueue(world, daemon, p.id)
    await revoke(daemon, eif.value)
    await execute(p.id)
    const removal = await untilRemoval(daemon, eif.value)
    assert.equal((await daemon.proposal(p.id)).state, 'executed', 'at once: its addition is not even final')
    await enqueue(world, daemon, removal.id)
    await execute(removal.id)
    await world.chain.mine(3)
    await daemon.untilState(removal.id, 'confirmed')
    await daemon.untilState(p.id, 'confirmed')
    await untilRevoked(daemon, eif.value)
    assert.deepEqual(await world.allowed(eif.value), { kms: false, app: false })
  }, delaySettings))
})
