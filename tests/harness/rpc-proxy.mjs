// A JSON-RPC endpoint in front of the local chain that counts what is asked and can misbehave: what a daemon sees of
// a public provider on a bad day. Like several of those it takes no batches, and whoever sends one is careless.
import { createServer } from 'node:http'

export async function startRpcProxy(chain) {
  const proxy = new RpcProxy(chain)
  await proxy.up()
  return proxy
}

export class RpcProxy {
  #server
  #sockets = new Set()
  #port = 0
  #faults = []

  /// chain: the node behind it; a test may put another one there at any time.
  constructor(chain) {
    this.chain = chain
    this.violations = [] // what a well-behaved client never does
    this.calls = [] // { at, method, params }
    this.httpRequests = 0
    this.bytes = 0 // asked and answered
  }

  get url() { return `http://127.0.0.1:${this.#port}` }

  async up() {
    this.#server = createServer((req, res) => this.#serve(req, res).catch(() => req.socket.destroy()))
    this.#server.on('connection', (s) => { this.#sockets.add(s); s.once('close', () => this.#sockets.delete(s)) })
    await new Promise((resolve, reject) => this.#server.once('error', reject).listen(this.#port, '127.0.0.1', resolve))
    this.#port = this.#server.address().port
  }

  async down() {
    if (!this.#server?.listening) return
    const closed = new Promise((resolve) => this.#server.close(resolve))
    for (const s of this.#sockets) s.destroy()
    await closed
  }

  /// match: (method, params) => bool; status/body: a plain HTTP answer; error: a JSON-RPC error object; delay (ms);
  /// hang: no answer, ever; instead: (method, params) => a result, without asking the node;
  /// mutate: (result, method, params) => another result, or an Error; drop: cut the connection ('after': the node has done it by then);
  /// then: awaited before it is cut, e.g. to kill the client.
  fault({ match = () => true, times = Infinity, ...how }) {
    const fault = { match, left: times, ...how, hits: 0 }
    this.#faults.push(fault)
    return fault
  }
  clearFaults() { this.#faults = [] }
  count(method) { return this.calls.filter((c) => !method || c.method === method).length }

  async #serve(req, res) {
    const chunks = []
    for await (const c of req) chunks.push(c)
    const text = Buffer.concat(chunks).toString()
    this.httpRequests++
    this.bytes += text.length
    const body = JSON.parse(text)
    if (Array.isArray(body)) {
      this.violations.push(`a batch of ${body.length} requests`)
      res.writeHead(200, { 'content-type': 'application/json' })
      return res.end(JSON.stringify({ jsonrpc: '2.0', id: null, error: { code: -32600, message: 'batch requests are not supported' } }))
    }
    const { method, params } = body
    this.calls.push({ at: new Date(), method, params })
    const active = this.#faults.find((f) => f.left > 0 && f.match(method, params))
    if (active) {
      active.left--
      active.hits++
      if (active.hang) return
      if (active.delay) await new Promise((resolve) => setTimeout(resolve, active.delay))
      if (active.drop && active.drop !== 'after') {
        await active.then?.()
        return req.socket.destroy()
      }
      if (active.status) {
        res.writeHead(active.status, { 'content-type': 'text/html', ...active.headers })
        return res.end(active.body ?? 'Bad Gateway')
      }
    }
    if (active?.instead) {
      res.writeHead(200, { 'content-type': 'application/json' })
      return res.end(JSON.stringify({ jsonrpc: '2.0', id: body.id, result: active.instead(method, params) }))
    }
    const answer = await fetch(this.chain.url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: text })
    let out = await answer.json()
    if (active?.drop === 'after') {
      await active.then?.()
      return req.socket.destroy()
    }
    if (active?.error) out = { jsonrpc: '2.0', id: out.id, error: active.error }
    else if (active?.mutate && 'result' in out) {
      const result = active.mutate(out.result, method, params)
      out = result instanceof Error ? { jsonrpc: '2.0', id: out.id, error: { code: -32000, message: result.message } } : { ...out, result }
    }
    const reply = JSON.stringify(out)
    this.bytes += reply.length
    res.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(reply) })
    res.end(reply)
  }
}
