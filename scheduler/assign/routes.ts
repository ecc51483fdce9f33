/** The days that a search has come by: material for a plan that is better than each of those that they are from. */
import type { Placement, Removed, Roster } from "./roster.ts"
import { ProgramBuilder, type Program } from "./program.ts"
import { travelCost, wayOfDay } from "./score.ts"
import type { Stop } from "./work.ts"

/** What somebody does on one working day, with the times. */
type Route = { readonly person: number; readonly day: number; readonly stops: readonly Stop[] }
/** One way in which an order of several tasks was done. */
type Variant = { readonly job: number; readonly placements: readonly Placement[]; readonly gain: number }

export class Routes {
  private readonly perDay: number
  /** By person and day, then by what is done; the newest last. */
  private readonly days = new Map<string, Map<string, Route>>()
  private readonly variants = new Map<string, Variant>()
  private readonly gains = new Map<string, number>()

  constructor(perDay: number) {
    this.perDay = perDay
  }

  note(roster: Roster): void {
    const { people, units, jobs } = roster.work
    for (const [person, { days }] of people.entries()) {
      for (const day of days.keys()) {
        const stops = roster.stopsOf(person, day)
        const own = stops.filter(({ unit }) => unit >= 0)
        if (own.length === 0) continue
        const routes = this.days.get(`${person}/${day}`) ?? new Map<string, Route>()
        this.days.set(`${person}/${day}`, routes)
        const key = own.map(({ unit, startMs }) => `${unit}@${startMs}`).join(" ")
        routes.delete(key)
        routes.set(key, { person, day, stops: [...stops] })
        const [oldest] = routes.keys()
        if (routes.size > this.perDay && oldest !== undefined) routes.delete(oldest)
        for (const { unit, startMs } of own) {
          const job = units[unit]?.job ?? -1
          if (jobs[job]?.units.length === 1) this.gains.set(`${unit}@${startMs}`, roster.gainOf(job))
        }
      }
    }
    for (const job of roster.jobs()) {
      const placements = roster.placementsOf(job) ?? []
      if (placements.length < 2) continue
      const key = `${job}: ${placements.map(({ person, startMs }) => `${person}@${startMs}`).join(" ")}`
      if (!this.variants.has(key)) this.variants.set(key, { job, placements, gain: roster.gainOf(job) })
    }
  }

  /** Which of these days go together, as a program: no order twice, and all of its tasks or none. */
  program(roster: Roster): { readonly program: Program; readonly read: (values: Float64Array) => readonly Removed[] } {
    const { work } = roster
    const build = new ProgramBuilder()
    const rows = new Map<string, number>()
    const row = (key: string, lower: number, upper: number) => {
      const known = rows.get(key) ?? build.row(lower, upper)
      rows.set(key, known)
      return known
    }
    const keyOf = (unit: number, person: number, startMs: number) => `${unit} by ${person}@${startMs}`
    const columns: { readonly column: number; readonly route: Route }[] = []
    for (const [key, routes] of this.days) {
      for (const route of routes.values()) {
        const { person, stops } = route
        const own = stops.filter(({ unit }) => unit >= 0)
        const home = work.people[person]?.home ?? 0
        const fixed = stops.filter(({ unit }) => unit < 0)
        const extraMs = wayOfDay(home, stops, work) - wayOfDay(home, fixed, work)
        let cost = -travelCost(extraMs, work)
        for (const { unit, startMs, endMs } of own) {
          cost += (this.gains.get(`${unit}@${startMs}`) ?? 0) - roster.extraLoad(person, endMs - startMs)
        }
        const column = build.column(cost, true)
        columns.push({ column, route })
        build.entry(column, row(key, Number.NEGATIVE_INFINITY, 1), 1)
        for (const { unit, startMs } of own) {
          const job = work.units[unit]?.job ?? -1
          const whole = work.jobs[job]?.units.length === 1
          if (whole) build.entry(column, row(`order ${job}`, Number.NEGATIVE_INFINITY, 1), 1)
          else build.entry(column, row(keyOf(unit, person, startMs), 0, 0), 1)
        }
      }
    }
    for (const { job, placements, gain } of this.variants.values()) {
      const keys = placements.map(({ person, startMs }, at) =>
        keyOf(work.jobs[job]?.units[at] ?? -1, person, startMs),
      )
      // A day with this in it is no longer among the routes.
      if (!keys.every((key) => rows.has(key))) continue
      const column = build.column(gain, false)
      build.entry(column, row(`order ${job}`, Number.NEGATIVE_INFINITY, 1), 1)
      for (const key of keys) build.entry(column, row(key, 0, 0), -1)
    }
    return {
      program: build.program(),
      read: (values) => {
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
      },
    }
  }
}
