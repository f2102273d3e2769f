// What one look at the chain asks of an endpoint, with one open proposal and with many.
import { makeWorld } from '../harness/world.mjs'
import { tick, until } from '../harness/util.mjs'
import { quick, report } from './lib.mjs'

const POLL = 300

/// What a tick with a new block asks, by method. A poll that finds no new block asks for the newest block and nothing else.
async function perTick(world, ticks) {
  const from = world.rpc.calls.length
  for (let i = 0; i < ticks; i++) {
    await world.chain.mine(1)
    await tick(2 * POLL)
  }
  const asked = {}
  for (const { method, params } of world.rpc.calls.slice(from)) {
    const name = method === 'eth_getBlockByNumber' && params[0] === 'latest' ? 'newest block' : method
    asked[name] = (asked[name] ?? 0) + 1
  }
  const news = asked.eth_getLogs
  asked['newest block'] = news
  return { total: Object.values(asked).reduce((a, b) => a + b, 0) / news, detail: Object.entries(asked).map(([m, n]) => `${m.replace('eth_', '')} ${+(n / news).toFixed(1)}`).join(', ') }
}

export async function benchTicks() {
  const many = quick ? 40 : 200, ticks = quick ? 5 : 15
  const world = await makeWorld({})
  try {
    // The service is asked now and then for signatures, which costs a look at the chain, too: as seldom as by default.
    const payments = world.target({ batch: { quiet: '0s', max_calls: 2 } })
    payments.service.poll = '60s'
    const daemon = world.daemon({ chain: { poll: `${POLL}ms` }, targets: { payments } })
    await daemon.start()
    const queued = (n) => until(async () => (await daemon.proposals()).filter((p) => p.state === 'multisig').length === n,
      { timeout: 120_000, every: 250, what: async () => `${n} proposals in the queue\n${daemon.tail(10)}` })
    world.drop()
    await queued(1)
    await tick(2000)
    const one = await perTick(world, ticks)
    for (let i = 1; i < many; i++) world.drop()
    await queued(many)
    await tick(3000)
    const all = await perTick(world, ticks)
    report('RPC per new block with 1 open proposal', `${one.total.toFixed(1)} requests`, { reference: one.detail })
    report(`  with ${many} open proposals`, `${all.total.toFixed(1)} requests`, { reference: all.detail, ratio: (all.total / one.total).toFixed(2), goal: 'the same', met: Math.abs(all.total / one.total - 1) < 0.1 })
    await daemon.stop()
  } finally { await world.close() }
}
