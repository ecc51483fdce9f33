import type { Slot, Span } from "./problem.ts"
import { gainAt, loadCost, travelCost, wayOfDay } from "./score.ts"
import type { Day, Stop, Unit, Work } from "./work.ts"

export type Placement = { readonly person: number; readonly day: number; readonly startMs: number }

/** A place for a unit in somebody's day: the earliest start in that gap, and how much longer the way of the day gets. */
export type Spot = Placement & { readonly finishMs: number; readonly wayMs: number }

/** An order that was taken out, and where its units were. */
export type Removed = { readonly job: number; readonly placements: readonly Placement[] }

/** Which spot a unit takes of those from `fromMs` on, the roster being as it is. */
export type Choose = (unit: number, fromMs: number) => Spot | undefined

/**
 * Everybody's week as it fills up. An order is put in whole or not at all, and never moves another: whatever a roster
 * holds can be done.
 */
export class Roster {
  readonly work: Work
  private readonly stops: Stop[][][]
  private readonly placed: (Placement | undefined)[]
  private readonly plannedMs: number[]
  private readonly ordersIn = new Set<number>()

  constructor(work: Work) {
    this.work = work
    this.stops = work.people.map(({ days }) => days.map(({ fixed }) => [...fixed]))
    this.placed = work.units.map(() => undefined)
    this.plannedMs = work.people.map(() => 0)
  }

  copy(): Roster {
    const copy = new Roster(this.work)
    for (const job of this.ordersIn) copy.putBack({ job, placements: this.placementsOf(job) ?? [] })
    return copy
  }

  has(job: number): boolean {
    return this.ordersIn.has(job)
  }

  /** Numbers of the orders that are in, ascending. */
  jobs(): readonly number[] {
    return [...this.ordersIn].toSorted((a, b) => a - b)
  }

  left(): readonly number[] {
    return this.work.jobs.flatMap((_, job) => (this.ordersIn.has(job) ? [] : [job]))
  }

  placementOf(unit: number): Placement | undefined {
    return this.placed[unit]
  }

  stopsOf(person: number, day: number): readonly Stop[] {
    return this.stops[person]?.[day] ?? []
  }

  /** Where each unit of an order is, in the order of `units`; undefined where the order is not in. */
  placementsOf(job: number): readonly Placement[] | undefined {
    if (!this.ordersIn.has(job)) return undefined
    return (this.work.jobs[job]?.units ?? []).flatMap((unit) => this.placed[unit] ?? [])
  }

  /** Puts an order in as `choose` says. False, and nothing has changed, where it finds no spot for a unit. */
  put(job: number, choose: Choose): boolean {
    const units = this.work.jobs[job]?.units ?? []
    for (const [at, unit] of units.entries()) {
      const spot = choose(unit, this.readyMs(unit))
      if (spot === undefined) {
        for (const done of units.slice(0, at)) this.take(done)
        return false
      }
      this.place(unit, spot)
    }
    this.ordersIn.add(job)
    return true
  }

  /** Puts an order back to where it was: only right where what has come since has been removed. */
  putBack({ job, placements }: Removed): void {
    for (const [at, unit] of (this.work.jobs[job]?.units ?? []).entries()) {
      const placement = placements[at]
      if (placement !== undefined) this.place(unit, placement)
    }
    this.ordersIn.add(job)
  }

  /**
   * Takes an order out, and those that can't stay without it: where stated times make a detour shorter than the direct
   * way, whoever no longer stops there comes too late to the next place. In the order in which they were taken out.
   */
  remove(job: number): readonly Removed[] {
    const placements = this.placementsOf(job)
    if (placements === undefined) return []
    this.ordersIn.delete(job)
    for (const unit of this.work.jobs[job]?.units ?? []) this.take(unit)
    const removed: Removed[] = [{ job, placements }]
    for (const { person, day, startMs } of placements) {
      for (let late = this.tooLateAt(person, day, startMs); late !== undefined; ) {
        removed.push(...this.remove(late))
        late = this.tooLateAt(person, day, startMs)
      }
    }
    return removed
  }

  /** When everything that the unit waits for is finished. */
  readyMs(unit: number): number {
    const { after } = this.unit(unit)
    let ms = this.work.week.fromMs
    for (const before of after) {
      const placement = this.placed[before]
      if (placement !== undefined) ms = Math.max(ms, placement.startMs + this.unit(before).ms)
    }
    return ms
  }

  /** Each spot that somebody has for a unit from `fromMs` on, the earliest first; `visit` ends it with true. */
  eachSpot(number: number, person: number, fromMs: number, visit: (spot: Spot) => boolean): void {
    const unit = this.unit(number)
    const untilMs = unit.able.find((one) => one.person === person)?.untilMs
    const days = this.work.people[person]?.days
    if (untilMs === undefined || days === undefined) return
    for (const [at, day] of days.entries()) {
      if (day.endMs <= fromMs) continue
      if (day.startMs >= untilMs || this.eachSpotOf(unit, person, at, day, fromMs, untilMs, visit)) return
    }
  }

  /** The share of `total` that the orders bring: worth, less lateness and handovers, and earliness. */
  gainOf(job: number): number {
    const one = this.work.jobs[job]
    if (one === undefined || !this.ordersIn.has(job)) return 0
    let finishMs = 0
    let handovers = 0
    for (const number of one.units) {
      const unit = this.unit(number)
      const placement = this.placed[number]
      if (placement === undefined) continue
      finishMs = Math.max(finishMs, placement.startMs + unit.ms)
      if (unit.previous !== undefined && this.placed[unit.previous]?.person !== placement.person)
        handovers += 1
    }
    return gainAt(one, finishMs, this.work) - handovers * this.work.week.weights.handover
  }

  /** What one more stretch of work costs somebody whose week is as it is. */
  extraLoad(person: number, ms: number): number {
    const one = this.work.people[person]
    if (one === undefined) return 0
    const now = this.plannedMs[person] ?? 0
    return loadCost(one, now + ms, this.work) - loadCost(one, now, this.work)
  }

  /** Up to a constant what `scoreOf` says of the slots: enough to tell the better of two. */
  worth(): number {
    let sum = 0
    for (const job of this.ordersIn) sum += this.gainOf(job)
    for (const [at, person] of this.work.people.entries()) {
      sum -= loadCost(person, this.plannedMs[at] ?? 0, this.work)
      for (let day = 0; day < person.days.length; day++) {
        sum -= travelCost(wayOfDay(person.home, this.stopsOf(at, day), this.work), this.work)
      }
    }
    return sum
  }

  slots(): Slot[] {
    return this.jobs().flatMap((job) =>
      (this.work.jobs[job]?.units ?? []).flatMap((number) => {
        const { task, piece, pieces, ms } = this.unit(number)
        const placement = this.placed[number]
        const person = this.work.people[placement?.person ?? -1]?.person.id
        const id = this.work.jobs[job]?.job.id
        if (placement === undefined || person === undefined || id === undefined) return []
        const { startMs } = placement
        return [{ job: id, task: task.id, piece, pieces, person, startMs, finishMs: startMs + ms }]
      }),
    )
  }

  /** An order at either side of the gap at `atMs` whose way across it is longer than the gap. */
  private tooLateAt(person: number, day: number, atMs: number): number | undefined {
    const one = this.work.people[person]
    const theDay = one?.days[day]
    if (one === undefined || theDay === undefined) return undefined
    const stops = this.stopsOf(person, day)
    const next = stops.findIndex(({ startMs }) => startMs > atMs)
    const [before, after] = next === -1 ? [stops.at(-1), undefined] : [stops[next - 1], stops[next]]
    const wayMs = this.work.way(before?.place ?? one.home, after?.place ?? one.home)
    const [endMs, startMs] = [before?.endMs ?? theDay.startMs, after?.startMs ?? theDay.endMs]
    if (wayMs === 0 || workingBetween(theDay.shifts, endMs, startMs) >= wayMs) return undefined
    const number = [after, before].find((stop) => stop !== undefined && stop.unit >= 0)?.unit
    return number === undefined ? undefined : this.unit(number).job
  }

  private unit(number: number): Unit {
    const unit = this.work.units[number]
    if (unit === undefined) throw new RangeError(`there is no unit ${number}`)
    return unit
  }

  private place(number: number, { person, day, startMs }: Placement): void {
    const { ms, job } = this.unit(number)
    const stops = this.stops[person]?.[day]
    if (stops === undefined) throw new RangeError(`person ${person} has no day ${day}`)
    const stop = { startMs, endMs: startMs + ms, place: this.work.jobs[job]?.place ?? 0, unit: number }
    const at = stops.findIndex((one) => one.startMs > startMs)
    stops.splice(at === -1 ? stops.length : at, 0, stop)
    this.placed[number] = { person, day, startMs }
    this.plannedMs[person] = (this.plannedMs[person] ?? 0) + ms
  }

  private take(number: number): void {
    const placement = this.placed[number]
    if (placement === undefined) return
    const stops = this.stops[placement.person]?.[placement.day]
    stops?.splice(
      stops.findIndex(({ unit }) => unit === number),
      1,
    )
    this.placed[number] = undefined
    this.plannedMs[placement.person] = (this.plannedMs[placement.person] ?? 0) - this.unit(number).ms
  }

  private eachSpotOf(
    unit: Unit,
    person: number,
    dayNumber: number,
    day: Day,
    fromMs: number,
    untilMs: number,
    visit: (spot: Spot) => boolean,
  ): boolean {
    const job = this.work.jobs[unit.job]
    const home = this.work.people[person]?.home ?? 0
    const stops = this.stops[person]?.[dayNumber]
    if (job === undefined || stops === undefined) return false
    const { way } = this.work
    let before = { endMs: day.startMs, place: home }
    for (let at = 0; at <= stops.length; at++) {
      const next = stops[at]
      const nextMs = next?.startMs ?? day.endMs
      const onMs = way(job.place, next?.place ?? home)
      // The last gap has the way home in it; a stop before `fromMs` is passed over.
      if (nextMs - before.endMs >= unit.ms && nextMs - unit.ms >= fromMs) {
        const thereMs = way(before.place, job.place)
        const readyMs = Math.max(fromMs, afterWorking(day.shifts, before.endMs, thereMs))
        const startMs = earliestWithin(day.shifts, job.windows, readyMs, unit.ms)
        const finishMs = startMs + unit.ms
        if (
          finishMs <= Math.min(nextMs, untilMs) &&
          (onMs === 0 || workingBetween(day.shifts, finishMs, nextMs) >= onMs)
        ) {
          const wayMs = thereMs + onMs - way(before.place, next?.place ?? home)
          if (visit({ person, day: dayNumber, startMs, finishMs, wayMs })) return true
        }
      }
      if (next !== undefined) before = { endMs: Math.max(before.endMs, next.endMs), place: next.place }
    }
    return false
  }
}

/** When so much of the shifts has passed since `fromMs`: the way is made in working time. */
function afterWorking(shifts: readonly Span[], fromMs: number, ms: number): number {
  if (ms === 0) return fromMs
  let left = ms
  for (const { startMs, endMs } of shifts) {
    const free = endMs - Math.max(startMs, fromMs)
    if (free <= 0) continue
    if (left <= free) return Math.max(startMs, fromMs) + left
    left -= free
  }
  return Number.POSITIVE_INFINITY
}

function workingBetween(shifts: readonly Span[], fromMs: number, toMs: number): number {
  let ms = 0
  for (const { startMs, endMs } of shifts) {
    ms += Math.max(0, Math.min(endMs, toMs) - Math.max(startMs, fromMs))
  }
  return ms
}

/** The earliest start from which `ms` lie within one shift and one window; infinite where there is none. */
function earliestWithin(
  shifts: readonly Span[],
  windows: readonly Span[],
  fromMs: number,
  ms: number,
): number {
  for (const shift of shifts) {
    if (shift.endMs - ms < fromMs) continue
    for (const window of windows) {
      const startMs = Math.max(fromMs, shift.startMs, window.startMs)
      if (startMs + ms <= Math.min(shift.endMs, window.endMs)) return startMs
    }
  }
  return Number.POSITIVE_INFINITY
}
