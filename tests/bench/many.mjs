// A thousand open proposals of twenty targets on three chains: what one look at the chains costs.
import { join } from 'node:path'
import { mkdirSync } from 'node:fs'
import { people, startChain } from '../harness/chain.mjs'
import { Daemon, writeSecret } from '../harness/daemon.mjs'
import { createSafe, deployRegistry, deploySafeRelease, deployTimelock } from '../harness/deploy.mjs'
import { dropBuild, makeEif } from '../harness/eif.mjs'
import { startRpcProxy } from '../harness/rpc-proxy.mjs'
import { startSafeService } from '../harness/safe-service.mjs'
import { makeTempDir, seeded, tick, until } from '../harness/util.mjs'
import { ms, quick, report, usage } from './lib.mjs'

const POLL = 1000

async function makeChain(chainId) {
  const chain = await startChain({ chainId, multicall: true })
  const release = await deploySafeRelease(chain, '1.4.1')
  const service = await startSafeService(chain, { releases: [release] })
  service.addDelegate({ delegate: people.proposer.address, delegator: people.owners[0].address })
  return { chain, release, service, rpc: await startRpcProxy(chain) }
}

async function makeTarget(name, { chain, release, service }, proposerKey) {
  const safe = await createSafe(chain, release)
  const timelock = await deployTimelock(chain, { minDelay: 172_800, proposers: [safe], executors: [safe] })
  const registry = await deployRegistry(chain, { generation: 2, owner: timelock, app: false })
  return {
    chain: name, kms: registry.kms, model: 'safe+timelock', safe, timelock: { address: timelock },
    batch: { quiet: '0s', max_calls: 1 }, service: { kind: 'tx-service', url: service.url }, proposer_key_file: proposerKey,
  }
}

const inQueue = async (daemon) => (await daemon.proposals()).filter((p) => p.state === 'multisig').length

export async function benchMany() {
  const tmp = makeTempDir('many')
  const chains = [], random = seeded(7)
  const [targetCount, each, looks] = quick ? [4, 10, 5] : [20, 50, 20]
  try {
    for (const chainId of [8453, 1, 10]) chains.push(await makeChain(chainId))
    const proposerKey = writeSecret(join(tmp.path, 'proposer'), people.proposer.key)
    const targets = {}
    for (let i = 0; i < targetCount; i++) targets[`t${i}`] = await makeTarget(`c${i % 3}`, chains[i % 3], proposerKey)
    for (const name of Object.keys(targets)) mkdirSync(join(tmp.path, 'releases', name), { recursive: true })
    const daemon = new Daemon(join(tmp.path, 'd'), {
      chains: Object.fromEntries(chains.map((c, i) => [`c${i}`, { chain_id: c.chain.chainId, rpc: [c.rpc.url], quorum: 1, confirmations: 2, poll: `${POLL}ms`, multicall_code: [c.chain.multicallCode] }])),
      targets,
      watch: Object.keys(targets).map((t) => ({ path: join(tmp.path, 'releases', t), target: t, recursive: true, settle: '50ms', build_settle: '100ms' })),
    })
    await daemon.start()
    const total = targetCount * each
    for (let k = 0; k < each; k++) {
      for (const t of Object.keys(targets)) dropBuild(join(tmp.path, 'releases', t, `r${k}`), makeEif(random))
      await until(async () => (await inQueue(daemon)) >= targetCount * (k + 1), { timeout: 300_000, every: 500, what: async () => `${targetCount * (k + 1)} proposals in the queue, there are ${await inQueue(daemon)}\n${daemon.tail(10)}` })
    }
    await tick(5 * POLL)

    // The posting itself is over: what one look costs now.
    const count = () => chains.reduce((sum, c) => ({ requests: sum.requests + c.rpc.calls.length, bytes: sum.bytes + c.rpc.bytes }), { requests: 0, bytes: 0 })
    const before = { ...count(), cpu: usage([daemon.pid]).cpu, logs: chains.reduce((n, c) => n + c.rpc.count('eth_getLogs'), 0) }
    for (const c of chains) c.from = c.rpc.calls.length
    for (let i = 0; i < looks; i++) {
      for (const c of chains) await c.chain.mine(1)
      await tick(2 * POLL)
    }
    const after = { ...count(), cpu: usage([daemon.pid]).cpu, logs: chains.reduce((n, c) => n + c.rpc.count('eth_getLogs'), 0) }
    const ticks = after.logs - before.logs
    const methods = {}
    for (const c of chains) for (const x of c.rpc.calls.slice(c.from)) methods[x.method] = (methods[x.method] ?? 0) + 1
    report(`${total} open proposals, ${targetCount} targets, 3 chains: RPC per chain and new block`, `${((after.requests - before.requests) / ticks).toFixed(1)} requests, ${((after.bytes - before.bytes) / ticks / 1024).toFixed(0)} KiB`, { reference: Object.entries(methods).map(([m, n]) => `${m.replace('eth_', '')} ${+(n / ticks).toFixed(1)}`).join(', ') })
    report('  CPU per chain and new block', ms((after.cpu - before.cpu) / ticks))
    report('  memory of the main process (PSS)', `${(usage([daemon.pid]).pss / 1024).toFixed(1)} MiB`)

    await daemon.stop()
  } finally {
    for (const c of chains) {
      await c.rpc.down()
      await c.service.stop()
      await c.chain.stop()
    }
    tmp.remove()
  }
}
