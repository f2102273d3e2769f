// registrard as a child process: its configuration, its life and death, and registrarctl.
//
// Rule of the house: a log line of level "broken" (journald 3 or worse) fails the test that saw it, unless the test
// said that it expects one. So does any trace of a secret in logs, files of the state directory or answers.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { WallClock } from './clock.mjs'
import { onExit, testsDir, tick, tied, until } from './util.mjs'

const program = (name, variable) => resolve(process.env[variable] ?? join(testsDir, '..', 'build', name))
export const registrard = () => program('registrard', 'REGISTRARD')
export const registrarctl = () => program('registrarctl', 'REGISTRARCTL')

// ---- YAML, as a person would write it ------------------------------------------------------------------------------

function scalar(value) {
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (typeof value !== 'string') return String(value)
  return /^[A-Za-z0-9_/.][A-Za-z0-9_/.+@:-]*$/.test(value) && !/:$|^(true|false|null|yes|no|on|off|~)$/i.test(value) ? value : JSON.stringify(value)
}

function toYaml(value, indent = '') {
  if (Array.isArray(value)) {
    if (value.length === 0) return ' []\n'
    if (value.every((v) => typeof v !== 'object')) return ` [${value.map(scalar).join(', ')}]\n`
    return '\n' + value.map((v) => `${indent}- ${toYaml(v, indent + '  ').replace(/^\n\s*/, '')}`).join('')
  }
  if (value !== null && typeof value === 'object') {
    const entries = Object.entries(value).filter(([, v]) => v !== undefined)
    if (entries.length === 0) return ' {}\n'
    return '\n' + entries.map(([k, v]) => `${indent}${k}:${toYaml(v, indent + '  ')}`).join('')
  }
  return ` ${scalar(value)}\n`
}

// ---- one run of registrarctl ---------------------------------------------------------------------------------------

/// Starts registrarctl; .done resolves to { code, stdout, stderr, json }. json is the parsed output when there is any.
export function startCtl(args, { socket, timeout = 30_000, cwd } = {}) {
  const [command, list] = tied(registrarctl(), [...(socket ? ['--socket', socket] : []), ...args])
  const child = spawn(command, list, { stdio: ['ignore', 'pipe', 'pipe'], cwd })
  const forget = onExit(() => child.kill('SIGKILL'))
  let stdout = '', stderr = '', late = false
  child.stdout.on('data', (c) => (stdout += c))
  child.stderr.on('data', (c) => (stderr += c))
  const timer = setTimeout(() => { late = true; child.kill('SIGKILL') }, timeout)
  const done = new Promise((ok, fail) => {
    child.once('error', fail)
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      forget()
      if (late) return fail(new Error(`registrarctl ${args.join(' ')} took longer than ${timeout} ms`))
      let json
      try { json = JSON.parse(stdout) } catch {}
      ok({ code: code ?? `signal ${signal}`, stdout, stderr, json })
    })
  })
  return { child, done, stop: () => child.kill('SIGKILL') }
}

/// Runs it to its end. options.ok (default true): anything but exit code 0 is an error that shows the output.
export async function ctl(args, options = {}) {
  const result = await startCtl(args, options).done
  if (options.ok !== false && result.code !== 0)
    throw new Error(`registrarctl ${args.join(' ')}: exit ${result.code}\n${result.stdout}${result.stderr}`)
  return result
}

// ---- the daemon ----------------------------------------------------------------------------------------------------

export class Daemon {
  #child
  #forget
  #expected = [] // patterns of "broken" lines that a test expects

  /// dir: a directory of its own; config: the parsed form of the YAML, without state_dir and control_socket. clock: true
  /// makes .clock, which moves the daemon's wall clock: daemon.clock.jump(86_400).
  constructor(dir, config, { secrets = [], clock = false } = {}) {
    this.dir = dir
    this.stateDir = join(dir, 'state')
    this.socket = join(dir, 'control.sock')
    this.configFile = join(dir, 'registrard.yaml')
    this.secrets = secrets.map((s) => s.replace(/^0x/, '').toLowerCase())
    this.lines = [] // all of stderr, over all starts
    this.starts = 0
    this.environment = {} // more variables of the next start
    mkdirSync(this.stateDir, { recursive: true, mode: 0o700 })
    if (clock) this.clock = new WallClock(dir)
    this.configure(config)
  }

  configure(config) {
    this.config = { state_dir: this.stateDir, control_socket: this.socket, ...config }
    writeFileSync(this.configFile, toYaml(this.config).trimStart())
  }

  get pid() { return this.#child?.pid }
  get running() { return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null }

  /// Starts and, unless wait is false, waits until registrarctl gets an answer.
  async start({ wait = true, timeout = 20_000 } = {}) {
    assert.ok(!this.running, 'already running')
    // Its own process group, so that "everything at once" can be killed by one call.
    const [command, args] = tied(registrard(), ['--config', this.configFile, '--foreground'])
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'], detached: true, env: { ...process.env, ...this.environment, ...this.clock?.environment(this.environment) } })
    this.#child = child
    this.starts++
    this.startedAt = Date.now()
    this.#forget = onExit(() => { try { process.kill(-child.pid, 'SIGKILL') } catch {} })
    let rest = ''
    child.stderr.on('data', (chunk) => {
      const parts = (rest + chunk).split('\n')
      rest = parts.pop()
      this.lines.push(...parts)
      if (process.env.E2E_VERBOSE) for (const l of parts) console.log(`    ${l}`)
    })
    this.ended = new Promise((ok) => child.once('close', (code, signal) => {
      if (rest) this.lines.push(rest)
      this.#forget()
      ok({ code, signal })
    }))
    child.once('error', (e) => this.lines.push(`<0>could not start: ${e.message}`))
    if (wait) {
      await until(async () => {
        this.mustRun()
        return existsSync(this.socket) && (await ctl(['status', '--json'], { socket: this.socket, ok: false })).code === 0
      }, { timeout, every: 25, what: () => `registrard to answer\n${this.tail()}` })
    }
    return this
  }

  mustRun() {
    if (!this.running) throw Object.assign(new Error(`registrard has ended\n${this.tail()}`), { fatal: true })
  }

  tail(n = 40) { return this.lines.slice(-n).join('\n') }

  /// SIGKILL to every process at once; returns when the last of them is gone.
  async kill9() {
    const { pid } = this
    const family = this.family()
    try { process.kill(-pid, 'SIGKILL') } catch {}
    await this.ended
    // Children in another process group would have survived: they must die with their parent.
    await until(() => family.every((p) => !alive(p)), { timeout: 5000, every: 5, what: 'all processes to be gone' })
  }

  /// SIGTERM: it must leave in order, with code 0.
  async stop({ timeout = 10_000 } = {}) {
    if (!this.running) return
    this.#child.kill('SIGTERM')
    const result = await Promise.race([this.ended, tick(timeout).then(() => null)])
    if (!result) {
      await this.kill9()
      throw new Error(`registrard did not stop within ${timeout} ms of SIGTERM\n${this.tail()}`)
    }
    assert.deepEqual(result, { code: 0, signal: null }, `unclean stop\n${this.tail()}`)
  }

  reload() { this.#child.kill('SIGHUP') }

  /// All processes of it: [pid of main, its children...].
  family() { return this.running ? [this.pid, ...childrenOf(this.pid).map((c) => c.pid)] : [] }
  /// The pids of its measurers, of its signer.
  roles(role) { return childrenOf(this.pid).filter((c) => c.argv.includes(`--role=${role}`)).map((c) => c.pid) }

  /// A test that provokes a "broken" line says so beforehand.
  expectBroken(pattern) { this.#expected.push(pattern) }
  broken() { return this.lines.filter((l) => /^<[0-3]>/.test(l) && !this.#expected.some((p) => p.test(l))) }

  /// What must hold at the end of every test.
  assertClean() {
    assert.deepEqual(this.broken(), [], 'broken lines in the log')
    // A role that is killed while LeakSanitizer looks at its threads says so; that is no finding.
    const sanitizer = this.lines.filter((l) => /AddressSanitizer|runtime error:|LeakSanitizer|==\d+==/.test(l) && !/Unable to get registers from thread/.test(l))
    assert.deepEqual(sanitizer, [], this.tail(60))
    for (const secret of this.secrets) {
      assert.ok(!this.lines.some((l) => l.toLowerCase().includes(secret)), 'a secret in the log')
      const bytes = Buffer.from(secret, 'hex')
      for (const file of filesUnder(this.stateDir)) {
        const content = readFileSync(file)
        assert.ok(!content.includes(bytes) && !content.toString('latin1').toLowerCase().includes(secret), `a secret in ${file}`)
      }
    }
  }

  // ---- asking it -----------------------------------------------------------------------------------------------

  ctl(args, options = {}) { return ctl(args, { socket: this.socket, ...options }) }
  startCtl(args, options = {}) { return startCtl(args, { socket: this.socket, ...options }) }

  async #list(command) {
    this.mustRun()
    const { json, stdout } = await this.ctl([...command, '--json'])
    assert.ok(Array.isArray(json), `${command.join(' ')} --json is one array; got ${stdout.slice(0, 200)}`)
    return json
  }
  async measurements(value) {
    const list = await this.#list(['measurements'])
    return value ? list.filter((m) => m.value === value) : list
  }
  async proposals(target) {
    const list = await this.#list(['proposals'])
    return target ? list.filter((p) => p.target === target) : list
  }
  async proposal(id) {
    const found = (await this.proposals()).find((p) => p.id === id)
    assert.ok(found, `no proposal ${id}`)
    return found
  }
  async events() { return this.#list(['log']) }
  /// Alarms of this name (docs/RUNBOOK.md), with the subject if one is given.
  async alarms(name, subject) {
    return (await this.events()).filter((e) => e.type === 'alarm' && e.text.startsWith(`[${name}] `) && (!subject || e.subject === subject))
  }

  /// Waits until a proposal is in this state (or one of these); returns it. Fails at once in a terminal other state.
  async untilState(id, state, options = {}) {
    const wanted = [].concat(state)
    const terminal = ['confirmed', 'rejected', 'cancelled', 'failed', 'expired']
    let last
    return until(async () => {
      last = await this.proposal(id)
      if (wanted.includes(last.state)) return last
      if (terminal.includes(last.state)) throw Object.assign(new Error(`${id} ended in ${last.state}, waited for ${wanted}:\n${historyText(last)}`), { fatal: true })
      return null
    }, { what: () => `${id} in ${wanted}, is in ${last?.state}:\n${last ? historyText(last) : ''}\n${this.tail(15)}`, ...options })
  }

  /// Waits for an alarm of this name; returns the first whose text matches.
  async untilAlarm(name, { subject, text = /./, ...options } = {}) {
    return until(async () => (await this.alarms(name, subject)).find((e) => text.test(e.text)),
      { what: async () => `alarm ${name} ${subject ?? ''} ${text}; there were ${JSON.stringify((await this.events()).filter((e) => e.type === 'alarm').map((e) => [e.subject, e.text]))}\n${this.tail(15)}`, ...options })
  }

  /// Waits for the proposal that carries this value (the newest), optionally satisfying more.
  async untilProposal(value, { where = () => true, ...options } = {}) {
    return until(async () => {
      const list = (await this.proposals()).filter((p) => p.calls.some((c) => c.value === value) && where(p))
      return list.at(-1)
    }, { what: () => `a proposal with ${value}\n${this.tail(15)}`, ...options })
  }

  /// Waits until every measurement of the value (at least one) satisfies the test; returns them.
  async untilMeasurement(value, test, options = {}) {
    let last
    return until(async () => {
      last = await this.measurements(value)
      return last.length > 0 && last.every(test) && last
    }, { what: () => `measurement ${value} (${test}); is ${JSON.stringify(last)}\n${this.tail(15)}`, ...options })
  }

  /// Waits for the Safe transaction of a purpose to be in the queue: the latest attempt.
  async untilQueued(id, purpose, options = {}) {
    return until(async () => {
      const p = await this.proposal(id)
      return p.safe_txs.filter((t) => t.purpose === purpose && t.status === 'queued').at(-1)
    }, { what: () => `${purpose} of ${id} in the queue\n${this.tail(15)}`, ...options })
  }
}

const historyText = (p) => p.history.map((h) => `  ${h.at} ${h.from ?? '-'} -> ${h.to}: ${h.reason}`).join('\n')

// ---- processes -----------------------------------------------------------------------------------------------------

function alive(pid) {
  try { return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')) } catch { return false }
}

function childrenOf(parent) {
  const out = []
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
      if (Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) !== parent) continue
      out.push({ pid: Number(name), argv: readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0') })
    } catch {}
  }
  return out
}

function filesUnder(dir) {
  const out = []
  for (const name of readdirSync(dir)) {
    const path = join(dir, name)
    const info = statSync(path, { throwIfNoEntry: false })
    if (info?.isDirectory()) out.push(...filesUnder(path))
    else if (info?.isFile()) out.push(path)
  }
  return out
}

export function writeSecret(path, text) {
  writeFileSync(path, text + '\n')
  chmodSync(path, 0o600)
  return path
}
