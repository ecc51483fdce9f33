/** The days that a search has come by: material for a plan that is better than each of those that they are from. */
import { type Program, ProgramBuilder } from "./program.ts"
import type { Placement, Removed, Roster } from "./roster.ts"
import { gainAt, travelCost, wayOfDay } from "./score.ts"
import type { Stop, Work } from "./work.ts"

/** What somebody does on one working day, with the times. */
type Route = { readonly person: number; readonly day: number; readonly stops: readonly Stop[] }
/** One way in which an order of several tasks was done. */
type Variant = { readonly job: number; readonly keys: readonly string[]; readonly gain: number }
type Columns = readonly { readonly column: number; readonly route: Route }[]

/**
 * Set partitioning over the routes of earlier plans (Y. Rochat, E. Taillard, Journal of Heuristics 1, 1995). Each route
 * can be worked and has its times, so whatever fits together can be worked as well.
 */
export class Routes {
  private readonly perDay: number
  /** By person and day, then by what is done; the newest last. */
  private readonly days = new Map<string, Map<string, Route>>()
  private readonly variants = new Map<string, Variant>()

  constructor(perDay: number) {
    this.perDay = perDay
  }

  note(roster: Roster): void {
    for (const [person, { days }] of roster.work.people.entries()) {
      for (const day of days.keys()) this.noteDay({ person, day, stops: roster.stopsOf(person, day) })
    }
    for (const job of roster.jobs()) {
      const placements = roster.placementsOf(job) ?? []
      if (placements.length < 2) continue
      const keys = keysOf(job, placements, roster.work)
      this.variants.set(keys.join(" "), { job, keys, gain: roster.gainOf(job) })
    }
  }

  private noteDay({ person, day, stops }: Route): void {
    const own = stops.filter(({ unit }) => unit >= 0)
    if (own.length === 0) return
    const at = `${person}/${day}`
    const routes = this.days.get(at) ?? new Map<string, Route>()
    this.days.set(at, routes)
    const key = own.map(({ unit, startMs }) => `${unit}@${startMs}`).join(" ")
    // Deleted first, so that it is the newest again.
    routes.delete(key)
    routes.set(key, { person, day, stops: [...stops] })
    const [oldest] = routes.keys()
    if (routes.size > this.perDay && oldest !== undefined) routes.delete(oldest)
  }

  /** Which days to take: one of each person's day, no order twice, all tasks of an order or none, and what has a time. */
  program(best: Roster): {
    readonly program: Program
    readonly read: (values: Float64Array) => readonly Removed[]
  } {
    const { work } = best
    const build = new ProgramBuilder()
    const known = new Map<string, number>()
    const row = (key: string, lower: number, upper: number) => {
      const number = known.get(key) ?? build.row(lower, upper)
      known.set(key, number)
      return number
    }
    const atMostOnce = (key: string) => row(key, Number.NEGATIVE_INFINITY, 1)
    const orderRow = (job: number) =>
      best.has(job) && work.jobs[job]?.job.timed === true
        ? row(`order ${job}`, 1, 1)
        : atMostOnce(`order ${job}`)
    const columns: { column: number; route: Route }[] = []
    for (const [day, routes] of this.days) {
      for (const route of routes.values()) {
        const column = build.column(routeGain(route, best), true)
        columns.push({ column, route })
        build.entry(column, atMostOnce(`day ${day}`), 1)
        for (const { unit, startMs } of route.stops) {
          const job = work.units[unit]?.job
          if (job === undefined) continue
          if (isWhole(job, work)) build.entry(column, orderRow(job), 1)
          else build.entry(column, row(keyOf(unit, route.person, startMs), 0, 0), 1)
        }
      }
    }
    for (const [name, { job, keys, gain }] of this.variants) {
      // A day that it needs has been forgotten.
      if (!keys.every((key) => known.has(key))) {
        this.variants.delete(name)
        continue
      }
      const column = build.column(gain, false)
      build.entry(column, orderRow(job), 1)
      for (const key of keys) build.entry(column, row(key, 0, 0), -1)
    }
    return { program: build.program(), read: (values) => picked(columns, values, work) }
  }
}

/** The placements of the days that were picked. */
function picked(columns: Columns, values: Float64Array, work: Work): readonly Removed[] {
  const placed = new Map<number, Placement>()
  for (const { column, route } of columns) {
    if ((values[column] ?? 0) < 0.5) continue
    const { person, day, stops } = route
    for (const { unit, startMs } of stops) if (unit >= 0) placed.set(unit, { person, day, startMs })
  }
  return work.jobs.flatMap(({ units }, job) => {
    const placements = units.flatMap((unit) => placed.get(unit) ?? [])
    return placements.length === units.length ? [{ job, placements }] : []
  })
}

/** What a day brings: its orders of one task, less way and load. What other orders bring is their variants' gain. */
function routeGain({ person, stops }: Route, best: Roster): number {
  const { work } = best
  const home = work.people[person]?.home ?? 0
  const fixed = stops.filter(({ unit }) => unit < 0)
  let gain = -travelCost(wayOfDay(home, stops, work) - wayOfDay(home, fixed, work), work)
  for (const { unit, startMs, endMs } of stops) {
    const job = work.units[unit]?.job
    const one = work.jobs[job ?? -1]
    if (job === undefined || one === undefined) continue
    gain -= best.extraLoad(person, endMs - startMs)
    if (isWhole(job, work)) gain += gainAt(one, endMs, work)
  }
  return gain
}

function isWhole(job: number, { jobs }: Work): boolean {
  return jobs[job]?.units.length === 1
}

function keyOf(unit: number, person: number, startMs: number): string {
  return `${unit} by ${person}@${startMs}`
}

function keysOf(job: number, placements: readonly Placement[], { jobs }: Work): readonly string[] {
  return placements.map(({ person, startMs }, at) => keyOf(jobs[job]?.units[at] ?? -1, person, startMs))
}
