// dstack status endpoints: what machines show is recorded, held or proposed, and refused when it contradicts itself.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { encodeFunctionData, parseAbi } from 'viem'
import { appCompose, composeHash, guestInfo, startEndpoints } from '../harness/endpoints.mjs'
import { registrard } from '../harness/daemon.mjs'
import { dropFile } from '../harness/eif.mjs'
import { makeSigner } from '../harness/minisign.mjs'
import { makeAuthority } from '../harness/tls.mjs'
import { makeWorld, until } from '../harness/world.mjs'

const inWorld = (options, run) => async () => {
  const world = await makeWorld(options)
  const endpoints = await startEndpoints()
  try {
    await run(world, endpoints)
  } finally {
    await endpoints.stop()
    await world.close()
  }
}

/// A daemon that polls these names of the server.
function polling(world, endpoints, names, { propose = 'hold', target = {} } = {}) {
  return world.daemon({
    target,
    settings: { endpoints: names.map((name) => ({ url: endpoints.url(name), target: 'payments', every: '200ms', propose })) },
  })
}

const alarms = async (daemon) => (await daemon.events()).filter((e) => e.type === 'alarm').map((e) => e.text)
const status = async (daemon) => (await daemon.ctl(['status', '--json'])).json

/// The proposal for exactly this compose hash: one call, on the app.
async function proposalFor(world, daemon, value) {
  const p = await daemon.untilProposal(value)
  assert.deepEqual(p.calls.map(({ action, kind }) => [action, kind]), [['add', 'compose']])
  assert.equal(p.calls[0].to.toLowerCase(), world.registry.app.toLowerCase())
  assert.ok(p.calls[0].data.endsWith(value.slice(2)))
  return p
}

describe('status endpoints', { concurrency: 3 }, () => {
  test('a new compose hash is held, approved, and confirmed on the app', inWorld({}, async (world, endpoints) => {
    const daemon = polling(world, endpoints, ['one'])
    const app = world.registry.app
    for (const image of ['first', 'second']) {
      const compose = appCompose(image)
      const value = composeHash(compose)
      endpoints.set('one', guestInfo({ app, compose }))
      if (!daemon.running) await daemon.start()
      const [m] = await daemon.untilMeasurement(value, (x) => x.status === 'held')
      assert.equal(m.kind, 'compose')
      assert.match(m.reason, /status endpoint alone/)
      assert.equal(m.evidence[0].level, 'claimed')
      assert.equal(m.evidence[0].source, 'endpoint')
      assert.equal(m.evidence[0].artifact, endpoints.url('one'))
      assert.deepEqual(m.proposals, [])

      await daemon.ctl(['approve', m.id])
      const p = await proposalFor(world, daemon, value)
      await world.carry(daemon, p.id)
      await daemon.untilMeasurement(value, (x) => x.status === 'authorized')
      assert.deepEqual(await world.allowed(value), { kms: false, app: true })
      assert.equal((await daemon.ctl(['wait', value, '--timeout', '5s'])).code, 0)
    }
    const { endpoints: shown } = await status(daemon)
    assert.equal(shown.answering, 1)
    assert.equal(shown.measured, 2, 'the same bytes are measured once')
    assert.ok(shown.unchanged > 2)
    assert.match((await daemon.ctl(['status'])).stdout, /Endpoints: 1; 1 answering/)
    assert.deepEqual(await alarms(daemon), [])

    // Somebody authorized a third by hand before it is seen: nobody is asked.
    const third = appCompose('third')
    await world.timelock.runByHand([{ to: app, data: encodeFunctionData({ abi: parseAbi(['function addComposeHash(bytes32)']), args: [composeHash(third)] }) }], { salt: `0x${'03'.repeat(32)}` })
    await world.chain.mine(3)
    const head = Number(await world.chain.blockNumber())
    await until(async () => (await status(daemon)).chains[0].head >= head, { what: 'the daemon to have read it' })
    endpoints.set('one', guestInfo({ app, compose: third }))
    const [adopted] = await daemon.untilMeasurement(composeHash(third), (x) => x.status === 'authorized')
    assert.match(adopted.reason, /^added on chain in transaction 0x|^p3 confirmed: /, 'by the event, or by following the operation')
    assert.ok((await daemon.proposals()).every((p) => p.origin === 'external' || !adopted.proposals.includes(p.id)), 'nobody was asked')

    // Back to the first: an alarm, although it is authorized.
    endpoints.set('one', guestInfo({ app, compose: appCompose('first') }))
    await until(async () => (await alarms(daemon)).some((a) => /back and forth/.test(a)), { what: 'the alarm' })
  }))

  test('with propose: auto it goes all the way by itself', inWorld({ generation: 1 }, async (world, endpoints) => {
    const daemon = polling(world, endpoints, ['one', 'two'], { propose: 'auto', target: { min_evidence: 'claimed' } })
    const compose = appCompose('auto')
    const value = composeHash(compose)
    for (const name of ['one', 'two']) endpoints.set(name, guestInfo({ app: world.registry.app, compose, instance: (name === 'one' ? 'a1' : 'b2').repeat(20) }))
    await daemon.start()
    const p = await proposalFor(world, daemon, value)
    await world.carry(daemon, p.id)
    const [m] = await daemon.untilMeasurement(value, (x) => x.status === 'authorized')
    assert.deepEqual(m.evidence.map((e) => e.artifact).sort(), ['one', 'two'].map(endpoints.url).sort(), 'evidence adds up')
    assert.deepEqual(await alarms(daemon), [])
  }))

  test('what contradicts itself, is another app\'s, or fails is refused or waited for, and nothing of it recorded', inWorld({}, async (world, endpoints) => {
    const app = world.registry.app
    const compose = appCompose('good')
    const bad = {
      event: guestInfo({ app, compose, change: (info, tcb, log) => { log[2].event_payload = 'ab'.repeat(32) } }),
      replay: guestInfo({ app, compose, change: (info, tcb) => { tcb.rtmr3 = 'cd'.repeat(48) } }),
      compose: guestInfo({ app, compose, change: (info, tcb) => { tcb.app_compose += ' ' } }),
      aggregated: guestInfo({ app, compose, change: (info) => { info.mr_aggregated = 'ef'.repeat(32) } }),
      app: guestInfo({ app: world.registry.kms, compose }),
    }
    for (const [name, answer] of Object.entries(bad)) endpoints.set(name, answer)
    endpoints.set('late', { status: 503, headers: { 'Retry-After': '1' }, body: '' })
    const daemon = polling(world, endpoints, [...Object.keys(bad), 'late', 'absent'], { propose: 'auto', target: { min_evidence: 'claimed' } })
    await daemon.start()

    await until(async () => (await alarms(daemon)).length >= Object.keys(bad).length, { what: 'an alarm for each' })
    const told = await alarms(daemon)
    for (const name of Object.keys(bad)) assert.ok(told.some((a) => a.startsWith(`[endpoint] ${endpoints.url(name)} refused: `)), `an alarm names ${name}`)
    const { endpoints: shown } = await status(daemon)
    assert.equal(shown.refused, Object.keys(bad).length)
    assert.equal(shown.trouble.find((t) => t.url === endpoints.url('absent')).error, 'HTTP status 400')
    assert.deepEqual(await daemon.measurements(), [])
    assert.match((await daemon.ctl(['status'])).stdout, /refused: /)

    // Not said again while it lasts; the others are not held up by it.
    endpoints.set('late', guestInfo({ app, compose }))
    await daemon.untilProposal(composeHash(compose))
    assert.deepEqual((await alarms(daemon)).length, told.length)
    assert.deepEqual((await daemon.measurements()).map((m) => m.value), [composeHash(compose)])
  }))

  test('what was revoked and is still shown is an alarm, and nothing comes back', inWorld({}, async (world, endpoints) => {
    const compose = appCompose('revoked')
    const value = composeHash(compose)
    endpoints.set('one', guestInfo({ app: world.registry.app, compose }))
    const daemon = polling(world, endpoints, ['one'])
    await daemon.start()
    const [m] = await daemon.untilMeasurement(value, (x) => x.status === 'held')
    await daemon.ctl(['approve', m.id])
    const p = await proposalFor(world, daemon, value)
    await world.carry(daemon, p.id)
    await daemon.untilMeasurement(value, (x) => x.status === 'authorized')
    await world.timelock.runByHand([{ to: world.registry.app, data: encodeFunctionData({ abi: parseAbi(['function removeComposeHash(bytes32)']), args: [value] }) }])
    await world.chain.mine(3)
    await until(async () => (await alarms(daemon)).some((a) => /which was revoked/.test(a)), { what: 'the alarm' })

    await daemon.kill9()
    await daemon.start()
    const before = (await status(daemon)).endpoints.unchanged
    await until(async () => (await status(daemon)).endpoints.unchanged > before + 2, { what: 'it is asked again' })
    assert.equal((await alarms(daemon)).filter((a) => /which was revoked/.test(a)).length, 1, 'a restart repeats no alarm')
    assert.ok((await daemon.measurements(value)).every((x) => x.wanted === 'absent'))
  }))

  test('TLS: an authority of one\'s own is believed; another, another name, or none of the system\'s is not', inWorld({}, async (world, endpoints) => {
    const ours = makeAuthority(world.tmp.path, 'ours'), strangers = makeAuthority(world.tmp.path, 'strangers')
    const servers = {
      good: await startEndpoints({ tls: ours.issue('127.0.0.1') }),
      stranger: await startEndpoints({ tls: strangers.issue('127.0.0.1') }),
      otherName: await startEndpoints({ tls: ours.issue('gw.example') }),
      unknown: await startEndpoints({ tls: makeAuthority(world.tmp.path, 'unknown').issue('127.0.0.1') }),
    }
    try {
      const settings = { endpoints: Object.entries(servers).map(([name, server]) => {
        server.set(name, guestInfo({ app: world.registry.app, compose: appCompose(name) }))
        return { url: server.url(name), target: 'payments', every: '200ms', propose: 'auto', ...(name === 'unknown' ? {} : { ca_file: ours.file }) }
      }) }
      const daemon = world.daemon({ target: { min_evidence: 'claimed' }, settings })
      await daemon.start()
      await daemon.untilProposal(composeHash(appCompose('good')))
      const wrong = ['stranger', 'otherName', 'unknown']
      await until(async () => (await status(daemon)).endpoints.failing === wrong.length, { what: 'the others failing' })
      const { endpoints: shown } = await status(daemon)
      for (const name of wrong) {
        const row = shown.trouble.find((t) => t.url === servers[name].url(name))
        assert.match(row.error, /certificate|SSL/i, name)
        assert.equal(servers[name].asked(name), 0, `${name} was asked for nothing`)
        assert.deepEqual(await daemon.measurements(composeHash(appCompose(name))), [])
      }
      // A file that is no authority is refused at the start.
      await daemon.stop()
      writeFileSync(join(world.tmp.path, 'none.crt'), 'nothing')
      daemon.configure({ ...daemon.config, endpoints: [{ ...settings.endpoints[0], ca_file: join(world.tmp.path, 'none.crt') }] })
      const refused = spawnSync(registrard(), ['--config', daemon.configFile, '--foreground'], { encoding: 'utf8' })
      assert.notEqual(refused.status, 0)
      assert.match(refused.stderr, /endpoints\[0\]\.ca_file: .*none\.crt/)
    } finally {
      for (const server of Object.values(servers)) await server.stop()
    }
  }))

  test('a KMS that is set up: its values are held, approved, and registered as a KMS\'s', inWorld({ app: false }, async (world, endpoints) => {
    const answer = (mr) => JSON.stringify({
      device_id: '34b13d4228e918e3fb33f90afa2bbe21c6d23d6a96b08971a527d4317dbcd053', mr_aggregated: mr,
      os_image_hash: '7d47512fda31dc5a7318f72ae1869a3c76323981eea21fc30cafd0f79668642c', tee_variant: 'dstack-tdx', site_name: 'one', eth_rpc_url: '', kms_contract_address: '', ppid: '',
    })
    endpoints.set('kms', answer('a7'.repeat(32)))
    endpoints.set('dummy', answer('a8'.repeat(32)).replace(/"device_id":"[0-9a-f]+"/, '"device_id":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"'))
    const daemon = world.daemon({ settings: { endpoints: ['kms', 'dummy'].map((name) => ({ url: endpoints.kmsUrl(name), target: 'payments', every: '200ms' })) } })
    await daemon.start()
    const [m] = await daemon.untilMeasurement(`0x${'a7'.repeat(32)}`, (x) => x.status === 'held')
    assert.equal(m.kind, 'kms-mr')
    assert.match(m.reason, /status endpoint alone/)
    const all = await daemon.measurements()
    assert.deepEqual(all.filter((x) => x.evidence.some((e) => e.artifact === endpoints.kmsUrl('kms'))).map((x) => x.kind).sort(), ['kms-device', 'kms-mr', 'os-image'])
    // The dummy that every machine would share is nobody's device.
    await daemon.untilMeasurement(`0x${'a8'.repeat(32)}`, (x) => x.status === 'held')
    assert.deepEqual(await daemon.measurements('0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'), [])
    await daemon.ctl(['approve', m.id])
    const p = await daemon.untilProposal(m.value)
    assert.deepEqual(p.calls.map((c) => [c.action, c.kind, c.to.toLowerCase()]), [['add', 'kms-mr', world.registry.kms.toLowerCase()]])
    await world.carry(daemon, p.id)
    assert.equal(await world.chain.read(world.registry.kms, 'function kmsAllowedAggregatedMrs(bytes32) view returns (bool)', m.value), true)
  }))

  test('require_signed holds what endpoints show, also with propose: auto', inWorld({}, async (world, endpoints) => {
    const compose = appCompose('signed'), signer = makeSigner()
    endpoints.set('one', guestInfo({ app: world.registry.app, compose }))
    const daemon = polling(world, endpoints, ['one'], { propose: 'auto', target: { min_evidence: 'claimed', require_signed: { ed25519: { public_keys: [signer.publicKey] } } } })
    await daemon.start()
    const [m] = await daemon.untilMeasurement(composeHash(compose), (x) => x.status === 'held')
    assert.match(m.reason, /evidence unsigned, the target wants a signature/)
    // The build says it, signed: one measurement, and the evidence adds up.
    dropFile(world.folder('payments', 'v1'), 'app-compose.json', compose)
    dropFile(world.folder('payments', 'v1'), 'app-compose.json.minisig', signer.sign(Buffer.from(compose)))
    await proposalFor(world, daemon, composeHash(compose))
    const [after] = await daemon.measurements(composeHash(compose))
    assert.deepEqual([...new Set(after.evidence.map((e) => e.source))].sort(), ['endpoint', 'folder'])
    assert.deepEqual(after.evidence.filter((e) => e.signed).map((e) => e.artifact.split('/').at(-1)), ['app-compose.json.minisig'])
  }))
})
