// Every way of governance, from a dropped build to `confirmed`: what is drafted, who has to do what, and that each state
// survives kill -9. The production way (safe+timelock) has main.test.mjs; here it stands on the older timelock.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { concatHex, decodeFunctionData, encodeFunctionData, encodePacked, getAddress, parseAbi, size } from 'viem'
import { timelockAbi } from '../harness/deploy.mjs'
import { batchOf, callsFor, checkDraftFiles, checkExecution, inOrder } from '../harness/opinion.mjs'
import { txBuilderChecksum } from '../harness/txbuilder.mjs'
import { makeWorld, people, until } from '../harness/world.mjs'

const inWorld = (options, fn) => async () => {
  const world = await makeWorld(options)
  try { await fn(world) } finally { await world.close() }
}

const multiSendAbi = parseAbi(['function multiSend(bytes transactions)'])

/// What a Safe sends for these calls, computed with viem: the call itself, or MultiSendCallOnly of its own release.
function applied(world, calls) {
  const list = inOrder(calls)
  if (list.length === 1) return { to: list[0].to, data: list[0].data, operation: 0 }
  const packed = concatHex(list.map((c) => encodePacked(['uint8', 'address', 'uint256', 'uint256', 'bytes'], [0, c.to, 0n, BigInt(size(c.data)), c.data])))
  return { to: world.release.multiSendCallOnly, data: encodeFunctionData({ abi: multiSendAbi, functionName: 'multiSend', args: [packed] }), operation: 1 }
}

/// Each state once, in this order.
const assertWay = (p, way) => assert.deepEqual(p.history.map((h) => h.to), way)

async function authorized(world, daemon, eif) {
  assert.deepEqual(await world.allowed(eif.value), { kms: true, app: world.registry.app ? true : undefined })
  for (const m of await daemon.untilMeasurement(eif.value, (x) => x.status === 'authorized')) assert.equal(m.pending, null)
  assert.equal((await daemon.ctl(['wait', eif.value, '--timeout', '5s'])).code, 0)
  assert.equal((await daemon.ctl(['log', '--verify'])).code, 0)
}

const again = async (daemon) => {
  await daemon.kill9()
  await daemon.start()
}

/// What lies in the drafts folder, by its last name.
const draft = (daemon, p, purpose, form) => readFileSync(join(daemon.stateDir, 'drafts', `${p.id}-${purpose}-1.${form}`), 'utf8')

// --- safe -----------------------------------------------------------------------------------------------------------

describe('model safe', { concurrency: 3 }, () => {
  const cases = [
    { name: '1.3.0 canonical, L2', safeVersion: '1.3.0' },
    { name: '1.3.0 canonical, L1, one call', safeVersion: '1.3.0', l2: false, app: false, generation: 1 },
    { name: '1.3.0 eip155, L2, no Multicall3', safeVersion: '1.3.0', safeDeployment: 'eip155', generation: 1, multicall: false },
    { name: '1.3.0 eip155, L1, by hand', safeVersion: '1.3.0', safeDeployment: 'eip155', l2: false, service: false },
    { name: '1.4.1, L2, one call', safeVersion: '1.4.1', app: false },
    { name: '1.4.1, L1', safeVersion: '1.4.1', l2: false, generation: 1 },
    { name: '1.5.0, L2', safeVersion: '1.5.0', generation: 1 },
    { name: '1.5.0, L1', safeVersion: '1.5.0', l2: false },
    { name: '1.5.0, L2, one call, by hand', safeVersion: '1.5.0', app: false, service: false },
  ]
  for (const { name, ...options } of cases) test(`Safe ${name}`, inWorld({ model: 'safe', ...options }, walkSafe))

  test('the signers use the nonce for an empty transaction: rejected, and approve brings it back', inWorld({ model: 'safe' }, async (world) => {
    const daemon = world.daemon({ target: { batch: { quiet: '1s' } } })
    await daemon.start()
    const eif = world.drop()
    let p = await daemon.untilProposal(eif.value)
    const row = await daemon.untilQueued(p.id, 'apply')
    await world.owners.reject(row.safe_tx_hash)
    assert.equal((await daemon.proposal(p.id)).state, 'multisig', 'not before finality')
    await again(daemon)
    await world.chain.mine(3)
    p = await daemon.untilState(p.id, 'rejected')
    assert.equal(p.safe_txs[0].status, 'replaced')
    await daemon.untilMeasurement(eif.value, (m) => m.status === 'held')
    for (const m of await daemon.measurements(eif.value)) await daemon.ctl(['approve', m.id])
    const second = await daemon.untilProposal(eif.value, { where: (x) => x.id !== p.id })
    const next = await daemon.untilQueued(second.id, 'apply')
    assert.equal(next.nonce, row.nonce + 1)
    await world.owners.approve(next.safe_tx_hash)
    await daemon.untilState(second.id, ['executed', 'confirmed'])
    await world.chain.mine(3)
    await daemon.untilState(second.id, 'confirmed')
    await authorized(world, daemon, eif)
  }))

  test('executed, and the contract has forgotten it at finality: failed; repaired, its one command brings it there; forgotten later, too', inWorld({ model: 'safe', app: false, kmsContract: 'Gen2KmsForgetting' }, async (world) => {
    const daemon = world.daemon()
    await daemon.start()
    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    await world.owners.approve((await daemon.untilQueued(p.id, 'apply')).safe_tx_hash)
    await daemon.untilState(p.id, 'executed')
    await again(daemon)
    await world.chain.mine(3)
    await daemon.untilState(p.id, 'failed')
    const alarm = await daemon.untilAlarm('failed', { subject: p.id })
    await daemon.untilMeasurement(eif.value, (m) => m.status === 'held')
    // Its owner gives the contract its memory back; the command is the one that the alarm names.
    const { chain } = world
    await chain.rpc('anvil_impersonateAccount', world.safe.address)
    await chain.rpc('anvil_setBalance', world.safe.address, '0xde0b6b3a7640000')
    const upgrade = async (name, then = '0x') => {
      await chain.write(world.safe.address, world.registry.kms, 'function upgradeToAndCall(address,bytes)', await chain.deploy(chain.contracts[name].bytecode), then)
      await chain.mine(3)
    }
    const approved = async ({ text }, id) => {
      const known = (await daemon.proposals()).map((x) => x.id)
      const command = text.match(/`registrarctl ([^`]+)`/)[1]
      assert.equal(command, `approve ${id}`)
      assert.equal((await daemon.ctl(command.split(' '))).code, 0)
      const next = await daemon.untilProposal(eif.value, { where: (x) => !known.includes(x.id) })
      await world.owners.approve((await daemon.untilQueued(next.id, 'apply')).safe_tx_hash)
      await daemon.untilState(next.id, ['executed', 'confirmed'])
      await chain.mine(3)
      await daemon.untilState(next.id, 'confirmed')
      await authorized(world, daemon, eif)
    }
    await upgrade('Gen2Kms')
    await daemon.untilAlarm('implementation-changed')
    assert.deepEqual((await daemon.proposals()).map((x) => x.id), [p.id], 'nothing comes back by itself')
    await approved(alarm, p.id)
    assert.equal((await daemon.proposal(p.id)).state, 'failed')
    // What other code forgets without an event is asked for, and not called authorized any more.
    await upgrade('Gen2KmsForgetting', encodeFunctionData({ abi: parseAbi(['function forget(bytes32)']), functionName: 'forget', args: [eif.value] }))
    const [m] = await daemon.measurements(eif.value)
    const lost = await daemon.untilAlarm('code-contradicts', { subject: m.id })
    await daemon.untilMeasurement(eif.value, (x) => x.status === 'held')
    await again(daemon)
    await upgrade('Gen2Kms')
    await approved(lost, m.id)
    assert.equal((await daemon.alarms('code-contradicts')).length, 1)
  }))

  test('a reorganisation takes the execution back: multisig again, and executed again', inWorld({ model: 'safe' }, async (world) => {
    const daemon = world.daemon()
    await daemon.start()
    const eif = world.drop()
    let p = await daemon.untilProposal(eif.value)
    const row = await daemon.untilQueued(p.id, 'apply')
    const before = await world.chain.snapshot()
    await world.owners.approve(row.safe_tx_hash)
    await daemon.untilState(p.id, 'executed')
    await world.chain.revert(before)
    await world.chain.mine(2)
    p = await daemon.untilState(p.id, 'multisig')
    await world.owners.execute(row.safe_tx_hash)
    await daemon.untilState(p.id, ['executed', 'confirmed'])
    await world.chain.mine(3)
    assertWay(await daemon.untilState(p.id, 'confirmed'), ['drafted', 'multisig', 'executed', 'multisig', 'executed', 'confirmed'])
    assert.equal(world.service.posts().length, 1)
  }))

  test('without the known MultiSendCallOnly nothing is drafted: not there, then other code, then repaired', inWorld({ model: 'safe' }, async (world) => {
    const { chain } = world, at = world.release.multiSendCallOnly
    const code = await chain.rpc('eth_getCode', at, 'latest')
    await chain.rpc('anvil_setCode', at, '0x')
    const daemon = world.daemon({ target: { batch: { quiet: '1s' } } })
    await daemon.start()
    const eif = world.drop()
    await daemon.untilMeasurement(eif.value, (m) => m.status === 'held' && /MultiSendCallOnly 1\.4\.1 stands at none/.test(m.reason))
    await daemon.untilAlarm('multisend', { text: /none of its addresses/ })
    await chain.rpc('anvil_setCode', at, `${code}00`)
    for (const m of await daemon.measurements(eif.value)) await daemon.ctl(['approve', m.id])
    await daemon.untilMeasurement(eif.value, (m) => m.status === 'held' && /is not that of MultiSendCallOnly/.test(m.reason))
    await daemon.untilAlarm('multisend', { text: /would delegatecall/ })
    assert.equal((await daemon.proposals()).length, 0)
    assert.equal(world.service.posts().length, 0)
    await chain.rpc('anvil_setCode', at, code)
    for (const m of await daemon.measurements(eif.value)) await daemon.ctl(['approve', m.id])
    await daemon.untilQueued((await daemon.untilProposal(eif.value)).id, 'apply')
  }))

  test('what others put into the queue in these forms is taken over; only what is missing is asked for', inWorld({ model: 'safe' }, async (world) => {
    const whole = world.drop(), half = world.drop()
    const hash = await world.owners.propose(applied(world, callsFor(world.registry, whole.value)))
    const [addKms, addApp] = callsFor(world.registry, half.value)
    const single = await world.owners.propose({ to: addKms.to, data: addKms.data, nonce: (await world.safe.nonce()) + 1n })
    const daemon = world.daemon()
    await daemon.start()
    const p = await daemon.untilProposal(whole.value)
    assert.equal((await daemon.untilQueued(p.id, 'apply')).safe_tx_hash, hash)
    assert.equal(p.origin, 'external')
    const [theirs, ours] = await until(async () => {
      const list = (await daemon.proposals()).filter((x) => x.calls.some((c) => c.value === half.value))
      return list.length === 2 && list.sort((a, b) => (a.origin < b.origin ? -1 : 1))
    }, { what: 'both halves' })
    assert.deepEqual([theirs.origin, ours.origin], ['external', 'registrard'])
    assert.equal((await daemon.untilQueued(theirs.id, 'apply')).safe_tx_hash, single)
    const row = await daemon.untilQueued(ours.id, 'apply')
    assert.deepEqual(ours.calls.map((c) => c.data), [addApp.data])
    const senders = (h) => world.service.transactions.get(h).posts.map((x) => x.sender)
    assert.deepEqual([hash, single, row.safe_tx_hash].map(senders), [[people.owners[0].address], [people.owners[0].address], [people.proposer.address]])
    for (const h of [hash, single, row.safe_tx_hash]) await world.owners.approve(h)
    for (const x of [p, theirs, ours]) await daemon.untilState(x.id, ['executed', 'confirmed'])
    await world.chain.mine(3)
    for (const x of [p, theirs, ours]) await daemon.untilState(x.id, 'confirmed')
    for (const eif of [whole, half]) await authorized(world, daemon, eif)
  }))
})

async function walkSafe(world) {
  const { chain, safe, service } = world
  const daemon = world.daemon()
  await daemon.start()
  const eif = world.drop('payments', { nitro: true })
  let p = await daemon.untilProposal(eif.value)
  await again(daemon)
  const calls = callsFor(world.registry, eif.value), tx = applied(world, calls)
  assert.deepEqual([p.operation_id, p.ready_at], [null, null])
  assert.equal(p.safe.toLowerCase(), safe.address.toLowerCase())

  // The file holds the single calls: the app puts them together by itself, in the same way.
  const file = JSON.parse(draft(daemon, p, 'apply', 'json'))
  assert.equal(file.meta.checksum, txBuilderChecksum(file))
  assert.deepEqual(file.transactions.map((t) => [getAddress(t.to), Object.values(t.contractInputsValues)]), inOrder(calls).map((c) => [c.to, [eif.value]]))
  assert.equal((await daemon.ctl(['export', p.id, '--format', 'calldata'])).stdout.trim().split(/\s+/).at(-1), tx.data)

  let executed
  if (service) {
    const row = await daemon.untilQueued(p.id, 'apply')
    p = await daemon.untilState(p.id, 'multisig')
    await again(daemon)
    const record = service.transactions.get(row.safe_tx_hash)
    assert.deepEqual([record.tx.to, record.tx.data, record.tx.operation, record.tx.value, record.tx.safeTxGas], [tx.to, tx.data, tx.operation, 0n, 0n])
    assert.equal(await safe.hash(record.tx), row.safe_tx_hash)
    assert.equal(record.posts[0].signature, await safe.sign(people.proposer, record.tx))
    assert.ok(record.origin.includes(eif.value.slice(2, 10)), record.origin)
    executed = (await world.owners.approve(row.safe_tx_hash)).transactionHash
  } else {
    executed = (await safe.byHand(tx)).receipt.transactionHash
  }
  p = await daemon.untilState(p.id, 'executed')
  assert.equal(p.history.at(-1).tx, executed)
  await again(daemon)
  assert.equal((await daemon.proposal(p.id)).state, 'executed', 'not before finality')
  await chain.mine(3)
  p = await daemon.untilState(p.id, 'confirmed')
  assertWay(p, service ? ['drafted', 'multisig', 'executed', 'confirmed'] : ['drafted', 'executed', 'confirmed'])
  assert.equal(p.safe_txs[0].status, 'executed')
  await authorized(world, daemon, eif)
  if (service) assert.equal(service.posts().length, 1, 'posted once, through three kills')
  const doctor = await daemon.ctl(['doctor', '--json'], { ok: false })
  assert.deepEqual(doctor.json.filter((r) => r.result === 'failure'), [])
}

// --- timelock -------------------------------------------------------------------------------------------------------

const byEoa = { model: 'timelock', proposers: [people.outsider.address], service: false }

describe('model timelock', { concurrency: 3 }, () => {
  for (const timelockVersion of ['4.9', '5'])
    for (const execute of ['manual', 'direct'])
      test(`TimelockController ${timelockVersion}, ${execute}`,
        inWorld({ ...byEoa, timelockVersion, generation: timelockVersion === '5' ? 2 : 1, executors: [people.executor.address] }, (world) => walkTimelock(world, { execute })))

  for (const timelockVersion of ['4.9', '5'])
    test(`TimelockController ${timelockVersion}, open executor, with the scheduler key`,
      inWorld({ ...byEoa, timelockVersion, proposers: [people.outsider.address, people.scheduler.address], open: true }, (world) => walkTimelock(world, { execute: 'direct', scheduler: people.scheduler })))

  test('a scheduler key that could also execute is refused', inWorld({ ...byEoa, generation: 1, proposers: [people.scheduler.address], executors: [people.scheduler.address] }, async (world) => {
    await world.chain.rpc('anvil_setBalance', people.scheduler.address, '0xde0b6b3a7640000')
    const daemon = world.daemon({ target: { scheduler: people.scheduler } })
    await daemon.start()
    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    await daemon.untilAlarm('not-executed', { subject: p.id, text: /scheduler key also has the timelock's EXECUTOR_ROLE/ })
    assert.equal((await daemon.proposal(p.id)).state, 'drafted')
    const doctor = await daemon.ctl(['doctor', '--json'], { ok: false })
    assert.ok(doctor.json.some((r) => r.check === 'scheduler key' && r.result === 'failure'), doctor.stdout)
    // People can do it with the file all the same.
  }))

  const withScheduler = { ...byEoa, generation: 1, proposers: [people.outsider.address, people.scheduler.address], open: true }
  const fund = (world) => world.chain.rpc('anvil_setBalance', people.scheduler.address, '0xde0b6b3a7640000')

  for (const how of ['before', 'after'])
    test(`killed ${how} the schedule is sent: scheduled once`, inWorld(withScheduler, async (world) => {
      await fund(world)
      const daemon = world.daemon({ chain: { resend: '500ms' }, target: { scheduler: people.scheduler, execute: 'manual' } })
      const fault = world.rpc.fault({ match: (method) => method === 'eth_sendRawTransaction', times: 1, drop: how, then: () => daemon.kill9() })
      await daemon.start()
      const eif = world.drop()
      await until(() => fault.hits === 1 && !daemon.running, { every: 5, what: 'the kill' })
      await daemon.start()
      const p = await daemon.untilProposal(eif.value)
      await daemon.untilState(p.id, 'timelock')
      await world.chain.mine(3)
      assert.equal(await world.chain.client.getTransactionCount({ address: people.scheduler.address }), 1)
    }))

  test('a scheduler key without money says what it needs; what is held meanwhile is not scheduled', inWorld(withScheduler, async (world) => {
    const daemon = world.daemon({ target: { scheduler: people.scheduler, execute: 'manual', batch: { quiet: '1s' } } })
    await daemon.start()
    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    await daemon.untilAlarm('executor-funds', { text: /the scheduler key of target payments has 0\.0 of the coin/ })
    const [first] = await daemon.measurements(eif.value)
    await daemon.ctl(['hold', first.id])
    await fund(world)
    await world.chain.mine(2)
    await daemon.stop()
    await daemon.start()
    await world.chain.mine(2)
    assert.equal((await daemon.proposal(p.id)).state, 'drafted')
    assert.equal(await world.chain.client.getTransactionCount({ address: people.scheduler.address }), 0)
    await daemon.ctl(['approve', first.id])
    await daemon.untilState(p.id, 'timelock')
  }))

  test('cancelled by its proposer: cancelled; approve drafts another attempt', inWorld({ ...byEoa, generation: 1 }, async (world) => {
    const daemon = world.daemon({ target: { batch: { quiet: '1s' } } })
    await daemon.start()
    const eif = world.drop()
    let p = await daemon.untilProposal(eif.value)
    const { id } = await scheduleFromFile(world, daemon, p)
    await daemon.untilState(p.id, 'timelock')
    await world.chain.send({ from: people.outsider.address, to: world.timelock.address, data: world.timelock.encode('cancel', [id]) })
    await again(daemon)
    await world.chain.mine(3)
    p = await daemon.untilState(p.id, 'cancelled')
    await daemon.untilMeasurement(eif.value, (m) => m.status === 'held')
    for (const m of await daemon.measurements(eif.value)) await daemon.ctl(['approve', m.id])
    const second = await daemon.untilProposal(eif.value, { where: (x) => x.id !== p.id })
    assert.equal(second.operation_id, p.operation_id, 'the timelock has forgotten the first')
    await scheduleFromFile(world, daemon, second)
    await daemon.untilState(second.id, 'timelock')
  }))

  for (const [timelockVersion, reason] of [['5', /TimelockUnexpectedOperationState|AccessControlUnauthorizedAccount/], ['4.9', /AccessControl: account 0x[0-9a-f]{40} is missing role 0x/]])
    test(`TimelockController ${timelockVersion}: why a schedule reverts is told in words`, inWorld({ timelockVersion, generation: 1, proposers: [people.outsider.address] }, async (world) => {
      const daemon = world.daemon() // model safe+timelock, whose Safe lacks the role
      await daemon.start()
      const eif = world.drop()
      await daemon.untilMeasurement(eif.value, (m) => m.status === 'held' && reason.test(m.reason))
      await daemon.untilAlarm('simulation-reverts', { text: reason })
    }))
})

/// What its proposer does with the drafted file: exactly the calldata in it, from the account that the note names.
async function scheduleFromFile(world, daemon, p, from = people.outsider.address) {
  const calldata = draft(daemon, p, 'schedule', 'calldata')
  const [to, data] = calldata.trim().split(' ')
  assert.equal(getAddress(to), world.timelock.address)
  const { functionName, args } = decodeFunctionData({ abi: timelockAbi, data })
  assert.equal(functionName, 'scheduleBatch')
  assert.equal(Number(args[5]), await world.timelock.minDelay())
  const { batch, id } = batchOf(world.chain.chainId, world.timelock.address, p.calls, 0)
  assert.deepEqual(args.slice(0, 5), batch)
  assert.equal(p.operation_id, id)
  // Who has the role is read from the timelock's history, which may come after the draft.
  await until(async () => (await daemon.proposal(p.id)).sender === from.toLowerCase(), { what: 'who has to send it' })
  const cast = (await daemon.ctl(['export', p.id, '--format', 'cast'])).stdout
  assert.match(cast, /^# to be sent by the timelock's proposer 0x/)
  assert.ok(cast.includes(`--from ${getAddress(from)}`), cast)
  const receipt = await world.chain.send({ from, to, data })
  return { id, batch, receipt }
}

async function walkTimelock(world, { execute, scheduler }) {
  const { chain, timelock } = world
  const sender = scheduler ?? people.outsider, before = await chain.client.getTransactionCount({ address: sender.address })
  if (scheduler) await chain.rpc('anvil_setBalance', scheduler.address, '0xde0b6b3a7640000')
  const daemon = world.daemon({ target: { execute, scheduler, executor: execute === 'direct' ? people.executor : undefined } })
  await daemon.start()
  const eif = world.drop()
  let p = await daemon.untilProposal(eif.value)
  await again(daemon)
  assert.deepEqual([p.safe, p.safe_txs], [null, []])
  const { batch, id } = batchOf(chain.chainId, timelock.address, p.calls, 0)
  let scheduled
  if (scheduler) {
    p = await daemon.untilState(p.id, 'timelock')
    scheduled = p.history.at(-1).tx
    const tx = await chain.client.getTransaction({ hash: scheduled })
    assert.deepEqual([tx.type, getAddress(tx.from), getAddress(tx.to), tx.value, tx.input],
      ['eip1559', scheduler.address, timelock.address, 0n, encodeFunctionData({ abi: timelockAbi, functionName: 'scheduleBatch', args: [...batch, BigInt(await timelock.minDelay())] })])
  } else {
    scheduled = (await scheduleFromFile(world, daemon, p)).receipt.transactionHash
    p = await daemon.untilState(p.id, 'timelock')
  }
  assert.equal(p.history.find((h) => h.to === 'timelock').tx, scheduled)
  assert.equal(Date.parse(p.ready_at) / 1000, await timelock.timestamp(id))
  await again(daemon)
  await world.passDelay()
  if (execute === 'manual') {
    p = await daemon.untilState(p.id, 'execute')
    await again(daemon)
    const [to, data] = (await until(() => { try { return draft(daemon, p, 'execute', 'calldata') } catch { return null } }, { what: 'the file' })).trim().split(' ')
    assert.equal(getAddress(to), timelock.address)
    assert.equal(data, encodeFunctionData({ abi: timelockAbi, functionName: 'executeBatch', args: batch }))
    await chain.send({ from: people.executor.address, to, data })
  }
  p = await daemon.untilState(p.id, ['executed', 'confirmed'])
  if (execute === 'direct') await checkExecution(world, p.history.find((h) => h.to === 'executed').tx, { batch, executor: people.executor })
  await again(daemon)
  await chain.mine(3)
  p = await daemon.untilState(p.id, 'confirmed')
  const states = p.history.map((h) => h.to)
  assert.deepEqual(states, ['drafted', 'timelock', 'execute', 'executed', 'confirmed'].filter((s) => states.includes(s)))
  await authorized(world, daemon, eif)
  assert.equal((await chain.client.getTransactionCount({ address: sender.address })) - before, 1, 'scheduled once, through the kills')
  const doctor = await daemon.ctl(['doctor', '--json'], { ok: false })
  assert.deepEqual(doctor.json.filter((r) => r.result === 'failure'), [])
}

// --- direct ---------------------------------------------------------------------------------------------------------

describe('model direct', { concurrency: 3 }, () => {
  for (const generation of [1, 2])
    test(`generation ${generation}: the owner sends call by call`, inWorld({ model: 'direct', generation, service: false }, async (world) => {
      const { chain } = world, owner = people.deployer.address
      const daemon = world.daemon()
      await daemon.start()
      const eif = world.drop()
      let p = await daemon.untilProposal(eif.value)
      await again(daemon)
      assert.deepEqual([p.safe, p.operation_id, p.safe_txs, p.sender], [null, null, [], owner.toLowerCase()])
      const want = inOrder(callsFor(world.registry, eif.value))
      const lines = draft(daemon, p, 'apply', 'calldata').trim().split('\n').map((l) => l.split(' '))
      assert.deepEqual(lines.map(([to, data]) => [getAddress(to), data]), want.map((c) => [c.to, c.data]))
      const cast = draft(daemon, p, 'apply', 'cast')
      assert.match(cast, /^# to be sent by the contract's owner 0x[0-9a-fA-F]{40}, each in its own transaction/)
      assert.equal(cast.match(/^cast send /gm).length, 2)

      const first = await chain.send({ from: owner, to: lines[0][0], data: lines[0][1] })
      p = await until(async () => { const x = await daemon.proposal(p.id); return x.calls[0].tx && x }, { what: 'the first call' })
      assert.deepEqual([p.state, p.calls.map((c) => c.tx)], ['drafted', [first.transactionHash, null]])
      await again(daemon)
      const second = await chain.send({ from: owner, to: lines[1][0], data: lines[1][1] })
      p = await daemon.untilState(p.id, 'executed')
      assert.equal(p.history.at(-1).tx, second.transactionHash)
      await again(daemon)
      await chain.mine(3)
      p = await daemon.untilState(p.id, 'confirmed')
      assertWay(p, ['drafted', 'executed', 'confirmed'])
      await authorized(world, daemon, eif)
    }))

  test('a reorganisation takes one of the calls back: drafted again', inWorld({ model: 'direct', service: false }, async (world) => {
    const { chain } = world, owner = people.deployer.address
    const daemon = world.daemon()
    await daemon.start()
    const eif = world.drop()
    let p = await daemon.untilProposal(eif.value)
    const send = (c) => chain.send({ from: owner, to: c.to, data: c.data })
    await send(p.calls[0])
    const before = await chain.snapshot()
    await send(p.calls[1])
    await daemon.untilState(p.id, 'executed')
    await chain.revert(before)
    await chain.mine(2)
    p = await daemon.untilState(p.id, 'drafted')
    await send(p.calls[1])
    await daemon.untilState(p.id, ['executed', 'confirmed'])
    await chain.mine(3)
    assertWay(await daemon.untilState(p.id, 'confirmed'), ['drafted', 'executed', 'drafted', 'executed', 'confirmed'])
  }))

  test('two owners: a proposal for each', inWorld({ model: 'direct', service: false, generation: 1 }, async (world) => {
    await world.chain.write(people.deployer.address, world.registry.app, 'function transferOwnership(address)', people.spare.address)
    const daemon = world.daemon()
    await daemon.start()
    const eif = world.drop()
    const two = await until(async () => { const list = await daemon.proposals(); return list.length === 2 && list }, { what: 'two proposals' })
    assert.deepEqual(two.map((p) => [p.calls.map((c) => c.kind), p.sender]).sort(),
      [[['compose'], people.spare.address.toLowerCase()], [['os-image'], people.deployer.address.toLowerCase()]])
    for (const p of two) await world.chain.send({ from: p.sender, to: p.calls[0].to, data: p.calls[0].data })
    for (const p of two) await daemon.untilState(p.id, ['executed', 'confirmed'])
    await world.chain.mine(3)
    for (const p of two) await daemon.untilState(p.id, 'confirmed')
    await authorized(world, daemon, eif)
  }))
})

// --- safe+timelock on the older timelock, batches ----------------------------------------------------------------------

describe('batches', { concurrency: 2 }, () => {
  for (const timelockVersion of ['4.9', '5'])
    test(`safe+timelock, Safe 1.5.0, TimelockController ${timelockVersion}: several values in one batch`, inWorld({ timelockVersion, safeVersion: '1.5.0' }, async (world) => {
      const daemon = world.daemon({ target: { batch: { quiet: '1s' } } })
      const images = [world.drop(), world.drop(), world.drop()]
      await daemon.start()
      const p = await daemon.untilProposal(images[2].value)
      assert.equal(p.calls.length, 6)
      const { id, batch } = batchOf(world.chain.chainId, world.timelock.address, images.flatMap((e) => callsFor(world.registry, e.value)), 0)
      assert.equal(p.operation_id, id)
      const delay = await world.timelock.minDelay()
      checkDraftFiles(world, daemon, p, 'schedule', { to: world.timelock.address, data: encodeFunctionData({ abi: timelockAbi, functionName: 'scheduleBatch', args: [...batch, BigInt(delay)] }) })
      await world.carry(daemon, p.id)
      for (const eif of images) await authorized(world, daemon, eif)
    }))

  /// What the people of each model do with a proposal, from its draft to its execution.
  const carry = {
    safe: async (world, daemon, p) => world.owners.approve((await daemon.untilQueued(p.id, 'apply')).safe_tx_hash),
    'safe+timelock': (world, daemon, p) => world.carry(daemon, p.id),
    direct: async (world, daemon, p) => {
      for (const c of p.calls) await world.chain.send({ from: people.deployer.address, to: c.to, data: c.data })
    },
    timelock: async (world, daemon, p) => {
      const { batch } = await scheduleFromFile(world, daemon, p)
      await daemon.untilState(p.id, 'timelock')
      await world.passDelay()
      await daemon.untilState(p.id, 'execute')
      await world.chain.send({ from: people.executor.address, to: world.timelock.address, data: encodeFunctionData({ abi: timelockAbi, functionName: 'executeBatch', args: batch }) })
    },
  }
  for (const [model, options] of Object.entries({ safe: {}, 'safe+timelock': {}, direct: { service: false }, timelock: { ...byEoa, open: true } }))
    test(`${model}: additions and removals of several values in one proposal`, inWorld({ model, generation: 1, ...options }, async (world) => {
      const daemon = world.daemon({ target: { batch: { quiet: '4s' } } })
      const old = world.drop(), adds = callsFor(world.registry, old.value)
      if (model === 'direct') for (const c of adds) await world.chain.send({ from: people.deployer.address, to: c.to, data: c.data })
      else if (model === 'safe') for (const { to, data } of adds) await world.safe.byHand({ to, data })
      else await world.timelock.runByHand(adds)
      await world.chain.mine(3)
      await daemon.start()
      await daemon.untilMeasurement(old.value, (m) => m.status === 'authorized')
      const next = world.drop(), other = world.drop()
      for (const eif of [next, other]) await daemon.untilMeasurement(eif.value, () => true)
      await daemon.ctl(['revoke', old.value, '--target', 'payments', '--replace', next.value])
      let p = await daemon.untilProposal(other.value)
      const want = [...callsFor(world.registry, old.value, 'remove'), ...[next, other].flatMap((e) => callsFor(world.registry, e.value))]
      const plain = (c) => [c.action, c.to.toLowerCase(), c.data]
      assert.deepEqual(p.calls.map(plain), inOrder(want).map(plain), 'one batch, removals first')
      await carry[model](world, daemon, p)
      await daemon.untilState(p.id, ['executed', 'confirmed'])
      await world.chain.mine(3)
      p = await daemon.untilState(p.id, 'confirmed')
      assert.equal((await daemon.proposals()).length, 1)
      assert.deepEqual(await world.allowed(old.value), { kms: false, app: false })
      for (const m of await daemon.untilMeasurement(old.value, (x) => x.status === 'revoked')) assert.equal(m.wanted, 'absent')
      for (const eif of [next, other]) await authorized(world, daemon, eif)
    }))

  test('split at max_calls, a value never parted', inWorld({ model: 'safe' }, async (world) => {
    const daemon = world.daemon({ target: { batch: { quiet: '1s', max_calls: 5 } } })
    const images = Array.from({ length: 5 }, () => world.drop())
    await daemon.start()
    const list = await until(async () => { const l = await daemon.proposals(); return l.flatMap((p) => p.calls).length === 10 && l }, { what: 'every call' })
    assert.deepEqual(list.map((p) => p.calls.length).sort(), [2, 4, 4])
    for (const eif of images) assert.equal(list.filter((p) => p.calls.some((c) => c.value === eif.value)).length, 1)
  }))

  for (const model of ['safe', 'safe+timelock'])
    test(`${model}: split at half the block's gas, and every part is executed in such blocks`, inWorld({ model, blockGas: 2_000_000 }, async (world) => {
      const { chain } = world, half = 1_000_000n
      const daemon = world.daemon({ target: { batch: { quiet: '1s', max_calls: 40 } } })
      const images = Array.from({ length: 10 }, () => world.drop())
      await daemon.start()
      const list = await until(async () => { const l = await daemon.proposals(); return l.flatMap((p) => p.calls).length === 20 && l }, { what: 'every call' })
      assert.ok(list.length > 1, 'one batch of twenty calls does not fit')
      assert.ok(list.length < 10, 'not each value alone')
      for (const p of list.sort((a, b) => Number(a.id.slice(1)) - Number(b.id.slice(1)))) {
        const purpose = model === 'safe' ? 'apply' : 'schedule'
        const receipt = await world.owners.approve((await daemon.untilQueued(p.id, purpose)).safe_tx_hash)
        assert.ok(receipt.gasUsed < half, `${receipt.gasUsed}`)
        assert.ok(receipt.gasUsed > half / 10n, `deliberately high, not absurd: ${receipt.gasUsed}`)
      }
      if (model === 'safe+timelock') {
        for (const p of list) await daemon.untilState(p.id, 'timelock')
        await world.passDelay()
        const rows = []
        for (const p of list) rows.push(await daemon.untilQueued(p.id, 'execute'))
        for (const row of rows.sort((a, b) => a.nonce - b.nonce)) {
          const receipt = await world.owners.approve(row.safe_tx_hash)
          assert.ok(receipt.gasUsed < half, `${receipt.gasUsed}`)
        }
      }
      for (const p of list) await daemon.untilState(p.id, ['executed', 'confirmed'])
      await chain.mine(3)
      for (const p of list) await daemon.untilState(p.id, 'confirmed')
      for (const eif of images) assert.deepEqual(await world.allowed(eif.value), { kms: true, app: true })
    }))

  test('a value that fits into no block is held with the numbers', inWorld({ blockGas: 400_000 }, async (world) => {
    const daemon = world.daemon()
    await daemon.start()
    const eif = world.drop()
    await daemon.untilMeasurement(eif.value, (m) => m.status === 'held' && /too much gas: up to \d+, and a block of the chain takes 400000/.test(m.reason))
    await daemon.untilAlarm('too-much-gas')
  }))
})
