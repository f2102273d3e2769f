// Encoding, hashing and signing a draft of five calls: our code in one thread against the Safe protocol kit in one.
import assert from 'node:assert/strict'
import { SafeProvider, calculateSafeTransactionHash, generateEIP712Signature } from '@safe-global/protocol-kit'
import { encodeFunctionData, getAddress, parseAbi, zeroAddress, zeroHash } from 'viem'
import { timelockAbi } from '../harness/deploy.mjs'
import { batchOf } from '../harness/opinion.mjs'
import { now, note, program, quick, report, run, times } from './lib.mjs'

const CHAIN = 31337
const at = (byte) => getAddress(`0x${byte}${'00'.repeat(19)}`)
const safe = at('11'), timelock = at('22'), kms = at('33')
const key = `0x01${'00'.repeat(31)}`
const abi = parseAbi(['function addOsImageHash(bytes32 h)'])

/// The calls of a draft as draft_rate.c makes them.
const callsOf = (nonce) => [1, 2, 3, 4, 5].map((i) => ({
  to: kms, data: encodeFunctionData({ abi, args: [`0x0${i}${'00'.repeat(23)}${BigInt(nonce).toString(16).padStart(16, '0')}`] }),
}))
const txOf = (nonce, salt) => {
  const calls = callsOf(nonce)
  const args = [calls.map((c) => c.to), calls.map(() => 0n), calls.map((c) => c.data), zeroHash, salt, 3600n]
  return {
    to: timelock, value: '0', data: encodeFunctionData({ abi: timelockAbi, functionName: 'scheduleBatch', args }), operation: 0,
    safeTxGas: '0', baseGas: '0', gasPrice: '0', gasToken: zeroAddress, refundReceiver: zeroAddress, nonce: Number(nonce),
  }
}

/// Repeats an asynchronous function for some seconds; per second.
async function perSecond(seconds, fn) {
  for (let i = 0; i < 50; i++) await fn(i) // the compiler's warm-up
  const begin = now()
  let n = 0
  while (now() - begin < seconds * 1000) await fn(n++)
  return (n * 1000) / (now() - begin)
}

export async function benchDrafts() {
  const seconds = quick ? 2 : 5
  const ours = JSON.parse(await run(program('draft_rate'), [String(seconds)]))
  const { salt } = batchOf(CHAIN, timelock, callsOf(ours.nonce).map((c) => ({ ...c, action: 'add' })), 0)
  const last = txOf(ours.nonce, salt)
  assert.equal(ours.hash, calculateSafeTransactionHash(safe, last, '1.4.1', BigInt(CHAIN)), 'the protocol kit computes another hash')

  // A provider in this process that only knows its chain id: nothing goes over a network.
  const provider = new SafeProvider({
    provider: { request: async ({ method }) => { assert.equal(method, 'eth_chainId'); return `0x${CHAIN.toString(16)}` } }, signer: key })
  const kit = await perSecond(seconds, async (n) => {
    const data = txOf(n, salt)
    calculateSafeTransactionHash(safe, data, '1.4.1', BigInt(CHAIN))
    await generateEIP712Signature(provider, { safeAddress: safe, safeVersion: '1.4.1', chainId: BigInt(CHAIN), data }, 'v4')
  })
  // The least that JavaScript can do: one hash, one signature over it.
  const signer = await provider.getExternalSigner()
  const bare = await perSecond(seconds, async (n) => signer.account.sign({ hash: calculateSafeTransactionHash(safe, txOf(n, salt), '1.4.1', BigInt(CHAIN)) }))

  const rate = (x) => `${Math.round(x)}/s`
  const ratio = ours.per_second / kit
  report('draft of 5 calls: encode, hash, sign', rate(ours.per_second), { reference: `${rate(kit)} protocol kit in-process`, ratio: times(ratio), goal: '>= 20 x', met: ratio >= 20 })
  report('  against one hash and one signature', rate(ours.per_second), { reference: `${rate(bare)} kit hash + bare viem signature`, ratio: times(ours.per_second / bare) })
  note('drafts: one thread each; ours also computes the salt and the operation id; both sides give the same Safe transaction hash.')
}
