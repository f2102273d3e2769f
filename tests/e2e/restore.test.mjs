// A copy of the database, restored when the chain and the queue have gone on without it.
import assert from 'node:assert/strict'
import { copyFileSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { makeWorld, until } from '../harness/world.mjs'

const inWorld = (options, fn, settings = {}) => async () => {
  const world = await makeWorld(options)
  try { await fn(world, world.daemon(settings)) } finally { await world.close() }
}

/// Puts the copy in the place of the database.
function restore(daemon, copy) {
  const dir = daemon.config.state_dir
  const name = readdirSync(dir).find((n) => n.endsWith('.db'))
  for (const n of readdirSync(dir).filter((n) => n.startsWith(name))) rmSync(join(dir, n))
  copyFileSync(copy, join(dir, name))
}

/// A copy that knows how far the chain was read, as one of a running daemon does.
async function backup(world, daemon) {
  const copy = join(world.tmp.path, 'copy.db')
  await until(() => daemon.lines.some((l) => /history is read back/.test(l)), { what: 'the history' })
  await daemon.ctl(['backup', copy])
  return copy
}

describe('restored backups', { concurrency: 3 }, () => {
  test('the queue is ahead: what it asks for in other batches is followed and not asked again', inWorld({}, async (world, daemon) => {
    await daemon.start()
    const copy = await backup(world, daemon)
    const a = world.drop()
    await daemon.untilQueued((await daemon.untilProposal(a.value)).id, 'schedule')
    const b = world.drop()
    await daemon.untilQueued((await daemon.untilProposal(b.value)).id, 'schedule')
    await daemon.stop()
    restore(daemon, copy)
    await daemon.start()
    // Both builds are found again by the scan; a draft of them, if there is one by then, gives way to what the queue holds.
    const external = { where: (p) => p.origin === 'external' }
    const first = await daemon.untilProposal(a.value, external)
    const second = await daemon.untilProposal(b.value, external)
    for (const p of [first, second]) await daemon.untilState(p.id, 'multisig')
    assert.equal(world.service.posts().length, 2)
    // The signers carry on with what they have; nothing is proposed when it leaves the queue for the timelock.
    for (const tx of await world.service.pending(world.safe.address)) await world.owners.approve(tx.safeTxHash)
    for (const p of [first, second]) await daemon.untilState(p.id, 'timelock')
    await daemon.untilMeasurement(a.value, (m) => m.status === 'proposed' && m.evidence.some((e) => e.source === 'folder'))
    assert.equal((await daemon.proposals()).filter((p) => p.state === 'timelock').length, 2)
    assert.equal(world.service.posts().length, 2)
    assert.equal((await daemon.ctl(['log', '--verify'])).code, 0)
  }))

  test('the timelock is ahead: the same batch is followed to its end', inWorld({ open: true }, async (world, daemon) => {
    await daemon.start()
    const copy = await backup(world, daemon)
    const a = world.drop()
    const p = await daemon.untilProposal(a.value)
    await world.owners.approve((await daemon.untilQueued(p.id, 'schedule')).safe_tx_hash)
    await daemon.untilState(p.id, 'timelock')
    await daemon.stop()
    restore(daemon, copy)
    await daemon.start()
    const again = await daemon.untilProposal(a.value)
    assert.equal(again.origin, 'external')
    await daemon.untilState(again.id, 'timelock')
    await world.passDelay()
    await world.carryOn(daemon, again.id)
    await daemon.untilState(again.id, 'confirmed')
    assert.equal(world.service.posts().length, 2, 'one schedule, one execute')
  }))

  test('the timelock has two batches: each is followed', inWorld({}, async (world, daemon) => {
    await daemon.start()
    const copy = await backup(world, daemon)
    const a = world.drop()
    await daemon.untilQueued((await daemon.untilProposal(a.value)).id, 'schedule')
    const b = world.drop()
    await daemon.untilQueued((await daemon.untilProposal(b.value)).id, 'schedule')
    for (const tx of await world.service.pending(world.safe.address)) await world.owners.approve(tx.safeTxHash)
    for (const p of await daemon.proposals()) await daemon.untilState(p.id, 'timelock')
    await daemon.stop()
    restore(daemon, copy)
    await daemon.start()
    for (const eif of [a, b]) {
      const p = await daemon.untilProposal(eif.value)
      assert.equal(p.origin, 'external')
      await daemon.untilState(p.id, 'timelock')
    }
    assert.equal((await daemon.proposals()).length, 2, 'not even a draft')
    assert.equal(world.service.posts().length, 2)
  }))
})
