// A Safe as its owners see it: hashes, signatures, execution. viem and protocol-kit compute everything here, so
// that what the daemon says is never checked against itself.
import assert from 'node:assert/strict'
import { calculateSafeTransactionHash } from '@safe-global/protocol-kit'
import { concatHex, encodeFunctionData, getAddress, hashTypedData, parseAbi, recoverAddress, zeroAddress } from 'viem'
import { people } from './chain.mjs'
import { timelockAbi } from './deploy.mjs'

export const safeAbi = parseAbi([
  'function execTransaction(address to, uint256 value, bytes data, uint8 operation, uint256 safeTxGas, uint256 baseGas, uint256 gasPrice, address gasToken, address refundReceiver, bytes signatures) payable returns (bool)',
  'function getTransactionHash(address to, uint256 value, bytes data, uint8 operation, uint256 safeTxGas, uint256 baseGas, uint256 gasPrice, address gasToken, address refundReceiver, uint256 nonce) view returns (bytes32)',
  'function nonce() view returns (uint256)',
  'function getOwners() view returns (address[])',
  'function getThreshold() view returns (uint256)',
  'function addOwnerWithThreshold(address owner, uint256 threshold)',
  'function changeThreshold(uint256 threshold)',
])

export const safeTxTypes = {
  SafeTx: [
    { name: 'to', type: 'address' }, { name: 'value', type: 'uint256' }, { name: 'data', type: 'bytes' },
    { name: 'operation', type: 'uint8' }, { name: 'safeTxGas', type: 'uint256' }, { name: 'baseGas', type: 'uint256' },
    { name: 'gasPrice', type: 'uint256' }, { name: 'gasToken', type: 'address' },
    { name: 'refundReceiver', type: 'address' }, { name: 'nonce', type: 'uint256' },
  ],
}

/// Completes a transaction: everything not given is the ordinary zero.
export function safeTx({ to, value = 0n, data = '0x', operation = 0, safeTxGas = 0n, baseGas = 0n, gasPrice = 0n, gasToken = zeroAddress, refundReceiver = zeroAddress, nonce }) {
  return {
    to: getAddress(to), value: BigInt(value), data: data ?? '0x', operation: Number(operation), safeTxGas: BigInt(safeTxGas),
    baseGas: BigInt(baseGas), gasPrice: BigInt(gasPrice), gasToken: gasToken ?? zeroAddress,
    refundReceiver: refundReceiver ?? zeroAddress, nonce: BigInt(nonce),
  }
}

const inOrder = (tx) => [tx.to, tx.value, tx.data, tx.operation, tx.safeTxGas, tx.baseGas, tx.gasPrice, tx.gasToken, tx.refundReceiver]

export class Safe {
  constructor(chain, address, version) {
    this.chain = chain
    this.address = address
    this.version = version
    this.relayer = people.relayer.address // who executes, unless a call says otherwise
  }

  get domain() { return { chainId: this.chain.chainId, verifyingContract: this.address } }

  async nonce() { return this.chain.read(this.address, 'function nonce() view returns (uint256)') }
  async owners() { return this.chain.read(this.address, 'function getOwners() view returns (address[])') }
  async threshold() { return Number(await this.chain.read(this.address, 'function getThreshold() view returns (uint256)')) }

  /// The hash of a transaction, in three independent ways: viem's EIP-712, protocol-kit, and the contract's own.
  async hash(tx) {
    const byViem = hashTypedData({ domain: this.domain, types: safeTxTypes, primaryType: 'SafeTx', message: tx })
    const byKit = calculateSafeTransactionHash(
      this.address,
      { ...Object.fromEntries(Object.entries(tx).map(([k, v]) => [k, typeof v === 'bigint' ? v.toString() : v])), nonce: Number(tx.nonce) },
      this.version, BigInt(this.chain.chainId))
    const byChain = await this.chain.call({
      to: this.address,
      data: encodeFunctionData({ abi: safeAbi, functionName: 'getTransactionHash', args: [...inOrder(tx), tx.nonce] }),
    })
    assert.equal(byKit, byViem, 'protocol-kit and viem disagree')
    assert.equal(byChain, byViem, 'the contract and viem disagree')
    return byViem
  }

  async sign(owner, tx) {
    return owner.signTypedData({ domain: this.domain, types: safeTxTypes, primaryType: 'SafeTx', message: tx })
  }

  /// Executes with the given signatures (hex, any order), as any relayer may.
  async execute(tx, signatures, { mayRevert = false, from = this.relayer } = {}) {
    const hash = await this.hash(tx)
    const owners = await Promise.all(signatures.map((signature) => recoverAddress({ hash, signature })))
    const sorted = signatures.map((s, i) => [BigInt(owners[i]), s]).sort(([a], [b]) => (a < b ? -1 : 1)).map(([, s]) => s)
    const data = encodeFunctionData({ abi: safeAbi, functionName: 'execTransaction', args: [...inOrder(tx), concatHex(sorted)] })
    return this.chain.send({ from, to: this.address, data, gas: 8_000_000, mayRevert })
  }

  /// Signs with two owners and executes at once, past every queue: what people do "by hand".
  async byHand(call, { signers = people.owners.slice(0, 2), ...options } = {}) {
    const tx = safeTx({ nonce: await this.nonce(), ...call })
    const signatures = await Promise.all(signers.map((o) => this.sign(o, tx)))
    const receipt = await this.execute(tx, signatures, options)
    return { receipt, tx, hash: await this.hash(tx) }
  }

  /// An administration of the Safe itself, e.g. admin('setGuard(address)', guard), by its owners.
  async admin(signature, ...args) { return this.byHand({ to: this.address, data: this.#own(signature, args) }) }

  /// What an enabled module makes the Safe do: past its owners, and without a nonce.
  async byModule(module, { to, data }) {
    return this.chain.write(module, this.address, 'function execTransactionFromModule(address,uint256,bytes,uint8) returns (bool)', to, 0n, data, 0)
  }
  async adminByModule(module, signature, ...args) { return this.byModule(module, { to: this.address, data: this.#own(signature, args) }) }

  #own(signature, args) { return encodeFunctionData({ abi: parseAbi([`function ${signature}`]), args }) }

  /// An empty transaction to itself: burns the nonce, which is how a proposal is rejected.
  async burnNonce(nonce) { return this.byHand({ to: this.address, nonce: nonce ?? (await this.nonce()) }) }
}

/// A TimelockController and the Safe that proposes to it.
export class Timelock {
  /// proposer: the account that schedules by hand, where it is not the Safe.
  constructor(chain, address, safe, proposer) {
    this.chain = chain
    this.address = address
    this.safe = safe
    this.proposer = proposer
  }

  async minDelay() { return Number(await this.chain.read(this.address, 'function getMinDelay() view returns (uint256)')) }
  /// 0 unset, 1 done, else the time from which it may run.
  async timestamp(id) { return Number(await this.chain.read(this.address, 'function getTimestamp(bytes32) view returns (uint256)', id)) }

  encode(functionName, args) { return encodeFunctionData({ abi: timelockAbi, functionName, args }) }

  /// Schedules [{to, data}] through the Safe by hand. Returns what is needed to execute it.
  async scheduleByHand(calls, { salt = `0x${'00'.repeat(31)}01`, delay } = {}) {
    const zero = `0x${'00'.repeat(32)}`
    const batch = [calls.map((c) => c.to), calls.map(() => 0n), calls.map((c) => c.data), zero, salt]
    const data = this.encode('scheduleBatch', [...batch, BigInt(delay ?? (await this.minDelay()))])
    const receipt = this.proposer
      ? await this.chain.send({ from: this.proposer, to: this.address, data })
      : (await this.safe.byHand({ to: this.address, data })).receipt
    const id = await this.chain.call({ to: this.address, data: this.encode('hashOperationBatch', batch) })
    return { id, batch, receipt }
  }

  /// The executeBatch of a scheduled operation, through the Safe or from any address if the executor is open.
  async executeByHand({ batch }, { from } = {}) {
    const data = this.encode('executeBatch', batch)
    if (from) return this.chain.send({ from, to: this.address, data })
    return (await this.safe.byHand({ to: this.address, data })).receipt
  }

  async runByHand(calls, options) {
    const operation = await this.scheduleByHand(calls, options)
    await this.chain.advance((await this.minDelay()) + 1)
    await this.executeByHand(operation, options)
    return operation
  }

  /// Through the Safe: the proposer of a TimelockController is a canceller too.
  async cancel(id) { return this.safe.byHand({ to: this.address, data: this.encode('cancel', [id]) }) }
}
