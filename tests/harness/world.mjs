// Everything a test stands on, put together: chain, Safe, timelock, registry, service, daemon. Close it in `after`.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { MULTICALL3, people, startChain } from './chain.mjs'
import { createSafe, deployRegistry, deploySafeRelease, deployTimelock, transferOwnership } from './deploy.mjs'
import { Daemon, writeSecret } from './daemon.mjs'
import { dropBuild, makeEif } from './eif.mjs'
import { Owners } from './owners.mjs'
import { startQueueService } from './queue-service.mjs'
import { startRpcProxy } from './rpc-proxy.mjs'
import { Safe, Timelock } from './safe.mjs'
import { startSafeService } from './safe-service.mjs'
import { makeTempDir, seeded, until } from './util.mjs'

/// options:
///   generation   1 | 2 of the KMS and app contracts;  app: false leaves the app out;  kmsContract: another KMS
///   model        who owns the registry, and what daemon configurations say: safe+timelock | safe | timelock | direct
///   safeVersion  '1.3.0' | '1.4.1' | '1.5.0';  safeDeployment: 'eip155' is the second set of 1.3.0
///   l2           false uses the singleton without SafeMultiSigTransaction events
///   timelockVersion  '5' | '4.9';  proposers: holders of that role, instead of the Safe
///   minDelay     seconds;  open: the executor role is everybody's;  executors: more holders of that role
///   blockGas     the gas limit of each block
///   service      false: no Safe service at all;  queue: true puts the Safe Queue Service's front before it
///   multicall    false: the chain has no Multicall3;  chainId, slots: see startChain
///   safeOwners   addresses, people.owners by default: async (chain, release) => [...]
///   owned        false: the registry stays with its deployer (a simulation must revert)
///   age          seconds the chain's clock starts in the past;  tag: part of the temporary folder's name
export async function makeWorld(options = {}) {
  const {
    model = 'safe+timelock', generation = 2, app = true, kmsContract, safeVersion = '1.4.1', safeDeployment = 'canonical', l2 = true,
    timelockVersion = '5', proposers, minDelay = 3600, open = false, executors = [], blockGas,
    service: withService = true, queue = false, apiKey, multicall = true, chainId, slots, owned = true, threshold = 2, safeOwners, age = 0, tag, seed = Math.floor(Math.random() * 2 ** 31),
  } = options
  const world = new World(tag)
  try {
    world.random = seeded(seed)
    world.model = model
    world.chain = await startChain({ chainId, slots, multicall, args: age ? ['--timestamp', String(Math.floor(Date.now() / 1000) - age)] : [] })
    const { chain } = world
    world.release = await deploySafeRelease(chain, safeVersion, safeDeployment)
    world.safe = new Safe(chain, await createSafe(chain, world.release, { l2, threshold, owners: await safeOwners?.(chain, world.release) }), safeVersion)
    world.timelock = new Timelock(chain, await deployTimelock(chain, {
      version: timelockVersion, minDelay, proposers: proposers ?? [world.safe.address], executors: [world.safe.address, ...executors], open,
    }), world.safe, proposers?.[0])
    world.registry = await world.addRegistry({ generation, app, kmsContract, owned })
    // Only now: the contracts themselves are larger than such a block.
    if (blockGas) await chain.setBlockGas(blockGas)
    world.rpc = await startRpcProxy(chain)
    if (withService) {
      world.service = await startSafeService(chain, { apiKey, releases: [world.release] })
      if (queue) world.queue = await startQueueService(world.service)
      world.owners = new Owners(world.service, world.safe)
      await world.owners.addDelegate(people.proposer.address)
    }
    return world
  } catch (e) {
    await world.close().catch(() => {})
    throw e
  }
}

let acceptanceCount = 0

class World {
  constructor(tag) {
    this.tmp = makeTempDir(tag)
    this.daemons = []
    this.endpoints = [] // beside world.rpc
    this.builds = 0
  }

  /// A registry, handed over as its generation asks: the second's new owner accepts. Model direct keeps its deployer.
  async addRegistry({ generation, app = true, kmsContract, owned = true }) {
    const registry = await deployRegistry(this.chain, { generation, app, kmsContract })
    if (!owned || this.model === 'direct') return registry
    const bySafe = this.model === 'safe'
    await transferOwnership(this.chain, registry, bySafe ? this.safe.address : this.timelock.address)
    if (generation === 2) {
      const acceptances = [registry.kms, registry.app].filter(Boolean).map((to) => ({ to, data: '0x79ba5097' }))
      if (bySafe) for (const call of acceptances) await this.safe.byHand(call)
      else await this.timelock.runByHand(acceptances, { salt: `0x${(0xacce00 + ++acceptanceCount).toString(16).padStart(64, '0')}` })
    }
    return registry
  }

  /// One more endpoint in front of the same chain.
  async addEndpoint() {
    const proxy = await startRpcProxy(this.chain)
    this.endpoints.push(proxy)
    return proxy
  }

  folder(...parts) { return join(this.tmp.path, 'releases', ...parts) }

  /// One target's section of the configuration.
  target({ registry = this.registry, proposer = people.proposer, executor, scheduler, service = this.queue ?? this.service, ...more } = {}) {
    return {
      chain: 'lab',
      kms: registry.kms,
      app: registry.app,
      model: this.model,
      ...(['safe+timelock', 'safe'].includes(this.model) && { safe: this.safe.address }),
      ...(['safe+timelock', 'timelock'].includes(this.model) && { timelock: { address: this.timelock.address } }),
      batch: { quiet: '100ms' },
      service: service
        ? { kind: service === this.queue ? 'queue' : 'tx-service', url: service.url, poll: '300ms', api_key_file: service.apiKey ? writeSecret(join(this.tmp.path, 'api-key'), service.apiKey) : undefined }
        : { kind: 'none' },
      proposer_key_file: proposer && service ? writeSecret(join(this.tmp.path, `proposer-${proposer.address}`), proposer.key) : undefined,
      executor_key_file: executor ? writeSecret(join(this.tmp.path, `executor-${executor.address}`), executor.key) : undefined,
      scheduler_key_file: scheduler ? writeSecret(join(this.tmp.path, `scheduler-${scheduler.address}`), scheduler.key) : undefined,
      ...more,
    }
  }

  /// A daemon (not started). chain, target: overrides; targets: several whole sections by name, each watching
  /// releases/<name>; settings: more top-level options; clock: true if the test sets its wall clock (daemon.clock).
  daemon({ chain = {}, target = {}, targets, watch = {}, settings = {}, name = 'd', clock = false } = {}) {
    const sections = targets ?? { payments: this.target(target) }
    for (const t of Object.keys(sections)) mkdirSync(this.folder(t), { recursive: true })
    const config = {
      chains: {
        lab: { chain_id: this.chain.chainId, rpc: [this.rpc.url], quorum: 1, confirmations: 2, poll: '200ms', multicall_code: [this.chain.multicallCode], ...chain },
      },
      targets: sections,
      watch: Object.keys(sections).map((t) => ({ path: this.folder(t), target: t, recursive: true, settle: '50ms', build_settle: '200ms', ...watch })),
      ...settings,
    }
    const secrets = [people.proposer.key, people.executor.key, people.scheduler.key, this.service?.apiKey && Buffer.from(this.service.apiKey).toString('hex')].filter(Boolean)
    const daemon = new Daemon(join(this.tmp.path, name), config, { secrets, clock })
    this.daemons.push(daemon)
    return daemon
  }

  /// A new random image dropped as a build of its own folder; returns the image.
  drop(target = 'payments', { folder = `release-${++this.builds}`, eif = makeEif(this.random), ...how } = {}) {
    dropBuild(this.folder(target, folder), eif, how)
    return eif
  }

  /// Moves the chain past the ready time of a proposal.
  async passDelay() {
    await this.chain.advance((await this.timelock.minDelay()) + 5)
  }

  async allowed(value, registry = this.registry) {
    const kms = await this.chain.read(registry.kms, 'function allowedOsImages(bytes32) view returns (bool)', value)
    const app = registry.app ? await this.chain.read(registry.app, 'function allowedComposeHashes(bytes32) view returns (bool)', value) : undefined
    return { kms, app }
  }

  /// Walks a proposal through everything people do, to its end. execute: how the target executes.
  async carry(daemon, id, options) {
    await this.owners.approve((await daemon.untilQueued(id, 'schedule')).safe_tx_hash)
    await daemon.untilState(id, 'timelock')
    await this.passDelay()
    return this.carryOn(daemon, id, options)
  }

  /// The second half of it: from the ready time on.
  async carryOn(daemon, id, { execute = 'safe' } = {}) {
    await daemon.untilState(id, ['execute', 'executed', 'confirmed'])
    if (execute === 'safe') await this.owners.approve((await daemon.untilQueued(id, 'execute')).safe_tx_hash)
    await daemon.untilState(id, ['executed', 'confirmed'])
    await this.chain.mine(3)
    return daemon.untilState(id, 'confirmed')
  }

  /// Ends everything; a daemon that misbehaved fails here.
  async close() {
    const problems = []
    const attempt = async (fn) => { try { await fn() } catch (e) { problems.push(e) } }
    for (const d of this.daemons) {
      await attempt(() => d.stop())
      await attempt(() => d.assertClean())
    }
    if (this.service?.violations.length) problems.push(new Error(`a careless client: ${this.service.violations.join('; ')}`))
    if (this.queue?.violations.length) problems.push(new Error(`a careless client: ${this.queue.violations.join('; ')}`))
    await attempt(() => this.queue?.stop())
    await attempt(() => this.service?.stop())
    for (const proxy of [this.rpc, ...this.endpoints].filter(Boolean)) {
      if (proxy.violations.length) problems.push(new Error(`a careless client: ${proxy.violations.join('; ')}`))
      await attempt(() => proxy.down())
    }
    await attempt(() => this.chain?.stop())
    if (!process.env.E2E_KEEP) this.tmp.remove()
    if (problems.length) throw problems.length === 1 ? problems[0] : new AggregateError(problems, problems.map((p) => p.message).join('\n'))
  }
}

export { MULTICALL3, people, until }
