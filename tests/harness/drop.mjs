// The client's side of builds dropped by HTTP, as a pipeline would write it.
import http from 'node:http'
import https from 'node:https'
import net from 'node:net'
import { once } from 'node:events'

/// A port that was free a moment ago.
export async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

export class Pipeline {
  constructor({ port, token, target = 'payments', ca }) {
    Object.assign(this, { port, token, target, ca })
  }

  /// path: behind the target. Resolves to { status, headers, json }.
  ask(method, path, { body = Buffer.alloc(0), headers = {}, token = this.token, target = this.target } = {}) {
    return new Promise((ok, fail) => {
      const request = (this.ca ? https : http).request({
        host: '127.0.0.1', port: this.port, method, path: `/v1/builds/${target}/${path}`, agent: false, ca: this.ca, servername: this.ca && 'localhost',
        headers: { authorization: `Bearer ${token}`, 'content-length': body.length, ...headers },
      }, (answer) => {
        let text = ''
        answer.setEncoding('utf8').on('data', (c) => (text += c)).on('end', () => {
          let json
          try { json = JSON.parse(text) } catch {}
          ok({ status: answer.statusCode, headers: answer.headers, json })
        })
      })
      request.once('error', fail)
      request.end(body)
    })
  }

  /// Bytes of file from `from` on; size: of the whole.
  put(path, body, { from = 0, size = from + body.length } = {}) {
    const headers = from > 0 || size !== body.length ? { 'content-range': `bytes ${from}-${from + body.length - 1}/${size}` } : {}
    return this.ask('PUT', path, { body, headers })
  }

  async offset(path) {
    const { headers } = await this.ask('HEAD', path)
    return { at: Number(headers['upload-offset']), complete: headers['upload-complete'] === '?1' }
  }

  /// Begins to send body and resolves when `sent` bytes left, or the connection is gone; .cut() breaks the connection.
  async begin(path, body, sent) {
    const socket = net.connect(this.port, '127.0.0.1')
    socket.on('error', () => {}) // whoever cuts it expects that
    await once(socket, 'connect')
    socket.write(`PUT /v1/builds/${this.target}/${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${this.token}\r\nContent-Length: ${body.length}\r\n\r\n`)
    for (let at = 0; at < sent && !socket.destroyed; at += 1 << 20)
      await new Promise((ok) => { socket.write(body.subarray(at, Math.min(at + (1 << 20), sent)), ok) })
    return { cut: () => socket.resetAndDestroy() }
  }
}
