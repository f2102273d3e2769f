// The world as it is: endpoints that misbehave and are outvoted, chains that are fast, slow or halted, clocks that are
// wrong, a Safe service with a request budget. Everything here goes on by itself once the world is well again.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { forkChain, hex } from '../harness/chain.mjs'
import { Safe } from '../harness/safe.mjs'
import { tick } from '../harness/util.mjs'
import { makeWorld, people, until } from '../harness/world.mjs'

const HOUR = 3600
const DAY = 24 * HOUR

const inWorld = (options, fn) => async () => {
  const world = await makeWorld(options)
  try { await fn(world) } finally { await world.close() }
}

/// Model safe: what owners do, and enough blocks on top, to the end.
async function carrySafe(world, daemon, value, { mine = () => world.chain.mine(3) } = {}) {
  const p = await daemon.untilProposal(value)
  await world.owners.approve((await daemon.untilQueued(p.id, 'apply')).safe_tx_hash)
  await mine()
  return daemon.untilState(p.id, 'confirmed', { timeout: 30_000 })
}

/// Waits until an endpoint was asked for so many newest blocks: the daemon has looked that often at least.
async function looks(proxy, count = 4) {
  const heads = () => proxy.calls.filter((c) => c.method === 'eth_getBlockByNumber' && c.params[0] === 'latest').length
  const before = heads()
  await until(() => heads() >= before + count, { timeout: 60_000, what: `${count} looks at an endpoint` })
}

/// Waits until every endpoint is asked again when it is needed; who was slow or behind is asked last for a while.
async function allWell(daemon) {
  let chain
  await until(async () => {
    chain = (await daemon.ctl(['status', '--json'])).json.chains[0]
    return chain.endpoints.every((e) => !e.trouble || /slowly|behind|keep to the block/.test(e.trouble))
  }, { timeout: 40_000, what: () => `all endpoints to be well: ${JSON.stringify(chain)}` })
}

// ---- three endpoints, of which two must agree ------------------------------------------------------------------------

const word = (n) => n.toString(16).padStart(64, '0')
/// Turns whatever a contract answers into "yes": words of nothing become ones, in multicalls as well.
const yes = (result) => (result.length === 66 ? `0x${word(1)}` : result.replace(/0{64}/g, word(1)))

/// How one endpoint may be. Each puts the proxy into that state; others undo what clearFaults does not.
const ways = {
  silent: (e) => e.fault({ hang: true }),
  slow: (e) => e.fault({ delay: 400 }),
  'failing, each time otherwise': (e) => {
    for (let i = 0; i < 100; i++) {
      e.fault({ times: 1, status: 502 })
      e.fault({ times: 1, drop: true })
      e.fault({ times: 1, error: { code: -32005, message: 'daily request count exceeded, request rate limited' } })
      e.fault({ times: 1, status: 200, body: '<html>' })
      e.fault({ times: 1, mutate: () => [{ number: '0x' }] })
    }
  },
  'over its limit': (e) => e.fault({ status: 429, headers: { 'retry-after': '3' } }),
  'without finalized blocks, logs and reads at a hash': (e) => {
    e.fault({ match: (m, [tag] = []) => m === 'eth_getBlockByNumber' && tag === 'finalized', error: { code: -32602, message: 'invalid block tag' } })
    e.fault({ match: (m) => m === 'eth_getLogs', error: { code: -32602, message: 'block range too large, maximum is 1' } })
    e.fault({ match: (m, params = []) => m === 'eth_call' && params[1]?.blockHash !== undefined, error: { code: -32602, message: 'invalid argument 1: expected a block number' } })
  },
  lying: (e) => {
    e.fault({ match: (m) => m === 'eth_call', mutate: yes })
    e.fault({ match: (m) => m === 'eth_getLogs', mutate: () => [] })
    e.fault({ match: (m) => m === 'eth_getBlockByNumber', mutate: (b) => b && { ...b, number: hex(BigInt(b.number) + 1000n), timestamp: hex(BigInt(b.timestamp) + BigInt(3 * DAY)) } })
    e.fault({ match: (m) => m === 'eth_getCode', mutate: (code) => (code === '0x' ? '0x00' : '0x') })
    e.fault({ match: (m) => m === 'eth_estimateGas', mutate: () => hex(25_000_000) })
  },
}

describe('three endpoints, two of which must agree', { concurrency: 2 }, () => {
  test('one of them is in trouble, in every way: every proposal is confirmed', inWorld({ model: 'safe', slots: 1, tag: 'ways' }, async (world) => {
    const endpoints = [world.rpc, await world.addEndpoint(), await world.addEndpoint()]
    const daemon = world.daemon({ chain: { rpc: endpoints.map((e) => e.url), quorum: 2, confirmations: 'finalized' } })
    await world.chain.mine(5)
    // Another chain's id is noticed when it is asked for, which is at the start.
    endpoints[0].fault({ match: (m) => m === 'eth_chainId', mutate: () => '0x1' })
    await daemon.start()
    await carrySafe(world, daemon, world.drop().value)
    const status = (await daemon.ctl(['status', '--json'])).json
    assert.match(JSON.stringify(status.chains[0]), /another chain/)
    endpoints[0].clearFaults()
    let turn = 0
    for (const [name, make] of Object.entries(ways)) {
      const one = endpoints[++turn % 3]
      const began = Date.now(), asked = one.calls.length
      make(one)
      await carrySafe(world, daemon, world.drop().value).catch((e) => { e.message = `an endpoint ${name}: ${e.message}`; throw e })
      if (process.env.E2E_VERBOSE) console.log(`  ${name}: ${Date.now() - began} ms`)
      one.clearFaults()
      if (name === 'over its limit') {
        const times = one.calls.slice(asked).map((c) => c.at - began)
        const waits = times.slice(1).map((t, i) => t - times[i]).filter((wait) => wait > 500) // what was under way counts not
        assert.ok(waits.every((wait) => wait >= 2900), `asked again after ${waits} ms`)
      }
      await allWell(daemon)
    }
    // Nobody knows the tag any more: what is 64 blocks deep is final.
    for (const e of endpoints) e.fault({ match: (m, [tag] = []) => m === 'eth_getBlockByNumber' && tag === 'finalized', error: { code: -32602, message: 'invalid block tag' } })
    const p = await daemon.untilProposal(world.drop().value)
    await world.owners.approve((await daemon.untilQueued(p.id, 'apply')).safe_tx_hash)
    await world.chain.mine(60)
    await daemon.untilState(p.id, 'executed')
    await looks(endpoints[0], 2)
    assert.equal((await daemon.proposal(p.id)).state, 'executed')
    await world.chain.mine(5)
    await daemon.untilState(p.id, 'confirmed')
    assert.deepEqual((await daemon.events()).filter((e) => e.type === 'alarm').map((e) => e.text), [])
  }))

  test('one stands still, then follows another fork in which it all happened: nobody is convinced by it', inWorld({ model: 'safe', slots: 1, tag: 'fork' }, async (world) => {
    const endpoints = [world.rpc, await world.addEndpoint(), await world.addEndpoint()]
    const [odd, second, third] = endpoints
    const daemon = world.daemon({ chain: { rpc: endpoints.map((e) => e.url), quorum: 2, confirmations: 'finalized' } })
    await world.chain.mine(5)
    await daemon.start()
    const follow = async (other) => other.rpc('anvil_reset', { forking: { jsonRpcUrl: world.chain.url, blockNumber: Number(await world.chain.blockNumber()) } })
    const other = await forkChain(world.chain, await world.chain.blockNumber())
    try {
      // A node that has stopped: the others go on without it. For a minute, so that it is not just a moment late.
      odd.chain = other
      await world.chain.advance(60)
      await world.chain.mine(40)
      await carrySafe(world, daemon, world.drop().value)
      // On its fork, longer than the true chain, the owners' transaction was executed and is final.
      const eif = world.drop()
      const p = await daemon.untilProposal(eif.value)
      const row = await daemon.untilQueued(p.id, 'apply')
      const { tx } = await world.owners.read(row.safe_tx_hash)
      await follow(other)
      const there = new Safe(other, world.safe.address, world.safe.version)
      await there.execute(tx, await Promise.all(people.owners.slice(0, 2).map((o) => there.sign(o, tx))))
      await other.mine(80)
      await world.chain.mine(3) // and the true chain went on, too
      assert.equal(await other.read(world.registry.kms, 'function allowedOsImages(bytes32) view returns (bool)', eif.value), true)
      const unmoved = async (why) => {
        assert.equal((await daemon.proposal(p.id)).state, 'multisig', why)
        for (const m of await daemon.measurements(eif.value)) assert.equal(m.status, 'proposed', why)
      }
      const unknown = async (why) => assert.equal((await daemon.ctl(['check', eif.value, '--target', 'payments'], { ok: false })).code, 3, why)
      await looks(odd)
      await unmoved('beside two others')
      await second.down()
      await looks(odd)
      await unmoved('beside one other')
      await unknown('beside one other')
      await third.down()
      await looks(odd)
      await unmoved('alone')
      await unknown('alone')
      await daemon.kill9()
      await daemon.start()
      await looks(odd)
      await unmoved('alone, after a restart')
      await second.up()
      await third.up()
      await world.chain.mine(1)
      await looks(second)
      await unmoved('when the others are back')
      await world.owners.approve(row.safe_tx_hash)
      await world.chain.mine(3)
      await daemon.untilState(p.id, 'confirmed', { timeout: 40_000 })
      // And it comes back: the others are not needed for ever.
      odd.chain = world.chain
      await second.down()
      await carrySafe(world, daemon, world.drop().value)
    } finally { await other.stop() }
  }))
})

// ---- clocks, blocks, and what the executor key is told ------------------------------------------------------------------

describe('time, and the executor key', () => {
  let world, daemon, endpoints

  before(async () => {
    world = await makeWorld({ open: true, minDelay: 600, tag: 'time' })
    endpoints = [world.rpc, await world.addEndpoint(), await world.addEndpoint()]
    daemon = world.daemon({
      clock: true,
      chain: { rpc: endpoints.map((e) => e.url), quorum: 2, no_block: '2s' },
      targets: {
        payments: world.target({ execute: 'direct', executor: people.executor }),
        idle: { ...world.target({ expire: '1h' }), service: { kind: 'none' }, proposer_key_file: undefined },
      },
    })
    await daemon.start()
  })
  after(() => world?.close())

  const troubles = async (name) => (await daemon.ctl(['status', '--json'])).json.chains[0].troubles.filter((t) => t.alarm === name)
  const inTrouble = (name, text = /./) => until(async () => (await troubles(name)).find((t) => text.test(t.text)), { what: async () => `trouble ${name} ${text}: ${JSON.stringify(await troubles(name))}` })
  const over = (name) => until(async () => (await troubles(name)).length === 0, { what: async () => `an end of ${name}: ${JSON.stringify(await troubles(name))}` })
  const transactions = async () => world.chain.client.getTransactionCount({ address: people.executor.address })
  /// A new block, and the daemon has looked at it.
  const block = async () => {
    await world.chain.mine(1)
    await looks(endpoints[1], 2)
  }
  const toTimelock = async () => {
    const p = await daemon.untilProposal(world.drop().value)
    await world.owners.approve((await daemon.untilQueued(p.id, 'schedule')).safe_tx_hash)
    return daemon.untilState(p.id, 'timelock')
  }

  test('every process has the clock that a test sets', async () => {
    const mapped = (pid) => /wall-clock-offset/.test(readFileSync(`/proc/${pid}/maps`, 'utf8'))
    await until(() => daemon.family().length >= 3 && daemon.family().every(mapped), { what: 'the clock in main, signer and measurers' })
  })

  test('a chain that halts: named, and over when it goes on, each time', async () => {
    for (const round of [1, 2]) {
      await world.chain.mine(1)
      const head = await world.chain.blockNumber()
      const told = await inTrouble('no-new-block', new RegExp(`block ${head} is the newest`))
      assert.equal(told.subject, 'lab')
      assert.equal((await daemon.alarms('no-new-block', 'lab')).filter((a) => a.text.includes(`block ${head} `)).length, 1, `round ${round}`)
      await world.chain.mine(1)
      await over('no-new-block')
    }
  })

  test('a clock a day ahead, a day behind: named, nothing is executed early, and everything goes on', async () => {
    const p = await toTimelock()
    const sent = await transactions()
    daemon.clock.set(DAY)
    await world.chain.mine(1)
    assert.equal((await inTrouble('clock', /minutes ahead/)).subject, 'lab')
    await block()
    assert.equal((await daemon.proposal(p.id)).state, 'timelock', 'its time comes by the chain')
    assert.equal(await transactions(), sent)
    daemon.clock.set(-DAY)
    await world.chain.mine(1)
    await inTrouble('clock', /minutes behind/)
    assert.equal((await troubles('clock')).length, 1)
    const eif = world.drop() // drafted and proposed under this clock
    await daemon.untilQueued((await daemon.untilProposal(eif.value)).id, 'schedule')
    await world.passDelay()
    await daemon.untilState(p.id, ['executed', 'confirmed'])
    await world.chain.mine(3)
    await daemon.untilState(p.id, 'confirmed')
    daemon.clock.set(0)
    await world.chain.mine(1)
    await over('clock')
    await world.carry(daemon, (await daemon.untilProposal(eif.value)).id, { execute: 'direct' })
    assert.equal(await transactions(), sent + 2)
  })

  test('a draft expires when both clocks say so, whichever was wrong when it was drafted', async () => {
    daemon.clock.set(-DAY)
    const p = await daemon.untilProposal(world.drop('idle').value)
    const stays = async (why) => {
      await block()
      assert.equal((await daemon.proposal(p.id)).state, 'drafted', why)
    }
    daemon.clock.set(0)
    await stays('the clock was set right')
    daemon.clock.set(DAY)
    await stays('the chain says otherwise')
    daemon.clock.set(0)
    await world.chain.advance(2 * HOUR)
    await stays('our clock says otherwise')
    daemon.clock.set(3 * HOUR)
    await world.chain.mine(1)
    await daemon.untilState(p.id, 'expired')
    daemon.clock.set(0)
  })

  test('blocks of 0.2 s', async () => {
    let mining = true
    const miner = (async () => { while (mining) { await world.chain.mine(1); await tick(200) } })()
    try {
      const silent = (await daemon.alarms('no-new-block')).length
      const p = await toTimelock()
      await world.passDelay()
      await daemon.untilState(p.id, 'confirmed')
      assert.equal((await daemon.alarms('no-new-block')).length, silent)
    } finally {
      mining = false
      await miner
    }
  })

  test('blocks of 60 s: the ready time is that of a block', async () => {
    const p = await toTimelock()
    const ready = Date.parse(p.ready_at) / 1000
    const sent = await transactions()
    while ((await world.chain.now()) + 60 < ready) await world.chain.advance(60)
    await looks(endpoints[1], 2)
    assert.equal((await daemon.proposal(p.id)).state, 'timelock', 'the newest block is too old')
    assert.equal(await transactions(), sent)
    await world.chain.advance(60)
    await daemon.untilState(p.id, ['executed', 'confirmed'])
    for (let i = 0; i < 3; i++) await world.chain.advance(60)
    await daemon.untilState(p.id, 'confirmed')
    assert.deepEqual(await troubles('clock'), [], 'minutes are no reason')
  })

  test('one endpoint lies about gas, price and money, and keeps transactions to itself', async () => {
    const [liar] = endpoints
    const p = await toTimelock()
    const sent = await transactions()
    const swallowed = liar.fault({ match: (m) => m === 'eth_sendRawTransaction', instead: () => `0x${'5e'.repeat(32)}` })
    liar.fault({ match: (m) => m === 'eth_estimateGas', mutate: () => hex(21_000) })
    liar.fault({ match: (m) => m === 'eth_maxPriorityFeePerGas', instead: () => hex(90_000_000_000) })
    liar.fault({ match: (m) => m === 'eth_getBalance', mutate: () => '0x0' })
    liar.fault({ match: (m, [number] = []) => m === 'eth_getBlockByNumber' && number !== 'latest', mutate: (b) => b && { ...b, baseFeePerGas: '0x0', gasLimit: hex(30_000) } })
    await world.passDelay()
    await daemon.untilState(p.id, ['executed', 'confirmed'])
    await world.chain.mine(3)
    const done = await daemon.untilState(p.id, 'confirmed')
    liar.clearFaults()
    assert.equal(swallowed.hits, 1)
    assert.equal(await transactions(), sent + 1)
    const tx = await world.chain.rpc('eth_getTransactionByHash', done.history.find((h) => h.to === 'executed').tx)
    assert.equal(tx.from, people.executor.address.toLowerCase())
    assert.ok(BigInt(tx.maxPriorityFeePerGas) < 90_000_000_000n, tx.maxPriorityFeePerGas)
    assert.deepEqual(await daemon.alarms('executor-funds'), [])
    assert.deepEqual(await daemon.alarms('execution-reverted'), [])
  })
})

// ---- the Safe service -------------------------------------------------------------------------------------------------

describe('the Safe service, now and then', () => {
  test('one that lags, and a request budget: counted, shown, held to, and over at midnight', inWorld({ tag: 'budget' }, async (world) => {
    const BUDGET = 16
    const target = world.target()
    const daemon = world.daemon({ clock: true, targets: { payments: { ...target, service: { ...target.service, poll: '100ms', budget: BUDGET } } } })
    const today = new Date().toISOString().slice(0, 10)
    const use = async () => {
      const [row] = (await daemon.ctl(['status', '--json'])).json.chains[0].services
      assert.deepEqual([row.target, row.budget], ['payments', BUDGET])
      return row.requests_today
    }
    const made = (from) => world.service.requests.length - from
    const begin = world.service.requests.length
    // What was posted is not there yet when it is read back: it is not posted again.
    const lag = world.service.fault({ match: /^GET .*\/v2\/multisig-transactions\/0x/, times: 3, status: 404, body: { detail: 'No MultisigTransaction matches the given query.' } })
    await daemon.start()
    const p = await daemon.untilProposal(world.drop().value)
    const row = await daemon.untilQueued(p.id, 'schedule', { timeout: 30_000 })
    assert.ok(lag.hits >= 1)
    assert.equal(world.service.posts().length, 1)
    const used = await use()
    assert.ok(used > 0 && used <= made(begin), `${used} of ${made(begin)} requests`)
    // Asked about signatures until nothing is left of the day.
    await until(async () => (await use()) === BUDGET, { timeout: 30_000, what: async () => `the budget to be used up: ${await use()}, ${world.service.requests.slice(begin).map((r) => `${r.at.toISOString()} ${r.method} ${r.path} ${r.status}`).join('\n')}` })
    await daemon.untilAlarm('service-budget', { subject: 'payments', text: new RegExp(`${BUDGET} times`) })
    assert.equal(await use(), BUDGET)
    assert.equal(made(begin), BUDGET, 'as many as are counted')
    await looks(world.rpc)
    assert.equal(made(begin), BUDGET)
    // The chain is followed all the same; what would have to be proposed waits, over a restart as well.
    await world.owners.approve(row.safe_tx_hash)
    await daemon.untilState(p.id, 'timelock')
    await world.passDelay()
    await daemon.untilState(p.id, 'execute')
    await daemon.kill9()
    const before = world.service.requests.length
    await daemon.start()
    await looks(world.rpc)
    if (new Date().toISOString().slice(0, 10) === today) { // else midnight came by itself
      assert.equal(made(before), 0)
      assert.equal(await use(), BUDGET)
    }
    await daemon.stop()
    daemon.clock.jump(DAY)
    await daemon.start()
    await world.carryOn(daemon, p.id)
    const next = await use()
    assert.ok(next > 0 && next <= BUDGET)
  }))
})
