// The second opinion: everything the daemon computed about a proposal, computed again with viem and protocol-kit from
// the design's words. Used by every test that sees a proposal go out.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { generateTypedData } from '@safe-global/protocol-kit'
import {
  encodeAbiParameters, encodeFunctionData, getAddress, keccak256, parseAbi, parseAbiParameters,
  recoverAddress, zeroHash,
} from 'viem'
import { timelockAbi } from './deploy.mjs'
import { txBuilderChecksum } from './txbuilder.mjs'

export const registryAbi = parseAbi([
  'function addOsImageHash(bytes32 h)', 'function removeOsImageHash(bytes32 h)', 'function addComposeHash(bytes32 h)',
  'function removeComposeHash(bytes32 h)', 'function addKmsAggregatedMr(bytes32 h)', 'function removeKmsAggregatedMr(bytes32 h)',
  'function addKmsDevice(bytes32 h)', 'function removeKmsDevice(bytes32 h)', 'function addDevice(bytes32 h)', 'function removeDevice(bytes32 h)',
])
const functionOf = {
  'os-image': ['addOsImageHash', 'removeOsImageHash'], compose: ['addComposeHash', 'removeComposeHash'],
  'kms-mr': ['addKmsAggregatedMr', 'removeKmsAggregatedMr'], 'kms-device': ['addKmsDevice', 'removeKmsDevice'],
  device: ['addDevice', 'removeDevice'],
}

/// Calls in the order of the design: removals first, then by address, then by calldata.
export function inOrder(calls) {
  const rank = (c) => `${c.action === 'remove' ? 0 : 1}${c.to.toLowerCase()}${c.data.toLowerCase()}`
  return [...calls].sort((a, b) => (rank(a) < rank(b) ? -1 : 1))
}

/// The batch of a proposal: [targets, values, payloads, predecessor, salt] and its operation id.
export function batchOf(chainId, timelock, calls, attempt) {
  const list = inOrder(calls)
  const targets = list.map((c) => getAddress(c.to)), values = list.map(() => 0n), payloads = list.map((c) => c.data)
  const salt = keccak256(encodeAbiParameters(
    parseAbiParameters('string, uint256, address, address[], uint256[], bytes[], bytes32, uint256'),
    ['registrard/1', BigInt(chainId), timelock, targets, values, payloads, zeroHash, BigInt(attempt)]))
  const batch = [targets, values, payloads, zeroHash, salt]
  const id = keccak256(encodeAbiParameters(parseAbiParameters('address[], uint256[], bytes[], bytes32, bytes32'), batch))
  return { batch, id, salt }
}

/// What calls a value of a Nitro build needs.
export function callsFor(registry, value, action = 'add') {
  const calls = [{ kind: 'os-image', to: registry.kms }]
  if (registry.app) calls.push({ kind: 'compose', to: registry.app })
  return calls.map((c) => ({ ...c, action, value, data: encodeFunctionData({ abi: registryAbi, functionName: functionOf[c.kind][action === 'add' ? 0 : 1], args: [value] }) }))
}

/// A proposal's own fields, calls and operation id.
export function checkProposal(world, p, { values, registry = world.registry, attempt = 0, action = 'add' }) {
  const want = values.flatMap((v) => callsFor(registry, v, action))
  const plain = (c) => ({ to: c.to.toLowerCase(), data: c.data, action: c.action, kind: c.kind, value: c.value })
  assert.deepEqual(inOrder(p.calls).map(plain), inOrder(want).map(plain), 'the calls of the proposal')
  assert.equal(p.origin, 'registrard')
  assert.equal(p.safe.toLowerCase(), world.safe.address.toLowerCase())
  const { id, batch } = batchOf(world.chain.chainId, world.timelock.address, want, attempt)
  assert.equal(p.operation_id, id, 'the operation id (viem)')
  return { id, batch, delay: undefined }
}

/// The operation id as the deployed timelock computes it.
export async function checkOperationOnChain(world, batch, id) {
  const onChain = await world.chain.call({ to: world.timelock.address, data: encodeFunctionData({ abi: timelockAbi, functionName: 'hashOperationBatch', args: batch }) })
  assert.equal(onChain, id, 'the operation id (contract)')
}

/// A Safe transaction as it stands in the service, against what the proposal says and what it must contain.
/// purpose: schedule | execute | cancel | reject.
export async function checkSafeTx(world, p, purpose, { batch, id, signer, delay, attempt = 1 }) {
  const row = p.safe_txs.find((t) => t.purpose === purpose && t.attempt === attempt)
  assert.ok(row, `no ${purpose} ${attempt} in ${JSON.stringify(p.safe_txs)}`)
  const record = world.service.transactions.get(row.safe_tx_hash)
  assert.ok(record, `${row.safe_tx_hash} is not in the service`)
  const { tx } = record
  const data = {
    schedule: () => encodeFunctionData({ abi: timelockAbi, functionName: 'scheduleBatch', args: [...batch, BigInt(delay)] }),
    execute: () => encodeFunctionData({ abi: timelockAbi, functionName: 'executeBatch', args: batch }),
    cancel: () => encodeFunctionData({ abi: timelockAbi, functionName: 'cancel', args: [id] }),
    reject: () => '0x',
  }[purpose]()
  assert.deepEqual(
    [tx.to, tx.data, tx.operation, tx.value, tx.safeTxGas, tx.baseGas, tx.gasPrice, BigInt(tx.gasToken), BigInt(tx.refundReceiver)],
    [purpose === 'reject' ? world.safe.address : world.timelock.address, data, 0, 0n, 0n, 0n, 0n, 0n, 0n])
  assert.equal(Number(tx.nonce), row.nonce)

  // The hash: viem, protocol-kit, the contract.
  assert.equal(await world.safe.hash(tx), row.safe_tx_hash)

  // The signature: made by the proposer, over exactly this; deterministic (RFC 6979), so equal to viem's byte for byte.
  const [post, ...more] = record.posts
  assert.deepEqual(more, [], `${purpose} was posted more than once`)
  assert.equal(post.sender, signer.address)
  assert.equal(await recoverAddress({ hash: row.safe_tx_hash, signature: post.signature }), signer.address)
  assert.equal(post.signature, await world.safe.sign(signer, tx))
  const kit = generateTypedData({
    safeAddress: world.safe.address, safeVersion: world.safe.version, chainId: BigInt(world.chain.chainId),
    data: Object.fromEntries(Object.entries(tx).map(([k, v]) => [k, typeof v === 'bigint' ? v.toString() : v])),
  })
  assert.equal(post.signature, await signer.signTypedData({ domain: { chainId: world.chain.chainId, verifyingContract: world.safe.address }, types: { SafeTx: kit.types.SafeTx }, primaryType: 'SafeTx', message: tx }))

  assert.equal(record.trusted, true)
  assert.ok(record.origin.length <= 200)
  return { row, tx, record }
}

/// The draft files of a Safe transaction: a Transaction Builder file with the right checksum, and a cast line.
export function checkDraftFiles(world, daemon, p, purpose, { to, data, attempt = 1 }) {
  const base = join(daemon.stateDir, 'drafts', `${p.id}-${purpose}-${attempt}`)
  const batch = JSON.parse(readFileSync(`${base}.json`, 'utf8'))
  assert.equal(batch.meta.checksum, txBuilderChecksum(batch), 'Transaction Builder checksum')
  assert.equal(batch.version, '1.0')
  assert.equal(batch.chainId, String(world.chain.chainId))
  assert.equal(batch.meta.createdFromSafeAddress, world.safe.address)
  assert.equal(batch.transactions.length, 1)
  const [only] = batch.transactions
  assert.deepEqual([only.to, only.value, only.data], [to, '0', data])
  const cast = readFileSync(`${base}.cast`, 'utf8')
  assert.match(cast, /^cast /m)
  assert.ok(cast.toLowerCase().includes(to.toLowerCase()), cast)
  return { batch, cast, base }
}

/// A transaction that the executor key sent: EIP-1559, to the timelock, nothing else in it.
export async function checkExecution(world, txHash, { batch, executor }) {
  const tx = await world.chain.client.getTransaction({ hash: txHash })
  assert.equal(tx.type, 'eip1559')
  assert.deepEqual([getAddress(tx.to), getAddress(tx.from), tx.value, tx.input],
    [world.timelock.address, executor.address, 0n, encodeFunctionData({ abi: timelockAbi, functionName: 'executeBatch', args: batch })])
}
