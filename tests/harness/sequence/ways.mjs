// What differs between the ways of governance in a sequence: how people act on the chain, and what a proposal's state
// has to look like there.
import { decodeAbiParameters, decodeFunctionData, encodeAbiParameters, encodeFunctionData, keccak256, parseAbi, parseAbiParameters, toEventSelector, zeroHash } from 'viem'
import { people } from '../chain.mjs'
import { delayAbi, DelayModule } from '../delay.mjs'
import { timelockAbi } from '../deploy.mjs'
import { STATES } from './snapshot.mjs'

const SUCCESS = toEventSelector('ExecutionSuccess(bytes32,uint256)')
const FAILURE = toEventSelector('ExecutionFailure(bytes32,uint256)')
const SCHEDULED = toEventSelector('CallScheduled(bytes32,uint256,address,uint256,bytes,bytes32,uint256)')
const CANCELLED = toEventSelector('Cancelled(bytes32)')
const ADDED = toEventSelector('TransactionAdded(uint256,bytes32,address,uint256,bytes,uint8)')
const WITHDRAWING = 2 // the flag, as stored
const singleAbi = parseAbi(['function execute(address target, uint256 value, bytes payload, bytes32 predecessor, bytes32 salt)'])

const all = (chain, address, topics) => chain.rpc('eth_getLogs', { address, fromBlock: '0x0', toBlock: 'latest', topics })
const first = (p) => p.safe_txs.filter((t) => ['schedule', 'apply'].includes(t.purpose))

/// Shared by all ways: what the Safe with the queue has run.
class Way {
  constructor(world, shape) {
    Object.assign(this, { world, shape, chain: world.chain })
    this.sends = shape.execute === 'direct'
    this.salts = 0
  }

  salt() { return `0x${(0xba5e0000 + ++this.salts).toString(16).padStart(64, '0')}` }
  hasQueue() { return this.world.service !== undefined }

  async #runs(topic, p) {
    if (!this.hasQueue()) return []
    // 1.3.0 does not index the hash, later releases do.
    const logs = await all(this.chain, this.world.safe.address, [topic])
    return logs.map((l) => ({ hash: l.topics[1] ?? l.data.slice(0, 66), block: BigInt(l.blockNumber) })).filter((r) => !p || p.safe_txs.some((t) => t.hash === r.hash))
  }

  /// What misfit() is told, read once per look: what the Safe ran and what waits elsewhere.
  async facts() {
    const runs = await this.#runs(SUCCESS)
    const queue = this.world.service?.transactions ?? new Map()
    return { ran: new Set(runs.map((r) => r.hash)), known: new Set(queue.keys()), nonces: new Set([...queue.values()].map((t) => t.tx.nonce)), now: await this.chain.now(), pending: [] }
  }

  inQueue(p, facts) {
    // A rejection is there once for its nonce, whoever shares it; what was withdrawn waits for that.
    const rejected = p.flags & WITHDRAWING ? first(p).some((t) => t.nonce !== null && facts.nonces.has(BigInt(t.nonce))) : false
    // Owners signed what a reorganisation took back, and everybody has seen it: only its execution is missing.
    const takenBack = p.history.some((h) => STATES[h.from] === 'executed' && STATES[h.to] === 'multisig')
    return rejected || takenBack || p.safe_txs.some((t) => (t.status === 3 && facts.known.has(t.hash)) || facts.ran.has(t.hash))
  }

  async failedOnChain(p, final) { return (await this.#runs(FAILURE, p)).some((r) => r.block <= final) }

  /// Why a proposal may not have ended as it did (rejected, cancelled, expired); null if it may.
  async ended(p, final) {
    const ran = (await this.#runs(SUCCESS, { ...p, safe_txs: first(p) })).filter((r) => r.block <= final)
    if (p.state !== 'rejected') return ran.length ? this.endedLater(p, final) : null
    if (ran.length) return `the Safe ran ${ran[0].hash} of it`
    const asked = first(p).filter((t) => t.nonce !== null)
    if (asked.length === 0) return 'no nonce was ever asked for'
    const data = encodeFunctionData({ abi: parseAbi(['function nonce() view returns (uint256)']) })
    const nonce = BigInt(await this.chain.call({ to: this.world.safe.address, data, block: final }))
    return asked.some((t) => BigInt(t.nonce) < nonce) ? null : `the Safe's nonce was ${nonce} at block ${final}, below all of it`
  }
  async endedLater() { return 'the Safe ran it' }

  /// What a Safe transaction would bring onto the chain: { id, calls }, undefined where that has no id of its own.
  brings() {}

  async passTime(seconds = 3600) { await this.chain.advance(seconds) }
  wait() { return 3605 }
  async act() {} // what people do in conclude besides signing
}

export class TimelockWay extends Way {
  async byHand(calls) {
    await this.world.timelock.runByHand(calls, { salt: this.salt(), from: this.shape.open ? people.stranger.address : this.byAccount() })
  }
  byAccount() { return this.hasQueue() ? undefined : people.spare.address }
  async byOthers(calls) { await this.world.timelock.scheduleByHand(calls, { salt: this.salt() }) }
  async queuedByOthers(calls, nonce) {
    const { timelock, owners } = this.world
    const data = timelock.encode('scheduleBatch', [calls.map((c) => c.to), calls.map(() => 0n), calls.map((c) => c.data), zeroHash, this.salt(), BigInt(await timelock.minDelay())])
    return owners.propose({ to: timelock.address, data, nonce })
  }
  async cancel(p) {
    const { timelock, chain } = this.world
    if (this.hasQueue()) await timelock.cancel(p.operation_id)
    else await chain.send({ from: people.outsider.address, to: timelock.address, data: timelock.encode('cancel', [p.operation_id]) })
  }
  async waiting(proposals) {
    const out = []
    for (const p of proposals) if (p.operation_id && (await this.world.timelock.timestamp(p.operation_id)) > 1) out.push(p)
    return out
  }
  async passDelay() { await this.world.passDelay() }
  wait() { return this.world.timelock.minDelay() }

  /// Somebody executes what is ready; row: the proposal in the database, where its salt stands.
  async execute(row) {
    const { timelock, safe, chain } = this.world
    const data = row.single
      ? encodeFunctionData({ abi: singleAbi, args: [row.calls[0].to, 0n, row.calls[0].data, row.predecessor, row.salt] })
      : timelock.encode('executeBatch', [row.calls.map((c) => c.to), row.calls.map(() => 0n), row.calls.map((c) => c.data), row.predecessor, row.salt])
    const at = await timelock.timestamp(row.operation)
    if (at <= 1 || at > (await chain.now())) return false
    if (this.shape.open) return chain.send({ from: people.stranger.address, to: timelock.address, data, mayRevert: true })
    if (this.hasQueue()) return (await safe.byHand({ to: timelock.address, data }, { mayRevert: true })).receipt
    return chain.send({ from: people.spare.address, to: timelock.address, data, mayRevert: true })
  }

  brings({ data }) {
    let call
    try { call = decodeFunctionData({ abi: timelockAbi, data }) } catch { return undefined }
    if (call.functionName !== 'scheduleBatch') return undefined
    const [to, , payloads] = call.args
    const id = keccak256(encodeAbiParameters(parseAbiParameters('address[], uint256[], bytes[], bytes32, bytes32'), call.args.slice(0, 5)))
    return { id, calls: payloads.map((payload, i) => `${to[i]} ${payload}`) }
  }

  async setDelay(seconds) {
    const { timelock } = this.world
    await this.byHand([{ to: timelock.address, data: encodeFunctionData({ abi: parseAbi(['function updateDelay(uint256)']), args: [BigInt(seconds)] }) }])
  }

  async facts() {
    const { timelock, registry } = this.world
    const facts = await super.facts()
    const operations = new Map() // id -> its calls
    for (const l of await all(this.chain, timelock.address, [SCHEDULED])) {
      const [to, , data] = decodeAbiParameters(parseAbiParameters('address, uint256, bytes, bytes32, uint256'), l.data)
      const ours = [registry.kms, registry.app].includes(to) && /^0x(06a3ae96|9425bac6|dfc77223|67b3f22c)/.test(data)
      operations.set(l.topics[1], [...(operations.get(l.topics[1]) ?? []), { call: `${to} ${data}`.toLowerCase(), ours }])
    }
    const times = await Promise.all([...operations.keys()].map(async (id) => [id, await timelock.timestamp(id)]))
    facts.at = new Map(times)
    facts.pending = times.filter(([id, at]) => at > 1 && operations.get(id).every((c) => c.ours)).map(([id]) => ({ id, calls: operations.get(id).map((c) => c.call) }))
    facts.cancelled = new Set((await all(this.chain, timelock.address, [CANCELLED])).map((l) => l.topics[1]))
    return facts
  }

  misfit(p, facts) {
    const at = facts.at.get(p.operation) ?? 0
    const gone = at === 0 && facts.cancelled.has(p.operation) // an end waits for finality
    const says = `the timelock says ${at} for its operation at ${facts.now}`
    const fits = {
      drafted: at === 0,
      multisig: at === 0,
      timelock: gone || at > facts.now,
      execute: gone || (at > 1 && at <= facts.now),
      executed: at === 1 || p.inEffect,
    }
    if (!fits[p.state]) return says
    if (p.state === 'multisig' && !this.inQueue(p, facts)) return 'nothing of it is in the queue'
    return null
  }

  async endedLater(p, final) {
    const logs = await all(this.chain, this.world.timelock.address, [CANCELLED, p.operation])
    return logs.some((l) => BigInt(l.blockNumber) <= final) ? null : 'the Safe ran it, and the timelock never cancelled it'
  }

  /// Without a Safe: the account that proposes, and may cancel, sends what the files say.
  async act(daemon) {
    if (this.hasQueue()) return
    for (const p of await daemon.proposals())
      if (p.state === 'drafted' || (p.flags.includes('withdrawing') && ['timelock', 'execute'].includes(p.state))) await this.send(daemon, p)
  }
  async send(daemon, p) {
    const { stdout } = await daemon.ctl(['export', p.id, '--format', 'calldata'], { ok: false })
    const [to, data] = stdout.trim().split(/\s+/)
    if (!data) return false
    await this.chain.send({ from: people.outsider.address, to, data, mayRevert: true })
  }
}

export class SafeWay extends Way {
  async byHand(calls) { for (const { to, data } of calls) await this.world.safe.byHand({ to, data }) }
  async queuedByOthers(calls, nonce) {
    const [to, , data, operation] = new DelayModule(null, null, null, this.world.release.multiSendCallOnly).entryOf(calls)
    return this.world.owners.propose({ to, data, operation, nonce })
  }
  async passDelay() { await this.passTime() }

  misfit(p, facts) {
    const ran = first(p).some((t) => facts.ran.has(t.hash))
    if (p.state === 'executed') return ran || p.inEffect ? null : 'the Safe did not run it'
    if (ran) return 'the Safe ran it'
    if (p.state === 'multisig' && !this.inQueue(p, facts)) return 'nothing of it is in the queue'
    return ['drafted', 'multisig'].includes(p.state) ? null : 'there is no such state here'
  }
}

export class DelayWay extends Way {
  entryOf(calls) { return this.world.delay.entryOf(calls) }
  async byHand(calls) { for (const { to, data } of calls) await this.world.avatar.byHand({ to, data }) }
  async byOthers(calls) { await this.enqueue(this.entryOf(calls)) }
  async enqueue(entry) { await this.world.safe.byHand({ to: this.world.delay.address, data: this.world.delay.enqueueData(entry) }) }
  async queuedByOthers(calls, nonce) {
    return this.world.owners.propose({ to: this.world.delay.address, data: this.world.delay.enqueueData(this.entryOf(calls)), nonce })
  }
  brings({ data }) {
    let call
    try { call = decodeFunctionData({ abi: delayAbi, data }) } catch { return undefined }
    if (call.functionName !== 'execTransactionFromModule') return undefined
    // The registry's selectors and values stand in the entry as they are, whatever packs them.
    return { id: this.world.delay.hashOf(call.args), calls: call.args[2].match(/(06a3ae96|9425bac6|dfc77223|67b3f22c)[0-9a-f]{64}/g) ?? [] }
  }
  async passDelay() { await this.passTime((await this.world.delay.number('txCooldown')) + 5) }

  async entries() {
    const logs = await all(this.chain, this.world.delay.address, [ADDED])
    return logs.map((l) => ({
      nonce: Number(BigInt(l.topics[1])), hash: l.topics[2], entry: decodeAbiParameters(parseAbiParameters('address, uint256, bytes, uint8'), l.data),
    }))
  }
  /// The entry whose turn it is, if there is one: { entry, at, until }.
  async head() {
    const { delay } = this.world
    const nonce = await delay.txNonce()
    const found = (await this.entries()).find((e) => e.nonce === nonce)
    return found && { ...found, ...(await this.#window(nonce)) }
  }
  async #window(nonce) {
    const { delay } = this.world
    const at = (await delay.number('txCreatedAt', BigInt(nonce))) + (await delay.number('txCooldown'))
    const expiration = await delay.number('txExpiration')
    return { at, until: expiration ? at + expiration : Infinity }
  }
  async executeHead() {
    const head = await this.head()
    const now = await this.chain.now()
    if (!head || now < head.at || now > head.until) return false
    await this.world.delay.execute(head.entry, { mayRevert: true })
  }
  async waiting(proposals) {
    const nonce = await this.world.delay.txNonce()
    const hashes = (await this.entries()).filter((e) => e.nonce >= nonce).map((e) => e.hash)
    return proposals.filter((p) => hashes.includes(p.operation_id))
  }

  async facts() {
    const facts = await super.facts()
    const { delay } = this.world
    facts.turn = await delay.txNonce()
    facts.entries = []
    for (const e of await this.entries()) facts.entries.push({ ...e, ...(e.nonce >= facts.turn ? await this.#window(e.nonce) : {}) })
    return facts
  }

  misfit(p, facts) {
    const mine = facts.entries.filter((e) => e.hash === p.operation)
    const waits = mine.filter((e) => e.nonce >= facts.turn)
    const passed = waits.length < mine.length // over it by whatever way; an end waits for finality
    const due = waits.some((e) => e.nonce === facts.turn && e.at <= facts.now && facts.now <= e.until)
    const says = `the module's turn is ${facts.turn}, its entries ${JSON.stringify(mine.map(({ nonce, at, until }) => [nonce, at, until]))} at ${facts.now}`
    const fits = {
      drafted: waits.length === 0,
      multisig: waits.length === 0,
      timelock: (waits.length > 0 && !due) || passed,
      execute: due || passed,
      executed: passed || p.inEffect,
    }
    if (!fits[p.state]) return says
    if (p.state === 'multisig' && !this.inQueue(p, facts)) return 'nothing of it is in the queue'
    return null
  }

  async endedLater(p, final) {
    const data = encodeFunctionData({ abi: parseAbi(['function txNonce() view returns (uint256)']) })
    const turn = Number(BigInt(await this.chain.call({ to: this.world.delay.address, data, block: final })))
    return (await this.entries()).some((e) => e.hash === p.operation && e.nonce < turn) ? null : 'the Safe ran it, and the module has not passed over it'
  }

  /// Anybody executes what is due, and passes over what is too old.
  async act() {
    for (let n = 0; n < 8; n++) {
      const head = await this.head()
      if (!head) return
      const now = await this.chain.now()
      if (now > head.until) await this.world.delay.skipExpired()
      else if ((await this.executeHead()) === false) return
    }
  }
}

export class DirectWay extends Way {
  async byHand(calls) { for (const { to, data } of calls) await this.chain.send({ from: people.deployer.address, to, data, mayRevert: true }) }
  async passDelay() { await this.passTime() }
  misfit(p) { return p.state === 'executed' && !p.inEffect ? 'its calls do not read as wanted' : null }
  async ended() { return null }
  async act(daemon) { for (const p of await daemon.proposals()) if (p.state === 'drafted') await this.send(daemon, p) }
  async send(daemon, p) {
    const { stdout } = await daemon.ctl(['export', p.id, '--format', 'calldata'], { ok: false })
    for (const line of stdout.trim().split('\n').filter(Boolean)) {
      const [to, data] = line.split(/\s+/)
      if (data) await this.chain.send({ from: people.deployer.address, to, data, mayRevert: true })
    }
  }
}

export const wayOf = (world, shape) => new { 'safe+timelock': TimelockWay, timelock: TimelockWay, safe: SafeWay, delay: DelayWay, direct: DirectWay }[shape.model ?? 'safe+timelock'](world, shape)
