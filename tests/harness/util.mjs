// Small things every part of the harness needs. Nothing here knows about chains or daemons.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const testsDir = join(dirname(fileURLToPath(import.meta.url)), '..')

export const tick = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/// Polls fn until it returns something truthy. fn may throw while things are not there yet: the last error is
/// part of the message when time runs out.
export async function until(fn, { timeout = 20_000, every = 60, what = 'condition' } = {}) {
  const end = Date.now() + timeout
  let last
  for (;;) {
    try {
      const value = await fn()
      if (value) return value
      last = undefined
    } catch (error) {
      if (error?.fatal) throw error // e.g. the daemon died: no use in waiting
      last = error
    }
    if (Date.now() > end) {
      const label = typeof what === 'function' ? await what() : what
      throw new Error(`waited ${timeout} ms in vain for: ${label}${last ? `; last error: ${last.message}` : ''}`)
    }
    await tick(every)
  }
}

/// A temporary directory, removed by the returned function. Short paths: a Unix socket must fit into 107 bytes.
export function makeTempDir(tag = 't') {
  const path = mkdtempSync(join(tmpdir(), `rg-${tag}-`))
  return { path, remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }) }
}

/// Deterministic random numbers (mulberry32); a failing random test is repeated with its printed seed.
export function seeded(seed) {
  let a = seed >>> 0
  const next = () => {
    a = (a + 0x6d2b79f5) >>> 0
    let t = Math.imul(a ^ (a >>> 15), a | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  return {
    next,
    below: (n) => Math.floor(next() * n),
    bytes: (n) => Buffer.from(Array.from({ length: n }, () => Math.floor(next() * 256))),
    pick: (list) => list[Math.floor(next() * list.length)],
  }
}

let dieWithParent
/// Prefixes a command so that the kernel ends the child when we are killed in a way no handler sees.
export function tied(command, args) {
  dieWithParent ??= existsSync('/usr/bin/setpriv') &&
    spawnSync('/usr/bin/setpriv', ['--pdeathsig', 'KILL', '/bin/true']).status === 0
  return dieWithParent ? ['/usr/bin/setpriv', ['--pdeathsig', 'KILL', '--', command, ...args]] : [command, args]
}

const atExit = new Set()
let listening = false
/// Runs fn when this process exits for whatever catchable reason; returns the function that forgets it.
export function onExit(fn) {
  if (!listening) {
    listening = true
    process.once('exit', () => { for (const f of atExit) try { f() } catch {} })
    for (const s of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(s, () => process.exit(1))
  }
  atExit.add(fn)
  return () => atExit.delete(fn)
}
