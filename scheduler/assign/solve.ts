import type { Clock } from "../../core/clock.ts"
import { messageOf } from "../../core/errors.ts"
import { improve } from "./improve.ts"
import { programFor, realised } from "./neighbourhood.ts"
import { type Random, randomOf } from "./random.ts"
import type { Roster } from "./roster.ts"
import type { Solver } from "./solver.ts"

export type SolveOptions = {
  readonly seed: number
  readonly timeLimitMs: number
  readonly clock: Clock
  readonly solver: Solver
  readonly signal: AbortSignal
}

/** How a plan came about. */
export type SolverReport = {
  /** Programs that HiGHS was given, those of them that it solved to the gap, and those that made the plan better. */
  readonly programs: number
  readonly proven: number
  readonly helped: number
  /** Steps of the search between them. */
  readonly steps: number
  /** The clock stopped it: another machine, or this one on another day, may get further. */
  readonly timeLimitHit: boolean
  /** Why HiGHS could not be used; null where it could. */
  readonly failed: string | null
}

/** What ends the work is counted, not timed, so that a seed gives the same plan on every machine that is fast enough. */
const rounds = 16
/** Of a week that is not small. */
const mostSteps = 600
const stepsByTask = 20
const nodes = 20
const gap = 0.02
/** So many steps, then others may use the thread. */
const stride = 10
/** At first a step may lose so many points, in the end none. */
const tolerance = 30

/**
 * Rounds of a program for HiGHS and a search that mends and goes on from it. Never worse than the roster that it begins
 * with, which it leaves as it is.
 */
export async function solve(
  start: Roster,
  hopeful: ReadonlySet<number>,
  { seed, timeLimitMs, clock, solver, signal }: SolveOptions,
): Promise<{ readonly roster: Roster; readonly report: SolverReport }> {
  const random = randomOf(seed)
  const endMs = clock.now() + timeLimitMs
  const stepsOfARound = Math.min(mostSteps, stepsByTask * start.work.units.length)
  const isOver = () => clock.now() >= endMs
  const done = { programs: 0, proven: 0, helped: 0, steps: 0 }
  let [timeLimitHit, failed]: [boolean, string | null] = [false, null]
  let roster = start.copy()
  let worth = roster.worth()
  let [best, most] = [start, worth]
  /** A small week is one program, which has one answer. */
  let allAtOnce = false
  for (let round = 0; round < rounds && hopeful.size > 0 && !timeLimitHit && failed === null; round++) {
    try {
      if (!allAtOnce) {
        const seconds = Math.max(0.1, (endMs - clock.now()) / 1000)
        const answer = await byProgram(roster, hopeful, random, { seed, seconds, solver, signal })
        done.programs += 1
        done.proven += answer.proven ? 1 : 0
        timeLimitHit = answer.timedOut || isOver()
        allAtOnce = answer.orders === hopeful.size
        const wanted = answer.roster?.worth() ?? Number.NEGATIVE_INFINITY
        if (answer.roster !== null && wanted > worth) {
          ;[roster, worth] = [answer.roster, wanted]
          done.helped += 1
        }
      }
    } catch (error) {
      signal.throwIfAborted()
      failed = messageOf(error)
    }
    for (let step = 0; step < stepsOfARound && !timeLimitHit; step++) {
      if (worth > most) [best, most] = [roster.copy(), worth]
      const over = (round + step / stepsOfARound) / rounds
      worth = improve(roster, worth, hopeful, tolerance * (1 - over) ** 2, random)
      done.steps += 1
      if (step % stride > 0) continue
      await new Promise(setImmediate)
      signal.throwIfAborted()
      timeLimitHit = isOver()
    }
    if (worth > most) [best, most] = [roster.copy(), worth]
  }
  return { roster: best, report: { ...done, timeLimitHit, failed } }
}

/** What HiGHS makes of a part of the week; null where it found nothing within its limits. */
async function byProgram(
  roster: Roster,
  hopeful: ReadonlySet<number>,
  random: Random,
  {
    seed,
    seconds,
    solver,
    signal,
  }: Pick<SolveOptions, "seed" | "solver" | "signal"> & { readonly seconds: number },
) {
  const { program, read, jobs } = programFor(roster, hopeful, random)
  // HiGHS takes seeds of 31 bits.
  const limits = { seed: seed & 0x7fffffff, nodes, gap, seconds }
  const { values, timedOut, proven } = await solver.solve({ program, limits }, signal)
  const found = values === null ? null : realised(roster, jobs, read(values), hopeful)
  return { roster: found, orders: jobs.length, timedOut, proven }
}
