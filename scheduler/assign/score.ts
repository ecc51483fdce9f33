import { grouped } from "./grouped.ts"
import type { Score, Slot } from "./problem.ts"
import type { Stop, Work, WorkJob, WorkPerson } from "./work.ts"

const hour = 3_600_000
const dayMs = 24 * hour

/** What an order is worth when it is done in time, in points. */
export function worthOf({ job, hours }: WorkJob, { week }: Work): number {
  const { priority, perHour } = week.weights
  return (priority[job.priority - 1] ?? 0) * (1 + perHour * hours)
}

export function lateCost(job: WorkJob, finishMs: number, work: Work): number {
  const { fromMs, weights } = work.week
  const lateMs = Math.max(0, finishMs - Math.max(job.job.dueMs, fromMs))
  return worthOf(job, work) * weights.latePerDay * (lateMs / dayMs)
}

export function earlyGain(job: WorkJob, finishMs: number, work: Work): number {
  const { toMs, weights } = work.week
  return worthOf(job, work) * weights.earlyPerDay * (Math.max(0, toMs - finishMs) / dayMs)
}

/** What an order that is finished then brings, but for what it costs people. */
export function gainAt(job: WorkJob, finishMs: number, work: Work): number {
  return worthOf(job, work) - lateCost(job, finishMs, work) + earlyGain(job, finishMs, work)
}

export function travelCost(ms: number, { week }: Work): number {
  return (week.weights.travelHour * ms) / hour
}

/** What it costs that somebody has so much work in the week, besides what was planned before. */
export function loadCost({ capacityMs, fixedMs }: WorkPerson, plannedMs: number, { week }: Work): number {
  if (capacityMs === 0) return 0
  const full = (ms: number) => (ms / hour) * (ms / capacityMs)
  return week.weights.loadHour * (full(fixedMs + plannedMs) - full(fixedMs))
}

/** The way of one day, from home over its stops in their order and home again. */
export function wayOfDay(home: number, stops: readonly Stop[], { way }: Work): number {
  let ms = 0
  let place = home
  for (const stop of stops) {
    ms += way(place, stop.place)
    place = stop.place
  }
  return ms + way(place, home)
}

/** The one measure of a plan, whoever made it. Throws for a slot of a task or person that the week does not have. */
export function scoreOf(slots: readonly Slot[], work: Work): Score {
  const jobs = new Map(work.jobs.map((one) => [one.job.id, one]))
  const parts = { planned: 0, late: 0, early: 0, travel: 0, load: 0, handover: 0 }
  for (const [id, ofJob] of grouped(slots, (slot) => slot.job)) {
    const job = jobs.get(id)
    if (job === undefined) throw new RangeError(`the week has no order ${id}`)
    const finishMs = Math.max(...ofJob.map((slot) => slot.finishMs))
    parts.planned += worthOf(job, work)
    parts.late -= lateCost(job, finishMs, work)
    parts.early += earlyGain(job, finishMs, work)
    for (const ofTask of grouped(ofJob, ({ task }) => task).values()) {
      const people = ofTask.toSorted((a, b) => a.piece - b.piece).map(({ person }) => person)
      const changes = people.filter((person, at) => at > 0 && person !== people[at - 1]).length
      parts.handover -= changes * work.week.weights.handover
    }
  }
  const byPerson = grouped(slots, ({ person }) => person)
  for (const person of work.people) {
    const own = byPerson.get(person.person.id) ?? []
    const plannedMs = own.reduce((sum, { startMs, finishMs }) => sum + finishMs - startMs, 0)
    parts.load -= loadCost(person, plannedMs, work)
    const stops = own.map(
      (slot): Stop => ({
        startMs: slot.startMs,
        endMs: slot.finishMs,
        place: jobs.get(slot.job)?.place ?? 0,
        unit: 0,
      }),
    )
    for (const { startMs, endMs, fixed } of person.days) {
      const here = stops.filter((stop) => stop.startMs >= startMs && stop.startMs < endMs)
      const inOrder = (all: readonly Stop[]) => all.toSorted((a, b) => a.startMs - b.startMs)
      const extraMs =
        wayOfDay(person.home, inOrder([...fixed, ...here]), work) -
        wayOfDay(person.home, inOrder(fixed), work)
      parts.travel -= travelCost(extraMs, work)
    }
  }
  const total = Object.values(parts).reduce((sum, part) => sum + part, 0)
  return { total, ...parts }
}
