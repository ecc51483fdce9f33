/**
 * What the solver makes of generated weeks beside a good planner's way, each plan looked through by the tests' checker.
 *
 *   npm run bench:assign -- --orders 50,100,200,500 --seeds 1,2,3
 */
import { cpus } from "node:os"
import { performance } from "node:perf_hooks"
import { parseArgs } from "node:util"
import { autoSchedule } from "../scheduler/assign/index.ts"
import type { Solver } from "../scheduler/assign/solver.ts"
import { faultsOf } from "../tests/scheduler/assign/checker.ts"
import { generatedWeek } from "../tests/scheduler/assign/generate.ts"

const { values: options } = parseArgs({
  options: {
    orders: { type: "string", default: "50,100,200,500" },
    seeds: { type: "string", default: "1,2,3" },
    limit: { type: "string", default: "30" },
  },
})
const numbers = (text: string) => text.split(",").map(Number)
const timeLimitMs = Number(options.limit) * 1000

/** Answers nothing: what is left is the search. */
const noSolver: Solver = {
  solve: () => Promise.resolve({ values: null, timedOut: false, proven: false }),
  close: () => Promise.resolve(),
}

console.log(
  "| orders | people | seed | greedy | search alone | with HiGHS | better by | planned | seconds | programs, helped | limit hit | checker |",
)
console.log("|---|---|---|---|---|---|---|---|---|---|---|---|")
for (const orders of numbers(options.orders)) {
  for (const seed of numbers(options.seeds)) {
    const people = Math.max(5, Math.min(30, Math.round(orders / 14)))
    const week = generatedWeek({ orders, people, seed })
    const searched = await autoSchedule(week, { seed: 1, timeLimitMs, solver: noSolver })
    const beganMs = performance.now()
    const plan = await autoSchedule(week, { seed: 1, timeLimitMs })
    const seconds = (performance.now() - beganMs) / 1000
    const faults = faultsOf(plan.slots, week)
    const planned = new Set(plan.slots.map(({ job }) => job)).size
    const { score, greedyScore, solver } = plan
    const cells = [
      orders,
      people,
      seed,
      greedyScore.total.toFixed(0),
      searched.score.total.toFixed(0),
      score.total.toFixed(0),
      `${((score.total / greedyScore.total - 1) * 100).toFixed(1)} %`,
      `${plan.greedyOrders} → ${planned}`,
      seconds.toFixed(1),
      `${solver.programs}, ${solver.helped}`,
      solver.timeLimitHit ? "yes" : "no",
      faults.length === 0 ? "no fault" : `${faults.length} faults: ${faults[0]}`,
    ]
    console.log(`| ${cells.join(" | ")} |`)
    if (faults.length > 0) process.exitCode = 1
  }
}
console.log(`\n${cpus().length} x ${cpus()[0]?.model}, Node ${process.version}`)
