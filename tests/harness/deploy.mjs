// Puts the real contracts on the local chain: Safe 1.3.0, 1.4.1 and 1.5.0 from their npm packages at the addresses they
// have everywhere, OpenZeppelin's TimelockController 4.9 and 5.x from theirs, the KMS and app contracts from tests/contracts.
import { createRequire } from 'node:module'
import { concatHex, encodeAbiParameters, encodeFunctionData, getAddress, getCreate2Address, parseAbi, parseAbiParameters, zeroAddress, zeroHash } from 'viem'
import { people } from './chain.mjs'

const require = createRequire(import.meta.url)

const ARACHNID_FACTORY = '0x4e59b44847b379578588920cA78FbF26c0B4956C' // anvil has it from its first block
const SAFE_FACTORY = '0x914d7Fec6aaC8cd542e72Bca78B30650d45643d7' // same code, other address

const old = (path) => `@gnosis.pm/safe-contracts/build/artifacts/contracts/${path}.json`
const recent = (path) => `@safe-global/safe-contracts/build/artifacts/contracts/${path}.json`
const newest = (path) => `@safe-global/safe-smart-account/build/artifacts/contracts/${path}.json`

const recentParts = (at) => ({
  safeSingleton: at('Safe.sol/Safe'),
  safeSingletonL2: at('SafeL2.sol/SafeL2'),
  safeProxyFactory: at('proxies/SafeProxyFactory.sol/SafeProxyFactory'),
  multiSend: at('libraries/MultiSend.sol/MultiSend'),
  multiSendCallOnly: at('libraries/MultiSendCallOnly.sol/MultiSendCallOnly'),
  fallbackHandler: at('handler/CompatibilityFallbackHandler.sol/CompatibilityFallbackHandler'),
  signMessageLib: at('libraries/SignMessageLib.sol/SignMessageLib'),
  createCall: at('libraries/CreateCall.sol/CreateCall'),
  simulateTxAccessor: at('accessors/SimulateTxAccessor.sol/SimulateTxAccessor'),
})

// name -> [factory, artifact]; names as protocol-kit's contractNetworks calls them, less "Address".
const releases = {
  '1.3.0': {
    factory: ARACHNID_FACTORY,
    parts: {
      safeSingleton: old('GnosisSafe.sol/GnosisSafe'),
      safeSingletonL2: old('GnosisSafeL2.sol/GnosisSafeL2'),
      safeProxyFactory: old('proxies/GnosisSafeProxyFactory.sol/GnosisSafeProxyFactory'),
      multiSend: old('libraries/MultiSend.sol/MultiSend'),
      multiSendCallOnly: old('libraries/MultiSendCallOnly.sol/MultiSendCallOnly'),
      fallbackHandler: old('handler/CompatibilityFallbackHandler.sol/CompatibilityFallbackHandler'),
      signMessageLib: old('examples/libraries/SignMessage.sol/SignMessageLib'),
      createCall: old('libraries/CreateCall.sol/CreateCall'),
      simulateTxAccessor: old('accessors/SimulateTxAccessor.sol/SimulateTxAccessor'),
    },
    canonical: {
      safeSingletonL2: '0x3E5c63644E683549055b9Be8653de26E0B4CD36E',
      multiSendCallOnly: '0x40A2aCCbd92BCA938b02010E17A5b8929b49130D',
    },
    // The second set, for chains that refuse the transaction which deploys the first factory.
    eip155: {
      safeSingletonL2: '0xfb1bffC9d739B8D520DaF37dF666da4C687191EA',
      multiSendCallOnly: '0xA1dabEF33b3B82c7814B6D82A79e50F4AC44102B',
    },
  },
  '1.4.1': {
    factory: SAFE_FACTORY,
    parts: recentParts(recent),
    canonical: {
      safeSingletonL2: '0x29fcB43b46531BcA003ddC8FCB67FFE91900C762',
      multiSendCallOnly: '0x9641d764fc13c8B624c04430C7356C1C7C8102e2',
    },
  },
  '1.5.0': {
    factory: SAFE_FACTORY,
    parts: recentParts(newest),
    canonical: {
      safeSingletonL2: '0xEdd160fEBBD92E350D4D398fb636302fccd67C7e',
      multiSendCallOnly: '0xA83c336B20401Af773B6219BA5027174338D1836',
    },
  },
}

export const safeVersions = Object.keys(releases)

/// Deploys one release of Safe; deployment: canonical, or for 1.3.0 eip155. Returns its addresses and what protocol-kit
/// wants to be told about them.
export async function deploySafeRelease(chain, version, deployment = 'canonical') {
  const { parts, [deployment]: known } = releases[version]
  const factory = deployment === 'eip155' ? SAFE_FACTORY : releases[version].factory
  if (!(await chain.hasCode(factory)))
    await chain.rpc('anvil_setCode', factory, await chain.rpc('eth_getCode', ARACHNID_FACTORY, 'latest'))
  const addresses = {}
  for (const [name, artifact] of Object.entries(parts)) {
    const { bytecode } = require(artifact)
    addresses[name] = getCreate2Address({ from: factory, salt: zeroHash, bytecode })
    if (!(await chain.hasCode(addresses[name])))
      await chain.send({ to: factory, data: concatHex([zeroHash, bytecode]), gas: 10_000_000 })
  }
  for (const [name, address] of Object.entries(known))
    if (addresses[name] !== address) throw new Error(`${version} ${name} landed on ${addresses[name]}, not ${address}`)
  return { version, ...addresses }
}

const safeSetup = parseAbi([
  'function setup(address[] owners, uint256 threshold, address to, bytes data, address fallbackHandler, address paymentToken, uint256 payment, address paymentReceiver)',
])
const proxyFactory = parseAbi([
  'function createProxyWithNonce(address singleton, bytes initializer, uint256 saltNonce) returns (address)',
])

let nextSalt = 1n

/// A Safe proxy; owners default to people.owners, 2 of 3, on the L2 singleton (the one that emits
/// SafeMultiSigTransaction) unless l2 is false.
export async function createSafe(chain, release, { owners = people.owners.map((o) => o.address), threshold = 2, l2 = true, saltNonce = nextSalt++ } = {}) {
  const initializer = encodeFunctionData({
    abi: safeSetup,
    args: [owners, BigInt(threshold), zeroAddress, '0x', release.fallbackHandler, zeroAddress, 0n, zeroAddress],
  })
  const data = encodeFunctionData({
    abi: proxyFactory,
    args: [l2 ? release.safeSingletonL2 : release.safeSingleton, initializer, saltNonce],
  })
  const result = await chain.call({ from: people.deployer.address, to: release.safeProxyFactory, data })
  await chain.send({ to: release.safeProxyFactory, data })
  const address = getAddress(`0x${result.slice(26)}`)
  if (!(await chain.hasCode(address))) throw new Error('no Safe proxy where the factory said')
  return address
}

/// TimelockController, version 5 or 4.9. open: the executor role is given to everybody (address 0).
export async function deployTimelock(chain, { version = '5', minDelay = 172_800, proposers, executors = [], open = false }) {
  const { bytecode } = require(`${{ 5: '@openzeppelin/contracts', 4.9: '@openzeppelin/contracts-v4' }[version]}/build/contracts/TimelockController.json`)
  const args = encodeAbiParameters(parseAbiParameters('uint256, address[], address[], address'), [
    BigInt(minDelay), proposers, open ? [zeroAddress] : executors, zeroAddress])
  return chain.deploy(concatHex([bytecode, args]))
}

const initialize = parseAbi(['function initialize(address initialOwner)'])

/// KMS and app behind ERC-1967 proxies, owned by `owner`. generation 1: one-step ownership and isAuthorized;
/// 2: two-step ownership, PolicyChanged, mappings only. kmsContract overrides the KMS implementation.
export async function deployRegistry(chain, { generation, owner = people.deployer.address, kmsContract, app = true }) {
  const behindProxy = async (name) => {
    const implementation = await chain.deploy(chain.contracts[name].bytecode)
    const init = encodeFunctionData({ abi: initialize, args: [owner] })
    const args = encodeAbiParameters(parseAbiParameters('address, bytes'), [implementation, init])
    return chain.deploy(concatHex([chain.contracts.ERC1967Proxy.bytecode, args]))
  }
  const registry = {
    generation,
    kms: await behindProxy(kmsContract ?? `Gen${generation}Kms`),
    app: app ? await behindProxy(`Gen${generation}App`) : undefined,
  }
  if (app) await chain.write(people.deployer.address, registry.kms, 'function registerApp(address)', registry.app)
  return registry
}

/// Hands both contracts over. On generation 2 the new owner still has to accept.
export async function transferOwnership(chain, registry, to, from = people.deployer.address) {
  for (const contract of [registry.kms, registry.app].filter(Boolean))
    await chain.write(from, contract, 'function transferOwnership(address)', to)
}

export const timelockAbi = parseAbi([
  'function scheduleBatch(address[] targets, uint256[] values, bytes[] payloads, bytes32 predecessor, bytes32 salt, uint256 delay)',
  'function executeBatch(address[] targets, uint256[] values, bytes[] payloads, bytes32 predecessor, bytes32 salt)',
  'function hashOperationBatch(address[] targets, uint256[] values, bytes[] payloads, bytes32 predecessor, bytes32 salt) pure returns (bytes32)',
  'function cancel(bytes32 id)',
  'function getTimestamp(bytes32 id) view returns (uint256)',
  'function getMinDelay() view returns (uint256)',
  'function updateDelay(uint256 newDelay)',
  'function hasRole(bytes32 role, address account) view returns (bool)',
  'function grantRole(bytes32 role, address account)',
  'function revokeRole(bytes32 role, address account)',
])

export const roles = {
  proposer: '0xb09aa5aeb3702cfd50b6b62bc4532604938f21248a27a1d5ca736082b6819cc1',
  executor: '0xd8aa0f3194971a2a116679f7c2090f6939c8d4e01a2a8d7e41d55e5351469e63',
  canceller: '0xfd643c72710c63c0180259aba6b2d05451e3591a24e58b62239378085726f783',
}
