// The two keys: what they may be, what they may not be, how they are stored.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { recoverAddress } from 'viem'
import { writeSecret } from '../harness/daemon.mjs'
import { roles } from '../harness/deploy.mjs'
import { checkProposal, checkSafeTx } from '../harness/opinion.mjs'
import { keystore } from '../harness/keystore.mjs'
import { makeWorld, people, until } from '../harness/world.mjs'

const inWorld = (options, fn, settings = {}) => async () => {
  const world = await makeWorld(options)
  try { await fn(world, typeof settings === 'function' ? world.daemon(settings(world)) : world.daemon(settings)) } finally { await world.close() }
}

/// doctor must fail and say so about this; nothing may have been posted.
async function refused(world, daemon, about) {
  const doctor = await daemon.ctl(['doctor', '--json'], { ok: false })
  assert.equal(doctor.code, 2, doctor.stdout)
  const failures = doctor.json.filter((r) => r.result === 'failure')
  assert.ok(failures.some((f) => about.test(JSON.stringify(f))), doctor.stdout)
  assert.ok(failures.every((f) => f.fix), 'each failure says what to do')
}

/// Drafted with its files, but never posted: time enough has passed when the chain followed several blocks.
async function draftedOnly(world, daemon) {
  const eif = world.drop()
  const p = await daemon.untilProposal(eif.value)
  for (let i = 0; i < 5; i++) {
    await world.chain.mine(1)
    await until(async () => world.rpc.count() > 0)
    await new Promise((ok) => setTimeout(ok, 250)) // more than one tick each: absence can only be waited for
  }
  assert.equal((await daemon.proposal(p.id)).state, 'drafted')
  assert.deepEqual(world.service.posts(), [])
  return { eif, p }
}

describe('keys', { concurrency: 3 }, () => {
  test('an owner\'s key as proposer is refused', inWorld({}, async (world, daemon) => {
    daemon.expectBroken(/owner/)
    await daemon.start()
    await draftedOnly(world, daemon)
    await refused(world, daemon, /owner/)
  }, (world) => ({ target: { proposer: people.owners[0] } })))

  test('an owner\'s key with proposer_may_confirm: proposes, and that is a confirmation', inWorld({}, async (world, daemon) => {
    await daemon.start()
    const eif = world.drop()
    let p = await daemon.untilProposal(eif.value)
    await daemon.untilQueued(p.id, 'schedule')
    p = await until(async () => { const x = await daemon.proposal(p.id); return x.confirmations === 1 && x }, { what: 'its own confirmation' })
    const { id, batch } = checkProposal(world, p, { values: [eif.value] })
    await checkSafeTx(world, p, 'schedule', { batch, id, signer: people.owners[1], delay: 3600 })
    await world.carry(daemon, p.id)
  }, () => ({ target: { proposer: people.owners[1], proposer_may_confirm: true } })))

  test('with a threshold of 1 an owner\'s key is refused in any case', inWorld({ threshold: 1 }, async (world, daemon) => {
    daemon.expectBroken(/owner|threshold/)
    await daemon.start()
    await draftedOnly(world, daemon)
    await refused(world, daemon, /owner|threshold/)
  }, () => ({ target: { proposer: people.owners[0], proposer_may_confirm: true } })))

  test('a key that is no delegate posts nothing; named a delegate, it does', inWorld({}, async (world, daemon) => {
    daemon.expectBroken(/delegate/)
    world.service.removeDelegate(people.proposer.address)
    await daemon.start()
    const { p } = await draftedOnly(world, daemon)
    await refused(world, daemon, /delegate/)
    await world.owners.addDelegate(people.proposer.address)
    await daemon.untilQueued(p.id, 'schedule', { timeout: 30_000 })
  }))

  for (const kdf of ['scrypt', 'pbkdf2'])
    test(`a keystore file (${kdf}) with its password file`, inWorld({}, async (world, daemon) => {
      await daemon.start()
      const eif = world.drop()
      const p = await daemon.untilProposal(eif.value)
      const row = await daemon.untilQueued(p.id, 'schedule')
      const [post] = world.service.transactions.get(row.safe_tx_hash).posts
      assert.equal(await recoverAddress({ hash: row.safe_tx_hash, signature: post.signature }), people.proposer.address)
    }, (world) => ({ target: {
      proposer_key_file: writeSecret(join(world.tmp.path, 'key.json'), keystore(people.proposer.key, 'a pass phrase', { kdf })),
      proposer_key_password_file: writeSecret(join(world.tmp.path, 'password'), 'a pass phrase'),
    } })))

  test('an executor key that could also schedule or cancel is refused', inWorld({ open: true }, async (world, daemon) => {
    daemon.expectBroken(/executor|role/)
    await grant(world, roles.canceller, people.executor.address)
    await daemon.start()
    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    await world.owners.approve((await daemon.untilQueued(p.id, 'schedule')).safe_tx_hash)
    await daemon.untilState(p.id, 'timelock')
    await world.passDelay()
    await daemon.untilState(p.id, 'execute')
    await refused(world, daemon, /cancel|role/i)
    for (let i = 0; i < 5; i++) { await world.chain.mine(1); await new Promise((ok) => setTimeout(ok, 250)) }
    assert.equal((await daemon.proposal(p.id)).state, 'execute')
    assert.equal(await world.chain.client.getTransactionCount({ address: people.executor.address }), 0)
  }, () => ({ target: { execute: 'direct', executor: people.executor } })))

  test('direct execution with a stuck transaction: sent again with a higher fee', inWorld({ open: true }, async (world, daemon) => {
    await daemon.start()
    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    await world.owners.approve((await daemon.untilQueued(p.id, 'schedule')).safe_tx_hash)
    await daemon.untilState(p.id, 'timelock')
    await world.passDelay()
    await world.chain.rpc('evm_setAutomine', false)
    const sent = () => world.rpc.calls.filter((c) => c.method === 'eth_sendRawTransaction').map((c) => c.params[0])
    await until(() => new Set(sent()).size >= 2, { timeout: 30_000, what: 'a second, dearer transaction' })
    const { parseTransaction } = await import('viem')
    const all = [...new Set(sent())].map((raw) => parseTransaction(raw))
    assert.equal(new Set(all.map((t) => t.nonce)).size, 1, 'the same nonce')
    for (let i = 1; i < all.length; i++) {
      assert.ok(all[i].maxFeePerGas > all[i - 1].maxFeePerGas)
      assert.ok(all[i].maxPriorityFeePerGas > all[i - 1].maxPriorityFeePerGas)
    }
    await world.chain.rpc('evm_setAutomine', true)
    await world.chain.mine(1)
    await daemon.untilState(p.id, ['executed', 'confirmed'])
    await world.chain.mine(3)
    await daemon.untilState(p.id, 'confirmed')
    assert.equal(await world.chain.client.getTransactionCount({ address: people.executor.address }), 1)
  }, () => ({ target: { execute: 'direct', executor: people.executor }, chain: { resend: '1s' } })))
})

/// The timelock administers itself: a role is granted through it.
async function grant(world, role, address) {
  const data = world.timelock.encode('grantRole', [role, address])
  await world.timelock.runByHand([{ to: world.timelock.address, data }], { salt: `0x${'99'.repeat(32)}` })
}
