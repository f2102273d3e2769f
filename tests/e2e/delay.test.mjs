// Behind a Zodiac Delay module: a dropped build to confirmed, and every way in which the module's queue says otherwise.
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { callsFor } from '../harness/opinion.mjs'
import { checkEntry, delayTarget, makeDelayWorld } from '../harness/delay.mjs'
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
  }))
})
