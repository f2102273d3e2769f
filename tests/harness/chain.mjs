// A local EVM (anvil) on a free loopback port, with the few verbs a test needs.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { createPublicClient, decodeErrorResult, decodeFunctionResult, encodeFunctionData, getAddress, http, keccak256, parseAbi } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { compileContracts } from '../contracts/compile.mjs'
import { onExit, testsDir, tied, until } from './util.mjs'

const require = createRequire(import.meta.url)

// The ten public test keys of anvil ("test test ... junk"). Never for real use.
const keys = [
  '0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80',
  '0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d',
  '0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a',
  '0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6',
  '0x47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a',
  '0x8b3a350cf5c34c9194ca85829a2df0ec3153be0318b5e2d3348e872092edffba',
  '0x92db14e403b83dfe3df233f83dfa3a0d7096f21ca9b0d6d6b8d88b2b4ec1564e',
  '0x4bbbf85ce3377467afe5d46f804f221813b2bb87f24d81f60f1fcdbf7cbf4356',
  '0xdbda1821b80551c9d65939329250298aa3472ba22feea921c0cf5d620ea67b97',
  '0x2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6',
]
const account = (i) => Object.assign(privateKeyToAccount(keys[i]), { key: keys[i] })

/// Who is who in every test.
export const people = {
  deployer: account(0),
  owners: [account(1), account(2), account(3)],
  relayer: account(4),
  proposer: account(5), // a delegate, no owner
  executor: account(6),
  outsider: account(7),
  stranger: account(8),
  spare: account(9),
  // Beside the unlocked ones: it exists in nobody's hands but a daemon's. Tests give it money.
  scheduler: Object.assign(privateKeyToAccount(`0x${'5c'.repeat(32)}`), { key: `0x${'5c'.repeat(32)}` }),
}

export const MULTICALL3 = '0xcA11bde05977b3631167028862bE2a173976CA11'

const knownErrors = parseAbi([
  'error Error(string)', 'error Panic(uint256)',
  'error TimelockUnexpectedOperationState(bytes32 operationId, bytes32 expectedStates)',
  'error TimelockInsufficientDelay(uint256 delay, uint256 minDelay)',
  'error AccessControlUnauthorizedAccount(address account, bytes32 neededRole)',
  'error OwnableUnauthorizedAccount(address account)', 'error FailedCall()',
])

export function explainRevert(data) {
  if (!data || data === '0x') return 'empty revert'
  try {
    const { errorName, args = [] } = decodeErrorResult({ abi: knownErrors, data })
    return `${errorName}(${args.join(', ')})`
  } catch { return data }
}

function anvilPath() {
  if (process.env.ANVIL) return process.env.ANVIL
  try {
    const path = join(require.resolve('@foundry-rs/anvil-linux-amd64/package.json'), '..', 'bin', 'anvil')
    if (existsSync(path)) return path
  } catch {}
  throw new Error('no anvil: run "npm ci" in tests/, or set ANVIL=/path/to/anvil')
}

/// options: chainId; slots (finalized = latest - 2*slots); multicall (false: the chain has no Multicall3);
/// args (more anvil options).
export async function startChain({ chainId = 31337, slots = 32, multicall = true, args = [] } = {}) {
  const [command, list] = tied(anvilPath(), [
    '--port', '0', '--host', '127.0.0.1', '--chain-id', String(chainId), '--slots-in-an-epoch', String(slots),
    '--threads', '1', ...args])
  const { contracts } = compileContracts() // before there is a process that a failure would leave behind
  const child = spawn(command, list, { stdio: ['ignore', 'pipe', 'pipe'] })
  const forget = onExit(() => child.kill('SIGKILL'))
  const url = await new Promise((resolve, reject) => {
    let text = ''
    const eat = (chunk) => {
      text = (text + chunk).slice(-4000)
      const m = /Listening on (127\.0\.0\.1:\d+)/.exec(text)
      if (m) resolve(`http://${m[1]}`)
    }
    child.stdout.on('data', eat)
    child.stderr.on('data', eat)
    child.once('error', reject)
    child.once('exit', (code, signal) => reject(new Error(`anvil ended (${code ?? signal}): ${text}`)))
  })
  // Go on reading, or anvil blocks on a full pipe.
  child.stdout.removeAllListeners('data').resume()
  child.stderr.removeAllListeners('data').resume()
  const chain = new Chain(url, chainId, child, forget, contracts)
  if (multicall) await chain.setMulticall(true)
  return chain
}

/// A second node of the same chain that knows its blocks up to this one, and from there on goes its own way.
export async function forkChain(chain, block) {
  return startChain({ chainId: chain.chainId, multicall: false, args: ['--fork-url', chain.url, '--fork-block-number', String(block), '--no-storage-caching'] })
}

class Chain {
  #child
  #forget
  #id = 0

  constructor(url, chainId, child, forget, contracts) {
    this.url = url
    this.chainId = chainId
    this.#child = child
    this.#forget = forget
    this.client = createPublicClient({ transport: http(url), cacheTime: 0, pollingInterval: 20 })
    this.contracts = contracts
  }

  async stop() {
    this.#forget()
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const gone = new Promise((resolve) => this.#child.once('exit', resolve))
    this.#child.kill('SIGKILL')
    await gone
  }

  /// Freezes and thaws the node: connections hang instead of being refused.
  pause() { this.#child.kill('SIGSTOP') }
  resume() { this.#child.kill('SIGCONT') }

  async rpc(method, ...params) {
    const response = await fetch(this.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: ++this.#id, method, params }),
    })
    const { result, error } = await response.json()
    if (error) {
      const data = typeof error.data === 'string' ? error.data : undefined
      throw Object.assign(new Error(`${method}: ${data ? explainRevert(data) : error.message}`), { rpc: error, data })
    }
    return result
  }

  /// A transaction from one of the unlocked accounts; mined at once. Throws when it reverts unless mayRevert.
  async send({ from = people.deployer.address, to, data, value, gas, mayRevert = false }) {
    const tx = { from, to, data, value: value === undefined ? undefined : hex(value), gas: hex(Math.min(gas ?? 5_000_000, this.blockGas ?? Infinity)) }
    const hash = await this.rpc('eth_sendTransaction', tx)
    // Asked for until it is there, and not once a block: the node may tell of the block before it has the
    // receipt, and on a chain that stands still there is no next block.
    const receipt = await until(() => this.client.getTransactionReceipt({ hash }), {
      every: 5, what: async () => `the receipt of ${hash}, which the node has as ${JSON.stringify(await this.rpc('eth_getTransactionByHash', hash))}`,
    })
    if (receipt.status !== 'success' && !mayRevert) {
      const why = await this.rpc('eth_call', tx, 'latest').then(() => 'no reason found', (e) => e.message)
      throw new Error(`transaction ${hash} reverted: ${why}`)
    }
    return receipt
  }

  async deploy(bytecode, from) {
    const receipt = await this.send({ from, data: bytecode, gas: 10_000_000 })
    return getAddress(receipt.contractAddress)
  }

  async call({ from, to, data, block = 'latest' }) {
    return this.rpc('eth_call', { from, to, data }, typeof block === 'bigint' ? hex(block) : block)
  }

  /// read(address, 'function owner() view returns (address)', args...) by human-readable signature.
  async read(to, signature, ...args) {
    const abi = parseAbi([signature])
    const data = await this.call({ to, data: encodeFunctionData({ abi, args }) })
    return decodeFunctionResult({ abi, args, data })
  }

  async write(from, to, signature, ...args) {
    return this.send({ from, to, data: encodeFunctionData({ abi: parseAbi([signature]), args }) })
  }

  // A plain return value says nothing about a missing contract; this does.
  async hasCode(address) { return (await this.rpc('eth_getCode', address, 'latest')) !== '0x' }

  async blockNumber() { return BigInt(await this.rpc('eth_blockNumber')) }

  async now() {
    const block = await this.rpc('eth_getBlockByNumber', 'latest', false)
    return Number(BigInt(block.timestamp))
  }

  async mine(blocks = 1) { await this.rpc('anvil_mine', hex(blocks)) }

  /// Moves the chain's clock and mines one block there.
  async advance(seconds) {
    await this.rpc('evm_increaseTime', hex(seconds))
    await this.mine(1)
  }

  /// Drops the last n blocks and mines n+1 empty ones: a reorganisation.
  async reorg(depth) { await this.rpc('anvil_reorg', depth, []) }

  /// The hash of its code: it is a stand-in, which the daemon must be told to trust.
  get multicallCode() { return keccak256(this.contracts.Multicall3.deployedBytecode) }

  async setMulticall(on) {
    await this.rpc('anvil_setCode', MULTICALL3, on ? this.contracts.Multicall3.deployedBytecode : '0x')
  }

  /// The gas limit of every block from here on; contracts are better deployed before.
  async setBlockGas(limit) {
    await this.rpc('evm_setBlockGasLimit', hex(limit))
    await this.mine(1)
    this.blockGas = limit
  }

  async snapshot() { return this.rpc('evm_snapshot') }
  async revert(id) { return this.rpc('evm_revert', id) }
}

export const hex = (n) => `0x${BigInt(n).toString(16)}`
