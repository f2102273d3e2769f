// Builds dropped by HTTP: from a pipeline that shares no disk with the daemon to a draft.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { registrard, writeSecret } from '../harness/daemon.mjs'
import { Pipeline, freePort } from '../harness/drop.mjs'
import { makeEif, measurementsJson } from '../harness/eif.mjs'
import { makeWorld, until } from '../harness/world.mjs'

const MIB = 1 << 20

const inWorld = (run) => async () => {
  const world = await makeWorld()
  try {
    const token = randomBytes(24).toString('hex')
    const token_file = writeSecret(join(world.tmp.path, 'token'), token)
    await run(world, { token, token_file, port: await freePort() })
  } finally {
    await world.close()
  }
}

const peakKiB = (pid) => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1])

describe('builds dropped by HTTP', { concurrency: 2 }, () => {
  test('300 MiB, with broken connections and a kill in the middle', inWorld(async (world, { token, token_file, port }) => {
    const daemon = world.daemon({ target: { token_file }, settings: { http: { listen: `127.0.0.1:${port}` } } })
    daemon.secrets.push(Buffer.from(token).toString('hex'))
    await daemon.start()
    const pipeline = new Pipeline({ port, token })
    const eif = makeEif({ bytes: randomBytes }, { size: 300 * MIB })
    const { bytes } = eif
    const nothingRecorded = async () => {
      assert.deepEqual(await daemon.measurements(), [])
      assert.deepEqual(await daemon.proposals(), [])
      assert.equal((await pipeline.ask('POST', 'v1/complete')).status, 409)
      assert.equal((await pipeline.ask('GET', 'v1')).json.state, 'open')
    }
    /// What is there when nobody sends any more.
    const settled = async () => {
      let last = -1
      return until(async () => {
        const { at, complete } = await pipeline.offset('v1/enclave.eif')
        assert.equal(complete, false)
        if (at > 0 && at === last) return at
        last = at
      }, { every: 200, what: 'the upload to stand still' })
    }

    // The connection breaks.
    const upload = await pipeline.begin('v1/enclave.eif', bytes, 120 * MIB)
    upload.cut()
    const first = await settled()
    assert.ok(first > 50 * MIB && first <= 120 * MIB, `${first} bytes arrived`)
    await nothingRecorded()
    // At the wrong place it is refused, and nothing changes.
    const wrong = await pipeline.put('v1/enclave.eif', bytes.subarray(first + 1, first + 100), { from: first + 1, size: bytes.length })
    assert.equal(wrong.status, 409)
    assert.equal(wrong.headers['upload-offset'], String(first))
    // On from there, until the daemon is killed.
    const part = await pipeline.put('v1/enclave.eif', bytes.subarray(first, first + 20 * MIB), { from: first, size: bytes.length })
    assert.equal(part.status, 202)
    const second = await pipeline.begin('v2/other.eif', bytes, 10 * MIB)
    await daemon.kill9()
    second.cut()
    await daemon.start()
    assert.equal((await pipeline.offset('v1/enclave.eif')).at, first + 20 * MIB)
    await nothingRecorded()
    assert.equal((await pipeline.ask('DELETE', 'v2')).status, 204)

    // The rest, and what belongs to it.
    const from = first + 20 * MIB
    assert.equal((await pipeline.put('v1/enclave.eif', bytes.subarray(from), { from, size: bytes.length })).status, 201)
    assert.equal((await pipeline.put('v1/measurements.json', Buffer.from(measurementsJson(eif)))).status, 201)
    assert.deepEqual(await daemon.measurements(), [], 'not before it is complete')
    assert.ok(peakKiB(daemon.pid) < 150 * 1024, `main took ${peakKiB(daemon.pid)} KiB`)
    const done = await pipeline.ask('POST', 'v1/complete')
    assert.equal(done.status, 200)
    assert.equal(done.json.state, 'complete')

    // From here on it is a build like any other.
    const [m] = await daemon.untilMeasurement(eif.value, (x) => x.status === 'new' || x.status === 'proposed', { timeout: 60_000 })
    assert.ok(m.evidence.some((e) => e.level === 'recomputed'), JSON.stringify(m.evidence))
    const p = await daemon.untilProposal(eif.value)
    const { json } = await pipeline.ask('GET', 'v1')
    assert.deepEqual(json.builds.map(({ status, value }) => ({ status, value })), [{ status: 'accepted', value: eif.value }])
    assert.equal((await pipeline.ask('POST', 'v1/complete')).status, 200, 'asked again')
    assert.equal((await pipeline.put('v1/more.json', Buffer.from('{}'))).status, 409)
    await world.carry(daemon, p.id)
    assert.ok(!daemon.lines.some((l) => l.includes(token)), 'the token in the log')
  }))

  test('who may not drop, drops nothing', inWorld(async (world, { token, token_file, port }) => {
    const other = writeSecret(join(world.tmp.path, 'other'), 'another-token-for-the-lab')
    const daemon = world.daemon({
      targets: { payments: world.target({ token_file }), lab: world.target({ token_file: other }) },
      settings: { http: { listen: `127.0.0.1:${port}`, max_file_mib: 1, quota_mib: 2 } },
    })
    await daemon.start()
    const pipeline = new Pipeline({ port, token })
    const eif = makeEif(world.random)
    for (const how of [{ token: 'wrong' }, { token: '' }, { target: 'lab' }, { target: 'nobody' }, { token: `${token} ` + 'x' }])
      assert.equal((await pipeline.ask('PUT', 'v1/enclave.eif', { body: eif.bytes, ...how })).status, 401, JSON.stringify(how))
    for (const name of ['../v1/a', 'v1/../../a', 'v1/.a', 'v1/a%2f', 'v1/a.part'])
      assert.equal((await pipeline.ask('PUT', name, { body: eif.bytes })).status, 400, name)
    assert.equal((await pipeline.put('v1/large', Buffer.alloc(MIB + 1))).status, 413)
    assert.ok(!existsSync(join(daemon.stateDir, 'drop/payments/open/v1')))
    // A build that contradicts itself is refused, and whoever dropped it can see why.
    assert.equal((await pipeline.put('bad/enclave.eif', eif.bytes)).status, 201)
    assert.equal((await pipeline.put('bad/measurements.json', Buffer.from(measurementsJson(makeEif(world.random))))).status, 201)
    assert.equal((await pipeline.ask('POST', 'bad/complete')).status, 200)
    await until(async () => {
      const [build] = (await pipeline.ask('GET', 'bad')).json.builds
      return build?.status === 'refused' && build.reason
    }, { what: 'the refusal' })
    assert.deepEqual(await daemon.proposals(), [])
  }))

  test('the network only with TLS', inWorld(async (world, { token, token_file, port }) => {
    const [cert, key] = ['tls.crt', 'tls.key'].map((name) => join(world.tmp.path, name))
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', cert,
      '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'], { stdio: 'ignore' })
    const http = { listen: `0.0.0.0:${port}` }
    const daemon = world.daemon({ target: { token_file }, settings: { http } })
    const refused = spawnSync(registrard(), ['--config', daemon.configFile, '--check-config'], { encoding: 'utf8' })
    assert.equal(refused.status, 78)
    assert.match(refused.stderr, /http\.listen: 0\.0\.0\.0:\d+ is not an address of this machine alone; expected 127\.0\.0\.1 or \[::1\], or TLS/)

    daemon.configure({ ...daemon.config, http: { ...http, tls_cert_file: cert, tls_key_file: key } })
    await daemon.start()
    const pipeline = new Pipeline({ port, token, ca: readFileSync(cert) })
    const eif = makeEif({ bytes: randomBytes }, { size: 20 * MIB })
    assert.equal((await pipeline.put('v1/enclave.eif', eif.bytes.subarray(0, 7 * MIB), { size: eif.bytes.length })).status, 202)
    assert.deepEqual(await pipeline.offset('v1/enclave.eif'), { at: 7 * MIB, complete: false })
    assert.equal((await pipeline.put('v1/enclave.eif', eif.bytes.subarray(7 * MIB), { from: 7 * MIB, size: eif.bytes.length })).status, 201)
    assert.equal((await pipeline.ask('POST', 'v1/complete')).status, 200)
    await daemon.untilProposal(eif.value)
    // Plain HTTP gets no answer there.
    await assert.rejects(new Pipeline({ port, token }).ask('GET', 'v1'))
    // A key that is another's is refused at start.
    await daemon.stop()
    execFileSync('openssl', ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', key], { stdio: 'ignore' })
    daemon.expectBroken(/tls_key_file .* (key values mismatch|is not the key of)/)
    await daemon.start({ wait: false })
    assert.deepEqual(await daemon.ended, { code: 1, signal: null })
    writeFileSync(key, '')
  }))
})
