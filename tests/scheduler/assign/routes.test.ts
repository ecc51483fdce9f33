import { describe, expect, test } from "vitest"
import { greedy } from "../../../scheduler/assign/greedy.ts"
import { improve } from "../../../scheduler/assign/improve.ts"
import { randomOf } from "../../../scheduler/assign/random.ts"
import { Roster } from "../../../scheduler/assign/roster.ts"
import { Routes } from "../../../scheduler/assign/routes.ts"
import { highsSolver } from "../../../scheduler/assign/solver.ts"
import { workOf } from "../../../scheduler/assign/work.ts"
import { faultsOf } from "./checker.ts"
import { generatedWeek } from "./generate.ts"

describe("the days of several plans", () => {
  test("give a plan that is better than each of them, and can be worked", async () => {
    const week = generatedWeek({ orders: 60, people: 6, seed: 2 })
    const work = workOf(week)
    const all = new Set(work.jobs.keys())
    const routes = new Routes(10)
    const plans = [1, 2, 3, 4].map((seed) => {
      const roster = greedy(work)
      const random = randomOf(seed)
      for (let step = 0; step < 100; step++) improve(roster, roster.worth(), all, 0, random)
      routes.note(roster)
      return roster
    })
    const [best] = plans.toSorted((a, b) => b.worth() - a.worth())
    if (best === undefined) throw new RangeError("there is no plan")
    const { program, read } = routes.program(best)
    const solver = highsSolver()
    try {
      const limits = { seed: 1, nodes: 100, gap: 0, seconds: 30 }
      const { values, proven } = await solver.solve({ program, limits }, new AbortController().signal)
      expect(proven).toBe(true)
      const together = new Roster(work)
      for (const one of read(values ?? new Float64Array())) together.putBack(one)
      expect(together.worth()).toBeGreaterThan(best.worth())
      expect(faultsOf(together.slots(), week)).toEqual([])
    } finally {
      await solver.close()
    }
  })
})
