// What people take back: a value that is authorized, drafted, in the queue, in the timelock; a posted proposal; before
// everything else; in one batch with what replaces it. The chain has the last word, and nothing comes back by itself.
import assert from 'node:assert/strict'
import { existsSync, readFileSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { makeEif } from '../harness/eif.mjs'
import { batchOf } from '../harness/opinion.mjs'
import { makeWorld, people, until } from '../harness/world.mjs'
import { tick } from '../harness/util.mjs'

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
  return { a, b, p, row: await daemon.untilQueued(p.id, 'schedule') }
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

  test('what is only drafted is cancelled, without anybody having seen it', inWorld({}, async (world, daemon) => {
    world.service.fault({ match: /^POST .*multisig-transactions\/$/, times: 1000, status: 503 })
    await daemon.start()
    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    await daemon.ctl(['hold', p.id]) // the posting that is refused gives its nonce up
    world.service.clearFaults()
    await revoke(daemon, eif.value)
    await untilRevoked(daemon, eif.value)
    assert.ok(['cancelled', 'rejected'].includes((await daemon.proposal(p.id)).state))
    assert.equal((await daemon.proposals()).length, 1)
    await sane(world, daemon)
  }))

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
})
