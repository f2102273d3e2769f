// What people take back: a value that is authorized, drafted, in the queue, in the timelock; a posted proposal; before
// everything else; in one batch with what replaces it. The chain has the last word, and nothing comes back by itself.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { makeEif } from '../harness/eif.mjs'
import { batchOf } from '../harness/opinion.mjs'
import { makeWorld, people, until } from '../harness/world.mjs'
import { testsDir, tick } from '../harness/util.mjs'

const inWorld = (options, fn, settings = {}) => async () => {
  const world = await makeWorld(options)
  try { await fn(world, world.daemon(settings)) } finally { await world.close() }
}

const purposes = (p) => p.safe_txs.map((t) => t.purpose)
const txOf = (p, purpose) => p.safe_txs.filter((t) => t.purpose === purpose).at(-1)
const revoke = (daemon, value, ...more) => daemon.ctl(['revoke', value, '--target', 'payments', ...more, '--json'])
const carries = (action, value) => (p) => p.calls.some((c) => c.action === action && c.value === value)

/// Two values in one proposal, in the Safe's queue.
async function twoQueued(world, daemon) {
  const [a, b] = [makeEif(world.random), makeEif(world.random)]
  for (const eif of [a, b]) for (const kind of ['os-image', 'compose']) await daemon.ctl(['register', eif.value, '--target', 'payments', '--kind', kind])
  const p = await daemon.untilProposal(b.value, { where: (x) => carries('add', a.value)(x) })
  const row = await daemon.untilQueued(p.id, 'schedule')
  await daemon.untilState(p.id, 'multisig')
  return { a, b, p, row }
}
const slowBatch = { target: { batch: { quiet: '1500ms' } } }

async function authorized(world, daemon) {
  const eif = world.drop()
  const p = await daemon.untilProposal(eif.value)
  await world.carry(daemon, p.id)
  await daemon.untilMeasurement(eif.value, (m) => m.status === 'authorized')
  return eif
}

const untilRemoval = (daemon, value, options = {}) => daemon.untilProposal(value, { ...options, where: (p) => carries('remove', value)(p) && (options.where?.(p) ?? true) })
const untilRevoked = (daemon, value) => daemon.untilMeasurement(value, (m) => m.status === 'revoked' && m.wanted === 'absent')

/// No call in two live proposals; nothing signed that is not ours; the log is whole.
async function sane(world, daemon) {
  const live = (await daemon.proposals()).filter((p) => !['confirmed', 'rejected', 'cancelled', 'failed', 'expired'].includes(p.state))
  const calls = live.flatMap((p) => p.calls.map((c) => `${c.to} ${c.data}`))
  assert.equal(new Set(calls).size, calls.length, 'one live call, one proposal')
  for (const t of world.service.transactions.values()) assert.ok(t.posts.length <= 1, `${t.safeTxHash} was posted ${t.posts.length} times`)
  assert.equal((await daemon.ctl(['log', '--verify'])).code, 0)
}

async function staysAway(world, daemon, eif) {
  const proposals = (await daemon.proposals()).length
  world.drop('payments', { eif, folder: `again-${eif.value.slice(2, 8)}` })
  await daemon.stop()
  await daemon.start()
  await until(async () => (await daemon.measurements(eif.value)).some((m) => m.evidence.some((e) => e.artifact.includes('again-'))), { what: 'the evidence of the new folder' })
  await world.chain.mine(3)
  await tick(500)
  for (const m of await daemon.measurements(eif.value)) assert.deepEqual([m.wanted, m.status], ['absent', 'revoked'])
  assert.equal((await daemon.proposals()).length, proposals, 'proposed again by itself')
}

describe('revoke', { concurrency: 3 }, () => {
  test('what is authorized is removed on the same path, checked to false, and does not come back', inWorld({}, async (world, daemon) => {
    await daemon.start()
    const eif = await authorized(world, daemon)
    const { json } = await revoke(daemon, eif.value)
    assert.deepEqual(json.map((m) => [m.kind, m.wanted, m.value]).sort(), [['compose', 'absent', eif.value], ['os-image', 'absent', eif.value]])
    assert.equal((await daemon.ctl(['wait', eif.value, '--timeout', '5s'], { ok: false })).code, 2)
    let p = await untilRemoval(daemon, eif.value)
    assert.deepEqual(p.calls.map((c) => c.action), ['remove', 'remove'])
    await daemon.untilMeasurement(eif.value, (m) => m.pending === 'remove' && m.status === 'proposed')
    p = await world.carry(daemon, p.id)
    assert.deepEqual(await world.allowed(eif.value), { kms: false, app: false })
    await untilRevoked(daemon, eif.value)
    const events = await daemon.events()
    assert.ok(events.some((e) => e.type === 'operator' && /revoked by uid \d+/.test(e.text)), 'who revoked it')
    assert.ok(!events.some((e) => e.type === 'alarm'), JSON.stringify(events.filter((e) => e.type === 'alarm')))
    await staysAway(world, daemon, eif)
    // A person's word brings it back, and the next removal is another operation.
    for (const m of await daemon.measurements(eif.value)) await daemon.ctl(['approve', m.id])
    const q = await daemon.untilProposal(eif.value, { where: (x) => x.id !== p.id && x.state === 'multisig' && carries('add', eif.value)(x) })
    await world.carry(daemon, q.id)
    await revoke(daemon, eif.value)
    const r = await untilRemoval(daemon, eif.value, { where: (x) => x.id !== p.id })
    assert.notEqual(r.operation_id, p.operation_id)
    await world.carry(daemon, r.id)
    await untilRevoked(daemon, eif.value)
    await sane(world, daemon)
  }, slowBatch))

  test('what is not on chain any more ends without a proposal; what others added is removed with --kind', inWorld({ generation: 1 }, async (world, daemon) => {
    await daemon.start()
    const eif = makeEif(world.random)
    const unknown = await daemon.ctl(['revoke', eif.value, '--target', 'payments'], { ok: false })
    assert.equal(unknown.code, 1, unknown.stderr)
    assert.match(unknown.stderr, /--kind/)
    assert.equal((await daemon.ctl(['revoke', eif.value], { ok: false })).code, 64)
    assert.equal((await daemon.ctl(['revoke', eif.value, '--target', 'payments', '--replace', eif.value], { ok: false })).code, 64)
    await revoke(daemon, eif.value, '--kind', 'os-image')
    await untilRevoked(daemon, eif.value)
    assert.equal((await daemon.proposals()).length, 0)
  }))

  test('what is only drafted is cancelled, without anybody having seen it; the rest of it is drafted again', inWorld({ service: false }, async (world, daemon) => {
    await daemon.start()
    const [a, b] = [makeEif(world.random), makeEif(world.random)]
    for (const eif of [a, b]) for (const kind of ['os-image', 'compose']) await daemon.ctl(['register', eif.value, '--target', 'payments', '--kind', kind])
    const p = await daemon.untilProposal(b.value, { where: carries('add', a.value) })
    await revoke(daemon, a.value)
    const end = await daemon.untilState(p.id, 'cancelled')
    assert.deepEqual(purposes(end), ['schedule'])
    await untilRevoked(daemon, a.value)
    const q = await daemon.untilProposal(b.value, { where: (x) => x.id !== p.id })
    assert.deepEqual(q.calls.map((c) => [c.action, c.value]), [['add', b.value], ['add', b.value]])
    assert.ok((await daemon.measurements(b.value)).every((m) => m.status === 'proposed'))
    assert.equal((await daemon.proposals()).length, 2)
    assert.ok(!(await daemon.events()).some((e) => e.type === 'alarm'))
  }, slowBatch))

  test('what is in the queue: its rejection is proposed and executed; the rest of the batch goes on', inWorld({}, async (world, daemon) => {
    await daemon.start()
    const { a, b, p, row } = await twoQueued(world, daemon)
    await revoke(daemon, a.value)
    const rejection = await daemon.untilQueued(p.id, 'reject')
    assert.equal(rejection.nonce, row.nonce)
    const seen = await daemon.proposal(p.id)
    assert.deepEqual([seen.state, seen.flags], ['multisig', ['withdrawing']])
    assert.equal(seen.safe_tx_hash, rejection.safe_tx_hash, 'what awaits signatures now')
    assert.ok(existsSync(join(daemon.stateDir, 'drafts', `${p.id}-reject-1.json`)))
    const record = world.service.transactions.get(rejection.safe_tx_hash)
    assert.deepEqual([record.tx.to, record.tx.data, record.tx.operation, record.tx.value], [world.safe.address, '0x', 0, 0n])
    assert.match((await daemon.ctl(['status'])).stdout, /rejection with nonce/)
    // Nobody has signed the addition: the service forgets it. That alone frees nothing.
    await until(() => !world.service.transactions.has(row.safe_tx_hash), { what: 'the service to forget the addition' })
    await tick(600)
    assert.equal((await daemon.proposal(p.id)).state, 'multisig')
    assert.equal((await daemon.proposals()).length, 1, 'nothing is drafted while the old one may still run')
    await world.owners.approve(rejection.safe_tx_hash)
    await world.chain.mine(3)
    const end = await daemon.untilState(p.id, 'rejected')
    assert.match(end.history.at(-1).reason, /withdrawn/)
    await untilRevoked(daemon, a.value)
    const q = await daemon.untilProposal(b.value, { where: (x) => x.id !== p.id })
    assert.ok(!carries('add', a.value)(q))
    await world.carry(daemon, q.id)
    assert.deepEqual(await world.allowed(a.value), { kms: false, app: false })
    assert.deepEqual(await world.allowed(b.value), { kms: true, app: true })
    assert.ok(!(await daemon.events()).some((e) => e.type === 'alarm'))
    await sane(world, daemon)
  }, slowBatch))

  test('what is in the queue lands first: it is cancelled in the timelock, by the nonce after it', inWorld({}, async (world, daemon) => {
    await daemon.start()
    const { a, b, p, row } = await twoQueued(world, daemon)
    await world.owners.confirm(row.safe_tx_hash, people.owners[0])
    await world.owners.confirm(row.safe_tx_hash, people.owners[1])
    await until(async () => (await daemon.proposal(p.id)).confirmations === 2, { what: 'two confirmations' })
    await revoke(daemon, a.value)
    await daemon.untilQueued(p.id, 'reject')
    assert.ok(world.service.transactions.has(row.safe_tx_hash), 'what somebody signed is not deleted')
    await world.owners.execute(row.safe_tx_hash)
    await daemon.untilState(p.id, 'timelock')
    const cancel = await daemon.untilQueued(p.id, 'cancel')
    assert.equal(cancel.nonce, row.nonce + 1)
    assert.equal((await daemon.proposal(p.id)).safe_tx_hash, cancel.safe_tx_hash)
    await world.owners.approve(cancel.safe_tx_hash)
    await world.chain.mine(3)
    assert.match((await daemon.untilState(p.id, 'cancelled')).history.at(-1).reason, /withdrawn/)
    assert.equal(await world.timelock.timestamp(p.operation_id), 0)
    await untilRevoked(daemon, a.value)
    const q = await daemon.untilProposal(b.value, { where: (x) => x.id !== p.id })
    await world.carry(daemon, q.id)
    assert.deepEqual(await world.allowed(b.value), { kms: true, app: true })
    await sane(world, daemon)
  }, slowBatch))

  test('what is in the timelock is executed first: its removal is drafted at once', inWorld({ open: true, minDelay: 60 }, async (world, daemon) => {
    await daemon.start()
    const { a, b, p, row } = await twoQueued(world, daemon)
    await world.owners.approve(row.safe_tx_hash)
    await daemon.untilState(p.id, 'timelock')
    await revoke(daemon, a.value)
    const cancel = await daemon.untilQueued(p.id, 'cancel')
    await world.passDelay()
    await daemon.untilState(p.id, 'execute')
    await world.timelock.executeByHand(batchOf(world.chain.chainId, world.timelock.address, p.calls, 0), { from: people.stranger.address })
    const removal = await untilRemoval(daemon, a.value)
    assert.equal((await daemon.proposal(p.id)).state, 'executed', 'at once: its addition is not even final')
    assert.equal(removal.calls.length, 2)
    // The cancellation can only revert now: the removal takes its place.
    assert.equal((await daemon.untilQueued(removal.id, 'schedule')).nonce, cancel.nonce)
    assert.equal(txOf(await daemon.proposal(p.id), 'cancel').status, 'withdrawn')
    await world.chain.mine(3)
    await daemon.untilState(p.id, 'confirmed')
    await daemon.untilMeasurement(b.value, (m) => m.status === 'authorized')
    await world.carry(daemon, removal.id)
    assert.deepEqual(await world.allowed(a.value), { kms: false, app: false })
    assert.deepEqual(await world.allowed(b.value), { kms: true, app: true })
    await untilRevoked(daemon, a.value)
    await sane(world, daemon)
  }, slowBatch))

  test('ready to be executed: the cancellation takes the nonce of the execution', inWorld({ minDelay: 60 }, async (world, daemon) => {
    await daemon.start()
    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    await world.owners.approve((await daemon.untilQueued(p.id, 'schedule')).safe_tx_hash)
    await daemon.untilState(p.id, 'timelock')
    await world.passDelay()
    const run = await daemon.untilQueued(p.id, 'execute')
    await revoke(daemon, eif.value)
    const cancel = await daemon.untilQueued(p.id, 'cancel')
    assert.equal(cancel.nonce, run.nonce, 'only one of them can run')
    await world.owners.approve(cancel.safe_tx_hash)
    await world.chain.mine(3)
    await daemon.untilState(p.id, 'cancelled')
    await untilRevoked(daemon, eif.value)
    assert.deepEqual(await world.allowed(eif.value), { kms: false, app: false })
    await sane(world, daemon)
  }))

  test('--urgent displaces what is in front, which is proposed again', inWorld({ minDelay: 60 }, async (world, daemon) => {
    await daemon.start()
    const eif = await authorized(world, daemon)
    const other = world.drop()
    const p = await daemon.untilProposal(other.value)
    const row = await daemon.untilQueued(p.id, 'schedule')
    const foreign = await world.owners.propose({ to: people.stranger.address, nonce: row.nonce + 1 })
    const { stdout } = await daemon.ctl(['revoke', eif.value, '--target', 'payments', '--urgent'])
    assert.match(stdout, new RegExp(`displaces nonce ${row.nonce}: ${row.safe_tx_hash} of ${p.id}`))
    assert.doesNotMatch(stdout, new RegExp(foreign))
    const removal = await untilRemoval(daemon, eif.value)
    const urgent = await daemon.untilQueued(removal.id, 'schedule')
    assert.equal(urgent.nonce, row.nonce)
    assert.ok((await daemon.events()).some((e) => e.subject === removal.id && /displaces/.test(e.text) && e.text.includes(row.safe_tx_hash)))
    await world.owners.approve(urgent.safe_tx_hash)
    // Until the chain shows the nonce used for good, nothing is asked again.
    await daemon.untilState(removal.id, ['timelock', 'execute'])
    await world.chain.mine(3)
    const again = await until(async () => (await daemon.proposal(p.id)).safe_txs.find((t) => t.purpose === 'schedule' && t.attempt === 2 && t.status === 'queued'), { what: async () => `the second attempt: ${JSON.stringify(await daemon.proposal(p.id), null, 1)}` })
    assert.ok(again.nonce > row.nonce + 1, 'the stranger keeps its nonce')
    const displaced = await daemon.proposal(p.id)
    assert.equal(displaced.operation_id, p.operation_id)
    assert.equal(displaced.safe_txs.find((t) => t.purpose === 'schedule' && t.attempt === 1).status, 'replaced')
    assert.ok((await daemon.measurements(other.value)).every((m) => m.status === 'proposed'))
    await world.owners.approve(foreign)
    await world.owners.approve(again.safe_tx_hash)
    await world.passDelay()
    // Its execution comes first, too.
    const run = await daemon.untilQueued(removal.id, 'execute')
    assert.equal(BigInt(run.nonce), await world.safe.nonce())
    await world.owners.approve(run.safe_tx_hash)
    await world.chain.mine(3)
    const next = await until(async () => (await daemon.proposal(p.id)).safe_txs.find((t) => t.purpose === 'execute' && t.status === 'queued' && t.nonce > run.nonce), { what: 'an execution that can run' })
    await world.owners.approve(next.safe_tx_hash)
    await world.chain.mine(3)
    await daemon.untilState(removal.id, 'confirmed')
    await daemon.untilState(p.id, 'confirmed')
    assert.deepEqual(await world.allowed(eif.value), { kms: false, app: false })
    assert.deepEqual(await world.allowed(other.value), { kms: true, app: true })
    await sane(world, daemon)
  }))

  test('revoked in haste after it was revoked at leisure: another Safe transaction competes, whichever runs first', inWorld({ minDelay: 60 }, async (world, daemon) => {
    await daemon.start()
    const eif = await authorized(world, daemon)
    const other = world.drop()
    const p = await daemon.untilProposal(other.value)
    const front = await daemon.untilQueued(p.id, 'schedule')
    await revoke(daemon, eif.value)
    const removal = await untilRemoval(daemon, eif.value)
    const first = await daemon.untilQueued(removal.id, 'schedule')
    assert.equal(first.nonce, front.nonce + 1)
    const { json } = await revoke(daemon, eif.value, '--urgent')
    assert.deepEqual(json[0].displaces, [{ nonce: front.nonce, safe_tx_hash: front.safe_tx_hash, proposal: p.id, by: 'registrard', withdrawing: false }])
    const second = await until(async () => (await daemon.proposal(removal.id)).safe_txs.find((t) => t.attempt === 2 && t.status === 'queued'), { what: 'the second attempt' })
    assert.equal(second.nonce, front.nonce)
    assert.equal((await daemon.proposals()).length, 3, 'the same proposal')
    await world.owners.approve(second.safe_tx_hash)
    await daemon.untilState(removal.id, ['timelock', 'execute'])
    // The first attempt stands for nothing now: whatever comes next takes its nonce.
    await world.chain.mine(3)
    const again = await until(async () => (await daemon.proposal(p.id)).safe_txs.find((t) => t.attempt === 2 && t.status === 'queued'), { what: 'the displaced to be asked again' })
    assert.equal(again.nonce, first.nonce)
    await world.owners.approve(again.safe_tx_hash)
    await world.passDelay()
    await world.owners.approve((await daemon.untilQueued(removal.id, 'execute')).safe_tx_hash)
    await world.chain.mine(3)
    await untilRevoked(daemon, eif.value)
    await sane(world, daemon)
  }))

  test('a value that another target wants needs --shared, and then goes for both', inWorld({ app: false }, async (world) => {
    const sections = { payments: world.target(), sister: world.target() }
    const daemon = world.daemon({ targets: sections })
    await daemon.start()
    const eif = makeEif(world.random)
    for (const t of ['payments', 'sister']) await daemon.ctl(['register', eif.value, '--target', t, '--kind', 'os-image'])
    const p = await daemon.untilProposal(eif.value)
    await world.carry(daemon, p.id)
    await daemon.untilMeasurement(eif.value, (m) => m.status === 'authorized')
    const refused = await daemon.ctl(['revoke', eif.value, '--target', 'payments'], { ok: false })
    assert.equal(refused.code, 2)
    assert.match(refused.stderr, /sister.*--shared/)
    assert.ok((await daemon.measurements(eif.value)).every((m) => m.wanted === 'present'))
    const { json } = await revoke(daemon, eif.value, '--shared')
    assert.deepEqual(json.map((m) => [m.target, m.wanted]).sort(), [['payments', 'absent'], ['sister', 'absent']])
    const removal = await untilRemoval(daemon, eif.value)
    assert.equal(removal.calls.length, 1)
    await world.carry(daemon, removal.id)
    await untilRevoked(daemon, eif.value)
    assert.equal((await daemon.measurements(eif.value)).length, 2)
    await sane(world, daemon)
  }))

  test('a wrong value is replaced in one batch', inWorld({}, async (world, daemon) => {
    await daemon.start()
    const wrong = await authorized(world, daemon), right = makeEif(world.random)
    const { json } = await revoke(daemon, wrong.value, '--replace', right.value)
    assert.deepEqual(json.map((m) => [m.value, m.wanted]), [[wrong.value, 'absent'], [wrong.value, 'absent'], [right.value, 'present'], [right.value, 'present']])
    const p = await untilRemoval(daemon, wrong.value)
    assert.deepEqual(p.calls.map((c) => [c.action, c.value]).sort(), [['add', right.value], ['add', right.value], ['remove', wrong.value], ['remove', wrong.value]])
    assert.deepEqual(p.calls.map((c) => c.action), ['remove', 'remove', 'add', 'add'], 'removals first')
    await world.carry(daemon, p.id)
    assert.deepEqual(await world.allowed(wrong.value), { kms: false, app: false })
    assert.deepEqual(await world.allowed(right.value), { kms: true, app: true })
    await untilRevoked(daemon, wrong.value)
    await daemon.untilMeasurement(right.value, (m) => m.status === 'authorized')
    assert.equal((await daemon.ctl(['wait', right.value, '--timeout', '10s'])).code, 0)
    await sane(world, daemon)
  }, { target: { batch: { quiet: '100ms', max_calls: 1 } } }))

  test('withdraw of what is posted: rejected, held; approve brings all of it back but what was revoked', inWorld({}, async (world, daemon) => {
    await daemon.start()
    const { a, b, p, row } = await twoQueued(world, daemon)
    const { json } = await daemon.ctl(['withdraw', p.id, '--json'])
    assert.deepEqual([json[0].state, json[0].flags], ['multisig', ['withdrawing']])
    const rejection = await daemon.untilQueued(p.id, 'reject')
    await daemon.ctl(['withdraw', p.id]) // says the same again
    await revoke(daemon, a.value)
    await world.owners.approve(rejection.safe_tx_hash)
    await world.chain.mine(3)
    await daemon.untilState(p.id, 'rejected')
    await untilRevoked(daemon, a.value)
    await daemon.untilMeasurement(b.value, (m) => m.status === 'held' && /withdrawn/.test(m.reason))
    assert.equal((await daemon.ctl(['withdraw', p.id], { ok: false })).code, 2)
    assert.equal((await daemon.proposals()).length, 1)
    await daemon.ctl(['approve', p.id])
    const q = await daemon.untilProposal(b.value, { where: (x) => x.id !== p.id })
    assert.ok(!carries('add', a.value)(q))
    assert.equal(row.nonce + 1, (await daemon.untilQueued(q.id, 'schedule')).nonce)
    await sane(world, daemon)
  }, slowBatch))

  test('a revocation that is taken back: approve withdraws the removal, the value stays authorized', inWorld({}, async (world, daemon) => {
    await daemon.start()
    const eif = await authorized(world, daemon)
    await revoke(daemon, eif.value)
    const removal = await untilRemoval(daemon, eif.value)
    await daemon.untilQueued(removal.id, 'schedule')
    for (const m of await daemon.measurements(eif.value)) await daemon.ctl(['approve', m.id])
    await world.owners.approve((await daemon.untilQueued(removal.id, 'reject')).safe_tx_hash)
    await world.chain.mine(3)
    await daemon.untilState(removal.id, 'rejected')
    await daemon.untilMeasurement(eif.value, (m) => m.status === 'authorized' && m.wanted === 'present')
    assert.deepEqual(await world.allowed(eif.value), { kms: true, app: true })
    assert.equal((await daemon.ctl(['wait', eif.value, '--timeout', '10s'])).code, 0)
    await sane(world, daemon)
  }))

  test('people refuse a removal: held, wanted absent; revoke asks again', inWorld({}, async (world, daemon) => {
    await daemon.start()
    const eif = await authorized(world, daemon)
    await revoke(daemon, eif.value)
    let p = await untilRemoval(daemon, eif.value)
    await world.owners.reject((await daemon.untilQueued(p.id, 'schedule')).safe_tx_hash)
    await world.chain.mine(3)
    await daemon.untilState(p.id, 'rejected')
    await daemon.untilMeasurement(eif.value, (m) => m.status === 'held' && m.wanted === 'absent')
    await tick(600)
    assert.equal((await daemon.proposals()).length, 2)
    await revoke(daemon, eif.value)
    p = await untilRemoval(daemon, eif.value, { where: (x) => x.id !== p.id })
    await world.carry(daemon, p.id)
    await untilRevoked(daemon, eif.value)
    await sane(world, daemon)
  }))

  test('without a proposer key: rejections are files, and what people post of them is found', inWorld({}, async (world, daemon) => {
    await daemon.start()
    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    const row = await until(async () => txOf(await daemon.proposal(p.id), 'schedule'), { what: 'the draft' })
    assert.equal(row.nonce, null)
    const posted = await world.owners.propose({ to: world.timelock.address, data: JSON.parse(readFileSync(join(daemon.stateDir, 'drafts', `${p.id}-schedule-1.json`))).transactions[0].data })
    const queued = await daemon.untilQueued(p.id, 'schedule')
    assert.equal(queued.safe_tx_hash, posted)
    await revoke(daemon, eif.value)
    await until(() => existsSync(join(daemon.stateDir, 'drafts', `${p.id}-reject-1.json`)), { what: 'the file' })
    const draft = JSON.parse(readFileSync(join(daemon.stateDir, 'drafts', `${p.id}-reject-1.json`)))
    assert.deepEqual(draft.transactions.map((t) => [t.to, t.value, t.data]), [[world.safe.address, '0', '0x']])
    assert.match(draft.meta.description, new RegExp(`nonce ${queued.nonce}`))
    const rejection = await world.owners.propose({ to: world.safe.address, nonce: BigInt(queued.nonce) })
    assert.equal((await daemon.untilQueued(p.id, 'reject')).safe_tx_hash, rejection)
    assert.ok(world.service.transactions.has(posted), 'what others posted is theirs to delete')
    await world.owners.approve(rejection)
    await world.chain.mine(3)
    await daemon.untilState(p.id, 'rejected')
    await untilRevoked(daemon, eif.value)
  }, { target: { proposer: null } }))
})

describe('revoke along the other ways', { concurrency: 3 }, () => {
  const file = (daemon, p, purpose) => until(() => { try { return readFileSync(join(daemon.stateDir, 'drafts', `${p.id}-${purpose}-1.calldata`), 'utf8').trim().split('\n').map((l) => l.split(' ')) } catch { return null } }, { what: `the file of ${purpose}` })
  const send = async (world, from, lines) => { for (const [to, data] of lines) await world.chain.send({ from, to, data }) }

  test('model safe: rejected in the queue; landed first, removed; urgent before what waits', inWorld({ model: 'safe' }, async (world, daemon) => {
    await daemon.start()
    const { a, b, p, row } = await (async () => {
      const [a, b] = [makeEif(world.random), makeEif(world.random)]
      for (const eif of [a, b]) for (const kind of ['os-image', 'compose']) await daemon.ctl(['register', eif.value, '--target', 'payments', '--kind', kind])
      const p = await daemon.untilProposal(b.value, { where: carries('add', a.value) })
      return { a, b, p, row: await daemon.untilQueued(p.id, 'apply') }
    })()
    await revoke(daemon, a.value)
    const rejection = await daemon.untilQueued(p.id, 'reject')
    assert.equal(rejection.nonce, row.nonce)
    await world.owners.approve(rejection.safe_tx_hash)
    await world.chain.mine(3)
    await daemon.untilState(p.id, 'rejected')
    await untilRevoked(daemon, a.value)
    // The rest is asked for again; revoked too late, it lands and is removed.
    const q = await daemon.untilProposal(b.value, { where: (x) => x.id !== p.id })
    const second = await daemon.untilQueued(q.id, 'apply')
    await world.owners.confirm(second.safe_tx_hash, people.owners[0])
    await world.owners.confirm(second.safe_tx_hash, people.owners[1])
    const waiting = await world.owners.propose({ to: people.stranger.address, nonce: second.nonce + 1 })
    await revoke(daemon, b.value, '--urgent')
    await daemon.untilQueued(q.id, 'reject')
    await world.owners.execute(second.safe_tx_hash)
    const removal = await untilRemoval(daemon, b.value)
    const urgent = await daemon.untilQueued(removal.id, 'apply')
    assert.equal(urgent.nonce, second.nonce + 1)
    assert.ok((await daemon.events()).some((e) => e.subject === removal.id && e.text.includes(waiting) && /displaces/.test(e.text)))
    await world.owners.approve(urgent.safe_tx_hash)
    await world.chain.mine(3)
    await daemon.untilState(q.id, 'confirmed')
    await daemon.untilState(removal.id, 'confirmed')
    await untilRevoked(daemon, b.value)
    assert.deepEqual(await world.allowed(b.value), { kms: false, app: false })
    await sane(world, daemon)
  }, slowBatch))

  test('model timelock: the cancellation is a file for its canceller; the removal another', inWorld({ model: 'timelock', proposers: [people.outsider.address], service: false, open: true, minDelay: 60 }, async (world, daemon) => {
    await daemon.start()
    const first = world.drop()
    let p = await daemon.untilProposal(first.value)
    await send(world, people.outsider.address, await file(daemon, p, 'schedule'))
    await daemon.untilState(p.id, 'timelock')
    await revoke(daemon, first.value)
    const lines = await file(daemon, p, 'cancel')
    assert.deepEqual(lines, [[world.timelock.address, world.timelock.encode('cancel', [p.operation_id])]])
    assert.match((await daemon.ctl(['export', p.id, '--format', 'cast'])).stdout, /CANCELLER_ROLE/)
    await send(world, people.outsider.address, lines)
    await world.chain.mine(3)
    await daemon.untilState(p.id, 'cancelled')
    await untilRevoked(daemon, first.value)

    const second = world.drop()
    p = await daemon.untilProposal(second.value)
    await send(world, people.outsider.address, await file(daemon, p, 'schedule'))
    await daemon.untilState(p.id, 'timelock')
    await world.passDelay()
    await send(world, people.stranger.address, await file(daemon, p, 'execute'))
    await world.chain.mine(3)
    await daemon.untilState(p.id, 'confirmed')
    await revoke(daemon, second.value)
    const removal = await untilRemoval(daemon, second.value)
    await send(world, people.outsider.address, await file(daemon, removal, 'schedule'))
    await daemon.untilState(removal.id, 'timelock')
    await world.passDelay()
    await send(world, people.stranger.address, await file(daemon, removal, 'execute'))
    await world.chain.mine(3)
    await daemon.untilState(removal.id, 'confirmed')
    await untilRevoked(daemon, second.value)
    assert.deepEqual(await world.allowed(second.value), { kms: false, app: false })
  }, { target: { execute: 'manual' } }))

  test('model timelock: a schedule on its way is waited for, then cancelled', inWorld({ model: 'timelock', proposers: [people.outsider.address, people.scheduler.address], service: false, minDelay: 600 }, async (world, daemon) => {
    await world.chain.rpc('anvil_setBalance', people.scheduler.address, '0xde0b6b3a7640000')
    await daemon.start()
    await world.chain.rpc('evm_setAutomine', false)
    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    await until(async () => (await daemon.events()).some((e) => e.subject === p.id && /sent by the/.test(e.text)), { what: 'the schedule to be sent' })
    await revoke(daemon, eif.value)
    await tick(600)
    await daemon.kill9()
    await daemon.start()
    assert.equal((await daemon.proposal(p.id)).state, 'drafted', 'it may still be mined')
    await world.chain.mine(3)
    await world.chain.rpc('evm_setAutomine', true)
    // The key that scheduled it cancels it.
    await until(async () => { await world.chain.mine(1); return (await daemon.proposal(p.id)).state === 'cancelled' }, { every: 200, what: 'its cancellation' })
    await untilRevoked(daemon, eif.value)
  }, { chain: { resend: '300ms' }, target: { execute: 'manual', scheduler: people.scheduler } }))

  test('model direct: half of it was sent when it is revoked: that half is removed', inWorld({ model: 'direct', service: false }, async (world, daemon) => {
    await daemon.start()
    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    const [first] = await file(daemon, p, 'apply')
    await send(world, people.deployer.address, [first])
    await world.chain.mine(3)
    await until(async () => (await daemon.proposal(p.id)).calls[0].tx, { what: 'the first call to be seen' })
    await revoke(daemon, eif.value)
    await daemon.untilState(p.id, 'cancelled')
    const removal = await untilRemoval(daemon, eif.value)
    assert.equal(removal.calls.length, 1)
    assert.equal(removal.calls[0].to, first[0].toLowerCase())
    await send(world, people.deployer.address, await file(daemon, removal, 'apply'))
    await world.chain.mine(3)
    await daemon.untilState(removal.id, 'confirmed')
    await untilRevoked(daemon, eif.value)
    assert.deepEqual(await world.allowed(eif.value), { kms: false, app: false })
  }))
})

/// People sign what is next in the queue, of several what came last, until stop() is called; time passes for the timelock.
function peopleGoOn(world) {
  let stopped = false
  const done = (async () => {
    while (!stopped) {
      const nonce = await world.safe.nonce()
      const next = (await world.service.pending(world.safe.address)).filter((t) => t.tx.nonce === nonce).at(-1)
      if (next) {
        try {
          await world.owners.approve(next.safeTxHash)
        } catch (e) {
          if (!/does not know|reverted/.test(e.message)) throw e // deleted meanwhile, or too late
        }
        await world.passDelay()
        await world.chain.mine(3)
      }
      await tick(50)
    }
  })()
  done.catch(() => {}) // told by stop()
  return { stop: () => { stopped = true; return done } }
}

describe('revoke and kill -9', { concurrency: 2 }, () => {
  const POST = /^POST .*\/v2\/safes\/.*\/multisig-transactions\/$/
  const DELETE = /^DELETE .*\/v2\/multisig-transactions\//

  /// Kills the daemon within its next request that matches, does `act` to provoke that request, starts it again.
  async function killedWithin(world, daemon, match, how, act) {
    const fault = world.service.fault({ match, times: 1, drop: how, then: () => daemon.kill9() })
    await act()
    await until(() => fault.hits === 1 && !daemon.running, { every: 5, what: () => `the kill ${how} ${match}\n${daemon.tail(15)}` })
    await daemon.start()
  }

  for (const how of ['before', 'after'])
    test(`${how} the rejection and the deletion arrive`, inWorld({}, async (world, daemon) => {
      await daemon.start()
      const { a, b, p, row } = await twoQueued(world, daemon)
      await killedWithin(world, daemon, POST, how, () => revoke(daemon, a.value).catch(() => {}))
      // Whether the answer came or not: it was recorded, or is asked for again.
      await revoke(daemon, a.value)
      if (how === 'after') await killedWithin(world, daemon, DELETE, how, async () => {})
      const rejection = await daemon.untilQueued(p.id, 'reject')
      await until(() => !world.service.transactions.has(row.safe_tx_hash), { what: 'the deletion' })
      assert.deepEqual(purposes(await daemon.proposal(p.id)), ['schedule', 'reject'])
      await daemon.kill9() // the rejection is executed while it is down
      await world.owners.approve(rejection.safe_tx_hash)
      await world.chain.mine(3)
      await daemon.start()
      await daemon.untilState(p.id, 'rejected')
      await untilRevoked(daemon, a.value)
      const q = await daemon.untilProposal(b.value, { where: (x) => x.id !== p.id })
      await world.carry(daemon, q.id)
      await sane(world, daemon)
    }, slowBatch))

  test('before and after a cancellation and an urgent removal arrive', inWorld({ open: true, minDelay: 60 }, async (world, daemon) => {
    await daemon.start()
    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    await world.owners.approve((await daemon.untilQueued(p.id, 'schedule')).safe_tx_hash)
    await daemon.untilState(p.id, 'timelock')
    await killedWithin(world, daemon, POST, 'before', () => revoke(daemon, eif.value, '--urgent').catch(() => {}))
    await revoke(daemon, eif.value, '--urgent')
    await daemon.untilQueued(p.id, 'cancel')
    await world.passDelay()
    await killedWithin(world, daemon, POST, 'after', () => world.timelock.executeByHand(batchOf(world.chain.chainId, world.timelock.address, p.calls, 0), { from: people.stranger.address }))
    const removal = await untilRemoval(daemon, eif.value)
    const row = await daemon.untilQueued(removal.id, 'schedule')
    assert.equal((await daemon.proposals()).length, 2)
    await daemon.kill9() // both go on while it is down
    await world.owners.approve(row.safe_tx_hash)
    await world.passDelay()
    await world.chain.mine(3)
    await daemon.start()
    await daemon.untilState(p.id, 'confirmed')
    await world.carryOn(daemon, removal.id)
    await untilRevoked(daemon, eif.value)
    assert.deepEqual(await world.allowed(eif.value), { kms: false, app: false })
    await sane(world, daemon)
  }))

  // Each life ends with its first or second commit after the start, so that every commit is the last one of some life.
  test('with each commit to the disk, from the revocation to its end', async () => {
    const world = await makeWorld({ minDelay: 60 })
    try {
      const library = join(world.tmp.path, 'die.so')
      execFileSync('cc', ['-shared', '-fPIC', '-o', library, join(testsDir, 'harness', 'die-at-sync.c')])
      const daemon = world.daemon(slowBatch)
      await daemon.start()
      const known = await authorized(world, daemon)
      const { a, b } = await twoQueued(world, daemon)
      await Promise.all([revoke(daemon, a.value), revoke(daemon, known.value, '--urgent')])
      await daemon.kill9()
      const others = peopleGoOn(world)
      const before = daemon.starts
      let syncs = 3
      for (let quiet = false; !quiet;) {
        const seen = daemon.lines.length
        daemon.environment = { LD_PRELOAD: library, DIE_AT_SYNC: String(syncs) }
        await daemon.start({ wait: false })
        quiet = await Promise.race([daemon.ended.then(() => false), tick(4000).then(() => true)])
        if (!quiet && !daemon.lines.slice(seen).some((l) => /ready: /.test(l))) syncs++ // a start alone takes so many
        assert.ok(daemon.starts - before < 90, `no end of it\n${daemon.tail()}`)
      }
      await daemon.kill9()
      daemon.environment = {}
      await daemon.start()
      await untilRevoked(daemon, a.value)
      await untilRevoked(daemon, known.value)
      await daemon.untilMeasurement(b.value, (m) => m.status === 'authorized', { timeout: 40_000 })
      await others.stop()
      assert.ok(daemon.starts - before >= 6, `it died in ${daemon.starts - before} lives only`)
      assert.deepEqual(await world.allowed(a.value), { kms: false, app: false })
      assert.deepEqual(await world.allowed(known.value), { kms: false, app: false })
      assert.deepEqual(await world.allowed(b.value), { kms: true, app: true })
      await sane(world, daemon)
    } finally { await world.close() }
  })
})
