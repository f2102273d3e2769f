// A stand-in for the hosted Safe Transaction Service, as strict as the real one: it recomputes every hash on chain,
// recovers every signature, reads owners live, wants EIP-55 addresses and final slashes, and says no with the same
// 422 bodies. It records every request and can be told to misbehave. State is kept in memory; the port stays the
// same over down()/up(), so an outage can be played.
import { createServer } from 'node:http'
import {
  decodeAbiParameters, decodeFunctionData, encodeFunctionData, getAddress, hashMessage, hashTypedData, parseAbi, parseAbiParameters,
  recoverAddress, zeroAddress,
} from 'viem'
import { onExit } from './util.mjs'
import { safeAbi } from './safe.mjs'

const EXECUTION_SUCCESS = '0x442e715f626346e8c54381002da614f62bee8d27386535b2521ec8540898556e'
const EXECUTION_FAILURE = '0x23428b18acfb3ea64b08dc0c1d296ea9c09702c09083ca5272e64d115b687d23'
const SAFE_MULTISIG_TRANSACTION = '0x66753cd2356569ee081232e3be8909b950e0a76c1f8460c3a5e3c2be32b11bed'
const HANDLER_SLOT = '0x6c9a6c4a39284e37ed1cf53d337577d14212a4870fb976a4366c693b939918d5'
const GUARD_SLOT = '0x4a204f620c8c5ccdca3fd54d003badd85ba500436a431f0cbda4f558c93c34c8'

const TYPES = {
  Delegate: [{ name: 'delegateAddress', type: 'address' }, { name: 'totp', type: 'uint256' }],
  DeleteRequest: [{ name: 'safeTxHash', type: 'bytes32' }, { name: 'totp', type: 'uint256' }],
}

export const totpNow = () => BigInt(Math.floor(Date.now() / 3_600_000))
const domainOf = (chainId, extra = {}) => ({ name: 'Safe Transaction Service', version: '1.0', chainId, ...extra })

/// What a delegator signs to name a delegate, and what a proposer signs to delete a proposal.
export const delegateRequest = (chainId, delegate, totp = totpNow()) => ({
  domain: domainOf(chainId), types: { Delegate: TYPES.Delegate }, primaryType: 'Delegate', message: { delegateAddress: delegate, totp } })
export const deleteRequest = (chainId, safe, safeTxHash, totp = totpNow()) => ({
  domain: domainOf(chainId, { verifyingContract: safe }), types: { DeleteRequest: TYPES.DeleteRequest }, primaryType: 'DeleteRequest', message: { safeTxHash, totp } })

class Answer extends Error {
  constructor(status, body, headers) { super(`HTTP ${status}`); Object.assign(this, { status, body, headers }) }
}
const say = (status, body, headers) => { throw new Answer(status, body, headers) }
const nope = (text) => say(422, { nonFieldErrors: [text] })

const isHex = (v, bytes) => typeof v === 'string' && (bytes === undefined ? /^0x([0-9a-fA-F]{2})*$/ : new RegExp(`^0x[0-9a-fA-F]{${2 * bytes}}$`)).test(v)
const isChecksummed = (v) => isHex(v, 20) && getAddress(v) === v
const pyList = (list) => `[${list.map((x) => `'${x}'`).join(', ')}]`
const pySet = (list) => (list.length ? `{${list.map((x) => `'${x}'`).join(', ')}}` : 'set()')
const micros = (date) => date.toISOString().replace(/\.(\d{3})Z$/, '.$1000Z')
const seconds = (date) => date.toISOString().replace(/\.\d{3}Z$/, 'Z')

/// options: apiKey (then every request needs it); releases (from deploySafeRelease: which singletons are known and which
/// MultiSendCallOnly is trusted for delegate calls); prefix (the mount point, like the hosted one's).
export async function startSafeService(chain, options = {}) {
  const service = new SafeService(chain, options)
  await service.up()
  return service
}

export class SafeService {
  #server
  #sockets = new Set()
  #port = 0
  #forget
  #safes = new Set() // those anybody asked for
  #indexed = new Map() // Safe -> { number, hash } of the last block read
  #faults = []

  constructor(chain, { apiKey, releases = [], prefix = '/tx-service/lab' }) {
    this.chain = chain
    this.apiKey = apiKey
    this.prefix = prefix
    this.releases = releases
    this.transactions = new Map() // safeTxHash -> record
    this.delegates = []
    this.requests = [] // { at, method, path, query, body, status }
    this.violations = [] // what a well-behaved client never does
    this.indexing = true // false: the index lags, executed transactions stay "pending"
  }

  get url() { return `http://127.0.0.1:${this.#port}${this.prefix}` }

  async up() {
    this.#server = createServer((req, res) => this.#serve(req, res))
    this.#server.on('connection', (s) => { this.#sockets.add(s); s.once('close', () => this.#sockets.delete(s)) })
    await new Promise((resolve, reject) => this.#server.once('error', reject).listen(this.#port, '127.0.0.1', resolve))
    this.#port = this.#server.address().port
    this.#forget = onExit(() => {})
  }

  async down() {
    this.#forget?.()
    if (!this.#server?.listening) return
    const closed = new Promise((resolve) => this.#server.close(resolve))
    for (const s of this.#sockets) s.destroy()
    await closed
  }

  async stop() { await this.down() }

  // ---- what tests ask for -------------------------------------------------------------------------------------

  /// The next `times` requests that match, the Owners' excepted, get something else than they should.
  ///   match   (method, path) => bool, or a RegExp tried on "METHOD /path"
  ///   status  answer this (with body, headers) instead of doing the work
  ///   drop    'before' | 'after': cut the connection without an answer, before or after having done the work
  ///   delay   milliseconds to wait first;  mutate  (answer body) => changed body
  ///   then    awaited before the connection is cut ('before': and before any work), e.g. to kill the client
  fault({ match = () => true, times = 1, status, body, headers, drop, delay, mutate, then }) {
    const test = match instanceof RegExp ? (m, p) => match.test(`${m} ${p}`) : match
    const fault = { test, left: times, status, body, headers, drop, delay, mutate, then, hits: 0 }
    this.#faults.push(fault)
    return fault
  }
  clearFaults() { this.#faults = [] }

  /// Requests whose "METHOD /path" matches.
  seen(re) { return this.requests.filter((r) => re.test(`${r.method} ${r.path}`)) }
  /// Proposals that were posted, by whomever or by one sender.
  posts(sender) {
    return this.seen(/^POST .*\/v2\/safes\/.*\/multisig-transactions\/$/)
      .filter((r) => sender === undefined || JSON.parse(r.body).sender === sender)
  }

  /// The queue of a Safe: trusted, not executed, nonce not used up; by nonce.
  async pending(safe) {
    await this.#index(safe)
    const nonce = await this.chain.read(safe, 'function nonce() view returns (uint256)')
    return [...this.transactions.values()].filter((t) => t.safe === safe && !t.executed && t.trusted && t.tx.nonce >= nonce).sort((a, b) => Number(a.tx.nonce - b.tx.nonce))
  }

  /// A delegate without the ceremony.
  addDelegate({ safe = null, delegate, delegator, label = 'registrard', expiryDate = null }) {
    this.delegates.push({ safe, delegate, delegator, label, expiryDate })
  }
  removeDelegate(delegate) { this.delegates = this.delegates.filter((d) => d.delegate !== delegate) }

  // ---- plumbing -----------------------------------------------------------------------------------------------

  async #serve(req, res) {
    const at = new Date()
    const url = new URL(req.url, 'http://x')
    const chunks = []
    for await (const c of req) chunks.push(c)
    const raw = Buffer.concat(chunks).toString()
    const entry = { at, method: req.method, path: url.pathname, query: url.search, body: raw, status: null }
    this.requests.push(entry)

    const fault = req.headers['x-owner'] ? undefined : this.#faults.find((f) => f.left > 0 && f.test(req.method, url.pathname))
    if (fault) {
      fault.left--
      fault.hits++
      if (fault.delay) await new Promise((resolve) => setTimeout(resolve, fault.delay))
      if (fault.drop === 'before') {
        entry.status = 'dropped'
        await fault.then?.()
        return req.socket.destroy()
      }
      if (fault.status) return this.#reply(res, entry, fault.status, fault.body ?? '', fault.headers)
    }
    let answer
    try {
      await this.#dispatch(req, url, raw)
      answer = new Answer(500, { detail: 'no answer' })
    } catch (e) {
      if (e instanceof Answer) answer = e
      else if (e.rpc || e.cause?.code === 'ECONNREFUSED') answer = new Answer(503, { exception: 'Problem connecting to Ethereum network', trace: String(e.message) })
      else answer = new Answer(500, { exception: String(e.stack) })
    }
    if (answer.status === 500) this.violations.push(`500 for ${entry.method} ${entry.path}: ${JSON.stringify(answer.body)}`)
    if (fault?.mutate) answer.body = fault.mutate(structuredClone(answer.body))
    if (fault?.drop === 'after') {
      entry.status = `dropped after ${answer.status}`
      await fault.then?.()
      return req.socket.destroy()
    }
    this.#reply(res, entry, answer.status, answer.body, answer.headers)
  }

  #reply(res, entry, status, body, headers = {}) {
    entry.status = status
    const empty = body === null || body === undefined || body === ''
    const text = empty ? '' : typeof body === 'string' ? body : JSON.stringify(body)
    res.writeHead(status, {
      ...(empty ? {} : { 'content-type': typeof body === 'string' ? 'text/html' : 'application/json' }),
      ...(status === 204 ? {} : { 'content-length': Buffer.byteLength(text) }),
      ...headers,
    })
    res.end(status === 204 ? undefined : text)
  }

  #violation(text) { this.violations.push(text) }

  async #dispatch(req, url, raw) {
    const { pathname } = url
    if (!pathname.startsWith(`${this.prefix}/api/`)) say(404, '<h1>Not Found</h1>')
    if (this.apiKey && req.headers.authorization !== `Bearer ${this.apiKey}`) say(401, { message: 'Invalid authentication credentials' })
    if (!pathname.endsWith('/')) {
      this.#violation(`no final slash: ${req.method} ${pathname}`)
      say(301, '', { location: `${pathname}/${url.search}` })
    }
    const parts = pathname.slice(this.prefix.length + '/api/'.length, -1).split('/')
    const key = `${req.method} ${parts.map((p) => (/^0x/i.test(p) ? '*' : p)).join('/')}`
    const arg = parts.find((p) => /^0x/i.test(p))
    const body = () => {
      if (!/^application\/json/.test(req.headers['content-type'] ?? '')) say(415, { detail: `Unsupported media type "${req.headers['content-type'] ?? ''}" in request.` })
      try { return JSON.parse(raw) } catch { say(400, { detail: 'JSON parse error' }) }
    }
    const routes = {
      'GET v1/about': () => say(200, { name: 'Safe Transaction Service', version: '6.10.1', apiVersion: 'v1', secure: false, host: url.host, settings: {} }),
      'GET v1/safes/*': () => this.#getSafe(arg),
      'GET v2/safes/*/multisig-transactions': () => this.#list(arg, url),
      'POST v2/safes/*/multisig-transactions': () => this.#propose(arg, body()),
      'GET v2/multisig-transactions/*': () => this.#getTransaction(arg),
      'DELETE v2/multisig-transactions/*': () => this.#deleteTransaction(arg, body()),
      'GET v1/multisig-transactions/*/confirmations': () => this.#listConfirmations(arg),
      'POST v1/multisig-transactions/*/confirmations': () => this.#confirm(arg, body()),
      'GET v2/delegates': () => this.#listDelegates(url),
      'POST v2/delegates': () => this.#addDelegate(body()),
      'DELETE v2/delegates/*': () => this.#deleteDelegate(arg, body()),
    }
    if (!routes[key]) say(404, { detail: 'Not found.' })
    return routes[key]()
  }

  // ---- the chain, live -----------------------------------------------------------------------------------------

  async #storageAddress(address, slot) {
    const word = await this.chain.rpc('eth_getStorageAt', address, slot, 'latest')
    return getAddress(`0x${word.slice(-40)}`)
  }

  #checkPathAddress(address) {
    if (!isChecksummed(address)) {
      this.#violation(`address without EIP-55 checksum in the path: ${address}`)
      say(422, { code: 1, message: 'Checksum address validation failed', arguments: [address] })
    }
  }

  /// Which release a Safe is of, or null: by the singleton in its first slot.
  async #release(address) {
    if (!(await this.chain.hasCode(address))) return null
    const singleton = await this.#storageAddress(address, '0x0')
    for (const r of this.releases) {
      if (singleton === r.safeSingleton) return { version: r.version, text: r.version, singleton }
      if (singleton === r.safeSingletonL2) return { version: r.version, text: `${r.version}+L2`, singleton }
    }
    return null
  }

  async #owners(safe) { return this.chain.read(safe, 'function getOwners() view returns (address[])') }
  async #threshold(safe) { return Number(await this.chain.read(safe, 'function getThreshold() view returns (uint256)')) }

  async #getSafe(address) {
    this.#checkPathAddress(address)
    const release = await this.#release(address)
    if (!release) say(404, '')
    say(200, {
      address,
      nonce: String(await this.chain.read(address, 'function nonce() view returns (uint256)')),
      threshold: await this.#threshold(address),
      owners: await this.#owners(address),
      masterCopy: release.singleton,
      modules: [],
      fallbackHandler: await this.#storageAddress(address, HANDLER_SLOT),
      guard: await this.#storageAddress(address, GUARD_SLOT),
      moduleGuard: zeroAddress,
      version: release.text,
    })
  }

  // ---- index of executed transactions ----------------------------------------------------------------------------

  async #index(safe) {
    if (!this.indexing) return
    this.#safes.add(safe)
    const head = await this.chain.rpc('eth_getBlockByNumber', 'latest', false)
    let from = 0n
    const last = this.#indexed.get(safe)
    if (last) {
      const same = await this.chain.rpc('eth_getBlockByNumber', `0x${last.number.toString(16)}`, false)
      if (same?.hash === last.hash) from = last.number + 1n
      else for (const t of this.transactions.values()) if (t.safe === safe) t.executed = null // a reorganisation: read again
    }
    if (from <= BigInt(head.number)) {
      const logs = await this.chain.rpc('eth_getLogs', {
        address: safe, fromBlock: `0x${from.toString(16)}`, toBlock: head.number,
        topics: [[EXECUTION_SUCCESS, EXECUTION_FAILURE]],
      })
      for (const log of logs) await this.#indexExecution(safe, log)
    }
    this.#indexed.set(safe, { number: BigInt(head.number), hash: head.hash })
  }

  async #indexExecution(safe, log) {
    // 1.3.0 does not index the hash, later releases do.
    const hash = log.topics.length > 1 ? log.topics[1] : log.data.slice(0, 66)
    const receipt = await this.chain.rpc('eth_getTransactionReceipt', log.transactionHash)
    const transaction = await this.chain.rpc('eth_getTransactionByHash', log.transactionHash)
    const block = await this.chain.rpc('eth_getBlockByNumber', log.blockNumber, false)
    if (!receipt || !transaction || !block) return // a reorganisation took it back meanwhile; the next look begins anew
    if (!this.transactions.has(hash)) {
      const tx = await this.#decodeExecution(safe, receipt, transaction)
      if (tx) this.transactions.set(hash, this.#record(safe, hash, tx, { trusted: true }))
    }
    const record = this.transactions.get(hash)
    if (!record) return
    record.modified = new Date()
    let signatures = null
    try { signatures = decodeFunctionData({ abi: safeAbi, data: transaction.input }).args[9] } catch {}
    record.executed = {
      executionDate: seconds(new Date(Number(BigInt(block.timestamp)) * 1000)),
      blockNumber: Number(BigInt(log.blockNumber)),
      transactionHash: log.transactionHash,
      executor: getAddress(transaction.from),
      isSuccessful: log.topics[0] === EXECUTION_SUCCESS,
      ethGasPrice: BigInt(receipt.effectiveGasPrice).toString(),
      maxFeePerGas: transaction.maxFeePerGas ? BigInt(transaction.maxFeePerGas).toString() : null,
      maxPriorityFeePerGas: transaction.maxPriorityFeePerGas ? BigInt(transaction.maxPriorityFeePerGas).toString() : null,
      gasUsed: Number(BigInt(receipt.gasUsed)),
      fee: (BigInt(receipt.gasUsed) * BigInt(receipt.effectiveGasPrice)).toString(),
      payment: '0',
      signatures,
    }
  }

  // A transaction that was executed without ever having been in the queue.
  async #decodeExecution(safe, receipt, transaction) {
    let args
    try { args = decodeFunctionData({ abi: safeAbi, data: transaction.input }).args } catch { return null }
    if (getAddress(transaction.to) !== safe) return null
    const [to, value, data, operation, safeTxGas, baseGas, gasPrice, gasToken, refundReceiver] = args
    const event = receipt.logs.find((l) => l.topics[0] === SAFE_MULTISIG_TRANSACTION && getAddress(l.address) === safe)
    let nonce
    if (event) {
      const fields = decodeAbiParameters(parseAbiParameters('address, uint256, bytes, uint8, uint256, uint256, uint256, address, address, bytes, bytes'), event.data)
      nonce = decodeAbiParameters(parseAbiParameters('uint256, address, uint256'), fields[10])[0]
    } else {
      const before = BigInt(receipt.blockNumber) - 1n
      nonce = BigInt(await this.chain.call({ to: safe, data: encodeFunctionData({ abi: safeAbi, functionName: 'nonce' }), block: before }))
    }
    return { to, value, data, operation, safeTxGas, baseGas, gasPrice, gasToken, refundReceiver, nonce }
  }

  // ---- proposing -----------------------------------------------------------------------------------------------

  #record(safe, safeTxHash, tx, more) {
    const now = new Date()
    return {
      safe, safeTxHash, tx, proposer: null, proposedByDelegate: null, origin: '{}', trusted: false,
      confirmations: [], posts: [], submissionDate: now, modified: now, executed: null, ...more,
    }
  }

  #validate(body) {
    const errors = {}
    const required = (name) => { if (body[name] === undefined) errors[name] = ['This field is required.'] ; else if (body[name] === null) errors[name] = ['This field may not be null.'] }
    const integer = (name) => {
      required(name)
      if (errors[name]) return 0n
      if (!(Number.isSafeInteger(body[name]) || (typeof body[name] === 'string' && /^-?\d{1,78}$/.test(body[name])))) errors[name] = ['A valid integer is required.']
      else if (BigInt(body[name]) < 0n) errors[name] = ['Ensure this value is greater than or equal to 0.']
      return errors[name] ? 0n : BigInt(body[name])
    }
    const address = (name, optional) => {
      if (optional && (body[name] === undefined || body[name] === null)) return zeroAddress
      required(name)
      if (errors[name]) return zeroAddress
      if (!isChecksummed(body[name])) errors[name] = [`Address ${body[name]} is not checksumed`]
      return body[name]
    }
    const out = {
      to: address('to'), value: integer('value'), operation: Number(integer('operation')), safeTxGas: integer('safeTxGas'),
      baseGas: integer('baseGas'), gasPrice: integer('gasPrice'), gasToken: address('gasToken', true),
      refundReceiver: address('refundReceiver', true), nonce: integer('nonce'), data: body.data ?? '0x',
    }
    if (!isHex(out.data)) errors.data = [`${body.data} is not an hexadecimal string`]
    if (out.operation > 2) errors.operation = [`${out.operation} is not a valid choice.`]
    required('contractTransactionHash')
    if (!errors.contractTransactionHash && !isHex(body.contractTransactionHash, 32)) errors.contractTransactionHash = ['Not a valid hash']
    const sender = address('sender')
    if (body.signature !== undefined && body.signature !== null) {
      if (!isHex(body.signature)) errors.signature = [`${body.signature} is not an hexadecimal string`]
      else if (body.signature.length < 2 + 130) errors.signature = ['Ensure this field has at least 65 hexadecimal chars (not counting 0x).']
    }
    if (typeof body.origin === 'string' && body.origin.length > 200) errors.origin = ['Ensure this field has no more than 200 characters.']
    if (Object.keys(errors).length) say(422, errors)
    return { tx: out, sender, hash: body.contractTransactionHash, signature: body.signature ?? null, origin: body.origin ?? '' }
  }

  async #signers(safe, safeTxHash, signature) {
    const parts = []
    const isContract = parseInt(signature.slice(130, 132), 16) === 0
    if (isContract) parts.push(signature) // one, with its tail behind it
    else for (let at = 2; at + 130 <= signature.length; at += 130) parts.push(`0x${signature.slice(at, at + 130)}`)
    const out = []
    for (const part of parts) {
      const v = isContract ? 0 : parseInt(part.slice(-2), 16)
      if (v === 0) out.push({ signature: part, type: 'CONTRACT_SIGNATURE', owner: await this.#contractOwner(safe, safeTxHash, part) })
      else if (v === 27 || v === 28) out.push({ signature: part, type: 'EOA', owner: await recoverAddress({ hash: safeTxHash, signature: part }).catch(() => null) })
      else if (v === 31 || v === 32) {
        const plain = `${part.slice(0, -2)}${(v - 4).toString(16)}`
        out.push({ signature: part, type: 'ETH_SIGN', owner: await recoverAddress({ hash: hashMessage({ raw: safeTxHash }), signature: plain }).catch(() => null) })
      } else if (v === 1) {
        const owner = getAddress(`0x${part.slice(26, 66)}`)
        const approved = await this.chain.read(safe, 'function approvedHashes(address, bytes32) view returns (uint256)', owner, safeTxHash)
        out.push({ signature: part, type: 'APPROVED_HASH', owner: approved ? owner : null })
      } else out.push({ signature: part, type: 'UNKNOWN', owner: null })
    }
    return out
  }

  // The owner named in a contract's signature, if that contract accepts it the way this Safe's version asks.
  async #contractOwner(safe, safeTxHash, part) {
    const owner = getAddress(`0x${part.slice(26, 66)}`)
    const at = 2 + 2 * Number(BigInt(`0x${part.slice(66, 130)}`))
    const length = 2 * Number(BigInt(`0x${part.slice(at, at + 64)}`))
    const tail = `0x${part.slice(at + 64, at + 64 + length)}`
    const legacy = (await this.#release(safe)).version < '1.5'
    const record = this.transactions.get(safeTxHash)
    const args = legacy ? [await this.#preimage(safe, record.tx), tail] : [safeTxHash, tail]
    const abi = parseAbi([`function isValidSignature(${legacy ? 'bytes' : 'bytes32'}, bytes) view returns (bytes4)`])
    const answer = await this.chain.call({ from: safe, to: owner, data: encodeFunctionData({ abi, args }) }).catch(() => '0x')
    return answer.startsWith(legacy ? '0x20c13b0b' : '0x1626ba7e') ? owner : null
  }

  async #preimage(safe, tx) {
    return this.chain.read(safe, 'function encodeTransactionData(address, uint256, bytes, uint8, uint256, uint256, uint256, address, address, uint256) view returns (bytes)',
      tx.to, tx.value, tx.data, tx.operation, tx.safeTxGas, tx.baseGas, tx.gasPrice, tx.gasToken, tx.refundReceiver, tx.nonce)
  }

  // Delegates that count for this Safe: named for it or for all, not expired, by someone who is an owner now.
  #delegatesFor(safe, owners) {
    const now = Date.now()
    return this.delegates.filter((d) => (d.safe === null || d.safe === safe) && owners.includes(d.delegator) && (!d.expiryDate || Date.parse(d.expiryDate) > now))
  }

  async #propose(safe, body) {
    this.#checkPathAddress(safe)
    if (!(await this.#release(safe))) nope(`Safe=${safe} does not exist or it's still not indexed`)
    const { tx, sender, hash, signature, origin } = this.#validate(body)
    const computed = await this.chain.call({
      to: safe,
      data: encodeFunctionData({ abi: safeAbi, functionName: 'getTransactionHash', args: [tx.to, tx.value, tx.data, tx.operation, tx.safeTxGas, tx.baseGas, tx.gasPrice, tx.gasToken, tx.refundReceiver, tx.nonce] }),
    })
    if (computed !== hash) nope(`Contract-transaction-hash=${computed} does not match provided contract-tx-hash=${hash}`)
    await this.#index(safe)
    const known = this.transactions.get(computed)
    if (known?.executed) nope(`Tx with safe-tx-hash=${computed} for safe=${safe} was already executed in tx-hash=${known.executed.transactionHash}`)
    for (const t of this.transactions.values())
      if (t.safe === safe && t.executed && t.tx.nonce === tx.nonce) nope(`Tx with nonce=${tx.nonce} for safe=${safe} already executed in tx-hash=${t.executed.transactionHash}`)
    if (tx.operation === 1 && !this.releases.some((r) => [r.multiSendCallOnly, r.signMessageLib].includes(tx.to))) nope('Operation DELEGATE_CALL is not allowed')

    const owners = await this.#owners(safe)
    const delegates = this.#delegatesFor(safe, owners)
    const names = [...new Set(delegates.map((d) => d.delegate))]
    const who = `Current owners=${pyList(owners)}. Delegates=${pySet(names)}`
    if (!owners.includes(sender) && !names.includes(sender)) nope(`Sender=${sender} is not an owner or delegate. ${who}`)

    const confirmations = []
    let byDelegate = null
    if (signature !== null) {
      if ((signature.length - 2) % 130 !== 0) nope(`Signature=${signature} for owner=None is not valid`)
      const signers = await this.#signers(safe, computed, signature)
      for (const s of signers) {
        if (!s.owner) nope(`Signature=${s.signature} for owner=${s.owner ?? 'None'} is not valid`)
        if (names.includes(s.owner) && !owners.includes(s.owner)) {
          if (signers.length > 1) nope('Just one signature is expected if using delegates')
          byDelegate = s.owner
        } else if (!owners.includes(s.owner)) nope(`Signer=${s.owner} is not an owner or delegate. ${who}`)
        if (confirmations.some((c) => c.owner === s.owner)) nope(`Signature for owner=${s.owner} is duplicated`)
        if (owners.includes(s.owner)) confirmations.push(s)
      }
      if (!signers.some((s) => s.owner === sender)) nope(`Signature does not match sender=${sender}. Calculated owners=${pyList(signers.map((s) => s.owner))}`)
    }
    // From here on it is accepted.
    const record = known ?? this.#record(safe, computed, tx, {})
    const trusted = signature !== null
    if (!known || (trusted && !known.trusted)) {
      record.origin = normalOrigin(origin)
      record.trusted = trusted
      record.proposer = byDelegate ? delegates.find((d) => d.delegate === byDelegate).delegator : sender
      record.proposedByDelegate = byDelegate
    }
    for (const c of confirmations) this.#addConfirmation(record, c)
    record.posts.push({ at: new Date(), sender, signature })
    record.modified = new Date()
    this.transactions.set(computed, record)
    say(201, '')
  }

  #addConfirmation(record, { owner, signature, type }) {
    if (record.confirmations.some((c) => c.owner === owner)) return false
    record.confirmations.push({ owner, submissionDate: micros(new Date()), transactionHash: null, signature, signatureType: type })
    record.modified = new Date()
    return true
  }

  // ---- reading -------------------------------------------------------------------------------------------------

  async #show(record) {
    const { tx, executed } = record
    return {
      safe: record.safe, to: tx.to, value: tx.value.toString(), data: tx.data === '0x' ? null : tx.data, operation: tx.operation,
      gasToken: tx.gasToken, safeTxGas: tx.safeTxGas.toString(), baseGas: tx.baseGas.toString(), gasPrice: tx.gasPrice.toString(),
      refundReceiver: tx.refundReceiver, nonce: tx.nonce.toString(),
      executionDate: executed?.executionDate ?? null, submissionDate: micros(record.submissionDate), modified: micros(record.modified),
      blockNumber: executed?.blockNumber ?? null, transactionHash: executed?.transactionHash ?? null, safeTxHash: record.safeTxHash,
      proposer: record.proposer, proposedByDelegate: record.proposedByDelegate, executor: executed?.executor ?? null,
      isExecuted: executed !== null, isSuccessful: executed ? executed.isSuccessful : null,
      ethGasPrice: executed?.ethGasPrice ?? null, maxFeePerGas: executed?.maxFeePerGas ?? null,
      maxPriorityFeePerGas: executed?.maxPriorityFeePerGas ?? null, gasUsed: executed?.gasUsed ?? null, fee: executed?.fee ?? null,
      payment: executed?.payment ?? null, origin: record.origin, dataDecoded: null,
      confirmationsRequired: await this.#threshold(record.safe), confirmations: record.confirmations, trusted: record.trusted,
      signatures: executed?.signatures ?? null,
    }
  }

  async #find(hash) {
    for (const safe of this.#safes) await this.#index(safe)
    return this.transactions.get(hash) ?? say(404, { detail: 'No MultisigTransaction matches the given query.' })
  }

  async #getTransaction(hash) {
    say(200, await this.#show(await this.#find(hash)))
  }

  async #list(safe, url) {
    this.#checkPathAddress(safe)
    if (await this.#release(safe)) await this.#index(safe)
    const query = url.searchParams
    const numeric = (v) => { if (!/^\d+$/.test(v)) say(400, { detail: 'Enter a number.' }); return BigInt(v) }
    const bool = (v) => ({ true: true, True: true, 1: true, false: false, False: false, 0: false }[v])
    const dates = { modified: (t) => t.modified, submission_date: (t) => t.submissionDate, execution_date: (t) => (t.executed ? new Date(t.executed.executionDate) : null) }
    const compare = { '': (a, b) => a === b, gt: (a, b) => a > b, gte: (a, b) => a >= b, lt: (a, b) => a < b, lte: (a, b) => a <= b }
    let list = [...this.transactions.values()].filter((t) => t.safe === safe)
    if (!query.has('trusted')) query.set('trusted', 'true')
    for (const [name, value] of query) {
      const [field, how = ''] = name.split('__')
      if (['limit', 'offset', 'ordering'].includes(name)) continue
      else if (name === 'executed') list = list.filter((t) => (t.executed !== null) === bool(value))
      else if (name === 'trusted') list = list.filter((t) => t.trusted === bool(value))
      else if (name === 'has_confirmations') list = list.filter((t) => (t.confirmations.length > 0) === bool(value))
      else if (name === 'failed') list = list.filter((t) => t.executed && t.executed.isSuccessful === !bool(value))
      else if (name === 'safe_tx_hash') list = list.filter((t) => t.safeTxHash === value)
      else if (name === 'transaction_hash') list = list.filter((t) => t.executed?.transactionHash === value)
      else if (name === 'to') list = list.filter((t) => t.tx.to === value)
      else if ((field === 'nonce' || field === 'value') && compare[how]) { const n = numeric(value); list = list.filter((t) => compare[how](t.tx[field], n)) }
      else if (dates[field] && ['gte', 'lte'].includes(how)) list = list.filter((t) => dates[field](t) && compare[how](dates[field](t).getTime(), Date.parse(value)))
      else this.#violation(`unknown filter ${name}`) // the real one ignores it silently: the client would believe it worked
    }
    const keys = { nonce: (t) => t.tx.nonce, created: (t) => BigInt(t.submissionDate.getTime()), modified: (t) => BigInt(t.modified.getTime()) }
    const order = (query.get('ordering') ?? '-nonce,-created').split(',')
    for (const o of order) if (!keys[o.replace(/^-/, '')]) this.#violation(`unknown ordering ${o}`)
    list.sort((a, b) => {
      for (const o of order) {
        const get = keys[o.replace(/^-/, '')]
        if (!get) continue
        const d = get(a) - get(b)
        if (d !== 0n) return (d < 0n ? -1 : 1) * (o.startsWith('-') ? -1 : 1)
      }
      return 0
    })
    const limit = Math.min(Number(query.get('limit') ?? 100) || 100, 200)
    const offset = Number(query.get('offset') ?? 0)
    const page = (o) => { const u = new URL(this.url + url.pathname.slice(this.prefix.length)); for (const [k, v] of url.searchParams) if (k !== 'trusted' || url.search.includes('trusted')) u.searchParams.set(k, v); u.searchParams.set('limit', limit); u.searchParams.set('offset', o); return u.href }
    say(200, {
      count: list.length,
      next: offset + limit < list.length ? page(offset + limit) : null,
      previous: offset > 0 ? page(Math.max(0, offset - limit)) : null,
      results: await Promise.all(list.slice(offset, offset + limit).map((t) => this.#show(t))),
      countUniqueNonce: new Set(list.map((t) => t.tx.nonce)).size,
    })
  }

  // ---- confirming, deleting ------------------------------------------------------------------------------------

  async #listConfirmations(hash) {
    const record = await this.#find(hash)
    say(200, { count: record.confirmations.length, next: null, previous: null, results: record.confirmations })
  }

  async #confirm(hash, { signature }) {
    const record = await this.#find(hash)
    const refuse = (text) => say(400, { nonFieldErrors: [text] })
    if (record.executed) refuse(`Transaction with safe-tx-hash=${hash} was already executed`)
    if (!isHex(signature) || signature.length < 132) say(400, { signature: ['This field is required.'] })
    const owners = await this.#owners(record.safe)
    const signers = await this.#signers(record.safe, record.safeTxHash, signature)
    for (const s of signers) {
      if (!s.owner) refuse(`Signature=${s.signature} for owner=None is not valid`)
      if (!owners.includes(s.owner)) refuse(`Signer=${s.owner} is not an owner. Current owners=${pyList(owners)}`)
      if (record.confirmations.some((c) => c.owner === s.owner)) refuse(`Signature for owner=${s.owner} already exists`)
    }
    for (const s of signers) this.#addConfirmation(record, s)
    record.trusted = true
    say(201, { signature })
  }

  async #deleteTransaction(hash, { signature }) {
    const record = await this.#find(hash)
    const refuse = (text) => say(400, { nonFieldErrors: [text] })
    if (record.executed) refuse('Executed transactions cannot be deleted')
    if (!isHex(signature, 65)) say(400, { signature: ['This field is required.'] })
    const owners = await this.#owners(record.safe)
    const allowed = [record.proposer]
    if (record.proposedByDelegate && this.#delegatesFor(record.safe, owners).some((d) => d.delegate === record.proposedByDelegate)) allowed.push(record.proposedByDelegate)
    for (const totp of [totpNow(), totpNow() - 1n]) {
      const signer = await this.#recoverTyped(deleteRequest(this.chain.chainId, record.safe, record.safeTxHash, totp), signature)
      if (signer.some((s) => allowed.includes(s))) {
        this.transactions.delete(record.safeTxHash)
        say(204)
      }
    }
    refuse('Provided signer is not the proposer or its delegate')
  }

  // Who may have signed this typed data, plainly or in the eth_sign form.
  async #recoverTyped(typed, signature) {
    const hash = hashTypedData(typed)
    const v = parseInt(signature.slice(-2), 16)
    if (v > 30) return [await recoverAddress({ hash: hashMessage({ raw: hash }), signature: `${signature.slice(0, -2)}${(v - 4).toString(16)}` }).catch(() => null)]
    return [await recoverAddress({ hash, signature }).catch(() => null)]
  }

  // ---- delegates -----------------------------------------------------------------------------------------------

  #listDelegates(url) {
    const query = url.searchParams
    const names = ['safe', 'delegate', 'delegator', 'label'].filter((n) => query.has(n))
    if (names.length === 0) say(400, { nonFieldErrors: ['At least one query param must be provided'] })
    for (const n of names)
      if (n !== 'label' && !isChecksummed(query.get(n))) {
        this.#violation(`address without EIP-55 checksum in a filter: ${query.get(n)}`)
        say(400, { [n]: [`Address ${query.get(n)} is not checksumed`] })
      }
    const results = this.delegates.filter((d) => names.every((n) => d[n] === query.get(n)))
    say(200, { count: results.length, next: null, previous: null, results })
  }

  async #addDelegate(body) {
    const { safe = null, delegate, delegator, signature, label, expiryDate = null } = body
    const errors = {}
    for (const [n, v] of Object.entries({ delegate, delegator, ...(safe ? { safe } : {}) })) if (!isChecksummed(v)) errors[n] = [`Address ${v} is not checksumed`]
    if (typeof label !== 'string') errors.label = ['This field is required.']
    else if (label.length > 50) errors.label = ['Ensure this field has no more than 50 characters.']
    if (!isHex(signature, 65)) errors.signature = ['This field is required.']
    if (Object.keys(errors).length) say(400, errors)
    if (safe) {
      if (!(await this.#release(safe))) say(400, { nonFieldErrors: [`Safe=${safe} does not exist or it's still not indexed`] })
      if (!(await this.#owners(safe)).includes(delegator)) say(400, { nonFieldErrors: [`Provided delegator=${delegator} is not an owner of Safe=${safe}`] })
    }
    if (!(await this.#delegateSignedBy(delegate, signature)).includes(delegator)) say(400, { nonFieldErrors: [`Signature does not match provided delegator=${delegator}`] })
    this.delegates = this.delegates.filter((d) => !(d.safe === safe && d.delegate === delegate && d.delegator === delegator))
    const entry = { safe, delegate, delegator, label, expiryDate }
    this.delegates.push(entry)
    say(201, { safe, delegate, delegator, signature, label, expiryDate })
  }

  async #delegateSignedBy(delegate, signature) {
    const out = []
    for (const totp of [totpNow(), totpNow() - 1n])
      for (const chainId of [this.chain.chainId, undefined]) { // the form without chainId is accepted too
        const typed = delegateRequest(chainId, delegate, totp)
        if (chainId === undefined) delete typed.domain.chainId
        out.push(...(await this.#recoverTyped(typed, signature)))
      }
    return out
  }

  async #deleteDelegate(delegate, { delegator, signature, safe = null }) {
    this.#checkPathAddress(delegate)
    if (!isHex(signature, 65)) say(400, { signature: ['This field is required.'] })
    const signers = await this.#delegateSignedBy(delegate, signature)
    if (!signers.includes(delegator) && !signers.includes(delegate)) say(400, { nonFieldErrors: ['Signature does not match provided delegate or delegator'] })
    const before = this.delegates.length
    this.delegates = this.delegates.filter((d) => !(d.delegate === delegate && d.delegator === delegator && (safe === null || d.safe === safe)))
    say(this.delegates.length < before ? 204 : 404, this.delegates.length < before ? undefined : { detail: 'Not found.' })
  }
}

// JSON stays JSON, anything else is kept as text, nothing becomes "{}".
function normalOrigin(origin) {
  if (origin === '' || origin === null) return '{}'
  if (typeof origin !== 'string') return JSON.stringify(origin)
  return origin
}
