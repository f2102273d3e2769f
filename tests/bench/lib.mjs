// What every measurement here needs: running a program, percentiles, what the kernel knows about a process, the table.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readdirSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onExit, tied } from '../harness/util.mjs'

export const quick = Boolean(process.env.BENCH_QUICK)
export const benchDir = dirname(fileURLToPath(import.meta.url))
export const program = (name) => join(benchDir, '..', '..', 'build', 'bench', name)
export const castPath = join(benchDir, 'node_modules', '@foundry-rs', 'cast-linux-amd64', 'bin', 'cast')

/// Runs a program to its end and returns what it printed; it ends with us.
export async function run(command, args, options = {}) {
  const child = spawn(...tied(command, args), { stdio: ['ignore', 'pipe', 'pipe'], ...options })
  const forget = onExit(() => child.kill('SIGKILL'))
  let stdout = '', stderr = ''
  child.stdout.on('data', (c) => (stdout += c))
  child.stderr.on('data', (c) => (stderr += c))
  const [code] = await once(child, 'close')
  forget()
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: exit ${code}\n${stdout}${stderr}`)
  return stdout + (options.both ? stderr : '')
}

/// In ms, e.g. 12.3.
export const now = () => Number(process.hrtime.bigint()) / 1e6

export function percentile(list, p) {
  const sorted = [...list].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil((p / 100) * sorted.length) - 1)]
}
export const median = (list) => percentile(list, 50)

export const ms = (x) => (x >= 1000 ? `${(x / 1000).toFixed(2)} s` : `${x.toFixed(x < 10 ? 1 : 0)} ms`)
export const times = (x) => `${x >= 100 ? x.toFixed(0) : x >= 10 ? x.toFixed(1) : x.toFixed(2)} x`

// ---- /proc ---------------------------------------------------------------------------------------------------------

const field = (text, name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0)

/// CPU time (ms) and voluntary context switches of all threads of these processes so far, and their PSS (KiB) now.
export function usage(pids) {
  const sum = { cpu: 0, wakeups: 0, pss: 0 }
  for (const pid of pids) {
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      sum.cpu += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]) / 1e6
      sum.wakeups += field(readFileSync(`/proc/${pid}/task/${task}/status`, 'utf8'), 'voluntary_ctxt_switches')
    }
    sum.pss += field(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'), 'Pss')
  }
  return sum
}

// ---- the report ----------------------------------------------------------------------------------------------------

const rows = []
const notes = []

/// One line of the table. met: true, false, or undefined where there is no goal.
export function report(item, measured, { reference = '', ratio = '', goal = '', met } = {}) {
  rows.push([item, measured, reference, ratio, goal, met === undefined ? '' : met ? 'yes' : 'NO'])
  process.stderr.write(`  ${item}: ${measured}${reference && ` | ${reference}`}${ratio && ` | ${ratio}`}${met === false ? ' | goal missed' : ''}\n`)
}
export const note = (text) => notes.push(text)

export function machine() {
  const [{ model }] = cpus()
  const load = loadavg()[0]
  return `machine: ${cpus().length} x ${model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, node ${process.versions.node}, ` +
    `load before ${load.toFixed(2)}${load > 0.5 ? ' (not idle: times are worse than they need be)' : ''}`
}

export function printTable() {
  const table = [['item', 'measured', 'reference', 'ratio', 'goal', 'met'], ...rows]
  const widths = table[0].map((_, i) => Math.max(...table.map((r) => r[i].length)))
  const line = (r) => r.map((c, i) => c.padEnd(widths[i])).join('  ').trimEnd()
  console.log([line(table[0]), widths.map((w) => '-'.repeat(w)).join('  '), ...table.slice(1).map(line)].join('\n'))
  for (const n of notes) console.log(n)
}
export const missed = () => rows.filter((r) => r[5] === 'NO').map((r) => r[0])
