/**
 * Whether people could really work as a plan says. It shares only the shapes of the data with what plans: each sum is
 * its own, and slow and plain on purpose.
 */
import type { Job, Person, Place, Slot, Task, Week } from "../../../scheduler/assign/problem.ts"

/** What is wrong, a line each; empty where nothing is. */
export function faultsOf(slots: readonly Slot[], week: Week): string[] {
  const faults: string[] = []
  const jobs = new Map(week.jobs.map((job) => [job.id, job]))
  const people = new Map(week.people.map((person) => [person.id, person]))
  for (const slot of slots) {
    const job = jobs.get(slot.job)
    const task = job?.tasks.find(({ id }) => id === slot.task)
    const person = people.get(slot.person)
    const what = `${slot.job}/${slot.task}#${slot.piece} by ${slot.person}`
    if (job === undefined || task === undefined || person === undefined) {
      faults.push(`${what}: no such order, task or person`)
      continue
    }
    for (const fault of [...slotFaults(slot, job, week), ...personFaults(slot, task, person)]) {
      faults.push(`${what}: ${fault}`)
    }
  }
  for (const id of new Set(slots.map(({ job }) => job))) {
    const job = jobs.get(id)
    const own = slots.filter((slot) => slot.job === id)
    if (job !== undefined) for (const fault of jobFaults(own, job)) faults.push(`${id}: ${fault}`)
  }
  for (const person of week.people) {
    const own = slots.filter((slot) => slot.person === person.id)
    for (const fault of dayFaults(own, person, jobs, week)) faults.push(`${person.id}: ${fault}`)
  }
  return faults
}

function slotFaults(slot: Slot, job: Job, week: Week): string[] {
  const faults: string[] = []
  if (slot.startMs < week.fromMs || slot.finishMs > week.toMs) faults.push("outside the week")
  if (slot.startMs < job.earliestMs) faults.push("before it may begin")
  if (!job.parts.available && (job.parts.fromMs === null || slot.startMs < job.parts.fromMs)) {
    faults.push("before its parts are there")
  }
  const open = job.windows === null || job.windows.some((one) => holds(one, slot))
  if (!open) faults.push("outside the asset's windows")
  return faults
}

function personFaults(slot: Slot, task: Task, person: Person): string[] {
  const faults: string[] = []
  if (task.person !== null && task.person !== person.id) faults.push(`${task.person} was named for it`)
  const named = task.person === person.id
  if (!named && task.craft !== null && task.craft !== person.craft) faults.push("wrong craft")
  for (const skill of [...task.qualifications, ...(named ? [] : task.skills)]) {
    const valid = person.skills.some(
      (one) => one.skill === skill && (one.untilMs === null || one.untilMs >= slot.finishMs),
    )
    if (!valid) faults.push(`lacks ${skill} then`)
  }
  if (!person.shifts.some((shift) => holds(shift, slot))) faults.push("not within one shift")
  return faults
}

function holds(
  span: { readonly startMs: number; readonly endMs: number },
  slot: { readonly startMs: number; readonly finishMs: number },
): boolean {
  return span.startMs <= slot.startMs && slot.finishMs <= span.endMs
}

/** Whole or not at all, each task for as long as it takes, and in its order. */
function jobFaults(slots: readonly Slot[], job: Job): string[] {
  const faults: string[] = []
  const finished = new Map<string, number>()
  for (const task of job.tasks) {
    const own = slots.filter((slot) => slot.task === task.id)
    const sum = own.reduce((ms, { startMs, finishMs }) => ms + finishMs - startMs, 0)
    if (sum !== task.ms) faults.push(`task ${task.id} has ${sum} ms of ${task.ms}`)
    const pieces = own.toSorted((a, b) => a.piece - b.piece)
    pieces.forEach(({ piece, pieces: all, startMs }, at) => {
      if (piece !== at + 1 || all !== own.length) faults.push(`task ${task.id} lacks pieces`)
      const before = pieces[at - 1]
      if (before !== undefined && startMs < before.finishMs) faults.push(`task ${task.id}: pieces overlap`)
    })
    finished.set(task.id, Math.max(...own.map(({ finishMs }) => finishMs)))
  }
  for (const task of job.tasks) {
    for (const slot of slots.filter((one) => one.task === task.id)) {
      const early = task.after.filter((id) => slot.startMs < (finished.get(id) ?? Number.POSITIVE_INFINITY))
      if (early.length > 0) faults.push(`task ${task.id} begins before ${early.join(", ")} is done`)
    }
  }
  return faults
}

type Stop = {
  readonly startMs: number
  readonly endMs: number
  readonly place: Place | null
  readonly own: boolean
}

/** One thing at a time, and time for the way in between. */
function dayFaults(
  slots: readonly Slot[],
  person: Person,
  jobs: ReadonlyMap<string, Job>,
  week: Week,
): string[] {
  const faults: string[] = []
  const stops: Stop[] = [
    ...slots.map(({ job, startMs, finishMs }) => ({
      startMs,
      endMs: finishMs,
      place: jobs.get(job)?.place ?? null,
      own: true,
    })),
    ...person.fixed.map((one) => ({ ...one, own: false })),
  ].toSorted((a, b) => a.startMs - b.startMs)
  for (const [at, one] of stops.entries()) {
    for (const other of stops.slice(at + 1)) {
      if ((one.own || other.own) && other.startMs < one.endMs)
        faults.push(`two things at ${iso(other.startMs)}`)
    }
  }
  for (const { startMs, endMs } of workingDays(person, week.restMs)) {
    const here = stops.filter((stop) => stop.startMs >= startMs && stop.startMs < endMs)
    const home = { place: person.home, own: false }
    const route = [{ ...home, startMs, endMs: startMs }, ...here, { ...home, startMs: endMs, endMs }]
    for (const [at, next] of route.entries()) {
      const before = route[at - 1]
      if (before === undefined || !(before.own || next.own)) continue
      const needMs = travelMs(before.place, next.place, week)
      const haveMs = person.shifts.reduce(
        (ms, shift) =>
          ms + Math.max(0, Math.min(shift.endMs, next.startMs) - Math.max(shift.startMs, before.endMs)),
        0,
      )
      if (haveMs < needMs) {
        faults.push(
          `${needMs / 60_000} min of way from ${before.place?.id} to ${next.place?.id}, ${haveMs / 60_000} min for it before ${iso(next.startMs)}`,
        )
      }
    }
  }
  return faults
}

function workingDays(person: Person, restMs: number): { startMs: number; endMs: number }[] {
  const days: { startMs: number; endMs: number }[] = []
  for (const { startMs, endMs } of [...person.shifts, ...person.fixed].toSorted(
    (a, b) => a.startMs - b.startMs,
  )) {
    const last = days.at(-1)
    if (last !== undefined && startMs - last.endMs < restMs) last.endMs = Math.max(last.endMs, endMs)
    else days.push({ startMs, endMs })
  }
  return days
}

function travelMs(from: Place | null, to: Place | null, { travel }: Week): number {
  if (from === null || to === null || from.id === to.id) return 0
  const stated = travel.between.find(
    (one) => (one.from === from.id && one.to === to.id) || (one.from === to.id && one.to === from.id),
  )
  if (stated !== undefined) return stated.ms
  if (from.lat === undefined || from.lon === undefined || to.lat === undefined || to.lon === undefined)
    return 0
  const [a, b] = [unit(from.lat, from.lon), unit(to.lat, to.lon)]
  // The angle between two vectors, not the haversine that the product goes by.
  const cross = Math.hypot(a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x)
  const km = 6371 * Math.atan2(cross, a.x * b.x + a.y * b.y + a.z * b.z)
  // To the minute below: the product rounds up.
  return Math.floor((km * travel.detour * 60) / travel.kmPerHour) * 60_000
}

function unit(lat: number, lon: number) {
  const [phi, lambda] = [(lat * Math.PI) / 180, (lon * Math.PI) / 180]
  return { x: Math.cos(phi) * Math.cos(lambda), y: Math.cos(phi) * Math.sin(lambda), z: Math.sin(phi) }
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}
