// Two days in the life of a proposal that nobody signs, at the default polling, and of a daemon with nothing to do: what
// its Safe service is asked. The daemon's clocks skip every wait (harness/idle-clock.c); everything else is as always.
import { execFileSync } from 'node:child_process'
import { closeSync, openSync, readSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeWorld } from '../harness/world.mjs'
import { testsDir, tick, until } from '../harness/util.mjs'
import { quick, report } from './lib.mjs'

const HOUR = 3_600_000
const hours = quick ? 6 : 48

/// The skipping clock of one daemon, and a chain that goes with it: a block for every minute.
class IdleClock {
  constructor(world) {
    this.file = join(world.tmp.path, 'idle-clock')
    this.library = `${this.file}.so`
    writeFileSync(this.file, Buffer.alloc(8))
    execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', this.library, join(testsDir, 'harness', 'idle-clock.c'), '-ldl'])
    this.environment = { IDLE_CLOCK: this.file, LD_PRELOAD: this.library }
    this.mining = this.#mine(world.chain)
  }

  now() {
    const fd = openSync(this.file), bytes = Buffer.alloc(8)
    readSync(fd, bytes, 0, 8, 0)
    closeSync(fd)
    return Date.now() + Number(bytes.readBigInt64LE())
  }

  async #mine(chain) {
    while (!this.stopped) {
      const seconds = Math.floor(this.now() / 1000)
      if (seconds - await chain.now() >= 60) {
        await chain.rpc('evm_setNextBlockTimestamp', seconds)
        await chain.mine(1)
      }
      await tick(5)
    }
  }

  async pass(ms, daemon) {
    const end = this.now() + ms
    await until(() => { daemon.mustRun(); return this.now() >= end }, { every: 50, timeout: 1_200_000, what: `${ms / HOUR} h to pass` })
  }

  async stop() { this.stopped = true; await this.mining }
}

async function inWorld(fn) {
  const world = await makeWorld({ age: 3600 })
  const clock = new IdleClock(world)
  try {
    const daemon = world.daemon({ chain: { poll: '2m' }, target: { batch: { quiet: '0s', max_calls: 2 } } })
    delete daemon.config.targets.payments.service.poll // its default
    daemon.configure(daemon.config)
    daemon.environment = clock.environment
    await daemon.start()
    await clock.pass(HOUR / 2, daemon) // the start-up's own look into the queue
    return await fn(world, daemon, clock)
  } finally {
    await clock.stop()
    await world.close()
  }
}

/// Requests to the service in the life of so many proposals of one Safe.
const live = (count) => inWorld(async (world, daemon, clock) => {
  const before = world.service.requests.length
  for (let i = 0; i < count; i++) world.drop()
  const queued = async () => (await daemon.proposals()).filter((p) => p.state === 'multisig').length
  await until(async () => (await queued()) === count, { timeout: 120_000, what: 'the proposals to be in the queue' })
  const posted = world.service.requests.length
  await clock.pass(hours * HOUR, daemon)
  if ((await queued()) !== count) throw new Error(`not every proposal is in the queue any more\n${daemon.tail()}`)
  return { posting: (posted - before) / count, following: (world.service.requests.length - posted) / count }
})

export async function benchLife() {
  const idle = await inWorld(async (world, daemon, clock) => {
    const before = world.service.requests.length
    await clock.pass(hours * HOUR, daemon)
    return world.service.requests.length - before
  })
  report(`Safe service: requests in ${hours} h, nothing pending`, `${idle}`, { reference: 'lived through, waits skipped', goal: 'none', met: idle === 0 })
  for (const count of quick ? [1] : [1, 20]) {
    const { posting, following } = await live(count)
    const all = posting + following
    report(count === 1 ? `  one proposal pending for ${hours} h` : `  ${count} of one Safe, each`, all.toFixed(1), { reference: `${posting.toFixed(1)} to post, ${following.toFixed(1)} to follow`, goal: '60 or fewer', met: all <= 60 })
  }
}
