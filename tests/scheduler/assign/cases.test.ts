import { readdirSync, readFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import { parse } from "yaml"
import { z } from "zod"
import { autoSchedule, byHand } from "../../../scheduler/assign/index.ts"
import type { WeekPlan } from "../../../scheduler/assign/problem.ts"
import { faultsOf } from "./checker.ts"
import { handMade, weekOf } from "./hand-made.ts"

const folder = new URL("./cases/", import.meta.url)
const planned = ({ slots }: WeekPlan) =>
  [...new Set(slots.map(({ job }) => Number(job)))].toSorted((a, b) => a - b)
const reasons = ({ left }: WeekPlan) => Object.fromEntries(left.map(({ job, why }) => [job, why]))

for (const file of readdirSync(folder)) {
  describe(file, () => {
    const cases = z
      .array(handMade)
      .min(1)
      .parse(parse(readFileSync(new URL(file, folder), "utf8")))
    for (const one of cases) {
      test(one.case, async () => {
        const week = weekOf(one)
        const hand = byHand(week)
        const solved = await autoSchedule(week, { seed: 1 })
        expect(faultsOf(hand.slots, week)).toEqual([])
        expect(faultsOf(solved.slots, week)).toEqual([])
        expect({ greedy: planned(hand), solver: planned(solved) }).toEqual({
          greedy: one.greedy,
          solver: one.solver,
        })
        expect(solved.greedyScore).toEqual(hand.score)
        expect(solved.score.total).toBeGreaterThanOrEqual(hand.score.total)
        expect(reasons(hand)).toMatchObject(one.whyGreedyLeft)
        expect(reasons(solved)).toMatchObject(one.whyLeft)
      })
    }
  })
}
