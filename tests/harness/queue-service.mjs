// A stand-in for the hosted Safe Queue Service: other paths, other bodies and other typed data in front of the strict
// stand-in for the Transaction Service, which keeps the proposals and judges them. What only the queue service does
// is checked here: chain ids, no final slash, its fields and no others, its own domain for delegates and deletions.
import { createServer } from 'node:http'
import { getAddress, hashTypedData, recoverAddress, recoverTypedDataAddress, zeroAddress } from 'viem'
import { safeTx, safeTxTypes } from './safe.mjs'

const PREFIX = '/queue'
const TRANSACTIONS = `${PREFIX}/api/v1/multisig-transactions`
const FIELDS = ['chainId', 'safe', 'to', 'value', 'data', 'nonce', 'operation', 'safeTxGas', 'baseGas', 'gasPrice',
  'gasToken', 'refundReceiver', 'originName', 'originUrl', 'notes', 'signatures']

const totpNow = () => BigInt(Math.floor(Date.now() / 3_600_000))

const queueDeleteRequest = (chainId, safe, safeTxHash, totp = totpNow()) => ({
  domain: { name: 'Safe Queue Service', version: '1.0', chainId, verifyingContract: safe },
  types: { DeleteRequest: [{ name: 'safeTxHash', type: 'bytes32' }, { name: 'totp', type: 'uint256' }] },
  primaryType: 'DeleteRequest', message: { safeTxHash, totp } })

class Answer extends Error {
  constructor(status, body) { super(`HTTP ${status}`); Object.assign(this, { status, body }) }
}
const say = (status, body) => { throw new Answer(status, body) }
const wrong = (loc, msg) => say(422, { detail: [{ loc, msg, type: 'value_error' }] })

/// The front of a SafeService (of one chain). Its url goes into the configuration, with `kind: queue`.
export async function startQueueService(inner) {
  const front = new QueueService(inner)
  await front.up()
  return front
}

class QueueService {
  #server
  #sockets = new Set()
  #port = 0
  #faults = []

  constructor(inner) {
    this.inner = inner
    this.requests = [] // { method, path, query, body, status }
    this.violations = []
  }

  get url() { return `http://127.0.0.1:${this.#port}${PREFIX}` }
  get apiKey() { return this.inner.apiKey }

  async up() {
    this.#server = createServer((req, res) => this.#serve(req, res))
    this.#server.on('connection', (s) => { this.#sockets.add(s); s.once('close', () => this.#sockets.delete(s)) })
    await new Promise((resolve, reject) => this.#server.once('error', reject).listen(this.#port, '127.0.0.1', resolve))
    this.#port = this.#server.address().port
  }

  async stop() {
    if (!this.#server?.listening) return
    const closed = new Promise((resolve) => this.#server.close(resolve))
    for (const s of this.#sockets) s.destroy()
    await closed
  }

  /// A request that never arrives or whose answer never does, as in the other stand-in.
  fault({ match, times = 1, drop, then }) {
    const fault = { match, left: times, drop, then, hits: 0 }
    this.#faults.push(fault)
    return fault
  }

  seen(re) { return this.requests.filter((r) => re.test(`${r.method} ${r.path}`)) }
  posts() { return this.seen(/^POST .*\/multisig-transactions$/) }

  async #serve(req, res) {
    const url = new URL(req.url, 'http://x')
    const chunks = []
    for await (const c of req) chunks.push(c)
    const raw = Buffer.concat(chunks).toString()
    const entry = { method: req.method, path: url.pathname, query: url.search, body: raw }
    this.requests.push(entry)
    const fault = this.#faults.find((f) => f.left > 0 && f.match.test(`${req.method} ${url.pathname}`))
    if (fault) {
      fault.left--
      fault.hits++
    }
    const drop = async () => {
      entry.status = 'dropped'
      await fault.then?.()
      req.socket.destroy()
    }
    if (fault?.drop === 'before') return drop()
    let answer
    try {
      await this.#dispatch(req, url, raw)
      answer = new Answer(500, { detail: 'no answer' })
    } catch (e) {
      answer = e instanceof Answer ? e
        : e.message === 'fetch failed' ? new Answer(503, { detail: 'Service Unavailable' })
        : new Answer(500, { detail: String(e.stack) })
    }
    if (answer.status === 500) this.violations.push(`500 for ${req.method} ${req.url}: ${JSON.stringify(answer.body)}`)
    if (fault?.drop === 'after') return drop()
    entry.status = answer.status
    const text = answer.body === undefined ? '' : JSON.stringify(answer.body)
    res.writeHead(answer.status, text ? { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) } : {})
    res.end(text)
  }

  async #dispatch(req, url, raw) {
    const path = url.pathname
    if (this.apiKey && req.headers.authorization !== `Bearer ${this.apiKey}`) say(401, { detail: 'Invalid API key' })
    if (path.endsWith('/')) {
      this.violations.push(`a final slash: ${req.method} ${path}`)
      say(404, { detail: 'Not Found' })
    }
    const body = () => { try { return JSON.parse(raw) } catch { wrong(['body'], 'JSON decode error') } }
    const hash = path.match(/\/multisig-transactions\/(0x[0-9a-f]{64})$/)?.[1]
    if (req.method === 'POST' && path === TRANSACTIONS) return this.#propose(body())
    if (req.method === 'GET' && path === `${TRANSACTIONS}/queue`) return this.#queue(url.searchParams)
    if (req.method === 'GET' && hash) return say(200, await this.#object(this.#known(hash)))
    if (req.method === 'DELETE' && hash) return this.#delete(this.#known(hash), body())
    if (req.method === 'GET' && path === `${PREFIX}/api/v1/delegates`) return this.#delegates(url.searchParams)
    say(404, { detail: 'Not Found' })
  }

  #known(hash) { return this.inner.transactions.get(hash) ?? say(404, { detail: 'Multisig transaction not found' }) }

  #chain(value, loc) {
    if (value !== this.inner.chain.chainId) wrong(loc, `chain ${value} is not served`)
  }

  // The other service's form of the same proposal; it recomputes hash and signers and says what is wrong with them.
  async #propose(body) {
    for (const name of Object.keys(body)) if (!FIELDS.includes(name)) wrong(['body', name], 'Extra inputs are not permitted')
    this.#chain(body.chainId, ['body', 'chainId'])
    if (!Number.isSafeInteger(body.nonce)) wrong(['body', 'nonce'], 'Input should be a valid integer')
    for (const n of ['value', 'safeTxGas', 'baseGas', 'gasPrice']) if (!/^\d+$/.test(body[n])) wrong(['body', n], 'Input should be a valid string of digits')
    if (!Array.isArray(body.signatures) || body.signatures.length === 0) wrong(['body', 'signatures'], 'at least one signature')
    const tx = safeTx(body)
    const safeTxHash = hashTypedData({ domain: { chainId: body.chainId, verifyingContract: body.safe }, types: safeTxTypes, primaryType: 'SafeTx', message: tx })
    const sender = await recoverAddress({ hash: safeTxHash, signature: body.signatures[0] })
    const response = await fetch(`${this.inner.url}/api/v2/safes/${body.safe}/multisig-transactions/`, {
      method: 'POST', headers: { 'content-type': 'application/json', ...(this.apiKey ? { authorization: `Bearer ${this.apiKey}` } : {}) },
      body: JSON.stringify({
        ...Object.fromEntries(Object.entries(tx).map(([k, v]) => [k, typeof v === 'bigint' ? v.toString() : v])),
        contractTransactionHash: safeTxHash, sender, signature: `0x${body.signatures.map((s) => s.slice(2)).join('')}`,
        origin: JSON.stringify({ name: body.originName ?? '', note: body.notes ?? '' }),
      }),
    })
    if (response.status !== 201) say(response.status, { detail: await response.text() })
    say(201, await this.#object(this.#known(safeTxHash)))
  }

  async #queue(query) {
    const [safe, chainId] = (query.get('safes') ?? '').split(':')
    if (!/^0x[0-9a-fA-F]{40}$/.test(safe) || getAddress(safe) !== safe) wrong(['query', 'safes'], 'expected {checksummed address}:{chain id}')
    this.#chain(Number(chainId), ['query', 'safes'])
    const limit = Number(query.get('limit') ?? 20)
    const offset = Number(query.get('offset') ?? 0)
    if (limit < 1 || limit > 100) wrong(['query', 'limit'], 'Input should be 1 to 100')
    // It does not follow the chain: what another transaction's nonce made impossible may still be listed.
    const all = [...this.inner.transactions.values()].filter((t) => t.safe === safe && !t.executed).sort((a, b) => Number(a.tx.nonce - b.tx.nonce))
    const results = await Promise.all(all.slice(offset, offset + limit).map((t) => this.#object(t)))
    say(200, { count: all.length, next: all.length > offset + limit ? `${this.url}/next` : null, previous: null, results })
  }

  async #object(record) {
    const { tx } = record
    const origin = (() => { try { return JSON.parse(record.origin) } catch { return {} } })()
    const time = (d) => d.toISOString()
    const orNull = (address) => (address === zeroAddress ? null : address)
    return {
      safeTxHash: record.safeTxHash, chainId: this.inner.chain.chainId, safe: record.safe, nonce: Number(tx.nonce),
      proposer: record.proposer, proposedByDelegate: record.proposedByDelegate, to: orNull(tx.to), value: String(tx.value),
      data: tx.data === '0x' ? null : tx.data, operation: tx.operation, safeTxGas: String(tx.safeTxGas), baseGas: null,
      gasPrice: null, gasToken: orNull(tx.gasToken), refundReceiver: orNull(tx.refundReceiver),
      failed: record.executed ? !record.executed.isSuccessful : null, notes: origin.note ?? null, originName: origin.name ?? null,
      originUrl: null, txHash: record.executed?.transactionHash ?? null, created: time(record.submissionDate), modified: time(record.modified),
      confirmations: record.confirmations.map((c) => ({ owner: c.owner, signature: c.signature, signatureType: c.signatureType, created: time(new Date()), modified: time(new Date()) })),
    }
  }

  async #delete(record, body) {
    for (const totp of [totpNow(), totpNow() - 1n]) {
      const signer = await recoverTypedDataAddress({ ...queueDeleteRequest(this.inner.chain.chainId, record.safe, record.safeTxHash, totp), signature: body.signature })
      if (signer !== record.proposer && signer !== record.proposedByDelegate) continue
      this.inner.transactions.delete(record.safeTxHash)
      say(204)
    }
    say(400, { detail: 'The signer is neither the proposer nor the delegate' })
  }

  #delegates(query) {
    this.#chain(Number(query.get('chainId')), ['query', 'chainId'])
    const results = this.inner.delegates.filter((d) => ['safe', 'delegate', 'delegator'].every((n) => !query.has(n) || d[n] === query.get(n)))
      .map(({ safe, delegate, delegator, label }) => ({ safe, delegate, delegator, label, chainId: this.inner.chain.chainId }))
    say(200, { count: results.length, next: null, previous: null, results })
  }
}
