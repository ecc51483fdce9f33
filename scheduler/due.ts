/** When a plan is due next on an asset, and how much of the way there has gone: pure. */
import { type MeterMemory, never, totalOf } from "../core/meter.ts"
import { addPeriod, type Period, periodLengthMs } from "../core/period.ts"
import type { PlanSchedule } from "../core/plan-schedule.ts"
import { isDated, type MeterTrigger, type PlanTrigger } from "../core/plant-planning.ts"
import { countedOccurrences, type Occurrences, occurrencesOf } from "../core/schedule.ts"
import { inSeason, nextSeasonStart, type Season } from "../core/season.ts"
import type { Assignment } from "./plans.ts"
import type { Counted, Cycle } from "./state.ts"

const day = 86_400_000
/** So many dates out of season are passed over: a plan whose dates never fall into its season is never due. */
const passedOver = 4000

export type Due = {
  /** The number of the trigger, counted from 0. */
  readonly trigger: number
  /** When the work is due: of a meter the time at which it was, or is expected to be, there. */
  readonly dueMs: number
  /** Of a meter: the reading, counted on across resets. */
  readonly reading?: number
  /** When the order is asked for; infinite where only a reading can tell. */
  readonly askMs: number
}

export type Meters = {
  of(asset: string, signal: string): MeterMemory | undefined
  /** Readings are not waited for: each meter goes on as it did (a forecast). In units a day. */
  readonly projected?: ((meter: MeterMemory) => number) | undefined
}

export type Standing = { readonly assignment: Assignment; readonly cycle: Cycle; readonly meters: Meters }

/** Whichever trigger comes first; undefined while the plan waits for an order, or for what nobody can date. */
export function nextDue(standing: Standing): Due | undefined {
  const { assignment, cycle } = standing
  const isWaiting = cycle.asked !== null || cycle.covered !== null
  if (assignment.plan.mode === "floating" && isWaiting) return undefined
  let first: Due | undefined
  assignment.triggers.forEach((trigger, number) => {
    const due = dueOf(trigger, number, standing)
    if (due !== undefined && (first === undefined || due.dueMs < first.dueMs)) first = due
  })
  return first
}

function dueOf(trigger: PlanTrigger, number: number, standing: Standing): Due | undefined {
  if ("meter" in trigger) return meterDue(trigger, number, standing)
  if (!isDated(trigger)) return undefined
  const { plan } = standing.assignment
  const dueMs = calendarDue(trigger, standing)
  if (dueMs === undefined) return undefined
  return { trigger: number, dueMs, askMs: Math.max(dueMs - plan.lead, standing.cycle.notBeforeMs) }
}

/**
 * The dates, in season, of a schedule that names them; undefined for an `every` that is counted from the last time: in a
 * floating plan, or beside other triggers, which all begin anew when one of them has come.
 */
export function datesOf(schedule: PlanSchedule, assignment: Assignment): Occurrences | undefined {
  const { plan, triggers, timeZone } = assignment
  if (!("every" in schedule)) return inSeasonOnly(occurrencesOf(schedule, timeZone), plan.season, timeZone)
  const from = "from" in schedule ? schedule.from : undefined
  if (from === undefined || plan.mode === "floating" || triggers.length > 1) return undefined
  return inSeasonOnly(occurrencesOf({ every: schedule.every, from }, timeZone), plan.season, timeZone)
}

/** Dates that fall out of season fall out. */
function inSeasonOnly(dates: Occurrences, season: Season | undefined, timeZone: string): Occurrences {
  if (season === undefined) return dates
  const first = (next: (dateMs: number) => number | undefined, dateMs: number | undefined) => {
    let found = dateMs
    for (let passed = 0; found !== undefined && passed < passedOver; passed++) {
      if (inSeason(found, season, timeZone)) return found
      found = next(found)
    }
    return undefined
  }
  return {
    from: (ms) => first((date) => dates.from(nextSeasonStart(date, season, timeZone)), dates.from(ms)),
    upTo: (ms) => first((date) => dates.upTo(date - 1), dates.upTo(ms)),
  }
}

export function calendarDue(schedule: PlanSchedule, { assignment, cycle }: Standing): number | undefined {
  const { plan, timeZone } = assignment
  const { from, sinceMs } = cycle
  const dates = datesOf(schedule, assignment)
  if (dates !== undefined) {
    const dueMs = dates.from(from.why === "begin" ? sinceMs : Math.max(sinceMs, from.atMs + 1))
    return plan.mode === "floating" && dueMs !== undefined ? unlessMet(dueMs, dates, from) : dueMs
  }
  if (!("every" in schedule)) return undefined
  const countedMs = from.why === "begin" ? firstCounted(schedule, assignment, cycle) : undefined
  const dueMs = countedMs ?? addPeriod(from.atMs, schedule.every, timeZone)
  return plan.season === undefined ? dueMs : nextSeasonStart(dueMs, plan.season, timeZone)
}

/** Work done in the second half of the way to a date was done for that date. */
function unlessMet(dueMs: number, dates: Occurrences, from: Counted): number | undefined {
  const beforeMs = dates.upTo(dueMs - 1)
  const isDone = from.why === "done" || from.why === "credit"
  if (!isDone || beforeMs === undefined || from.atMs - beforeMs < (dueMs - beforeMs) / 2) return dueMs
  return dates.from(dueMs + 1)
}

function firstCounted(
  schedule: Extract<PlanSchedule, { readonly every: Period }>,
  { plan, timeZone }: Assignment,
  { sinceMs }: Cycle,
): number | undefined {
  const from = "from" in schedule ? schedule.from : undefined
  if (from !== undefined) return countedOccurrences(schedule.every, Date.parse(from), timeZone).from(sinceMs)
  return plan.start === "due" ? sinceMs : undefined
}

function meterDue(
  { meter, every }: MeterTrigger,
  number: number,
  { assignment, cycle, meters }: Standing,
): Due | undefined {
  const { plan, asset, timeZone } = assignment
  const memory = meters.of(asset.id, meter)
  const base = cycle.from.readings[meter]
  if (memory === undefined || memory.lastMs === never || base === undefined) return undefined
  const reading = base + every
  const reached = totalOf(memory) >= reading
  const reachedMs = reached ? memory.lastMs : timeOf(memory, reading, meters)
  if (reachedMs === undefined || !Number.isSafeInteger(reachedMs)) return undefined
  const dueMs = plan.season === undefined ? reachedMs : nextSeasonStart(reachedMs, plan.season, timeZone)
  const isKnown = reached || plan.lead > 0 || meters.projected !== undefined
  const askMs = isKnown ? Math.max(dueMs - plan.lead, cycle.notBeforeMs) : Number.POSITIVE_INFINITY
  // What a reading has just told is not asked for as if it had been known before.
  return { trigger: number, dueMs, reading, askMs: Math.max(askMs, memory.lastMs) }
}

function dailyUseOf(memory: MeterMemory, meters: Meters): number | undefined {
  const perDay = meters.projected === undefined ? memory.perDay : meters.projected(memory)
  return perDay > 0 ? perDay : undefined
}

/** When the meter comes to a reading, as far as its daily use tells. */
export function timeOf(memory: MeterMemory, reading: number, meters: Meters): number | undefined {
  const perDay = dailyUseOf(memory, meters)
  return perDay && memory.lastMs + Math.round(((reading - totalOf(memory)) / perDay) * day)
}

/** What the meter reads, has read or will read at a time, as far as its daily use tells. */
export function readingAt(asset: string, signal: string, atMs: number, meters: Meters): number | undefined {
  const memory = meters.of(asset, signal)
  if (memory === undefined || memory.lastMs === never) return undefined
  return totalOf(memory) + ((dailyUseOf(memory, meters) ?? 0) * (atMs - memory.lastMs)) / day
}

/**
 * How much of the way from the last time to the next has gone at a time, by the trigger that is farthest: 0 none, 1 all
 * of it, less than 0 before the last time. Work done in the second half is nearer to the next time, so that one is met
 * by it.
 * `at.readings` are known readings of meters at that time.
 */
export function shareGone(
  { assignment, cycle, meters }: Standing,
  at: { readonly ms: number; readonly readings?: Readonly<Record<string, number>> | undefined },
): number {
  let most = Number.NEGATIVE_INFINITY
  for (const trigger of assignment.triggers) {
    const share =
      "meter" in trigger
        ? meterShare(trigger, { assignment, cycle, meters }, at)
        : isDated(trigger)
          ? calendarShare(trigger, { assignment, cycle, meters }, at.ms)
          : 0
    if (share > most) most = share
  }
  return Number.isFinite(most) ? most : 0
}

function meterShare(
  { meter, every }: MeterTrigger,
  { assignment, cycle, meters }: Standing,
  { ms, readings }: { readonly ms: number; readonly readings?: Readonly<Record<string, number>> | undefined },
): number {
  const base = cycle.from.readings[meter]
  const now = readings?.[meter] ?? readingAt(assignment.asset.id, meter, ms, meters)
  return base === undefined || now === undefined ? 0 : (now - base) / every
}

function calendarShare(schedule: PlanSchedule, standing: Standing, ms: number): number {
  const { assignment, cycle } = standing
  const dueMs = calendarDue(schedule, standing)
  if (dueMs === undefined) return 0
  const usualMs = "every" in schedule ? periodLengthMs(schedule.every) : undefined
  const beforeMs =
    datesOf(schedule, assignment)?.upTo(dueMs - 1) ?? dueMs - (usualMs ?? dueMs - cycle.sinceMs)
  const lastMs = cycle.from.why === "begin" ? beforeMs : Math.max(beforeMs, cycle.from.atMs)
  return dueMs <= lastMs ? 1 : (ms - lastMs) / (dueMs - lastMs)
}
