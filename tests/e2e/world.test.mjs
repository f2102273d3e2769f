// The world as it is: endpoints that misbehave and are outvoted, chains that are fast, slow or halted, clocks that are
// wrong, a Safe service with a request budget. Everything here goes on by itself once the world is well again.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { decodeFunctionData, parseAbi } from 'viem'
import { forkChain, hex } from '../harness/chain.mjs'
import { Safe } from '../harness/safe.mjs'
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

/// Waits until nothing is wrong with any endpoint in the eyes of the daemon.
async function allWell(daemon) {
  let chain
  await until(async () => {
    chain = (await daemon.ctl(['status', '--json'])).json.chains[0]
    return chain.endpoints.every((e) => !e.trouble)
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
  failing: (e) => e.fault({ status: 502 }),
  'cutting connections': (e) => e.fault({ drop: true }),
  'over its limit': (e) => e.fault({ status: 429, headers: { 'retry-after': '3' } }),
  'over its limit in words': (e) => e.fault({ error: { code: -32005, message: 'daily request count exceeded, request rate limited' } }),
  'of nonsense': (e) => e.fault({ status: 200, body: '<html>' }),
  'of the wrong form': (e) => e.fault({ mutate: () => [{ number: '0x' }] }),
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
      make(one)
      const began = Date.now()
      await carrySafe(world, daemon, world.drop().value).catch((e) => { e.message = `an endpoint ${name}: ${e.message}`; throw e })
      if (process.env.E2E_VERBOSE) console.log(`  ${name}: ${Date.now() - began} ms`)
      one.clearFaults()
      await allWell(daemon)
    }
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
      // A node that has stopped: the others go on without it.
      odd.chain = other
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
