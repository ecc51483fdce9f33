/**
 * A week to be planned: who is free when and where, what is to be done, and what a plan of it says.
 * docs/auto-schedule.md tells planners what each of these means.
 */
import { z } from "zod"
import { name, priority, timeMs } from "../../core/vocabulary.ts"

const span = z
  .strictObject({ startMs: timeMs, endMs: timeMs })
  .refine(({ startMs, endMs }) => startMs < endMs, "expected an end after the start")
export type Span = z.infer<typeof span>

const durationMs = z.number().int().positive()

/** Degrees as GPS gives them. Without them only `between` knows how far it is. */
const place = z.strictObject({ id: name, lat: z.number().optional(), lon: z.number().optional() })
export type Place = z.infer<typeof place>

/** By the great circle times `detour`, at a speed; `between` comes first, both ways. What neither knows takes no time. */
const travel = z.strictObject({
  kmPerHour: z.number().positive(),
  detour: z.number().min(1),
  between: z.array(z.strictObject({ from: name, to: name, ms: z.number().int().nonnegative() })),
})
export type Travel = z.infer<typeof travel>

const skillName = z.string().min(1)

const person = z.strictObject({
  id: name,
  /** Skills and qualifications alike, each valid up to an instant. */
  skills: z.array(z.strictObject({ skill: skillName, untilMs: timeMs.nullable() })),
  craft: name.nullable(),
  /** Free working time: holidays, absences and what is planned already are cut out of it. */
  shifts: z.array(span),
  /** The longest that they work in one go, also where it is planned already; by default the longest of `shifts`. */
  longestMs: durationMs.optional(),
  /** Where a working day begins and ends. */
  home: place.nullable(),
  /** What is planned already and stays: it counts as load, and the way there and on is kept free. */
  fixed: z.array(z.strictObject({ startMs: timeMs, endMs: timeMs, place: place.nullable() })),
})
export type Person = z.infer<typeof person>

const task = z.strictObject({
  id: z.string().min(1),
  ms: durationMs,
  craft: name.nullable(),
  skills: z.array(skillName),
  /** Held by whoever does it, also where a planner has named them; of craft and skills the planner may think otherwise. */
  qualifications: z.array(skillName),
  /** Ids of the tasks of this job that must be finished before. */
  after: z.array(z.string()),
  /** Whom a planner has named. */
  person: name.nullable(),
})
export type Task = z.infer<typeof task>

const job = z.strictObject({
  id: z.string().min(1),
  /** As people know it: WO-000042. */
  number: z.string().min(1),
  priority,
  dueMs: timeMs,
  earliestMs: timeMs,
  /** When the asset may be worked on; null: always. */
  windows: z.array(span).nullable(),
  place: place.nullable(),
  /** `fromMs`: when what is missing is expected, if anybody knows. `why` is told as it is. */
  parts: z.strictObject({ available: z.boolean(), fromMs: timeMs.nullable(), why: z.string() }),
  /** It has a time that lies ahead: it is given another one, and never left for the sake of what has none. */
  timed: z.boolean().default(false),
  tasks: z.array(task).min(1),
})
export type Job = z.infer<typeof job>

/** What a plan is worth, in points: docs/auto-schedule.md says each in words. */
const weights = z.strictObject({
  /** An order that is planned, by its priority from 1 to 5. */
  priority: z
    .tuple([z.number(), z.number(), z.number(), z.number(), z.number()])
    .default([1000, 400, 150, 60, 25]),
  /** Each hour of its work, as a share of that. */
  perHour: z.number().nonnegative().default(0.1),
  /** Each day past its due time, or past the beginning of the week where that is later, as a share of the order's worth. */
  latePerDay: z.number().nonnegative().default(0.08),
  /** Each day that it is finished before the end of the week, as a share of the order's worth. */
  earlyPerDay: z.number().nonnegative().default(0.01),
  /** An hour on the way. */
  travelHour: z.number().nonnegative().default(10),
  /** An hour of work for somebody whose week is full with it; half of it where the week is half full. */
  loadHour: z.number().nonnegative().default(1),
  /** A task that somebody else goes on with. */
  handover: z.number().nonnegative().default(10),
})

export const week = z
  .strictObject({
    fromMs: timeMs,
    toMs: timeMs,
    people: z.array(person),
    jobs: z.array(job),
    travel,
    /** Who is off for so long has been home in between: the next working day begins there. */
    restMs: durationMs.default(4 * 3_600_000),
    weights: weights.prefault({}),
  })
  .superRefine(({ fromMs, toMs, people, jobs }, context) => {
    const say = (path: (string | number)[], message: string) =>
      context.addIssue({ code: "custom", path, message })
    if (fromMs >= toMs) say(["toMs"], "expected an end after the start")
    const known = new Set(people.map(({ id }) => id))
    if (known.size < people.length) say(["people"], "expected each person once")
    if (new Set(jobs.map(({ id }) => id)).size < jobs.length) say(["jobs"], "expected each order once")
    people.forEach(({ shifts }, at) => {
      const sorted = shifts.toSorted((a, b) => a.startMs - b.startMs)
      if (sorted.some(({ startMs }, next) => startMs < (sorted[next - 1]?.endMs ?? startMs)))
        say(["people", at, "shifts"], "expected shifts that do not overlap")
    })
    jobs.forEach(({ tasks }, at) => {
      const problem = orderProblem(tasks)
      if (problem !== undefined) say(["jobs", at, "tasks"], problem)
    })
  })
export type Week = z.infer<typeof week>

/** One task, or one piece of a task that is longer than a shift, in one person's week. */
export type Slot = {
  readonly job: string
  readonly task: string
  /** From 1; `pieces` is 1 where the task is done in one go. */
  readonly piece: number
  readonly pieces: number
  readonly person: string
  readonly startMs: number
  readonly finishMs: number
}

/** An order that the week has no place for. */
type Left = { readonly job: string; readonly why: string }

/** The points of a plan and what they are made of; costs are negative. */
export type Score = {
  readonly total: number
  readonly planned: number
  readonly late: number
  readonly early: number
  readonly travel: number
  readonly load: number
  readonly handover: number
}

export type WeekPlan = {
  readonly slots: readonly Slot[]
  readonly left: readonly Left[]
  readonly score: Score
}

function orderProblem(tasks: readonly Task[]): string | undefined {
  if (new Set(tasks.map(({ id }) => id)).size < tasks.length) return "expected each task once"
  const before = new Set<string>()
  // Each round takes what waits for nothing that is left; what no round takes waits for itself or for nobody.
  for (let left = tasks; left.length > 0; ) {
    const blocked = left.filter(({ after }) => after.some((id) => !before.has(id)))
    if (blocked.length === left.length)
      return `task "${blocked[0]?.id}" waits for itself, or for a task that is not there`
    for (const one of left) if (!blocked.includes(one)) before.add(one.id)
    left = blocked
  }
  return undefined
}
