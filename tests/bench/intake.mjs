// From a file renamed into place to a stored draft, to the service's queue; and many builds at once.
import { spawn } from 'node:child_process'
import { mkdirSync, renameSync, watch, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { dropBuild, makeEif, measurementsJson } from '../harness/eif.mjs'
import { onExit, tick, tied, until } from '../harness/util.mjs'
import { makeWorld } from '../harness/world.mjs'
import { benchDir, castPath, ms, note, now, percentile, quick, report, times } from './lib.mjs'

// As short as the configuration allows: what is measured is the daemon, not what it waits for, nor a proxy that
// counts requests.
const noWaiting = (world) => ({ chain: { rpc: [world.chain.url] }, target: { batch: { quiet: '0s' } }, watch: { settle: '1ms', build_settle: '0s' } })

/// Resolves with the time at which a file whose name passes the test appears in dir.
function appearance(dir, test) {
  let watcher
  const seen = new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`nothing appeared in ${dir}`)), 20_000)
    watcher = watch(dir, (_, name) => {
      if (!name || !test(name)) return
      const at = now()
      clearTimeout(timer)
      resolve(at)
    })
  })
  return seen.finally(() => watcher.close())
}

/// Renames prepared files into place one after the other; the times until each one's result is in `results`.
async function latencies(count, { prepare, place, results, test }) {
  const list = []
  for (let i = 0; i < count; i++) {
    const from = prepare(i)
    const seen = appearance(results, test)
    const begin = now()
    renameSync(from, place(i))
    list.push((await seen) - begin)
    await tick(15)
  }
  return list
}

async function draftLatency(world, count, name) {
  const folder = join(world.tmp.path, `in-${name}`)
  mkdirSync(folder)
  const waits = noWaiting(world)
  const daemon = world.daemon({ ...waits, watch: { ...waits.watch, path: folder }, name })
  await daemon.start()
  const staging = join(world.tmp.path, `staging-${name}`)
  mkdirSync(staging)
  // Warm up, and let the daemon make its folder of drafts.
  const first = makeEif(world.random)
  dropBuild(join(folder, 'first'), first)
  await daemon.untilProposal(first.value)
  const list = await latencies(count, {
    prepare: (i) => {
      const path = join(staging, `${i}.eif`)
      writeFileSync(path, makeEif(world.random, { size: 50_000 }).bytes)
      mkdirSync(join(folder, String(i)))
      return path
    },
    place: (i) => join(folder, String(i), 'enclave.eif'),
    results: join(daemon.stateDir, 'drafts'),
    test: (name) => /^p\d+-schedule-1\.json$/.test(name),
  })
  await daemon.stop()
  return list
}

async function pipelineLatency(world, count) {
  const [staging, folder, drafts] = ['p-staging', 'p-in', 'p-drafts'].map((n) => join(world.tmp.path, n))
  for (const d of [staging, folder, drafts]) mkdirSync(d)
  const { kms, app } = world.registry
  const child = spawn(...tied(join(benchDir, 'pipeline.sh'), [folder, drafts, world.chain.url, kms, app, world.timelock.address, castPath]),
    { stdio: ['ignore', 'ignore', 'inherit'], detached: true })
  const end = () => { try { process.kill(-child.pid, 'SIGKILL') } catch {} }
  const forget = onExit(end)
  try {
    await tick(500) // inotifywait does not say when it watches
    return await latencies(count, {
      prepare: (i) => {
        const path = join(staging, `${i}.json`)
        writeFileSync(path, measurementsJson(makeEif(world.random)))
        return path
      },
      place: (i) => join(folder, `${i}.json`),
      results: drafts,
      test: (name) => /^\d+\.json$/.test(name),
    })
  } finally {
    forget()
    end()
  }
}

async function queueLatency(count) {
  const world = await makeWorld({})
  try {
    const daemon = world.daemon(noWaiting(world))
    await daemon.start()
    await daemon.untilProposal(world.drop().value)
    const queued = () => [...world.service.transactions.values()].filter((t) => t.trusted && !t.executed).length
    await until(async () => queued() === 1, { what: 'the first transaction in the queue' })
    const list = []
    for (let i = 0; i < count; i++) {
      const before = queued()
      const eif = makeEif(world.random)
      const begin = now()
      world.drop('payments', { eif, folder: `q${i}` })
      await until(async () => queued() > before, { every: 1, what: 'the transaction in the queue' })
      list.push(now() - begin)
      await tick(15)
    }
    return list
  } finally { await world.close() }
}

/// 100 builds a second for some seconds; every one must be recorded, and once.
async function flood() {
  const world = await makeWorld({ service: false })
  try {
    const daemon = world.daemon({ target: { batch: { quiet: '1s', max_calls: 100 } }, watch: { settle: '50ms', build_settle: '200ms' } })
    await daemon.start()
    const count = 500
    const eifs = Array.from({ length: count }, () => makeEif(world.random))
    const begin = now()
    for (const [i, eif] of eifs.entries()) {
      dropBuild(world.folder('payments', `release-${i}`), eif)
      await tick(Math.max(0, begin + (i + 1) * 10 - now()))
    }
    const dropped = now() - begin
    const recorded = await until(async () => {
      const all = await daemon.measurements()
      return all.length >= 2 * count && now()
    }, { timeout: 60_000, every: 20, what: async () => `${2 * count} measurements; there are ${(await daemon.measurements()).length}` })
    await until(async () => (await daemon.measurements()).every((m) => m.status === 'proposed'), { timeout: 60_000, every: 200, what: 'all of them proposed' })
    const all = await daemon.measurements()
    const calls = (await daemon.proposals()).flatMap((p) => p.calls.map((c) => `${c.to} ${c.data}`))
    const once = all.length === 2 * count && new Set(all.map((m) => `${m.kind} ${m.value}`)).size === 2 * count &&
      eifs.every((e) => all.filter((m) => m.value === e.value).length === 2) && new Set(calls).size === calls.length && calls.length === 2 * count
    report(`${count} builds in ${ms(dropped)}`, `${all.length / 2} recorded, ${calls.length / 2} drafted`, {
      reference: `the last one ${ms(Math.max(0, recorded - begin - dropped))} after its drop`, goal: 'all once', met: once })
    await daemon.stop()
  } finally { await world.close() }
}

export async function benchIntake() {
  const world = await makeWorld({ service: false })
  try {
    // Some daemons one after the other, so that no more than 50 proposals are open at once.
    const ours = []
    for (let i = 0; i < (quick ? 1 : 6); i++) ours.push(...await draftLatency(world, 50, `d${i}`))
    const theirs = await pipelineLatency(world, quick ? 15 : 60)
    const [p50, p99, r50, r99] = [percentile(ours, 50), percentile(ours, 99), percentile(theirs, 50), percentile(theirs, 99)]
    report('image renamed into place -> draft stored, p50', ms(p50), { reference: `${ms(r50)} shell pipeline`, ratio: times(r50 / p50) })
    report('  p99', ms(p99), { reference: `${ms(r99)} shell pipeline`, ratio: times(r99 / p99), goal: '< 20 ms', met: p99 < 20 })
    note('draft stored: settle 1ms, build_settle 0s, quiet 0s; the draft is seen by its file. The pipeline (inotifywait, jq, sha256sum, cast) only reads ' +
      'what a JSON claims: no image, no simulation, no record.')
  } finally { await world.close() }
  const queued = await queueLatency(quick ? 15 : 60)
  report('build dropped -> visible in the service\'s queue, p50', ms(percentile(queued, 50)))
  report('  p99', ms(percentile(queued, 99)))
  await flood()
}
