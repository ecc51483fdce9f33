import type { Clock } from "../../core/clock.ts"
import { messageOf } from "../../core/errors.ts"
import { improve } from "./improve.ts"
import { randomOf } from "./random.ts"
import { Roster } from "./roster.ts"
import { Routes } from "./routes.ts"
import type { Reply, Solver } from "./solver.ts"

export type SolveOptions = {
  readonly seed: number
  readonly timeLimitMs: number
  readonly clock: Clock
  readonly solver: Solver
  readonly signal: AbortSignal
}

/** How a plan came about. */
export type SolverReport = {
  /** Programs that HiGHS was given, those of them that it solved to the gap, and those that gave a better plan. */
  readonly programs: number
  readonly proven: number
  readonly helped: number
  /** By how many points they were better, all in all. */
  readonly points: number
  /** Steps of the search. */
  readonly steps: number
  /** The clock stopped it: another machine, or this one on another day, may get further. */
  readonly timeLimitHit: boolean
  /** Why HiGHS could not be used; null where it could. */
  readonly failed: string | null
}

/** What ends the work is counted, not timed, so that a seed gives the same plan on every machine that is fast enough. */
const rounds = 12
const [fewestSteps, mostSteps] = [600, 2000]
/** A step looks at about as many spots as the week has tasks. */
const tasksLookedAt = 240_000
/** A tiny week has been seen from all sides after so many steps for each task. */
const stepsByTask = 20
/** Of each person's working day so many are kept that the search has come by. */
const routesByDay = 10
const nodes = 20
const gap = 0.002
/** So many steps, then the days are noted, and others may use the thread. */
const stride = 10
/** At first a step may lose so many points, in the end none. */
const tolerance = 100

/**
 * Rounds of a search and a program for HiGHS, which picks from the days that the search has come by those that are best
 * together. Never worse than the roster that it begins with, which it leaves as it is.
 */
export async function solve(
  start: Roster,
  hopeful: ReadonlySet<number>,
  { seed, timeLimitMs, clock, solver, signal }: SolveOptions,
): Promise<{ readonly roster: Roster; readonly report: SolverReport }> {
  const random = randomOf(seed)
  const endMs = clock.now() + timeLimitMs
  const tasks = start.work.units.length
  const steps = Math.min(
    stepsByTask * tasks,
    mostSteps,
    Math.max(fewestSteps, Math.ceil(tasksLookedAt / tasks)),
  )
  const done = { programs: 0, proven: 0, helped: 0, points: 0, steps: 0 }
  let [timeLimitHit, failed]: [boolean, string | null] = [false, null]
  const routes = new Routes(routesByDay)
  let roster = start.copy()
  let worth = roster.worth()
  let [best, most] = [start, worth]
  for (let round = 0; round < rounds && hopeful.size > 0 && !timeLimitHit; round++) {
    for (let step = 0; step < steps && !timeLimitHit; step++) {
      const over = (round + step / steps) / rounds
      worth = improve(roster, worth, hopeful, tolerance * (1 - over) ** 2, random)
      done.steps += 1
      if (worth > most) [best, most] = [roster.copy(), worth]
      if (step % stride > 0) continue
      routes.note(roster)
      await new Promise(setImmediate)
      signal.throwIfAborted()
      timeLimitHit = clock.now() >= endMs
    }
    if (timeLimitHit || failed !== null) continue
    // Whatever HiGHS picks is then at least as good as the best so far, but for load, which it only estimates.
    routes.note(best)
    const { program, read } = routes.program(best)
    try {
      // HiGHS takes seeds of 31 bits.
      const limits = {
        seed: seed & 0x7fffffff,
        nodes,
        gap,
        seconds: Math.max(0.1, (endMs - clock.now()) / 1000),
      }
      const { values, timedOut, proven }: Reply = await solver.solve({ program, limits }, signal)
      timeLimitHit = timedOut
      done.programs += 1
      done.proven += proven ? 1 : 0
      if (values === null) continue
      const found = new Roster(start.work)
      for (const one of read(values)) found.putBack(one)
      const gain = found.worth() - most
      if (gain <= 0) continue
      done.helped += 1
      done.points += gain
      ;[best, most] = [found, found.worth()]
      ;[roster, worth] = [best.copy(), most]
    } catch (error) {
      signal.throwIfAborted()
      failed = messageOf(error)
    }
  }
  return { roster: best, report: { ...done, timeLimitHit, failed } }
}
