import fc from "fast-check"
import { sql } from "kysely"
import { expect, test } from "vitest"
import { job } from "../../core/job.ts"
import type { WorkOrder } from "../../core/orders.ts"
import { createOrderAudit } from "../../workorders/audit-check.ts"
import {
  createEstimates,
  expectedHours,
  historiesOf,
  likeOrders,
  selectWorked,
  type WorkHistory,
} from "../../workorders/estimates.ts"
import type { WorkOrderTables } from "../../workorders/tables.ts"
import { onPostgres } from "../database.ts"
import { office, people } from "./office.ts"
import { at } from "./requests.ts"

const plant = people
  .replace("classes: [", "classes: [{ id: fan }, ")
  .replace("assets: [", "assets: [{ id: F-1, site: north, class: fan }, ")
  .concat("templates: [{ id: repair, title: Repair }, { id: service, title: Service }]\n")

/** A store with a way to do orders of the template `repair`, each of so many hours. */
async function workshop() {
  const made = await office(plant)
  const { estimates } = createEstimates({ database: made.database, newest: () => made.revision })
  let count = 0
  async function work(hours: number, more: Parameters<typeof made.order>[1] = {}): Promise<WorkOrder> {
    count += 1
    const { number } = await made.order(count, { template: "repair", job: job.parse({}), ...more })
    await made.perform("paul", number, "submit")
    await made.perform("paul", number, "assign", { to: ["tina"] })
    await made.perform("paul", number, "dispatch")
    await made.perform("tina", number, "acknowledge")
    await made.perform("tina", number, "start-labour", { kind: "travel" })
    made.clock.atMs += 3_600_000
    await made.perform("tina", number, "stop-labour")
    await made.perform("tina", number, "start")
    await made.perform("tina", number, "start-labour")
    made.clock.atMs += hours * 3_600_000
    return (await made.perform("tina", number, "complete")).order
  }
  return { ...made, clock: made.clock, estimates, work }
}

test("what finished orders took is told by template, and by class where there are enough of it", async () => {
  const { work, estimates } = await workshop()
  for (const hours of [1, 2, 3, 4, 5]) await work(hours)
  for (const hours of [10, 20]) await work(hours, { asset: "F-1" })
  expect(await estimates({ templates: ["repair", "service", "unheard-of"] })).toEqual([
    {
      template: "repair",
      class: null,
      orders: 7,
      medianHours: 4,
      p10Hours: 1.6,
      p90Hours: expect.closeTo(14),
    },
    { template: "repair", class: "pump", orders: 5, medianHours: 3, p10Hours: 1.4, p90Hours: 4.6 },
  ])
  expect(await estimates({})).toHaveLength(2)
})

test("only work counts, of everybody together, and only when it is done", async () => {
  const { work, estimates, perform, clock, database, order } = await workshop()
  const { number } = await work(2)
  const hours = async () => (await estimates({ templates: ["repair"] })).map(({ medianHours }) => medianHours)
  expect(await hours()).toEqual([2])
  const waited = { startMs: at(-2), endMs: at(-1), kind: "waiting", reason: "waited for the crane" }
  await perform("tina", number, "add-labour", waited)
  expect(await hours()).toEqual([2])
  await perform("sara", number, "reopen", { reason: "still hot" })
  expect(await hours()).toEqual([])
  await perform("tina", number, "start")
  await perform("tina", number, "start-labour")
  clock.atMs += 3_600_000
  await perform("tina", number, "complete")
  expect(await hours()).toEqual([3])
  // Ended without work, or on no template: nothing that others are like.
  const { number: sold } = await order(90, { template: "repair" })
  await perform("paul", sold, "cancel", { reason: "sold" })
  await work(9, { template: null })
  expect(await hours()).toEqual([3])
  expect((await createOrderAudit(database).check({})).flaws).toEqual([])
})

test("the newest fifty count, and those of a class are looked for further back", () => {
  const done = Array.from({ length: 120 }, (_, n) => ({ class: n < 60 ? "fan" : "pump", hours: n + 1 }))
  expect(
    historiesOf("repair", done).map(({ class: one, orders, medianHours }) => [one, orders, medianHours]),
  ).toEqual([
    [null, 50, 25.5],
    ["fan", 50, 25.5],
    ["pump", 50, 85.5],
  ])
})

test("an order goes by the history of its class, or else of its template, and not of another one", () => {
  const history = (template: string, ofClass: string | null): WorkHistory => ({
    template,
    class: ofClass,
    orders: 9,
    medianHours: 2,
    p10Hours: 1,
    p90Hours: 3,
  })
  const all = [history("repair", null), history("repair", "pump"), history("service", null)]
  expect(likeOrders(all, "repair", "pump")).toBe(all[1])
  expect(likeOrders(all, "repair", "fan")).toBe(all[0])
  expect(likeOrders(all, "repair", undefined)).toBe(all[0])
  expect(likeOrders(all, "service", "pump")).toBe(all[2])
  expect(likeOrders(all, null, "pump")).toBeUndefined()
})

const past: WorkHistory = {
  template: "repair",
  class: null,
  orders: 12,
  medianHours: 2.5,
  p10Hours: 1.804,
  p90Hours: 4,
}
const tasks = [
  { title: "a", hours: 1 },
  { title: "b", hours: 3 },
]

test.each([
  ["the history", { estimatedHours: 9, tasks }, past, 2.5, "median of 12 orders, 80 % between 1.8 and 4 h"],
  [
    "what is stated, where the history is short",
    { estimatedHours: 9, tasks },
    { ...past, orders: 4 },
    9,
    "as stated",
  ],
  ["what is stated, where there is no history", { estimatedHours: 9 }, undefined, 9, "as stated"],
  ["the tasks", { tasks }, undefined, 4, "sum of its tasks"],
  ["an hour", { tasks: ["a"] }, undefined, 1, "no estimate"],
])("an order is expected to take as long as %s", (_, content, history, hours, reason) => {
  expect(expectedHours({ job: job.parse(content) }, history)).toMatchObject({ hours, reason })
})

test("tasks share the hours in proportion; one that states none counts as the mean of the others", () => {
  const shares = (some: readonly unknown[], history?: WorkHistory) =>
    expectedHours({ job: job.parse({ tasks: some }) }, history).tasks
  expect(shares(tasks, past)).toEqual({ 1: 0.625, 2: 1.875 })
  expect(shares([...tasks, "c"], past)).toEqual({ 1: 2.5 / 6, 2: 7.5 / 6, 3: 5 / 6 })
  expect(shares(["a", "b"], past)).toEqual({ 1: 1.25, 2: 1.25 })
  expect(shares(tasks)).toEqual({ 1: 1, 2: 3 })
  expect(shares([])).toEqual({})
})

test("the shares of the tasks come to the whole", () => {
  const some = fc.array(fc.record({ title: fc.constant("a"), hours: fc.integer({ min: 1, max: 100 }) }), {
    minLength: 1,
    maxLength: 20,
  })
  fc.assert(
    fc.property(some, fc.double({ min: 0.01, max: 1000, noNaN: true }), (all, medianHours) => {
      const { hours, tasks } = expectedHours({ job: job.parse({ tasks: all }) }, { ...past, medianHours })
      expect(Object.values(tasks).reduce((sum, one) => sum + one, 0)).toBeCloseTo(hours, 6)
    }),
  )
})

test("the history of a template is read from its index alone, without sorting", async () => {
  const { database } = await office(plant)
  const db = database.tables<WorkOrderTables>()
  const query = selectWorked(db, "repair", 500)
  if (!onPostgres) {
    const plan = JSON.stringify(await query.explain(undefined, sql`query plan`))
    expect(plan).toContain("USING COVERING INDEX work_order_worked (template=?)")
    expect(plan).not.toContain("TEMP B-TREE")
    return
  }
  await sql`
    insert into work_order (id, number, type, state, open, site, asset, merge_key, title, priority, requested_ms,
      due_ms, finished_ms, version, details, findings, finding_count, episodes, template, worked_ms)
    select 'id-' || n, n, 'reactive', 'closed', 0, 'north', 'P-101', 'need-' || n, '', 3, n, n, n, 1, '', '', 0, '',
      'template-' || n % 50, 3600000
    from generate_series(1, 20000) n`.execute(db)
  await sql`vacuum analyze work_order`.execute(db)
  const plan = JSON.stringify(await query.explain())
  expect(plan).toContain("work_order_worked")
  expect(plan).not.toContain("Sort")
})

test("an order that was done without a word of its hours tells nothing", async () => {
  const { order, perform, estimates } = await workshop()
  const { number } = await order(1, { template: "repair", job: job.parse({}), atMs: at(0) })
  for (const [who, command, input] of [
    ["paul", "submit", {}],
    ["paul", "assign", { to: ["tina"] }],
    ["paul", "dispatch", {}],
    ["tina", "acknowledge", {}],
    ["tina", "start", {}],
    ["tina", "complete", {}],
  ] as const)
    await perform(who, number, command, input)
  expect(await estimates({ templates: ["repair"] })).toEqual([])
})
