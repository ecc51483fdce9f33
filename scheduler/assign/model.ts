/**
 * Who does what on which day, as a mixed-integer program: the orders that are not in the roster, in the room that it
 * has left. It knows hours, not times of day; `placedAs` then finds the times.
 */
import { costOf } from "./insert.ts"
import type { Roster } from "./roster.ts"
import { travelCost, worthOf } from "./score.ts"
import type { Work } from "./work.ts"

const hour = 3_600_000
const dayMs = 24 * hour

/** Maximise `cost` · x with rows within their bounds; column by column, as HiGHS takes it. All columns are from 0 to 1. */
export type Program = {
  readonly cost: Float64Array
  readonly integer: Int32Array
  readonly rowLower: Float64Array
  readonly rowUpper: Float64Array
  readonly starts: Int32Array
  readonly indices: Int32Array
  readonly values: Float64Array
}

/** On which person's which day each unit is done; orders of which not every unit is here stay out. */
export type Days = ReadonlyMap<number, { readonly person: number; readonly day: number }>

export type Model = { readonly program: Program; readonly read: (values: Float64Array) => Days }

type Column = {
  readonly unit: number
  readonly person: number
  readonly day: number
  readonly column: number
}

export function modelOf(roster: Roster, jobs: readonly number[]): Model {
  const { work } = roster
  const build = new Build()
  const columns: Column[] = []
  const days = new Map<string, { readonly row: number; readonly visits: Map<number, number> }>()
  /** A working day gets a row of its hours when the first task could go there. */
  const dayOf = (person: number, day: number) => {
    const key = `${person}/${day}`
    const known = days.get(key) ?? {
      row: build.row(Number.NEGATIVE_INFINITY, freeHours(roster, person, day)),
      visits: new Map<number, number>(),
    }
    days.set(key, known)
    return known
  }
  for (const job of jobs) {
    const one = work.jobs[job]
    if (one === undefined) continue
    const chosen = build.column(worthOf(one, work), true)
    const lasts = one.units.filter((unit) => work.units[unit]?.last).length
    const before = new Map<number, readonly Column[]>()
    for (const number of one.units) {
      const unit = work.units[number]
      if (unit === undefined) continue
      const done = build.row(0, 0)
      build.entry(chosen, done, -1)
      const own: Column[] = []
      for (const { person } of unit.able) {
        const load = roster.extraLoad(person, unit.ms)
        for (let day = 0; day < (work.people[person]?.days.length ?? 0); day++) {
          roster.eachSpotOfDay(number, person, day, work.week.fromMs, (spot) => {
            // The way is paid for by the visit. Of several last tasks each bears its share of the lateness.
            const cost = costOf(roster, number, { ...spot, wayMs: 0 }) / (unit.last ? lasts : 20)
            const column = build.column(-cost - load, true)
            build.entry(column, done, 1)
            own.push({ unit: number, person, day, column })
            const { row, visits } = dayOf(person, day)
            build.entry(column, row, unit.ms / hour)
            const wayMs = visitMs(roster, person, day, one.place)
            if (wayMs > 0) {
              const known = visits.get(one.place) ?? build.column(-travelCost(wayMs, work), false)
              if (!visits.has(one.place)) build.entry(known, row, wayMs / hour)
              visits.set(one.place, known)
              const only = build.row(Number.NEGATIVE_INFINITY, 0)
              build.entry(column, only, 1)
              build.entry(known, only, -1)
            }
            return true
          })
        }
      }
      columns.push(...own)
      before.set(number, own)
      for (const earlier of unit.after) precede(build, work, before.get(earlier) ?? [], own)
      if (unit.previous !== undefined) keepTogether(build, work, before.get(unit.previous) ?? [], own)
    }
  }
  return {
    program: build.program(),
    read: (values) => {
      const picked = new Map<number, { person: number; day: number }>()
      for (const { unit, person, day, column } of columns) {
        if ((values[column] ?? 0) > 0.5) picked.set(unit, { person, day })
      }
      return picked
    },
  }
}

/** Not on an earlier day than what it waits for. */
function precede(build: Build, work: Work, before: readonly Column[], after: readonly Column[]): void {
  const row = build.row(0, Number.POSITIVE_INFINITY)
  const date = ({ person, day }: Column) =>
    Math.floor(((work.people[person]?.days[day]?.startMs ?? 0) - work.week.fromMs) / dayMs)
  for (const one of before) build.entry(one.column, row, -date(one))
  for (const one of after) build.entry(one.column, row, date(one))
}

/** A piece that somebody else goes on with costs a handover. */
function keepTogether(build: Build, work: Work, before: readonly Column[], after: readonly Column[]): void {
  const handover = build.column(-work.week.weights.handover, false)
  for (const person of new Set(after.map((one) => one.person))) {
    const row = build.row(Number.NEGATIVE_INFINITY, 0)
    build.entry(handover, row, -1)
    for (const one of after) if (one.person === person) build.entry(one.column, row, 1)
    for (const one of before) if (one.person === person) build.entry(one.column, row, -1)
  }
}

function freeHours(roster: Roster, person: number, day: number): number {
  const { shifts, fixed } = roster.work.people[person]?.days[day] ?? { shifts: [], fixed: [] }
  const ms = (spans: readonly { readonly startMs: number; readonly endMs: number }[]) =>
    spans.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0)
  const planned = roster.stopsOf(person, day).filter(({ unit }) => unit >= 0)
  const travelMs = fixed.length === 0 && planned.length === 0 ? 0 : roster.travelMs(person, day)
  return Math.max(0, ms(shifts) - ms(planned) - travelMs) / hour
}

/** How much longer the way of a day gets, about, by going to a place: from home and back, or from where one is anyway. */
function visitMs(roster: Roster, person: number, day: number, place: number): number {
  const { way, people } = roster.work
  const from = [people[person]?.home ?? 0, ...roster.stopsOf(person, day).map((stop) => stop.place)]
  return Math.min(...from.map((one) => way(one, place) + way(place, one)))
}

/** Collects columns and rows in any order. */
class Build {
  private readonly cost: number[] = []
  private readonly integer: number[] = []
  private readonly lower: number[] = []
  private readonly upper: number[] = []
  private readonly entries: [number, number][][] = []

  column(cost: number, integer: boolean): number {
    this.cost.push(cost)
    this.integer.push(integer ? 1 : 0)
    return this.entries.push([]) - 1
  }

  row(lower: number, upper: number): number {
    this.lower.push(lower)
    return this.upper.push(upper) - 1
  }

  entry(column: number, row: number, value: number): void {
    if (value !== 0) this.entries[column]?.push([row, value])
  }

  program(): Program {
    const starts = [0]
    for (const entries of this.entries) starts.push((starts.at(-1) ?? 0) + entries.length)
    return {
      cost: Float64Array.from(this.cost),
      integer: Int32Array.from(this.integer),
      rowLower: Float64Array.from(this.lower),
      rowUpper: Float64Array.from(this.upper),
      starts: Int32Array.from(starts),
      indices: Int32Array.from(this.entries.flatMap((entries) => entries.map(([row]) => row))),
      values: Float64Array.from(this.entries.flatMap((entries) => entries.map(([, value]) => value))),
    }
  }
}
