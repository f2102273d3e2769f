// The real decision: what the KMS contract itself says about a machine, with every reason it has.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { encodeFunctionData, parseAbi } from 'viem'
import { appCompose, composeHash, guestInfo, startEndpoints } from '../harness/endpoints.mjs'
import { makeWorld, people, until } from '../harness/world.mjs'

const inWorld = (options, run) => async () => {
  const world = await makeWorld(options)
  try {
    await run(world)
  } finally {
    await world.close()
  }
}

const hash = (byte) => `0x${byte.repeat(32)}`
const call = (to, signature, ...args) => ({ to, data: encodeFunctionData({ abi: parseAbi([signature]), args }) })
let salts = 0xb007

/// Through the timelock, at once final.
async function govern(world, ...calls) {
  await world.timelock.runByHand(calls, { salt: `0x${(++salts).toString(16).padStart(64, '0')}` })
  await world.chain.mine(3)
}

function asker(world, daemon, info) {
  return async (changes = {}, ...args) => {
    const file = join(world.tmp.path, 'boot.json')
    writeFileSync(file, JSON.stringify({ ...info, ...changes }))
    return daemon.ctl(['check', info.composeHash, '--target', 'payments', '--boot-info', file, ...args], { ok: false })
  }
}

describe('the preflight of the real decision', { concurrency: 3 }, () => {
  for (const generation of [1, 2])
    test(`generation ${generation}: every reason of isAppAllowed, in its order`, inWorld({ generation }, async (world) => {
      const { kms, app } = world.registry
      const daemon = world.daemon()
      await daemon.start()
      const info = {
        appId: app, composeHash: hash('c1'), instanceId: `0x${'11'.repeat(20)}`, deviceId: hash('d1'), mrAggregated: hash('a1'),
        mrSystem: hash('b1'), osImageHash: hash('05'), tcbStatus: 'OutOfDate', advisoryIds: ['INTEL-SA-00837'],
      }
      const ask = asker(world, daemon, info)
      const says = async (allowed, reason, ...args) => {
        const { code, json } = await ask({}, '--json', ...args)
        assert.deepEqual(json.preflight, { call: 'isAppAllowed', contract: kms.toLowerCase(), allowed, latest: { allowed, reason }, final: { allowed, reason } })
        assert.equal(code, { yes: 0, no: 1, unknown: 3 }[allowed])
      }
      await world.chain.mine(3)
      await says('no', 'OS image is not allowed')
      await govern(world, call(kms, 'function addOsImageHash(bytes32)', info.osImageHash))
      await says('no', 'Compose hash not allowed')
      await govern(world, call(app, 'function setRequireTcbUpToDate(bool)', true))
      await says('no', 'TCB status is not up to date')
      await govern(world, call(app, 'function setRequireTcbUpToDate(bool)', false), call(app, 'function addComposeHash(bytes32)', info.composeHash))
      await says('no', 'Device not allowed')
      const text = await ask()
      assert.equal(text.code, 1)
      assert.match(text.stdout, /isAppAllowed of 0x[0-9a-f]{40}: no\n +latest no: Device not allowed\n +final +no: Device not allowed/)
      assert.match(text.stdout, new RegExp(`yes`), 'and the list says yes to the value itself')

      // Allowed: by the device's place on the list, or for any device.
      await govern(world, call(app, 'function addDevice(bytes32)', info.deviceId))
      await says('yes', '')
      await govern(world, call(app, 'function removeDevice(bytes32)', info.deviceId), call(app, 'function setAllowAnyDevice(bool)', true))
      await says('yes', '')
      // The same file in the other spelling, from standard input and without 0x.
      const snake = Object.fromEntries(Object.entries(info).map(([k, v]) => [k.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`), typeof v === 'string' ? v.replace(/^0x/, '') : v]))
      const file = join(world.tmp.path, 'snake.json')
      writeFileSync(file, JSON.stringify(snake))
      assert.equal((await daemon.ctl(['check', info.composeHash, '--target', 'payments', '--boot-info', file])).code, 0)

      // What is allowed at the latest block and not final yet is not allowed.
      await world.timelock.runByHand([call(app, 'function removeComposeHash(bytes32)', info.composeHash)], { salt: hash('e1') })
      const early = await ask({}, '--json')
      assert.equal(early.json.preflight.allowed, 'no')
      assert.equal(early.json.preflight.final.allowed, 'yes')

      // Another app's file, a file about something else, and files that are none.
      for (const [changes, pattern] of [
        [{ appId: people.outsider.address }, /appId is 0x.* the app of target payments is 0x/],
        [{ composeHash: hash('c2') }, /none of composeHash, osImageHash, mrAggregated and deviceId is the value/],
        [{ composeHash: '0x12' }, /boot\.json: field composeHash: expected 64 hex digits/],
        [{ tcbStatus: 7 }, /boot\.json: field tcbStatus: expected a text/],
        [{ device_id: hash('d1') }, /boot\.json: fields deviceId and device_id/],
        [{ osImageHash: undefined }, /boot\.json: missing: osImageHash/],
      ]) {
        const refused = await ask(changes)
        assert.equal(refused.code, 64)
        assert.match(refused.stderr, pattern)
      }
      const nothing = await daemon.ctl(['check', info.composeHash, '--target', 'payments', '--boot-info', '/nonexistent'], { ok: false })
      assert.equal(nothing.code, 64)
      assert.match(nothing.stderr, /\/nonexistent: cannot be read/)
      assert.equal((await daemon.ctl(['check', info.composeHash, '--target', 'payments', '--kms'], { ok: false })).code, 64)
    }))

  for (const generation of [1, 2])
    test(`generation ${generation}: every reason of isKmsAllowed`, inWorld({ generation }, async (world) => {
      const { kms } = world.registry
      const daemon = world.daemon()
      await daemon.start()
      const info = {
        appId: `0x${'00'.repeat(20)}`, composeHash: hash('c1'), instanceId: '', deviceId: hash('d1'), mrAggregated: hash('a1'),
        mrSystem: '', osImageHash: hash('05'), tcbStatus: 'SWHardeningNeeded',
      }
      const ask = asker(world, daemon, info)
      const says = async (allowed, reason, changes = {}) => {
        const { code, json } = await ask(changes, '--kms', '--json')
        assert.equal(json.preflight.call, 'isKmsAllowed')
        assert.deepEqual(json.preflight.final, { allowed, reason })
        assert.equal(code, allowed === 'yes' ? 0 : 1)
      }
      await world.chain.mine(3)
      const good = { tcbStatus: 'UpToDate' }
      await says('no', 'TCB status is not up to date')
      await says('no', 'OS image is not allowed', good)
      await govern(world, call(kms, 'function addOsImageHash(bytes32)', info.osImageHash))
      await says('no', 'Aggregated MR not allowed', good)
      await govern(world, call(kms, 'function addKmsAggregatedMr(bytes32)', info.mrAggregated))
      await says('no', 'KMS is not allowed to boot on this device', good)
      await govern(world, call(kms, 'function addKmsDevice(bytes32)', info.deviceId))
      await says('yes', '', good)
      // A value that is recorded as a KMS's own is asked about as such without being told.
      await daemon.ctl(['register', info.mrAggregated, '--target', 'payments', '--kind', 'kms-mr'])
      const file = join(world.tmp.path, 'kms.json')
      writeFileSync(file, JSON.stringify({ ...info, ...good }))
      const { json } = await daemon.ctl(['check', info.mrAggregated, '--target', 'payments', '--boot-info', file, '--json'])
      assert.equal(json.preflight.call, 'isKmsAllowed')
    }))

  test('an app that is not registered, or has no code', inWorld({ app: false }, async (world) => {
    const { kms } = world.registry
    const daemon = world.daemon()
    await daemon.start()
    const info = {
      appId: people.outsider.address, composeHash: hash('c1'), instanceId: '', deviceId: hash('d1'), mrAggregated: '', mrSystem: '', osImageHash: hash('05'), tcbStatus: '',
    }
    const ask = asker(world, daemon, info)
    await world.chain.mine(3)
    assert.equal((await ask({}, '--json')).json.preflight.final.reason, 'App not registered')
    await world.chain.write(people.outsider.address, kms, 'function registerApp(address)', people.outsider.address)
    await govern(world, call(kms, 'function addOsImageHash(bytes32)', info.osImageHash))
    assert.equal((await ask({}, '--json')).json.preflight.final.reason, 'App not deployed or invalid address')
  }))

  test('a contract without the question is unknown', inWorld({ generation: 1, kmsContract: 'Gen1KmsUndecided' }, async (world) => {
    const daemon = world.daemon()
    await daemon.start()
    const info = {
      appId: world.registry.app, composeHash: hash('c1'), instanceId: '', deviceId: '', mrAggregated: '', mrSystem: '', osImageHash: '', tcbStatus: '',
    }
    await world.chain.mine(3)
    const { code, json, stdout } = await asker(world, daemon, info)({}, '--json')
    assert.equal(code, 3, stdout)
    assert.equal(json.preflight.allowed, 'unknown')
    assert.match(json.preflight.final.reason, /does not answer isAppAllowed/)
  }))

  test('machines of status endpoints: asked by itself, shown, and an unfavourable answer to an authorized value is a warning', inWorld({}, async (world) => {
    const { kms, app } = world.registry
    const endpoints = await startEndpoints()
    try {
      const device = 'dd'.repeat(32), osImage = '05'.repeat(32)
      const machine = (image, extra = {}) => guestInfo({ app, compose: appCompose(image), osImage, ...extra, change: (info, tcb) => { if (extra.device !== null) info.device_id = tcb.device_id = extra.device ?? device } })
      endpoints.set('one', machine('first'))
      const daemon = world.daemon({ settings: { endpoints: [{ url: endpoints.url('one'), target: 'payments', every: '200ms', propose: 'hold' }] } })
      await govern(world, call(kms, 'function addOsImageHash(bytes32)', `0x${osImage}`))
      await daemon.start()
      const value = composeHash(appCompose('first'))
      const compose = async () => (await daemon.measurements(value)).find((m) => m.kind === 'compose')
      const warnings = async () => (await daemon.events()).filter((e) => e.type === 'warning')
      const untilAnswer = (test, what) => until(async () => {
        const m = await compose()
        return m?.preflight && test(m.preflight) && m
      }, { what: async () => `${what}; is ${JSON.stringify((await compose())?.preflight)}\n${daemon.tail(10)}` })

      await until(async () => (await compose())?.status === 'held', { what: 'the value to be held' })
      assert.ok(!('preflight' in (await compose())), 'nobody asked yet')
      await daemon.ctl(['approve', (await compose()).id])
      const before = await untilAnswer((p) => p.reason === 'Compose hash not allowed', 'asked when approved')
      assert.equal(before.preflight.allowed, 'no')
      assert.deepEqual(await warnings(), [], 'as it must be before it is added')

      // Authorized, and the device is not on the list: the machine would get no keys.
      const p = await daemon.untilProposal(value)
      await world.carry(daemon, p.id)
      const m = await untilAnswer((x) => x.reason === 'Device not allowed', 'asked again when authorized')
      assert.deepEqual({ ...m.preflight, block: 0, at: '' }, {
        call: 'isAppAllowed', allowed: 'no', reason: 'Device not allowed', source: endpoints.url('one'), assumed: 'mrSystem, tcbStatus, advisoryIds', block: 0, at: '',
      })
      const [warning] = await warnings()
      assert.equal(warning.subject, m.id)
      assert.match(warning.text, /would give no keys to the machine at http.*one\/prpc\/Info\?json: Device not allowed/)
      assert.match((await daemon.ctl(['measurements', value])).stdout, /KMS +isAppAllowed: no: Device not allowed, asked about http.*\(it does not state mrSystem, tcbStatus, advisoryIds\)/)

      // The registry speaks: asked again.
      await govern(world, call(app, 'function addDevice(bytes32)', `0x${device}`))
      await untilAnswer((x) => x.allowed === 'yes', 'asked again when the list changed')
      await daemon.stop()
      await daemon.start()
      assert.equal((await compose()).preflight.allowed, 'yes')
      assert.equal((await warnings()).length, 1)

      // A machine that does not say which device it is: nobody knows.
      endpoints.set('one', machine('second', { device: null }))
      const second = composeHash(appCompose('second'))
      await govern(world, call(app, 'function addComposeHash(bytes32)', second), call(app, 'function removeDevice(bytes32)', `0x${device}`))
      await until(async () => (await daemon.measurements(second)).find((x) => x.kind === 'compose')?.preflight?.allowed === 'unknown', { what: 'an undecided answer' })
      assert.match((await daemon.measurements(second)).find((x) => x.kind === 'compose').preflight.reason, /Device not allowed.*does not state deviceId/)
    } finally {
      await endpoints.stop()
    }
  }))
})
