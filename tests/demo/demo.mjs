// What `make demo` shows: one build carried from a folder to "confirmed" on a real (local) chain, a second one refused
// by the signers. Everything below "$" is a command as a person types it, and its real output.
import { makeEif } from '../harness/eif.mjs'
import { makeWorld, people, until } from '../harness/world.mjs'

const bold = (s) => (process.stdout.isTTY ? `\x1b[1m${s}\x1b[0m` : s)
const say = (s = '') => console.log(s)
const title = (s) => say(`\n${bold(`== ${s}`)}`)
const names = new Map(people.owners.map((o, i) => [o.address, `owner ${i + 1}`]))

const DELAY = 48 * 3600
// Handing the registry to the timelock takes one delay; the chain's clock starts so far back that it is right afterwards.
const world = await makeWorld({ generation: 2, safeVersion: '1.4.1', minDelay: DELAY, age: DELAY + 10, seed: 20_260_101, tag: 'demo' })
const { chain, safe, timelock, owners } = world
const daemon = world.daemon({ name: 'registrard', target: { batch: { quiet: '300ms' } } })
let start

/// Shows a command and what it really prints, or the last lines of it. exit: the code that it must end with, shown too.
async function shell(args, { tail, exit } = {}) {
  say(`$ registrarctl ${args.join(' ')}${tail ? ` | tail -n ${tail}` : ''}${exit === undefined ? '' : '; echo "exit code $?"'}`)
  const { stdout, stderr, code } = await daemon.ctl(args, { ok: exit === undefined, timeout: 60_000 })
  const all = (stdout + stderr).trimEnd().split('\n')
  for (const l of all.slice(tail ? -tail : 0)) say(l ? `  ${l}` : '')
  if (exit === undefined) return
  say(`  exit code ${code}`)
  if (code !== exit) throw new Error(`it did not exit with ${exit}`)
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

/// What people do beside it, between the states.
async function peopleDo(what) { say(`  ${await elapsed()}    ${what}`) }

async function sign(hash, owner) {
  await owners.confirm(hash, owner)
  await peopleDo(`${names.get(owner.address)} recomputes the hash, signs and confirms ${hash.slice(0, 10)}…`)
}

async function drop(version) {
  const folder = `release-${version}`
  const eif = makeEif(world.random, { name: 'payments', size: 200_000 })
  say(`$ cp enclave.eif measurements.json ${world.folder('payments', folder)}/`)
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
  say(`$ registrard --config ${daemon.configFile} &`)
  await daemon.start()
  await shell(['doctor'], { tail: 6 })

  title('A release pipeline drops a Nitro build')
  const first = await drop('1.0.0')
  await shell(['measurements'])
  await reach(first.id, 'multisig')
  const schedule = await daemon.untilQueued(first.id, 'schedule')
  await sign(schedule.safe_tx_hash, people.owners[0])
  await sign(schedule.safe_tx_hash, people.owners[2])
  await until(async () => (await daemon.proposal(first.id)).confirmations === 2)
  await owners.execute(schedule.safe_tx_hash)
  await peopleDo('2 of 2: anybody may execute it now, somebody does')
  await reach(first.id, 'timelock')
  await world.passDelay()
  await peopleDo("two days pass: the demo moves the chain's clock")
  const run = await daemon.untilQueued(first.id, 'execute')
  await reach(first.id, 'execute')
  await sign(run.safe_tx_hash, people.owners[0])
  await sign(run.safe_tx_hash, people.owners[1])
  await owners.execute(run.safe_tx_hash)
  await reach(first.id, 'executed')
  await chain.mine(3)
  await reach(first.id, 'confirmed')

  title('The pipeline gates its deploy on one command')
  await shell(['wait', first.eif.value, '--timeout', '72h'], { exit: 0 })

  title('A second build, which the signers do not want')
  const second = await drop('1.0.1')
  await reach(second.id, 'multisig')
  const unwanted = await daemon.untilQueued(second.id, 'schedule')
  await owners.reject(unwanted.safe_tx_hash)
  await peopleDo(`two owners sign and execute an empty transaction with the same nonce (${unwanted.nonce}) instead`)
  await chain.mine(3)
  await reach(second.id, 'rejected')
  await shell(['wait', second.eif.value, '--timeout', '72h'], { exit: 2 })
  await shell(['status'])
} catch (error) {
  say(`\nthe demo failed: ${error.message}`)
  process.exitCode = 1
} finally {
  await world.close().catch((error) => {
    say(`\nthe demo failed: ${error.message}`)
    process.exitCode = 1
  })
}
