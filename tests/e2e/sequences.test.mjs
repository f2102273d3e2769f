// Whatever may happen, in any order: sequences of outside events, chosen at random, against the real contracts, along every
// way of governance. After each of them the invariants hold (tests/harness/sequence/witness.mjs: against the chain and the
// database, not on the daemon's word); at the end people sign all that is asked, and everything wanted is authorized.
//
//   make e2e E2E=tests/e2e/sequences.test.mjs     the sequences of `make check`: one of each shape
//   SEQUENCES=200 E2E_SEED=1000 make e2e ...      200 others, from this seed on; SEQUENCE_EVENTS=40: longer ones
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { encodeAbiParameters, keccak256, parseAbiParameters } from 'viem'
import { delayTarget, makeDelayWorld } from '../harness/delay.mjs'
import { startRpcProxy } from '../harness/rpc-proxy.mjs'
import { eventsOf } from '../harness/sequence/events.mjs'
import { wayOf } from '../harness/sequence/ways.mjs'
import { Witness } from '../harness/sequence/witness.mjs'
import { hex } from '../harness/chain.mjs'
import { makeWorld, people, until } from '../harness/world.mjs'
import { seeded } from '../harness/util.mjs'

const TERMINAL = ['confirmed', 'rejected', 'cancelled', 'failed', 'expired']
const FINAL_DEPTH = 2 // blocks, as configured below
const byAccount = { proposers: [people.outsider.address], executors: [people.spare.address, people.executor.address], service: false }

const shapes = [
  { generation: 2, safeVersion: '1.4.1', execute: 'safe' },
  { generation: 1, safeVersion: '1.3.0', timelockVersion: '4.9', open: true, execute: 'direct' },
  { generation: 2, safeVersion: '1.4.1', queue: true, execute: 'safe' },
  { generation: 2, safeVersion: '1.5.0', model: 'safe' },
  { generation: 2, safeVersion: '1.4.1', model: 'delay', expiration: 7200, execute: 'direct' },
  { generation: 2, safeVersion: '1.5.0', endpoints: 3, execute: 'safe' },
  { generation: 1, model: 'timelock', timelockVersion: '4.9', ...byAccount, execute: 'direct' },
  { generation: 1, safeVersion: '1.3.0', model: 'delay', contract: 'Delay1_0', queue: true, execute: 'safe' },
  { generation: 1, safeVersion: '1.3.0', safeDeployment: 'eip155', model: 'safe', queue: true, endpoints: 3 },
  { generation: 2, model: 'direct', service: false },
]

const first = Number(process.env.E2E_SEED ?? 0)
const count = Number(process.env.SEQUENCES ?? shapes.length)
const length = Number(process.env.SEQUENCE_EVENTS ?? 8)

const nameOf = (shape) => [shape.model ?? 'safe+timelock', shape.safeVersion && `Safe ${shape.safeVersion}`, shape.timelockVersion && `timelock ${shape.timelockVersion}`,
  shape.contract, shape.queue && 'queue', shape.endpoints && `quorum 2 of ${shape.endpoints}`, shape.execute].filter(Boolean).join(', ')

class Sequence {
  constructor(seed) {
    this.seed = seed
    this.random = seeded(seed)
    this.shape = shapes[seed % shapes.length]
    this.depth = FINAL_DEPTH
    this.values = new Map() // value -> 'present' | 'absent': what people want
    this.trace = []
  }

  async open() {
    const { execute, endpoints = 1, ...options } = this.shape
    const make = this.shape.model === 'delay' ? makeDelayWorld : makeWorld
    this.world = await make({ ...options, seed: this.seed, tag: `s${this.seed}` })
    const { world } = this
    world.safe.relayer = people.owners[0].address // whom every guard here lets execute
    this.endpoints = [world.rpc]
    while (this.endpoints.length < endpoints) this.endpoints.push(await startRpcProxy(world.chain))
    const target = { execute, executor: execute === 'direct' ? people.executor : undefined, batch: { quiet: '300ms' } }
    this.daemon = world.daemon({
      clock: true,
      chain: { confirmations: FINAL_DEPTH, resend: '1s', ...(endpoints > 1 && { rpc: this.endpoints.map((e) => e.url), quorum: 2 }) },
      target: this.shape.model === 'delay' ? delayTarget(world, target) : target,
    })
    this.way = wayOf(world, this.shape)
    this.witness = new Witness(world, this.daemon, this.way, FINAL_DEPTH)
    this.events = eventsOf(this)
    await world.chain.mine(FINAL_DEPTH + 2) // no reorganisation takes the world itself away
    await this.daemon.start()
  }

  async close() {
    for (const e of this.endpoints?.slice(1) ?? []) await e.down()
    await this.world?.close()
  }

  // ---- what events need ---------------------------------------------------------------------------------------------

  dropped() { this.values.set(this.world.drop().value, 'present') }
  wanted() { return [...this.values.keys()].filter((v) => this.values.get(v) === 'present') }
  async live() { return (await this.daemon.proposals()).filter((p) => !TERMINAL.includes(p.state)) }
  /// A wanted value that the daemon has recorded.
  async known() {
    const seen = new Set((await this.daemon.measurements()).map((m) => m.value))
    return this.random.pick(this.wanted().filter((v) => seen.has(v)))
  }
  async revoke(value, ...more) {
    await this.daemon.ctl(['revoke', value, '--target', 'payments', ...more])
    this.say(value, 'absent')
  }
  /// What people want from here on, and whether the daemon was told so.
  say(value, wish, told = true) {
    this.values.set(value, wish)
    if (told) this.witness.said.set(value, wish)
    else this.witness.said.delete(value)
  }

  async pending() { return this.world.service.pending(this.world.safe.address) }
  /// What stands in the Safe's queue and could be executed next, undefined if nothing.
  async next() {
    const nonce = await this.world.safe.nonce()
    return this.random.pick((await this.pending()).filter((t) => t.tx.nonce === nonce))
  }
  async freeNonce() {
    const nonces = (await this.pending()).map((t) => t.tx.nonce)
    return nonces.reduce((a, b) => (b >= a ? b + 1n : a), await this.world.safe.nonce())
  }
  /// As many signatures as it takes, and its execution, which may revert.
  async sign(tx) { await this.unlessTakenOff(this.world.owners.approve(tx.safeTxHash, { mayRevert: true })) }
  /// What the daemon takes off the queue just when an owner is about to sign it.
  async unlessTakenOff(signing) {
    try { await signing } catch (e) { if (!/the service does not know|confirmation refused/.test(e.message)) throw e }
  }

  honest() { for (const e of this.endpoints) e.clearFaults() }

  /// The contract loses a value without a word, before the daemon has seen at finality that it was there.
  async forget({ to, value }) {
    const { chain } = this.world
    await this.daemon.kill9()
    let done = false
    for (let n = 0n; n < 40n && !done; n++) {
      const slot = keccak256(encodeAbiParameters(parseAbiParameters('bytes32, uint256'), [value, n]))
      if (BigInt(await chain.rpc('eth_getStorageAt', to, slot, 'latest')) !== 1n) continue
      await chain.rpc('anvil_setStorageAt', to, slot, `0x${'00'.repeat(32)}`)
      done = true
    }
    await chain.mine(FINAL_DEPTH + 2)
    await this.daemon.start()
    return done
  }

  /// One event, drawn by weight; those that are not possible now are drawn again.
  async step() {
    const total = this.events.reduce((sum, [, [weight]]) => sum + weight, 0)
    for (let draw = 0; draw < 20; draw++) {
      let at = this.random.below(total)
      const [name, [, act]] = this.events.find(([, [weight]]) => (at -= weight) < 0)
      this.trace.push(name)
      if ((await act()) !== false) return
      this.trace.pop()
    }
  }

  // ---- after each of them -------------------------------------------------------------------------------------------

  async settled() {
    let wrong
    await until(async () => (wrong = await this.witness.fits(this.values.keys())).length === 0,
      { timeout: 40_000, every: 120, what: () => `states that fit the chain: ${wrong?.join('; ')}` })
  }

  /// What reverts again and again (the execution of what was cancelled) blocks the queue: people reject it. A hole is filled.
  async signNext(refused, unwanted) {
    const { world } = this
    const tx = await this.next()
    if (!tx) {
      if ((await this.pending()).length > 0) await world.safe.burnNonce()
      return
    }
    if (unwanted.some((p) => p.safe_txs.some((t) => t.safe_tx_hash === tx.safeTxHash))) return this.unlessTakenOff(world.owners.reject(tx.safeTxHash))
    await this.sign(tx)
    if ((await world.safe.nonce()) !== tx.tx.nonce) return
    const times = (refused.get(tx.safeTxHash) ?? 0) + 1
    refused.set(tx.safeTxHash, times)
    if (times >= 3) await this.unlessTakenOff(world.owners.reject(tx.safeTxHash))
  }

  /// What others asked for against what people want: nobody here withdraws it for them.
  async unwanted() {
    return (await this.live()).filter((p) => p.origin === 'external' && p.calls.some((c) => this.values.get(c.value) === (c.action === 'add' ? 'absent' : 'present')))
  }

  /// What others asked for and is in effect already, or is in no queue any more, nobody here withdraws: people do, as the alarm says.
  async withdrawSuperfluous() {
    for (const p of await this.live())
      if (p.origin === 'external' && !p.flags.includes('withdrawing'))
        for (const alarm of ['already-in-effect', 'queue-lost'])
          if ((await this.daemon.alarms(alarm, p.id)).length > 0) await this.daemon.ctl(['withdraw', p.id], { ok: false })
  }

  /// What is drafted and cannot go out beside the same call of others: people cancel the other, as the alarm says.
  async cancelContested() {
    for (const p of (await this.live()).filter((x) => x.state === 'drafted'))
      for (const { text } of await this.daemon.alarms('not-proposed', p.id)) {
        const operation_id = /operation (0x[0-9a-f]{64}) of the timelock makes/.exec(text)?.[1]
        for (const other of operation_id ? await this.way.waiting([{ operation_id }]) : []) await this.way.cancel(other)
      }
  }

  /// What a person has to say once more: what others refused, and what they themselves did by hand and lost again.
  async sayAgain() {
    for (const m of await this.daemon.measurements()) {
      const wish = this.values.get(m.value)
      if (wish === 'present' && (m.status === 'held' || m.wanted === 'absent')) await this.daemon.ctl(['approve', m.id], { ok: false })
      // A removal that people refused leaves it authorized, with nothing under way.
      if (wish === 'absent' && (m.status === 'held' || m.wanted === 'present' || (m.status === 'authorized' && !m.pending))) await this.daemon.ctl(['revoke', m.value, '--target', 'payments'], { ok: false })
    }
  }

  /// People do all that is asked until nothing is left to do; then everything wanted is there, and nothing else.
  async conclude() {
    const { world, daemon } = this
    this.honest()
    world.service?.clearFaults()
    if (world.service) {
      world.service.indexing = true
      if (world.service.delegates.length === 0) await world.owners.addDelegate(people.proposer.address)
    }
    if (this.shape.execute === 'direct') await world.chain.rpc('anvil_setBalance', people.executor.address, hex(10n ** 18n))
    const refused = new Map() // safeTxHash -> how often the Safe reverted
    let left
    await until(async () => {
      await this.sayAgain()
      await this.withdrawSuperfluous()
      if (this.way.cancel) await this.cancelContested()
      const unwanted = await this.unwanted()
      if (this.way.cancel) for (const p of await this.way.waiting(unwanted)) await this.way.cancel(p)
      if (this.way.hasQueue()) await this.signNext(refused, unwanted)
      await this.way.act(daemon)
      await this.way.passDelay()
      await this.way.act(daemon)
      await world.chain.mine(FINAL_DEPTH + 1)
      await this.witness.look()
      left = []
      for (const [value, wanted] of this.values)
        for (const m of await daemon.measurements(value))
          if (m.status !== (wanted === 'present' ? 'authorized' : 'revoked')) left.push(`${m.id} ${m.kind} is ${m.status} (${m.reason}), wanted ${wanted}`)
      for (const p of await this.live()) left.push(`${p.id} is ${p.state}`)
      return left.length === 0
    }, { timeout: 120_000, every: 250, what: () => `everything wanted to be authorized: ${left?.join('; ')}` })
    for (const [value, wanted] of this.values)
      assert.deepEqual(await world.allowed(value), { kms: wanted === 'present', app: wanted === 'present' }, value)
    await this.settled()
    assert.equal((await daemon.ctl(['log', '--verify'])).code, 0)
  }

  async run() {
    await this.open()
    for (let i = 0; i < length; i++) {
      await this.step()
      await this.witness.look()
      await this.settled()
    }
    await this.conclude()
  }
}

describe('sequences of outside events', { concurrency: 2 }, () => {
  for (let seed = first; seed < first + count; seed++)
    test(`seed ${seed}: ${nameOf(shapes[seed % shapes.length])}`, async (t) => {
      const sequence = new Sequence(seed)
      try {
        await sequence.run()
        t.diagnostic(`${sequence.trace.length} events, ${sequence.witness.looks} looks, ends ${JSON.stringify(sequence.witness.ends)}`)
      } catch (e) {
        e.message = `seed ${seed}: ${sequence.trace.join(', ')}\n${e.message}\n${sequence.daemon?.tail(Number(process.env.E2E_TAIL ?? 60))}`
        throw e
      } finally {
        await sequence.close()
      }
    })
})
