// `make bench`: ratios against other tools, all measured in this run on this machine. Everything listens on loopback and
// ends with this process. BENCH_QUICK=1 shortens it; BENCH=eif,start picks items.
import { benchDrafts } from './drafts.mjs'
import { benchEif } from './eif.mjs'
import { benchEndpoints } from './endpoints.mjs'
import { benchIdle } from './idle.mjs'
import { benchIntake } from './intake.mjs'
import { benchLife } from './life.mjs'
import { benchMany } from './many.mjs'
import { benchStart } from './start.mjs'
import { benchTicks } from './ticks.mjs'
import { machine, missed, printTable, quick } from './lib.mjs'

const items = { eif: benchEif, drafts: benchDrafts, intake: benchIntake, ticks: benchTicks, many: benchMany, life: benchLife, start: benchStart, endpoints: benchEndpoints, idle: benchIdle }
const chosen = process.env.BENCH ? process.env.BENCH.split(',') : Object.keys(items)
const about = machine()

for (const name of chosen) {
  process.stderr.write(`${name}\n`)
  try {
    await items[name]()
  } catch (error) {
    console.error(`${name} failed: ${error.stack}`)
    process.exitCode = 1
  }
}
console.log()
printTable()
console.log(about)
if (quick) console.log('quick: shorter runs and smaller sizes than the goals are stated for')
if (missed().length) console.log(`missed: ${missed().map((m) => m.trim()).join('; ')}`)
