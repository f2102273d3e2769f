// The unhappy ends: signers refuse, the timelock's operation is cancelled, the execute transaction loses its nonce, a
// value is removed on chain. After each of them nothing comes back by itself; approve brings it back.
import assert from 'node:assert/strict'
import { utimesSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { encodeFunctionData } from 'viem'
import { batchOf, callsFor, checkProposal, checkSafeTx, registryAbi } from '../harness/opinion.mjs'
import { makeWorld, people, until } from '../harness/world.mjs'

const inWorld = (options, fn) => async () => {
  const world = await makeWorld(options)
  // Long enough for the approvals of one value's two kinds, which are two commands, to fall into one batch.
  try { await fn(world, world.daemon({ target: { batch: { quiet: '1s' } } })) } finally { await world.close() }
}

/// Everything that might tempt a careless daemon to ask again: touched files, the same build in another folder, a
/// restart with its rescan, blocks and time on the chain.
async function tempt(world, daemon, eif) {
  const now = new Date()
  utimesSync(join(world.folder('payments'), 'release-1', 'enclave.eif'), now, now)
  world.drop('payments', { eif, folder: 'again', nitro: true })
  await daemon.stop()
  await daemon.start()
  world.drop('payments', { eif, folder: 'and-again' })
  await until(async () => (await daemon.measurements(eif.value))[0].evidence.some((e) => e.artifact.includes('and-again')), { what: 'the evidence of the new folder' })
  await world.chain.advance(3600)
  await world.chain.mine(5)
}

/// Held with a reason, no live proposal, nothing new in the service, through all temptations.
async function staysHeld(world, daemon, eif, reason) {
  await daemon.untilMeasurement(eif.value, (m) => m.status === 'held' && reason.test(m.reason))
  const proposals = (await daemon.proposals()).length
  const posts = world.service?.posts().length
  await tempt(world, daemon, eif)
  for (const m of await daemon.measurements(eif.value)) {
    assert.equal(m.status, 'held')
    assert.match(m.reason, reason)
  }
  assert.equal((await daemon.proposals()).length, proposals, 'proposed again by itself')
  assert.equal(world.service?.posts().length, posts, 'posted again by itself')
}

async function approveAll(daemon, value) {
  for (const m of await daemon.measurements(value)) await daemon.ctl(['approve', m.id])
}

describe('unhappy ends', { concurrency: 3 }, () => {
  test('the signers use the nonce for an empty transaction: rejected', inWorld({}, async (world, daemon) => {
    await daemon.start()
    const eif = world.drop()
    let p = await daemon.untilProposal(eif.value)
    const row = await daemon.untilQueued(p.id, 'schedule')
    const waiting = daemon.startCtl(['wait', eif.value, '--timeout', '60s'], { timeout: 70_000 })
    await world.owners.reject(row.safe_tx_hash)
    await world.chain.mine(3)
    p = await daemon.untilState(p.id, 'rejected')
    assert.equal((await waiting.done).code, 2, 'wait says: will not be')
    assert.equal((await world.timelock.timestamp(p.operation_id)), 0)
    assert.equal(p.safe_txs.find((t) => t.purpose === 'schedule').status, 'replaced')
    await staysHeld(world, daemon, eif, /reject|nonce/)
    await approveAll(daemon, eif.value)
    const second = await daemon.untilProposal(eif.value, { where: (x) => x.id !== p.id })
    // The timelock never knew the first operation: the same batch has the same id again.
    assert.equal(second.operation_id, p.operation_id)
    await world.carry(daemon, second.id)
    assert.deepEqual(await world.allowed(eif.value), { kms: true, app: true })
  }))

  test('the signers use the nonce for something else altogether, Safe 1.3.0: rejected', inWorld({ safeVersion: '1.3.0', generation: 1 }, async (world, daemon) => {
    await daemon.start()
    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    await daemon.untilQueued(p.id, 'schedule')
    await world.safe.byHand({ to: people.stranger.address, data: '0x' })
    // At latest, but not yet at finality: not terminal.
    assert.equal((await daemon.proposal(p.id)).state, 'multisig')
    await world.chain.mine(3)
    await daemon.untilState(p.id, 'rejected')
    await staysHeld(world, daemon, eif, /reject|nonce/)
  }))

  test('the operation is cancelled in the timelock: cancelled; approve drafts another attempt', inWorld({ generation: 1 }, async (world, daemon) => {
    await daemon.start()
    const eif = world.drop()
    let p = await daemon.untilProposal(eif.value)
    await world.owners.approve((await daemon.untilQueued(p.id, 'schedule')).safe_tx_hash)
    p = await daemon.untilState(p.id, 'timelock')
    const { receipt } = await world.timelock.cancel(p.operation_id)
    await world.chain.mine(3)
    p = await daemon.untilState(p.id, 'cancelled')
    assert.equal(p.history.at(-1).tx, receipt.transactionHash)
    await staysHeld(world, daemon, eif, /cancel/)
    await approveAll(daemon, eif.value)
    const second = await daemon.untilProposal(eif.value, { where: (x) => x.id !== p.id })
    await world.carry(daemon, second.id)
    assert.deepEqual(await world.allowed(eif.value), { kms: true, app: true })
  }))

  test('the execute transaction loses its nonce: a new attempt in the same state', inWorld({}, async (world, daemon) => {
    await daemon.start()
    const eif = world.drop()
    let p = await daemon.untilProposal(eif.value)
    const { id, batch } = checkProposal(world, p, { values: [eif.value] })
    await world.owners.approve((await daemon.untilQueued(p.id, 'schedule')).safe_tx_hash)
    await daemon.untilState(p.id, 'timelock')
    await world.passDelay()
    const first = await daemon.untilQueued(p.id, 'execute')
    await world.owners.reject(first.safe_tx_hash)
    await world.chain.mine(3)
    const second = await until(async () => (await daemon.proposal(p.id)).safe_txs.find((t) => t.purpose === 'execute' && t.attempt === 2 && t.status === 'queued'), { what: 'the second attempt' })
    p = await daemon.untilState(p.id, 'execute')
    assert.equal(second.nonce, first.nonce + 1)
    assert.equal(p.safe_txs.find((t) => t.purpose === 'execute' && t.attempt === 1).status, 'replaced')
    await checkSafeTx(world, p, 'execute', { batch, id, signer: people.proposer, attempt: 2 })
    await world.owners.approve(second.safe_tx_hash)
    await daemon.untilState(p.id, ['executed', 'confirmed'])
    await world.chain.mine(3)
    await daemon.untilState(p.id, 'confirmed')
  }))

  test('removed on chain: wanted absent, no rescan brings it back, a second registration works', inWorld({}, async (world, daemon) => {
    await daemon.start()
    const eif = world.drop()
    let p = await daemon.untilProposal(eif.value)
    await world.carry(daemon, p.id)
    await world.timelock.runByHand(callsFor(world.registry, eif.value, 'remove'), { salt: `0x${'77'.repeat(32)}` })
    await world.chain.mine(3)
    await daemon.untilMeasurement(eif.value, (m) => m.wanted === 'absent' && m.status === 'revoked')
    assert.equal((await daemon.ctl(['wait', eif.value, '--timeout', '5s'], { ok: false })).code, 2)
    const posts = world.service.posts().length
    await tempt(world, daemon, eif)
    for (const m of await daemon.measurements(eif.value)) assert.deepEqual([m.wanted, m.status], ['absent', 'revoked'])
    assert.equal(world.service.posts().length, posts)
    assert.equal((await daemon.proposals()).filter((x) => x.origin === 'registrard').length, 1)
    // The word of a person brings it back; the first operation is done, so the salt takes the next attempt.
    await approveAll(daemon, eif.value)
    p = await daemon.untilProposal(eif.value, { where: (x) => x.id !== p.id && x.origin === 'registrard' && x.state === 'multisig' })
    checkProposal(world, p, { values: [eif.value], attempt: 1 })
    await world.carry(daemon, p.id)
    assert.deepEqual(await world.allowed(eif.value), { kms: true, app: true })
    assert.equal((await daemon.ctl(['wait', eif.value, '--timeout', '5s'])).code, 0)
  }))

  test('a reorganisation takes the schedule back: the state goes back, and forward again', inWorld({}, async (world, daemon) => {
    await daemon.start()
    const eif = world.drop()
    let p = await daemon.untilProposal(eif.value)
    const row = await daemon.untilQueued(p.id, 'schedule')
    const before = await world.chain.snapshot()
    await world.owners.approve(row.safe_tx_hash)
    await daemon.untilState(p.id, 'timelock')
    await world.chain.revert(before)
    await world.chain.mine(2)
    p = await daemon.untilState(p.id, 'multisig')
    assert.deepEqual(p.history.map((h) => h.to), ['drafted', 'multisig', 'timelock', 'multisig'])
    await world.owners.execute(row.safe_tx_hash)
    await daemon.untilState(p.id, 'timelock')
    assert.equal(world.service.posts().length, 1)
  }))

  test('a build already authorized on chain is recorded and not proposed; half of it: only the other half', inWorld({}, async (world, daemon) => {
    const whole = world.drop(), half = world.drop()
    const addKms = { to: world.registry.kms, data: encodeFunctionData({ abi: registryAbi, functionName: 'addOsImageHash', args: [half.value] }) }
    await world.timelock.runByHand([...callsFor(world.registry, whole.value), addKms])
    await world.chain.mine(3)
    await daemon.start()
    await daemon.untilMeasurement(whole.value, (m) => m.status === 'authorized')
    const p = await daemon.untilProposal(half.value)
    assert.deepEqual(p.calls.map((c) => [c.kind, c.value]), [['compose', half.value]])
    const [, compose] = callsFor(world.registry, half.value)
    assert.equal(p.operation_id, batchOf(world.chain.chainId, world.timelock.address, [compose], 0).id)
    assert.equal((await daemon.proposals()).filter((x) => x.calls.some((c) => c.value === whole.value)).length, 0)
    assert.equal((await daemon.ctl(['wait', whole.value, '--timeout', '5s'])).code, 0)
    await world.carry(daemon, p.id)
  }))

  test('the simulation reverts: shown decoded, nothing proposed; repaired and approved, it goes out', inWorld({ generation: 1, kmsContract: 'Gen1KmsClosed' }, async (world, daemon) => {
    await daemon.start()
    const eif = world.drop()
    await until(async () => JSON.stringify([await daemon.measurements(eif.value), await daemon.proposals()]).includes('the registry is closed'),
      { what: async () => `the decoded revert: ${JSON.stringify([await daemon.measurements(eif.value), await daemon.proposals()])}` })
    await world.chain.mine(3)
    const proposed = (await daemon.proposals()).filter((p) => p.calls.some((c) => c.kind === 'os-image'))
    assert.deepEqual(proposed, [])
    await world.chain.write(people.outsider.address, world.registry.kms, 'function open()')
    const held = (await daemon.measurements(eif.value)).find((m) => m.kind === 'os-image')
    assert.equal(held.status, 'held')
    await daemon.ctl(['approve', held.id])
    const p = await daemon.untilProposal(eif.value, { where: (x) => x.calls.some((c) => c.kind === 'os-image') })
    for (const kind of ['compose', 'os-image']) {
      const one = await daemon.untilProposal(eif.value, { where: (x) => x.calls.some((c) => c.kind === kind) })
      await world.owners.approve((await daemon.untilQueued(one.id, 'schedule')).safe_tx_hash)
    }
    await daemon.untilState(p.id, 'timelock')
  }))

  test('a registry that is not the timelock\'s: nothing is drafted, and repaired it goes out by itself', inWorld({ owned: false, generation: 1 }, async (world, daemon) => {
    await daemon.start()
    const eif = world.drop()
    await daemon.untilMeasurement(eif.value, (m) => m.status === 'new' && /is owned by 0x.*, not by the timelock 0x/.test(m.reason ?? ''))
    await world.chain.mine(3)
    assert.equal(world.service.posts().length, 0)
    assert.deepEqual(await daemon.proposals(), [])
    assert.equal((await daemon.events()).filter((e) => /^\[owner-elsewhere\]/.test(e.text)).length, 1)
    const doctor = await daemon.ctl(['doctor', '--json'], { ok: false })
    assert.equal(doctor.code, 2)
    assert.ok(doctor.json.some((r) => r.result === 'failure' && /owner/i.test(r.check)), doctor.stdout)
    for (const c of [world.registry.kms, world.registry.app]) await world.chain.write(people.deployer.address, c, 'function transferOwnership(address)', world.timelock.address)
    const p = await daemon.untilProposal(eif.value, { where: (x) => x.state === 'multisig' })
    await world.carry(daemon, p.id)
  }))
})
