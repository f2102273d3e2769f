// kill -9. In every state, at random instants, and of single roles: nothing lost, nothing proposed twice.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { makeEif } from '../harness/eif.mjs'
import { makeWorld, people, until } from '../harness/world.mjs'
import { seeded, tick } from '../harness/util.mjs'

/// What must hold after any number of crashes. Looks at the service and the chain, not at what the daemon says.
async function nothingTwice(world, daemon) {
  for (const t of world.service.transactions.values()) assert.ok(t.posts.length <= 1, `${t.safeTxHash} was posted ${t.posts.length} times`)
  // One live or executed Safe transaction per call: the same calldata under two nonces would be a second proposal.
  const seen = new Map()
  for (const t of world.service.transactions.values()) {
    const key = `${t.tx.to} ${t.tx.data}`
    assert.ok(!seen.has(key) || t.tx.data === '0x', `the same call under nonces ${seen.get(key)} and ${t.tx.nonce}`)
    seen.set(key, t.tx.nonce)
  }
  const proposals = await daemon.proposals()
  const calls = proposals.flatMap((p) => p.calls.map((c) => `${c.to} ${c.data}`))
  assert.equal(new Set(calls).size, calls.length, 'one call, one proposal')
  assert.equal((await daemon.ctl(['log', '--verify'])).code, 0)
}

describe('kill -9', { concurrency: 2 }, () => {
  test('in each state', async () => {
    const world = await makeWorld({ generation: 1 })
    try {
      const daemon = world.daemon()
      const again = async () => {
        await daemon.kill9()
        await daemon.start()
      }
      await daemon.start()
      const eif = world.drop()
      await until(async () => (await daemon.measurements(eif.value)).length > 0, { every: 5, what: 'the measurement' })
      await again() // recorded, perhaps not drafted
      let p = await daemon.untilProposal(eif.value, { every: 5 })
      await again() // drafted, perhaps posting
      await daemon.untilQueued(p.id, 'schedule')
      await again() // multisig, 0 of 2
      const row = await daemon.untilQueued(p.id, 'schedule')
      await world.owners.confirm(row.safe_tx_hash, people.owners[0])
      await until(async () => (await daemon.proposal(p.id)).confirmations === 1, { what: '1 of 2' })
      await daemon.kill9() // the schedule happens while it is down
      await world.owners.approve(row.safe_tx_hash)
      await daemon.start()
      await daemon.untilState(p.id, 'timelock')
      await daemon.kill9() // the delay passes while it is down
      await world.passDelay()
      await daemon.start()
      const run = await daemon.untilQueued(p.id, 'execute')
      await again() // execute
      await daemon.untilState(p.id, 'execute')
      await world.owners.approve(run.safe_tx_hash)
      await daemon.untilState(p.id, ['executed', 'confirmed'])
      await again() // executed, not final
      await world.chain.mine(3)
      p = await daemon.untilState(p.id, 'confirmed')
      await again()
      assert.equal((await daemon.proposal(p.id)).state, 'confirmed')
      const order = p.history.map((h) => h.to)
      assert.deepEqual(order, ['drafted', 'multisig', 'timelock', 'execute', 'executed', 'confirmed'])
      assert.equal(world.service.posts().length, 2)
      await nothingTwice(world, daemon)
    } finally { await world.close() }
  })

  test('50 times at random instants while builds are dropped and signers sign', async () => {
    const seed = Number(process.env.E2E_SEED ?? Date.now() % 1_000_000_007)
    console.log(`# crash.test.mjs: E2E_SEED=${seed}`)
    const random = seeded(seed)
    const world = await makeWorld({ open: true, minDelay: 60, seed })
    try {
      const daemon = world.daemon({ target: { execute: 'direct', executor: people.executor } })
      const eifs = []
      let stop = false
      // People go on signing whether the daemon lives or not.
      const signers = (async () => {
        while (!stop) {
          const nonce = await world.safe.nonce()
          const next = (await world.service.pending(world.safe.address)).find((t) => t.tx.nonce === nonce)
          if (next) await world.owners.approve(next.safeTxHash)
          await tick(40)
        }
      })()
      const clock = (async () => {
        while (!stop) {
          await world.chain.advance(25)
          await tick(150)
        }
      })()
      let failure
      for (const p of [signers, clock]) p.catch((e) => { failure ??= e })
      for (let i = 0; i < 50; i++) {
        await daemon.start({ wait: false })
        if (i % 2 === 0) eifs.push(world.drop('payments', { eif: makeEif(random, { size: 20_000 }) }))
        await tick(random.below(i % 5 === 0 ? 900 : 350))
        await daemon.kill9()
        if (failure) throw failure
      }
      await daemon.start()
      await until(async () => {
        if (failure) throw Object.assign(failure, { fatal: true })
        const all = await daemon.measurements()
        return eifs.every((e) => { const own = all.filter((m) => m.value === e.value); return own.length === 2 && own.every((m) => m.status === 'authorized') })
      }, { timeout: 60_000, every: 200, what: async () => `all of them authorized: ${JSON.stringify((await daemon.proposals()).filter((p) => p.state !== 'confirmed'), null, 1).slice(0, 3000)}\n${daemon.tail()}` })
      stop = true
      await Promise.all([signers, clock])
      for (const e of eifs) assert.deepEqual(await world.allowed(e.value), { kms: true, app: true })
      await nothingTwice(world, daemon)
      // The executor key sent each operation once, in a row of nonces without a gap.
      const executed = (await daemon.proposals()).map((p) => p.history.find((h) => h.to === 'executed').tx)
      assert.equal(BigInt(await world.chain.client.getTransactionCount({ address: people.executor.address })), BigInt(new Set(executed).size))
      assert.ok((await daemon.proposals()).every((p) => p.state === 'confirmed'))
    } finally { await world.close() }
  })

  test('of a measurer or of the signer alone costs nothing', async () => {
    const world = await makeWorld({})
    try {
      const daemon = world.daemon()
      await daemon.start()
      const main = daemon.pid
      assert.ok(daemon.roles('measurer').length >= 1)
      assert.equal(daemon.roles('signer').length, 1)
      const kill = (role) => { for (const pid of daemon.roles(role)) process.kill(pid, 'SIGKILL') }
      const back = (role, before) => until(() => { const now = daemon.roles(role); return now.length >= before.length && !now.some((p) => before.includes(p)) }, { what: `a new ${role}` })

      // Idle ones, then ones at work: a big image keeps a measurer busy.
      let before = daemon.roles('measurer')
      kill('measurer')
      await back('measurer', before)
      const big = makeEif(world.random, { size: 3_000_000 })
      world.drop('payments', { eif: big })
      for (let i = 0; i < 5; i++) { kill('measurer'); await tick(30) }
      const p = await daemon.untilProposal(big.value)
      await daemon.untilQueued(p.id, 'schedule')

      before = daemon.roles('signer')
      kill('signer')
      const eif = world.drop()
      for (let i = 0; i < 8; i++) { kill('signer'); await tick(25) }
      await back('signer', before)
      const q = await daemon.untilProposal(eif.value)
      await daemon.untilQueued(q.id, 'schedule')
      assert.equal(daemon.pid, main)
      assert.ok(daemon.running)
      await nothingTwice(world, daemon)
      assert.equal(world.service.posts().length, 2)
      // And main alone: the others go with it.
      const family = daemon.family()
      process.kill(main, 'SIGKILL')
      await daemon.ended
      await until(() => family.slice(1).every((pid) => { try { process.kill(pid, 0); return false } catch { return true } }), { timeout: 5000, what: 'the roles to die with their parent' })
      await daemon.start()
      assert.equal((await daemon.proposals()).length, 2)
    } finally { await world.close() }
  })
})
