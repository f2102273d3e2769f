// What people and pipelines type, and the exit codes they build on.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { ctl, registrard } from '../harness/daemon.mjs'
import { makeEif } from '../harness/eif.mjs'
import { checkProposal } from '../harness/opinion.mjs'
import { makeWorld, people, until } from '../harness/world.mjs'

const inWorld = (options, fn, settings = {}) => async () => {
  const world = await makeWorld(options)
  try { await fn(world, typeof settings === 'function' ? world.daemon(await settings(world)) : world.daemon(settings)) } finally { await world.close() }
}
const never = `0x${'ee'.repeat(32)}`

describe('registrarctl', { concurrency: 3 }, () => {
  test('wait: for a value not seen yet, through a restart, to exit code 0', inWorld({}, async (world, daemon) => {
    await daemon.start()
    const eif = makeEif(world.random)
    const waiting = daemon.startCtl(['wait', eif.value, '--target', 'payments', '--timeout', '120s'], { timeout: 130_000 })
    assert.equal((await daemon.ctl(['wait', never, '--timeout', '1s'], { ok: false })).code, 1, 'timed out')
    world.drop('payments', { eif })
    const p = await daemon.untilProposal(eif.value)
    await daemon.untilQueued(p.id, 'schedule')
    await daemon.stop()
    await daemon.start()
    await world.carry(daemon, p.id)
    assert.equal((await waiting.done).code, 0)
    // Held by a person, it will not be.
    for (const m of await daemon.measurements(eif.value)) await daemon.ctl(['hold', m.id])
    assert.equal((await daemon.ctl(['wait', eif.value, '--timeout', '5s'], { ok: false })).code, 2)
  }))

  test('exit codes: usage, nobody there, not found', inWorld({ service: false }, async (world, daemon) => {
    assert.equal((await ctl(['status'], { socket: daemon.socket, ok: false })).code, 69)
    assert.equal((await ctl(['nonsense'], { socket: daemon.socket, ok: false })).code, 64)
    await daemon.start()
    for (const args of [['wait'], ['wait', '0x12'], ['check', never], ['approve'], ['status', '--bogus']]) {
      const r = await daemon.ctl(args, { ok: false })
      assert.equal(r.code, 64, `${args.join(' ')}: ${r.stdout}${r.stderr}`)
      assert.ok(r.stderr.length > 0, 'a usage error says what is wrong')
    }
    for (const args of [['approve', 'm999'], ['hold', 'm999'], ['export', 'p999'], ['measurements', never], ['proposals', 'p999']])
      assert.equal((await daemon.ctl(args, { ok: false })).code, 1, args.join(' '))
    assert.equal((await daemon.ctl(['check', never, '--target', 'payments'], { ok: false })).code, 1, 'not authorized')
    assert.deepEqual((await daemon.ctl(['measurements', '--json'])).json, [])
    assert.deepEqual((await daemon.ctl(['proposals', '--json'])).json, [])
    assert.ok((await ctl(['--help'])).stdout.includes('wait'))
  }))

  test('the shapes of --json are those of the design', inWorld({}, async (world, daemon) => {
    await daemon.start()
    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    await daemon.untilQueued(p.id, 'schedule')
    const [m] = await daemon.measurements(eif.value)
    const keys = (o, list) => assert.deepEqual(Object.keys(o), list)
    keys(m, ['id', 'kind', 'value', 'target', 'wanted', 'status', 'reason', 'pending', 'evidence', 'first_seen', 'proposals'])
    keys(m.evidence[0], ['level', 'signed', 'source', 'artifact', 'details'])
    assert.match(m.id, /^m\d+$/)
    const full = await daemon.proposal(p.id)
    keys(full, ['id', 'target', 'origin', 'state', 'flags', 'calls', 'safe', 'safe_txs', 'safe_tx_hash', 'safe_nonce', 'confirmations', 'threshold', 'operation_id', 'ready_at', 'history'])
    keys(full.calls[0], ['to', 'data', 'action', 'kind', 'value'])
    keys(full.safe_txs[0], ['purpose', 'attempt', 'safe_tx_hash', 'nonce', 'confirmations', 'threshold', 'status', 'tx'])
    keys(full.history[0], ['at', 'from', 'to', 'reason', 'tx'])
    assert.match(full.id, /^p\d+$/)
    for (const v of [m.value, full.operation_id, full.safe_tx_hash, full.safe, full.calls[0].to]) assert.match(v, /^0x[0-9a-f]+$/, 'lower-case hex')
    for (const args of [['status'], ['measurements'], ['measurements', eif.value], ['proposals'], ['proposals', p.id], ['log'], ['doctor']]) {
      const human = await daemon.ctl(args)
      assert.ok(human.stdout.length > 0, `${args} says nothing`)
      assert.ok(!human.stdout.startsWith('[') && !human.stdout.startsWith('{'))
      assert.ok((await daemon.ctl([...args, '--json'])).json, `${args} --json`)
    }
    assert.ok((await daemon.ctl(['proposals', p.id])).stdout.includes(full.operation_id.slice(0, 10)))
    const one = (await daemon.ctl(['proposals', p.id, '--json'])).json
    assert.deepEqual([].concat(one).map((x) => x.id), [p.id])
  }))

  test('doctor: everything fine; then each thing that can be wrong', inWorld({ generation: 2 }, async (world, daemon) => {
    await daemon.start()
    const good = await daemon.ctl(['doctor', '--json'], { ok: false })
    assert.equal(good.code, 0, good.stdout)
    assert.ok(good.json.length >= 8)
    for (const r of good.json) for (const k of ['target', 'check', 'result', 'found']) assert.ok(k in r, JSON.stringify(r))
    const failing = async (about) => {
      const r = await daemon.ctl(['doctor', '--json'], { ok: false })
      assert.equal(r.code, 2, r.stdout)
      assert.ok(r.json.some((x) => x.result === 'failure' && about.test(JSON.stringify(x))), r.stdout)
    }
    // The timelock loses the registry to somebody who has not accepted yet, then for good.
    await world.service.down()
    await failing(/service/i)
    await world.service.up()
    // The Safe is no proposer any more.
    const revoke = world.timelock.encode('revokeRole', ['0xb09aa5aeb3702cfd50b6b62bc4532604938f21248a27a1d5ca736082b6819cc1', world.safe.address])
    await world.timelock.runByHand([{ to: world.timelock.address, data: revoke }], { salt: `0x${'55'.repeat(32)}` })
    await failing(/role|proposer/i)
  }))

  test('doctor: a registry whose new owner has not accepted', inWorld({ generation: 2, owned: false }, async (world, daemon) => {
    for (const c of [world.registry.kms, world.registry.app]) await world.chain.write(people.deployer.address, c, 'function transferOwnership(address)', world.timelock.address)
    await daemon.start()
    const r = await daemon.ctl(['doctor', '--json'], { ok: false })
    assert.equal(r.code, 2)
    assert.ok(r.json.some((x) => x.result === 'failure' && /pending|accept/i.test(JSON.stringify(x))), r.stdout)
  }))

  test('the event log: chained, and a forged row is found', inWorld({}, async (world, daemon) => {
    await daemon.start()
    const eif = world.drop()
    await daemon.untilProposal(eif.value)
    const events = await daemon.events()
    assert.ok(events.length >= 3)
    assert.equal((await daemon.ctl(['log', '--verify'])).code, 0)
    const copy = join(world.tmp.path, 'copy.db')
    assert.equal((await daemon.ctl(['backup', copy])).code, 0)
    await daemon.stop()
    if (spawnSync('sqlite3', ['--version']).status !== 0) return
    assert.equal(execFileSync('sqlite3', [copy, 'pragma integrity_check']).toString().trim(), 'ok')
    const db = execFileSync('find', [daemon.stateDir, '-maxdepth', '1', '-name', '*.db', '-o', '-maxdepth', '1', '-name', '*.sqlite*']).toString().trim().split('\n')[0]
    assert.ok(existsSync(db))
    const table = execFileSync('sqlite3', [db, "select name from sqlite_master where type='table' and name like 'event%'"]).toString().trim().split('\n')[0]
    const columns = execFileSync('sqlite3', [db, `select name from pragma_table_info('${table}') where type='TEXT'`]).toString().trim().split('\n')
    execFileSync('sqlite3', [db, `pragma foreign_keys=off; drop trigger if exists ${table}_no_update; update ${table} set ${columns.at(-1)} = 'forged' where rowid = (select min(rowid)+1 from ${table})`])
    daemon.expectBroken(/event|chain|log/)
    await daemon.start()
    assert.equal((await daemon.ctl(['log', '--verify'], { ok: false })).code, 2)
  }))

  test('the configuration is checked as a whole, with file and line', async () => {
    const world = await makeWorld({ service: false })
    try {
      const daemon = world.daemon()
      const run = (...args) => spawnSync(registrard(), ['--config', daemon.configFile, ...args], { encoding: 'utf8', timeout: 10_000 })
      assert.equal(run('--check-config').status, 0)
      const dumped = run('--dump-config')
      assert.equal(dumped.status, 0)
      assert.ok(dumped.stdout.includes('chain_id: 31337'))
      const good = readFileSync(daemon.configFile, 'utf8')
      const broken = {
        unknown: good.replace('batch:', 'bach:'), address: good.replace(world.safe.address, world.safe.address.slice(0, -1)),
        unit: good.replace('200ms', '200 fortnights'), target: good.replace('target: payments', 'target: nobody'), checksum: good.replace(world.safe.address, world.safe.address.replace(/[a-f]/, (c) => c.toUpperCase())),
      }
      for (const [what, text] of Object.entries(broken)) {
        writeFileSync(daemon.configFile, text)
        const bad = run('--check-config')
        assert.notEqual(bad.status, 0, what)
        assert.match(bad.stderr, /registrard\.yaml:\d+: /, `${what}: ${bad.stderr}`)
        assert.notEqual(run('--foreground').status, 0, `${what}: nothing starts`)
      }
      writeFileSync(daemon.configFile, good)
      // One state_dir, one daemon.
      await daemon.start()
      const second = run('--foreground')
      assert.notEqual(second.status, 0)
      assert.equal(second.error, undefined, 'it must refuse at once, not hang')
    } finally { await world.close() }
  })
})

describe('several targets', { concurrency: 2 }, () => {
  test('two targets share one Safe and one timelock: nonces never collide', inWorld({}, async (world, daemon) => {
    await daemon.start()
    const a = world.drop('payments'), b = world.drop('ledger')
    const p = await daemon.untilProposal(a.value), q = await daemon.untilProposal(b.value)
    const first = await daemon.untilQueued(p.id, 'schedule'), second = await daemon.untilQueued(q.id, 'schedule')
    assert.notEqual(first.nonce, second.nonce)
    assert.equal(Math.abs(first.nonce - second.nonce), 1)
    checkProposal(world, p, { values: [a.value] })
    checkProposal(world, q, { values: [b.value], registry: world.second })
    assert.equal((await daemon.ctl(['wait', never, '--timeout', '1s'], { ok: false })).code, 64, 'which target?')
    // An owner's own transaction in between.
    await world.owners.propose({ to: people.stranger.address, nonce: BigInt(Math.max(first.nonce, second.nonce)) + 1n })
    const inOrder = [[p, first], [q, second]].sort((x, y) => x[1].nonce - y[1].nonce)
    for (const [, row] of inOrder) await world.owners.approve(row.safe_tx_hash)
    await daemon.untilState(p.id, 'timelock')
    await daemon.untilState(q.id, 'timelock')
    await world.passDelay()
    const runs = [await daemon.untilQueued(p.id, 'execute'), await daemon.untilQueued(q.id, 'execute')].sort((x, y) => x.nonce - y.nonce)
    assert.equal(new Set([first, second, ...runs].map((r) => r.nonce)).size, 4)
    await world.owners.approve((await world.service.pending(world.safe.address))[0].safeTxHash) // the owner's own
    for (const r of runs) await world.owners.approve(r.safe_tx_hash)
    for (const x of [p, q]) {
      await daemon.untilState(x.id, ['executed', 'confirmed'])
      await world.chain.mine(3)
      await daemon.untilState(x.id, 'confirmed')
    }
    assert.deepEqual(await world.allowed(a.value), { kms: true, app: true })
    assert.deepEqual(await world.allowed(b.value, world.second), { kms: true, app: true })
    assert.deepEqual(await world.allowed(b.value), { kms: false, app: false })
    assert.equal(world.service.posts(people.proposer.address).length, 4)
  }, async (world) => {
    world.second = await world.addRegistry({ generation: 1 })
    return { targets: { payments: world.target(), ledger: world.target({ registry: world.second }) } }
  }))

  test('the same value for two targets: two measurements, two proposals, wait wants a target', inWorld({}, async (world, daemon) => {
    await daemon.start()
    const eif = makeEif(world.random)
    world.drop('payments', { eif })
    world.drop('ledger', { eif })
    const p = await daemon.untilProposal(eif.value, { where: (x) => x.target === 'payments' })
    const q = await daemon.untilProposal(eif.value, { where: (x) => x.target === 'ledger' })
    assert.notEqual(p.id, q.id)
    assert.equal((await daemon.measurements(eif.value)).length, 4)
    await until(async () => (await world.service.pending(world.safe.address)).length === 2, { what: 'both in the queue' })
  }, async (world) => {
    world.second = await world.addRegistry({ generation: 1 })
    return { targets: { payments: world.target(), ledger: world.target({ registry: world.second }) } }
  }))
})
