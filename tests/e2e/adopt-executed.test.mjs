// What others executed before anybody here saw it: by their Safe past the service, in the timelock, by the owner's account.
// Known calls alone are put down with their end, anything more is told call by call.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { concatHex, encodeFunctionData, encodePacked, parseAbi, size, toHex } from 'viem'
import { makeEif } from '../harness/eif.mjs'
import { callsFor, inOrder } from '../harness/opinion.mjs'
import { makeWorld, people, until } from '../harness/world.mjs'

const inWorld = (options, settings, fn) => async () => {
  const world = await makeWorld({ app: false, ...options })
  try { await fn(world, world.daemon(settings)) } finally { await world.close() }
}

const someValue = (world) => makeEif(world.random).value
const image = (world, value) => {
  const [{ to, data }] = callsFor(world.registry, value)
  return { to, data }
}
const multiSendAbi = parseAbi(['function multiSend(bytes transactions)'])

/// What people's Safe app makes of several calls.
function together(world, list) {
  const packed = concatHex(list.map((c) => encodePacked(['uint8', 'address', 'uint256', 'uint256', 'bytes'], [0, c.to, 0n, BigInt(size(c.data)), c.data])))
  return { to: world.release.multiSendCallOnly, data: encodeFunctionData({ abi: multiSendAbi, functionName: 'multiSend', args: [packed] }), operation: 1 }
}

const alarmsOf = async (daemon, value) => (await daemon.events()).filter((e) => e.type === 'alarm' && e.text.includes(value)).map((e) => e.text)
const register = (daemon, value) => daemon.ctl(['register', value, '--target', 'payments', '--kind', 'os-image'])

/// Put down as theirs, with the transaction, and at its end.
async function putDown(daemon, value, tx, where) {
  const p = await daemon.untilProposal(value, { where: (x) => x.origin === 'external' })
  const done = await daemon.untilState(p.id, 'confirmed')
  assert.deepEqual(done.history.map((h) => h.to), ['drafted', 'executed', 'confirmed'])
  assert.match(done.history[0].reason, where)
  assert.equal(done.history[1].tx, tx)
  await until(async () => (await daemon.measurements(value)).every((m) => m.status === 'authorized'), { what: 'to be authorized' })
  return done
}

/// One that nobody wanted here, one that somebody did; both while the daemon runs, again while it does not; and more than that.
async function walk(world, daemon, { add, where, foreign }) {
  const before = someValue(world)
  await add([before])
  await world.chain.mine(3)
  await daemon.start()
  const [wanted, unknown, later] = [someValue(world), someValue(world), someValue(world)]
  await register(daemon, wanted)
  await daemon.untilMeasurement(wanted, (m) => m.status === 'new')
  const first = await add([wanted])
  const second = await add([unknown])
  const p = await daemon.untilProposal(wanted, { where: (x) => x.origin === 'external' })
  await daemon.untilState(p.id, ['executed', 'confirmed'])
  await world.chain.mine(3)
  await putDown(daemon, wanted, first, where)
  await putDown(daemon, unknown, second, where)
  // What somebody here wants and vouches for needs no alarm; the other change is one, told once.
  const alarm = await daemon.untilAlarm('registry-changed', { text: new RegExp(unknown) })
  assert.match(alarm.text, new RegExp(second))
  assert.equal((await alarmsOf(daemon, unknown)).length, 1)
  assert.deepEqual(await alarmsOf(daemon, wanted), [])
  await daemon.kill9()
  const third = await add([later])
  await world.chain.mine(3)
  await daemon.start()
  await putDown(daemon, later, third, where)
  await daemon.untilAlarm('registry-changed', { text: new RegExp(later) })
  if (foreign) await foreign()
  assert.deepEqual((await daemon.proposals()).filter((x) => x.calls.some((c) => c.value === before)), [], 'history')
  assert.equal((await daemon.proposals()).length, 3, 'each put down once')
  assert.equal((await daemon.ctl(['log', '--verify'])).code, 0)
}

const quiet = { target: { batch: { quiet: '1h' } } }

describe('what others executed', { concurrency: 2 }, () => {
  test('model safe: past the service, and in another batch than our draft; more than known calls is foreign', inWorld({ model: 'safe', safeVersion: '1.3.0' }, quiet, async (world, daemon) => {
    const bySafe = async (call) => {
      const { receipt, tx, hash } = await world.safe.byHand(call)
      return { hash, nonce: tx.nonce, tx: receipt.transactionHash }
    }
    let last
    await walk(world, daemon, {
      add: async (values) => (last = await bySafe(image(world, values[0]))).tx,
      where: new RegExp(`made by others: Safe transaction 0x[0-9a-f]{64} with nonce \\d+ signed by (${people.owners.map((o) => o.address).join('|')}), (${people.owners.map((o) => o.address).join('|')}), executed in transaction`),
      foreign: async () => {
        const p = (await daemon.proposals()).at(-1)
        assert.deepEqual(p.safe_txs.map((t) => [t.purpose, t.safe_tx_hash, BigInt(t.nonce), t.status, t.tx]), [['apply', last.hash, BigInt(last.nonce), 'executed', last.tx]])
        // More than registry calls in it.
        const value = someValue(world)
        const more = await bySafe(together(world, [image(world, value), { to: people.stranger.address, data: '0xdeadbeef' }]))
        const told = await daemon.untilAlarm('foreign')
        for (const part of [more.hash, more.tx, `add os-image ${value} on ${world.registry.kms}`, `an unknown function 0xdeadbeef on ${people.stranger.address}`])
          assert.ok(told.text.includes(part), told.text)
        await world.chain.mine(3)
        await daemon.untilAlarm('registry-changed', { text: new RegExp(value) })
        await daemon.kill9()
        await daemon.start()
        await daemon.untilMeasurement(value, () => false, { timeout: 300 }).catch(() => {})
        assert.deepEqual(await daemon.measurements(value), [], 'none of ours')
        assert.equal((await daemon.alarms('foreign')).length, 1, 'told once')
      },
    })
  }))

  test('model safe: our draft gives way to what they executed, its other values are drafted again; a reorganisation takes it back', inWorld({ model: 'safe' }, { target: { proposer: null, batch: { quiet: '300ms' } } }, async (world, daemon) => {
    await daemon.start()
    const [a, b] = inOrder([someValue(world), someValue(world)].map((v) => ({ ...image(world, v), value: v }))).map((c) => c.value)
    await register(daemon, a)
    await register(daemon, b)
    const ours = await until(async () => (await daemon.proposals()).find((p) => [a, b].every((v) => p.calls.some((c) => c.value === v)) && p.state === 'drafted'), { what: 'both in one draft' })
    await world.safe.byHand(image(world, a))
    const theirs = await daemon.untilProposal(a, { where: (p) => p.origin === 'external' })
    await daemon.untilState(theirs.id, 'executed')
    const gone = await daemon.untilState(ours.id, 'cancelled')
    assert.match(gone.history.at(-1).reason, /gives way to Safe transaction 0x/)
    const again = await daemon.untilProposal(b, { where: (p) => p.id !== ours.id && p.state === 'drafted' })
    assert.deepEqual(again.calls.map((c) => c.value), [b])
    // The Safe's nonce is free again, and everybody can send what was signed.
    await world.chain.reorg(1)
    await world.chain.mine(1)
    await daemon.untilState(theirs.id, 'multisig')
    await world.safe.byHand(image(world, a))
    await daemon.untilState(theirs.id, ['executed', 'confirmed'])
    await world.chain.mine(3)
    await daemon.untilState(theirs.id, 'confirmed')
    // Removed by them: theirs as well, the intent follows, and nothing comes back by itself.
    await daemon.untilMeasurement(a, (m) => m.status === 'authorized')
    const removed = callsFor(world.registry, a, 'remove')[0]
    await daemon.stop()
    const { receipt } = await world.safe.byHand({ to: removed.to, data: removed.data })
    await world.chain.mine(3)
    await daemon.start()
    const removal = await daemon.untilProposal(a, { where: (p) => p.calls[0].action === 'remove' })
    assert.equal(removal.origin, 'external')
    await daemon.untilState(removal.id, 'confirmed')
    await daemon.untilMeasurement(a, (m) => m.status === 'revoked' && m.wanted === 'absent')
    await daemon.untilAlarm('removed-on-chain', { text: new RegExp(receipt.transactionHash) })
    await daemon.untilAlarm('registry-changed', { text: new RegExp(`${a} was removed .*${receipt.transactionHash}`) })
  }))

  test('model direct: the owner sends it by hand', inWorld({ model: 'direct', service: false }, quiet, async (world, daemon) => {
    await walk(world, daemon, {
      add: async (values) => (await world.chain.send({ from: people.deployer.address, ...image(world, values[0]) })).transactionHash,
      where: new RegExp(`made by others: transaction 0x[0-9a-f]{64}, sent by ${people.deployer.address}`),
    })
  }))

  for (const model of ['safe+timelock', 'timelock'])
    test(`model ${model}: scheduled and executed before we saw it`, inWorld({ model, minDelay: 1, open: true, service: false, ...(model === 'timelock' && { proposers: [people.spare.address] }) }, quiet, async (world, daemon) => {
      let n = 100
      await walk(world, daemon, {
        add: async (values) => {
          // In one breath: nobody looks in between.
          const paused = daemon.running
          if (paused) await daemon.stop()
          const operation = await world.timelock.scheduleByHand(values.map((v) => image(world, v)), { salt: toHex(++n, { size: 32 }) })
          await world.chain.advance(5)
          const receipt = await world.timelock.executeByHand(operation)
          if (paused) await daemon.start()
          return (receipt.receipt ?? receipt).transactionHash
        },
        where: /made by others: operation 0x[0-9a-f]{64} of the timelock, scheduled in transaction/,
      })
    }))

  // One operation is followed, another with the same calls is executed: what is followed is of no use any more.
  test('in effect by another operation, model timelock: ours is withdrawn, what others made is told of and not helped on', inWorld({ model: 'timelock', minDelay: 60, open: true, service: false, proposers: [people.spare.address] }, { target: { batch: { quiet: '300ms' }, execute: 'direct', executor: people.executor } }, async (world, daemon) => {
    await daemon.start()
    const [mine, theirs] = [someValue(world), someValue(world)]
    await register(daemon, mine)
    const ours = await daemon.untilProposal(mine)
    const [to, data] = (await daemon.ctl(['export', ours.id, '--format', 'calldata'])).stdout.trim().split(' ')
    await world.chain.send({ from: people.spare.address, to, data })
    await daemon.untilState(ours.id, 'timelock')
    await world.timelock.scheduleByHand([image(world, theirs)], { salt: toHex(1, { size: 32 }), delay: 7200 })
    const external = await daemon.untilProposal(theirs, { where: (p) => p.origin === 'external' })
    await daemon.untilState(external.id, 'timelock')
    for (const m of await daemon.measurements(theirs)) await daemon.ctl(['approve', m.id])
    // Ours would be ready before: it must not run either.
    await daemon.stop()
    const others = []
    for (const [n, value] of [[2, mine], [3, theirs]]) others.push(await world.timelock.scheduleByHand([image(world, value)], { salt: toHex(n, { size: 32 }), delay: 60 }))
    await world.chain.advance(61)
    const executed = []
    for (const operation of others) executed.push((await world.timelock.executeByHand(operation, { from: people.outsider.address })).transactionHash)
    await world.chain.mine(3)
    await daemon.start()
    const own = await daemon.untilAlarm('already-in-effect', { subject: ours.id, text: /withdrawn$/ })
    const alarm = await daemon.untilAlarm('already-in-effect', { subject: external.id, text: /made by others, it is neither withdrawn nor helped on: `registrarctl withdraw/ })
    assert.ok(own.text.includes(executed[0]) && alarm.text.includes(executed[1]), `${own.text}\n${alarm.text}`)
    assert.deepEqual([(await daemon.proposal(ours.id)).flags, (await daemon.proposal(external.id)).flags], [['withdrawing'], []])
    for (const value of [mine, theirs]) await daemon.untilMeasurement(value, (m) => m.status === 'authorized')
    // Its time comes, and the key that could does not send it.
    await world.chain.advance(7200)
    await daemon.untilState(external.id, 'execute')
    await daemon.kill9()
    await daemon.start()
    await world.chain.mine(3)
    await daemon.untilState(external.id, 'execute')
    assert.equal((await daemon.alarms('already-in-effect', external.id)).length, 1, 'told once')
    assert.equal(await world.chain.client.getTransactionCount({ address: people.executor.address }), 0)
    // Whoever made them takes them back; what did run is put down.
    await daemon.ctl(['withdraw', external.id])
    for (const p of [ours, external]) await world.chain.send({ from: people.spare.address, to: world.timelock.address, data: world.timelock.encode('cancel', [p.operation_id]) })
    await world.chain.mine(3)
    for (const p of [ours, external]) assert.match((await daemon.untilState(p.id, 'confirmed')).history.map((h) => h.reason).join(), /already in effect/)
    await world.chain.mine(1)
    for (const [operation, value] of [[others[0], mine], [others[1], theirs]]) {
      const p = await daemon.untilProposal(value, { where: (x) => x.operation_id === operation.id })
      await daemon.untilState(p.id, 'confirmed')
    }
    for (const value of [mine, theirs]) assert.equal((await daemon.ctl(['wait', value, '--timeout', '10s'])).code, 0)
  }))
})
