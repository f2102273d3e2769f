// What must hold whatever happened, looked at without the daemon's help: its database read behind its back, the chain by
// its own node, the service by what it was sent. `look` is what holds at every moment; `fits`, once the daemon has seen
// what the chain says.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { encodeFunctionData, parseAbi } from 'viem'
import { hex, people } from '../chain.mjs'
import { LIVE, snapshot, STATES } from './snapshot.mjs'

const GETTERS = { 1: 'allowedOsImages', 2: 'allowedComposeHashes' }
const getterAbi = parseAbi(Object.values(GETTERS).map((g) => `function ${g}(bytes32) view returns (bool)`))

export class Witness {
  #rows = new Map() // 'table id' -> what stood there and never changes
  #since = new Map() // proposal -> a block that was final before it was drafted
  #ended = new Set()
  #scanned = 0n // blocks whose senders were looked at
  #sent = new Set() // transactions that the executor's account made

  /// depth: blocks on top of a final one; way: see ways.mjs.
  constructor(world, daemon, way, depth) {
    Object.assign(this, { world, daemon, way, depth, looks: 0, ends: {} })
    this.before = 0n // the head at the last look
    this.others = new Set() // what somebody else sent with the executor's key
    this.said = new Map() // value -> 'present' | 'absent': what a person told the daemon, and it said yes
  }

  // ---- at every moment ------------------------------------------------------------------------------------------

  async look() {
    try { return await this.#look() } catch (e) { throw Object.assign(e, { fatal: true }) } // no waiting makes it good again
  }

  async #look() {
    const posts = [...(this.world.service?.transactions.values() ?? [])].filter((t) => t.posts.some((x) => x.sender === people.proposer.address))
    if (this.way.sends) await this.#scan()
    const sent = [...this.#sent]
    const db = await snapshot(this.daemon, join(this.world.tmp.path, 'witness.db'))
    const head = await this.world.chain.blockNumber()
    this.looks++
    this.#nothingLost(db)
    this.#noCallTwice(db, posts, posts.length ? await this.world.safe.nonce() : 0n)
    for (const t of posts) {
      assert.ok(db.safe_txs.some((x) => x.hash === t.safeTxHash), `${t.safeTxHash} was posted, and no database knows it`)
      assert.equal(t.posts.filter((x) => x.sender === people.proposer.address).length, 1, `${t.safeTxHash} was posted more than once`)
    }
    for (const tx of sent) if (!this.others.has(tx)) assert.ok(db.sent.some((x) => x.hash === tx), `${tx} was sent by the executor key, and no database knows it`)
    for (const m of db.measurements)
      if (this.said.has(m.value)) assert.equal(m.wanted ? 'present' : 'absent', this.said.get(m.value), `what a person wants of m${m.id} is forgotten (${m.reason})`)
    for (const p of db.proposals) {
      if (!this.#since.has(p.id)) this.#since.set(p.id, this.before - BigInt(this.depth))
      if (LIVE.includes(p.state) || this.#ended.has(p.id)) continue
      await this.#end(p, head - BigInt(this.depth), db)
      this.#ended.add(p.id)
      this.ends[p.state] = (this.ends[p.state] ?? 0) + 1
    }
    this.before = head
    return db
  }

  #once(table, row, fields) {
    const key = `${table} ${row.id}`, text = JSON.stringify(fields.map((f) => row[f]))
    if (!this.#rows.has(key)) this.#rows.set(key, text)
    else assert.equal(text, this.#rows.get(key), `${key} was changed`)
  }

  /// What was ever read is still there, and the same; each history leads, step by step, to the state.
  #nothingLost(db) {
    const fixed = {
      history: ['proposal', 'at', 'from', 'to', 'reason', 'tx'], events: ['at', 'type', 'subject', 'text', 'hash'],
      evidence: ['measurement', 'source', 'artifact', 'sha256'], measurements: ['kind', 'value'], proposals: ['origin', 'operation'],
      calls: ['proposal', 'to', 'data', 'action', 'kind', 'value'], safe_txs: ['proposal', 'purpose', 'attempt'], sent: ['proposal', 'hash'],
    }
    const present = new Set()
    for (const [table, fields] of Object.entries(fixed))
      for (const row of db[table]) {
        present.add(`${table} ${row.id}`)
        this.#once(table, row, fields)
      }
    for (const key of this.#rows.keys()) assert.ok(present.has(key), `${key} is lost: ${this.#rows.get(key)}`)
    for (const p of db.proposals) {
      const steps = p.history.map((h) => h.to)
      assert.deepEqual(p.history.map((h) => h.from), [0, ...steps.slice(0, -1)], `the history of ${p.name} has a gap`)
      assert.equal(STATES[steps.at(-1)], p.state, `${p.name} is not where its history ends`)
    }
  }

  /// Neither in two live proposals, nor in two things that we asked for and that could both run.
  #noCallTwice(db, posts, nonce) {
    const asked = new Map()
    for (const t of posts.filter((x) => !x.executed && x.tx.nonce >= nonce)) {
      const brought = this.way.brings(t.tx)
      for (const c of brought?.calls ?? []) {
        assert.ok((asked.get(c) ?? brought.id) === brought.id, `we ask for one call twice: ${asked.get(c)} and ${brought.id}`)
        asked.set(c, brought.id)
      }
    }
    const live = new Map()
    for (const p of db.proposals.filter((x) => LIVE.includes(x.state)))
      for (const c of p.calls) {
        const key = `${c.to} ${c.data}`
        assert.ok(!live.has(key), `one call in two live proposals: ${live.get(key)} and ${p.name}`)
        assert.equal(c.live, 1, `a call of ${p.name}, which lives, is not counted as live`)
        live.set(key, p.name)
      }
  }

  /// Every transaction that the executor's account made on this chain.
  async #scan() {
    const { chain } = this.world
    const head = await chain.blockNumber()
    for (let n = this.#scanned > 3n ? this.#scanned - 3n : 0n; n <= head; n++)
      for (const tx of (await chain.rpc('eth_getBlockByNumber', hex(n), true))?.transactions ?? [])
        if (tx.from === people.executor.address.toLowerCase()) this.#sent.add(tx.hash)
    this.#scanned = head
  }

  // ---- what is said for ever ------------------------------------------------------------------------------------

  async #end(p, final, db) {
    const why = `${p.name} is ${p.state} ("${p.history.at(-1).reason}"), but`
    const since = this.#since.get(p.id)
    if (p.state === 'confirmed')
      for (const c of p.calls) assert.ok(await this.#cameTrue(c, since, final), `${why} ${c.kind === 1 ? 'os-image' : 'compose'} ${c.value} never was so at a final block from ${since} to ${final}, or is not any more without an event`)
    else if (p.state === 'failed')
      assert.ok((await this.way.failedOnChain(p, final)) || (await this.#contradicted(p, since, final)), `${why} nothing of it failed on the chain, and its calls read as wanted`)
    else {
      const trouble = await this.way.ended(p, final, db)
      assert.equal(trouble, null, `${why} ${trouble}`)
    }
  }

  async reads(call, block = 'latest') {
    const data = encodeFunctionData({ abi: getterAbi, functionName: GETTERS[call.kind], args: [call.value] })
    const answer = await this.world.chain.call({ to: call.to, data, block })
    return (BigInt(answer) === 1n) === (call.action === 1)
  }

  /// As wanted at this final block; or at an earlier one, and an event of the contract tells how that changed.
  async #cameTrue(call, since, final) {
    for (let n = final; n >= since && n >= 0n; n--) {
      if (!(await this.reads(call, n))) continue
      if (n === final) return true
      const logs = await this.world.chain.rpc('eth_getLogs', { address: call.to, fromBlock: hex(n + 1n), toBlock: hex(final) })
      return logs.some((l) => l.data.includes(call.value.slice(2)) || l.topics.includes(call.value))
    }
    return false
  }

  async #contradicted(p, since, final) {
    for (let n = final; n >= since && n >= 0n; n--)
      for (const c of p.calls) if (!(await this.reads(c, n))) return true
    return false
  }

  // ---- once everything was seen ---------------------------------------------------------------------------------

  /// What does not fit to the chain, as text; nothing when all does. dropped: the values that must be known.
  async fits(dropped) {
    const { chain } = this.world
    const db = await this.look()
    const wrong = []
    const facts = await this.way.facts()
    for (const p of db.proposals.filter((x) => LIVE.includes(x.state))) {
      p.inEffect = (await Promise.all(p.calls.map((c) => this.reads(c)))).every(Boolean)
      const trouble = this.way.misfit(p, facts)
      if (trouble) wrong.push(`${p.name} is ${p.state}, but ${trouble}`)
    }
    // What waits on the chain is followed, unless its call is in a live proposal already (then it is told as contested).
    const live = db.proposals.filter((p) => LIVE.includes(p.state))
    const taken = new Set(live.flatMap((p) => p.calls.map((c) => `${c.to} ${c.data}`)))
    for (const { id, calls } of facts.pending)
      if (!live.some((p) => p.operation === id) && !calls.some((c) => taken.has(c))) wrong.push(`${id} waits on the chain, and nobody follows it`)
    for (const value of dropped) if (!db.measurements.some((m) => m.value === value)) wrong.push(`${value} is not recorded`)
    const final = (await chain.blockNumber()) - BigInt(this.depth)
    for (const m of db.measurements.filter((x) => ['authorized', 'revoked'].includes(x.status) && GETTERS[x.kind])) {
      const call = { kind: m.kind, value: m.value, to: m.kind === 1 ? this.world.registry.kms : this.world.registry.app, action: m.status === 'authorized' ? 1 : 2 }
      if (!(await this.reads(call)) && !(await this.reads(call, final))) wrong.push(`m${m.id} is ${m.status}, and the chain says otherwise`)
    }
    return wrong
  }
}
