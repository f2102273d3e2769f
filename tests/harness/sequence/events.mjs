// What may happen from outside, each with its weight. An event that is not possible now says false and is drawn again.
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { createRequire } from 'node:module'
import { makeEif } from '../eif.mjs'
import { callsFor } from '../opinion.mjs'
import { people } from '../chain.mjs'
import { testsDir, tick, until } from '../util.mjs'
import { lag, LIES } from './lies.mjs'

const guardArtifact = createRequire(import.meta.url)('@safe-global/safe-smart-account/build/artifacts/contracts/examples/guards/OnlyOwnersGuard.sol/OnlyOwnersGuard.json')
const POST = /^POST .*multisig-transactions/
const HOUR = 3600

/// Everywhere.
function anywhere(s) {
  const { world, daemon, random, way } = s
  return {
    drop: [4, async () => { s.dropped() }],
    'two dropped': [2, async () => { s.dropped(); s.dropped() }],
    'add by hand': [1, async () => {
      const v = random.pick(s.wanted())
      if (!v) return false
      await way.byHand(callsFor(world.registry, v))
    }],
    'remove by hand': [3, async () => {
      const v = random.pick(s.wanted())
      if (!v || !(await world.allowed(v)).kms) return false
      await way.byHand(callsFor(world.registry, v, 'remove'))
      s.say(v, 'absent', false)
    }],
    revoke: [2, async () => {
      const v = await s.known()
      if (!v) return false
      await s.revoke(v)
    }],
    'revoke, urgent': [1, async () => {
      const v = await s.known()
      if (!v) return false
      await s.revoke(v, '--urgent')
    }],
    'revoke, replace': [1, async () => {
      const v = await s.known()
      if (!v) return false
      const other = makeEif(random).value
      await s.revoke(v, '--replace', other)
      s.say(other, 'present')
    }],
    'wanted after all': [1, async () => {
      const all = await daemon.measurements()
      const v = random.pick([...s.values.keys()].filter((x) => s.values.get(x) === 'absent' && all.every((m) => m.value !== x || m.wanted === 'absent')))
      if (!v) return false
      for (const m of all.filter((x) => x.value === v)) await daemon.ctl(['approve', m.id])
      s.say(v, 'present')
    }],
    withdraw: [1, async () => {
      const p = random.pick((await s.live()).filter((x) => ['drafted', 'multisig', 'timelock', 'execute'].includes(x.state)))
      if (!p) return false
      await daemon.ctl(['withdraw', p.id], { ok: false }) // it may have gone on meanwhile
    }],
    approve: [2, async () => {
      const held = (await daemon.measurements()).filter((m) => m.status === 'held' && m.wanted === 'present')
      if (held.length === 0) return false
      await daemon.ctl(['approve', random.pick(held).id], { ok: false })
    }],
    hold: [1, async () => {
      const m = random.pick((await daemon.measurements()).filter((x) => ['new', 'proposed'].includes(x.status)))
      if (!m) return false
      await daemon.ctl(['hold', m.id], { ok: false })
    }],
    'half the delay': [2, async () => { await world.chain.advance(1800) }],
    'the delay': [3, async () => { await way.passDelay() }],
    mine: [2, async () => { await world.chain.mine(1 + random.below(4)) }],
    reorg: [3, async () => { await world.chain.reorg(1 + random.below(s.depth)) }],
    'the chain is away': [1, async () => {
      await world.rpc.down()
      await world.chain.mine(1 + random.below(3))
      s.dropped()
      await world.rpc.up()
    }],
    'the chain errs': [1, async () => {
      world.rpc.fault({ times: 1 + random.below(4), ...random.pick([{ status: 429, headers: { 'retry-after': '1' } }, { status: 502 }, { drop: true }, { error: { code: -32005, message: 'rate limited' } }, { mutate: () => null }]) })
      await world.chain.mine(1)
    }],
    'the chain hangs': [1, async () => {
      world.chain.pause()
      s.dropped()
      await tick(400)
      world.chain.resume()
    }],
    'kill -9': [3, async () => {
      await daemon.kill9()
      await daemon.start()
    }],
    'stopped and started': [1, async () => {
      await daemon.stop()
      await daemon.start()
    }],
    reload: [1, async () => { daemon.reload() }],
    'kill -9 at a commit': [2, async () => {
      await daemon.kill9()
      s.library ??= (() => {
        const library = join(world.tmp.path, 'die-at-sync.so')
        execFileSync('cc', ['-shared', '-fPIC', '-o', library, join(testsDir, 'harness/die-at-sync.c')])
        return library
      })()
      daemon.environment = { LD_PRELOAD: s.library, DIE_AT_SYNC: String(1 + random.below(16)) }
      s.dropped()
      await daemon.start({ wait: false })
      await Promise.race([daemon.ended, tick(1200)])
      await daemon.kill9()
      daemon.environment = {}
      await daemon.start()
    }],
    'the clock jumps': [2, async () => { daemon.clock.set((random.below(2) ? 1 : -1) * random.below(24 * HOUR)) }],
    'the clock is right': [1, async () => {
      if (daemon.clock.offset === 0) return false
      daemon.clock.set(0)
    }],
    'the contract forgets': [4, async () => {
      // What was authorized before is only found missing by `drift`: no event tells of it.
      const open = (await daemon.measurements()).filter((m) => m.status === 'proposed').map((m) => `${m.kind} ${m.value}`)
      const done = (await s.live()).filter((p) => p.state === 'executed').flatMap((p) => p.calls).filter((c) => c.action === 'add' && open.includes(`${c.kind} ${c.value}`))
      const c = random.pick(done)
      if (!c || !(await s.forget(c))) return false
    }],
  }
}

/// Where a Safe's owners sign in a service's queue.
function withQueue(s) {
  const { world, daemon, random, way } = s
  return {
    confirm: [3, async () => {
      const tx = random.pick(await world.service.pending(world.safe.address))
      const open = tx && people.owners.filter((o) => !tx.confirmations.some((c) => c.owner === o.address))
      if (!open?.length) return false
      await s.unlessTakenOff(world.owners.confirm(tx.safeTxHash, random.pick(open)))
    }],
    'approve on chain': [1, async () => {
      const tx = random.pick(await world.service.pending(world.safe.address))
      if (!tx) return false
      await world.chain.write(random.pick(people.owners).address, world.safe.address, 'function approveHash(bytes32)', tx.safeTxHash)
    }],
    'the proposer is no delegate, or again': [1, async () => {
      if (world.service.delegates.length > 0) world.service.removeDelegate(people.proposer.address)
      else await world.owners.addDelegate(people.proposer.address)
    }],
    sign: [8, async () => {
      const tx = await s.next()
      if (!tx) return false
      await s.sign(tx)
    }],
    reject: [1, async () => {
      const tx = await s.next()
      if (!tx) return false
      await s.unlessTakenOff(world.owners.reject(tx.safeTxHash))
    }],
    'burn a nonce': [1, async () => { await world.safe.burnNonce() }],
    'others use the queue': [1, async () => { await world.owners.propose({ to: people.stranger.address, data: '0x', nonce: await s.freeNonce() }) }],
    'others leave a hole': [1, async () => { await world.owners.propose({ to: people.stranger.address, data: '0x', nonce: (await s.freeNonce()) + 1n }) }],
    'queued by others': [2, async () => {
      const v = random.pick(s.wanted())
      if (!v || (await world.allowed(v)).kms) return false
      await way.queuedByOthers(callsFor(world.registry, v), await s.freeNonce())
    }],
    'the service is away': [1, async () => {
      await world.service.down()
      s.dropped()
      await world.chain.mine(1)
      await world.service.up()
    }],
    'the service lags': [1, async () => { world.service.indexing = !world.service.indexing }],
    'the service errs': [1, async () => {
      world.service.fault({ times: 1 + random.below(2), ...random.pick([
        { match: POST, status: 503, body: { exception: 'x' } }, { match: POST, drop: 'before' }, { match: POST, drop: 'after' },
        { match: /^GET/, status: 502, body: '<html>bad gateway</html>' }, { status: 429, body: { detail: 'slow down' }, headers: { 'retry-after': '1' } },
      ]) })
    }],
    'killed as it posts': [1, async () => {
      const fault = world.service.fault({ match: POST, times: 1, drop: random.pick(['before', 'after']), then: () => daemon.kill9() })
      s.dropped()
      for (let n = 0; n < 30 && fault.hits === 0; n++) await tick(50)
      fault.left = 0
      if (fault.hits > 0) await until(() => !daemon.running, { every: 5, what: 'the kill' })
      await daemon.kill9()
      await daemon.start()
    }],
    'kill -9, and life goes on': [2, async () => {
      await daemon.kill9()
      const tx = await s.next()
      if (tx) await s.sign(tx)
      await way.passDelay()
      await daemon.start()
    }],
    'the threshold changes': [1, async () => { await world.safe.admin('changeThreshold(uint256)', BigInt((await world.safe.threshold()) === 1 ? 2 : 1)) }],
    'a guard comes or goes': [1, async () => {
      s.guard = s.guard ? undefined : await world.chain.deploy(guardArtifact.bytecode)
      await world.safe.admin('setGuard(address)', s.guard ?? `0x${'00'.repeat(20)}`)
    }],
  }
}

function withTimelock(s) {
  const { world, random, way } = s
  return {
    cancel: [1, async () => {
      const p = random.pick(await way.waiting(await s.live()))
      if (!p) return false
      await way.cancel(p)
    }],
    'scheduled by others': [2, async () => {
      const v = random.pick(s.wanted())
      if (!v || (await world.allowed(v)).kms) return false
      await way.byOthers(callsFor(world.registry, v))
    }],
    'half scheduled by others': [1, async () => {
      const v = random.pick(s.wanted())
      if (!v || (await world.allowed(v)).kms) return false
      await way.byOthers([random.pick(callsFor(world.registry, v))])
    }],
    'something foreign is scheduled': [1, async () => {
      const v = random.pick(s.wanted())
      await way.byOthers([...(v ? callsFor(world.registry, v) : []), { to: people.stranger.address, data: '0xdeadbeef' }])
    }],
    'executed by others': [2, async () => {
      const { proposals } = await s.witness.look()
      const row = random.pick(proposals.filter((p) => p.state === 'execute'))
      if (!row || (await way.execute(row)) === false) return false
    }],
    'the delay is changed': [1, async () => { await way.setDelay((await world.timelock.minDelay()) === HOUR ? 2 * HOUR : HOUR) }],
  }
}

function withDelay(s) {
  const { world, random, way } = s
  return {
    'enqueued by others': [2, async () => {
      const v = random.pick(s.wanted())
      if (!v || (await world.allowed(v)).kms) return false
      await way.byOthers(callsFor(world.registry, v))
    }],
    'something foreign is enqueued': [2, async () => { await way.enqueue(way.entryOf([{ to: people.stranger.address, data: '0x1234' }])) }],
    'executed by others': [3, async () => way.executeHead()],
    skipExpired: [1, async () => {
      const head = await way.head()
      if (!head || (await world.chain.now()) <= head.until) return false
      await world.delay.skipExpired()
    }],
    'its time passes': [1, async () => {
      const head = await way.head()
      if (!head || head.until === Infinity) return false
      await world.chain.advance(Math.max(1, head.until + 5 - (await world.chain.now())))
    }],
    veto: [1, async () => {
      const [turn, end] = [await world.delay.txNonce(), await world.delay.queueNonce()]
      if (turn === end) return false
      await world.delay.veto(turn + 1 + random.below(end - turn))
    }],
    'the cooldown is changed': [1, async () => {
      await world.delay.setCooldown((await world.delay.number('txCooldown')) === HOUR ? 2 * HOUR : HOUR)
    }],
  }
}

/// A module of the Safe that acts past its owners.
function withModule(s) {
  const { world, random } = s
  const module = people.stranger.address
  return {
    'a module does it': [1, async () => {
      const v = random.pick(s.wanted())
      if (!v) return false
      if (!s.hasModule) await world.safe.admin('enableModule(address)', module)
      s.hasModule = true
      for (const call of callsFor(world.registry, v)) await world.safe.byModule(module, call)
    }],
  }
}

/// Without a queue: who has to send it sends what the files say.
function byAccount(s) {
  return {
    'sent as drafted': [8, async () => {
      const p = s.random.pick((await s.live()).filter((x) => x.state === 'drafted'))
      if (!p || (await s.way.send(s.daemon, p)) === false) return false
    }],
  }
}

/// Three endpoints, of which one at a time misbehaves, in every way that a quorum must stand.
function withQuorum(s) {
  const { random } = s
  return {
    'an endpoint lies': [3, async () => {
      s.honest()
      random.pick(s.endpoints).fault(random.pick(LIES))
    }],
    'an endpoint lags': [3, async () => {
      s.honest()
      await lag(s.world.chain, random.pick(s.endpoints))
    }],
    'all endpoints are honest': [1, async () => { s.honest() }],
  }
}

function withExecutor(s) {
  const { world } = s
  const balance = (wei) => world.chain.rpc('anvil_setBalance', people.executor.address, wei)
  return {
    'the executor has no money': [1, async () => { await balance('0x1') }],
    'the executor has money': [1, async () => { await balance('0xde0b6b3a7640000') }],
    'others use the executor key': [1, async () => {
      await balance('0xde0b6b3a7640000')
      const { transactionHash } = await world.chain.send({ from: people.executor.address, to: people.stranger.address, gas: 50_000 })
      s.witness.others.add(transactionHash)
    }],
  }
}

export function eventsOf(s) {
  const model = s.shape.model ?? 'safe+timelock'
  return Object.entries({
    ...anywhere(s),
    ...(s.way.hasQueue() ? withQueue(s) : byAccount(s)),
    ...(['safe+timelock', 'timelock'].includes(model) && withTimelock(s)),
    ...(model === 'safe' && withModule(s)),
    ...(model === 'delay' && withDelay(s)),
    ...(s.endpoints.length > 1 && withQuorum(s)),
    ...(s.shape.execute === 'direct' && withExecutor(s)),
  })
}
