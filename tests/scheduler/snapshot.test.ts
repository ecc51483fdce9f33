import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { readRevision } from "../../core/catalogue.ts"
import { weekAt, weekSpan } from "../../core/iso-week.ts"
import { job as jobSchema } from "../../core/job.ts"
import { noWork, type OpenOrder, type WorkOrder } from "../../core/orders.ts"
import { bookingsOf, crewOf } from "../../scheduler/assign/crew-time.ts"
import { crewWeek } from "../../scheduler/assign/crew-week.ts"
import type { Expected } from "../../scheduler/assign/order-work.ts"
import type { Span } from "../../scheduler/assign/problem.ts"
import { plannedOrders, type Scene, snapshotOf, statesToPlan } from "../../scheduler/assign/snapshot.ts"
import { openOrder } from "../../workorders/change.ts"
import { expectedHours } from "../../workorders/estimates.ts"
import { plantRevision } from "../revision.ts"
import { open } from "../workorders/requests.ts"

const hour = 3_600_000
const day = 24 * hour
const minute = 60_000
/** Midnight of the Monday of 2026-W48 in Berlin, an hour ahead of UTC. */
const mondayMs = Date.parse("2026-11-23T00:00+01:00")
const at = (text: string) => Date.parse(`2026-11-${text}+01:00`)

const plantFile = `
plant: test
sites:
  - id: north
    timeZone: Europe/Berlin
    position: { lat: 52, lon: 7 }
    workingTime:
      hours: { mon: [["06:00", "22:00"]], tue: [["06:00", "22:00"]], wed: [["06:00", "22:00"]] }
      holidays: [2026-11-25]
  - { id: south, timeZone: Europe/Berlin }
classes: [{ id: pump }]
assets:
  - { id: P-1, site: north, class: pump, location: Hall }
  - { id: P-2, site: north, class: pump, position: { lat: 52.1, lon: 7 } }
  - { id: P-3, site: south, class: pump }
crafts: [{ id: mechanic }, { id: electrician }]
stores: [{ id: main, site: north }, { id: van, site: north }, { id: other, site: south }]
parts: [{ id: seal }, { id: oil }]
crews:
  - id: days
    site: north
    hours:
      mon: [["06:00", "10:00"], ["10:30", "14:30"]]
      tue: [["06:00", "14:00"]]
      wed: [["06:00", "14:00"]]
      thu: [["22:00", "24:00"]]
      fri: [["00:00", "06:00"]]
    holidays: [2026-11-24]
  - { id: site-hours, site: north }
  - { id: nobody-knows, site: south }
people:
  - { id: adam, name: Adam, roles: [admin] }
  - id: tina
    name: Tina
    roles: [technician]
    crew: days
    craft: mechanic
    skills: [pumps, { skill: live-work, until: 2026-11-24 }]
  - { id: theo, name: Theo, roles: [technician], crew: days, position: { lat: 51, lon: 7 } }
  - { id: tom, name: Tom, roles: [technician], crew: site-hours, absences: [{ from: 2026-11-24, to: 2026-12-24 }] }
  - { id: ute, name: Ute, roles: [technician], crew: nobody-knows }
blackouts:
  - { id: audit, for: { asset: P-1 }, schedule: { at: "2026-11-23T08:00:00+01:00" }, lasts: 4h }
production:
  - { id: shift, for: { site: north }, schedule: { cron: "0 6 * * *" }, lasts: 12h }
travel: { between: [{ from: P-3, to: north, takes: 20m }] }
`

function revisionOf(source = plantFile) {
  return readRevision(plantRevision(source))
}

type Given = Partial<Omit<WorkOrder, "job">> & { readonly job?: unknown }

function order(n: number, { job = {}, ...more }: Given = {}, asked: Partial<OpenOrder> = {}): WorkOrder {
  const { kept } = openOrder(
    open(n, { mergeKey: `need ${n}`, dueMs: at("27T12:00"), asset: "P-1", ...asked }),
    n,
  )
  return { ...kept.order, state: "approved", ...more, job: jobSchema.parse(job) }
}

const twoTasks = {
  tasks: [
    { id: "open", title: "Open it", hours: 1, craft: "mechanic" },
    { id: "mend", title: "Mend it", hours: 3, after: ["open"] },
  ],
}

const expected = (one: WorkOrder): Expected => expectedHours(one, undefined)

function scene(more: Partial<Scene> = {}): Scene {
  return {
    revision: revisionOf(),
    crews: ["days"],
    fromMs: mondayMs,
    toMs: mondayMs + 7 * day,
    toPlan: [],
    booked: [],
    stock: [],
    expected,
    ...more,
  }
}

const spansOf = (spans: readonly Span[] | null | undefined) =>
  spans?.map(({ startMs, endMs }) => `${local(startMs)} to ${local(endMs)}`)
const local = (ms: number) => new Date(ms + hour).toISOString().slice(8, 16)

const snapshotWith = (more: Partial<Scene>) => snapshotOf(scene(more))
const jobWith = (given: WorkOrder, more: Partial<Scene> = {}) =>
  snapshotWith({ toPlan: [given], ...more }).week.jobs[0]
const personWith = (id: string, more: Partial<Scene> = {}) =>
  snapshotWith(more).week.people.find((one) => one.id === id)

describe("people", () => {
  test("have their crew's hours or else the site's, without the holidays of both and their absences", () => {
    expect(spansOf(personWith("tina")?.shifts)).toEqual([
      "23T06:00 to 23T10:00",
      "23T10:30 to 23T14:30",
      // A night over midnight is one shift; Tuesday is the crew's holiday, Wednesday the site's.
      "26T22:00 to 27T06:00",
    ])
    expect(spansOf(personWith("tom", { crews: ["site-hours"] })?.shifts)).toEqual(["23T06:00 to 23T22:00"])
  })

  test("bring their craft, their skills until the end of the last day, and where their day begins", () => {
    expect(personWith("tina")).toMatchObject({
      craft: "mechanic",
      skills: [
        { skill: "pumps", untilMs: null },
        { skill: "live-work", untilMs: Date.parse("2026-11-25T00:00+01:00") },
      ],
      home: { id: "north", lat: 52, lon: 7 },
    })
    // The store of orders counts days in UTC, so that in New York the day is over before midnight.
    const inNewYork = revisionOf(plantFile.replaceAll("Europe/Berlin", "America/New_York"))
    expect(personWith("tina", { revision: inNewYork })?.skills[1]?.untilMs).toBe(
      Date.parse("2026-11-25T00:00Z"),
    )
    expect(personWith("theo")).toMatchObject({ craft: null, home: { lat: 51, lon: 7 } })
  })

  test("are not free while they have something to do, and what they do has its place", () => {
    const planned = {
      startMs: at("23T06:00"),
      finishMs: at("23T12:00"),
      slots: [
        { task: "open", person: "tina", startMs: at("23T06:00"), finishMs: at("23T07:00") },
        { task: "mend", person: "theo", startMs: at("23T07:00"), finishMs: at("23T10:00") },
      ],
    }
    const one = order(
      1,
      { state: "assigned", job: twoTasks, planned, assignees: ["tina", "theo"] },
      { asset: "P-2" },
    )
    const tina = personWith("tina", { booked: [one] })
    expect(spansOf(tina?.fixed)).toEqual(["23T06:00 to 23T07:00"])
    expect(tina?.fixed[0]?.place).toEqual({ id: "P-2", lat: 52.1, lon: 7 })
    expect(spansOf(tina?.shifts)?.[0]).toBe("23T07:00 to 23T10:00")
    const done = {
      ...one,
      work: { ...noWork, tasks: { open: { state: "done", by: "tina", atMs: 0, note: "" } } },
    }
    expect(personWith("tina", { booked: [done as WorkOrder] })?.fixed).toEqual([])
  })

  test("have all the time of an order that says no more; over days it is their working hours", () => {
    const planned = { startMs: at("23T12:00"), finishMs: at("27T02:00"), slots: [] }
    const one = order(1, { state: "dispatched", planned, assignees: ["tina"] })
    expect(spansOf(personWith("tina", { booked: [one] })?.fixed)).toEqual([
      "23T12:00 to 23T14:30",
      "26T22:00 to 27T02:00",
    ])
    const onSunday = { startMs: at("29T08:00"), finishMs: at("29T10:00"), slots: [] }
    expect(spansOf(personWith("tina", { booked: [{ ...one, planned: onSunday }] })?.fixed)).toEqual([
      "29T08:00 to 29T10:00",
    ])
  })

  test("without hours are refused with where to state them, and so is a crew that is not there", () => {
    expect(() => snapshotWith({ crews: ["nobody-knows"] })).toThrow(
      "nobody knows when the crew nobody-knows works: state its hours in the plant file, or the workingTime of its site south",
    )
    expect(() => snapshotWith({ crews: ["nights"] })).toThrow(
      'there is no crew "nights" in the plant: expected one of days, site-hours, nobody-knows',
    )
  })
})

describe("orders", () => {
  test("have their open tasks, with skills and qualifications, and hours as expected", () => {
    const job = { ...twoTasks, estimatedHours: 8, skills: ["pumps"], qualifications: ["live-work"] }
    expect(jobWith(order(1, { job }))?.tasks).toEqual([
      {
        id: "open",
        ms: 2 * hour,
        craft: "mechanic",
        skills: ["pumps"],
        qualifications: ["live-work"],
        after: [],
        person: null,
      },
      expect.objectContaining({ id: "mend", ms: 6 * hour, craft: null, after: ["open"] }),
    ])
    const work = { ...noWork, tasks: { open: { state: "done", by: "tina", atMs: 0, note: "" } as const } }
    expect(jobWith(order(1, { job, work }))?.tasks).toMatchObject([{ id: "mend", ms: 6 * hour, after: [] }])
  })

  test("without tasks are one, and one of an unknown length takes an hour", () => {
    expect(jobWith(order(1, { job: { estimatedHours: 0.501 } }))?.tasks).toMatchObject([
      { id: "all", ms: 31 * minute },
    ])
    expect(jobWith(order(1))?.tasks).toMatchObject([{ id: "all", ms: hour }])
  })

  test("have their phases one after the other", () => {
    const job = {
      phases: ["prepare", "build"],
      tasks: [
        { id: "a", title: "A", phase: "prepare" },
        { id: "b", title: "B", phase: "build" },
        { id: "c", title: "C", after: ["a"] },
      ],
    }
    expect(jobWith(order(1, { job }))?.tasks.map(({ after }) => after)).toEqual([[], ["a"], ["a"]])
  })

  test("go by whom a planner has named for a task or the whole; who was planned may be planned anew", () => {
    const named = { tasks: [{ id: "a", title: "A", assignee: "theo" }, "B"] }
    const people = (given: Given) => jobWith(order(1, given))?.tasks.map(({ person }) => person)
    expect(people({ job: named })).toEqual(["theo", null])
    expect(people({ job: named, state: "assigned", assignees: ["tina"] })).toEqual(["theo", "tina"])
    expect(people({ job: named, state: "assigned", assignees: ["tina", "tom"] })).toEqual(["theo", null])
    const slot = { task: "2", person: "tina", startMs: 0, finishMs: 1 }
    const planned = { startMs: 0, finishMs: 1, slots: [slot] }
    expect(people({ job: named, state: "assigned", assignees: ["tina"], planned })).toEqual(["theo", null])
  })

  test("may be worked on outside of blackouts and, where the asset must stand still, of production", () => {
    const monday = { toMs: mondayMs + day }
    expect(spansOf(jobWith(order(1), monday)?.windows)).toEqual([
      "23T00:00 to 23T08:00",
      "23T12:00 to 24T00:00",
    ])
    expect(spansOf(jobWith(order(1, { job: { shutdown: true } }), monday)?.windows)).toEqual([
      "23T00:00 to 23T06:00",
      "23T18:00 to 24T00:00",
    ])
    expect(jobWith(order(1, { asset: "P-2" }), monday)?.windows).toBeNull()
    // No window is for an asset that has left the plant.
    expect(jobWith(order(1, { asset: "P-9", job: { shutdown: true } }), monday)?.windows).toBeNull()
  })

  test("are where their asset is, or its site", () => {
    expect(jobWith(order(1))?.place).toEqual({ id: "north", lat: 52, lon: 7 })
    expect(jobWith(order(1, { asset: "P-2" }))?.place).toEqual({ id: "P-2", lat: 52.1, lon: 7 })
    expect(jobWith(order(1, { asset: "P-3", site: "south" }))?.place).toEqual({ id: "P-3" })
    expect(snapshotWith({}).week.travel).toEqual({
      kmPerHour: 40,
      detour: 1.3,
      between: [{ from: "P-3", to: "north", ms: 20 * minute }],
    })
  })

  test("wait for parts that are not there, the most urgent taking them first", () => {
    const stock = [
      { part: "seal", store: "main", free: 2 },
      { part: "seal", store: "van", free: 1 },
      { part: "seal", store: "other", free: 9 },
    ]
    const job = { materials: [{ part: "seal", quantity: 2 }] }
    const [low, high] = [order(1, { priority: 4, job }), order(2, { priority: 1, job })]
    const partsOf = (toPlan: readonly WorkOrder[]) =>
      Object.fromEntries(
        snapshotWith({ toPlan, stock }).week.jobs.map(({ number, parts }) => [number, parts]),
      )
    expect(partsOf([low, high])).toEqual({
      "WO-000002": { available: true, fromMs: null, why: "seal 2 of 2 there" },
      "WO-000001": { available: false, fromMs: null, why: "seal 1 of 2 there" },
    })
    const reserved = { ...noWork, reserved: [{ part: "seal", store: "main", quantity: 1 }] }
    expect(partsOf([{ ...low, work: reserved }, high])["WO-000001"]).toMatchObject({ available: true })
    const much = order(4, { priority: 1, job: { materials: [{ part: "seal", quantity: 4 }] } })
    expect(partsOf([low, much])).toMatchObject({
      "WO-000004": { available: false, why: "seal 3 of 4 there" },
      "WO-000001": { available: true },
    })
    const inVan = order(3, { job: { materials: [{ part: "seal", quantity: 2, store: "van" }] } })
    expect(partsOf([inVan])["WO-000003"]).toMatchObject({ available: false, why: "seal 1 of 2 there" })
  })

  test("that can't be planned are told, and keep no other from it", () => {
    const work = { ...noWork, tasks: { "1": { state: "done", by: "tina", atMs: 0, note: "" } as const } }
    const done = order(1, { job: { tasks: ["A"] }, work })
    const knotted = order(2, {
      job: {
        phases: ["one", "two"],
        tasks: [
          { id: "a", title: "A", phase: "one", after: ["b"] },
          { id: "b", title: "B", phase: "two" },
        ],
      },
    })
    const { week, aside } = snapshotWith({ toPlan: [done, knotted, order(3)] })
    expect(week.jobs.map(({ number }) => number)).toEqual(["WO-000003"])
    expect(aside.map(({ order: { number }, why }) => [number, why])).toEqual([
      ["WO-000001", "all its tasks are done"],
      ["WO-000002", expect.stringContaining("waits for itself")],
    ])
  })

  test("are fixed or planned, never both: one that is planned anew takes nobody's time", () => {
    const planned = { startMs: at("23T06:00"), finishMs: at("23T10:00"), slots: [] }
    const one = order(1, { state: "assigned", planned, assignees: ["tina"] })
    expect(personWith("tina", { booked: [one] })?.fixed).toHaveLength(1)
    expect(personWith("tina", { booked: [one], toPlan: [one] })?.fixed).toEqual([])
    expect(statesToPlan(false)).toEqual(["approved"])
    expect(statesToPlan(true)).toEqual(["approved", "planned", "assigned"])
  })
})

test("slots of a plan become what the command takes, one for each order", () => {
  const snapshot = snapshotWith({
    toPlan: [order(1, { job: twoTasks }), order(2, { asset: "P-2" }), order(3)],
  })
  const slot = (job: WorkOrder, task: string, person: string, from: string, to: string) => ({
    job: job.id,
    task,
    piece: 1,
    pieces: 1,
    person,
    startMs: at(from),
    finishMs: at(to),
  })
  const slots = [
    slot(order(2), "all", "theo", "23T06:00", "23T07:00"),
    slot(order(1), "mend", "theo", "23T12:30", "23T14:00"),
    slot(order(1), "open", "tina", "23T07:00", "23T08:00"),
  ]
  expect(plannedOrders(slots, snapshot)).toMatchObject([
    { number: "WO-000002", version: 1, slots: [{ task: null, person: "theo" }] },
    {
      number: "WO-000001",
      startMs: at("23T07:00"),
      finishMs: at("23T14:00"),
      slots: [{ task: "open" }, { task: "mend" }],
    },
  ])
})

test("a crew's week has everybody's hours, what is planned of them, and what is to be done", () => {
  const revision = revisionOf()
  const planned = { startMs: at("23T06:00"), finishMs: at("23T12:30"), slots: [] }
  const bookings = bookingsOf(order(1, { state: "planned", planned, assignees: ["tina"] }))
  const span = { startMs: mondayMs, endMs: mondayMs + 7 * day }
  const [tina, theo] = crewWeek(crewOf("days", revision), span, bookings, revision)
  expect(tina).toMatchObject({ person: "tina", capacityMs: 16 * hour, plannedMs: 6 * hour })
  expect(tina?.entries.map(({ number, location }) => [number, location])).toEqual([
    ["WO-000001", "Hall"],
    ["WO-000001", "Hall"],
  ])
  expect(theo).toMatchObject({ capacityMs: 16 * hour, plannedMs: 0, entries: [], absences: [] })
  const [tom] = crewWeek(crewOf("site-hours", revision), span, bookings, revision)
  expect(tom).toMatchObject({ capacityMs: 16 * hour, absences: [{ from: "2026-11-24" }] })
})

describe("properties", () => {
  const someSlots = fc.array(
    fc.record({
      person: fc.constantFrom("tina", "theo"),
      startMs: fc.integer({ min: 0, max: 6 * 24 * 4 }).map((quarter) => mondayMs + quarter * 15 * minute),
      ms: fc.integer({ min: 1, max: 24 * 4 }).map((quarter) => quarter * 15 * minute),
    }),
    { maxLength: 8 },
  )

  test("free time is working time in which nothing is planned, and all of it", () => {
    const free = snapshotWith({}).week.people
    const length = (spans: readonly Span[]) =>
      spans.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0)
    fc.assert(
      fc.property(someSlots, (slots) => {
        const booked = slots.map(({ person, startMs, ms }, n) => {
          const planned = { startMs, finishMs: startMs + ms, slots: [] }
          return order(n + 1, { state: "assigned", planned, assignees: [person] })
        })
        for (const { id, shifts, fixed } of snapshotWith({ booked }).week.people) {
          const working = free.find((one) => one.id === id)?.shifts ?? []
          const minutes = (spans: readonly Span[]) =>
            spans.flatMap(({ startMs, endMs }) =>
              Array.from(
                { length: (endMs - startMs) / (15 * minute) },
                (_, at) => startMs + at * 15 * minute,
              ),
            )
          const taken = new Set(minutes(fixed))
          expect(minutes(shifts)).toEqual(minutes(working).filter((ms) => !taken.has(ms)))
          expect(length(shifts)).toBeLessThanOrEqual(length(working))
        }
      }),
      { seed: 11, numRuns: 60 },
    )
  })

  test("no part is given to two orders", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({ priority: fc.integer({ min: 1, max: 5 }), quantity: fc.integer({ min: 1, max: 5 }) }),
          {
            maxLength: 12,
          },
        ),
        fc.integer({ min: 0, max: 12 }),
        (wanted, free) => {
          const toPlan = wanted.map(({ priority, quantity }, n) =>
            order(n + 1, { priority, job: { materials: [{ part: "seal", quantity }] } }),
          )
          const { week, orders } = snapshotWith({ toPlan, stock: [{ part: "seal", store: "main", free }] })
          const given = week.jobs
            .filter(({ parts }) => parts.available)
            .map(({ id }) => orders.get(id)?.job.materials[0]?.quantity ?? Number.NaN)
          expect(given.reduce((sum, one) => sum + one, 0)).toBeLessThanOrEqual(free)
        },
      ),
      { seed: 11, numRuns: 60 },
    )
  })
})

describe("weeks of ISO 8601", () => {
  test.each([
    ["2026-W01", "2025-12-29", 168],
    ["2026-W53", "2026-12-28", 168],
    ["2027-W01", "2027-01-04", 168],
    // The clocks go forward on its Sunday, and back on that of the other.
    ["2026-W13", "2026-03-23", 167],
    ["2026-W43", "2026-10-19", 169],
  ])("%s begins on %s and has %i hours", (week, date, hours) => {
    const span = weekSpan(week, "Europe/Berlin")
    expect(new Date((span?.startMs ?? 0) + 2 * hour).toISOString().slice(0, 10)).toBe(date)
    expect(((span?.endMs ?? 0) - (span?.startMs ?? 0)) / hour).toBe(hours)
    expect(weekAt(span?.startMs ?? 0, "Europe/Berlin")).toBe(week)
    expect(weekAt((span?.endMs ?? 0) - 1, "Europe/Berlin")).toBe(week)
  })

  test.each(["2027-W53", "2026-W00", "2026-W54", "2026-48", "W48", "2026-W9"])("%s is none", (week) => {
    expect(weekSpan(week, "Europe/Berlin")).toBeUndefined()
  })
})
