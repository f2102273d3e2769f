// A daemon's database behind its back: what would stand there if the machine lost it right now. The daemon is stopped
// for the moment of the copy, so the copy is what a kill -9 at that moment leaves, and it is read by another program.
import { execFile } from 'node:child_process'
import { copyFileSync, existsSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { until } from '../util.mjs'

const run = promisify(execFile)

export const STATES = [null, 'drafted', 'multisig', 'timelock', 'execute', 'executed', 'confirmed', 'rejected', 'cancelled', 'failed', 'expired']
export const LIVE = STATES.slice(1, 6)
const PURPOSES = [null, 'schedule', 'apply', 'execute', 'reject', 'cancel']
const STATUSES = [null, 'new', 'held', 'proposed', 'authorized', 'revoked', 'refused']

const bytes = (column) => `iif(${column} IS NULL, NULL, '0x' || lower(hex(${column})))`
const rows = (table, columns) => `(SELECT json_group_array(json_object(${Object.entries(columns).map(([k, v]) => `'${k}', ${v}`).join(', ')})) FROM (SELECT * FROM ${table} ORDER BY id))`

const everything = `SELECT json_object(
  'proposals', ${rows('proposal', { id: 'id', origin: 'origin', state: 'state', flags: 'flags', timelock: bytes('timelock'), salt: bytes('salt'), predecessor: bytes('predecessor'), single: 'single', operation: bytes('operation_id') })},
  'calls', ${rows('call', { id: 'id', proposal: 'proposal_id', to: bytes('contract'), data: bytes('data'), action: 'action', kind: 'kind', value: bytes('value'), live: 'live' })},
  'history', ${rows('history', { id: 'id', proposal: 'proposal_id', at: 'at', from: 'from_state', to: 'to_state', reason: 'reason', tx: bytes('tx') })},
  'safe_txs', ${rows('safe_tx', { id: 'id', proposal: 'proposal_id', purpose: 'purpose', attempt: 'attempt', nonce: 'nonce', hash: bytes('safe_tx_hash'), status: 'status' })},
  'sent', ${rows('sent_tx', { id: 'id', proposal: 'proposal_id', hash: bytes('tx_hash') })},
  'measurements', ${rows('measurement', { id: 'id', kind: 'kind', value: bytes('value'), wanted: 'wanted', status: 'status', reason: 'reason' })},
  'evidence', ${rows('evidence', { id: 'id', measurement: 'measurement_id', source: 'source', artifact: 'artifact', sha256: bytes('artifact_sha256') })},
  'events', ${rows('event', { id: 'id', at: 'at', type: 'type', subject: 'subject', text: 'text', hash: bytes('hash') })})`

const stopped = (pid) => /^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))

async function copied(daemon, copy) {
  const name = readdirSync(daemon.stateDir).find((n) => n.endsWith('.db'))
  const frozen = daemon.running && daemon.pid
  if (frozen) {
    process.kill(frozen, 'SIGSTOP')
    await until(() => stopped(frozen), { every: 1, what: 'the daemon to stand still' })
  }
  try {
    for (const end of ['', '-wal']) {
      rmSync(copy + end, { force: true })
      if (existsSync(join(daemon.stateDir, name + end))) copyFileSync(join(daemon.stateDir, name + end), copy + end)
    }
  } finally { if (frozen) process.kill(frozen, 'SIGCONT') }
}

/// The rows of every table that matters, by table; proposals carry their calls, history and Safe transactions.
export async function snapshot(daemon, copy) {
  await copied(daemon, copy)
  const { stdout } = await run('sqlite3', [copy, everything], { maxBuffer: 1 << 28 })
  const db = JSON.parse(stdout)
  for (const t of db.safe_txs) t.purpose = PURPOSES[t.purpose]
  for (const m of db.measurements) m.status = STATUSES[m.status]
  const of = (list, p) => list.filter((x) => x.proposal === p.id)
  for (const p of db.proposals)
    Object.assign(p, { name: `p${p.id}`, state: STATES[p.state], calls: of(db.calls, p), history: of(db.history, p), safe_txs: of(db.safe_txs, p) })
  return db
}
