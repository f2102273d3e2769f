// The main job: a build is dropped, the measurement is authorized on chain. Every combination of contract generation,
// Safe version, executor and service that people have, each with a second opinion on everything that was computed.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import { encodeFunctionData } from 'viem'
import { timelockAbi } from '../harness/deploy.mjs'
import { checkDraftFiles, checkExecution, checkOperationOnChain, checkProposal, checkSafeTx } from '../harness/opinion.mjs'
import { makeWorld, people, until } from '../harness/world.mjs'

const cases = [
  { name: 'generation 1, Safe 1.3.0, closed executor, through the Safe', generation: 1, safeVersion: '1.3.0', execute: 'safe' },
  { name: 'generation 2, Safe 1.4.1, closed executor, through the Safe', generation: 2, safeVersion: '1.4.1', execute: 'safe', apiKey: 'a-bearer-key' },
  { name: 'generation 2, Safe 1.3.0 without L2 events, open executor, direct', generation: 2, safeVersion: '1.3.0', l2: false, open: true, execute: 'direct' },
  { name: 'generation 1, Safe 1.4.1, closed executor with our role, direct, no app', generation: 1, safeVersion: '1.4.1', executors: [people.executor.address], execute: 'direct', app: false },
  { name: 'generation 2, Safe 1.4.1, open executor, by hand', generation: 2, safeVersion: '1.4.1', open: true, execute: 'manual' },
  { name: 'generation 1, Safe 1.4.1 without L2 events, no Multicall3, through the Safe', generation: 1, safeVersion: '1.4.1', l2: false, multicall: false, execute: 'safe' },
  { name: 'generation 2, Safe 1.4.1, the Safe Queue Service, through the Safe', generation: 2, safeVersion: '1.4.1', queue: true, apiKey: 'a-bearer-key', execute: 'safe' },
  { name: 'generation 2, Safe 1.4.1, no service, by hand', generation: 2, safeVersion: '1.4.1', service: false, execute: 'manual' },
  { name: 'generation 1, Safe 1.3.0, no service, open executor, direct', generation: 1, safeVersion: '1.3.0', service: false, open: true, execute: 'direct' },
]

describe('from a dropped build to confirmed', { concurrency: 3 }, () => {
  for (const { name, execute, ...options } of cases)
    test(name, async () => {
      const world = await makeWorld(options)
      try {
        await walk(world, execute)
      } finally {
        await world.close()
      }
    })
})

async function walk(world, execute) {
  const { chain, safe, timelock, service, owners } = world
  const daemon = world.daemon({ target: { execute, executor: execute === 'direct' ? people.executor : undefined } })
  await daemon.start()

  const eif = world.drop('payments', { nitro: true })
  let p = await daemon.untilProposal(eif.value)
  const { id, batch } = checkProposal(world, p, { values: [eif.value] })
  await checkOperationOnChain(world, batch, id)
  const delay = await timelock.minDelay()
  const scheduleData = encodeFunctionData({ abi: timelockAbi, functionName: 'scheduleBatch', args: [...batch, BigInt(delay)] })

  // Drafted: the files are there, also where no service is.
  await until(() => daemon.proposal(p.id).then((x) => x.safe_txs.length > 0), { what: 'the schedule transaction' })
  const { cast } = checkDraftFiles(world, daemon, p, 'schedule', { to: timelock.address, data: scheduleData })
  assert.equal((await daemon.ctl(['export', p.id, '--format', 'calldata'])).stdout.trim().split(/\s+/).at(-1), scheduleData)
  assert.equal((await daemon.ctl(['export', p.id, '--format', 'cast'])).stdout.trim(), cast.trim())
  for (const m of await daemon.untilMeasurement(eif.value, (x) => x.status === 'proposed')) {
    assert.equal(m.wanted, 'present')
    assert.equal(m.pending, 'add')
    assert.deepEqual(m.proposals, [p.id])
    const image = m.evidence.find((e) => /enclave\.eif$/.test(e.artifact))
    assert.equal(image.level, 'recomputed')
    for (const k of ['PCR0', 'PCR1', 'PCR2']) assert.ok(JSON.stringify(image.details).includes(eif.pcrs[k]), `${k} in the evidence`)
    assert.equal(image.details.sha256, createHash('sha256').update(eif.bytes).digest('hex'))
  }

  // Into the multisig.
  let scheduleTx
  if (service) {
    const row = await daemon.untilQueued(p.id, 'schedule')
    p = await daemon.untilState(p.id, 'multisig')
    await checkSafeTx(world, p, 'schedule', { batch, id, signer: people.proposer, delay })
    assert.deepEqual([p.confirmations, p.threshold, p.safe_tx_hash, p.safe_nonce], [0, 2, row.safe_tx_hash, row.nonce])
    const { origin } = service.transactions.get(row.safe_tx_hash)
    assert.ok(origin.includes(eif.value.slice(2, 10)), `the origin tells signers the value: ${origin}`)
    const doctor = (await daemon.ctl(['doctor', '--json'], { ok: false })).json
    for (const check of ["Safe's service", 'proposer key']) assert.equal(doctor.find((r) => r.check === check)?.result, 'ok', JSON.stringify(doctor))
    if (world.queue) assert.equal(world.queue.posts().length, 1, 'through the queue service, and not past it')
    await owners.confirm(row.safe_tx_hash, people.owners[2])
    await until(async () => (await daemon.proposal(p.id)).confirmations === 1, { what: '1 of 2' })
    await owners.confirm(row.safe_tx_hash, people.owners[0])
    await until(async () => (await daemon.proposal(p.id)).confirmations === 2, { what: '2 of 2' })
    scheduleTx = (await owners.execute(row.safe_tx_hash)).transactionHash
  } else {
    assert.equal((await daemon.proposal(p.id)).state, 'drafted')
    scheduleTx = (await safe.byHand({ to: timelock.address, data: scheduleData })).receipt.transactionHash
  }

  // Into the timelock.
  p = await daemon.untilState(p.id, 'timelock')
  assert.equal(Date.parse(p.ready_at) / 1000, await timelock.timestamp(id))
  assert.ok(p.history.some((h) => h.to === 'timelock' && h.tx === scheduleTx), 'the history names the transaction')
  assert.equal((await daemon.ctl(['check', eif.value, '--target', 'payments'], { ok: false })).code, 1)
  await world.passDelay()

  // Executed: by the Safe, by our key, or by a stranger.
  if (execute === 'safe') {
    const row = await daemon.untilQueued(p.id, 'execute')
    p = await daemon.untilState(p.id, 'execute')
    const { row: schedule } = await checkSafeTx(world, p, 'schedule', { batch, id, signer: people.proposer, delay })
    const { row: run } = await checkSafeTx(world, p, 'execute', { batch, id, signer: people.proposer })
    assert.equal(schedule.status, 'executed')
    assert.equal(run.nonce, schedule.nonce + 1)
    checkDraftFiles(world, daemon, p, 'execute', { to: timelock.address, data: encodeFunctionData({ abi: timelockAbi, functionName: 'executeBatch', args: batch }) })
    await owners.approve(row.safe_tx_hash)
  } else if (execute === 'manual') {
    p = await daemon.untilState(p.id, 'execute')
    await timelock.executeByHand({ batch }, { from: (await chain.read(timelock.address, 'function hasRole(bytes32, address) view returns (bool)', '0xd8aa0f3194971a2a116679f7c2090f6939c8d4e01a2a8d7e41d55e5351469e63', '0x0000000000000000000000000000000000000000')) ? people.stranger.address : undefined })
  }
  p = await daemon.untilState(p.id, ['executed', 'confirmed'])
  const executed = p.history.find((h) => h.to === 'executed')
  assert.match(executed.tx, /^0x[0-9a-f]{64}$/)
  if (execute === 'direct') await checkExecution(world, executed.tx, { batch, executor: people.executor })

  // Confirmed at finality only: two blocks on top.
  await chain.mine(3)
  p = await daemon.untilState(p.id, 'confirmed')
  assert.deepEqual(await world.allowed(eif.value), { kms: true, app: world.registry.app ? true : undefined })
  assert.deepEqual([p.safe_tx_hash, p.safe_nonce, p.confirmations, p.threshold], [null, null, null, null], 'nothing awaits signatures')
  for (const h of p.history) assert.match(h.at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/)
  const states = p.history.map((h) => h.to)
  const way = ['drafted', 'multisig', 'timelock', 'execute', 'executed', 'confirmed']
  assert.deepEqual(states, way.filter((s) => states.includes(s)), 'each state once, in order')
  assert.deepEqual(['drafted', 'timelock', 'executed', 'confirmed'].filter((s) => !states.includes(s)), [])
  for (const h of p.history.filter((x) => x.from === 'timelock' && x.to === 'execute')) assert.equal(h.tx, null, 'the clock did that, no transaction')
  for (const t of p.safe_txs.filter((x) => x.tx && x.safe_tx_hash)) assert.equal(t.confirmations, t.threshold, 'what the Safe executed was signed')

  for (const m of await daemon.untilMeasurement(eif.value, (x) => x.status === 'authorized')) assert.equal(m.pending, null)
  assert.equal((await daemon.ctl(['wait', eif.value, '--timeout', '5s'])).code, 0)
  assert.equal((await daemon.ctl(['check', eif.value, '--target', 'payments'])).code, 0)
  assert.equal((await daemon.ctl(['log', '--verify'])).code, 0)
  if (service) assert.equal(service.posts().length, execute === 'safe' ? 2 : 1, 'nothing was posted twice')
}
