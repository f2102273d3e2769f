// What others put into the queue of a Delay module: any module that is enabled there may, and the logs alone tell of it.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { encodeFunctionData, parseAbi } from 'viem'
import { delayTarget, makeDelayWorld } from '../harness/delay.mjs'
import { makeEif } from '../harness/eif.mjs'
import { callsFor } from '../harness/opinion.mjs'
import { testsDir } from '../harness/util.mjs'
import { people, until } from '../harness/world.mjs'

const LIVE = ['drafted', 'multisig', 'timelock', 'execute', 'executed']
const external = { where: (p) => p.origin === 'external' && LIVE.includes(p.state) }

/// people.spare is another module of the Delay: what it adds is nobody's Safe transaction.
const inWorld = (options, settings, fn) => async () => {
  const world = await makeDelayWorld({ app: false, ...options })
  try {
    const { target, ...more } = settings
    await world.avatar.byHand({ to: world.delay.address, data: encodeFunctionData({ abi: parseAbi(['function enableModule(address)']), args: [people.spare.address] }) })
    world.enqueue = async (entry) => (await world.chain.send({ from: people.spare.address, to: world.delay.address, data: world.delay.enqueueData(entry), gas: 2_000_000 })).transactionHash
    await fn(world, world.daemon({ target: delayTarget(world, { batch: { quiet: '300ms' }, ...target }), ...more }))
  } finally { await world.close() }
}

const someValue = (world) => makeEif(world.random).value
const image = (world, value, action) => callsFor(world.registry, value, action)[0]
const transferOwnership = (world, heir) => ({ to: world.registry.kms, data: encodeFunctionData({ abi: parseAbi(['function transferOwnership(address)']), args: [heir] }) })

async function noCallTwice(daemon) {
  const calls = (await daemon.proposals()).filter((p) => LIVE.includes(p.state)).flatMap((p) => p.calls.map((c) => `${c.to} ${c.data}`))
  assert.equal(new Set(calls).size, calls.length, 'a call in two live proposals')
}

async function confirmed(world, daemon, id) {
  await daemon.untilState(id, ['executed', 'confirmed'])
  await world.chain.mine(3)
  return daemon.untilState(id, 'confirmed')
}

describe('what others enqueued in a Delay module', { concurrency: 2 }, () => {
  test('known calls are followed through the queue, our draft steps back, foreign ones are told and do not run', inWorld({}, { target: { execute: 'direct', executor: people.executor, proposer: null } }, async (world, daemon) => {
    await daemon.start()
    const eif = world.drop(), unknown = someValue(world)
    const ours = await daemon.untilProposal(eif.value)
    const entry = world.delay.entryOf([image(world, eif.value), image(world, unknown)])
    const tx = await world.enqueue(entry)
    const p = await daemon.untilProposal(unknown, external)
    assert.equal(p.operation_id, world.delay.hashOf(entry))
    assert.match(p.history[0].reason, new RegExp(`made by others: entry 0 of the Delay module ${world.delay.address}, added in transaction ${tx}`))
    const gone = await daemon.untilState(ours.id, 'cancelled')
    assert.match(gone.history.at(-1).reason, /gives way to entry 0 of the Delay module/)
    assert.equal((await daemon.untilState(p.id, 'timelock')).history.at(-1).tx, tx)
    await daemon.untilAlarm('unverified', { text: new RegExp(`${p.id}, made by others .* would add os-image ${unknown} to payments`) })
    assert.deepEqual(p.safe_txs, [])

    // More than registry calls, and behind it known ones again.
    await daemon.kill9()
    const heir = people.stranger.address
    const foreign = world.delay.entryOf([image(world, someValue(world)), transferOwnership(world, heir)])
    await world.enqueue(foreign)
    const later = someValue(world)
    await daemon.start()
    await daemon.ctl(['register', later, '--target', 'payments', '--kind', 'os-image'])
    await world.enqueue(world.delay.entryOf([image(world, later)]))
    const told = await daemon.untilAlarm('foreign')
    assert.match(told.text, new RegExp(`entry 1 of the Delay module .*is more than registry calls and none of ours: .*add os-image .*transferOwnership\\(address\\) on ${world.registry.kms} with 0x0{24}${heir.slice(2).toLowerCase()}`))
    const q = await daemon.untilProposal(later, external)
    await daemon.untilState(q.id, 'timelock')
    await noCallTwice(daemon)

    // Nobody here pushes what nobody here has verified, and what stands behind it says who is in the way.
    await world.chain.advance(world.cooldown + 5)
    await daemon.untilState(p.id, 'execute')
    await daemon.untilAlarm('delay-blocked', { subject: q.id, text: new RegExp(`entry 0 of the Delay module .*\\(${p.id}\\), stands before its own \\(2\\), not executed since .*nobody here vouches for it.*setTxNonce\\(1\\).*add os-image ${unknown}`) })
    for (const m of await daemon.measurements(unknown)) await daemon.ctl(['approve', m.id])
    const done = await confirmed(world, daemon, p.id)
    const sent = await world.chain.client.getTransaction({ hash: done.history.find((h) => h.to === 'executed').tx })
    assert.equal(sent.from.toLowerCase(), people.executor.address.toLowerCase())
    assert.equal((await world.allowed(unknown)).kms, true)

    // The foreign one is next: not executed by us, nor do we say how to.
    const blocked = await daemon.untilAlarm('delay-blocked', { subject: q.id, text: /entry 1 .*nobody here vouches for it.*transferOwnership/ })
    assert.doesNotMatch(blocked.text, /executeNextTx/)
    assert.equal(await world.delay.txNonce(), 1)
    const [to, data] = readFileSync(join(daemon.stateDir, 'drafts', `${q.id}-veto-1.calldata`), 'utf8').trim().split(' ')
    await daemon.kill9()
    await world.avatar.byHand({ to, data })
    await daemon.start()
    await confirmed(world, daemon, q.id)
    assert.equal((await world.allowed(later)).kms, true)
    assert.equal((await daemon.alarms('foreign')).length, 1, 'told once')
    assert.equal((await daemon.ctl(['log', '--verify'])).code, 0)
  }))

  test('taken back by a reorganisation, executed and taken back, expired, vetoed: the states move with it', inWorld({ expiration: 600 }, { target: { execute: 'manual', proposer: null } }, async (world, daemon) => {
    await daemon.start()
    const value = someValue(world), entry = world.delay.entryOf([image(world, value)])
    await world.chain.mine(1)
    await world.enqueue(entry)
    const first = await daemon.untilProposal(value, external)
    await daemon.untilState(first.id, 'timelock')
    await world.chain.reorg(1)
    await world.chain.mine(1)
    const gone = await daemon.untilState(first.id, 'cancelled')
    assert.match(gone.history.at(-1).reason, /a reorganisation took back what others had scheduled/)
    await daemon.untilMeasurement(value, (m) => m.status === 'held')

    // Enqueued again, and executed: back to where it was, and on.
    await world.enqueue(entry)
    const p = await daemon.untilProposal(value, external)
    await world.chain.advance(world.cooldown + 5)
    await daemon.untilState(p.id, 'execute')
    await world.delay.execute(entry)
    await daemon.untilState(p.id, 'executed')
    await world.chain.reorg(1)
    await world.chain.mine(1)
    await daemon.untilState(p.id, ['execute', 'timelock'])
    await world.chain.advance(10)
    await world.delay.execute(entry)
    await confirmed(world, daemon, p.id)

    // Two more: one expires in the module, one is vetoed.
    for (const [n, end] of [[1, 'expired'], [2, 'cancelled']]) {
      const other = someValue(world)
      await world.enqueue(world.delay.entryOf([image(world, other)]))
      const q = await daemon.untilProposal(other, external)
      await daemon.untilState(q.id, 'timelock')
      if (end === 'expired') {
        await world.chain.advance(world.cooldown + 700)
        await daemon.untilAlarm('delay-expired', { subject: q.id })
        await world.delay.skipExpired()
      } else {
        await world.delay.veto(n + 1)
      }
      await world.chain.mine(3)
      await daemon.untilState(q.id, end)
      await daemon.untilMeasurement(other, (m) => m.status === 'held')
    }
    await noCallTwice(daemon)
  }))

  test('enqueued and executed while nobody looked: put down with its end; what is told of the change is told once', inWorld({}, { target: { execute: 'manual', proposer: null, batch: { quiet: '1h' } } }, async (world, daemon) => {
    const [before, wanted, unknown] = [someValue(world), someValue(world), someValue(world)]
    const run = async (values) => {
      const entry = world.delay.entryOf(values.map((v) => image(world, v)))
      await world.enqueue(entry)
      await world.chain.advance(world.cooldown + 5)
      return (await world.delay.execute(entry)).transactionHash
    }
    await run([before])
    await world.chain.mine(3)
    await daemon.start()
    await daemon.ctl(['register', wanted, '--target', 'payments', '--kind', 'os-image'])
    await daemon.untilMeasurement(wanted, (m) => m.status === 'new')
    await daemon.stop()
    const [tx, other] = [await run([wanted]), await run([unknown])]
    await daemon.start()
    await world.chain.mine(3)
    for (const [value, hash] of [[wanted, tx], [unknown, other]]) {
      const p = await daemon.untilProposal(value, { where: (x) => x.origin === 'external' })
      const done = await daemon.untilState(p.id, 'confirmed')
      assert.deepEqual(done.history.map((h) => h.to), ['drafted', 'executed', 'confirmed'])
      assert.equal(done.history[1].tx, hash)
      await daemon.untilMeasurement(value, (m) => m.status === 'authorized')
    }
    // Who wanted it here is told nothing; what nobody here vouches for is one alarm, by the change itself.
    await daemon.untilAlarm('registry-changed', { text: new RegExp(unknown) })
    const alarms = (await daemon.events()).filter((e) => e.type === 'alarm').map((e) => e.text)
    assert.equal(alarms.filter((t) => t.includes(unknown)).length, 1, alarms.join('\n'))
    assert.ok(!alarms.some((t) => t.includes(wanted)), alarms.join('\n'))
    // What happened before anybody followed the module is history.
    assert.deepEqual((await daemon.proposals()).filter((p) => p.calls.some((c) => c.value === before)), [])
    await daemon.stop()
    await daemon.start()
    await until(async () => (await daemon.ctl(['status', '--json'])).json, { what: 'the next start' })
    assert.equal((await daemon.proposals()).length, 2, 'put down once')
  }))

  test('in effect past the module: ours is withdrawn, what others enqueued is told of and not helped on', inWorld({}, { target: { execute: 'direct', executor: people.executor } }, async (world, daemon) => {
    await daemon.start()
    const [mine, theirs] = [someValue(world), someValue(world)]
    await daemon.ctl(['register', mine, '--target', 'payments', '--kind', 'os-image'])
    const ours = await daemon.untilProposal(mine)
    await world.owners.approve((await daemon.untilQueued(ours.id, 'schedule')).safe_tx_hash)
    await daemon.untilState(ours.id, 'timelock')
    await world.enqueue(world.delay.entryOf([image(world, theirs)]))
    const p = await daemon.untilProposal(theirs, external)
    await daemon.untilState(p.id, 'timelock')
    for (const m of await daemon.measurements(theirs)) await daemon.ctl(['approve', m.id])
    const direct = []
    for (const value of [mine, theirs]) direct.push((await world.avatar.byHand({ to: world.registry.kms, data: image(world, value).data })).receipt.transactionHash)
    await world.chain.mine(3)
    const own = await daemon.untilAlarm('already-in-effect', { subject: ours.id, text: /withdrawn$/ })
    const alarm = await daemon.untilAlarm('already-in-effect', { subject: p.id, text: /made by others, it is neither withdrawn nor helped on/ })
    assert.ok(own.text.includes(direct[0]) && alarm.text.includes(direct[1]), `${own.text}\n${alarm.text}`)
    await daemon.untilAlarm('not-withdrawn', { subject: ours.id, text: /setTxNonce\(1\)/ })
    for (const value of [mine, theirs]) await daemon.untilMeasurement(value, (m) => m.status === 'authorized')
    // Neither is run by the key that could; the owner passes over both.
    await world.chain.advance(world.cooldown + 5)
    await daemon.untilState(ours.id, 'execute')
    await daemon.kill9()
    await daemon.start()
    await world.delay.veto(1)
    await daemon.untilState(p.id, 'execute')
    await world.chain.mine(3)
    assert.match((await daemon.untilState(ours.id, 'confirmed')).history.map((h) => h.reason).join(), /already in effect/)
    assert.equal(await world.delay.txNonce(), 1, 'nothing was executed')
    assert.equal((await daemon.alarms('already-in-effect', p.id)).length, 1, 'told once')
    await daemon.ctl(['withdraw', p.id])
    await daemon.untilAlarm('not-withdrawn', { subject: p.id, text: /setTxNonce\(2\)/ })
    await world.delay.veto(2)
    await world.chain.mine(3)
    await daemon.untilState(p.id, 'confirmed')
  }))

  test('kill -9 at every commit on the way; an account is who enqueues for us', async () => {
    const world = await makeDelayWorld({ app: false, enqueuer: people.spare.address, service: false })
    try {
      const library = join(world.tmp.path, 'die-at-sync.so')
      execFileSync('cc', ['-shared', '-fPIC', '-o', library, join(testsDir, 'harness/die-at-sync.c')])
      const daemon = world.daemon({ target: delayTarget(world, { execute: 'manual', batch: { quiet: '300ms' } }) })
      const [value, other] = [someValue(world), someValue(world)]
      const entry = world.delay.entryOf([image(world, value)])
      const enqueue = (e) => world.chain.send({ from: people.spare.address, to: world.delay.address, data: world.delay.enqueueData(e), gas: 2_000_000 })
      await daemon.start()
      await daemon.stop()
      await enqueue(entry)
      await enqueue(world.delay.entryOf([image(world, other), transferOwnership(world, people.stranger.address)]))
      for (let at = 1; at < 26; at += 3) {
        daemon.environment = { LD_PRELOAD: library, DIE_AT_SYNC: String(at) }
        await daemon.start({ wait: false })
        await Promise.race([daemon.ended, until(async () => !daemon.running || (await daemon.ctl(['status', '--json'], { ok: false })).code === 0, { what: 'a start' })])
        await daemon.kill9()
      }
      daemon.environment = {}
      await daemon.start()
      const p = await daemon.untilProposal(value, external)
      await daemon.untilState(p.id, 'timelock')
      assert.equal(p.safe, null, 'nobody\'s Safe')
      await daemon.untilAlarm('foreign')
      assert.equal((await daemon.proposals()).length, 1, 'taken over once')
      for (const name of ['foreign', 'unverified']) assert.equal((await daemon.alarms(name)).length, 1, `${name} told once`)
      assert.deepEqual(await daemon.alarms('safe-unreadable'), [])
      assert.equal((await daemon.ctl(['log', '--verify'])).code, 0)
      await world.chain.advance(world.cooldown + 5)
      await world.delay.execute(entry)
      await confirmed(world, daemon, p.id)
    } finally { await world.close() }
  })
})
