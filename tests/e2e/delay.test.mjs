// Behind a Zodiac Delay module: a dropped build to confirmed, and every way in which the module's queue says otherwise.
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { encodeFunctionData, parseAbi } from 'viem'
import { checkEntry, delayTarget, makeDelayWorld } from '../harness/delay.mjs'
import { makeEif } from '../harness/eif.mjs'
import { callsFor } from '../harness/opinion.mjs'
import { people, until } from '../harness/world.mjs'

const inWorld = (options, target, fn) => async () => {
  const world = await makeDelayWorld(options)
  try {
    await fn(world, world.daemon({ target: delayTarget(world, { batch: { quiet: '1s' }, ...target }) }))
  } finally { await world.close() }
}

/// Dropped, drafted, signed, enqueued. Returns what is known of it.
async function enqueued(world, daemon) {
  const eif = world.drop()
  const p = await daemon.untilProposal(eif.value)
  const entry = checkEntry(world, p, [eif.value])
  await world.owners.approve((await daemon.untilQueued(p.id, 'schedule')).safe_tx_hash)
  return { eif, entry, p: await daemon.untilState(p.id, 'timelock') }
}

async function confirmed(world, daemon, id) {
  await daemon.untilState(id, ['executed', 'confirmed'])
  await world.chain.mine(3)
  return daemon.untilState(id, 'confirmed')
}

describe('behind a Delay module', { concurrency: 3 }, () => {
  test('a dropped build to confirmed, the executor key executes it', inWorld({}, { execute: 'direct', executor: people.executor }, async (world, daemon) => {
    await daemon.start()
    const eif = world.drop()
    let p = await daemon.untilProposal(eif.value)
    const entry = checkEntry(world, p, [eif.value])
    assert.equal(entry[3], 1, 'KMS and app: one delegatecall of MultiSendCallOnly')
    const row = await daemon.untilQueued(p.id, 'schedule')
    const { tx } = world.service.transactions.get(row.safe_tx_hash)
    assert.deepEqual([tx.to, tx.data, tx.operation, tx.value], [world.delay.address, world.delay.enqueueData(entry), 0, 0n])
    await world.owners.approve(row.safe_tx_hash)
    p = await daemon.untilState(p.id, 'timelock')
    assert.equal(await world.delay.hash(0), p.operation_id)
    assert.deepEqual(await world.allowed(eif.value), { kms: false, app: false })
    await world.chain.advance(world.cooldown + 5)
    p = await confirmed(world, daemon, p.id)
    const sent = await world.chain.client.getTransaction({ hash: p.history.find((h) => h.to === 'executed').tx })
    assert.deepEqual([sent.from, sent.to, sent.input, sent.value].map(String).map((s) => s.toLowerCase()),
      [people.executor.address, world.delay.address, world.delay.executeData(entry), '0'].map((s) => s.toLowerCase()))
    assert.deepEqual(await world.allowed(eif.value), { kms: true, app: true })
    assert.deepEqual(p.history.map((h) => h.to), ['drafted', 'multisig', 'timelock', 'execute', 'executed', 'confirmed'])
    assert.equal((await daemon.ctl(['wait', eif.value, '--timeout', '5s'])).code, 0)
    // The registry's change is known as ours.
    assert.deepEqual((await daemon.events()).filter((e) => e.type === 'alarm').map((e) => e.text), [])
  }))

  test('one call, no avatar version of ours: Safe 1.3.0, executed by a stranger', inWorld({ app: false, safeVersion: '1.3.0', contract: 'Delay1_0', generation: 1 }, { execute: 'manual' }, async (world, daemon) => {
    await daemon.start()
    const { eif, entry, p } = await enqueued(world, daemon)
    assert.equal(entry[3], 0, 'one call stands in the queue itself')
    await world.chain.advance(world.cooldown + 5)
    await daemon.untilState(p.id, 'execute')
    // What anybody needs: the module's address and the calldata.
    const file = (suffix) => join(daemon.stateDir, 'drafts', `${p.id}-execute-1.${suffix}`)
    await until(() => existsSync(file('calldata')), { what: 'the files' })
    assert.equal(readFileSync(file('calldata'), 'utf8').trim().toLowerCase(), `${world.delay.address} ${world.delay.executeData(entry)}`.toLowerCase())
    assert.match(readFileSync(file('cast'), 'utf8'), /anybody[^]*executeNextTx\(address,uint256,bytes,uint8\)/)
    await world.delay.execute(entry)
    await confirmed(world, daemon, p.id)
    assert.deepEqual(await world.allowed(eif.value), { kms: true, app: undefined })
    // And away again, on the same way.
    await daemon.ctl(['revoke', eif.value, '--target', 'payments'])
    const gone = await daemon.untilProposal(eif.value, { where: (x) => x.id !== p.id })
    const removal = checkEntry(world, gone, [eif.value], 'remove')
    await world.owners.approve((await daemon.untilQueued(gone.id, 'schedule')).safe_tx_hash)
    await daemon.untilState(gone.id, 'timelock')
    await world.chain.advance(world.cooldown + 5)
    await daemon.untilState(gone.id, 'execute')
    await world.delay.execute(removal)
    await confirmed(world, daemon, gone.id)
    assert.deepEqual(await world.allowed(eif.value), { kms: false, app: undefined })
  }))

  test('execute: safe, the enqueuer\'s Safe executes it', inWorld({}, {}, async (world, daemon) => {
    await daemon.start()
    const { eif, entry, p } = await enqueued(world, daemon)
    await world.chain.advance(world.cooldown + 5)
    const row = await daemon.untilQueued(p.id, 'execute')
    assert.equal(world.service.transactions.get(row.safe_tx_hash).tx.data, world.delay.executeData(entry))
    await world.owners.approve(row.safe_tx_hash)
    await confirmed(world, daemon, p.id)
    assert.deepEqual(await world.allowed(eif.value), { kms: true, app: true })
  }))

  test('an account enqueues: the files say what it has to send', inWorld({ enqueuer: people.spare.address, service: false }, { execute: 'direct', executor: people.executor }, async (world, daemon) => {
    await daemon.start()
    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    const entry = checkEntry(world, p, [eif.value])
    assert.deepEqual(p.safe_txs, [])
    const base = join(daemon.stateDir, 'drafts', `${p.id}-schedule-1`)
    await until(() => existsSync(`${base}.calldata`), { what: 'the files' })
    const [to, data] = readFileSync(`${base}.calldata`, 'utf8').trim().split(' ')
    assert.equal(data, world.delay.enqueueData(entry))
    assert.match(readFileSync(`${base}.cast`, 'utf8'), new RegExp(`enqueuer ${people.spare.address}`))
    await world.chain.send({ from: people.spare.address, to, data })
    await daemon.untilState(p.id, 'timelock')
    await world.chain.advance(world.cooldown + 5)
    await confirmed(world, daemon, p.id)
    assert.deepEqual(await world.allowed(eif.value), { kms: true, app: true })
  }))

  test('another entry stands before it: named, with since when; skipped or executed, the queue goes on', inWorld({ expiration: 7200 }, { execute: 'direct', executor: people.executor }, async (world, daemon) => {
    await daemon.start()
    const foreign = world.delay.entryOf([{ to: people.stranger.address, data: '0x1234' }])
    await world.safe.byHand({ to: world.delay.address, data: world.delay.enqueueData(foreign) })
    const added = await world.delay.number('txCreatedAt', 0n)
    await world.chain.advance(60) // so that one expires well before the other
    const { eif, p } = await enqueued(world, daemon)
    await world.chain.advance(world.cooldown + 600)
    const since = new Date((added + world.cooldown) * 1000).toISOString().replace('.000Z', 'Z')
    const alarm = await daemon.untilAlarm('delay-blocked', { subject: p.id })
    assert.ok(alarm.text.includes(since), alarm.text)
    assert.match(alarm.text, new RegExp(`entry 0 of the Delay module ${world.delay.address}, a call of ${people.stranger.address}`))
    assert.equal((await daemon.proposal(p.id)).state, 'timelock')
    const file = join(daemon.stateDir, 'drafts', `${p.id}-front-0.calldata`)
    assert.equal(readFileSync(file, 'utf8').trim(), `${world.delay.address} ${world.delay.executeData(foreign)}`)
    // Then it expires: skipExpired is what helps. Ours has not expired yet.
    await world.chain.advance(added + world.cooldown + 7201 - (await world.chain.now()))
    await daemon.untilAlarm('delay-blocked', { subject: p.id, text: /expired since .*skipExpired/ })
    await world.delay.skipExpired()
    await daemon.untilState(p.id, ['execute', 'executed'])
    await confirmed(world, daemon, p.id)
    assert.deepEqual(await world.allowed(eif.value), { kms: true, app: true })
  }))

  test('it expires in the module: not executed, an alarm; skipExpired ends it, approve asks again', inWorld({ expiration: 600 }, { execute: 'manual' }, async (world, daemon) => {
    await daemon.start()
    const { eif, entry, p } = await enqueued(world, daemon)
    await world.chain.advance(world.cooldown + 5)
    await daemon.untilState(p.id, 'execute')
    await world.chain.advance(700)
    await daemon.untilAlarm('delay-expired', { subject: p.id })
    // It may not run any more, but it is not over: a longer cooldown could bring it back.
    const now = await daemon.untilState(p.id, 'timelock')
    assert.match(now.history.at(-1).reason, /expired in the module/)
    assert.equal((await world.delay.execute(entry, { mayRevert: true })).status, 'reverted')
    assert.equal(readFileSync(join(daemon.stateDir, 'drafts', `${p.id}-skip-0.calldata`), 'utf8').trim(), `${world.delay.address} 0xb19d4758`)
    await world.delay.skipExpired()
    await world.chain.mine(3)
    await daemon.untilState(p.id, 'expired')
    await daemon.untilMeasurement(eif.value, (x) => x.status === 'held' && /expired.*in the module/.test(x.reason))
    assert.equal(await world.delay.txNonce(), 1)
    for (const x of await daemon.measurements(eif.value)) await daemon.ctl(['approve', x.id])
    const second = await daemon.untilProposal(eif.value, { where: (x) => x.id !== p.id })
    // The hash has no number in it: the same batch, another entry.
    assert.equal(second.operation_id, p.operation_id)
    await world.owners.approve((await daemon.untilQueued(second.id, 'schedule')).safe_tx_hash)
    await daemon.untilState(second.id, 'timelock')
    await world.chain.advance(world.cooldown + 5)
    await daemon.untilState(second.id, 'execute')
    await world.delay.execute(entry)
    await confirmed(world, daemon, second.id)
  }))

  for (const [version, contract] of [['1.1', 'Delay'], ['1.0', 'Delay1_0']])
    test(`vetoed by setTxNonce, module ${version}: cancelled, however the nonce rose`, inWorld({ contract }, { execute: 'manual' }, async (world, daemon) => {
      await daemon.start()
      const { eif, p } = await enqueued(world, daemon)
      const receipt = await world.delay.veto(1)
      await world.chain.mine(3)
      const ended = await daemon.untilState(p.id, 'cancelled')
      assert.match(ended.history.at(-1).reason, /vetoed/)
      assert.deepEqual(ended.history.map((h) => h.to), ['drafted', 'multisig', 'timelock', 'cancelled'])
      if (contract === 'Delay') assert.equal(ended.history.at(-1).tx, receipt.transactionHash)
      await daemon.untilMeasurement(eif.value, (m) => m.status === 'held' && /vetoed/.test(m.reason))
      assert.deepEqual(await world.allowed(eif.value), { kms: false, app: false })
      assert.equal((await daemon.ctl(['wait', eif.value, '--timeout', '5s'], { ok: false })).code, 2)
    }))

  test('the Safe\'s owners go past the module: recognised as already in effect', inWorld({}, { execute: 'manual' }, async (world, daemon) => {
    await daemon.start()
    const { eif, p } = await enqueued(world, daemon)
    for (const call of callsFor(world.registry, eif.value)) await world.avatar.byHand({ to: call.to, data: call.data })
    await world.chain.mine(3)
    // The entry can still run, so the proposal is followed; it is not taken for executed.
    assert.equal((await daemon.proposal(p.id)).state, 'timelock')
    assert.equal((await daemon.ctl(['wait', eif.value, '--timeout', '20s'])).code, 0, 'the value is authorized all the same')
    // Passed over, nothing of it can run any more: what it asked for is there.
    await world.delay.veto(1)
    await world.chain.mine(3)
    const done = await daemon.untilState(p.id, 'confirmed')
    assert.match(done.history.map((h) => h.reason).join(), /already in effect/)
    // What they add before anybody drafts it is never proposed.
    const eif2 = makeEif(world.random)
    for (const call of callsFor(world.registry, eif2.value)) await world.avatar.byHand({ to: call.to, data: call.data })
    await world.chain.mine(3)
    world.drop('payments', { eif: eif2 })
    await daemon.untilMeasurement(eif2.value, (m) => m.status === 'authorized')
    assert.deepEqual((await daemon.measurements(eif2.value)).flatMap((m) => m.proposals), [])
  }))

  test('a reorganisation takes entry and execution back, and the states with them', inWorld({}, { execute: 'manual' }, async (world, daemon) => {
    await daemon.start()
    const { entry, p } = await enqueued(world, daemon)
    await world.chain.mine(1)
    await world.chain.reorg(2)
    let now = await daemon.untilState(p.id, 'multisig')
    assert.match(now.history.at(-1).reason, /reorganisation/)
    await world.owners.execute((await daemon.untilQueued(p.id, 'schedule')).safe_tx_hash)
    await daemon.untilState(p.id, 'timelock')
    await world.chain.advance(world.cooldown + 5)
    await daemon.untilState(p.id, 'execute')
    await world.delay.execute(entry)
    await daemon.untilState(p.id, 'executed')
    await world.chain.reorg(1)
    now = await daemon.untilState(p.id, ['execute', 'timelock'])
    assert.match(now.history.at(-1).reason, /reorganisation/)
    await world.chain.advance(world.cooldown + 5)
    await daemon.untilState(p.id, 'execute')
    await world.delay.execute(entry)
    await confirmed(world, daemon, p.id)
  }))

  test('what people enqueued by hand is followed, not asked for again', inWorld({}, { execute: 'manual' }, async (world, daemon) => {
    const eif = makeEif(world.random)
    const entry = world.delay.entryOf(callsFor(world.registry, eif.value))
    await world.safe.byHand({ to: world.delay.address, data: world.delay.enqueueData(entry) })
    await daemon.start()
    world.drop('payments', { eif })
    const p = await daemon.untilProposal(eif.value)
    assert.equal(p.origin, 'external')
    assert.equal(p.operation_id, world.delay.hashOf(entry))
    await daemon.untilState(p.id, 'timelock')
    assert.deepEqual(world.service.posts(), [])
    await world.chain.advance(world.cooldown + 5)
    await daemon.untilState(p.id, 'execute')
    await world.delay.execute(entry)
    await confirmed(world, daemon, p.id)
  }))

  test('an entry with other calls makes this one already: followed, and the rest is drafted beside it', inWorld({}, { execute: 'manual' }, async (world, daemon) => {
    const eif = makeEif(world.random)
    const [image] = callsFor(world.registry, eif.value), [other] = callsFor(world.registry, makeEif(world.random).value)
    const entry = world.delay.entryOf([image, other])
    await world.safe.byHand({ to: world.delay.address, data: world.delay.enqueueData(entry) })
    await daemon.start()
    const theirs = await daemon.untilProposal(eif.value, { where: (p) => p.origin === 'external' })
    assert.equal(theirs.operation_id, world.delay.hashOf(entry))
    world.drop('payments', { eif })
    // The other call is nobody's yet.
    const p = await daemon.untilProposal(eif.value, { where: (x) => x.origin === 'registrard' })
    assert.deepEqual(p.calls.map((c) => c.kind), ['compose'])
    await daemon.untilState(theirs.id, 'timelock')
    await world.chain.advance(world.cooldown + 5)
    await world.delay.execute(entry)
    await confirmed(world, daemon, theirs.id)
    await until(async () => (await daemon.measurements(eif.value)).find((m) => m.kind === 'os-image' && m.status === 'authorized'), { what: 'the image to be authorized' })
  }))

  test('an executor key that may enqueue is refused', inWorld({ enqueuer: people.executor.address, service: false }, { execute: 'direct', executor: people.executor }, async (world, daemon) => {
    await daemon.start()
    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    const entry = checkEntry(world, p, [eif.value])
    await world.chain.send({ from: people.executor.address, to: world.delay.address, data: world.delay.enqueueData(entry) })
    await daemon.untilState(p.id, 'timelock')
    await world.chain.advance(world.cooldown + 5)
    await daemon.untilAlarm('not-executed', { subject: p.id, text: /enabled on the Delay module/ })
    assert.equal((await daemon.proposal(p.id)).state, 'execute')
    await world.delay.execute(entry)
    await confirmed(world, daemon, p.id)
  }))

  test('kill -9 in each state', inWorld({}, { execute: 'direct', executor: people.executor }, async (world, daemon) => {
    const again = async () => { await daemon.kill9(); await daemon.start() }
    await daemon.start()
    const eif = world.drop()
    let p = await daemon.untilProposal(eif.value)
    await again()
    const row = await daemon.untilQueued(p.id, 'schedule')
    await daemon.untilState(p.id, 'multisig')
    await again()
    await world.owners.approve(row.safe_tx_hash)
    await daemon.untilState(p.id, 'timelock')
    await again()
    assert.equal((await daemon.proposal(p.id)).state, 'timelock')
    // While it is down its time comes.
    await daemon.kill9()
    await world.chain.advance(world.cooldown + 5)
    await daemon.start()
    await daemon.untilState(p.id, ['execute', 'executed'])
    await again()
    await daemon.untilState(p.id, 'executed')
    await again()
    p = await confirmed(world, daemon, p.id)
    await again()
    assert.deepEqual(p.history.map((h) => h.to), ['drafted', 'multisig', 'timelock', 'execute', 'executed', 'confirmed'])
    assert.equal((await daemon.proposals()).length, 1)
    assert.equal(await world.delay.queueNonce(), 1, 'enqueued once')
    assert.equal(world.service.posts().length, 1, 'posted once')
    assert.equal((await daemon.ctl(['log', '--verify'])).code, 0)
  }))

  test('doctor: whom the module obeys, how long it waits, and whom it does not bind', inWorld({ expiration: 600 }, { execute: 'direct', executor: people.executor }, async (world, daemon) => {
    const rows = async () => {
      const { json, code } = await daemon.ctl(['doctor', '--json'], { ok: false })
      return { code, of: (check) => json.find((r) => r.target === 'payments' && r.check === check) ?? assert.fail(`no row ${check} in ${json.map((r) => r.check)}`) }
    }
    const ok = (row, found) => { assert.equal(row.result, 'ok', JSON.stringify(row)); assert.match(row.found, found) }
    await daemon.start()
    let d = await rows()
    ok(d.of('Delay module has code'), new RegExp(world.delay.address))
    ok(d.of('Delay module on the Safe'), /^enabled/)
    ok(d.of("Delay module's enqueuer"), /^enabled/)
    ok(d.of("Delay module's avatar"), /Safe of the target/)
    ok(d.of("Delay module's owner"), /the Safe itself/)
    ok(d.of("Delay module's cooldown"), /1h/)
    ok(d.of("Delay module's expiration"), /10m.* after the cooldown/)
    ok(d.of("Delay module's queue"), /empty; the next entry is number 0/)
    ok(d.of('executor key'), /neither enqueue nor veto/)
    ok(d.of('kms owner'), new RegExp(`the Safe ${world.avatar.address}`))
    ok(d.of('MultiSendCallOnly'), /1\.4\.1/)
    const warning = d.of('Safe that owns the registry')
    assert.equal(warning.result, 'warning')
    assert.match(warning.found, /does not bind its own owners: 2 of 3 .* at once/)
    assert.notEqual(d.code, 2, 'a warning is no failure')

    const call = (to, signature, ...args) => world.avatar.byHand({ to, data: encodeFunctionData({ abi: parseAbi([signature]), args }) })
    const sentinel = '0x0000000000000000000000000000000000000001'
    await call(world.delay.address, 'function enableModule(address)', people.executor.address)
    await call(world.delay.address, 'function disableModule(address,address)', people.executor.address, world.enqueuer)
    await call(world.avatar.address, 'function disableModule(address,address)', sentinel, world.delay.address)
    await call(world.delay.address, 'function setTxCooldown(uint256)', 0n)
    await call(world.delay.address, 'function setTarget(address)', people.stranger.address)
    await call(world.delay.address, 'function transferOwnership(address)', people.stranger.address)
    await world.chain.mine(3)
    // Each of them is an alarm, too, with who did it.
    await daemon.untilAlarm('delay-changed', { text: /the cooldown of Delay module .* is now 0 s/ })
    await daemon.untilAlarm('delay-changed', { text: new RegExp(`the target of Delay module .* is now ${people.stranger.address}`) })
    await daemon.untilAlarm('owner-changed', { text: new RegExp(`the owner of Delay module .* to ${people.stranger.address}(?!.*not the Safe of the target)`) })
    await daemon.untilAlarm('module-changed', { text: new RegExp(`${people.executor.address} may now add entries`) })
    await daemon.untilAlarm('module-changed', { text: new RegExp(`${world.enqueuer} may no longer add entries`) })
    await daemon.untilAlarm('module-changed', { text: new RegExp(`Safe ${world.avatar.address}: .*${world.delay.address}`) })
    d = await rows()
    assert.equal(d.code, 2)
    const bad = (check, result, found, fix) => {
      const row = d.of(check)
      assert.deepEqual([row.result, found.test(row.found), fix.test(row.fix)], [result, true, true], JSON.stringify(row))
    }
    bad('Delay module on the Safe', 'failure', /not enabled/, new RegExp(`enableModule\\(${world.delay.address}\\) to ${world.avatar.address}`))
    bad("Delay module's enqueuer", 'failure', /not enabled/, new RegExp(`enableModule\\(${world.enqueuer}\\) to ${world.delay.address}`))
    bad("Delay module's avatar", 'failure', /not both/, /safe/)
    bad("Delay module's owner", 'warning', new RegExp(`${people.stranger.address}, not the Safe`), /pass over/)
    bad("Delay module's cooldown", 'warning', /^0 ?s/, /setTxCooldown/)
    bad('executor key', 'failure', /enabled on the Delay module/, /another key/)
  }))

  test('withdrawn: rejected in the Safe, or by the module\'s owner with the file for it', inWorld({}, { execute: 'manual' }, async (world, daemon) => {
    await daemon.start()
    const first = await enqueued(world, daemon)
    await daemon.ctl(['withdraw', first.p.id])
    const alarm = await daemon.untilAlarm('not-withdrawn', { subject: first.p.id })
    assert.match(alarm.text, /setTxNonce\(1\)/)
    const [to, data] = readFileSync(join(daemon.stateDir, 'drafts', `${first.p.id}-veto-0.calldata`), 'utf8').trim().split(' ')
    assert.match(readFileSync(join(daemon.stateDir, 'drafts', `${first.p.id}-veto-0.cast`), 'utf8'), /owner of the Delay module/)
    // Its time comes, and nothing of ours executes it.
    await world.chain.advance(world.cooldown + 5)
    await daemon.untilState(first.p.id, 'execute')
    await world.avatar.byHand({ to, data })
    await world.chain.mine(3)
    await daemon.untilState(first.p.id, 'cancelled')

    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    const row = await daemon.untilQueued(p.id, 'schedule')
    await daemon.ctl(['withdraw', p.id])
    const rejection = await daemon.untilQueued(p.id, 'reject')
    assert.equal(rejection.nonce, row.nonce)
    await world.owners.approve(rejection.safe_tx_hash)
    await world.chain.mine(3)
    await daemon.untilState(p.id, ['rejected', 'cancelled'])
    assert.equal(await world.delay.queueNonce(), 1)
  }))
})
