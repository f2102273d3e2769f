// Reorganisations: of every depth above what is final they move proposals back with what had moved them, and forward
// again; below it they stop the chain until a person says otherwise.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { hex } from '../harness/chain.mjs'
import { makeWorld, people, until } from '../harness/world.mjs'

const FINAL = 12 // blocks behind the newest

const inWorld = (options, fn, settings = {}) => async () => {
  const world = await makeWorld(options)
  try {
    await world.chain.mine(FINAL + 2) // no reorganisation takes the world itself away
    const more = typeof settings === 'function' ? settings(world) : settings
    await fn(world, world.daemon({ ...more, chain: { confirmations: FINAL, ...more.chain } }))
  } finally { await world.close() }
}

const blockHash = async (world, number) => (await world.chain.rpc('eth_getBlockByNumber', hex(number), false))?.hash
/// Replaces the newest blocks down to and with that of a receipt; nothing below.
async function replaceFrom(world, receipt) {
  const number = BigInt(receipt.blockNumber)
  const below = await blockHash(world, number - 1n)
  await world.chain.reorg(Number((await world.chain.blockNumber()) - number) + 1)
  assert.notEqual(await blockHash(world, number), receipt.blockHash)
  assert.equal(await blockHash(world, number - 1n), below)
  await world.chain.mine(1)
}
const stateOf = async (daemon, id) => (await daemon.proposal(id)).state
/// The move that brought it where it is: back, by a reorganisation, with the transaction that is gone.
function assertMovedBack(proposal, from, to, tx) {
  const last = proposal.history.at(-1)
  assert.equal(last.to, to)
  assert.equal(last.from, from)
  assert.match(last.reason, /reorganisation.*: the blocks above \d+ were replaced/)
  assert.equal(last.tx, tx)
}
const chainStatus = async (daemon) => (await daemon.ctl(['status', '--json'])).json.chains[0]

describe('above what is final', { concurrency: 3 }, () => {
  test('in every state, of one block and of many: back with what had moved it, forward again, to confirmed', inWorld({}, async (world, daemon) => {
    await daemon.start()
    const eif = world.drop()
    let p = await daemon.untilProposal(eif.value)
    const schedule = await daemon.untilQueued(p.id, 'schedule')
    // multisig: the chain says nothing about it
    await world.chain.reorg(1)
    await world.chain.mine(1)
    await until(async () => BigInt((await chainStatus(daemon)).head) === (await world.chain.blockNumber()), { what: 'the new head' })
    assert.equal(await stateOf(daemon, p.id), 'multisig')

    // timelock, one block deep and eight
    for (const more of [0, 7]) {
      const scheduled = await (more ? world.owners.execute(schedule.safe_tx_hash) : world.owners.approve(schedule.safe_tx_hash))
      await daemon.untilState(p.id, 'timelock')
      await world.chain.mine(more)
      await replaceFrom(world, scheduled)
      assertMovedBack(await daemon.untilState(p.id, 'multisig'), 'timelock', 'multisig', scheduled.transactionHash)
    }
    const scheduled = await world.owners.execute(schedule.safe_tx_hash)
    await daemon.untilState(p.id, 'timelock')

    // execute: the schedule goes, and the ready time with it
    await world.passDelay()
    await daemon.untilState(p.id, 'execute')
    await replaceFrom(world, scheduled)
    p = await daemon.untilState(p.id, 'multisig')
    assertMovedBack(p, 'execute', 'multisig', scheduled.transactionHash)
    await world.owners.execute(schedule.safe_tx_hash)
    await daemon.untilState(p.id, 'timelock')
    await world.passDelay()
    await daemon.untilState(p.id, 'execute')

    // executed, one block deep and six
    const execute = await daemon.untilQueued(p.id, 'execute')
    for (const more of [0, 5]) {
      const executed = await (more ? world.owners.execute(execute.safe_tx_hash) : world.owners.approve(execute.safe_tx_hash))
      await daemon.untilState(p.id, 'executed')
      await world.chain.mine(more)
      await replaceFrom(world, executed)
      assertMovedBack(await daemon.untilState(p.id, 'execute'), 'executed', 'execute', executed.transactionHash)
      assert.deepEqual(await world.allowed(eif.value), { kms: false, app: false })
    }
    await world.owners.execute(execute.safe_tx_hash)
    await daemon.untilState(p.id, 'executed')
    await world.chain.mine(FINAL + 1)
    await daemon.untilState(p.id, 'confirmed')
    assert.deepEqual(await world.allowed(eif.value), { kms: true, app: true })
    assert.equal(world.service.posts().length, 2, 'nothing was posted again')
    assert.deepEqual(await daemon.alarms('final-replaced'), [])
  }))

  test('executed and scheduled go in one reorganisation: two states back at once', inWorld({ minDelay: 1 }, async (world, daemon) => {
    await daemon.start()
    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    const schedule = await daemon.untilQueued(p.id, 'schedule')
    const scheduled = await world.owners.approve(schedule.safe_tx_hash)
    await daemon.untilState(p.id, ['timelock', 'execute'])
    await world.passDelay()
    const execute = await daemon.untilQueued(p.id, 'execute')
    await world.owners.approve(execute.safe_tx_hash)
    const executed = (await daemon.untilState(p.id, 'executed')).history.at(-1).tx
    await replaceFrom(world, scheduled)
    assertMovedBack(await daemon.untilState(p.id, 'multisig'), 'executed', 'multisig', executed)
    await world.owners.execute(schedule.safe_tx_hash)
    await daemon.untilState(p.id, ['timelock', 'execute'])
    await world.passDelay()
    await daemon.untilState(p.id, 'execute')
    await world.owners.execute(execute.safe_tx_hash)
    await daemon.untilState(p.id, 'executed')
    await world.chain.mine(FINAL + 1)
    await daemon.untilState(p.id, 'confirmed')
  }))

  test('a shorter chain for a while (rollback), and the execution of our own key is sent again', inWorld({ open: true }, async (world, daemon) => {
    await daemon.start()
    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    await world.owners.approve((await daemon.untilQueued(p.id, 'schedule')).safe_tx_hash)
    await daemon.untilState(p.id, 'timelock')
    await world.passDelay()
    const first = (await daemon.untilState(p.id, 'executed')).history.at(-1).tx
    await world.chain.rpc('anvil_rollback', 1)
    await daemon.untilState(p.id, ['execute'], { timeout: 30_000 })
    await daemon.untilState(p.id, 'executed', { timeout: 30_000 })
    await world.chain.mine(FINAL + 1)
    await daemon.untilState(p.id, 'confirmed')
    assert.ok(first)
  }, (world) => ({ target: { execute: 'direct', executor: people.executor } })))

  test('while it was down: the restart finds what is gone', inWorld({}, async (world, daemon) => {
    await daemon.start()
    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    const schedule = await daemon.untilQueued(p.id, 'schedule')
    const scheduled = await world.owners.approve(schedule.safe_tx_hash)
    await daemon.untilState(p.id, 'timelock')
    await daemon.kill9()
    await replaceFrom(world, scheduled)
    await daemon.start()
    await daemon.untilState(p.id, 'multisig')
    await world.owners.execute(schedule.safe_tx_hash)
    await daemon.untilState(p.id, 'timelock')
    await world.passDelay()
    await world.owners.approve((await daemon.untilQueued(p.id, 'execute')).safe_tx_hash)
    await daemon.untilState(p.id, 'executed')
    await world.chain.mine(FINAL + 1)
    await daemon.untilState(p.id, 'confirmed')
  }))
})

describe('below what is final', { concurrency: 3 }, () => {
  test('an alarm, and nothing is decided on that chain, over a kill -9 too, until resume', inWorld({}, async (world, daemon) => {
    await daemon.start()
    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    const schedule = await daemon.untilQueued(p.id, 'schedule')
    const scheduled = await world.owners.approve(schedule.safe_tx_hash)
    await daemon.untilState(p.id, 'timelock')
    await world.chain.mine(FINAL + 3)
    await until(async () => BigInt((await chainStatus(daemon)).final) > BigInt(scheduled.blockNumber), { what: 'the schedule to be final' })
    const history = (await daemon.proposal(p.id)).history
    await replaceFrom(world, scheduled)

    const alarm = await daemon.untilAlarm('final-replaced', { subject: 'lab' })
    assert.match(alarm.text, /block \d+ was final with hash 0x[0-9a-f]{64} and is 0x[0-9a-f]{64} now: .*registrarctl resume lab/)
    const posts = world.service.posts().length
    const other = world.drop()
    await daemon.untilMeasurement(other.value, (m) => m.status === 'new')
    const stopped = async () => {
      await world.passDelay()
      await world.chain.mine(3)
      await until(async () => (await chainStatus(daemon)).last_answer > new Date(Date.now() - 1000).toISOString(), { what: 'some ticks' })
      assert.deepEqual((await daemon.proposal(p.id)).history, history)
      assert.equal((await daemon.proposals()).length, 1)
      assert.equal(world.service.posts().length, posts)
      assert.match((await chainStatus(daemon)).stopped, /registrarctl resume lab/)
      assert.match((await daemon.ctl(['status'])).stdout, /registrarctl resume lab/)
      const doctor = await daemon.ctl(['doctor', '--json'], { ok: false })
      assert.equal(doctor.code, 2)
      assert.ok(doctor.json.some((r) => r.check === 'final blocks' && r.result === 'failure' && /registrarctl resume lab/.test(r.fix)))
      assert.equal((await daemon.ctl(['check', eif.value, '--target', 'payments'], { ok: false })).code, 3, 'unknown')
      assert.equal((await daemon.ctl(['wait', eif.value, '--timeout', '1s'], { ok: false })).code, 1)
    }
    await stopped()
    await daemon.kill9()
    await daemon.start()
    await stopped()
    assert.equal((await daemon.alarms('final-replaced')).length, 1, 'told once')

    assert.equal((await daemon.ctl(['resume', 'elsewhere'], { ok: false })).code, 1)
    await daemon.ctl(['resume', 'lab'])
    assert.equal((await daemon.ctl(['resume', 'lab'], { ok: false })).code, 2, 'it goes already')
    await daemon.untilState(p.id, 'multisig')
    assert.equal((await chainStatus(daemon)).stopped, null)
    await world.owners.execute(schedule.safe_tx_hash)
    const q = await daemon.untilProposal(other.value) // what came meanwhile has the next nonce
    await world.owners.approve((await daemon.untilQueued(q.id, 'schedule')).safe_tx_hash)
    await daemon.untilState(p.id, 'timelock')
    await world.passDelay()
    await world.owners.approve((await daemon.untilQueued(p.id, 'execute')).safe_tx_hash)
    await daemon.untilState(p.id, 'executed')
    await world.chain.mine(FINAL + 1)
    await daemon.untilState(p.id, 'confirmed')
  }))

  test('what was confirmed in blocks that are gone is not authorized any more: held, with an alarm', inWorld({}, async (world, daemon) => {
    await daemon.start()
    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    const scheduled = await world.owners.approve((await daemon.untilQueued(p.id, 'schedule')).safe_tx_hash)
    await daemon.untilState(p.id, 'timelock')
    await world.passDelay()
    await world.owners.approve((await daemon.untilQueued(p.id, 'execute')).safe_tx_hash)
    await daemon.untilState(p.id, 'executed')
    await world.chain.mine(FINAL + 1)
    await daemon.untilState(p.id, 'confirmed')
    await daemon.untilMeasurement(eif.value, (m) => m.status === 'authorized')

    await replaceFrom(world, scheduled)
    await daemon.untilAlarm('final-replaced', { subject: 'lab' })
    assert.equal((await daemon.ctl(['wait', eif.value, '--timeout', '1s'], { ok: false })).code, 1, 'not on the word of the store')
    await daemon.ctl(['resume', 'lab'])
    const [m] = await daemon.untilMeasurement(eif.value, (x) => x.status === 'held')
    assert.match(m.reason, /reorganisation of final blocks/)
    await daemon.untilAlarm('final-replaced', { subject: m.id, text: new RegExp(`registrarctl approve ${m.id}`) })
    assert.equal((await daemon.ctl(['wait', eif.value, '--timeout', '1s'], { ok: false })).code, 2, 'it will not be by itself')
    for (const x of await daemon.measurements(eif.value)) await daemon.ctl(['approve', x.id])
    const again = await daemon.untilProposal(eif.value, { where: (x) => x.id !== p.id })
    await daemon.untilState(again.id, ['drafted', 'multisig', 'timelock', 'execute'])
    assert.equal((await daemon.proposal(p.id)).state, 'confirmed', 'an end is for ever')
  }))
})
