// The other side of endpoints.mjs, in a process of its own: answers everything, on every loopback address, with one body.
import { fork } from 'node:child_process'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { onExit } from '../harness/util.mjs'

/// Starts it; resolves to { port, stop }.
export async function startHelper(body) {
  const child = fork(fileURLToPath(import.meta.url), ['serve'])
  const forget = onExit(() => child.kill('SIGKILL'))
  child.send(body)
  const port = await new Promise((ok, fail) => { child.once('message', ok); child.once('exit', () => fail(new Error('the server ended'))) })
  return { port, stop: () => { forget(); child.kill('SIGKILL') } }
}

if (process.argv[2] === 'serve' && process.send) {
  process.once('message', (body) => {
    const server = createServer((request, response) => {
      response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) })
      response.end(body)
    })
    server.listen(0, '0.0.0.0', 4096, () => process.send(server.address().port))
  })
  process.once('disconnect', () => process.exit(0))
}
