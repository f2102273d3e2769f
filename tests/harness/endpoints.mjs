// Status endpoints of dstack guest agents: answers as /prpc/Info gives them (the shape of dstack 0.5), consistent in
// themselves unless a test breaks them, and a server for any number of them.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { onExit } from './util.mjs'

const hash = (kind, ...parts) => {
  const h = createHash(kind)
  for (const p of parts) h.update(p)
  return h.digest()
}
export const sha256 = (...parts) => hash('sha256', ...parts)
const sha384 = (...parts) => hash('sha384', ...parts)
const RUNTIME_EVENT = 0x08000001
const hexOf = (text) => Buffer.from(text.replace(/^0x/, ''), 'hex')

/// A runtime event with its digest: SHA-384 of type (little endian), ":", name, ":", payload.
function runtimeEvent(name, payload = Buffer.alloc(0)) {
  const type = Buffer.alloc(4)
  type.writeUInt32LE(RUNTIME_EVENT)
  const digest = sha384(type, ':', name, ':', payload)
  return { imr: 3, event_type: RUNTIME_EVENT, digest: digest.toString('hex'), event: name, event_payload: payload.toString('hex') }
}

const replay = (log) => log.reduce((mr, e) => sha384(mr, hexOf(e.digest)), Buffer.alloc(48))

/// The exact text of an app-compose.json.
export const appCompose = (image) => JSON.stringify({
  manifest_version: 2, name: 'payments', runner: 'docker-compose',
  docker_compose_file: `services:\n  app:\n    image: registry.example/payments@sha256:${sha256(image).toString('hex')}\n`,
  kms_enabled: true, public_logs: false, public_sysinfo: false,
}, null, 4)

export const composeHash = (compose) => `0x${sha256(compose).toString('hex')}`

/// What a machine of this app that runs this app-compose.json answers. osImage: 32-byte hex, or left out.
/// change(info, tcb, log): a test's own damage, before the tcb_info is written into its string.
export function guestInfo({ app, compose, osImage = '', instance = 'a1'.repeat(20), change = () => {} }) {
  const appId = app.replace(/^0x/, '').toLowerCase()
  const image = osImage.replace(/^0x/, '')
  const keyProvider = JSON.stringify({ name: 'kms', id: 'ab'.repeat(45) })
  const log = [
    runtimeEvent('system-preparing'),
    runtimeEvent('app-id', hexOf(appId)),
    runtimeEvent('compose-hash', sha256(compose)),
    runtimeEvent('instance-id', hexOf(instance)),
    runtimeEvent('boot-mr-done'),
    ...(image ? [runtimeEvent('os-image-hash', hexOf(image))] : []),
    runtimeEvent('key-provider', Buffer.from(keyProvider)),
    runtimeEvent('system-ready'),
  ]
  const registers = ['mrtd', 'rtmr0', 'rtmr1', 'rtmr2'].map((name) => sha384(name))
  const rtmr3 = replay(log)
  const aggregated = sha256(...registers, rtmr3).toString('hex')
  const compose_hash = sha256(compose).toString('hex')
  const device_id = sha256('').toString('hex') // what the newest agents say: a dummy
  const tcb = {
    ...Object.fromEntries(['mrtd', 'rtmr0', 'rtmr1', 'rtmr2'].map((name, i) => [name, registers[i].toString('hex')])),
    rtmr3: rtmr3.toString('hex'), mr_aggregated: aggregated, os_image_hash: image, compose_hash, device_id,
    event_log: log, app_compose: compose,
  }
  const info = {
    app_id: appId, instance_id: instance, app_cert: '', tcb_info: '', app_name: 'payments', device_id,
    mr_aggregated: aggregated, os_image_hash: image, compose_hash, key_provider_info: keyProvider, vm_config: '',
  }
  change(info, tcb, log)
  info.tcb_info = JSON.stringify(tcb, null, 2)
  return JSON.stringify(info)
}

/// A server that answers GET /<name>/prpc/Info?json with whatever stands under that name: text, or a function of the
/// request that returns text or { status, headers, body }. tls: { key, cert } as files makes it https.
export async function startEndpoints({ tls } = {}) {
  const answers = new Map()
  const asked = new Map()
  const answering = (request, response) => {
    const name = decodeURIComponent(request.url.split('/')[1])
    asked.set(name, (asked.get(name) ?? 0) + 1)
    let answer = answers.get(name)
    if (typeof answer === 'function') answer = answer(request)
    if (answer === undefined) answer = { status: 400, body: JSON.stringify({ error: 'no such method' }) }
    if (typeof answer === 'string') answer = { body: answer }
    response.writeHead(answer.status ?? 200, { 'Content-Type': 'application/json', 'X-App-Version': 'v0.5.5', ...answer.headers })
    response.end(answer.body)
  }
  const server = tls ? createTlsServer({ key: readFileSync(tls.key), cert: readFileSync(tls.cert) }, answering) : createServer(answering)
  server.keepAliveTimeout = 60_000
  await new Promise((ok) => server.listen(0, '127.0.0.1', 4096, ok))
  const stop = () => new Promise((ok) => { forget(); server.close(ok); server.closeAllConnections() })
  const forget = onExit(() => server.closeAllConnections())
  return {
    url: (name) => `http${tls ? 's' : ''}://127.0.0.1:${server.address().port}/${name}/prpc/Info?json`,
    kmsUrl: (name) => `http${tls ? 's' : ''}://127.0.0.1:${server.address().port}/${name}/prpc/Onboard.GetAttestationInfo?json`,
    set: (name, answer) => { answers.set(name, answer) },
    asked: (name) => asked.get(name) ?? 0,
    total: () => [...asked.values()].reduce((a, b) => a + b, 0),
    stop,
  }
}
