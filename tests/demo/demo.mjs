// What `make demo` shows: one build carried from a folder to "confirmed" on a real (local) chain, a second one refused
// by the signers. Everything below "$" is a command as a person types it, and its real output.
import { relative } from 'node:path'
import { makeEif } from '../harness/eif.mjs'
import { makeWorld, people, until } from '../harness/world.mjs'

const bold = (s) => (process.stdout.isTTY ? `\x1b[1m${s}\x1b[0m` : s)
const say = (s = '') => console.log(s)
const title = (s) => say(`\n${bold(`== ${s}`)}`)
const names = new Map(people.owners.map((o, i) => [o.address, `owner ${i + 1}`]))

const world = await makeWorld({ generation: 2, safeVersion: '1.4.1', minDelay: 48 * 3600, seed: 20_260_101 })
const { chain, safe, timelock, owners } = world
const daemon = world.daemon({ name: 'registrard', target: { batch: { quiet: '300ms' } } })
let start

/// Shows a command and what it really prints.
async function shell(args, { lines = 99, ok = true } = {}) {
  say(`$ registrarctl ${args.join(' ')}`)
  const { stdout, stderr, code } = await daemon.ctl(args, { ok, timeout: 60_000 })
  const all = (stdout + stderr).replaceAll(world.tmp.path + '/', '').trimEnd().split('\n')
  for (const l of all.slice(0, lines)) say(`  ${l}`)
  if (all.length > lines) say(`  ... (${all.length - lines} more lines)`)
  return code
}

/// Prints the states of a proposal as they come, with the time on the chain since the build was dropped.
const shown = new Map()
async function reach(id, state) {
  await daemon.untilState(id, state)
  for (const h of (await daemon.proposal(id)).history.slice(shown.get(id) ?? 0)) {
    say(`  ${await elapsed()}  ${bold(h.to.padEnd(9))}  ${h.reason}`)
    shown.set(id, (shown.get(id) ?? 0) + 1)
  }
}
async function elapsed() {
  const s = (await chain.now()) - start
  return `+${String(Math.floor(s / 3600)).padStart(2)} h ${String(Math.floor(s / 60) % 60).padStart(2, '0')} min`
}

async function sign(hash, owner) {
  await owners.confirm(hash, owner)
  say(`  ${await elapsed()}  ${names.get(owner.address)} recomputes the hash, signs and confirms ${hash.slice(0, 10)}…`)
}

async function drop(version) {
  const folder = `release-${version}`
  const eif = makeEif(world.random, { name: 'payments', size: 200_000 })
  say(`$ cp enclave.eif measurements.json releases/payments/${folder}/`)
  world.drop('payments', { eif, folder })
  start = await chain.now()
  const p = await daemon.untilProposal(eif.value)
  await daemon.untilQueued(p.id, 'schedule')
  return { eif, id: p.id }
}

try {
  title('A local chain with the real contracts')
  say(`  anvil              chain ${chain.chainId}`)
  say(`  Safe 1.4.1         ${safe.address}  2 of 3 owners, a stand-in of the Safe service beside it`)
  say(`  Timelock           ${timelock.address}  OpenZeppelin 5, 48 h; proposer and executor: the Safe`)
  say(`  DstackKms          ${world.registry.kms}  owned by the timelock (accepted through it)`)
  say(`  DstackApp          ${world.registry.app}  likewise`)

  title('registrard: a delegate key that can propose, no owner key')
  say(`$ registrard --config ${relative(world.tmp.path, daemon.configFile)}`)
  await daemon.start()
  await shell(['doctor'], { lines: 14 })

  title('A release pipeline drops a Nitro build')
  const first = await drop('1.0.0')
  await shell(['measurements', first.eif.value], { lines: 8 })
  await reach(first.id, 'multisig')
  const schedule = await daemon.untilQueued(first.id, 'schedule')
  await sign(schedule.safe_tx_hash, people.owners[0])
  await sign(schedule.safe_tx_hash, people.owners[2])
  await until(async () => (await daemon.proposal(first.id)).confirmations === 2)
  await owners.execute(schedule.safe_tx_hash)
  say(`  ${await elapsed()}  2 of 2: anybody may execute it now, somebody does`)
  await reach(first.id, 'timelock')
  await world.passDelay()
  say(`  ${await elapsed()}  (the chain's clock was moved)`)
  const run = await daemon.untilQueued(first.id, 'execute')
  await reach(first.id, 'execute')
  await sign(run.safe_tx_hash, people.owners[0])
  await sign(run.safe_tx_hash, people.owners[1])
  await owners.execute(run.safe_tx_hash)
  await reach(first.id, 'executed')
  await chain.mine(3)
  await reach(first.id, 'confirmed')

  title('The pipeline gates its deploy on one command')
  const code = await shell(['wait', first.eif.value, '--timeout', '72h'], { ok: false })
  say(`$ echo $?\n  ${code}`)
  if (code !== 0) throw new Error('wait did not exit 0')

  title('A second build, which the signers do not want')
  const second = await drop('1.0.1')
  await reach(second.id, 'multisig')
  const unwanted = await daemon.untilQueued(second.id, 'schedule')
  await owners.reject(unwanted.safe_tx_hash)
  say(`  ${await elapsed()}  two owners sign and execute an empty transaction with the same nonce (${unwanted.nonce})`)
  await chain.mine(3)
  await reach(second.id, 'rejected')
  const refused = await shell(['wait', second.eif.value, '--timeout', '72h'], { ok: false })
  say(`$ echo $?\n  ${refused}`)
  if (refused !== 2) throw new Error('wait did not exit 2')
  await shell(['status'], { lines: 12 })
} catch (error) {
  say(`\nthe demo failed: ${error.message}`)
  process.exitCode = 1
} finally {
  await world.close().catch((error) => {
    say(`\nthe demo failed: ${error.message}`)
    process.exitCode = 1
  })
}
