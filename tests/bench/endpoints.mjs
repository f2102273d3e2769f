// Thousands of status endpoints in one loop: what they cost in CPU time and memory, on a whole daemon. Each endpoint is
// a host of its own (an address in 127.0.0.0/8), so that no connection is kept for the next. Without TLS: what its
// handshakes cost is OpenSSL's to say.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Daemon } from '../harness/daemon.mjs'
import { appCompose, guestInfo } from '../harness/endpoints.mjs'
import { makeTempDir, tick, until } from '../harness/util.mjs'
import { startHelper } from './endpoints-server.mjs'
import { quick, report, usage } from './lib.mjs'

const app = '0x2222222222222222222222222222222222222222'

function configuration(tmp, port, count, every) {
  mkdirSync(join(tmp, 'in'), { recursive: true })
  return {
    // Nobody answers there: the chain is not what is measured.
    chains: { none: { chain_id: 1, rpc: ['http://127.0.0.1:1'], poll: '1h' } },
    targets: {
      payments: {
        chain: 'none', kms: '0x1111111111111111111111111111111111111111', app, model: 'safe+timelock',
        safe: '0x3333333333333333333333333333333333333333', timelock: { address: '0x4444444444444444444444444444444444444444' },
      },
    },
    watch: [{ path: join(tmp, 'in'), target: 'payments' }],
    endpoints: count === 0 ? undefined : Array.from({ length: count }, (_, i) => ({
      url: `http://127.1.${i >> 8}.${i & 255}:${port}/prpc/Info?json`, target: 'payments', every,
    })),
  }
}

const endpointsOf = async (daemon) => (await daemon.ctl(['status', '--json'])).json.endpoints

export async function benchEndpoints() {
  const count = quick ? 1000 : 5000
  const every = quick ? '15s' : '60s'
  const seconds = quick ? 15 : 60
  const tmp = makeTempDir('ep')
  const compose = appCompose('bench')
  const body = guestInfo({ app, compose })
  const server = await startHelper(body)
  const daemons = []
  const start = async (name, n) => {
    const daemon = new Daemon(join(tmp.path, name), configuration(tmp.path, server.port, n, every))
    daemons.push(daemon)
    return daemon.start()
  }
  try {
    const idle = await start('none', 0)
    await tick(3000)
    const base = usage(idle.family())
    await idle.stop()

    const daemon = await start('many', count)
    await until(async () => (await endpointsOf(daemon)).answering === count, { timeout: 2 * seconds * 1000, every: 1000, what: 'every endpoint to have answered' })
    const first = await endpointsOf(daemon)
    const before = usage(daemon.family())
    await tick(seconds * 1000)
    const after = usage(daemon.family())
    const last = await endpointsOf(daemon)
    const cpu = after.cpu - before.cpu
    const asked = last.questions - first.questions
    const memory = (after.pss - base.pss) / 1024
    report(`${count} endpoints every ${every}, ${body.length} bytes each: CPU time in ${seconds} s`, `${(cpu / 1000).toFixed(2)} s`, { reference: `${(cpu / seconds / 10).toFixed(1)} % of one core`, goal: '< 10 %', met: cpu / seconds / 10 < 10 })
    report('  questions in that time', `${asked}`, { reference: `${(cpu / asked).toFixed(2)} ms each; ${last.measured - first.measured} measured again` })
    report('  PSS beyond that of a daemon without any', `${memory.toFixed(1)} MiB`, { reference: `${(memory * 1024 / count).toFixed(2)} KiB each`, goal: '< 32 MiB', met: memory < 32 })
    await daemon.stop()
  } finally {
    for (const daemon of daemons) await daemon.stop().catch(() => {})
    server.stop()
    tmp.remove()
  }
}
