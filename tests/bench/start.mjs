// Starting over a store that years of use filled.
import { join } from 'node:path'
import { Daemon } from '../harness/daemon.mjs'
import { startChain } from '../harness/chain.mjs'
import { makeTempDir, until } from '../harness/util.mjs'
import { median, ms, now, program, quick, report, run } from './lib.mjs'

/// The address that fill_store uses for a purpose.
const address = (purpose, n) => `0x${purpose.charCodeAt(0).toString(16)}${'00'.repeat(11)}${(n + 1).toString(16).padStart(16, '0')}`

function target(chain, n) {
  return {
    chain, kms: address('k', n), app: n > 0 ? address('a', n) : undefined, model: 'safe+timelock', safe: address('s', n),
    timelock: { address: address('t', n) }, service: { kind: 'none' },
  }
}

export async function benchStart() {
  const tmp = makeTempDir('start')
  const chains = []
  try {
    for (const chainId of [8453, 1]) chains.push(await startChain({ chainId }))
    const chain = (c) => ({ chain_id: c.chainId, rpc: [c.url], quorum: 1, confirmations: 2, multicall_code: [c.multicallCode] })
    const daemon = new Daemon(join(tmp.path, 'd'), {
      chains: { base: chain(chains[0]), main: chain(chains[1]) },
      targets: { payments: target('base', 0), wallet: target('base', 1), ledger: target('main', 2) },
    })
    const [measurements, proposals] = quick ? [2_000, 200] : [10_000, 1_000]
    await run(program('fill_store'), [join(daemon.stateDir, 'registrard.db'), String(measurements), String(proposals)])
    const ready = [], answered = []
    for (let i = 0; i < 3; i++) {
      const from = daemon.lines.length
      const begin = now()
      await daemon.start({ wait: false })
      await until(async () => { daemon.mustRun(); return daemon.lines.slice(from).some((l) => /\bready\b/.test(l)) }, { every: 1, what: () => `readiness\n${daemon.tail()}` })
      ready.push(now() - begin)
      await daemon.ctl(['status', '--json'])
      answered.push(now() - begin)
      await daemon.stop()
    }
    report(`start with ${measurements} measurements, ${proposals} proposals: ready`, ms(median(ready)), { goal: '< 1 s', met: median(ready) < 1000 })
    report('  registrarctl status answered', ms(median(answered)))
  } finally {
    for (const c of chains) await c.stop()
    tmp.remove()
  }
}
