import { type Clock, systemClock } from "../../core/clock.ts"
import { greedy } from "./greedy.ts"
import type { Score, Week, WeekPlan } from "./problem.ts"
import type { Roster } from "./roster.ts"
import { scoreOf } from "./score.ts"
import { type SolverReport, solve } from "./solve.ts"
import { highsSolver, type Solver } from "./solver.ts"
import { hopefulOf, whyLeft } from "./why.ts"
import { workOf } from "./work.ts"

export type AutoScheduleOptions = {
  /** The same week and seed give the same plan, unless the time limit was hit. */
  readonly seed: number
  /** Default 30 s. It holds for all of it. */
  readonly timeLimitMs?: number
  /** Gives up: rejects with the signal's reason. */
  readonly signal?: AbortSignal
  /** Of the times in the reasons. Default UTC. */
  readonly timeZone?: string
  readonly clock?: Clock
  readonly solver?: Solver
}

export type AutoSchedule = WeekPlan & {
  /** What the same week is worth by hand: never more than `score`. */
  readonly greedyScore: Score
  readonly greedyOrders: number
  readonly solver: SolverReport
}

/** What is kept of the time limit for reasons, and for the solver's thread to end: 1 s, or a tenth of a short one. */
const reserveMs = 1000

/**
 * Plans a week with HiGHS and a search, and at least as well as by hand. The week is one that its schema has read.
 * docs/auto-schedule.md.
 */
export async function autoSchedule(
  week: Week,
  {
    seed,
    timeLimitMs = 30_000,
    signal = new AbortController().signal,
    timeZone = "UTC",
    clock = systemClock,
    solver = highsSolver(clock),
  }: AutoScheduleOptions,
): Promise<AutoSchedule> {
  const beganMs = clock.now()
  try {
    const work = workOf(week)
    const byHand = greedy(work)
    const hopeful = hopefulOf(work)
    const kept = Math.min(reserveMs, timeLimitMs / 10)
    const restMs = Math.max(0, timeLimitMs - kept - (clock.now() - beganMs))
    const found = await solve(byHand, hopeful, { seed, timeLimitMs: restMs, clock, solver, signal })
    const greedyScore = scoreOf(byHand.slots(), work)
    const plan = planOf(found.roster, hopeful, timeZone)
    return { ...plan, greedyScore, greedyOrders: byHand.jobs().length, solver: found.report }
  } finally {
    await solver.close()
  }
}

/** The plan that a good planner makes by hand, for comparison. */
export function byHand(week: Week, timeZone = "UTC"): WeekPlan {
  const work = workOf(week)
  return planOf(greedy(work), hopefulOf(work), timeZone)
}

function planOf(roster: Roster, hopeful: ReadonlySet<number>, timeZone: string): WeekPlan {
  const { work } = roster
  const slots = roster.slots().toSorted((a, b) => a.startMs - b.startMs || (a.person < b.person ? -1 : 1))
  const left = roster.left().map((number) => ({
    job: work.jobs[number]?.job.id ?? "",
    why: whyLeft(number, roster, hopeful, timeZone),
  }))
  return { slots, left, score: scoreOf(slots, work) }
}
