// What is left when something was taken back: what waits for finality and what must not wait for it, cancellations that
// an account sends, and what lies in a Safe's queue although it can only revert.
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { encodeFunctionData, keccak256, toHex } from 'viem'
import { delayAbi, delayTarget, makeDelayWorld } from '../harness/delay.mjs'
import { makeEif } from '../harness/eif.mjs'
import { batchOf, callsFor } from '../harness/opinion.mjs'
import { makeWorld, people, until } from '../harness/world.mjs'

const inWorld = (options, fn, settings = {}) => async () => {
  const world = await makeWorld(options)
  try { await fn(world, world.daemon(settings)) } finally { await world.close() }
}
const revoke = (daemon, value, ...more) => daemon.ctl(['revoke', value, '--target', 'payments', ...more, '--json'])
const untilRevoked = (daemon, value) => daemon.untilMeasurement(value, (m) => m.status === 'revoked' && m.wanted === 'absent')

describe('an urgent removal', { concurrency: 2 }, () => {
  test('that waits for finality keeps nothing else of its target waiting', inWorld({ minDelay: 1 }, async (world, daemon) => {
    const gone = makeEif(world.random), other = makeEif(world.random)
    // Nobody's operation: there is nothing to be taken over.
    const byHand = async (action) => { for (const { to, data } of callsFor(world.registry, gone.value, action)) await world.chain.send({ from: world.timelock.address, to, data }) }
    await world.chain.rpc('anvil_impersonateAccount', world.timelock.address)
    await world.chain.rpc('anvil_setBalance', world.timelock.address, '0xde0b6b3a7640000')
    await byHand('add')
    await world.chain.mine(25)
    await daemon.start()
    await byHand('remove') // at the head, and not final for a while
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
  const settings = { target: { execute: 'manual', scheduler: people.scheduler } }
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

// Who may cancel or schedule beside the Safe.
const grant = (world, role, account) => world.timelock.runByHand([{ to: world.timelock.address, data: world.timelock.encode('grantRole', [keccak256(toHex(role)), account]) }], { salt: keccak256(toHex(`${role}${account}`)) })
const outsider = (world, name, ...args) => world.chain.send({ from: people.outsider.address, to: world.timelock.address, data: world.timelock.encode(name, args) })

/// A proposal whose execution is in the Safe's queue.
async function executable(world, daemon) {
  const eif = world.drop()
  const p = await daemon.untilProposal(eif.value)
  await world.owners.approve((await daemon.untilQueued(p.id, 'schedule')).safe_tx_hash)
  await daemon.untilState(p.id, 'timelock')
  await world.passDelay()
  return { eif, p, run: await daemon.untilQueued(p.id, 'execute') }
}

describe('what can only revert and lies in the queue', { concurrency: 2 }, () => {
  for (const [name, options] of [['Safe Transaction Service, Safe 1.3.0', { safeVersion: '1.3.0' }], ['Safe Queue Service, Safe 1.5.0', { queue: true, safeVersion: '1.5.0' }]])
    test(`the execution of what others cancelled, signed and in front of another one: rejected, ${name}`, inWorld({ minDelay: 60, ...options }, async (world, daemon) => {
      await grant(world, 'CANCELLER_ROLE', people.outsider.address)
      await daemon.start()
      const { p, run } = await executable(world, daemon)
      await world.owners.confirm(run.safe_tx_hash, people.owners[0])
      const behind = await world.owners.propose({ to: people.stranger.address, nonce: run.nonce + 1 })
      await outsider(world, 'cancel', p.operation_id)
      await world.chain.mine(3)
      await daemon.untilState(p.id, 'cancelled')
      const rejection = await daemon.untilQueued(p.id, 'reject')
      assert.equal(rejection.nonce, run.nonce)
      await daemon.untilAlarm('left-in-queue', { subject: p.id, text: new RegExp(`execute transaction with nonce ${run.nonce} .*\\(${p.id} is cancelled\\).*sign its rejection`) })
      assert.ok(existsSync(join(daemon.stateDir, 'drafts', `${p.id}-reject-1.json`)))
      assert.match((await daemon.ctl(['status'])).stdout, new RegExp(`owners to sign the rejection with nonce ${run.nonce} of the Safe.*can only revert`))
      assert.ok(world.service.transactions.has(run.safe_tx_hash), 'what somebody signed is not deleted')
      await daemon.kill9() // while it is down it is executed
      await world.owners.approve(rejection.safe_tx_hash)
      await world.owners.approve(behind)
      await world.chain.mine(3)
      await daemon.start()
      await until(async () => (await daemon.proposal(p.id)).safe_txs.find((t) => t.purpose === 'reject').status === 'executed', { what: 'the rejection to be seen' })
      assert.equal((await daemon.proposals()).length, 1)
    }))

  for (const queue of [false, true])
    test(`executed by others, nobody signed it and nothing waits behind it: forgotten, killed before and after the DELETE${queue ? ', Safe Queue Service' : ''}`, inWorld({ open: true, minDelay: 60, queue }, async (world, daemon) => {
      await daemon.start()
      const front = world.queue ?? world.service
      for (const how of ['before', 'after']) {
        const { p, run } = await executable(world, daemon)
        const fault = front.fault({ match: /^DELETE .*multisig-transactions\//, times: 1, drop: how, then: () => daemon.kill9() })
        await world.timelock.executeByHand(batchOf(world.chain.chainId, world.timelock.address, p.calls, 0), { from: people.stranger.address })
        await world.chain.mine(3)
        await until(() => fault.hits === 1 && !daemon.running, { every: 5, what: () => `the kill\n${daemon.tail(15)}` })
        await daemon.start()
        await daemon.untilState(p.id, 'confirmed')
        await until(() => !world.service.transactions.has(run.safe_tx_hash), { what: () => `the deletion\n${daemon.tail(15)}` })
        assert.deepEqual((await daemon.proposal(p.id)).safe_txs.map((t) => t.purpose), ['schedule', 'execute'])
        const next = await daemon.untilProposal(world.drop().value)
        assert.equal((await daemon.untilQueued(next.id, 'schedule')).nonce, run.nonce, 'its nonce is free')
        await world.carry(daemon, next.id)
      }
      assert.deepEqual((await daemon.events()).filter((e) => e.type === 'alarm'), [])
    }))

  test('a schedule of what others scheduled: rejected, and the execution goes on behind it', inWorld({ minDelay: 60 }, async (world, daemon) => {
    await grant(world, 'PROPOSER_ROLE', people.outsider.address)
    await daemon.start()
    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    const row = await daemon.untilQueued(p.id, 'schedule')
    await world.owners.confirm(row.safe_tx_hash, people.owners[0])
    const { batch } = batchOf(world.chain.chainId, world.timelock.address, p.calls, 0)
    await outsider(world, 'scheduleBatch', ...batch, 60n)
    await daemon.untilState(p.id, 'timelock')
    await world.chain.mine(3)
    const rejection = await daemon.untilQueued(p.id, 'reject')
    assert.equal(rejection.nonce, row.nonce)
    await world.passDelay()
    const run = await daemon.untilQueued(p.id, 'execute')
    assert.equal(run.nonce, row.nonce + 1)
    await world.owners.approve(rejection.safe_tx_hash)
    await world.owners.approve(run.safe_tx_hash)
    await world.chain.mine(3)
    await daemon.untilState(p.id, 'confirmed')
    assert.deepEqual(await world.allowed(eif.value), { kms: true, app: true })
  }))

  test('behind a Delay module: a schedule of what others enqueued would be there twice, and is forgotten', async () => {
    const world = await makeDelayWorld()
    try {
      const daemon = world.daemon({ target: delayTarget(world, { batch: { quiet: '300ms' }, execute: 'manual' }) })
      await world.avatar.byHand({ to: world.delay.address, data: encodeFunctionData({ abi: delayAbi, functionName: 'enableModule', args: [people.outsider.address] }) })
      await daemon.start()
      const eif = world.drop()
      const p = await daemon.untilProposal(eif.value)
      const row = await daemon.untilQueued(p.id, 'schedule')
      const entry = world.delay.entryOf(p.calls)
      await world.chain.send({ from: people.outsider.address, to: world.delay.address, data: world.delay.enqueueData(entry) })
      await daemon.untilState(p.id, 'timelock')
      await world.chain.mine(3)
      await until(() => !world.service.transactions.has(row.safe_tx_hash), { what: () => `the deletion\n${daemon.tail(15)}` })
      await world.chain.advance(world.cooldown + 5)
      await daemon.untilState(p.id, 'execute')
      await world.delay.execute(entry)
      await world.chain.mine(3)
      await daemon.untilState(p.id, 'confirmed')
      assert.equal(await world.delay.queueNonce(), 1, 'once')
    } finally { await world.close() }
  })

  test('without a service: files for where people may have put it', inWorld({ service: false, minDelay: 60 }, async (world, daemon) => {
    await grant(world, 'CANCELLER_ROLE', people.outsider.address)
    await daemon.start()
    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    const file = (name) => until(() => { try { return JSON.parse(readFileSync(join(daemon.stateDir, 'drafts', `${p.id}-${name}.json`), 'utf8')) } catch { return null } }, { what: `the file of ${name}` })
    const [{ to, data }] = (await file('schedule-1')).transactions
    await world.safe.byHand({ to, data })
    await daemon.untilState(p.id, 'timelock')
    await world.passDelay()
    await file('execute-1')
    await outsider(world, 'cancel', p.operation_id)
    await world.chain.mine(3)
    await daemon.untilState(p.id, 'cancelled')
    const rejection = await file('reject-execute-1')
    assert.deepEqual(rejection.transactions.map((t) => [t.to, t.value, t.data]), [[world.safe.address, '0', '0x']])
    assert.match(rejection.meta.description, new RegExp(`only if ${p.id}-execute-1 stands in the Safe's queue: .*exactly the nonce`))
  }))
})

describe('minDelay raised after drafting', { concurrency: 2 }, () => {
  test('the old attempt leaves the queue when nobody signed it; signed, it dies with the new one', inWorld({ open: true, minDelay: 60 }, async (world, daemon) => {
    await daemon.start()
    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    const first = await daemon.untilQueued(p.id, 'schedule')
    await world.chain.rpc('anvil_impersonateAccount', world.timelock.address)
    await world.chain.rpc('anvil_setBalance', world.timelock.address, '0xde0b6b3a7640000')
    const updateDelay = (seconds) => world.chain.send({ from: world.timelock.address, to: world.timelock.address, data: world.timelock.encode('updateDelay', [seconds]) })
    await updateDelay(600n)
    await world.chain.mine(3)
    await daemon.untilAlarm('min-delay-raised', { subject: p.id, text: /the old one dies with it/ })
    const second = await until(async () => (await daemon.proposal(p.id)).safe_txs.find((t) => t.attempt === 2 && t.status === 'queued'), { what: 'the second attempt' })
    assert.equal(second.nonce, first.nonce)
    await until(() => !world.service.transactions.has(first.safe_tx_hash), { what: () => `the deletion of the first\n${daemon.tail(15)}` })
    await world.owners.confirm(second.safe_tx_hash, people.owners[0])
    await until(async () => (await daemon.proposal(p.id)).confirmations === 1, { what: 'the confirmation' })
    await updateDelay(1200n)
    await world.chain.mine(3)
    const third = await until(async () => (await daemon.proposal(p.id)).safe_txs.find((t) => t.attempt === 3 && t.status === 'queued'), { what: 'the third attempt' })
    assert.equal(third.nonce, second.nonce)
    await world.owners.approve(third.safe_tx_hash)
    await daemon.untilState(p.id, 'timelock')
    assert.ok(world.service.transactions.has(second.safe_tx_hash), 'what somebody signed stays')
    assert.deepEqual((await daemon.proposal(p.id)).safe_txs.map((t) => [t.purpose, t.status]), [['schedule', 'withdrawn'], ['schedule', 'withdrawn'], ['schedule', 'executed']])
    await world.passDelay()
    await world.carryOn(daemon, p.id)
  }))
})

// What a person reads who revokes: what is drafted, who signs what, and what happens otherwise.
describe('revoke says what comes next', { concurrency: 2 }, () => {
  const say = async (daemon, value, ...more) => (await daemon.ctl(['revoke', value, '--target', 'payments', ...more])).stdout

  test('unknown to the chain, in the queue, in the timelock, authorized, removed already; urgent, replaced, shared', inWorld({ minDelay: 60 }, async (world) => {
    const sections = { payments: world.target({ batch: { quiet: '300ms' } }), sister: world.target({ batch: { quiet: '300ms' } }) }
    const daemon = world.daemon({ targets: sections })
    await daemon.start()
    const lost = makeEif(world.random)
    let text = await say(daemon, lost.value, '--kind', 'os-image')
    assert.match(text, /^m\d+ +payments +os-image +0x\w+ +\w+, wanted absent\n- the chain is asked: what is not there counts as revoked.*nobody has to sign/, text)

    const first = world.drop()
    const p = await daemon.untilProposal(first.value)
    const row = await daemon.untilQueued(p.id, 'schedule')
    await world.owners.confirm(row.safe_tx_hash, people.owners[0])
    await until(async () => (await daemon.proposal(p.id)).confirmations === 1, { what: 'the confirmation' })
    text = await say(daemon, first.value)
    assert.match(text, new RegExp(`- ${p.id}, which would add it, is in the Safe's queue with nonce ${row.nonce} \\(schedule, 1 of 2 signed\\): owners sign its rejection.*If they execute ${p.id} instead, its cancellation is drafted\n$`), text)
    await world.owners.execute(row.safe_tx_hash, {}).catch(() => world.owners.approve(row.safe_tx_hash))
    await daemon.untilState(p.id, 'timelock')
    text = await say(daemon, first.value)
    assert.match(text, new RegExp(`- ${p.id}, which would add it, can be executed from \\S+ on: owners sign its cancellation\\. If it is executed first, its removal is drafted at once\n$`), text)
    await world.owners.approve((await daemon.untilQueued(p.id, 'cancel')).safe_tx_hash)
    await world.chain.mine(3)
    await daemon.untilState(p.id, 'cancelled')

    const wrong = makeEif(world.random), right = makeEif(world.random)
    for (const target of ['payments', 'sister']) await daemon.ctl(['register', wrong.value, '--target', target, '--kind', 'os-image'])
    const q = await daemon.untilProposal(wrong.value)
    await world.carry(daemon, q.id)
    await daemon.untilMeasurement(wrong.value, (m) => m.status === 'authorized')
    const front = await world.owners.propose({ to: people.stranger.address })
    text = await say(daemon, wrong.value, '--shared', '--urgent', '--replace', right.value)
    assert.deepEqual([text.match(/wanted absent/g).length, text.match(/wanted present/g).length], [2, 2], text)
    assert.match(text, /- (its removal is drafted now, alone, before everything else|p\d+ removes it \(drafted\)): owners sign its schedule, and after the timelock's delay its execution.*\n- until that is executed the value stays authorized on chain\n- what replaces it is approved by this, and added in the same proposal\n/, text)
    assert.match(text, new RegExp(`displaces nonce \\d+: ${front}, proposed by ${people.owners[0].address.toLowerCase()}; who wants it has to propose it again\nwhichever of them owners execute first uses the nonce; the others with it can run no more\n$`), text)
    const removal = await daemon.untilProposal(wrong.value, { where: (x) => x.id !== q.id })
    await daemon.untilQueued(removal.id, 'schedule')
    text = await say(daemon, wrong.value, '--shared')
    assert.match(text, new RegExp(`- ${removal.id} removes it \\(multisig\\): owners sign its schedule, .*; it waits for owners to sign nonce \\d+ of the Safe`), text)
  }))
})
