// A daemon that has nothing to do: what it costs.
import { makeWorld } from '../harness/world.mjs'
import { tick } from '../harness/util.mjs'
import { quick, report, usage } from './lib.mjs'

export async function benchIdle() {
  const world = await makeWorld({})
  try {
    // The times of a production configuration; one build has been carried to its end before.
    const daemon = world.daemon({ chain: { poll: '200ms' } })
    await daemon.start()
    await world.carry(daemon, (await daemon.untilProposal(world.drop().value)).id)
    await daemon.stop()
    const { lab } = daemon.config.chains
    const { payments } = daemon.config.targets
    daemon.configure({
      ...daemon.config, chains: { lab: { ...lab, poll: '12s' } },
      targets: { payments: { ...payments, batch: { quiet: '60s' }, service: { ...payments.service, poll: '60s' } } },
      watch: daemon.config.watch.map((w) => ({ ...w, settle: '500ms', build_settle: '10s' })),
    })
    await daemon.start()
    await tick(quick ? 5_000 : 15_000) // the start-up's own work
    const seconds = quick ? 15 : 60
    const family = daemon.family()
    const before = usage(family)
    const requests = { rpc: world.rpc.httpRequests, service: world.service.requests.length }
    await tick(seconds * 1000)
    const after = usage(daemon.family())
    const cpu = after.cpu - before.cpu
    report(`idle for ${seconds} s: CPU time`, `${cpu.toFixed(1)} ms`, { reference: `${(cpu / seconds / 10).toFixed(4)} % of one core` })
    const pss = after.pss / 1024
    report(`  PSS of all ${family.length} processes`, `${pss.toFixed(1)} MiB`, { goal: '< 25 MiB', met: pss < 25 })
    report('  wake-ups', `${after.wakeups - before.wakeups}`, { reference: `${((after.wakeups - before.wakeups) / seconds).toFixed(2)}/s, chain poll 12 s` })
    report('  RPC requests', `${world.rpc.httpRequests - requests.rpc}`, { reference: `${Math.floor(seconds / 12)} ticks` })
    report('  Safe service requests', `${world.service.requests.length - requests.service}`, { goal: '0', met: world.service.requests.length === requests.service })
    await daemon.stop()
  } finally { await world.close() }
}
