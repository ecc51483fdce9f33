import { expect, test } from "vitest"
import { noJob } from "../../core/job.ts"
import type { WorkOrder } from "../../core/orders.ts"
import { office } from "./office.ts"
import { at } from "./requests.ts"

const job = {
  ...noJob,
  qualifications: ["vibration"],
  tasks: [
    { id: "open", title: "Open it", after: [] },
    { id: "mend", title: "Mend it", after: ["open"] },
  ],
}

/** The plant with a second technician who may do the work, one of them until the 2nd of January. */
const plant = `
plant: test
sites: [{ id: north, timeZone: Europe/Berlin }]
classes: [{ id: pump, components: [bearing, seal] }]
assets: [{ id: P-101, site: north, class: pump, criticality: A }]
people:
  - { id: paul, name: Paul, roles: [planner] }
  - { id: tina, name: Tina, roles: [technician], skills: [vibration] }
  - { id: theo, name: Theo, roles: [technician], skills: [{ skill: vibration, until: 2026-01-02 }] }
  - { id: carl, name: Carl, roles: [contractor] }
  - { id: adam, name: Adam, roles: [admin] }
`

const hours = (from: number, to: number) => ({ startMs: at(from), finishMs: at(to) })
const openByTina = { task: "open", person: "tina", ...hours(10, 11) }
const mendByTheo = { task: "mend", person: "theo", ...hours(11, 13) }

async function approved() {
  const at = await office(plant)
  const { id } = await at.order(1, { job })
  await at.perform("paul", id, "triage")
  await at.perform("paul", id, "submit")
  return {
    ...at,
    id,
    plan: (input: object) => at.perform("paul", id, "plan", { ...hours(10, 14), ...input }),
  }
}

const slotsOf = ({ planned }: WorkOrder) =>
  planned?.slots.map(({ task, person }) => `${task ?? "all"} by ${person}`)

test("a plan with slots says who does what when, and the order is theirs", async () => {
  const { plan, id, perform, queries } = await approved()
  const { order, note } = await plan({ slots: [openByTina, mendByTheo] })
  expect(order).toMatchObject({
    state: "assigned",
    assignees: ["tina", "theo"],
    planned: { ...hours(10, 14), slots: [openByTina, mendByTheo] },
  })
  expect(note).toContain(", by tina (open) and theo (mend)")
  expect((await queries.list({ person: "theo" })).orders.map(({ id }) => id)).toEqual([id])
  await perform("paul", id, "dispatch")
  await perform("theo", id, "acknowledge")
  await perform("theo", id, "start")
  await expect(perform("theo", id, "task", { task: ["open"] })).rejects.toMatchObject({
    code: "NOT_POSSIBLE",
    message: expect.stringContaining("task open of WO-000001 is tina's"),
  })
  await perform("tina", id, "task", { task: ["open"] })
})

const refused: readonly (readonly [string, readonly object[], string])[] = [
  [
    "a task that is not there",
    [{ ...openByTina, task: "paint" }],
    "has no task paint: name one of open, mend",
  ],
  ["somebody who is not there", [{ ...openByTina, person: "tom" }], 'there is no "tom" in the plant'],
  [
    "who may not do it",
    [{ ...openByTina, person: "carl" }],
    'carl does not hold the qualification "vibration"',
  ],
  ["a time outside of the plan", [{ ...openByTina, ...hours(9, 11) }], "expected a time within"],
  ["an end before the start", [{ ...openByTina, ...hours(12, 11) }], "expected a time within"],
  [
    "two things at once",
    [openByTina, { ...mendByTheo, person: "tina", ...hours(10.5, 12) }],
    "tina is to be at two things at",
  ],
]

test.each(refused)("slots are refused for %s", async (_what, slots, why) => {
  const { plan } = await approved()
  await expect(plan({ slots })).rejects.toMatchObject({
    code: "NOT_POSSIBLE",
    message: expect.stringContaining(why),
  })
})

test("a certificate has to be valid until the end of the slot", async () => {
  const { plan } = await approved()
  const later = { ...hours(40, 50), slots: [{ ...mendByTheo, ...hours(40, 50) }] }
  await expect(plan(later)).rejects.toThrow('theo does not hold the qualification "vibration"')
  // The last day in which it is valid ends at hour 48.
  const last = { ...hours(40, 48), slots: [{ ...mendByTheo, ...hours(40, 48) }] }
  expect((await plan(last)).order.assignees).toEqual(["theo"])
})

test("a task that somebody was named for is theirs", async () => {
  const { plan, id, perform } = await approved()
  await perform("paul", id, "assign-task", { task: "mend", to: "tina" })
  await expect(plan({ slots: [mendByTheo] })).rejects.toThrow("task mend of WO-000001 is tina's, not theo's")
})

test("a later plan by a planner wins: its times count, and the people stay", async () => {
  const { plan } = await approved()
  await plan({ slots: [openByTina, mendByTheo] })
  const { order } = await plan(hours(20, 24))
  expect(order).toMatchObject({
    state: "assigned",
    assignees: ["tina", "theo"],
    planned: { ...hours(20, 24), slots: [] },
  })
})

test("whoever takes all of it over takes the times over; several share what they do anew", async () => {
  const { plan, id, perform } = await approved()
  await plan({ slots: [openByTina, { ...mendByTheo, person: "tina" }] })
  expect(slotsOf((await perform("paul", id, "assign", { to: ["theo"] })).order)).toEqual([
    "open by theo",
    "mend by theo",
  ])
  expect(slotsOf((await perform("paul", id, "assign", { to: ["theo", "tina"] })).order)).toEqual([])
})

test("whoever takes a task over takes its times over, and one of nobody is free", async () => {
  const { plan, id, perform } = await approved()
  await plan({ slots: [openByTina, mendByTheo] })
  const { order } = await perform("paul", id, "assign-task", { task: "mend", to: "tina" })
  expect(slotsOf(order)).toEqual(["open by tina", "mend by tina"])
  expect(slotsOf((await perform("paul", id, "assign-task", { task: "mend" })).order)).toEqual([
    "open by tina",
  ])
})

test("an order that is given back is nobody's, and so are its times", async () => {
  const { plan, id, perform } = await approved()
  await plan({ slots: [openByTina, mendByTheo] })
  const { order } = await perform("tina", id, "decline", { reason: "ill" })
  expect(order).toMatchObject({ state: "planned", assignees: [], planned: { ...hours(10, 14), slots: [] } })
})
