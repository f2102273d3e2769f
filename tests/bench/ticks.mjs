// What one look at the chain asks of an endpoint, with one open proposal and with many.
import { makeWorld } from '../harness/world.mjs'
import { tick, until } from '../harness/util.mjs'
import { quick, report } from './lib.mjs'

const POLL = 300

/// Requests per new block: HTTP requests, and calls by method.
async function perTick(world, ticks) {
  const calls = world.rpc.calls.length, http = world.rpc.httpRequests
  for (let i = 0; i < ticks; i++) {
    await world.chain.mine(1)
    await tick(2 * POLL)
  }
  const list = world.rpc.calls.slice(calls)
  const methods = {}
  for (const { method } of list) methods[method] = (methods[method] ?? 0) + 1
  return { http: (world.rpc.httpRequests - http) / ticks, calls: list.length / ticks, methods }
}
const text = (t) => `${t.http.toFixed(1)} requests, ${t.calls.toFixed(1)} calls`
const detail = (t, ticks) => Object.entries(t.methods).sort().map(([m, n]) => `${m.replace('eth_', '')} ${(n / ticks).toFixed(1)}`).join(', ')

export async function benchTicks() {
  const many = quick ? 40 : 200, ticks = quick ? 5 : 15
  const world = await makeWorld({})
  try {
    const daemon = world.daemon({ chain: { poll: `${POLL}ms` }, target: { batch: { quiet: '0s', max_calls: 2 }, service: { kind: 'tx-service', url: world.service.url, poll: '60s' } } })
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
    report('RPC per tick with 1 open proposal', text(one), { reference: detail(one, ticks) })
    report(`  with ${many} open proposals`, text(all), { reference: detail(all, ticks), ratio: (all.http / one.http).toFixed(2), goal: 'the same', met: Math.abs(all.http / one.http - 1) < 0.1 })
    await daemon.stop()
  } finally { await world.close() }
}
