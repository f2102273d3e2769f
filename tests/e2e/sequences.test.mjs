// Whatever may happen, in any order: sequences of outside events, chosen at random, against the real contracts. After
// each of them the invariants hold; at the end people sign all that is asked, and everything wanted is authorized.
//
//   make e2e E2E=tests/e2e/sequences.test.mjs     the sequences of `make check`
//   SEQUENCES=200 E2E_SEED=1000 make e2e ...      200 others, from this seed on
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { makeWorld, people, until } from '../harness/world.mjs'
import { seeded } from '../harness/util.mjs'
import { callsFor } from '../harness/opinion.mjs'

const first = Number(process.env.E2E_SEED ?? 1)
const count = Number(process.env.SEQUENCES ?? 4)
const length = Number(process.env.SEQUENCE_EVENTS ?? 14)

const TERMINAL = ['confirmed', 'rejected', 'cancelled', 'failed', 'expired']
const CANCELLED = '0xbaa1eb22f2a492ba1a5fea61b8df4d27c6c8b5f3971e63bb58fa14ff72eedb70'
const FINAL_DEPTH = 2 // blocks, as configured below

const shapes = [
  { generation: 2, safeVersion: '1.4.1', execute: 'safe' },
  { generation: 1, safeVersion: '1.3.0', open: true, execute: 'direct' },
  { generation: 2, safeVersion: '1.4.1', queue: true, execute: 'safe' },
  { generation: 2, safeVersion: '1.5.0', model: 'safe' },
]

/// A proposal that the daemon takes off the queue just when an owner is about to sign it.
async function unlessTakenOff(signing) {
  try { await signing } catch (e) { if (!/the service does not know|confirmation refused/.test(e.message)) throw e }
}

class Sequence {
  constructor(seed) {
    this.seed = seed
    this.random = seeded(seed)
    this.shape = shapes[seed % shapes.length]
    this.timelocked = this.shape.model !== 'safe'
    this.values = new Map() // value -> 'present' | 'absent': what people want
    this.trace = []
    this.confirmed = new Set()
    this.known = new Map() // proposal -> number of history rows seen
  }

  async open() {
    this.world = await makeWorld({ ...this.shape, seed: this.seed, tag: `s${this.seed}` })
    this.daemon = this.world.daemon({
      chain: { confirmations: FINAL_DEPTH, resend_after: undefined },
      target: { execute: this.shape.execute, executor: this.shape.execute === 'direct' ? people.executor : undefined, batch: { quiet: '300ms' } },
    })
    await this.world.chain.mine(FINAL_DEPTH + 2) // no reorganisation takes the world itself away
    await this.daemon.start()
  }

  // ---- events ---------------------------------------------------------------------------------------------------

  /// What stands in the Safe's queue and could be executed next, undefined if nothing.
  async next() {
    const { world } = this
    const nonce = await world.safe.nonce()
    return this.random.pick((await world.service.pending(world.safe.address)).filter((t) => t.tx.nonce === nonce))
  }
  async live() { return (await this.daemon.proposals()).filter((p) => !TERMINAL.includes(p.state)) }
  async scheduled() {
    const out = []
    if (!this.timelocked) return out
    for (const p of await this.live()) if ((await this.world.timelock.timestamp(p.operation_id)) > 1) out.push(p)
    return out
  }

  wanted() { return [...this.values.keys()].filter((v) => this.values.get(v) === 'present') }

  events() {
    const { world, daemon, random } = this
    return {
      drop: [4, async () => { this.values.set(world.drop().value, 'present') }],
      confirm: [3, async () => {
        const tx = random.pick(await world.service.pending(world.safe.address))
        if (!tx) return false
        const open = people.owners.filter((o) => !tx.confirmations.some((c) => c.owner === o.address))
        if (open.length === 0) return false
        await unlessTakenOff(world.owners.confirm(tx.safeTxHash, random.pick(open)))
      }],
      sign: [5, async () => {
        const tx = await this.next()
        if (!tx) return false
        await this.sign(tx)
      }],
      reject: [1, async () => {
        const tx = await this.next()
        if (!tx) return false
        await world.owners.reject(tx.safeTxHash)
      }],
      'burn a nonce': [1, async () => { await world.safe.burnNonce() }],
      cancel: [1, async () => {
        const p = random.pick(await this.scheduled())
        if (!p) return false
        await world.timelock.cancel(p.operation_id)
      }],
      'add by hand': [1, async () => {
        const v = random.pick(this.wanted())
        if (!v) return false
        await this.byHand(callsFor(world.registry, v))
      }],
      'scheduled by others': [2, async () => {
        const v = random.pick(this.wanted())
        if (!this.timelocked || !v || (await world.allowed(v)).kms) return false
        await world.timelock.scheduleByHand(callsFor(world.registry, v), { salt: this.salt() })
      }],
      'remove by hand': [1, async () => {
        const v = random.pick(this.wanted())
        if (!v || !(await world.allowed(v)).kms) return false
        await this.byHand(callsFor(world.registry, v, 'remove'))
        this.values.set(v, 'absent')
      }],
      revoke: [1, async () => {
        const v = random.pick(this.wanted())
        if (!v || (await daemon.measurements(v)).length === 0) return false
        await daemon.ctl(['revoke', v, '--target', 'payments'])
        this.values.set(v, 'absent')
      }],
      withdraw: [1, async () => {
        const p = random.pick((await this.live()).filter((x) => ['drafted', 'multisig', 'timelock'].includes(x.state)))
        if (!p) return false
        await daemon.ctl(['withdraw', p.id], { ok: false }) // it may have gone on meanwhile
      }],
      'half the delay': [2, async () => { await world.chain.advance(1800) }],
      'the delay': [3, async () => { await this.passDelay() }],
      mine: [2, async () => { await world.chain.mine(1 + random.below(4)) }],
      reorg: [2, async () => { await world.chain.reorg(1 + random.below(FINAL_DEPTH)) }],
      'the chain is away': [1, async () => {
        await world.rpc.down()
        await world.chain.mine(1 + random.below(3))
        this.values.set(world.drop().value, 'present')
        await world.rpc.up()
      }],
      'the service is away': [1, async () => {
        await world.service.down()
        this.values.set(world.drop().value, 'present')
        await world.chain.mine(1)
        await world.service.up()
      }],
      'the service lags': [1, async () => { world.service.indexing = !world.service.indexing }],
      'kill -9': [3, async () => {
        await daemon.kill9()
        await daemon.start()
      }],
      'kill -9, and life goes on': [2, async () => {
        await daemon.kill9()
        const tx = await this.next()
        if (tx) await this.sign(tx)
        await this.passDelay()
        await daemon.start()
      }],
      approve: [2, async () => {
        const held = (await daemon.measurements()).filter((m) => m.status === 'held' && m.wanted === 'present')
        if (held.length === 0) return false
        await daemon.ctl(['approve', random.pick(held).id])
      }],
    }
  }

  /// As many signatures as it takes, and its execution, which may revert.
  async sign(tx) { await unlessTakenOff(this.world.owners.approve(tx.safeTxHash, { mayRevert: true })) }
  /// What people do past every queue, along the way that this registry's owner asks for.
  async byHand(calls) {
    if (this.timelocked) return this.world.timelock.runByHand(calls, { salt: this.salt() })
    for (const { to, data } of calls) await this.world.safe.byHand({ to, data })
  }
  async passDelay() {
    if (this.timelocked) await this.world.passDelay()
    else await this.world.chain.advance(3600)
  }
  salt() { return `0x${(0xba5e0000 + this.trace.length).toString(16).padStart(64, '0')}` }

  /// One event, drawn by weight; those that are not possible now are drawn again.
  async step() {
    const events = Object.entries(this.events())
    const total = events.reduce((sum, [, [weight]]) => sum + weight, 0)
    for (let draw = 0; draw < 20; draw++) {
      let at = this.random.below(total)
      const [name, [, act]] = events.find(([, [weight]]) => (at -= weight) < 0)
      this.trace.push(name)
      if ((await act()) !== false) return
      this.trace.pop()
    }
  }

  // ---- invariants -----------------------------------------------------------------------------------------------

  /// What holds at every moment, however far the daemon has come with the last event.
  async always() {
    const proposals = await this.daemon.proposals()
    const live = proposals.filter((p) => !TERMINAL.includes(p.state)).flatMap((p) => p.calls.map((c) => `${c.to} ${c.data}`))
    assert.equal(new Set(live).size, live.length, 'one call in two live proposals')
    for (const p of proposals) {
      assert.ok(p.history.length >= (this.known.get(p.id) ?? 0), `${p.id} lost history`)
      this.known.set(p.id, p.history.length)
      if (p.state === 'confirmed' && !this.confirmed.has(p.id)) {
        await this.trueOnChain(p)
        this.confirmed.add(p.id)
      }
    }
    for (const id of this.known.keys()) assert.ok(proposals.some((p) => p.id === id), `${id} is lost`)
    for (const t of this.world.service.transactions.values()) {
      const posts = t.posts.filter((x) => x.sender === people.proposer.address)
      assert.ok(posts.length <= 1, `${t.safeTxHash} was posted ${posts.length} times`)
    }
  }

  /// confirmed: each call reads as wanted now, or somebody changed it again afterwards.
  async trueOnChain(p) {
    for (const c of p.calls) {
      const { kms, app } = await this.world.allowed(c.value)
      const now = c.kind === 'compose' ? app : kms
      assert.ok(now === (c.action === 'add') || this.values.get(c.value) !== (c.action === 'add' ? 'present' : 'absent'),
        `${p.id} is confirmed, but ${c.kind} ${c.value} reads ${now}`)
    }
  }

  /// What holds once the daemon has seen what the chain says: each state has its cause there.
  async settled() {
    let wrong
    await until(async () => {
      wrong = []
      for (const p of await this.live()) {
        const at = this.timelocked ? await this.world.timelock.timestamp(p.operation_id) : 0
        const inEffect = (await Promise.all(p.calls.map(async (c) => (await this.world.allowed(c.value))[c.kind === 'compose' ? 'app' : 'kms'] === (c.action === 'add')))).every(Boolean)
        const fits = {
          drafted: at === 0,
          multisig: at === 0,
          timelock: at > 1 || (await this.cancelled(p)), // an end waits for finality
          execute: at > 1 || (await this.cancelled(p)),
          executed: at === 1 || inEffect,
        }[p.state]
        const queued = p.safe_txs.some((t) => t.status === 'queued' && this.world.service.transactions.has(t.safe_tx_hash))
        if (!fits) wrong.push(`${p.id} is ${p.state}, its operation's timestamp ${at}, in effect: ${inEffect}`)
        else if (p.state === 'multisig' && !queued && !p.safe_txs.some((t) => t.status === 'executed')) wrong.push(`${p.id} is in multisig, and nothing of it in the queue`)
      }
      for (const v of this.values.keys()) if ((await this.daemon.measurements(v)).length === 0) wrong.push(`${v} is not recorded`)
      return wrong.length === 0
    }, { timeout: 30_000, what: () => `states that fit the chain: ${wrong.join('; ')}` })
  }

  async cancelled(p) {
    const logs = await this.world.chain.rpc('eth_getLogs', { address: this.world.timelock.address, fromBlock: '0x0', topics: [CANCELLED, p.operation_id] })
    return logs.length > 0
  }

  /// What reverts again and again (the execution of what was cancelled) blocks the queue: people reject it.
  async signNext(refused) {
    const { world } = this
    const tx = await this.next()
    if (!tx) return
    await this.sign(tx)
    if ((await world.safe.nonce()) !== tx.tx.nonce) return
    const times = (refused.get(tx.safeTxHash) ?? 0) + 1
    refused.set(tx.safeTxHash, times)
    if (times >= 3) await world.owners.reject(tx.safeTxHash)
  }

  /// People do all that is asked until nothing is left to do; then everything wanted is there, and nothing else.
  async conclude() {
    const { world, daemon } = this
    world.service.indexing = true
    const refused = new Map() // safeTxHash -> how often the Safe reverted
    let left
    await until(async () => {
      for (const m of await daemon.measurements()) if (m.status === 'held' && m.wanted === 'present' && this.values.get(m.value) === 'present') await daemon.ctl(['approve', m.id])
      await this.signNext(refused)
      await this.passDelay()
      await world.chain.mine(FINAL_DEPTH + 1)
      await this.always()
      left = []
      for (const [value, wanted] of this.values)
        for (const m of await daemon.measurements(value))
          if (m.status !== (wanted === 'present' ? 'authorized' : 'revoked')) left.push(`${m.id} ${m.kind} is ${m.status} (${m.reason}), wanted ${wanted}`)
      for (const p of await this.live()) left.push(`${p.id} is ${p.state}`)
      return left.length === 0
    }, { timeout: 90_000, every: 300, what: () => `everything wanted to be authorized: ${left.join('; ')}` })
    for (const [value, wanted] of this.values)
      assert.deepEqual(await world.allowed(value), { kms: wanted === 'present', app: wanted === 'present' }, value)
    assert.equal((await daemon.ctl(['log', '--verify'])).code, 0)
  }

  async run() {
    await this.open()
    for (let i = 0; i < length; i++) {
      await this.step()
      await this.always()
      await this.settled()
    }
    await this.conclude()
  }
}

describe('sequences of outside events', { concurrency: 2 }, () => {
  for (let seed = first; seed < first + count; seed++)
    test(`seed ${seed}`, async () => {
      const sequence = new Sequence(seed)
      try {
        await sequence.run()
      } catch (e) {
        e.message = `seed ${seed}: ${sequence.trace.join(', ')}\n${e.message}\n${sequence.daemon?.tail(60)}`
        throw e
      } finally {
        await sequence.world?.close()
      }
    })
})
