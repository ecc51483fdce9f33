/** What a crew has to do in a week: by person, with the hours that they have and those that are planned. */
import type { Revision } from "../../core/catalogue.ts"
import type { OrderState } from "../../core/orders.ts"
import type { Person } from "../../core/plant.ts"
import type { Crew } from "../../core/plant-planning.ts"
import { type Booking, hoursOf, takenOf, within } from "./crew-time.ts"
import type { Span } from "./problem.ts"

/** A piece of somebody's day. */
type Entry = Span & {
  readonly order: string
  readonly number: string
  readonly title: string
  readonly state: OrderState
  readonly asset: string
  readonly location: string | null
  readonly task: string | null
}

export type PersonWeek = {
  readonly person: string
  readonly name: string
  /** Working time of the whole week, without absences. */
  readonly capacityMs: number
  readonly plannedMs: number
  /** That touch the week, as the plant file has them. */
  readonly absences: Person["absences"]
  readonly entries: readonly Entry[]
}

/** One for each of the crew, in the order of the plant file. Throws as `hoursOf` does. */
export function crewWeek(
  crew: Crew,
  week: Span,
  bookings: readonly Booking[],
  revision: Revision,
): readonly PersonWeek[] {
  return revision.plant.people
    .filter((person) => person.crew === crew.id)
    .map((person) => {
      const hours = hoursOf(person, crew, revision)
      const entries = bookings
        .filter((one) => one.person === person.id && within(one, week).length > 0)
        .flatMap((booking) => takenOf(booking, hours).map((span) => entryOf(booking, span, revision)))
        .filter((one) => within(one, week).length > 0)
        .toSorted((a, b) => a.startMs - b.startMs || (a.number < b.number ? -1 : 1))
      return {
        person: person.id,
        name: person.name,
        capacityMs: lengthOf([...hours(week.startMs, week.endMs)]),
        // A night shift at the end of the week goes on in the next, which it then counts in.
        plannedMs: lengthOf(entries.flatMap((one) => within(one, week))),
        absences: person.absences.filter(({ from, to }) => touches(from, to, week)),
        entries,
      }
    })
}

function entryOf({ order, task }: Booking, { startMs, endMs }: Span, { assets }: Revision): Entry {
  const { id, number, title, state, asset } = order
  const location = assets.get(asset)?.location ?? null
  return { startMs, endMs, order: id, number, title, state, asset, location, task }
}

/** To the day: which of the site's days a date is matters less here than that no absence is left out. */
function touches(from: string, to: string, { startMs, endMs }: Span): boolean {
  const day = 86_400_000
  return Date.parse(from) - day < endMs && Date.parse(to) + 2 * day > startMs
}

function lengthOf(spans: readonly Span[]): number {
  return spans.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0)
}
