import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { greedy } from "../../../scheduler/assign/greedy.ts"
import { improve } from "../../../scheduler/assign/improve.ts"
import { randomOf } from "../../../scheduler/assign/random.ts"
import { scoreOf } from "../../../scheduler/assign/score.ts"
import { workOf } from "../../../scheduler/assign/work.ts"
import { faultsOf } from "./checker.ts"
import { generatedWeek } from "./generate.ts"

const minute = 60_000

/** Stated times as they come: often the way over a third place is the shorter one. */
function withOddWays(seed: number) {
  const week = generatedWeek({ orders: 30, people: 5, seed })
  const random = randomOf(seed)
  const sites = [...new Set(week.jobs.flatMap(({ place }) => place?.id ?? []))]
  const between = sites.flatMap((from, at) =>
    sites.slice(at + 1).map((to) => ({ from, to, ms: Math.floor(random() ** 3 * 200) * minute })),
  )
  // Short tasks: between long ones there would be time for any way.
  const jobs = week.jobs.map((job) => ({
    ...job,
    tasks: job.tasks.map((task) => ({ ...task, ms: 10 * minute })),
  }))
  return { ...week, jobs, travel: { ...week.travel, between } }
}

describe("a roster", () => {
  test("can be worked after every step of the search, also where a detour is shorter than the direct way", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10_000 }), (seed) => {
        const week = withOddWays(seed)
        const work = workOf(week)
        const roster = greedy(work)
        const random = randomOf(seed)
        const all = new Set(work.jobs.keys())
        let worth = roster.worth()
        for (let step = 0; step < 150; step++) {
          worth = improve(roster, worth, all, 40, random)
          if (step % 10 === 0) expect(faultsOf(roster.slots(), week)).toEqual([])
        }
        expect(faultsOf(roster.slots(), week)).toEqual([])
      }),
      { seed: 3, numRuns: 15 },
    )
  })

  test("is worth what the score says, but for what was planned before", () => {
    const week = withOddWays(1)
    const work = workOf(week)
    const roster = greedy(work)
    const random = randomOf(1)
    const before = scoreOf(roster.slots(), work).total - roster.worth()
    for (let step = 0; step < 50; step++)
      improve(roster, roster.worth(), new Set(work.jobs.keys()), 40, random)
    expect(scoreOf(roster.slots(), work).total - roster.worth()).toBeCloseTo(before, 6)
  })
})
