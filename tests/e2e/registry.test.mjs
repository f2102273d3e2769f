// Watching the registries themselves: what others change is told, what our own proposals change is not.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { encodeFunctionData, parseAbi } from 'viem'
import { roles } from '../harness/deploy.mjs'
import { makeWorld, people, until } from '../harness/world.mjs'

const inWorld = (options, run) => async () => {
  const world = await makeWorld(options)
  try {
    await run(world)
  } finally {
    await world.close()
  }
}

const call = (to, signature, ...args) => ({ to, data: encodeFunctionData({ abi: parseAbi([signature]), args }) })
const hash = (byte) => `0x${byte.repeat(32)}`
let salts = 0xc0ffee
const salt = () => `0x${(++salts).toString(16).padStart(64, '0')}`

const events = async (daemon, type) => (await daemon.events()).filter((e) => e.type === type)
const alarms = async (daemon) => (await events(daemon, 'alarm')).map((e) => e.text)

/// Through the timelock, past registrard. Returns the receipt of the execution.
async function behindItsBack(world, calls) {
  const operation = await world.timelock.scheduleByHand(calls, { salt: salt() })
  await world.chain.advance((await world.timelock.minDelay()) + 1)
  const receipt = await world.timelock.executeByHand(operation)
  await world.chain.mine(3)
  return { ...operation, receipt }
}

async function untilAlarm(daemon, pattern) {
  let last
  return until(async () => {
    last = await alarms(daemon)
    return last.find((a) => pattern.test(a))
  }, { what: () => `an alarm ${pattern}; there are:\n${last.join('\n')}\n${daemon.tail(10)}` })
}

async function untilRead(world, daemon) {
  const head = Number(await world.chain.blockNumber())
  await until(async () => (await daemon.ctl(['status', '--json'])).json.chains[0].head >= head, { what: 'the daemon to have read it' })
}

/// The alarm names the transaction, its block and who did it.
function assertNames(alarm, receipt, actor, source) {
  assert.ok(alarm.includes(receipt.transactionHash), alarm)
  assert.ok(alarm.includes(`block ${BigInt(receipt.blockNumber)}`), alarm)
  assert.ok(alarm.toLowerCase().includes(`by ${actor} (${source})`.toLowerCase()), alarm)
}

describe('changes of the registries', { concurrency: 3 }, () => {
  for (const generation of [1, 2])
    test(`generation ${generation}: values, settings, roles and code that others change are alarms with transaction and actor, our own are none`, inWorld({ generation }, async (world) => {
      const { kms, app } = world.registry
      const { chain } = world
      const actor = generation === 1 ? [people.relayer.address, 'sender of the transaction'] : [world.timelock.address, 'actor in PolicyChanged']
      // History: a value that was there before anybody looked.
      await behindItsBack(world, [call(kms, 'function addOsImageHash(bytes32)', hash('0a'))])
      const daemon = world.daemon()
      await daemon.start()
      await until(async () => (await events(daemon, 'chain')).some((e) => /kms .* has a history up to block \d+: 1 additions and removals/.test(e.text)), { what: 'the history to be summed up' })

      // Our own: nothing is told.
      const { value } = world.drop()
      const p = await daemon.untilProposal(value)
      await world.carry(daemon, p.id)
      await untilRead(world, daemon)
      assert.deepEqual(await alarms(daemon), [])

      // Values of every kind, added and removed. Nobody here knows them, but from the operation, if it was seen before it ran.
      const kinds = [
        ['os-image', kms, 'OsImageHash'], ['kms-mr', kms, 'KmsAggregatedMr'], ['kms-device', kms, 'KmsDevice'],
        ['compose', app, 'ComposeHash'], ['device', app, 'Device'],
      ]
      for (const [action, word] of [['add', 'added to'], ['remove', 'removed from']]) {
        const done = await behindItsBack(world, kinds.map(([, to, name], i) => call(to, `function ${action}${name}(bytes32)`, hash(`b${i}`))))
        for (const [i, [kind]] of kinds.entries()) {
          const alarm = await untilAlarm(daemon, new RegExp(`^\\[registry-changed\\] ${kind} ${hash(`b${i}`)} was ${word} .*; it is (not recorded here|m\\d+ \\()`))
          assertNames(alarm, done.receipt, ...actor)
          assert.ok(alarm.includes(`operation ${done.id}`), alarm)
          assert.ok(alarm.includes('(payments)'), alarm)
        }
      }
      // One that is recorded here and wanted.
      const gone = await behindItsBack(world, [call(kms, 'function removeOsImageHash(bytes32)', value)])
      assertNames(await untilAlarm(daemon, new RegExp(`^\\[registry-changed\\] os-image ${value} was removed .* it is m\\d+ \\(`)), gone.receipt, ...actor)

      // Settings.
      const settings = await behindItsBack(world, [
        call(app, 'function setAllowAnyDevice(bool)', true), call(app, 'function setRequireTcbUpToDate(bool)', true),
        call(kms, 'function setAppImplementation(address)', people.outsider.address), call(kms, 'function setGatewayAppId(string)', 'any\nthing'),
      ])
      for (const pattern of [/any device is allowed now/, /need an up-to-date TCB now/, /deploys new apps with the implementation/, /gateway app id/])
        assertNames(await untilAlarm(daemon, pattern), settings.receipt, ...actor)
      // An app of somebody else's may be registered by anybody: no alarm.
      await chain.write(people.outsider.address, kms, 'function registerApp(address)', people.outsider.address)
      await chain.mine(3)
      await until(async () => (await events(daemon, 'chain')).some((e) => /app .* was registered at kms/.test(e.text)), { what: 'the registration to be noted' })
      assert.ok(!(await alarms(daemon)).some((a) => /was registered at/.test(a)))

      // Roles and the delay of the timelock.
      const role = await behindItsBack(world, [
        call(world.timelock.address, 'function grantRole(bytes32,address)', roles.proposer, people.outsider.address),
        call(world.timelock.address, 'function updateDelay(uint256)', 60n),
      ])
      assertNames(await untilAlarm(daemon, /^\[role-changed\] PROPOSER_ROLE of timelock .* was granted to/), role.receipt, world.timelock.address, 'actor in RoleGranted')
      assertNames(await untilAlarm(daemon, /^\[delay-changed\] the minimum delay .* is now 60 s/), role.receipt, people.relayer.address, 'sender of the transaction')
      const revoked = await behindItsBack(world, [call(world.timelock.address, 'function revokeRole(bytes32,address)', roles.proposer, people.outsider.address)])
      assertNames(await untilAlarm(daemon, /PROPOSER_ROLE of timelock .* was revoked from/), revoked.receipt, world.timelock.address, 'actor in RoleRevoked')

      // The code.
      const slot = '0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc'
      const before = `0x${(await chain.rpc('eth_getStorageAt', kms, slot, 'latest')).slice(-40)}`
      const next = await chain.deploy(chain.contracts[`Gen${generation}Kms`].bytecode)
      const upgraded = await behindItsBack(world, [call(kms, 'function upgradeToAndCall(address,bytes)', next, '0x')])
      const alarm = await untilAlarm(daemon, /^\[implementation-changed\]/)
      assertNames(alarm, upgraded.receipt, ...actor)
      assert.match(alarm.toLowerCase(), new RegExp(`changed from ${before} to ${next.toLowerCase()}`))

      // Each was told once, and a restart tells none of them again.
      await daemon.kill9()
      await daemon.start()
      await chain.mine(3)
      await untilRead(world, daemon)
      const all = await alarms(daemon)
      const told = (await events(daemon, 'alarm')).map((e) => `${e.subject} ${e.text}`)
      assert.equal(new Set(told).size, told.length, 'each alarm once')
      assert.equal(all.filter((a) => /^\[registry-changed\]/.test(a)).length, 2 * kinds.length + 1)
      assert.equal(all.filter((a) => /^\[policy-changed\]/.test(a)).length, 4)
      assert.equal(all.filter((a) => /^\[(role|delay|implementation)-changed\]/.test(a)).length, 4)
    }))

  test('drift compares what is on chain with what is recorded, in every verdict', inWorld({ generation: 1 }, async (world) => {
    const { kms, app } = world.registry
    const daemon = world.daemon()
    const drift = async (...args) => {
      await world.chain.mine(3)
      await untilRead(world, daemon)
      return daemon.ctl(['drift', ...args], { ok: false })
    }
    const rows = async () => (await drift('--json')).json
    const verdicts = async () => Object.fromEntries((await rows()).map((r) => [`${r.kind} ${r.value}`, r.verdict]))
    await daemon.start()
    await until(async () => (await drift()).code === 0, { what: 'the history to be read' })
    assert.deepEqual(await rows(), [])

    const { value } = world.drop()
    const p = await daemon.untilProposal(value)
    assert.equal((await drift()).code, 0, 'not there yet, and nobody says that it is')
    await world.carry(daemon, p.id)
    assert.deepEqual(await verdicts(), { [`os-image ${value}`]: 'ok', [`compose ${value}`]: 'ok' })
    assert.equal((await drift()).code, 0)

    // unknown-here: what others add, with the transaction that did.
    const added = await behindItsBack(world, [call(kms, 'function addKmsDevice(bytes32)', hash('d1')), call(app, 'function addDevice(bytes32)', hash('d2')), call(app, 'function addDevice(bytes32)', hash('d3'))])
    await behindItsBack(world, [call(app, 'function removeDevice(bytes32)', hash('d3'))])
    const foreign = (await rows()).find((r) => r.value === hash('d1'))
    // Whether the operation was seen before it ran, and left a record of what others asked for, makes no difference.
    assert.deepEqual({ ...foreign, recorded: null, measurement: null, wanted: null, pending: null }, {
      target: 'payments', kind: 'kms-device', value: hash('d1'), contract: kms.toLowerCase(), chain: 'present', recorded: null, measurement: null,
      wanted: null, pending: null, verdict: 'unknown-here', tx: added.receipt.transactionHash, block: Number(BigInt(added.receipt.blockNumber)),
    })
    assert.equal((await verdicts())[`device ${hash('d2')}`], 'unknown-here')
    assert.equal((await verdicts())[`device ${hash('d3')}`], 'ok', 'gone again')
    assert.equal((await drift()).code, 1)

    // should-be-absent: removed by people, which is the last word here, and added again by others.
    await behindItsBack(world, [call(app, 'function removeComposeHash(bytes32)', value)])
    await daemon.untilMeasurement(value, (m) => m.kind !== 'compose' || m.status === 'revoked')
    await behindItsBack(world, [call(app, 'function addComposeHash(bytes32)', value)])
    assert.equal((await verdicts())[`compose ${value}`], 'should-be-absent')

    // missing-on-chain: the contract forgot it without a word.
    const { keccak256, concatHex, pad, toHex } = await import('viem')
    await world.chain.rpc('anvil_setStorageAt', kms, keccak256(concatHex([value, pad(toHex(4))])), pad('0x00'))
    await world.chain.mine(3)
    assert.deepEqual((await world.allowed(value)).kms, false)
    const text = await drift('--target', 'payments')
    assert.equal((await verdicts())[`os-image ${value}`], 'missing-on-chain')
    assert.equal(text.code, 1)
    assert.match(text.stdout, new RegExp(`missing-on-chain +payments +os-image +${value} +absent +authorized +present`))
    assert.match(text.stdout, /should-be-absent/)
    assert.ok(!text.stdout.includes(hash('d3')), 'what agrees is not shown')
    assert.match(text.stdout, /^5 values compared, 4 not as recorded$/m)
    assert.equal((await drift('--target', 'nobody')).code, 64)
  }))

  test('drift without an answer is unknown', inWorld({ generation: 2 }, async (world) => {
    await behindItsBack(world, [call(world.registry.kms, 'function addOsImageHash(bytes32)', hash('0a'))])
    const daemon = world.daemon({ target: { check: 'isAuthorized' } }) // which this generation does not have
    await daemon.start()
    await until(async () => (await daemon.ctl(['drift', '--json'], { ok: false })).json.length === 1, { what: 'the history' })
    const { code, json } = await daemon.ctl(['drift', '--json'], { ok: false })
    assert.equal(code, 3)
    assert.deepEqual([json[0].chain, json[0].verdict], ['unknown', 'undecided'])
  }))

  for (const generation of [1, 2])
    test(`generation ${generation}: an owner that moves away is an alarm and stops drafting; back again, it goes on by itself`, inWorld({ generation }, async (world) => {
      const { kms, app } = world.registry
      const stranger = people.outsider.address
      const daemon = world.daemon()
      await daemon.start()
      await world.chain.mine(3)
      await untilRead(world, daemon)
      const doctorRow = async (check) => (await daemon.ctl(['doctor', '--json'], { ok: false })).json.find((r) => r.check === check)
      assert.match((await doctorRow('app generation')).found, generation === 1 ? /one step/ : /two steps/)
      assert.equal((await doctorRow('app owner')).result, 'ok')

      // Away.
      const actor = [people.relayer.address, 'sender of the transaction']
      let moved = await behindItsBack(world, [call(app, 'function transferOwnership(address)', stranger)])
      if (generation === 2) {
        assertNames(await untilAlarm(daemon, /^\[owner-changed\] the owner .* of app .* offers the ownership to .*, which has to accept it/), moved.receipt, ...actor)
        assert.equal((await doctorRow('app owner')).result, 'warning')
        moved = { receipt: await world.chain.write(stranger, app, 'function acceptOwnership()') }
        actor[0] = stranger
        await world.chain.mine(3)
      }
      assertNames(await untilAlarm(daemon, /^\[owner-changed\] the owner of app .* changed from .*, which is not the timelock of the target/), moved.receipt, ...actor)
      const { value } = world.drop()
      await daemon.untilMeasurement(value, (m) => m.status === 'new' && /^app .* is owned by .*, not by the timelock/.test(m.reason ?? ''))
      await untilAlarm(daemon, /^\[owner-elsewhere\] nothing is drafted: app/)
      assert.deepEqual(await daemon.proposals(), [])
      const row = await doctorRow('app owner')
      assert.equal(row.result, 'failure')
      assert.ok(row.found.toLowerCase().includes(stranger.toLowerCase()))

      // And back.
      await world.chain.write(stranger, app, 'function transferOwnership(address)', world.timelock.address)
      if (generation === 2) await behindItsBack(world, [{ to: app, data: '0x79ba5097' }])
      else await world.chain.mine(3)
      await untilAlarm(daemon, /^\[owner-changed\] the owner of app .* to .*, which is the timelock of the target/)
      const p = await daemon.untilProposal(value)
      await world.carry(daemon, p.id)
      assert.equal((await doctorRow('app owner')).result, 'ok')
      assert.equal((await alarms(daemon)).filter((a) => /^\[owner-elsewhere\]/.test(a)).length, 1)
      assert.ok(kms)
    }))

  test('doctor prints the very calls that complete a handover to the timelock, also a second time', inWorld({ generation: 2, owned: false }, async (world) => {
    const registries = [world.registry.kms, world.registry.app]
    const give = async (from = people.deployer.address) => {
      for (const to of registries) await world.chain.write(from, to, 'function transferOwnership(address)', world.timelock.address)
    }
    const daemon = world.daemon()
    await daemon.start()
    const ownerRows = async () => (await daemon.ctl(['doctor', '--json'], { ok: false })).json.filter((r) => / owner$/.test(r.check) && /kms|app/.test(r.check))
    const owner = (c) => world.chain.read(c, 'function owner() view returns (address)')
    for (let round = 0; round < 2; round++) {
      await give(round === 0 ? people.deployer.address : people.outsider.address)
      await world.chain.mine(3)
      const rows = await ownerRows()
      assert.deepEqual(rows.map((r) => r.result), ['failure', 'failure'])
      for (const r of rows) {
        assert.match(r.found, /is the pending owner and has not accepted/)
        assert.deepEqual(r.calls.map((c) => c.purpose), ['schedule', 'execute'])
        assert.equal(r.calls[1].after_seconds, await world.timelock.minDelay())
      }
      // As printed, in their order.
      for (const step of [0, 1]) {
        if (step === 1) {
          // Half way doctor knows that it is scheduled, and prints what is left.
          const half = await ownerRows()
          assert.deepEqual(half.map((r) => r.calls.map((c) => c.purpose)), [['execute'], ['execute']])
          assert.deepEqual(half.map((r) => r.calls[0].data), rows.map((r) => r.calls[1].data))
          await world.passDelay()
        }
        for (const r of rows) {
          assert.equal(r.calls[step].from, world.safe.address.toLowerCase())
          await world.safe.byHand({ to: r.calls[step].to, data: r.calls[step].data })
        }
      }
      for (const c of registries) assert.equal(await owner(c), world.timelock.address)
      assert.deepEqual((await ownerRows()).map((r) => r.result), ['ok', 'ok'])
      const text = (await daemon.ctl(['doctor'], { ok: false })).stdout
      assert.ok(!/data 0x/.test(text))
      if (round === 0)
        for (const c of registries) {
          await behindItsBack(world, [call(c, 'function transferOwnership(address)', people.outsider.address)])
          await world.chain.write(people.outsider.address, c, 'function acceptOwnership()')
        }
    }
    // The same in words.
    await behindItsBack(world, [call(registries[0], 'function transferOwnership(address)', people.outsider.address)])
    await world.chain.write(people.outsider.address, registries[0], 'function acceptOwnership()')
    await world.chain.write(people.outsider.address, registries[0], 'function transferOwnership(address)', world.timelock.address)
    const { stdout } = await daemon.ctl(['doctor'], { ok: false })
    assert.match(stdout, /1\. from the Safe \(0x[0-9a-f]{40}\) to 0x[0-9a-f]{40}\n +data 0x8f2a0bb0[0-9a-f]+\n +2\. 3600 s later, from the Safe/)
  }))

  test('doctor prints the call that completes a handover to a Safe', inWorld({ generation: 2, owned: false }, async (world) => {
    for (const to of [world.registry.kms, world.registry.app]) await world.chain.write(people.deployer.address, to, 'function transferOwnership(address)', world.safe.address)
    const daemon = world.daemon({ target: { model: 'safe', timelock: undefined, execute: undefined } })
    await daemon.start()
    const rows = (await daemon.ctl(['doctor', '--json'], { ok: false })).json.filter((r) => /^(kms|app) owner$/.test(r.check))
    assert.deepEqual(rows.map((r) => [r.result, r.calls.length]), [['failure', 1], ['failure', 1]])
    for (const r of rows) await world.safe.byHand({ to: r.calls[0].to, data: r.calls[0].data })
    const after = (await daemon.ctl(['doctor', '--json'], { ok: false })).json.filter((r) => /^(kms|app) owner$/.test(r.check))
    assert.deepEqual(after.map((r) => r.result), ['ok', 'ok'])
  }))
})
