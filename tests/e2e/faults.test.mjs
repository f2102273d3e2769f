// Endpoints on a bad day, and endpoints that lie.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { makeWorld, people, until } from '../harness/world.mjs'

const inWorld = (options, fn, settings = {}) => async () => {
  const world = await makeWorld(options)
  try { await fn(world, typeof settings === 'function' ? world.daemon(await settings(world)) : world.daemon(settings)) } finally { await world.close() }
}
/// What came in through the API, not what the service found on the chain.
const proposed = (world) => [...world.service.transactions.values()].filter((t) => t.posts.length > 0)
const someTicks = async (world, n = 5) => { for (let i = 0; i < n; i++) { await world.chain.mine(1); await new Promise((ok) => setTimeout(ok, 250)) } }

describe('a chain endpoint on a bad day', { concurrency: 3 }, () => {
  test('down at start, down in the middle, erring, slow, garbage: the work goes on', inWorld({}, async (world, daemon) => {
    await world.rpc.down()
    await daemon.start()
    const eif = world.drop()
    await daemon.untilMeasurement(eif.value, () => true)
    assert.equal((await daemon.ctl(['check', eif.value, '--target', 'payments'], { ok: false })).code, 3, 'unknown, not "no"')
    await world.rpc.up()
    const p = await daemon.untilProposal(eif.value)
    const row = await daemon.untilQueued(p.id, 'schedule')
    for (const how of [{ status: 429, headers: { 'retry-after': '1' } }, { status: 502 }, { drop: true }, { error: { code: -32005, message: 'rate limited' } }, { status: 200, body: '<html>' }, { mutate: () => null }])
      world.rpc.fault({ times: 3, ...how })
    await world.owners.approve(row.safe_tx_hash)
    await daemon.untilState(p.id, 'timelock', { timeout: 40_000 })
    await world.rpc.down()
    await world.passDelay()
    await new Promise((ok) => setTimeout(ok, 600))
    await world.rpc.up()
    await daemon.untilQueued(p.id, 'execute', { timeout: 40_000 })
    await world.carryOn(daemon, p.id)
  }))

  test('a look that got no answer is made again, though the chain stands still', inWorld({}, async (world, daemon) => {
    await daemon.start()
    const p = await daemon.untilProposal(world.drop().value)
    const row = await daemon.untilQueued(p.id, 'schedule')
    await daemon.untilState(p.id, 'multisig')
    const head = await world.chain.blockNumber()
    const fault = world.rpc.fault({ match: (m) => m === 'eth_call', times: 8, error: { code: -32001, message: 'Resource not found' } })
    await world.owners.approve(row.safe_tx_hash)
    await daemon.untilState(p.id, 'timelock')
    assert.equal(fault.hits, 8)
    assert.equal(await world.chain.blockNumber(), head + 1n, 'no other block came')
  }))

  test('eth_getLogs with a small limit: ranges are halved, nothing is missed', inWorld({ generation: 1 }, async (world, daemon) => {
    const eif = world.drop()
    await world.chain.mine(400)
    const limit = { match: (m, [q] = []) => m === 'eth_getLogs' && q.toBlock && BigInt(q.toBlock) - BigInt(q.fromBlock) > 50n, error: { code: -32602, message: 'block range too large, maximum is 50' } }
    const fault = world.rpc.fault(limit)
    await daemon.start()
    const p = await daemon.untilProposal(eif.value)
    const { safeTxHash } = await firstPending(world)
    await daemon.stop()
    // Everything happens while it is down, followed by many blocks.
    await world.owners.approve(safeTxHash)
    await world.chain.mine(300)
    await daemon.start()
    await daemon.untilState(p.id, 'timelock')
    assert.ok(fault.hits > 0)
  }))

  test('two endpoints, quorum 2: one that lies convinces nobody', inWorld({}, async (world, daemon) => {
    await daemon.start()
    const eif = world.drop()
    // The liar says yes to every getter of an authorization and knows every operation as done.
    const yes = `0x${'1'.padStart(64, '0')}`
    world.liar.fault({ match: (m) => m === 'eth_call', mutate: (result) => (result.length === 66 ? yes : result.replace(/0{64}/g, '0'.repeat(63) + '1')) })
    await someTicks(world, 8)
    for (const m of await daemon.measurements(eif.value)) assert.notEqual(m.status, 'authorized')
    assert.equal((await daemon.proposals()).filter((p) => ['executed', 'confirmed', 'timelock', 'execute'].includes(p.state)).length, 0)
    world.liar.clearFaults()
    const p = await daemon.untilProposal(eif.value)
    await world.carry(daemon, p.id)
  }, async (world) => {
    world.liar = await world.addEndpoint()
    return { chain: { rpc: [world.rpc.url, world.liar.url], quorum: 2 } }
  }))

  test('an endpoint of another chain is not believed', inWorld({}, async (world, daemon) => {
    daemon.expectBroken(/chain/)
    world.rpc.fault({ match: (m) => m === 'eth_chainId', mutate: () => '0x1' })
    await daemon.start()
    const eif = world.drop()
    await someTicks(world)
    assert.equal(world.service.posts().length, 0)
    const doctor = await daemon.ctl(['doctor', '--json'], { ok: false })
    assert.equal(doctor.code, 2)
    assert.ok(doctor.json.some((r) => r.result === 'failure' && /chain/i.test(JSON.stringify(r))))
    world.rpc.clearFaults()
    await daemon.untilProposal(eif.value, { timeout: 30_000 })
  }))

  test('the count of requests per tick does not grow with the open proposals', inWorld({}, async (world, daemon) => {
    await daemon.start()
    const perTick = async () => {
      await someTicks(world, 2)
      const before = world.rpc.calls.length
      const start = Date.now()
      await new Promise((ok) => setTimeout(ok, 2000))
      return (world.rpc.calls.length - before) / ((Date.now() - start) / 200)
    }
    const one = world.drop()
    const p = await daemon.untilProposal(one.value)
    await daemon.untilQueued(p.id, 'schedule')
    const few = await perTick()
    const more = Array.from({ length: 15 }, () => world.drop())
    for (const e of more) await daemon.untilProposal(e.value)
    await until(async () => (await daemon.proposals()).every((x) => x.state === 'multisig'), { timeout: 30_000, what: 'all in the queue' })
    const many = await perTick()
    assert.ok((await daemon.proposals()).length >= 8)
    assert.ok(many <= few * 1.5 + 1, `${few.toFixed(1)} requests a tick with one proposal, ${many.toFixed(1)} with many`)
  }, { target: { batch: { quiet: '10ms', max_calls: 2 } } }))
})

describe('the Safe service on a bad day', { concurrency: 3 }, () => {
  test('an answer lost after the POST: found again, posted once', inWorld({}, async (world, daemon) => {
    world.service.fault({ match: /^POST .*multisig-transactions/, drop: 'after' })
    await daemon.start()
    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    await daemon.untilQueued(p.id, 'schedule', { timeout: 30_000 })
    assert.equal(proposed(world).length, 1)
    assert.equal(proposed(world)[0].posts.length, 1, 'posted again without looking')
    await world.carry(daemon, p.id)
  }))

  test('503, 429, cut connections, an outage: proposed when it is back, once', inWorld({}, async (world, daemon) => {
    world.service.fault({ match: /^POST/, times: 1, status: 503, body: { exception: 'x', trace: 'y' } })
    world.service.fault({ match: /^POST/, times: 1, status: 429, body: { detail: 'Monthly quota exceeded.' }, headers: { 'retry-after': '1' } })
    world.service.fault({ match: /^POST/, times: 1, drop: 'before' })
    world.service.fault({ match: /^GET/, times: 3, status: 502, body: '<html>bad gateway</html>' })
    await daemon.start()
    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    await daemon.untilQueued(p.id, 'schedule', { timeout: 60_000 })
    assert.equal(proposed(world).length, 1)
    await world.service.down()
    // The chain goes on without the service: what it says counts.
    const [t] = await world.service.pending(world.safe.address)
    const signatures = await Promise.all(people.owners.slice(0, 2).map((o) => world.safe.sign(o, t.tx)))
    await world.safe.execute(t.tx, signatures)
    await daemon.untilState(p.id, 'timelock')
    await world.service.up()
  }))

  test('422: shown with the service\'s words, not repeated without end', inWorld({}, async (world, daemon) => {
    daemon.expectBroken(/422|refused|service/)
    world.service.fault({ match: /^POST/, times: Infinity, status: 422, body: { nonFieldErrors: ['Something we have never heard of'] } })
    await daemon.start()
    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    await until(async () => daemon.lines.some((l) => l.includes('Something we have never heard of')) || JSON.stringify(await daemon.events()).includes('Something we have never heard of'), { what: 'the words of the service' })
    await someTicks(world, 8)
    assert.ok(world.service.posts().length <= 5, `${world.service.posts().length} POSTs in two seconds`)
    assert.equal((await daemon.proposal(p.id)).state, 'drafted')
  }))

  test('an untrusted or a changed transaction is not taken for ours', inWorld({}, async (world, daemon) => {
    daemon.expectBroken(/trusted|hash|differs|service/)
    const fault = world.service.fault({ match: /^GET .*\/v2\/multisig-transactions\/0x/, times: Infinity, mutate: (b) => (b.safeTxHash ? { ...b, to: people.stranger.address } : b) })
    await daemon.start()
    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    await until(() => fault.hits > 1, { what: 'it was read back' })
    await someTicks(world, 4)
    assert.equal((await daemon.proposal(p.id)).state, 'drafted', 'the fields did not give the hash')
    world.service.clearFaults()
    // Wherever it is read: by its hash and in the queue.
    const lie = (t) => ({ ...t, trusted: false })
    const untrusted = world.service.fault({ match: /^GET .*multisig-transactions/, times: Infinity, mutate: (b) => (b.results ? { ...b, results: b.results.map(lie) } : lie(b)) })
    await until(() => untrusted.hits > 1, { what: 'it was read back again', timeout: 30_000 })
    assert.equal((await daemon.proposal(p.id)).state, 'drafted', 'not trusted')
    world.service.clearFaults()
    await daemon.untilQueued(p.id, 'schedule', { timeout: 30_000 })
    assert.equal(proposed(world).length, 1)
  }))

  test('confirmations that nobody signed are not counted, nor an execution that nobody sent', inWorld({}, async (world, daemon) => {
    daemon.expectBroken(/signature|confirmation/)
    await daemon.start()
    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    const row = await daemon.untilQueued(p.id, 'schedule')
    await world.owners.confirm(row.safe_tx_hash, people.owners[0])
    await until(async () => (await daemon.proposal(p.id)).confirmations === 1, { what: 'the true one' })
    const forged = (owner) => ({ owner, submissionDate: new Date().toISOString(), transactionHash: null, signature: `0x${'22'.repeat(64)}1b`, signatureType: 'EOA' })
    const done = { isExecuted: true, isSuccessful: true, executionDate: new Date().toISOString(), transactionHash: `0x${'77'.repeat(32)}`, blockNumber: 1, confirmationsRequired: 1 }
    const lie = (t) => ({ ...t, ...done, confirmations: [...t.confirmations, forged(people.owners[1].address), forged(people.owners[2].address)] })
    const fault = world.service.fault({ match: /^GET .*multisig-transactions/, times: Infinity, mutate: (b) => (b.results ? { ...b, results: b.results.map(lie) } : lie(b)) })
    await until(() => fault.hits > 2, { timeout: 30_000, what: 'the lie was told' })
    const { state, confirmations, threshold } = await daemon.proposal(p.id)
    assert.deepEqual({ state, confirmations, threshold }, { state: 'multisig', confirmations: 1, threshold: 2 })
    world.service.clearFaults()
    await world.carry(daemon, p.id)
  }))

  test('what is gone from the queue is named, until it is there again', inWorld({}, async (world, daemon) => {
    await daemon.start()
    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    const row = await daemon.untilQueued(p.id, 'schedule')
    const lost = world.service.transactions.get(row.safe_tx_hash)
    world.service.transactions.delete(row.safe_tx_hash)
    const alarm = await daemon.untilAlarm('queue-lost', { subject: p.id, timeout: 30_000 })
    assert.ok(alarm.text.includes(row.safe_tx_hash), alarm.text)
    assert.equal((await daemon.proposal(p.id)).state, 'multisig', 'who has signatures can still execute it')
    world.service.transactions.set(row.safe_tx_hash, lost)
    await until(async () => !(await daemon.ctl(['status', '--json'])).json.chains[0].troubles.some((t) => t.alarm === 'queue-lost'), { what: 'no more trouble' })
    await world.carry(daemon, p.id)
  }))

  test('others use the queue too: free nonces are taken, a conflict is renumbered', inWorld({}, async (world, daemon) => {
    const nonce = await world.safe.nonce()
    await world.owners.propose({ to: people.stranger.address, nonce }) // somebody waits for signatures
    await world.owners.propose({ to: people.stranger.address, nonce: nonce + 2n }) // and leaves a hole
    await daemon.start()
    const eif = world.drop()
    const p = await daemon.untilProposal(eif.value)
    const row = await daemon.untilQueued(p.id, 'schedule')
    assert.equal(BigInt(row.nonce), nonce + 1n, 'the lowest free nonce')
    const other = world.drop()
    const q = await daemon.untilProposal(other.value)
    const second = await daemon.untilQueued(q.id, 'schedule')
    assert.equal(BigInt(second.nonce), nonce + 3n)
  }))
})

async function firstPending(world) {
  return until(async () => (await world.service.pending(world.safe.address))[0], { what: 'a transaction in the queue' })
}
