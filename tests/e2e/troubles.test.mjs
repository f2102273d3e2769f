// Trouble that lasts: told once, shown by `status` with its beginning and what to do, told again after a restart, over when
// its cause is gone. And the keys that send: whatever happens to a transaction of theirs, it goes on or says why not.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { keccak256, toHex } from 'viem'
import { delayTarget, makeDelayWorld } from '../harness/delay.mjs'
import { makeEif } from '../harness/eif.mjs'
import { batchOf, callsFor } from '../harness/opinion.mjs'
import { makeWorld, people, until } from '../harness/world.mjs'

const inWorld = (options, fn, make = makeWorld) => async () => {
  const world = await make(options)
  try { await fn(world) } finally { await world.close() }
}

/// What stands now.
async function troubles(daemon) {
  const { json } = await daemon.ctl(['status', '--json'])
  return json.chains.flatMap((c) => c.troubles)
}
const untilTrouble = (daemon, alarm, subject) => until(async () => (await troubles(daemon)).find((t) => t.alarm === alarm && t.subject === subject),
  { what: async () => `${alarm} of ${subject}; stand: ${JSON.stringify(await troubles(daemon))}\n${daemon.tail(15)}` })
const untilNone = (daemon) => until(async () => (await troubles(daemon)).length === 0, { what: async () => `no trouble; stand: ${JSON.stringify(await troubles(daemon))}\n${daemon.tail(15)}` })

/// It ends, is there again, and tells the same trouble again, which began when it began.
async function again(daemon, before) {
  const told = (await daemon.alarms(before.alarm, before.subject)).length
  await daemon.kill9()
  await daemon.start()
  const after = await untilTrouble(daemon, before.alarm, before.subject)
  assert.equal(after.since, before.since)
  assert.equal((await daemon.alarms(before.alarm, before.subject)).length, told + 1, 'told again, once')
}

/// Takes the contract from the timelock, whatever owns it; returns how to give it back.
async function take(world, contract, owner = world.timelock.address) {
  await world.chain.rpc('anvil_impersonateAccount', owner)
  await world.chain.rpc('anvil_setBalance', owner, '0xde0b6b3a7640000')
  await world.chain.write(owner, contract, 'function transferOwnership(address)', people.deployer.address)
  return () => world.chain.write(people.deployer.address, contract, 'function transferOwnership(address)', owner)
}

const isSend = (method) => method === 'eth_sendRawTransaction'
const sends = (world) => world.rpc.count('eth_sendRawTransaction')
/// Whatever the key sends is answered for, and gets lost.
const loseAll = (world) => world.rpc.fault({ match: isSend, drop: true })

/// Dropped for each target, signed, and in the timelock.
async function scheduled(world, daemon, targets) {
  const made = []
  for (const target of targets) {
    const eif = world.drop(target)
    const { id } = await daemon.untilProposal(eif.value)
    await world.owners.approve((await daemon.untilQueued(id, 'schedule')).safe_tx_hash)
    await daemon.untilState(id, 'timelock')
    made.push({ id, eif })
  }
  return made
}

async function finished(world, daemon, id) {
  await daemon.untilState(id, ['executed', 'confirmed'])
  await world.chain.mine(3)
  await daemon.untilState(id, 'confirmed')
}

const byKey = { execute: 'direct', executor: people.executor }

describe('trouble that lasts', { concurrency: 2 }, () => {
  test('what cannot be executed is named, and holds up nobody else; repaired, it goes on', inWorld({ generation: 1, open: true }, async (world) => {
    const other = await world.addRegistry({ generation: 1 })
    const daemon = world.daemon({ targets: { first: world.target(byKey), second: world.target({ ...byKey, registry: other }) } })
    await daemon.start()
    const [first, second] = await scheduled(world, daemon, ['first', 'second'])
    const giveBack = await take(world, world.registry.kms)
    await world.passDelay()
    const trouble = await untilTrouble(daemon, 'not-executed', first.id)
    assert.match(trouble.text, /reverts: .*(not the owner|OwnableUnauthorizedAccount)/)
    assert.equal(trouble.do, 'registrarctl doctor')
    assert.match((await daemon.ctl(['status'])).stdout, new RegExp(`not-executed +${first.id} .*registrarctl doctor`))
    await finished(world, daemon, second.id)
    assert.equal((await daemon.proposal(first.id)).state, 'execute')
    assert.equal((await daemon.alarms('not-executed', first.id)).length, 1)
    await again(daemon, trouble)
    await giveBack()
    await finished(world, daemon, first.id)
    await untilNone(daemon)
    assert.deepEqual(await world.allowed(first.eif.value), { kms: true, app: true })
  }))

  test('somebody else executes what the key had sent first: what is behind its nonce goes on', inWorld({ open: true }, async (world) => {
    const other = await world.addRegistry({ generation: 2 })
    const daemon = world.daemon({ chain: { resend: '1s' }, targets: { first: world.target(byKey), second: world.target({ ...byKey, registry: other }) } })
    await daemon.start()
    const [first, second] = await scheduled(world, daemon, ['first', 'second'])
    const lost = loseAll(world)
    const snapshot = await world.chain.client.getTransactionCount({ address: people.executor.address })
    assert.equal(snapshot, 0)
    await world.passDelay()
    await until(() => new Set(world.rpc.calls.filter((c) => isSend(c.method)).map((c) => c.params[0])).size >= 2, { what: 'both sent' })
    // A stranger, with the file.
    for (const p of [first]) {
      const [to, data] = (await daemon.ctl(['export', p.id, '--format', 'calldata'])).stdout.trim().split(/\s+/)
      await world.chain.send({ from: people.stranger.address, to, data })
    }
    await daemon.untilState(first.id, ['executed', 'confirmed'])
    lost.left = 0
    await finished(world, daemon, second.id)
    await daemon.untilState(first.id, 'confirmed')
    assert.equal(await world.chain.client.getTransactionCount({ address: people.executor.address }), 1, 'one transaction, with the nonce that was free again')
    assert.equal((await daemon.alarms('execution-displaced')).length, 0)
    await untilNone(daemon)
  }))

  test('lost on its way, then too dear, then without money: a word at each step, and it arrives', inWorld({ open: true }, async (world) => {
    const { chain } = world
    const daemon = world.daemon({ chain: { resend: '500ms', max_fee_gwei: 5 }, target: byKey })
    const price = async (gwei) => { await chain.rpc('anvil_setNextBlockBaseFeePerGas', `0x${(BigInt(gwei) * 10n ** 9n).toString(16)}`); await chain.mine(1) }
    await daemon.start()
    const [p] = await scheduled(world, daemon, ['payments'])
    await chain.advance((await world.timelock.minDelay()) - 600)
    // Before anything is sent: the price is told once, however it moves, and it goes on by itself when it falls.
    await price(50)
    await chain.rpc('evm_increaseTime', '0x300')
    await price(60)
    const dear = await untilTrouble(daemon, 'not-executed', p.id)
    assert.match(dear.text, /gas price needed is over max_fee_gwei 5/)
    for (const gwei of [55, 70, 45]) await price(gwei)
    assert.equal(sends(world), 0)
    await again(daemon, dear)
    // Now it is sent, and gets lost; what is sent again costs more each time, until it would cost too much.
    const lost = loseAll(world)
    await price(1)
    await until(() => sends(world) > 0, { what: 'the first attempt' })
    await untilNone(daemon)
    const stuck = await until(async () => (await troubles(daemon)).find((t) => t.alarm === 'not-executed' && /nonce 0 is not mined/.test(t.text)), { what: 'the end of its means' })
    assert.match(stuck.text, /over max_fee_gwei 5 of the chain; it is handed on again as it is/)
    // Its account is emptied beside us.
    await chain.rpc('anvil_setBalance', people.executor.address, '0x1')
    await daemon.kill9()
    await daemon.start()
    await untilTrouble(daemon, 'not-executed', p.id)
    await chain.rpc('anvil_setBalance', people.executor.address, '0xde0b6b3a7640000')
    lost.left = 0
    await finished(world, daemon, p.id)
    await untilNone(daemon)
    assert.equal(await chain.client.getTransactionCount({ address: people.executor.address }), 1)
    assert.deepEqual(await world.allowed(p.eif.value), { kms: true, app: true })
  }))

  test('out of money while others execute it: the alarm ends with its cause', inWorld({ open: true }, async (world) => {
    const daemon = world.daemon({ target: byKey })
    await world.chain.rpc('anvil_setBalance', people.executor.address, '0x1')
    await daemon.start()
    const [p] = await scheduled(world, daemon, ['payments'])
    await world.passDelay()
    const trouble = await untilTrouble(daemon, 'executor-funds', people.executor.address)
    assert.equal(trouble.do, `send coin to ${people.executor.address}`)
    await again(daemon, trouble)
    const [to, data] = (await daemon.ctl(['export', p.id, '--format', 'calldata'])).stdout.trim().split(/\s+/)
    await world.chain.send({ from: people.stranger.address, to, data })
    await finished(world, daemon, p.id)
    await untilNone(daemon)
  }))

  test('signers change while nobody looks: told after the start, over when the threshold is as it was', inWorld({}, async (world) => {
    const daemon = world.daemon()
    const module = people.stranger.address
    await world.safe.admin('enableModule(address)', module)
    await daemon.start()
    const eif = world.drop()
    const { id } = await daemon.untilProposal(eif.value)
    const row = await daemon.untilQueued(id, 'schedule')
    for (const owner of people.owners.slice(0, 2)) await world.owners.confirm(row.safe_tx_hash, owner)
    await until(async () => (await daemon.proposal(id)).confirmations === 2, { what: 'both confirmations' })
    await daemon.stop()
    await world.safe.adminByModule(module, 'changeThreshold(uint256)', 3n)
    await daemon.start()
    const trouble = await untilTrouble(daemon, 'confirmations-lost', id)
    assert.match(trouble.text, /2 of 3/)
    assert.match(trouble.do, new RegExp(`other owners sign it.*registrarctl proposals ${id}`))
    await again(daemon, trouble)
    await world.safe.adminByModule(module, 'changeThreshold(uint256)', 2n)
    await untilNone(daemon)
    await world.carry(daemon, id)
    assert.deepEqual(await world.allowed(eif.value), { kms: true, app: true })
  }))
})

// --- the other models ---------------------------------------------------------------------------------------------------

const PROPOSER_ROLE = keccak256(toHex('PROPOSER_ROLE'))

/// In the timelock's own name, which administers its roles.
async function asTimelock(world, signature, ...args) {
  const from = world.timelock.address
  await world.chain.rpc('anvil_impersonateAccount', from)
  await world.chain.rpc('anvil_setBalance', from, '0xde0b6b3a7640000')
  return world.chain.write(from, from, `function ${signature}`, ...args)
}
const calldata = async (daemon, id) => (await daemon.ctl(['export', id, '--format', 'calldata'])).stdout.trim().split('\n').map((l) => l.split(' '))

describe('dead ends of the other models', { concurrency: 2 }, () => {
  const byEoa = { model: 'timelock', service: false, open: true }

  test('timelock: the account that schedules loses its role: said before it pays; given back, it schedules', inWorld({ ...byEoa, proposers: [people.outsider.address] }, async (world) => {
    const from = people.outsider.address
    const daemon = world.daemon({ target: { execute: 'manual' } })
    await daemon.start()
    const eif = world.drop()
    const { id } = await daemon.untilProposal(eif.value)
    await until(async () => (await daemon.proposal(id)).sender === from.toLowerCase(), { what: 'who has to send it' })
    await asTimelock(world, 'revokeRole(bytes32,address)', PROPOSER_ROLE, from)
    const trouble = await untilTrouble(daemon, 'cannot-run', id)
    assert.match(trouble.text, new RegExp(`what ${from} has to send cannot be executed as the chain stands: it reverts: .*AccessControlUnauthorizedAccount`, 'i'))
    await again(daemon, trouble)
    await world.chain.mine(3)
    await daemon.untilAlarm('role-changed', { text: /PROPOSER_ROLE/ })
    await asTimelock(world, 'grantRole(bytes32,address)', PROPOSER_ROLE, from)
    await untilNone(daemon)
    const [[to, data]] = await calldata(daemon, id)
    await world.chain.send({ from, to, data })
    await daemon.untilState(id, 'timelock')
    await world.passDelay()
    await daemon.untilState(id, 'execute')
    const [[, execute]] = await calldata(daemon, id)
    await world.chain.send({ from: people.stranger.address, to, data: execute })
    await finished(world, daemon, id)
    assert.deepEqual(await world.allowed(eif.value), { kms: true, app: true })
  }))

  test('timelock: the scheduler key has no money, then no role: each said, nothing sent; both given, it goes on by itself', inWorld({ ...byEoa, proposers: [people.outsider.address, people.scheduler.address] }, async (world) => {
    const daemon = world.daemon({ target: { ...byKey, scheduler: people.scheduler } })
    await daemon.start()
    const eif = world.drop()
    const { id } = await daemon.untilProposal(eif.value)
    await untilTrouble(daemon, 'executor-funds', people.scheduler.address)
    await asTimelock(world, 'revokeRole(bytes32,address)', PROPOSER_ROLE, people.scheduler.address)
    await world.chain.rpc('anvil_setBalance', people.scheduler.address, '0xde0b6b3a7640000')
    const trouble = await untilTrouble(daemon, 'not-executed', id)
    assert.match(trouble.text, /cannot be scheduled.*: the scheduler key does not have the timelock's PROPOSER_ROLE/)
    await again(daemon, trouble)
    assert.equal(sends(world), 0)
    await asTimelock(world, 'grantRole(bytes32,address)', PROPOSER_ROLE, people.scheduler.address)
    await daemon.untilState(id, 'timelock')
    await untilNone(daemon)
    await world.passDelay()
    await finished(world, daemon, id)
    assert.deepEqual(await world.allowed(eif.value), { kms: true, app: true })
  }))

  test('the Safe loses its role on the timelock: what is signed cannot run; given up by the one command, and asked for again', inWorld({}, async (world) => {
    const daemon = world.daemon()
    await daemon.start()
    const eif = world.drop()
    const { id } = await daemon.untilProposal(eif.value)
    const row = await daemon.untilQueued(id, 'schedule')
    await asTimelock(world, 'revokeRole(bytes32,address)', PROPOSER_ROLE, world.safe.address)
    for (const owner of people.owners.slice(0, 2)) await world.owners.confirm(row.safe_tx_hash, owner)
    const trouble = await untilTrouble(daemon, 'cannot-run', id)
    assert.match(trouble.text, /its schedule transaction with nonce \d+ cannot be executed.*AccessControlUnauthorizedAccount/)
    assert.match(trouble.do, new RegExp(`registrarctl withdraw ${id}`))
    await again(daemon, trouble)
    await daemon.ctl(['withdraw', id])
    await untilNone(daemon)
    await world.owners.approve((await daemon.untilQueued(id, 'reject')).safe_tx_hash)
    await world.chain.mine(3)
    await daemon.untilState(id, 'rejected')
    // While it lacks the role nothing is proposed; the command says why it came to nothing.
    await daemon.ctl(['approve', id])
    await daemon.untilMeasurement(eif.value, (m) => m.status === 'held' && /schedule from the Safe reverts: AccessControlUnauthorizedAccount/.test(m.reason))
    await asTimelock(world, 'grantRole(bytes32,address)', PROPOSER_ROLE, world.safe.address)
    await daemon.ctl(['approve', id])
    const next = await daemon.untilProposal(eif.value, { where: (p) => p.id !== id })
    await world.carry(daemon, next.id)
    assert.deepEqual(await world.allowed(eif.value), { kms: true, app: true })
    await untilNone(daemon)
  }))

  test('direct: the contracts get another owner: drafted again for it, by itself', inWorld({ model: 'direct', service: false, generation: 1 }, async (world) => {
    const daemon = world.daemon()
    await daemon.start()
    const eif = world.drop()
    const first = await daemon.untilProposal(eif.value)
    assert.equal(first.sender, people.deployer.address.toLowerCase())
    const snapshot = await world.chain.snapshot()
    for (const contract of [world.registry.kms, world.registry.app])
      await world.chain.write(people.deployer.address, contract, 'function transferOwnership(address)', people.spare.address)
    // Not before it is final: the old owner may be it again.
    await until(async () => (await daemon.alarms('cannot-run', first.id)).length === 1, { what: 'what the old owner has to send reverts' })
    assert.equal((await daemon.proposal(first.id)).state, 'drafted')
    await world.chain.revert(snapshot)
    await world.chain.mine(4)
    await untilNone(daemon)
    assert.equal((await daemon.proposals()).length, 1)
    for (const contract of [world.registry.kms, world.registry.app])
      await world.chain.write(people.deployer.address, contract, 'function transferOwnership(address)', people.spare.address)
    await world.chain.mine(3)
    await daemon.untilState(first.id, 'cancelled')
    const next = await daemon.untilProposal(eif.value, { where: (p) => p.state === 'drafted' })
    assert.equal(next.sender, people.spare.address.toLowerCase())
    await untilNone(daemon)
    for (const [to, data] of await calldata(daemon, next.id)) await world.chain.send({ from: people.spare.address, to, data })
    await finished(world, daemon, next.id)
    assert.deepEqual(await world.allowed(eif.value), { kms: true, app: true })
  }))

  test('delay: the module is disabled on the Safe while an entry waits: named; enabled again, it runs', inWorld({}, async (world) => {
    const sentinel = '0x0000000000000000000000000000000000000001'
    const daemon = world.daemon({ target: delayTarget(world, { execute: 'manual' }) })
    await daemon.start()
    const eif = world.drop()
    const { id } = await daemon.untilProposal(eif.value)
    await world.owners.approve((await daemon.untilQueued(id, 'schedule')).safe_tx_hash)
    await daemon.untilState(id, 'timelock')
    await world.avatar.admin('disableModule(address,address)', sentinel, world.delay.address)
    await daemon.untilAlarm('module-changed', { text: /does not obey any more/ })
    await world.chain.advance(world.cooldown + 5)
    await daemon.untilState(id, 'execute')
    const trouble = await untilTrouble(daemon, 'cannot-run', id)
    assert.match(trouble.text, /the operation cannot be executed as the chain stands/)
    await again(daemon, trouble)
    await world.avatar.admin('enableModule(address)', world.delay.address)
    await untilNone(daemon)
    const [[to, data]] = await calldata(daemon, id)
    await world.chain.send({ from: people.stranger.address, to, data, gas: 3_000_000 })
    await finished(world, daemon, id)
    assert.deepEqual(await world.allowed(eif.value), { kms: true, app: true })
  }, makeDelayWorld))

  test('delay: the module\'s owner passes over it: cancelled; the one command asks again', inWorld({}, async (world) => {
    const daemon = world.daemon({ target: delayTarget(world, { execute: 'manual' }) })
    await daemon.start()
    const eif = world.drop()
    const enqueue = async (id) => {
      await world.owners.approve((await daemon.untilQueued(id, 'schedule')).safe_tx_hash)
      await daemon.untilState(id, 'timelock')
    }
    const first = await daemon.untilProposal(eif.value)
    await enqueue(first.id)
    await world.delay.veto(1)
    await world.chain.mine(3)
    const alarm = await daemon.untilAlarm('cancelled', { subject: first.id })
    assert.ok(alarm.text.includes(`registrarctl approve ${first.id}`), alarm.text)
    await daemon.ctl(['approve', first.id])
    const { id } = await daemon.untilProposal(eif.value, { where: (p) => p.id !== first.id })
    await enqueue(id)
    await world.chain.advance(world.cooldown + 5)
    await daemon.untilState(id, 'execute')
    const [[to, data]] = await calldata(daemon, id)
    await world.chain.send({ from: people.stranger.address, to, data, gas: 3_000_000 })
    await finished(world, daemon, id)
    assert.deepEqual(await world.allowed(eif.value), { kms: true, app: true })
    await untilNone(daemon)
  }, makeDelayWorld))

  test('a module schedules what people have in their queue: followed, theirs is withdrawn, and the execution takes its nonce', inWorld({}, async (world) => {
    const daemon = world.daemon()
    await world.safe.admin('enableModule(address)', people.stranger.address)
    await daemon.start()
    const eif = world.drop()
    const { id } = await daemon.untilProposal(eif.value)
    const row = await daemon.untilQueued(id, 'schedule')
    const { tx } = await world.owners.read(row.safe_tx_hash)
    await world.safe.byModule(people.stranger.address, tx)
    await daemon.untilState(id, 'timelock')
    await world.chain.mine(3)
    await until(async () => (await daemon.proposal(id)).safe_txs[0].status === 'withdrawn', { what: 'what nobody can execute any more' })
    await world.passDelay()
    const execute = await daemon.untilQueued(id, 'execute')
    assert.equal(execute.nonce, row.nonce)
    await world.carryOn(daemon, id)
    assert.deepEqual(await world.allowed(eif.value), { kms: true, app: true })
    await untilNone(daemon)
  }))

  test('the registry gets other code while an approved operation waits: both said; repaired, it runs as it is', inWorld({ generation: 1 }, async (world) => {
    const { chain, registry } = world
    const daemon = world.daemon()
    await daemon.start()
    const [{ id, eif }] = await scheduled(world, daemon, ['payments'])
    await world.passDelay()
    const row = await daemon.untilQueued(id, 'execute')
    for (const owner of people.owners.slice(0, 2)) await world.owners.confirm(row.safe_tx_hash, owner)
    const closed = await chain.deploy(chain.contracts.Gen1KmsClosed.bytecode)
    await chain.rpc('anvil_impersonateAccount', world.timelock.address)
    await chain.rpc('anvil_setBalance', world.timelock.address, '0xde0b6b3a7640000')
    await chain.write(world.timelock.address, registry.kms, 'function upgradeToAndCall(address,bytes)', closed, '0x')
    const trouble = await untilTrouble(daemon, 'cannot-run', id)
    assert.match(trouble.text, /its execute transaction with nonce \d+ cannot be executed as the chain stands: it reverts: .*the registry is closed/)
    await chain.mine(3)
    const alarm = await daemon.untilAlarm('implementation-changed')
    assert.match(alarm.text.toLowerCase(), new RegExp(closed.toLowerCase()))
    await again(daemon, trouble)
    assert.equal((await daemon.alarms('implementation-changed')).length, 1)
    await chain.write(people.stranger.address, registry.kms, 'function open()')
    await untilNone(daemon)
    await world.owners.execute(row.safe_tx_hash)
    await finished(world, daemon, id)
    assert.deepEqual(await world.allowed(eif.value), { kms: true, app: true })
  }))

  // With gas fields of its own a Safe transaction does not revert as a whole: it fails, and spends its nonce.
  for (const [safeVersion, gas] of [['1.3.0', { safeTxGas: 300_000n }], ['1.5.0', { safeTxGas: 300_000n, gasPrice: 1n }]])
    test(`Safe ${safeVersion}: a schedule with ${Object.keys(gas).join(' and ')} is foreign; it fails and ours goes on, it works and is followed`, inWorld({ safeVersion, generation: 1 }, async (world) => {
      const daemon = world.daemon()
      await world.chain.rpc('anvil_setBalance', world.safe.address, '0xde0b6b3a7640000')
      await daemon.start()
      const theirs = makeEif(world.random)
      const { batch, id: operation } = batchOf(world.chain.chainId, world.timelock.address, callsFor(world.registry, theirs.value), 0)
      const schedule = (delay) => ({ to: world.timelock.address, data: world.timelock.encode('scheduleBatch', [...batch, BigInt(delay)]), ...gas })
      const failing = await world.owners.propose(schedule(1))
      const eif = world.drop()
      const { id } = await daemon.untilProposal(eif.value)
      const row = await daemon.untilQueued(id, 'schedule')
      const alarm = await daemon.untilAlarm('foreign', { text: new RegExp(failing) })
      assert.match(alarm.text, /with gas or refund fields that are not zero/)
      const receipt = await world.owners.approve(failing)
      assert.ok(receipt.logs.some((l) => l.topics[0] === keccak256(toHex('ExecutionFailure(bytes32,uint256)'))), 'it failed')
      assert.equal(Number(await world.safe.nonce()), row.nonce)
      await world.carry(daemon, id)
      assert.deepEqual(await world.allowed(eif.value), { kms: true, app: true })
      assert.deepEqual((await daemon.proposals()).map((p) => p.id), [id], 'nothing of it is followed')
      // The same again, and this time it works: what stands in the timelock is followed, whoever brought it there.
      const working = await world.owners.propose(schedule(await world.timelock.minDelay()))
      await world.owners.approve(working)
      const p = await daemon.untilProposal(theirs.value)
      assert.deepEqual([p.origin, p.operation_id], ['external', operation])
      await world.passDelay()
      await daemon.untilState(p.id, 'execute')
      await world.timelock.executeByHand({ batch })
      await finished(world, daemon, p.id)
      assert.deepEqual(await world.allowed(theirs.value), { kms: true, app: true })
    }))
})
