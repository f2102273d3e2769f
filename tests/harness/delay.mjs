// A world behind a Zodiac Delay module: the registry belongs to one Safe (the avatar), another Safe (world.safe, the
// one with the service) or an account enqueues, and anybody executes what is due.
import assert from 'node:assert/strict'
import { concatHex, encodeAbiParameters, encodeFunctionData, encodePacked, getAddress, keccak256, parseAbi, parseAbiParameters } from 'viem'
import { people } from './chain.mjs'
import { createSafe, transferOwnership } from './deploy.mjs'
import { callsFor, inOrder } from './opinion.mjs'
import { Safe } from './safe.mjs'
import { makeWorld } from './world.mjs'

export const delayAbi = parseAbi([
  'function execTransactionFromModule(address to, uint256 value, bytes data, uint8 operation) returns (bool)',
  'function executeNextTx(address to, uint256 value, bytes data, uint8 operation)',
  'function skipExpired()', 'function setTxNonce(uint256 nonce)', 'function setTxCooldown(uint256 cooldown)',
  'function enableModule(address module)',
])
const multiSendAbi = parseAbi(['function multiSend(bytes transactions)'])
const encode = (functionName, args = []) => encodeFunctionData({ abi: delayAbi, functionName, args })

export class DelayModule {
  constructor(chain, address, avatar, multiSend) {
    Object.assign(this, { chain, address, avatar, multiSend })
  }

  number(name, ...args) {
    return this.chain.read(this.address, `function ${name}(${args.length ? 'uint256' : ''}) view returns (uint256)`, ...args).then(Number)
  }
  txNonce() { return this.number('txNonce') }
  queueNonce() { return this.number('queueNonce') }
  hash(nonce) { return this.chain.read(this.address, 'function txHash(uint256) view returns (bytes32)', BigInt(nonce)) }

  /// [to, value, data, operation] of these calls: one by itself, several through MultiSendCallOnly.
  entryOf(calls) {
    const list = inOrder(calls)
    if (list.length === 1) return [getAddress(list[0].to), 0n, list[0].data, 0]
    const packed = concatHex(list.map((c) => encodePacked(['uint8', 'address', 'uint256', 'uint256', 'bytes'],
      [0, getAddress(c.to), 0n, BigInt((c.data.length - 2) / 2), c.data])))
    return [this.multiSend, 0n, encodeFunctionData({ abi: multiSendAbi, args: [packed] }), 1]
  }
  hashOf(entry) { return keccak256(encodePacked(['address', 'uint256', 'bytes', 'uint8'], entry)) }

  enqueueData(entry) { return encode('execTransactionFromModule', entry) }
  executeData(entry) { return encode('executeNextTx', entry) }

  async execute(entry, { from = people.stranger.address, mayRevert } = {}) {
    return this.chain.send({ from, to: this.address, data: this.executeData(entry), gas: 3_000_000, mayRevert })
  }
  async setCooldown(seconds) { return (await this.avatar.byHand({ to: this.address, data: encode('setTxCooldown', [BigInt(seconds)]) })).receipt }
  async skipExpired(from = people.stranger.address) { return this.chain.send({ from, to: this.address, data: encode('skipExpired') }) }
  /// The module's owner, which is the avatar, passes over everything below nonce.
  async veto(nonce) { return (await this.avatar.byHand({ to: this.address, data: encode('setTxNonce', [BigInt(nonce)]) })).receipt }
}

/// options: those of makeWorld, and cooldown, expiration (seconds; 0: never), contract ('Delay' | 'Delay1_0'),
/// avatarVersion (world.release's by default), enqueuer (an account's address; default: the Safe with the service).
export async function makeDelayWorld(options = {}) {
  const { cooldown = 3600, expiration = 0, contract = 'Delay', generation = 2, enqueuer, ...rest } = options
  const world = await makeWorld({ generation, owned: false, ...rest })
  try {
    const { chain } = world
    world.avatar = new Safe(chain, await createSafe(chain, world.release), world.safe.version)
    const args = encodeAbiParameters(parseAbiParameters('address, address, uint256, uint256'), [world.avatar.address, world.avatar.address, BigInt(cooldown), BigInt(expiration)])
    const address = await chain.deploy(concatHex([chain.contracts[contract].bytecode, args]))
    world.delay = new DelayModule(chain, address, world.avatar, world.release.multiSendCallOnly)
    world.cooldown = cooldown
    world.enqueuer = enqueuer ?? world.safe.address
    await world.avatar.byHand({ to: world.avatar.address, data: encode('enableModule', [address]) })
    await world.avatar.byHand({ to: address, data: encode('enableModule', [world.enqueuer]) })
    await transferOwnership(chain, world.registry, world.avatar.address)
    if (generation === 2)
      for (const to of [world.registry.kms, world.registry.app].filter(Boolean)) await world.avatar.byHand({ to, data: '0x79ba5097' })
    return world
  } catch (e) {
    await world.close().catch(() => {})
    throw e
  }
}

/// The target's section: model delay in the place of the timelock.
export function delayTarget(world, more = {}) {
  return { model: 'delay', safe: world.avatar.address, timelock: undefined, delay: { address: world.delay.address, enqueuer: world.enqueuer }, ...more }
}

/// The proposal as viem sees it: its calls, the entry they make, its hash. Returns the entry.
export function checkEntry(world, p, values, action = 'add') {
  const want = values.flatMap((v) => callsFor(world.registry, v, action))
  const plain = (c) => ({ to: c.to.toLowerCase(), data: c.data })
  assert.deepEqual(inOrder(p.calls).map(plain), inOrder(want).map(plain), 'the calls of the proposal')
  const entry = world.delay.entryOf(want)
  assert.equal(p.operation_id, world.delay.hashOf(entry), 'the hash of the entry')
  return entry
}
