/** How a plan's count on an asset goes on: pure steps from one standing to the next. */
import { type MeterMemory, never, totalOf } from "../core/meter.ts"
import type { PlanSchedule } from "../core/plan-schedule.ts"
import { isDated, type MeterTrigger, type PlanSpec } from "../core/plant-planning.ts"
import { countedOccurrences, type Occurrences } from "../core/schedule.ts"
import { calendarDue, datesOf, type Meters, readingAt, type Standing } from "./due.ts"
import type { Assignment } from "./plans.ts"
import type { Counted, Cycle } from "./state.ts"

/** A time, with the readings of meters that are known to have stood so then. */
export type At = { readonly ms: number; readonly readings?: Readonly<Record<string, number>> | undefined }

export function begin({ changedIn, timeZone }: Assignment, atMs: number): Cycle {
  return {
    changedIn,
    timeZone,
    sinceMs: atMs,
    notBeforeMs: atMs,
    from: { why: "begin", atMs, readings: {} },
    asked: null,
    told: null,
    workedMs: null,
    covered: null,
    events: {},
    episodes: {},
  }
}

/** A plan that was changed goes on counting from where it was; what is dated begins anew. */
export function takeOver(cycle: Cycle, assignment: Assignment, atMs: number): Cycle {
  const { changedIn, timeZone } = assignment
  if (cycle.changedIn === changedIn && cycle.timeZone === timeZone) return cycle
  const isCounted = assignment.triggers.some((one) => !isDated(one) || datesOf(one, assignment) === undefined)
  const from: Counted = isCounted ? cycle.from : { why: "begin", atMs, readings: {} }
  return { ...cycle, changedIn, timeZone, sinceMs: atMs, notBeforeMs: atMs, from }
}

/** Where the count of a meter begins that is read for the first time since the plan has it. */
export function firstBase({ start }: PlanSpec, { every }: MeterTrigger, memory: MeterMemory): number {
  const total = totalOf(memory)
  if (start === "interval") return total
  return start === "due" ? total - every : Math.floor(total / every) * every
}

/** A meter that is known before the plan counts it begins with what it reads now. */
export function withBases(cycle: Cycle, { plan, asset, triggers }: Assignment, meters: Meters): Cycle {
  const readings = { ...cycle.from.readings }
  for (const trigger of triggers) {
    if (!("meter" in trigger) || readings[trigger.meter] !== undefined) continue
    const memory = meters.of(asset.id, trigger.meter)
    if (memory !== undefined && memory.lastMs !== never)
      readings[trigger.meter] = firstBase(plan, trigger, memory)
  }
  return { ...cycle, from: { ...cycle.from, readings } }
}

/** A fixed plan has come due. Where it has several triggers all that is counted begins anew; what is dated stays. */
export function come(standing: Standing, at: At): Counted {
  if (standing.assignment.triggers.length === 1) return met(standing, at, "due")
  return { why: "due", atMs: notBack(standing, at.ms), readings: readingsAt(standing, at) }
}

/** What came before the newest occurrence, such as an event that is told late, takes nothing back. */
function notBack({ cycle: { from } }: Standing, ms: number): number {
  return from.why === "begin" ? ms : Math.max(ms, from.atMs)
}

/**
 * A fixed plan's occurrence that is nearest to this time is met: the next is counted from that occurrence. Where a plan
 * has several triggers, all that is counted begins anew at this time.
 */
export function met(standing: Standing, at: At, why: Counted["why"]): Counted {
  const { assignment, cycle } = standing
  const [only, ...others] = assignment.triggers
  if (only !== undefined && others.length === 0 && "meter" in only) {
    const base = cycle.from.readings[only.meter]
    const now =
      at.readings?.[only.meter] ?? readingAt(assignment.asset.id, only.meter, at.ms, standing.meters)
    if (base === undefined || now === undefined) return { ...cycle.from, why, atMs: at.ms }
    const passed = Math.max(1, Math.round((now - base) / only.every))
    return { why, atMs: at.ms, readings: { [only.meter]: base + passed * only.every } }
  }
  const atMs = assignment.triggers.reduce((latest, trigger) => {
    if (!isDated(trigger)) return latest
    const dates = datesOf(trigger, assignment) ?? seriesFrom(trigger, standing, others.length === 0)
    return dates === undefined ? latest : Math.max(latest, nearest(dates, at.ms) ?? latest)
  }, Number.NEGATIVE_INFINITY)
  const ms = Number.isFinite(atMs) ? atMs : at.ms
  const fromMs = others.length === 0 ? ms : notBack(standing, Math.max(ms, at.ms))
  return { why, atMs: fromMs, readings: readingsAt(standing, at) }
}

/** The only trigger of a fixed plan that is counted from its beginning is a series of its own, if it never waits. */
function seriesFrom(schedule: PlanSchedule, standing: Standing, isOnly: boolean): Occurrences | undefined {
  const { assignment, cycle } = standing
  const waits = assignment.plan.season !== undefined
  if (!isOnly || waits || !("every" in schedule)) return undefined
  const firstMs = cycle.from.why === "begin" ? calendarDue(schedule, standing) : cycle.from.atMs
  return firstMs === undefined ? undefined : countedOccurrences(schedule.every, firstMs, assignment.timeZone)
}

function nearest(dates: Occurrences, ms: number): number | undefined {
  const [before, after] = [dates.upTo(ms), dates.from(ms)]
  if (before === undefined || after === undefined) return before ?? after
  return ms - before < after - ms ? before : after
}

/** Of all meters of the plan. */
export function readingsAt({ assignment, cycle, meters }: Standing, at: At): Record<string, number> {
  const readings: Record<string, number> = {}
  for (const trigger of assignment.triggers) {
    if (!("meter" in trigger)) continue
    const { meter } = trigger
    const reading = at.readings?.[meter] ?? readingAt(assignment.asset.id, meter, at.ms, meters)
    const base = cycle.from.readings[meter]
    if (reading !== undefined) readings[meter] = base === undefined ? reading : Math.max(base, reading)
  }
  return readings
}

/**
 * A floating plan's work was done. Within its tolerance of the due reading it counts as done at that reading, so that the
 * interval does not drift.
 */
export function done(standing: Standing, at: At, why: "done" | "credit"): Counted {
  const { assignment, cycle } = standing
  const readings = readingsAt(standing, at)
  for (const trigger of assignment.triggers) {
    if (!("meter" in trigger)) continue
    const due = (cycle.from.readings[trigger.meter] ?? Number.NaN) + trigger.every
    const now = readings[trigger.meter]
    if (now !== undefined && Math.abs(now - due) <= trigger.tolerance) readings[trigger.meter] = due
  }
  return { why, atMs: at.ms, readings }
}

/** The date that an order was asked for is met when it is done, however far ahead of its date that was. */
export function sinceDone({ assignment, cycle }: Standing): number {
  const { asked, sinceMs } = cycle
  if (asked === null) return sinceMs
  const isDate = assignment.triggers.some(
    (one) => isDated(one) && datesOf(one, assignment)?.upTo(asked.dueMs) === asked.dueMs,
  )
  return isDate ? Math.max(sinceMs, asked.dueMs + 1) : sinceMs
}

/** What a part was counted from before it was left to the order of another plan, with meters that were read since. */
export function uncovered({ from, covered }: Cycle): Pick<Cycle, "covered" | "from"> {
  if (covered === null) return { covered, from }
  const { before } = covered
  return { covered: null, from: { ...before, readings: { ...from.readings, ...before.readings } } }
}
