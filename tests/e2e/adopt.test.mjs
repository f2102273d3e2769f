// What people did by other means: in the Safe's queue, in the timelock, in another batch, with more in it than registry
// calls; and confirmations that only the chain can verify.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { concatHex, encodeAbiParameters, encodeFunctionData, keccak256, parseAbi, parseAbiParameters, toHex, zeroHash } from 'viem'
import { createSafe } from '../harness/deploy.mjs'
import { makeEif } from '../harness/eif.mjs'
import { callsFor } from '../harness/opinion.mjs'
import { testsDir } from '../harness/util.mjs'
import { makeWorld, people, until } from '../harness/world.mjs'

const inWorld = (options, fn, settings = {}) => async () => {
  const world = await makeWorld(options)
  try { await fn(world, world.daemon(settings)) } finally { await world.close() }
}

const LIVE = ['drafted', 'multisig', 'timelock', 'execute', 'executed']
const alarms = async (daemon, pattern) => (await daemon.events()).filter((e) => e.type === 'alarm' && pattern.test(e.text))
const untilAlarm = (daemon, pattern) => until(async () => (await alarms(daemon, pattern)).at(-1), { what: () => `an alarm ${pattern}\n${daemon.tail(15)}` })
const external = { where: (p) => p.origin === 'external' }
const salt = (n) => toHex(n, { size: 32 })
const someValue = (world) => makeEif(world.random).value
const transferOwnership = (to, heir) => ({ to, data: encodeFunctionData({ abi: parseAbi(['function transferOwnership(address)']), args: [heir] }) })

const singleAbi = parseAbi([
  'function schedule(address target, uint256 value, bytes payload, bytes32 predecessor, bytes32 salt, uint256 delay)',
  'function execute(address target, uint256 value, bytes payload, bytes32 predecessor, bytes32 salt)',
])

/// The calldata of scheduleBatch as people make it, with a salt of theirs.
async function scheduleData(world, calls, n = 1, delay) {
  return world.timelock.encode('scheduleBatch', [
    calls.map((c) => c.to), calls.map(() => 0n), calls.map((c) => c.data), zeroHash, salt(n), BigInt(delay ?? (await world.timelock.minDelay()))])
}

/// An owner brings it into the queue with the web app.
async function queueByHand(world, calls, { n = 1, ...more } = {}) {
  return world.owners.propose({ to: world.timelock.address, data: await scheduleData(world, calls, n), ...more })
}

/// No call stands in two live proposals.
async function noCallTwice(daemon) {
  const calls = (await daemon.proposals()).filter((p) => LIVE.includes(p.state)).flatMap((p) => p.calls.map((c) => `${c.to} ${c.data}`))
  assert.equal(new Set(calls).size, calls.length, 'a call in two live proposals')
}

/// From its schedule on, a proposal of others takes the same way as ours.
async function carryExternal(world, daemon, id) {
  await daemon.untilState(id, 'timelock')
  await world.passDelay()
  return world.carryOn(daemon, id)
}

describe('what others made', { concurrency: 3 }, () => {
  test('queued by hand in the web app: followed to its end, not asked again', inWorld({}, async (world, daemon) => {
    const eif = world.drop()
    const hash = await queueByHand(world, callsFor(world.registry, eif.value))
    await daemon.start()
    const p = await daemon.untilProposal(eif.value, external)
    const shown = await daemon.untilState(p.id, 'multisig')
    assert.equal(shown.safe_tx_hash, hash)
    assert.equal(shown.safe_txs[0].purpose, 'schedule')
    await until(async () => (await daemon.proposal(p.id)).confirmations === 1, { what: 'the confirmation of who proposed it' })
    assert.equal(world.service.posts(people.proposer.address).length, 0)
    await daemon.untilMeasurement(eif.value, (m) => m.status === 'proposed')
    await world.owners.approve(hash)
    const done = await carryExternal(world, daemon, p.id)
    assert.equal(world.service.posts(people.proposer.address).length, 1, 'the execution alone')
    assert.deepEqual(done.history.map((h) => h.to), ['drafted', 'multisig', 'timelock', 'execute', 'executed', 'confirmed'])
    await daemon.untilMeasurement(eif.value, (m) => m.status === 'authorized')
    assert.deepEqual(await world.allowed(eif.value), { kms: true, app: true })
    assert.deepEqual(await alarms(daemon, /\[(foreign|unwanted|contested)\]/), [])
    await noCallTwice(daemon)
  }))

  test('scheduled with another salt: followed to its end, not asked again', inWorld({ open: true }, async (world, daemon) => {
    await daemon.start()
    const eif = makeEif(world.random)
    const operation = await world.timelock.scheduleByHand(callsFor(world.registry, eif.value), { salt: salt(77) })
    const p = await daemon.untilProposal(eif.value, external)
    assert.equal(p.operation_id, operation.id)
    world.drop('payments', { eif })
    await daemon.untilState(p.id, 'timelock')
    await daemon.untilMeasurement(eif.value, (m) => m.status === 'proposed' && m.evidence.some((e) => e.source === 'folder'))
    await carryExternal(world, daemon, p.id)
    assert.equal((await daemon.proposals()).length, 1)
    assert.equal(world.service.posts(people.proposer.address).length, 1, 'the execution alone')
    assert.deepEqual(await world.allowed(eif.value), { kms: true, app: true })
  }))

  test('scheduled as single operations, one after the other: each is executed in its turn', inWorld({ app: false }, async (world, daemon) => {
    await daemon.start()
    const [first, second] = [world.drop(), world.drop()]
    const delay = BigInt(await world.timelock.minDelay())
    const id = (args) => keccak256(encodeAbiParameters(parseAbiParameters('address, uint256, bytes, bytes32, bytes32'), args))
    const one = [world.registry.kms, 0n, callsFor(world.registry, first.value)[0].data, zeroHash, salt(1)]
    const two = [world.registry.kms, 0n, callsFor(world.registry, second.value)[0].data, id(one), salt(2)]
    for (const args of [one, two])
      await world.safe.byHand({ to: world.timelock.address, data: encodeFunctionData({ abi: singleAbi, functionName: 'schedule', args: [...args, delay] }) })
    const p = await daemon.untilProposal(first.value, external)
    const q = await daemon.untilProposal(second.value, external)
    assert.equal(p.operation_id, id(one))
    assert.equal(q.operation_id, id(two))
    await world.passDelay()
    await daemon.untilState(q.id, 'execute')
    await world.carryOn(daemon, p.id)
    assert.equal((await daemon.proposal(q.id)).safe_txs.filter((t) => t.purpose === 'execute').length <= 1, true)
    await world.carryOn(daemon, q.id)
    for (const eif of [first, second]) assert.equal((await world.allowed(eif.value)).kms, true)
  }))

  test('several values at once, one of which nobody here knows: an alarm, followed, but not helped along', inWorld({ open: true }, async (world, daemon) => {
    await daemon.start()
    const [unknown, eif] = [someValue(world), world.drop()]
    const operation = await world.timelock.scheduleByHand([...callsFor(world.registry, eif.value), callsFor(world.registry, unknown)[0]], { salt: salt(5) })
    const p = await daemon.untilProposal(unknown, external)
    await untilAlarm(daemon, new RegExp(`\\[unverified\\] ${p.id}, made by others .* would add os-image ${unknown} to payments, which was never verified here`))
    const [m] = await daemon.measurements(unknown)
    assert.equal(m.kind, 'os-image')
    assert.equal(m.status, 'proposed')
    assert.match(m.reason, new RegExp(`proposed by others in ${p.id}, never verified here`))
    assert.deepEqual(m.evidence.map((e) => [e.level, e.source]), [['claimed', 'chain']])
    await daemon.untilMeasurement(eif.value, (x) => x.status === 'proposed')
    await daemon.untilState(p.id, 'timelock')
    await daemon.stop()
    await daemon.start()
    assert.equal((await alarms(daemon, new RegExp(`\\[unverified\\].*${unknown}`))).length, 1, 'told once')
    // Nobody here pushes what nobody here has verified; a person may say that it is meant.
    await world.passDelay()
    await daemon.untilState(p.id, 'execute')
    const before = await daemon.proposal(p.id)
    assert.deepEqual(before.safe_txs.filter((t) => t.purpose === 'execute'), [])
    await daemon.ctl(['approve', m.id])
    await daemon.untilQueued(p.id, 'execute')
    // They are faster.
    await world.timelock.executeByHand(operation, { from: people.outsider.address })
    await daemon.untilState(p.id, ['executed', 'confirmed'])
    await world.chain.mine(3)
    await daemon.untilState(p.id, 'confirmed')
    await daemon.untilMeasurement(unknown, (x) => x.status === 'authorized')
    await noCallTwice(daemon)
  }))

  test('more than registry calls is foreign: an alarm call by call, and our own is not held up', inWorld({ minDelay: 60 }, async (world, daemon) => {
    await daemon.start()
    const eif = makeEif(world.random), heir = people.stranger.address
    const calls = [...callsFor(world.registry, eif.value), transferOwnership(world.registry.kms, heir)]
    const operation = await world.timelock.scheduleByHand(calls, { salt: salt(3) })
    const told = await untilAlarm(daemon, /\[foreign\] operation/)
    assert.match(told.text, new RegExp(operation.id))
    assert.match(told.text, new RegExp(`add os-image ${eif.value} on ${world.registry.kms}; add compose ${eif.value} on ${world.registry.app}; ` +
      `transferOwnership\\(address\\) on ${world.registry.kms} with 0x0{24}${heir.slice(2).toLowerCase()}`))
    // The same in the queue, where it is seen when something is posted.
    const hash = await queueByHand(world, [...calls, { to: people.spare.address, data: '0xdeadbeef' }], { n: 4 })
    world.drop('payments', { eif })
    const p = await daemon.untilProposal(eif.value)
    assert.equal(p.origin, 'registrard')
    const queued = await untilAlarm(daemon, /\[foreign\] transaction/)
    assert.match(queued.text, new RegExp(`${hash} with nonce \\d+ .*by ${people.owners[0].address}`))
    assert.match(queued.text, /an unknown function 0xdeadbeef on/)
    const row = await daemon.untilQueued(p.id, 'schedule')
    assert.equal((await daemon.proposals()).length, 1, 'what is foreign is no proposal')
    assert.equal((await daemon.measurements()).length, 2, 'nor do its values count')
    // Refused by the owners; ours goes its way.
    await world.owners.reject(hash)
    await world.owners.approve(row.safe_tx_hash)
    await world.timelock.cancel(operation.id)
    await daemon.untilState(p.id, 'timelock')
    await world.passDelay()
    await world.carryOn(daemon, p.id)
    await daemon.stop()
    await daemon.start()
    await until(async () => (await daemon.ctl(['status', '--json'])).json, { what: 'the second start' })
    assert.equal((await alarms(daemon, /\[foreign\]/)).length, 2, 'each told once')
  }))

  test('a draft that nobody has seen gives way; its other values are drafted again', inWorld({}, async (world, daemon) => {
    await daemon.start()
    const [a, b] = [makeEif(world.random), makeEif(world.random)]
    world.drop('payments', { eif: a })
    world.drop('payments', { eif: b })
    const ours = await daemon.untilProposal(b.value)
    assert.equal(ours.state, 'drafted')
    await world.timelock.scheduleByHand(callsFor(world.registry, a.value), { salt: salt(9) })
    const theirs = await daemon.untilProposal(a.value, external)
    const gone = await daemon.untilState(ours.id, 'cancelled')
    assert.match(gone.history.at(-1).reason, /gives way to operation 0x[0-9a-f]{64} of the timelock/)
    const again = await daemon.untilProposal(b.value, { where: (p) => p.id !== ours.id && p.state === 'drafted' })
    assert.ok(!again.calls.some((c) => c.value === a.value))
    await daemon.untilState(theirs.id, 'timelock')
    await daemon.untilMeasurement(a.value, (m) => m.status === 'proposed')
    assert.deepEqual(await alarms(daemon, /\[cancelled\]/), [], 'nobody refused anything')
    await noCallTwice(daemon)
  }, { target: { proposer: null, batch: { quiet: '500ms' } } }))

  test('the same call in the queue as ours and in the timelock as theirs: an alarm that names both', inWorld({}, async (world, daemon) => {
    await daemon.start()
    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    const row = await daemon.untilQueued(p.id, 'schedule')
    // They use the nonce after ours for a Safe transaction of their own; it runs once ours is rejected.
    const theirs = await queueByHand(world, callsFor(world.registry, eif.value), { n: 6, nonce: BigInt(row.nonce) + 1n })
    await world.chain.mine(1)
    const told = await untilAlarm(daemon, /\[contested\]/)
    assert.equal(told.subject, p.id)
    assert.match(told.text, new RegExp(theirs))
    assert.equal((await daemon.proposals()).length, 1)
    await noCallTwice(daemon)
    await world.owners.reject(row.safe_tx_hash)
    await world.chain.mine(3)
    await daemon.untilState(p.id, 'rejected')
    const taken = await daemon.untilProposal(eif.value, external)
    await noCallTwice(daemon)
    await daemon.untilMeasurement(eif.value, (m) => m.status === 'held') // nothing comes back by itself
    for (const m of await daemon.measurements(eif.value)) await daemon.ctl(['approve', m.id])
    await daemon.untilMeasurement(eif.value, (m) => m.status === 'proposed')
    await world.owners.approve(theirs)
    await carryExternal(world, daemon, taken.id)
    assert.deepEqual(await world.allowed(eif.value), { kms: true, app: true })
  }))

  test('the nonce of ours is taken by theirs: both are followed, one ends', inWorld({}, async (world, daemon) => {
    await daemon.start()
    const eif = world.drop(), other = someValue(world)
    const p = await daemon.untilProposal(eif.value)
    const row = await daemon.untilQueued(p.id, 'schedule')
    const hash = await queueByHand(world, [callsFor(world.registry, other)[0]], { n: 8, nonce: BigInt(row.nonce) })
    const theirs = await daemon.untilProposal(other, external)
    await untilAlarm(daemon, new RegExp(`\\[contested\\] ${theirs.id}, made by others .*${hash}`))
    await world.owners.approve(hash)
    await daemon.untilState(theirs.id, 'timelock')
    await world.chain.mine(3)
    await daemon.untilState(p.id, 'rejected')
    await daemon.untilMeasurement(eif.value, (m) => m.status === 'held')
  }))

  test('people queue the execution, and a cancellation, by themselves', inWorld({}, async (world, daemon) => {
    await daemon.start()
    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    await world.owners.approve((await daemon.untilQueued(p.id, 'schedule')).safe_tx_hash)
    const { operation_id: id, calls } = await daemon.untilState(p.id, 'timelock')
    await daemon.stop()
    // Without our salt nobody can execute it: it stands in the chain's log.
    const [log] = await world.chain.client.getLogs({ address: world.timelock.address, event: parseAbi(['event CallSalt(bytes32 indexed id, bytes32 salt)'])[0], args: { id }, fromBlock: 0n })
    const batch = [calls.map((c) => c.to), calls.map(() => 0n), calls.map((c) => c.data), zeroHash, log.args.salt]
    const execution = await world.owners.propose({ to: world.timelock.address, data: world.timelock.encode('executeBatch', batch) })
    await world.owners.propose({ to: world.timelock.address, data: world.timelock.encode('cancel', [id]), nonce: (await world.safe.nonce()) + 1n })
    await daemon.start()
    const row = await daemon.untilQueued(p.id, 'execute')
    assert.equal(row.safe_tx_hash, execution)
    await untilAlarm(daemon, new RegExp(`\\[foreign\\].*would cancel ${p.id}: cancel operation ${id}`))
    await world.passDelay()
    await daemon.untilState(p.id, 'execute')
    await world.owners.approve(execution)
    await daemon.untilState(p.id, ['executed', 'confirmed'])
    await world.chain.mine(3)
    await daemon.untilState(p.id, 'confirmed')
    assert.equal(world.service.posts(people.proposer.address).length, 1, 'our schedule alone')
  }, { target: { execute: 'manual' } }))

  test('a reorganisation takes back what they scheduled: it is dropped, and the value is ours to ask for', inWorld({ service: false }, async (world, daemon) => {
    await daemon.start()
    const eif = makeEif(world.random)
    await world.chain.mine(1)
    await world.timelock.scheduleByHand(callsFor(world.registry, eif.value), { salt: salt(12) })
    const p = await daemon.untilProposal(eif.value, external)
    await daemon.untilState(p.id, 'timelock')
    world.drop('payments', { eif })
    await daemon.untilMeasurement(eif.value, (m) => m.status === 'proposed' && m.evidence.some((e) => e.source === 'folder'))
    await world.chain.reorg(1)
    await world.chain.mine(1)
    const gone = await daemon.untilState(p.id, 'cancelled')
    assert.match(gone.history.at(-1).reason, /a reorganisation took back what others had scheduled/)
    const ours = await daemon.untilProposal(eif.value, { where: (x) => x.origin === 'registrard' })
    assert.equal(ours.state, 'drafted')
    // And back again: it is scheduled all the same, with the calls of our draft, which gives way.
    await world.timelock.scheduleByHand(callsFor(world.registry, eif.value), { salt: salt(12) })
    const again = await daemon.untilProposal(eif.value, { where: (x) => x.origin === 'external' && x.id !== p.id })
    await daemon.untilState(again.id, 'timelock')
    await daemon.untilState(ours.id, 'cancelled')
    await noCallTwice(daemon)
  }, { chain: { confirmations: 3 } }))

  test('what had ended before a reorganisation is contested after it: taken over once the other is out of the way', inWorld({ service: false, open: true, minDelay: 60 }, async (world, daemon) => {
    const seen = () => until(async () => BigInt((await daemon.ctl(['status', '--json'])).json.chains[0].head) === (await world.chain.blockNumber()), { what: 'the head' })
    await daemon.start()
    const eif = makeEif(world.random)
    const first = await world.timelock.scheduleByHand(callsFor(world.registry, eif.value), { salt: salt(31) })
    const p = await daemon.untilProposal(eif.value, external)
    const second = await world.timelock.scheduleByHand(callsFor(world.registry, eif.value), { salt: salt(32) })
    await untilAlarm(daemon, new RegExp(`\\[contested\\].*${second.id}`))
    const troubles = async () => (await daemon.ctl(['status', '--json'])).json.chains[0].troubles.map((t) => `${t.alarm} ${t.subject}`)
    assert.deepEqual(await troubles(), [`contested ${p.id}`])
    await world.timelock.cancel(second.id)
    await until(async () => (await troubles()).length === 0, { what: 'the end of it, with what stood against it' })
    await seen()
    await world.chain.reorg(1)
    await seen()
    await world.timelock.cancel(first.id)
    await world.chain.mine(3)
    await daemon.untilState(p.id, 'cancelled')
    const q = await daemon.untilProposal(eif.value, { where: (x) => x.id !== p.id })
    assert.deepEqual([q.origin, q.operation_id], ['external', second.id])
    await noCallTwice(daemon)
  }, { target: { execute: 'manual' }, chain: { confirmations: 2 } }))

  test('what is held here and added by others is an alarm, and stays held until the chain has it', inWorld({ app: false }, async (world, daemon) => {
    await daemon.start()
    const value = someValue(world)
    await daemon.ctl(['register', value, '--target', 'payments', '--kind', 'os-image'])
    const p = await daemon.untilProposal(value)
    const [m] = await daemon.measurements(value)
    await daemon.ctl(['hold', m.id])
    await daemon.ctl(['withdraw', p.id])
    await daemon.untilState(p.id, 'cancelled')
    const operation = await world.timelock.scheduleByHand(callsFor(world.registry, value), { salt: salt(13) })
    const theirs = await daemon.untilProposal(value, external)
    const told = await untilAlarm(daemon, /\[unwanted\]/)
    assert.match(told.text, new RegExp(`${theirs.id}, made by others .* would add os-image ${value}, which is held here`))
    assert.equal((await daemon.measurements(value))[0].status, 'held')
    await world.passDelay()
    await daemon.untilState(theirs.id, 'execute')
    await world.timelock.executeByHand(operation)
    await daemon.untilState(theirs.id, ['executed', 'confirmed'])
    await world.chain.mine(3)
    const done = await daemon.untilState(theirs.id, 'confirmed')
    assert.deepEqual(done.safe_txs, [], 'nothing of it was ours')
    await daemon.untilMeasurement(value, (x) => x.status === 'authorized')
  }, { target: { proposer: null } }))

  test('an idle target costs the service one look after the start, and none until its Safe runs something', inWorld({ minDelay: 60 }, async (world, daemon) => {
    await daemon.start()
    const looks = () => world.service.requests.filter((r) => r.method === 'GET').length // the delegation was the harness's
    await until(() => looks() === 1, { what: 'the first look' })
    for (let i = 0; i < 5; i++) await world.chain.mine(1)
    await until(async () => (await daemon.ctl(['status', '--json'])).json, { what: 'an answer' })
    assert.equal(looks(), 1)
    await world.safe.burnNonce()
    await until(() => looks() === 2, { what: 'a look after what the Safe ran' })
  }))

  test('kill -9 at every commit on the way', async () => {
    const world = await makeWorld({ app: false })
    try {
      const library = join(world.tmp.path, 'die-at-sync.so')
      execFileSync('cc', ['-shared', '-fPIC', '-o', library, join(testsDir, 'harness/die-at-sync.c')])
      const daemon = world.daemon()
      const value = someValue(world), other = someValue(world)
      const hash = await queueByHand(world, [callsFor(world.registry, other)[0]], { n: 2, nonce: (await world.safe.nonce()) + 5n })
      await daemon.start()
      await daemon.stop()
      await world.timelock.scheduleByHand(callsFor(world.registry, value), { salt: salt(21), delay: 7200 })
      for (let at = 1; at < 40; at += 3) {
        daemon.environment = { LD_PRELOAD: library, DIE_AT_SYNC: String(at) }
        await daemon.start({ wait: false })
        await Promise.race([daemon.ended, until(async () => !daemon.running || (await daemon.ctl(['status', '--json'], { ok: false })).code === 0, { what: 'a start' })])
        await daemon.kill9()
      }
      daemon.environment = {}
      await daemon.start()
      const p = await daemon.untilProposal(value, external)
      await daemon.untilState(p.id, 'timelock')
      const q = await daemon.untilProposal(other, external)
      await daemon.untilState(q.id, 'multisig')
      assert.equal((await daemon.proposal(q.id)).safe_tx_hash, hash)
      assert.equal((await daemon.proposals()).length, 2, 'each was taken over once')
      assert.equal((await alarms(daemon, new RegExp(`\\[unverified\\].*${value}`))).length, 1)
      assert.equal((await daemon.ctl(['log', '--verify'])).code, 0)
      await noCallTwice(daemon)
    } finally { await world.close() }
  })
})

describe('confirmations that only the chain can verify', { concurrency: 3 }, () => {
  /// The bytes that the service gets for an owner that is a contract: the owner, the offset, v 0, and the signature behind it.
  const contractPart = (owner, signature) => concatHex([
    `0x${'00'.repeat(12)}${owner.slice(2).toLowerCase()}`, toHex(65, { size: 32 }), '0x00', toHex((signature.length - 2) / 2, { size: 32 }), signature])
  /// What stands behind them in such a part.
  const childSignature = (part) => `0x${part.slice(2 + 2 * 97)}`
  const approvedPart = (owner) => `0x${'00'.repeat(12)}${owner.slice(2).toLowerCase()}${'00'.repeat(32)}01`

  /// A Safe as an owner signs the message that the parent asks about (up to 1.4.1: the preimage of the hash).
  const childSigns = (world, child, message, signer) => signer.signTypedData({
    domain: { chainId: world.chain.chainId, verifyingContract: child }, types: { SafeMessage: [{ name: 'message', type: 'bytes' }] }, primaryType: 'SafeMessage', message: { message } })

  const preimageOf = (world, tx) => world.chain.read(world.safe.address,
    'function encodeTransactionData(address, uint256, bytes, uint8, uint256, uint256, uint256, address, address, uint256) view returns (bytes)',
    tx.to, tx.value, tx.data, tx.operation, tx.safeTxGas, tx.baseGas, tx.gasPrice, tx.gasToken, tx.refundReceiver, tx.nonce)

  const counts = (daemon, id, n) => until(async () => (await daemon.proposal(id)).confirmations === n, { what: async () => `${n} confirmations, has ${(await daemon.proposal(id)).confirmations}` })

  const withChild = async (fn, options = {}) => {
    let child
    const world = await makeWorld({
      ...options,
      safeOwners: async (chain, release) => {
        child = await createSafe(chain, release, { owners: [people.stranger.address], threshold: 1 })
        return [...people.owners.slice(0, 2).map((o) => o.address), child]
      },
    })
    try { await fn(world, world.daemon(), child) } finally { await world.close() }
  }

  test('a Safe as an owner, and an owner\'s approveHash: both count', () => withChild(async (world, daemon, child) => {
    await daemon.start()
    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    const { safe_tx_hash: hash } = await daemon.untilQueued(p.id, 'schedule')
    const { tx } = await world.owners.read(hash)
    const signature = contractPart(child, await childSigns(world, child, await preimageOf(world, tx), people.stranger))
    const answer = await world.owners.post(`/v1/multisig-transactions/${hash}/confirmations/`, { signature })
    assert.equal(answer.status, 201, JSON.stringify(answer.body))
    await counts(daemon, p.id, 1)
    // On chain, and known from there alone: the service is silent meanwhile.
    await world.service.down()
    await world.chain.write(people.owners[1].address, world.safe.address, 'function approveHash(bytes32)', hash)
    await until(async () => (await daemon.proposal(p.id)).confirmations >= 1, { what: 'still counted' })
    await world.service.up()
    const approved = await world.owners.post(`/v1/multisig-transactions/${hash}/confirmations/`, { signature: approvedPart(people.owners[1].address) })
    assert.equal(approved.status, 201, JSON.stringify(approved.body))
    await counts(daemon, p.id, 2)
    assert.deepEqual(await alarms(daemon, /confirmation-denied/), [])
  }))

  test('Safe 1.5.0 asks its contract owners by the hash: that signature counts, one over the preimage does not, both together with approveHash execute', () => withChild(async (world, daemon, child) => {
    await daemon.start()
    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    const { safe_tx_hash: hash } = await daemon.untilQueued(p.id, 'schedule')
    const { tx } = await world.owners.read(hash)
    // What would do for a Safe of before: the service takes no such thing, so it is made to say it.
    const old = contractPart(child, await childSigns(world, child, await preimageOf(world, tx), people.stranger))
    const lie = (one) => {
      if (one?.safeTxHash === hash) one.confirmations = [{ owner: child, submissionDate: '2026-01-01T00:00:00.000000Z', transactionHash: null, signature: old, signatureType: 'CONTRACT_SIGNATURE' }]
      return one
    }
    world.service.fault({ match: /^GET .*multisig-transactions/, times: 1000, mutate: (body) => { body?.results?.forEach(lie); return lie(body) } })
    const asked = world.service.requests.length
    await until(() => world.service.requests.length > asked + 4, { what: 'the first lies' })
    await world.chain.mine(1)
    await untilAlarm(daemon, new RegExp(`\\[confirmation-denied\\].*${child} that the chain denies`))
    assert.equal((await daemon.proposal(p.id)).confirmations, 0)
    world.service.clearFaults()

    const signature = contractPart(child, await childSigns(world, child, hash, people.stranger))
    const answer = await world.owners.post(`/v1/multisig-transactions/${hash}/confirmations/`, { signature })
    assert.equal(answer.status, 201, JSON.stringify(answer.body))
    await counts(daemon, p.id, 1)
    await world.chain.write(people.owners[0].address, world.safe.address, 'function approveHash(bytes32)', hash)
    await counts(daemon, p.id, 2)
    // The Safe itself takes both, ordered by owner, the contract's signature behind the fixed parts.
    const tail = concatHex([toHex((childSignature(signature).length - 2) / 2, { size: 32 }), childSignature(signature)])
    const parts = [[child, concatHex([`0x${'00'.repeat(12)}${child.slice(2)}`, toHex(130, { size: 32 }), '0x00'])], [people.owners[0].address, approvedPart(people.owners[0].address)]]
      .sort(([a], [b]) => (BigInt(a) < BigInt(b) ? -1 : 1)).map(([, part]) => part)
    await world.chain.send({ from: people.relayer.address, to: world.safe.address, gas: 3_000_000, data: encodeFunctionData({
      abi: parseAbi(['function execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes) payable returns (bool)']),
      args: [tx.to, tx.value, tx.data, tx.operation, tx.safeTxGas, tx.baseGas, tx.gasPrice, tx.gasToken, tx.refundReceiver, concatHex([...parts, tail])],
    }) })
    await daemon.untilState(p.id, 'timelock')
  }, { safeVersion: '1.5.0' }))

  test('approveHash counts without the service', () => withChild(async (world, daemon) => {
    await daemon.start()
    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    const { safe_tx_hash: hash } = await daemon.untilQueued(p.id, 'schedule')
    await world.service.down()
    await world.chain.write(people.owners[0].address, world.safe.address, 'function approveHash(bytes32)', hash)
    await counts(daemon, p.id, 1)
    await world.chain.write(people.owners[1].address, world.safe.address, 'function approveHash(bytes32)', hash)
    await counts(daemon, p.id, 2)
    await world.service.up()
  }))

  test('what the service claims and the chain denies does not count and is an alarm', () => withChild(async (world, daemon, child) => {
    await daemon.start()
    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    const { safe_tx_hash: hash } = await daemon.untilQueued(p.id, 'schedule')
    const claim = (owner, signature, signatureType) => ({ owner, submissionDate: '2026-01-01T00:00:00.000000Z', transactionHash: null, signature, signatureType })
    const lies = [
      claim(people.owners[0].address, approvedPart(people.owners[0].address), 'APPROVED_HASH'),
      claim(child, contractPart(child, await childSigns(world, child, '0x1234', people.stranger)), 'CONTRACT_SIGNATURE'),
    ]
    const lie = (tx) => { if (tx?.safeTxHash === hash) tx.confirmations = lies; return tx }
    world.service.fault({ match: /^GET .*multisig-transactions/, times: 1000, mutate: (body) => { body?.results?.forEach(lie); return lie(body) } })
    // A service that is a block ahead of us does not lie: only what the next block denies, too, is an alarm.
    await until(() => world.service.requests.length > 8, { what: 'the first lies' })
    await world.chain.mine(1)
    for (const owner of [people.owners[0].address, child])
      await untilAlarm(daemon, new RegExp(`\\[confirmation-denied\\].*${owner} that the chain denies`))
    assert.equal((await daemon.proposal(p.id)).confirmations, 0)
    world.service.clearFaults()
    await world.owners.confirm(hash, people.owners[0])
    await counts(daemon, p.id, 1)
  }))
})
