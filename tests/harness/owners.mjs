// The people who own the Safe, working through the Safe service as the web app would: read the transaction, recompute
// its hash, sign, confirm, and let a relayer execute it.
import assert from 'node:assert/strict'
import { people } from './chain.mjs'
import { delegateRequest } from './safe-service.mjs'
import { safeTx } from './safe.mjs'

export class Owners {
  constructor(service, safe, owners = people.owners) {
    this.service = service
    this.safe = safe
    this.owners = owners
    this.spared = true // the service's faults are not for people
  }

  async #http(method, path, body) {
    const response = await fetch(`${this.service.url}/api${path}`, {
      method,
      headers: {
        ...(this.spared ? { 'x-owner': 'yes' } : {}),
        ...(body ? { 'content-type': 'application/json' } : {}),
        ...(this.service.apiKey ? { authorization: `Bearer ${this.service.apiKey}` } : {}),
      },
      body: body && JSON.stringify(body),
    })
    const text = await response.text()
    const json = text && /json/.test(response.headers.get('content-type') ?? '') ? JSON.parse(text) : null
    return { status: response.status, body: json ?? (text || null) }
  }
  get(path) { return this.#http('GET', path) }
  post(path, body) { return this.#http('POST', path, body) }
  delete(path, body) { return this.#http('DELETE', path, body) }

  /// The transaction as the service tells it, its hash recomputed three ways before anybody signs.
  async read(safeTxHash) {
    const { status, body } = await this.get(`/v2/multisig-transactions/${safeTxHash}/`)
    assert.equal(status, 200, `the service does not know ${safeTxHash}`)
    const tx = safeTx(body)
    assert.equal(await this.safe.hash(tx), safeTxHash, 'the hash does not belong to the fields')
    assert.equal(body.safe, this.safe.address)
    return { tx, shown: body }
  }

  async confirm(safeTxHash, owner) {
    const { tx } = await this.read(safeTxHash)
    const answer = await this.post(`/v1/multisig-transactions/${safeTxHash}/confirmations/`, { signature: await this.safe.sign(owner, tx) })
    assert.equal(answer.status, 201, `confirmation refused: ${JSON.stringify(answer.body)}`)
  }

  /// Executes with the confirmations that the service has.
  async execute(safeTxHash, options) {
    const { tx, shown } = await this.read(safeTxHash)
    return this.safe.execute(tx, shown.confirmations.map((c) => c.signature), options)
  }

  /// Everything: as many confirmations as the threshold asks, then execution.
  async approve(safeTxHash, options) {
    const threshold = await this.safe.threshold()
    const { shown } = await this.read(safeTxHash)
    const done = shown.confirmations.map((c) => c.owner)
    for (const owner of this.owners.filter((o) => !done.includes(o.address)).slice(0, Math.max(0, threshold - done.length))) await this.confirm(safeTxHash, owner)
    return this.execute(safeTxHash, options)
  }

  /// An owner proposes something of their own.
  async propose(call, owner = this.owners[0]) {
    const tx = safeTx({ nonce: await this.safe.nonce(), ...call })
    const hash = await this.safe.hash(tx)
    const answer = await this.post(`/v2/safes/${this.safe.address}/multisig-transactions/`, {
      ...Object.fromEntries(Object.entries(tx).map(([k, v]) => [k, typeof v === 'bigint' ? v.toString() : v])),
      contractTransactionHash: hash, sender: owner.address, signature: await this.safe.sign(owner, tx), origin: '',
    })
    assert.equal(answer.status, 201, JSON.stringify(answer.body))
    return hash
  }

  /// The web app's "Reject": an empty transaction with the same nonce, signed and executed instead.
  async reject(safeTxHash) {
    const { tx } = await this.read(safeTxHash)
    const rejection = await this.propose({ to: this.safe.address, nonce: tx.nonce })
    await this.approve(rejection)
    return rejection
  }

  /// Names a delegate, with the delegator's signature.
  async addDelegate(delegate, { delegator = this.owners[0], safe = this.safe.address, label = 'registrard' } = {}) {
    const signature = await delegator.signTypedData(delegateRequest(this.safe.chain.chainId, delegate))
    const answer = await this.post('/v2/delegates/', { safe, delegate, delegator: delegator.address, signature, label })
    assert.equal(answer.status, 201, JSON.stringify(answer.body))
  }
}
