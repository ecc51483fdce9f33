/** When people of crews are free, and what is planned for them already. */
import type { Revision } from "../../core/catalogue.ts"
import { MillwrightError } from "../../core/errors.ts"
import { type Spans, without, workingSpans } from "../../core/open-time.ts"
import { takesTime, type WorkOrder } from "../../core/orders.ts"
import type { Person as PlantPerson } from "../../core/plant.ts"
import type { Crew } from "../../core/plant-planning.ts"
import { siteClock } from "../../core/site-clock.ts"
import { timeZoneOf } from "../../core/wording.ts"
import { placeOf, siteOf } from "./places.ts"
import type { Person, Span } from "./problem.ts"

const day = 86_400_000

/** Time of somebody that is spoken for; `task` is null for the order as a whole. */
export type Booking = Span & {
  readonly person: string
  readonly order: WorkOrder
  readonly task: string | null
}

/**
 * Who is at what when, as it is planned. Where only the order has a time, those that it is assigned to have it all: a
 * planner may leave open who does what within it.
 */
export function bookingsOf(order: WorkOrder): readonly Booking[] {
  const { planned, work, state } = order
  if (planned === null || !takesTime.includes(state)) return []
  if (planned.slots.length > 0)
    return planned.slots
      .filter(({ task }) => task === null || !Object.hasOwn(work.tasks, task))
      .map(({ task, person, startMs, finishMs }) => ({ order, task, person, startMs, endMs: finishMs }))
  return peopleOf(order).map((person) => ({
    order,
    task: null,
    person,
    startMs: planned.startMs,
    endMs: planned.finishMs,
  }))
}

/** Whoever a planner has named for the whole, for a task, or for a time. */
export function peopleOf({ planned, assignees, job }: WorkOrder): readonly string[] {
  const ofTasks = job.tasks.flatMap(({ assignee }) => assignee ?? [])
  const ofSlots = planned?.slots.map(({ person }) => person) ?? []
  return [...new Set([...assignees, ...ofTasks, ...ofSlots])]
}

/** Their own or else their site's; undefined where nobody has stated any. */
function statedHours(crew: Crew, { plant }: Revision): Crew["hours"] {
  return crew.hours ?? plant.sites.find(({ id }) => id === crew.site)?.workingTime?.hours
}

export function hasHours(crew: Crew, revision: Revision): boolean {
  return statedHours(crew, revision) !== undefined
}

/**
 * The working hours of somebody: their crew's or else its site's, without the holidays of both and their absences.
 * Throws `NOT_POSSIBLE` where nobody has stated hours: nobody works round the clock.
 */
export function hoursOf(person: PlantPerson, crew: Crew, revision: Revision): Spans {
  const { timeZone = "UTC", workingTime } = revision.plant.sites.find(({ id }) => id === crew.site) ?? {}
  const hours = statedHours(crew, revision)
  if (hours === undefined)
    throw new MillwrightError(
      "NOT_POSSIBLE",
      `nobody knows when the crew ${crew.id} works: state its hours in the plant file, or the workingTime of its site ${crew.site}`,
    )
  const holidays = [...crew.holidays, ...(workingTime?.holidays ?? [])]
  return (fromMs, toMs) => {
    const off = datesBetween(fromMs, toMs).filter((date) =>
      person.absences.some(({ from, to }) => from <= date && date <= to),
    )
    return workingSpans({ hours, holidays: [...holidays, ...off] }, timeZone)(fromMs, toMs)
  }
}

/** Every date that some clock on Earth shows in this time. */
function datesBetween(fromMs: number, toMs: number): readonly string[] {
  const first = Math.floor(fromMs / day) - 1
  const last = Math.ceil(toMs / day) + 1
  return Array.from({ length: last - first }, (_, at) =>
    new Date((first + at) * day).toISOString().slice(0, 10),
  )
}

/** Somebody as the planners see them. Of a booking that goes over days only their working hours are taken. */
export function freePerson(
  person: PlantPerson,
  crew: Crew,
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
  bookings: readonly Booking[],
  revision: Revision,
): Person {
  const hours = hoursOf(person, crew, revision)
  const stretch = { startMs: fromMs, endMs: toMs }
  const own = bookings.filter((one) => one.person === person.id && within(one, stretch).length > 0)
  const fixed = own.flatMap((booking) =>
    takenOf(booking, hours)
      .flatMap((span) => within(span, stretch))
      .map((span) => ({ ...span, place: placeOf(booking.order, revision) })),
  )
  const taken: Spans = () => fixed.toSorted((a, b) => a.startMs - b.startMs)
  // A whole week of them: where the stretch ends soon, what is left of it is no reason to cut work into small pieces.
  const working = [...hours(fromMs, fromMs + 7 * day)].map(({ startMs, endMs }) => endMs - startMs)
  return {
    id: person.id,
    skills: person.skills.map((one) =>
      typeof one === "string"
        ? { skill: one, untilMs: null }
        : { skill: one.skill, untilMs: endOf(one.until, timeZoneOf(revision.plant, crew.site)) },
    ),
    craft: person.craft ?? null,
    shifts: [...without(hours, taken)(fromMs, toMs)],
    ...(working.length > 0 && { longestMs: Math.max(...working) }),
    home:
      person.position === undefined
        ? siteOf(crew.site, revision)
        : { id: `home of ${person.id}`, ...person.position },
    fixed,
  }
}

/** The time that a booking really takes. */
export function takenOf({ startMs, endMs }: Span, hours: Spans): readonly Span[] {
  const working = [...hours(startMs, endMs)]
  // Planned for a time at which they do not work: then they do.
  return working.length === 0 ? [{ startMs, endMs }] : working
}

/** What of a span lies in another. */
export function within(span: Span, stretch: Span): readonly Span[] {
  const startMs = Math.max(span.startMs, stretch.startMs)
  const endMs = Math.min(span.endMs, stretch.endMs)
  return startMs < endMs ? [{ startMs, endMs }] : []
}

/** A certificate's last day: the store of orders counts it in UTC, people on their own clock, and both must hold. */
function endOf(date: string, timeZone: string): number {
  const midnightMs = Date.parse(date) + day
  return Math.min(midnightMs, siteClock(timeZone).instantOf(midnightMs, "end"))
}

/** The crew of that name. Throws `NOT_FOUND` with those that there are. */
export function crewOf(id: string, { plant }: Revision): Crew {
  const found = plant.crews.find((crew) => crew.id === id)
  if (found !== undefined) return found
  const known = plant.crews.map((crew) => crew.id).join(", ")
  throw new MillwrightError(
    "NOT_FOUND",
    `there is no crew "${id}" in the plant: ${known === "" ? "the plant file lists none under crews" : `expected one of ${known}`}`,
  )
}
