// The world as it is: clocks that are wrong, chains that halt, endpoints that misbehave.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { makeWorld, until } from '../harness/world.mjs'

const DAY = 86_400

describe('the wall clock', () => {
  test('a day ahead, a day behind, right again', async () => {
    const world = await makeWorld({ tag: 'clock' })
    try {
      const daemon = world.daemon({ clock: true })
      await daemon.start()
      for (const pid of daemon.family()) assert.match(readFileSync(`/proc/${pid}/maps`, 'utf8'), /wall-clock-offset/, `process ${pid} has the test's clock`)
      for (const offset of [DAY, -DAY, 0]) {
        daemon.clock.set(offset)
        const { value } = world.drop()
        await daemon.untilMeasurement(value, () => true)
        const [m] = await daemon.measurements(value)
        assert.ok(Math.abs(Date.parse(m.first_seen) - daemon.clock.now()) < 60_000, `${m.first_seen} with a clock ${offset} s off`)
      }
    } finally { await world.close() }
  })
})
