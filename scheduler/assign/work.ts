/** A week as tables by number: what the planners look up a million times. */
import { type Piece, piecesOf } from "./pieces.ts"
import type { Job, Person, Place, Span, Task, Week } from "./problem.ts"
import { qualification } from "./qualified.ts"
import { wayOf } from "./travel.ts"

/** What is done in one go by one person. */
export type Unit = Piece & {
  readonly job: number
  readonly task: Task
  /** Units of the same job that must be finished before. */
  readonly after: readonly number[]
  /** The piece of the same task before this one. */
  readonly previous: number | undefined
  /** Nothing of the job waits for it. */
  readonly last: boolean
  /** Who may do it, and until when. */
  readonly able: readonly { readonly person: number; readonly untilMs: number }[]
}

export type WorkJob = {
  readonly job: Job
  readonly place: number
  /** In an order in which each comes after those that it waits for. */
  readonly units: readonly number[]
  readonly hours: number
  /** When it may be worked on, within the week; empty where it may not be at all. */
  readonly windows: readonly Span[]
}

/** A stop of somebody's day; `unit` is -1 for what was planned before. */
export type Stop = {
  readonly startMs: number
  readonly endMs: number
  readonly place: number
  readonly unit: number
}

/** From home to home. */
export type Day = {
  readonly startMs: number
  readonly endMs: number
  readonly shifts: readonly Span[]
  readonly fixed: readonly Stop[]
}

export type WorkPerson = {
  readonly person: Person
  readonly home: number
  readonly days: readonly Day[]
  readonly fixedMs: number
  /** Free time and what is fixed already. */
  readonly capacityMs: number
}

export type Work = {
  readonly week: Week
  readonly people: readonly WorkPerson[]
  readonly jobs: readonly WorkJob[]
  readonly units: readonly Unit[]
  /** Milliseconds from one place to another, by their numbers. */
  readonly way: (from: number, to: number) => number
}

export function workOf(week: Week): Work {
  const way = wayOf(week.travel)
  const places: (Place | null)[] = [null]
  const numbers = new Map<string, number>()
  const numberOf = (place: Place | null) => {
    if (place === null) return 0
    const key = `${place.id}\n${place.lat}\n${place.lon}`
    const known = numbers.get(key) ?? places.push(place) - 1
    numbers.set(key, known)
    return known
  }
  const people = week.people.map((person) => workPerson(person, week, numberOf))
  const units: Unit[] = []
  const jobs = week.jobs.map((job, at): WorkJob => {
    const first = units.length
    for (const unit of unitsOf(job, at, first, week, way)) units.push(unit)
    return {
      job,
      place: numberOf(job.place),
      units: Array.from({ length: units.length - first }, (_, n) => first + n),
      hours: job.tasks.reduce((sum, { ms }) => sum + ms, 0) / 3_600_000,
      windows: windowsOf(job, week),
    }
  })
  const size = places.length
  const table = Float64Array.from({ length: size * size }, (_, at) =>
    way(places[Math.floor(at / size)] ?? null, places[at % size] ?? null),
  )
  return { week, people, jobs, units, way: (from, to) => table[from * size + to] ?? 0 }
}

function unitsOf(
  job: Job,
  jobNumber: number,
  first: number,
  week: Week,
  way: ReturnType<typeof wayOf>,
): Unit[] {
  const units: Unit[] = []
  const lastOf = new Map<string, number>()
  const waitedFor = new Set(job.tasks.flatMap(({ after }) => after))
  for (const task of inOrder(job.tasks)) {
    const able = week.people.flatMap((person, number) => {
      if (task.person !== null && task.person !== person.id) return []
      const { lacks, wrongCraft, untilMs } = qualification(person, task)
      return lacks.length === 0 && !wrongCraft ? [{ person: number, untilMs }] : []
    })
    const people = able.flatMap(({ person }) => week.people[person] ?? [])
    for (const piece of piecesOf(task, job, people, way)) {
      const number = first + units.length
      const previous = piece.piece === 1 ? undefined : number - 1
      units.push({
        ...piece,
        job: jobNumber,
        task,
        previous,
        after: previous === undefined ? task.after.flatMap((id) => lastOf.get(id) ?? []) : [previous],
        last: piece.piece === piece.pieces && !waitedFor.has(task.id),
        able,
      })
      lastOf.set(task.id, number)
    }
  }
  return units
}

function inOrder(tasks: readonly Task[]): readonly Task[] {
  const done = new Set<string>()
  const sorted: Task[] = []
  while (sorted.length < tasks.length) {
    const next = tasks.find(({ id, after }) => !done.has(id) && after.every((one) => done.has(one)))
    // The schema refuses such a week.
    if (next === undefined) throw new RangeError("tasks that wait for one another")
    done.add(next.id)
    sorted.push(next)
  }
  return sorted
}

function windowsOf({ windows, earliestMs, parts }: Job, { fromMs, toMs }: Week): readonly Span[] {
  const partsMs = parts.available ? fromMs : (parts.fromMs ?? toMs)
  const beginMs = Math.max(fromMs, earliestMs, partsMs)
  return (windows ?? [{ startMs: fromMs, endMs: toMs }])
    .map(({ startMs, endMs }) => ({ startMs: Math.max(startMs, beginMs), endMs: Math.min(endMs, toMs) }))
    .filter(({ startMs, endMs }) => startMs < endMs)
    .toSorted((a, b) => a.startMs - b.startMs)
}

function workPerson(person: Person, week: Week, numberOf: (place: Place | null) => number): WorkPerson {
  const shifts = person.shifts
    .map(({ startMs, endMs }) => ({
      startMs: Math.max(startMs, week.fromMs),
      endMs: Math.min(endMs, week.toMs),
    }))
    .filter(({ startMs, endMs }) => startMs < endMs)
  const fixed = person.fixed.map(
    ({ startMs, endMs, place }): Stop => ({ startMs, endMs, place: numberOf(place), unit: -1 }),
  )
  const days: { startMs: number; endMs: number; shifts: Span[]; fixed: Stop[] }[] = []
  for (const one of [...shifts, ...fixed].toSorted((a, b) => a.startMs - b.startMs || a.endMs - b.endMs)) {
    let day = days.at(-1)
    if (day === undefined || one.startMs - day.endMs >= week.restMs) {
      day = { startMs: one.startMs, endMs: one.endMs, shifts: [], fixed: [] }
      days.push(day)
    }
    day.endMs = Math.max(day.endMs, one.endMs)
    if ("unit" in one) day.fixed.push(one)
    else day.shifts.push(one)
  }
  const sum = (spans: readonly Span[]) => spans.reduce((ms, { startMs, endMs }) => ms + endMs - startMs, 0)
  const fixedMs = sum(fixed)
  return { person, home: numberOf(person.home), days, fixedMs, capacityMs: sum(shifts) + fixedMs }
}
