// Every dead end a proposal can run into: it is named by an alarm of the runbook, and one command (or what people do
// to the chain) brings the value to `confirmed` all the same.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { encodeFunctionData, parseAbi } from 'viem'
import { callsFor, checkProposal, checkSafeTx } from '../harness/opinion.mjs'
import { makeWorld, people, until } from '../harness/world.mjs'

const GUARD_SLOT = '0x4a204f620c8c5ccdca3fd54d003badd85ba500436a431f0cbda4f558c93c34c8' // keccak256("guard_manager.guard.address")
const guardArtifact = createRequire(import.meta.url)('@safe-global/safe-smart-account/build/artifacts/contracts/examples/guards/OnlyOwnersGuard.sol/OnlyOwnersGuard.json')

const inWorld = (options, fn, settings = {}) => async () => {
  const world = await makeWorld(options)
  const more = typeof settings === 'function' ? settings(world) : settings
  const daemon = world.daemon(more)
  try { await fn(world, daemon) } finally { await world.close() }
}

/// Dropped, drafted and in the queue.
async function queued(world, daemon) {
  await daemon.start()
  const eif = world.drop()
  const p = await daemon.untilProposal(eif.value)
  return { eif, id: p.id, row: await daemon.untilQueued(p.id, 'schedule') }
}

/// On to its ready time.
async function ready(world, daemon) {
  const made = await queued(world, daemon)
  await world.owners.approve(made.row.safe_tx_hash)
  await daemon.untilState(made.id, 'timelock')
  await world.passDelay()
  return made
}

/// An operation that raises the timelock's own delay, ready to be executed by anybody.
async function scheduleRaise(world, seconds) {
  const data = encodeFunctionData({ abi: parseAbi(['function updateDelay(uint256)']), args: [BigInt(seconds)] })
  const raise = await world.timelock.scheduleByHand([{ to: world.timelock.address, data }], { salt: `0x${'de'.repeat(32)}` })
  await world.passDelay()
  return raise
}

/// What `status` says is wrong now.
const troubles = async (daemon) => (await daemon.ctl(['status', '--json'])).json.chains.flatMap((c) => c.troubles)
const untilNoTrouble = (daemon) => until(async () => (await troubles(daemon)).length === 0, { what: async () => `no trouble: ${JSON.stringify(await troubles(daemon))}` })

/// Said before it has ended, the one command would be forgotten: it is refused.
async function tooEarly(daemon, id) {
  const { code, stderr } = await daemon.ctl(['approve', id], { ok: false })
  assert.equal(code, 2)
  assert.match(stderr, new RegExp(`${id} is in state \\w+ and goes on: there is nothing to approve before it has ended`))
}

/// The one command, twice and over a restart, and all the way to its end.
async function again(world, daemon, eif, id) {
  await daemon.ctl(['approve', id])
  const next = await daemon.untilProposal(eif.value, { where: (p) => p.id !== id })
  await daemon.ctl(['approve', id])
  await daemon.kill9()
  await daemon.start()
  await world.carry(daemon, next.id)
  assert.deepEqual(await world.allowed(eif.value), { kms: true, app: true })
  assert.equal((await daemon.proposals()).filter((p) => p.origin === 'registrard').length, 2, 'asked for once more, not twice')
  assert.deepEqual(await troubles(daemon), [])
}

describe('dead ends', { concurrency: 2 }, () => {
  test('nonce taken by another transaction: rejected, with who took it', inWorld({}, async (world, daemon) => {
    const { eif, id } = await queued(world, daemon)
    await tooEarly(daemon, id)
    const taken = await world.safe.byHand({ to: people.stranger.address, data: '0x' })
    await world.chain.mine(3)
    const alarm = await daemon.untilAlarm('rejected', { subject: id })
    assert.ok(alarm.text.includes(taken.hash) && alarm.text.includes(taken.receipt.transactionHash), alarm.text)
    assert.ok(alarm.text.includes(`registrarctl approve ${id}`), alarm.text)
    await daemon.untilState(id, 'rejected')
    await again(world, daemon, eif, id)
  }))

  test('the same nonce ended in ExecutionFailure: rejected, and said so', inWorld({}, async (world, daemon) => {
    const { eif, id } = await queued(world, daemon)
    // With a gas of its own a Safe transaction does not revert as a whole, it fails and spends its nonce.
    const failed = await world.safe.byHand({ to: world.timelock.address, data: '0xdeadbeef', safeTxGas: 100_000n })
    await world.chain.mine(3)
    const alarm = await daemon.untilAlarm('rejected', { subject: id, text: /which failed/ })
    assert.ok(alarm.text.includes(failed.hash), alarm.text)
    await again(world, daemon, eif, id)
  }))

  test('rejected on purpose', inWorld({ safeVersion: '1.3.0' }, async (world, daemon) => {
    const { eif, id, row } = await queued(world, daemon)
    const rejection = await world.owners.reject(row.safe_tx_hash)
    await world.chain.mine(3)
    const alarm = await daemon.untilAlarm('rejected', { subject: id })
    assert.ok(alarm.text.includes(rejection), alarm.text)
    await again(world, daemon, eif, id)
  }))

  test('operation cancelled', inWorld({}, async (world, daemon) => {
    const { eif, id, row } = await queued(world, daemon)
    await world.owners.approve(row.safe_tx_hash)
    const { operation_id } = await daemon.untilState(id, 'timelock')
    await tooEarly(daemon, id)
    await world.timelock.cancel(operation_id)
    await world.chain.mine(3)
    await daemon.untilAlarm('cancelled', { subject: id })
    await again(world, daemon, eif, id)
  }))

  test('the execute transaction of the Safe is displaced: a new attempt by itself', inWorld({}, async (world, daemon) => {
    const { eif, id } = await ready(world, daemon)
    const first = await daemon.untilQueued(id, 'execute')
    const rejection = await world.owners.reject(first.safe_tx_hash)
    await world.chain.mine(3)
    const alarm = await daemon.untilAlarm('execution-displaced', { subject: id })
    assert.ok(alarm.text.includes(rejection), alarm.text)
    await until(async () => (await daemon.untilQueued(id, 'execute')).attempt === 2, { what: 'a second attempt' })
    // And again, by one that spends the nonce and does nothing.
    const failed = await world.safe.byHand({ to: world.timelock.address, data: '0xdeadbeef', safeTxGas: 100_000n })
    await world.chain.mine(3)
    const second = await daemon.untilAlarm('execution-displaced', { subject: id, text: /which failed/ })
    assert.ok(second.text.includes(failed.hash), second.text)
    await until(async () => (await daemon.untilQueued(id, 'execute')).attempt === 3, { what: 'a third attempt' })
    await world.carryOn(daemon, id)
    assert.deepEqual(await world.allowed(eif.value), { kms: true, app: true })
  }))

  test('the executor key\'s transaction is displaced by another one of that key', inWorld({ open: true }, async (world, daemon) => {
    const { eif, id, row } = await queued(world, daemon)
    await world.owners.approve(row.safe_tx_hash)
    await daemon.untilState(id, 'timelock')
    // What the key sends gets lost on its way; meanwhile somebody else uses the key, and its nonce.
    const lost = world.rpc.fault({ match: (method) => method === 'eth_sendRawTransaction', drop: true })
    await world.passDelay()
    await until(() => world.rpc.calls.some((c) => c.method === 'eth_sendRawTransaction'), { what: 'the execution sent' })
    const foreign = await people.executor.signTransaction({
      chainId: world.chain.chainId, nonce: 0, to: people.stranger.address, gas: 21_000, maxFeePerGas: 10n ** 10n, maxPriorityFeePerGas: 10n ** 9n, type: 'eip1559',
    })
    await world.chain.rpc('eth_sendRawTransaction', foreign)
    lost.left = 0
    await daemon.untilAlarm('execution-displaced', { subject: id, text: /nonce 0 of the executor key/, timeout: 30_000 })
    await world.chain.mine(1)
    await daemon.untilState(id, ['executed', 'confirmed'], { timeout: 30_000 })
    await world.chain.mine(3)
    await daemon.untilState(id, 'confirmed')
    assert.deepEqual(await world.allowed(eif.value), { kms: true, app: true })
  }, { target: { execute: 'direct', executor: people.executor }, chain: { resend: '1s' } }))

  test('executor out of gas money: alarm with address, balance and need; funded, it goes on by itself', inWorld({ open: true }, async (world, daemon) => {
    await world.chain.rpc('anvil_setBalance', people.executor.address, '0x1')
    const { eif, id } = await ready(world, daemon)
    const alarm = await daemon.untilAlarm('executor-funds', { subject: people.executor.address })
    assert.match(alarm.text, /has 0\.000000000000000001 of the coin of chain lab and needs up to 0\.0\d+/)
    await world.chain.mine(3)
    assert.equal((await daemon.proposal(id)).state, 'execute')
    assert.equal(world.rpc.calls.filter((c) => c.method === 'eth_sendRawTransaction').length, 0)
    assert.equal((await daemon.alarms('executor-funds')).length, 1, 'told once')
    await world.chain.rpc('anvil_setBalance', people.executor.address, '0xde0b6b3a7640000')
    await daemon.untilState(id, ['executed', 'confirmed'], { timeout: 60_000 })
    await world.chain.mine(3)
    await daemon.untilState(id, 'confirmed')
    assert.deepEqual(await world.allowed(eif.value), { kms: true, app: true })
  }, { target: { execute: 'direct', executor: people.executor } }))

  test('revert in place: a signed transaction that would revert is named; repaired, it runs as it is', inWorld({ generation: 1 }, async (world, daemon) => {
    const { eif, id } = await ready(world, daemon)
    const row = await daemon.untilQueued(id, 'execute')
    // The registry is taken from the timelock, by whatever way.
    const { kms } = world.registry, timelock = world.timelock.address
    await world.chain.rpc('anvil_impersonateAccount', timelock)
    await world.chain.rpc('anvil_setBalance', timelock, '0xde0b6b3a7640000')
    await world.chain.write(timelock, kms, 'function transferOwnership(address)', people.deployer.address)
    for (const owner of people.owners.slice(0, 2)) await world.owners.confirm(row.safe_tx_hash, owner)
    const alarm = await daemon.untilAlarm('cannot-run', { subject: id, text: /OwnableUnauthorizedAccount|not the owner/ })
    assert.match(alarm.text, new RegExp(`its execute transaction with nonce ${row.nonce} `))
    // People try it all the same: the nonce and the signatures stay good.
    const { status } = await world.owners.execute(row.safe_tx_hash, { mayRevert: true })
    assert.equal(status, 'reverted')
    await world.chain.write(people.deployer.address, kms, 'function transferOwnership(address)', timelock)
    await world.owners.execute(row.safe_tx_hash)
    await daemon.untilState(id, ['executed', 'confirmed'])
    await world.chain.mine(3)
    await daemon.untilState(id, 'confirmed')
    assert.deepEqual(await world.allowed(eif.value), { kms: true, app: true })
  }))

  test('threshold and signers change while it waits: told, counted again, too few said so; signed anew it goes on', inWorld({}, async (world, daemon) => {
    const module = people.stranger.address
    await world.safe.admin('enableModule(address)', module)
    const { eif, id, row } = await queued(world, daemon)
    const [a, b, c] = people.owners
    for (const owner of [a, b]) await world.owners.confirm(row.safe_tx_hash, owner)
    await until(async () => (await daemon.proposal(id)).confirmations === 2, { what: 'both confirmations' })
    // One of the two who signed is no owner any more.
    const receipt = await world.safe.adminByModule(module, 'swapOwner(address,address,address)', a.address, b.address, people.outsider.address)
    const alarm = await daemon.untilAlarm('signers-changed', { subject: 'payments' })
    assert.ok(alarm.text.includes(`owner ${b.address} removed, owner ${people.outsider.address} added`), alarm.text)
    assert.ok(alarm.text.includes(`by module ${module}`) && alarm.text.includes(receipt.transactionHash), alarm.text)
    const lost = await daemon.untilAlarm('confirmations-lost', { subject: id })
    assert.match(lost.text, /1 of 2/)
    await world.owners.confirm(row.safe_tx_hash, c)
    await until(async () => (await daemon.proposal(id)).confirmations === 2, { what: 'enough again' })
    const { tx, shown } = await world.owners.read(row.safe_tx_hash)
    await world.safe.execute(tx, shown.confirmations.filter((x) => x.owner !== b.address).map((x) => x.signature))
    await daemon.untilState(id, 'timelock')
    // And the threshold, while the execution waits.
    await world.passDelay()
    await daemon.untilQueued(id, 'execute')
    await world.safe.adminByModule(module, 'changeThreshold(uint256)', 1n)
    await daemon.untilAlarm('signers-changed', { text: /the threshold is 1/ })
    await until(async () => (await daemon.proposal(id)).threshold === 1, { what: 'the new threshold' })
    await world.carryOn(daemon, id)
    assert.deepEqual(await world.allowed(eif.value), { kms: true, app: true })
  }))

  test('a guard is installed: told; it lets owners execute, and the proposal goes on', inWorld({ safeVersion: '1.3.0' }, async (world, daemon) => {
    await daemon.start()
    const guard = await world.chain.deploy(guardArtifact.bytecode)
    const set = await world.safe.admin('setGuard(address)', guard)
    const alarm = await daemon.untilAlarm('guard-changed', { subject: 'payments' })
    assert.ok(alarm.text.includes(guard) && alarm.text.includes(set.receipt.transactionHash), alarm.text)
    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    const from = people.owners[0].address
    await world.owners.approve((await daemon.untilQueued(p.id, 'schedule')).safe_tx_hash, { from })
    await daemon.untilState(p.id, 'timelock')
    await world.passDelay()
    await world.owners.approve((await daemon.untilQueued(p.id, 'execute')).safe_tx_hash, { from })
    await daemon.untilState(p.id, ['executed', 'confirmed'])
    await world.chain.mine(3)
    await daemon.untilState(p.id, 'confirmed')
    assert.equal((await daemon.alarms('cannot-run')).length, 0)
  }))

  test('a guard that refuses is named before anybody pays for it; removed, it runs', inWorld({}, async (world, daemon) => {
    const { eif, id, row } = await queued(world, daemon)
    // One that lets nothing pass, and no event that tells of it.
    const guard = '0x00000000000000000000000000000000000bad01'
    const put = (word) => world.chain.rpc('anvil_setStorageAt', world.safe.address, GUARD_SLOT, `0x${word.slice(2).padStart(64, '0')}`)
    await world.chain.rpc('anvil_setCode', guard, '0x60006000fd')
    await put(guard)
    for (const owner of people.owners.slice(0, 2)) await world.owners.confirm(row.safe_tx_hash, owner)
    await daemon.untilAlarm('cannot-run', { subject: id, text: /guard 0x0+bad01 of the Safe refuses it/i })
    assert.match((await troubles(daemon)).find((t) => t.alarm === 'cannot-run' && t.subject === id).do, new RegExp(`registrarctl withdraw ${id}`))
    await put('0x0')
    await untilNoTrouble(daemon)
    await world.owners.execute(row.safe_tx_hash)
    await daemon.untilState(id, 'timelock')
    await world.passDelay()
    await world.carryOn(daemon, id)
    assert.deepEqual(await world.allowed(eif.value), { kms: true, app: true })
  }))

  test('minDelay raised after drafting: a new attempt of the same operation, with the same nonce', inWorld({ open: true, minDelay: 600 }, async (world, daemon) => {
    const raise = await scheduleRaise(world, 7200)
    const { eif, id, row } = await queued(world, daemon)
    const { operation_id } = await daemon.proposal(id)
    await world.owners.confirm(row.safe_tx_hash, people.owners[0])
    await world.timelock.executeByHand(raise, { from: people.relayer.address })
    await world.chain.mine(3)
    const alarm = await daemon.untilAlarm('min-delay-raised', { subject: id })
    assert.match(alarm.text, /7200 s now, its schedule for 600 s.*attempt 2, with the same nonce/)
    const second = await until(async () => (await daemon.proposal(id)).safe_txs.find((t) => t.purpose === 'schedule' && t.attempt === 2 && t.status === 'queued'), { what: 'the second attempt' })
    assert.equal(second.nonce, row.nonce)
    assert.notEqual(second.safe_tx_hash, row.safe_tx_hash)
    let p = await daemon.proposal(id)
    assert.equal(p.operation_id, operation_id)
    assert.equal(p.state, 'multisig')
    assert.equal(p.safe_tx_hash, second.safe_tx_hash, 'the one to sign')
    assert.equal(p.safe_txs.find((t) => t.attempt === 1).status, 'withdrawn')
    const { batch } = checkProposal(world, p, { values: [eif.value] })
    await checkSafeTx(world, p, 'schedule', { batch, id: operation_id, signer: people.proposer, attempt: 2, delay: 7200 })
    // What people had can only revert; the nonce stays.
    await world.owners.confirm(row.safe_tx_hash, people.owners[1])
    assert.equal((await world.owners.execute(row.safe_tx_hash, { mayRevert: true })).status, 'reverted')
    // Nothing of it is lost in a crash.
    await daemon.kill9()
    await daemon.start()
    await world.carry(daemon, id)
    p = await daemon.proposal(id)
    assert.equal(p.safe_txs.filter((t) => t.purpose === 'schedule').length, 2)
    assert.deepEqual(await world.allowed(eif.value), { kms: true, app: true })
  }))

  test('minDelay raised, and the owners reject: rejected, nothing comes back by itself', inWorld({ open: true, minDelay: 600 }, async (world, daemon) => {
    const raise = await scheduleRaise(world, 7200)
    const { eif, id } = await queued(world, daemon)
    await world.timelock.executeByHand(raise, { from: people.relayer.address })
    await world.chain.mine(3)
    const row = await until(async () => [await daemon.untilQueued(id, 'schedule')].find((t) => t.attempt === 2), { what: 'the second attempt' })
    await world.owners.reject(row.safe_tx_hash) // and so the first, which has the same nonce
    await world.chain.mine(3)
    await daemon.untilAlarm('rejected', { subject: id })
    await again(world, daemon, eif, id)
  }))

  test('a module did it another way: counts as authorized, the pending one is withdrawn and ends well', inWorld({ model: 'safe' }, async (world, daemon) => {
    const module = people.stranger.address
    await daemon.start()
    const enabled = await world.safe.admin('enableModule(address)', module)
    const told = await daemon.untilAlarm('module-changed', { subject: 'payments' })
    assert.ok(told.text.includes(module) && told.text.includes(enabled.receipt.transactionHash), told.text)
    const eif = world.drop()
    const { id } = await daemon.untilProposal(eif.value)
    const row = await daemon.untilQueued(id, 'apply')
    for (const call of callsFor(world.registry, eif.value)) await world.safe.byModule(module, call)
    const nonce = await world.safe.nonce()
    assert.equal(Number(nonce), row.nonce, 'no nonce was used')
    await world.chain.mine(3)
    const alarm = await daemon.untilAlarm('already-in-effect', { subject: id })
    assert.ok(alarm.text.includes(`by module ${module}`), alarm.text)
    const p = await daemon.proposal(id)
    assert.deepEqual([p.state, p.flags], ['multisig', ['withdrawing']])
    await daemon.untilMeasurement(eif.value, (m) => m.status === 'authorized')
    // What is drafted for it is the rejection: signed, it is over.
    await world.owners.approve((await daemon.untilQueued(id, 'reject')).safe_tx_hash)
    await world.chain.mine(3)
    await daemon.untilState(id, 'confirmed')
    assert.equal((await daemon.ctl(['wait', eif.value, '--timeout', '10s'])).code, 0)
    assert.deepEqual(await world.allowed(eif.value), { kms: true, app: true })
  }))

  test('the queue is blocked by somebody\'s lower nonce: who, since when; executed, ours goes on', inWorld({}, async (world, daemon) => {
    await daemon.start()
    const other = await world.owners.propose({ to: people.stranger.address, data: '0x' })
    const eif = world.drop()
    const { id } = await daemon.untilProposal(eif.value)
    const row = await daemon.untilQueued(id, 'schedule')
    const lower = row.nonce - 1
    const alarm = await daemon.untilAlarm('queue-blocked', { subject: id, timeout: 40_000 })
    assert.ok(alarm.text.includes(`for nonce ${lower}: ${other}, which is not ours, proposed by ${people.owners[0].address}`), alarm.text)
    const { blocked } = (await daemon.proposal(id)).safe_txs[0]
    assert.equal(blocked.nonce, lower)
    assert.ok(Date.parse(blocked.since) <= Date.now() && blocked.by.includes(other), JSON.stringify(blocked))
    const { json } = await daemon.ctl(['status', '--json'])
    assert.match(json.waiting.find((w) => w.id === id).for, new RegExp(`behind nonce ${lower} since .*${other}`))
    assert.match((await daemon.ctl(['proposals', id])).stdout, new RegExp(`waits for nonce ${lower} since`))
    // Since when it waits is no matter of this run of the daemon.
    await daemon.kill9()
    await daemon.start()
    assert.deepEqual((await daemon.proposal(id)).safe_txs[0].blocked.since, blocked.since)
    await world.owners.approve(other)
    await until(async () => (await daemon.proposal(id)).safe_txs[0].blocked === undefined, { what: 'its turn' })
    await untilNoTrouble(daemon)
    await world.carry(daemon, id)
    assert.deepEqual(await world.allowed(eif.value), { kms: true, app: true })
  }, { target: { blocked_after: '1s' } }))

  test('a hole in the nonces: named at once; the one command has it filled, ours goes on', inWorld({}, async (world, daemon) => {
    await daemon.start()
    const other = await world.owners.propose({ to: people.stranger.address, data: '0x' })
    const eif = world.drop()
    const { id } = await daemon.untilProposal(eif.value)
    const row = await daemon.untilQueued(id, 'schedule')
    // Its proposer deletes it from the service's queue.
    world.service.transactions.delete(other)
    const alarm = await daemon.untilAlarm('nonce-hole', { subject: id, timeout: 40_000 })
    assert.ok(alarm.text.includes(`nothing holds nonce ${row.nonce - 1} of the Safe ${world.safe.address}`), alarm.text)
    assert.deepEqual((await troubles(daemon)).map((t) => [t.alarm, t.subject]), [['nonce-hole', id]])
    assert.match((await daemon.proposal(id)).safe_txs[0].blocked.by, /a hole/)
    // The one command: an empty transaction for the owners to sign. Said twice, and over a restart, it is one.
    const posts = world.service.posts().length
    await daemon.ctl(['fill', id])
    await daemon.ctl(['fill', id])
    const fill = await daemon.untilQueued(id, 'reject')
    assert.deepEqual([fill.nonce, world.service.posts().length], [row.nonce - 1, posts + 1])
    const { tx, shown } = await world.owners.read(fill.safe_tx_hash)
    assert.deepEqual([tx.to, tx.data, tx.value, tx.operation], [world.safe.address, '0x', 0n, 0])
    assert.equal(JSON.parse(shown.origin).note, `empty: fills a hole below ${id}`)
    assert.match((await daemon.ctl(['status'])).stdout, new RegExp(`owners to sign the empty transaction with nonce ${fill.nonce} of the Safe`))
    await untilNoTrouble(daemon)
    await daemon.kill9()
    await daemon.start()
    const refused = await daemon.ctl(['fill', id], { ok: false })
    assert.equal(refused.code, 2)
    assert.match(refused.stderr, new RegExp(`nothing of ${id} waits above a nonce that is known to be free`))
    assert.equal((await daemon.ctl(['fill', 'p99'], { ok: false })).code, 1)
    await world.owners.approve(fill.safe_tx_hash)
    await world.carry(daemon, id)
    assert.deepEqual(await world.allowed(eif.value), { kms: true, app: true })
  }))

  test('minDelay raised where an account schedules: the files are written anew', inWorld({ model: 'timelock', proposers: [people.outsider.address], service: false, open: true, minDelay: 600 }, async (world, daemon) => {
    const raise = await scheduleRaise(world, 7200)
    await daemon.start()
    const eif = world.drop()
    const { id } = await daemon.untilProposal(eif.value)
    const calldata = async () => (await daemon.ctl(['export', id, '--format', 'calldata'])).stdout.trim().split(' ')
    const file = () => readFileSync(join(daemon.stateDir, 'drafts', `${id}-schedule-1.calldata`), 'utf8').trim().split(' ')
    const old = await calldata()
    await until(() => { try { return file()[1] === old[1] } catch { return false } }, { what: 'the first file' })
    await world.timelock.executeByHand(raise, { from: people.relayer.address })
    await world.chain.mine(3)
    await daemon.untilAlarm('min-delay-raised', { subject: id, text: /the draft files are written anew/ })
    const [to, data] = await calldata()
    assert.notEqual(data, old[1])
    await until(() => file()[1] === data, { what: 'the new file' })
    const from = people.outsider.address
    assert.equal((await world.chain.send({ from, to: old[0], data: old[1], mayRevert: true })).status, 'reverted')
    await world.chain.send({ from, to, data })
    await daemon.untilState(id, 'timelock')
    await world.passDelay()
    await daemon.untilState(id, 'execute')
    const [, execute] = await calldata()
    await world.chain.send({ from: people.relayer.address, to, data: execute })
    await daemon.untilState(id, ['executed', 'confirmed'])
    await world.chain.mine(3)
    await daemon.untilState(id, 'confirmed')
    assert.deepEqual(await world.allowed(eif.value), { kms: true, app: true })
  }, { target: { execute: 'manual' } }))

  // The chain's clock is behind ours at first: a draft lives by the later one, and ends when both say so.
  test('a draft that nobody posted expires', inWorld({ age: 7200 }, async (world, daemon) => {
    await daemon.start()
    const eif = world.drop()
    const { id } = await daemon.untilProposal(eif.value)
    await world.chain.advance(7200)
    await until(async () => { await world.chain.mine(1); return (await daemon.alarms('expired', id)).length > 0 }, { every: 500, what: 'expiry' })
    await daemon.ctl(['approve', id])
    const next = await daemon.untilProposal(eif.value, { where: (p) => p.id !== id })
    // This time somebody does bring it into the Safe.
    const { stdout } = await daemon.ctl(['export', next.id, '--format', 'calldata'])
    const [to, data] = stdout.trim().split(/\s+/)
    assert.equal(to.toLowerCase(), world.timelock.address.toLowerCase())
    await world.safe.byHand({ to, data })
    await daemon.untilState(next.id, 'timelock')
    await world.passDelay()
    await daemon.untilState(next.id, 'execute')
    const [, execute] = (await daemon.ctl(['export', next.id, '--format', 'calldata'])).stdout.trim().split(/\s+/)
    await world.safe.byHand({ to, data: execute })
    await daemon.untilState(next.id, ['executed', 'confirmed'])
    await world.chain.mine(3)
    await daemon.untilState(next.id, 'confirmed')
    assert.deepEqual(await world.allowed(eif.value), { kms: true, app: true })
  }, { target: { proposer: null, expire: '2s' } }))
})
