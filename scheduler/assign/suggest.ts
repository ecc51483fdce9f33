/** Who could do one order, best first, with what speaks for and against each of them. */
import { MillwrightError } from "../../core/errors.ts"
import { localTime } from "../../core/wording.ts"
import { earliestOf, earliestSpot } from "./greedy.ts"
import type { Person, Task, Week } from "./problem.ts"
import { heldUntil } from "./qualified.ts"
import { Roster } from "./roster.ts"
import { earlyGain, lateCost, travelCost } from "./score.ts"
import { type Way, wayOf } from "./travel.ts"
import { hopefulOf, whyLeft } from "./why.ts"
import { hoursInWords, listed } from "./words.ts"
import { type Work, type WorkJob, workOf } from "./work.ts"

type Suggestion = {
  readonly person: string
  /** Tasks that they may do; empty: they are not qualified. */
  readonly tasks: readonly string[]
  /** Of those tasks, as early as they can this week; null where they can't. */
  readonly startMs: number | null
  readonly finishMs: number | null
  /** What ranks those who may do the same: earliness, less lateness, way and load, as in the score of a week. */
  readonly points: number
  /** Every criterion in words, the deciding ones first. */
  readonly why: readonly string[]
}

export type Suggestions = {
  /** What holds for the order whoever does it: parts, windows, due. */
  readonly about: readonly string[]
  readonly people: readonly Suggestion[]
}

/** `week` has the order and the people; what is planned already is in their `fixed`. Throws `NOT_FOUND`. */
export function suggest(week: Week, jobId: string, timeZone = "UTC"): Suggestions {
  const job = week.jobs.find(({ id }) => id === jobId)
  if (job === undefined)
    throw new MillwrightError("NOT_FOUND", `the order ${jobId} is not among those to be planned`)
  // Whom a planner has named is told, and does not keep the others from being compared.
  const open = { ...job, tasks: job.tasks.map((task) => ({ ...task, person: null })) }
  const work = workOf({ ...week, jobs: [open] })
  const way = wayOf(week.travel)
  const people = week.people.map((_, number) => suggestionOf(number, work, way, job.tasks, timeZone))
  return {
    about: aboutOrder(work, timeZone),
    people: people.toSorted(
      (a, b) =>
        b.tasks.length - a.tasks.length ||
        Number(b.startMs !== null) - Number(a.startMs !== null) ||
        b.points - a.points ||
        (a.person < b.person ? -1 : 1),
    ),
  }
}

function suggestionOf(
  number: number,
  work: Work,
  way: Way,
  asNamed: readonly Task[],
  timeZone: string,
): Suggestion {
  const { week, people, units } = work
  const one = work.jobs[0]
  const person = people[number]?.person
  if (one === undefined || person === undefined) throw new RangeError(`there is no person ${number}`)
  const own = one.units.filter((unit) => units[unit]?.able.some((able) => isFor(able, number, week.fromMs)))
  const tasks = [...new Set(own.flatMap((unit) => units[unit]?.task.id ?? []))]
  const roster = new Roster(work)
  const earliest = earliestSpot(roster)
  let wayMs = 0
  const fits =
    own.length > 0 &&
    roster.put(0, (unit, fromMs) => {
      if (!own.includes(unit)) return earliest(unit, fromMs)
      const spot = earliestOf(roster, unit, number, fromMs)
      wayMs += spot?.wayMs ?? 0
      return spot
    })
  const spots = fits ? own.flatMap((unit) => placedAt(unit, roster)) : []
  const startMs = spots.length === 0 ? null : Math.min(...spots.map((spot) => spot.startMs))
  const finishMs = spots.length === 0 ? null : Math.max(...spots.map((spot) => spot.finishMs))
  const ownMs = own.reduce((sum, unit) => sum + (units[unit]?.ms ?? 0), 0)
  const points =
    finishMs === null
      ? 0
      : earlyGain(one, finishMs, work) -
        lateCost(one, finishMs, work) -
        travelCost(wayMs, work) -
        new Roster(work).extraLoad(number, ownMs)
  const named = asNamed.filter((task) => task.person === person.id).map(({ id }) => `task ${id}`)
  return {
    person: person.id,
    tasks,
    startMs,
    finishMs,
    points,
    why: [
      ...(named.length === 0 ? [] : [`named by a planner for ${listed(named)}`]),
      ...(tasks.length > 0 && tasks.length < one.job.tasks.length
        ? [`may do ${listed(tasks.map((id) => `task ${id}`))} of ${one.job.tasks.length}`]
        : []),
      ...qualificationsOf(person, one, week, timeZone),
      ...(tasks.length === 0 ? [] : [timeInWords(person, one, startMs, finishMs, timeZone)]),
      ...wayInWords(person, one, way),
      loadInWords(number, work),
    ],
  }
}

/** An expired skill is none. */
function isFor(
  able: { readonly person: number; readonly untilMs: number },
  person: number,
  fromMs: number,
): boolean {
  return able.person === person && able.untilMs > fromMs
}

function placedAt(number: number, roster: Roster) {
  const placement = roster.placementOf(number)
  const ms = roster.work.units[number]?.ms ?? 0
  return placement === undefined ? [] : [{ startMs: placement.startMs, finishMs: placement.startMs + ms }]
}

function qualificationsOf(person: Person, { job }: WorkJob, week: Week, timeZone: string): string[] {
  const skills = [...new Set(job.tasks.flatMap((task) => [...task.qualifications, ...task.skills]))]
  const crafts = [...new Set(job.tasks.flatMap(({ craft }) => craft ?? []))]
  const has: string[] = []
  const lacks: string[] = []
  if (crafts.length > 0) {
    const wanted = listed(crafts.map((craft) => `"${craft}"`))
    if (person.craft !== null && crafts.includes(person.craft)) has.push(`has the craft "${person.craft}"`)
    else if (person.craft === null) lacks.push(`has no craft, ${wanted} is wanted`)
    else lacks.push(`has the craft "${person.craft}", ${wanted} is wanted`)
  }
  for (const skill of skills) {
    const untilMs = heldUntil(person, skill)
    if (untilMs === undefined) lacks.push(`lacks "${skill}"`)
    else if (untilMs === Number.POSITIVE_INFINITY) has.push(`has "${skill}"`)
    else {
      // The last day on which it is valid: it may end as that day does.
      const date = localTime(untilMs - 1, timeZone).slice(0, 10)
      if (untilMs <= week.fromMs) lacks.push(`"${skill}" expired on ${date}`)
      else has.push(`has "${skill}" until ${date}`)
    }
  }
  return [...lacks, ...has]
}

function timeInWords(
  person: Person,
  { job }: WorkJob,
  startMs: number | null,
  finishMs: number | null,
  timeZone: string,
): string {
  if (startMs === null || finishMs === null) return "has no time for it this week"
  const shift = person.shifts.find((one) => one.startMs <= startMs && startMs < one.endMs)
  const clock = (ms: number) => localTime(ms, timeZone).slice(11)
  const on =
    shift === undefined
      ? ""
      : `, on shift ${weekday(shift.startMs, timeZone)} ${clock(shift.startMs)}–${clock(shift.endMs)}`
  const lateMs = finishMs - job.dueMs
  const due = lateMs > 0 ? `${hoursInWords(lateMs)} late` : "in time"
  return `from ${localTime(startMs, timeZone)} to ${localTime(finishMs, timeZone)}, ${due}${on}`
}

function weekday(ms: number, timeZone: string): string {
  return new Intl.DateTimeFormat("en-GB", { timeZone, weekday: "long" }).format(ms)
}

function wayInWords({ home }: Person, { job }: WorkJob, way: Way): string[] {
  if (home === null || job.place === null) return []
  if (home.id === job.place.id) return ["begins the day there"]
  return [`${hoursInWords(way(home, job.place))} from ${home.id}`]
}

function loadInWords(number: number, { people }: Work): string {
  const { fixedMs = 0, capacityMs = 0 } = people[number] ?? {}
  if (capacityMs === 0) return "not at work this week"
  return `${hoursInWords(fixedMs)} of ${hoursInWords(capacityMs)} planned this week`
}

function aboutOrder(work: Work, timeZone: string): string[] {
  const one = work.jobs[0]
  if (one === undefined) return []
  const { job } = one
  const { parts } = job
  const about = [`due ${localTime(job.dueMs, timeZone)}`]
  if (parts.why !== "") about.push(`parts: ${parts.why}`)
  if (job.windows !== null) {
    const spans = one.windows.map(
      ({ startMs, endMs }) => `${localTime(startMs, timeZone)} to ${localTime(endMs, timeZone)}`,
    )
    about.push(spans.length === 0 ? "may not be worked on this week" : `may be worked on ${listed(spans)}`)
  }
  const roster = new Roster(work)
  const hopeful = hopefulOf(work)
  if (!hopeful.has(0)) about.push(`can't be planned this week: ${whyLeft(0, roster, hopeful, timeZone)}`)
  return about
}
