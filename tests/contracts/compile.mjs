// Compiles the Solidity of this folder with solc-js into build/contracts/, once per content.
//
//   node contracts/compile.mjs        prints the path of the result
//
// The name of the result holds a hash of everything that goes in (sources, compiler version,
// settings), so a changed source can never be served from the cache.
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync, existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const root = join(here, '..', '..')
const require = createRequire(import.meta.url)

const settings = {
  optimizer: { enabled: true, runs: 200 },
  evmVersion: 'cancun', // zodiac-core's Modifier has transient storage
  outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object', 'evm.deployedBytecode.object'] } },
}

export function compileContracts() {
  const sources = {}
  for (const name of readdirSync(here).filter((f) => f.endsWith('.sol')).sort())
    sources[name] = { content: readFileSync(join(here, name), 'utf8') }
  // OpenZeppelin's proxy is compiled along: one artifact less to look for.
  const proxy = '@openzeppelin/contracts/proxy/ERC1967/ERC1967Proxy.sol'
  sources[proxy] = { content: readFileSync(require.resolve(proxy), 'utf8') }

  const versions = ['solc', '@openzeppelin/contracts', '@gnosis-guild/zodiac-core'].map((p) => require(`${p}/package.json`).version)
  const key = createHash('sha256').update(JSON.stringify([versions, settings, sources])).digest('hex').slice(0, 16)
  const out = join(root, 'build', 'contracts', `${key}.json`)
  if (existsSync(out)) return { path: out, contracts: JSON.parse(readFileSync(out, 'utf8')) }

  const solc = require('solc') // loaded here only: it takes half a second
  const input = { language: 'Solidity', sources, settings }
  const find = (path) => {
    try { return { contents: readFileSync(require.resolve(path), 'utf8') } } catch { return { error: `not found: ${path}` } }
  }
  const result = JSON.parse(solc.compile(JSON.stringify(input), { import: find }))
  const bad = (result.errors ?? []).filter((e) => e.severity === 'error')
  if (bad.length) throw new Error(bad.map((e) => e.formattedMessage).join('\n'))

  const contracts = {}
  for (const [file, units] of Object.entries(result.contracts))
    for (const [name, c] of Object.entries(units))
      if (file in sources && c.evm.bytecode.object)
        contracts[name] = {
          abi: c.abi,
          bytecode: `0x${c.evm.bytecode.object}`,
          deployedBytecode: `0x${c.evm.deployedBytecode.object}`,
        }
  mkdirSync(dirname(out), { recursive: true })
  const tmp = `${out}.${process.pid}` // several test files may compile at once: last rename wins, same content
  writeFileSync(tmp, JSON.stringify(contracts))
  renameSync(tmp, out)
  return { path: out, contracts }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(compileContracts().path)
