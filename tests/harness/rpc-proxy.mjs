// A JSON-RPC endpoint in front of the local chain that counts what is asked and can misbehave: what a daemon sees of
// a public provider on a bad day.
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

  constructor(chain) {
    this.chain = chain
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
    const list = Array.isArray(body) ? body : [body]
    for (const { method, params } of list) this.calls.push({ at: new Date(), method, params })
    const active = this.#faults.find((f) => f.left > 0 && list.some((c) => f.match(c.method, c.params)))
    if (active) {
      active.left--
      active.hits++
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
    const answer = await fetch(this.chain.url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: text })
    let out = await answer.json()
    if (active?.drop === 'after') {
      await active.then?.()
      return req.socket.destroy()
    }
    if (active) {
      const change = (item, asked) => {
        if (!active.match(asked.method, asked.params)) return item
        if (active.error) return { jsonrpc: '2.0', id: item.id, error: active.error }
        if (!active.mutate || !('result' in item)) return item
        const result = active.mutate(item.result, asked.method, asked.params)
        return result instanceof Error ? { jsonrpc: '2.0', id: item.id, error: { code: -32000, message: result.message } } : { ...item, result }
      }
      out = Array.isArray(out) ? out.map((item) => change(item, list.find((c) => c.id === item.id))) : change(out, list[0])
    }
    const reply = JSON.stringify(out)
    this.bytes += reply.length
    res.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(reply) })
    res.end(reply)
  }
}
