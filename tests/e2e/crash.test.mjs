// kill -9. In every state, at random instants, and of single roles: nothing lost, nothing proposed twice.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { makeEif } from '../harness/eif.mjs'
import { makeWorld, people, until } from '../harness/world.mjs'
import { seeded, testsDir, tick } from '../harness/util.mjs'

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

const POST = /^POST .*\/v2\/safes\/.*\/multisig-transactions\/$/
const LOOK = /^GET .*\/v2\/safes\/.*\/multisig-transactions\/$/
const READ_BACK = /^GET .*\/v2\/multisig-transactions\//
const sendsRaw = (method) => method === 'eth_sendRawTransaction'

/// Kills the daemon in the middle of its next request that matches, does `act` to provoke that request, starts it again.
/// how: 'before' or 'after' the other side has done its work.
async function killedWithin(source, daemon, match, how, act = async () => {}) {
  const fault = source.fault({ match, times: 1, drop: how, then: () => daemon.kill9() })
  await act()
  await until(() => fault.hits === 1 && !daemon.running, { every: 5, what: () => `the kill ${how} ${match}\n${daemon.tail(15)}` })
  await daemon.start()
}

/// Owners sign whatever is next, and time passes on the chain, until stop() is called.
function peopleGoOn(world) {
  let stopped = false
  const done = (async () => {
    while (!stopped) {
      const nonce = await world.safe.nonce()
      const next = (await world.service.pending(world.safe.address)).find((t) => t.tx.nonce === nonce)
      if (next) {
        await world.owners.approve(next.safeTxHash)
        await tick(300)
        await world.passDelay()
      }
      await tick(50)
    }
  })()
  done.catch(() => {}) // told by stop()
  return { stop: () => { stopped = true; return done } }
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

  test('within each exchange with the service', async () => {
    const world = await makeWorld({ minDelay: 60 })
    try {
      const daemon = world.daemon()
      await daemon.start()
      for (const [match, how] of [[LOOK, 'before'], [POST, 'before'], [POST, 'after'], [READ_BACK, 'after']]) {
        let eif
        await killedWithin(world.service, daemon, match, how, async () => { eif = world.drop() })
        const p = await daemon.untilProposal(eif.value)
        const row = await daemon.untilQueued(p.id, 'schedule')
        await world.owners.approve(row.safe_tx_hash)
        await daemon.untilState(p.id, 'timelock')
        await killedWithin(world.service, daemon, match, how, () => world.passDelay())
        await world.carryOn(daemon, p.id)
      }
      assert.equal([...world.service.transactions.values()].filter((t) => t.posts.length > 0).length, 8)
      await nothingTwice(world, daemon)

      // What was on its way when it died arrives when the next life has asked for it already: the same transaction.
      const eif = makeEif(world.random)
      const late = world.service.fault({ match: POST, times: 1, delay: 800 })
      world.drop('payments', { eif })
      await until(() => late.hits === 1, { every: 5, what: 'the POST that is late' })
      await daemon.kill9()
      await daemon.start()
      const p = await daemon.untilProposal(eif.value)
      const row = await daemon.untilQueued(p.id, 'schedule')
      await tick(900)
      assert.deepEqual((await world.service.pending(world.safe.address)).map((t) => t.safeTxHash), [row.safe_tx_hash])
    } finally { await world.close() }
  })

  test('within the sending of an execution', async () => {
    const world = await makeWorld({ open: true, minDelay: 60 })
    try {
      const daemon = world.daemon({ target: { execute: 'direct', executor: people.executor } })
      await daemon.start()
      for (const [match, how] of [[(m) => m === 'eth_estimateGas', 'before'], [sendsRaw, 'before'], [sendsRaw, 'after']]) {
        const eif = world.drop()
        const p = await daemon.untilProposal(eif.value)
        await world.owners.approve((await daemon.untilQueued(p.id, 'schedule')).safe_tx_hash)
        await daemon.untilState(p.id, 'timelock')
        await killedWithin(world.rpc, daemon, match, how, () => world.passDelay())
        await world.carryOn(daemon, p.id, { execute: 'direct' })
      }
      assert.equal(await world.chain.client.getTransactionCount({ address: people.executor.address }), 3)
      await nothingTwice(world, daemon)
    } finally { await world.close() }
  })

  // Each life ends with its first or second commit after the start, so that every commit is the last one of some life.
  for (const execute of ['safe', 'direct'])
    test(`with each commit to the disk, execution: ${execute}`, async () => {
      const world = await makeWorld({ open: execute === 'direct', minDelay: 60 })
      try {
        const library = join(world.tmp.path, 'die.so')
        execFileSync('cc', ['-shared', '-fPIC', '-o', library, join(testsDir, 'harness', 'die-at-sync.c')])
        const daemon = world.daemon({ target: { execute, executor: execute === 'direct' ? people.executor : undefined } })
        const eif = world.drop()
        const others = peopleGoOn(world)
        let syncs = 3
        for (let quiet = false; !quiet;) {
          const before = daemon.lines.length
          daemon.environment = { LD_PRELOAD: library, DIE_AT_SYNC: String(syncs) }
          await daemon.start({ wait: false })
          quiet = await Promise.race([daemon.ended.then(() => false), tick(2500).then(() => true)])
          if (!quiet && !daemon.lines.slice(before).some((l) => /ready: /.test(l))) syncs++ // a start alone takes so many
          assert.ok(daemon.starts < 60, `no end of it\n${daemon.tail()}`)
        }
        await daemon.kill9()
        daemon.environment = {}
        await daemon.start()
        const [p] = await daemon.proposals()
        await daemon.untilState(p.id, ['executed', 'confirmed']) // a slow machine may have been quiet before that
        await world.chain.mine(3)
        await daemon.untilState(p.id, 'confirmed')
        await others.stop()
        assert.ok(daemon.starts >= 6, `it died in ${daemon.starts} lives only`)
        assert.deepEqual(await world.allowed(eif.value), { kms: true, app: true })
        assert.equal(world.service.posts(people.proposer.address).length, execute === 'safe' ? 2 : 1)
        assert.equal((await daemon.proposal(p.id)).safe_txs.length, execute === 'safe' ? 2 : 1)
        assert.equal(await world.chain.client.getTransactionCount({ address: people.executor.address }), execute === 'safe' ? 0 : 1)
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
