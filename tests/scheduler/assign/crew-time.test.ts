import { expect, test } from "vitest"
import { readRevision } from "../../../core/catalogue.ts"
import { job as jobSchema } from "../../../core/job.ts"
import type { WorkOrder } from "../../../core/orders.ts"
import { bookingsOf, crewOf, freePerson } from "../../../scheduler/assign/crew-time.ts"
import { crewWeek } from "../../../scheduler/assign/crew-week.ts"
import { openOrder } from "../../../workorders/change.ts"
import { plantRevision } from "../../revision.ts"
import { open } from "../../workorders/requests.ts"

const hour = 3_600_000
const day = 24 * hour
const revision = readRevision(
  plantRevision(`
plant: nights
sites: [{ id: north }]
classes: [{ id: pump }]
assets: [{ id: P-1, site: north, class: pump }]
crews:
  - id: nights
    site: north
    hours:
      mon: [["00:00", "06:00"]]
      tue: [["08:00", "16:00"]]
      wed: [["08:00", "16:00"]]
      sun: [["22:00", "24:00"]]
people: [{ id: nina, name: Nina, roles: [technician], crew: nights }]
`),
)
const crew = crewOf("nights", revision)
const at = (date: string) => Date.parse(`2026-12-${date}Z`)
/** From a Monday to the next. */
const week = { startMs: at("07T00:00"), endMs: at("14T00:00") }

function bookedFor(from: string, to: string) {
  const { kept } = openOrder(open(1, { mergeKey: "need", dueMs: week.endMs, asset: "P-1" }), 1)
  const planned = { startMs: at(from), finishMs: at(to), slots: [] }
  const order: WorkOrder = {
    ...kept.order,
    state: "assigned",
    assignees: ["nina"],
    planned,
    job: jobSchema.parse({}),
  }
  return bookingsOf(order)
}

function nina(from: string, to: string, bookings: ReturnType<typeof bookedFor> = []) {
  const [person] = revision.plant.people
  if (person === undefined) throw new RangeError("the plant has nobody")
  return freePerson(person, crew, { fromMs: at(from), toMs: at(to) }, bookings, revision)
}

test("of a booking only what lies in the stretch is load: the days before are over, those after are not its own", () => {
  const { fixed, shifts } = nina("08T12:00", "09T12:00", bookedFor("07T00:00", "13T23:00"))
  expect(fixed).toEqual([
    { startMs: at("08T12:00"), endMs: at("08T16:00"), place: { id: "north" } },
    { startMs: at("09T08:00"), endMs: at("09T12:00"), place: { id: "north" } },
  ])
  expect(shifts).toEqual([])
})

test("a shift is as long as people work, also where little of it is left", () => {
  expect(nina("08T15:00", "08T16:00").longestMs).toBe(8 * hour)
  expect(nina("08T08:00", "09T08:00", bookedFor("08T09:00", "08T16:00")).longestMs).toBe(8 * hour)
})

test("a night at the end of a week counts in each week with its own hours", () => {
  const bookings = bookedFor("13T22:00", "14T06:00")
  const [before] = crewWeek(crew, week, bookings, revision)
  expect(before).toMatchObject({ plannedMs: 2 * hour, capacityMs: 24 * hour })
  const next = { startMs: week.endMs, endMs: week.endMs + 7 * day }
  const [after] = crewWeek(crew, next, bookings, revision)
  expect(after?.plannedMs).toBe(6 * hour)
  expect(after?.entries).toEqual(before?.entries)
})
