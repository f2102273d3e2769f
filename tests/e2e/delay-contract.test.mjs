// tests/contracts/Delay.sol stands in for the published Zodiac Delay module. Here it is sent every call that was
// recorded of the published 1.1.0 and 1.0.1, from the same Safes at the same addresses and nonces with the same
// signatures, and must answer with the same events, results and errors, byte by byte.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { encodeAbiParameters, encodeFunctionData, keccak256, parseAbi, parseAbiParameters, toHex } from 'viem'
import { people, startChain } from '../harness/chain.mjs'
import { createSafe, deploySafeRelease } from '../harness/deploy.mjs'
import { testsDir } from '../harness/util.mjs'

const { trace } = JSON.parse(readFileSync(join(testsDir, 'fixtures', 'governance', 'lab_delay.json'), 'utf8'))
const word = (n) => toHex(BigInt(n), { size: 32 })
const NONCE_SLOT = '0x5', IMPLEMENTATION_SLOT = '0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc'
const TOPIC = Object.fromEntries(['AvatarSet(address,address)', 'Initialized(uint64)', 'DelaySetup(address,address,address,address)']
  .map((s) => [s, keccak256(toHex(s))]))

// The trace holds one run of each version, one after the other on the same Safes.
const start = trace.map((s, i) => [s, i]).filter(([s]) => s.step === 'deploy kms owner=Safe').map(([, i]) => i)
const runs = [
  { version: '1.1.0', contract: 'Delay', steps: trace.slice(start[0], start[1]) },
  { version: '1.0.1', contract: 'Delay1_0', steps: trace.slice(start[1]) },
]
const avatar = trace.find((s) => s.step === '1.1.0 Safe.enableModule(delay)').to
const enqueuer = trace.find((s) => s.step === '1.1.0 W->delay.execTransactionFromModule').to
// What a step waits for; the trace has the calls only.
const wait = { 'executeNextTx wrong op': 3601, 'executeNextTx multisend op=1': 3601, 'executeNextTx expired': 3600 + 601, 'executeNextTx inner fails': 3601 }

describe('the stand-in for the Delay module', () => {
  let chain

  /// A Safe of the given release where the trace has it, with its owners, at the nonce of its first transaction.
  async function placeSafe(version, address) {
    const release = await deploySafeRelease(chain, version)
    const made = await createSafe(chain, release, { saltNonce: 1n })
    if (made !== address) {
      await chain.rpc('anvil_setCode', address, await chain.rpc('eth_getCode', made, 'latest'))
      await chain.rpc('anvil_setStorageAt', address, '0x0', `0x${release.safeSingletonL2.slice(2).toLowerCase().padStart(64, '0')}`)
      const owners = people.owners.map((o) => o.address)
      await chain.write(undefined, address, 'function setup(address[],uint256,address,bytes,address,address,uint256,address)',
        owners, 2n, `0x${'00'.repeat(20)}`, '0x', release.fallbackHandler, `0x${'00'.repeat(20)}`, 0n, `0x${'00'.repeat(20)}`)
    }
    const first = trace.find((s, i) => s.safeTxHash && trace[i + 1].to === address)
    await chain.rpc('anvil_setStorageAt', address, NONCE_SLOT, word(first.nonce))
  }

  async function placeRegistry(address) {
    const implementation = await chain.deploy(chain.contracts.Gen2Kms.bytecode)
    await chain.rpc('anvil_setCode', address, chain.contracts.ERC1967Proxy.deployedBytecode)
    await chain.rpc('anvil_setStorageAt', address, IMPLEMENTATION_SLOT, `0x${implementation.slice(2).toLowerCase().padStart(64, '0')}`)
    await chain.write(undefined, address, 'function initialize(address)', avatar)
  }

  const shape = (events) => events.map(({ address, topics, data }) => ({ address: address.toLowerCase(), topics, data }))

  /// The module at the recorded address, set up as recorded.
  async function placeModule(step, contract) {
    await chain.rpc('anvil_setCode', step.address, chain.contracts[contract].deployedBytecode)
    const parameters = encodeAbiParameters(parseAbiParameters('address, address, address, uint256, uint256'), [avatar, avatar, avatar, 3600n, 600n])
    const receipt = await chain.write(undefined, step.address, 'function setUp(bytes)', parameters)
    const ours = shape(receipt.logs)
    if (contract === 'Delay') // 1.0.1's older base has other events of its own
      assert.deepEqual(ours, shape(step.events).filter((e) => e.topics[0] !== TOPIC['Initialized(uint64)']))
    else
      assert.deepEqual(ours.find((e) => e.topics[0] === TOPIC['DelaySetup(address,address,address,address)']), shape(step.events).at(-1))
  }

  /// Calls whose answer is an error: the same error data.
  async function mustFail(step) {
    const failed = await chain.call({ from: step.from, to: step.to, data: step.calldata }).then(() => null, (e) => e)
    assert.ok(failed, `${step.step}: it must fail`)
    assert.equal(failed.data, step.error.data, step.step)
  }

  before(async () => {
    chain = await startChain({ args: ['--timestamp', '1750000000'] })
    await placeSafe('1.4.1', avatar)
    await placeSafe('1.3.0', enqueuer)
  })
  after(() => chain?.stop())

  for (const { version, contract, steps } of runs)
    test(`every recorded call of ${version} has the recorded outcome`, async () => {
      const seen = { events: 0, results: 0, errors: 0 }
      for (const [i, step] of steps.entries()) {
        const name = step.step.replace(`${version} `, '')
        if (wait[name]) await chain.advance(wait[name])
        if (name === 'deploy kms owner=Safe') await placeRegistry(step.address)
        else if (name === `deploy Delay ${version}`) await placeModule(step, contract)
        else if (step.status) {
          // The block's time is part of what is read back later.
          const created = name === 'W->delay.execTransactionFromModule' && steps.slice(i).find((s) => s.step.endsWith('txCreatedAt(0)'))
          if (created) await chain.rpc('evm_setNextBlockTimestamp', Number(BigInt(created.result)))
          const receipt = await chain.send({ from: people.relayer.address, to: step.to, data: step.calldata })
          assert.equal(step.status, '0x1')
          assert.deepEqual(shape(receipt.logs), shape(step.events), step.step)
          seen.events += step.events.length
        } else if (step.error) {
          await mustFail(step)
          seen.errors++
        } else if (step.result) {
          assert.equal(await chain.call({ to: step.to, data: step.calldata }), step.result, step.step)
          seen.results++
        }
      }
      assert.deepEqual(seen, version === '1.1.0' ? { events: 38, results: 11, errors: 7 } : { events: 37, results: 11, errors: 7 })
    })

  // Not recorded, but promised by the module's documentation and used by the tests of the daemon.
  test('an entry may run from its ready time to its last second; a longer cooldown revives what expired', async () => {
    const [owner, module] = [people.deployer.address, people.stranger.address]
    const target = await chain.deploy(chain.contracts.Gen2Kms.bytecode)
    const args = encodeAbiParameters(parseAbiParameters('address, address, uint256, uint256'), [owner, avatar, 1000n, 100n])
    const delay = await chain.deploy(chain.contracts.Delay.bytecode + args.slice(2))
    await chain.write(owner, delay, 'function enableModule(address)', module)
    const enqueue = encodeFunctionData({ abi: parseAbi(['function execTransactionFromModule(address,uint256,bytes,uint8) returns (bool)']), args: [target, 0n, '0x', 0] })
    const run = encodeFunctionData({ abi: parseAbi(['function executeNextTx(address,uint256,bytes,uint8)']), args: [target, 0n, '0x', 0] })
    const { blockNumber } = await chain.send({ from: module, to: delay, data: enqueue })
    const at = Number((await chain.client.getBlock({ blockNumber })).timestamp)
    const why = async (time) => {
      await chain.rpc('evm_setNextBlockTimestamp', time)
      await chain.mine(1)
      return chain.call({ to: delay, data: run }).then(() => 'ran', (e) => e.message)
    }
    assert.match(await why(at + 999), /cooldown/)
    // The avatar has not enabled this module: what fails now is the Safe, after the module let it through.
    assert.match(await why(at + 1000), /GS104/)
    assert.match(await why(at + 1100), /GS104/)
    assert.match(await why(at + 1101), /expired/)
    await chain.write(owner, delay, 'function setTxCooldown(uint256)', 1500n)
    assert.match(await why(at + 1499), /cooldown/)
    assert.match(await why(at + 1600), /GS104/)
  })
})
