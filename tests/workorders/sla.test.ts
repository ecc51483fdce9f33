import { expect, test } from "vitest"
import type { WorkOrder } from "../../core/orders.ts"
import { createOrderAudit } from "../../workorders/audit-check.ts"
import { changed, type KeptOrder } from "../../workorders/change.ts"
import { fromRow, toRow } from "../../workorders/rows.ts"
import { escalation } from "../../workorders/sla.ts"
import type { WorkOrderTables } from "../../workorders/tables.ts"
import { office, people } from "./office.ts"
import { amend, open, orderId, scratch, takeFor } from "./requests.ts"

const hour = 3_600_000

/** Monday to Friday, 08:00 to 16:00 in Berlin. */
const week = ["mon", "tue", "wed", "thu", "fri"].map((day) => `${day}: [["08:00", "16:00"]]`).join(", ")
const plant = people
  .replace(
    "{ id: north, timeZone: Europe/Berlin }",
    `{ id: north, timeZone: Europe/Berlin, workingTime: { hours: { ${week} }, holidays: [2026-01-06] } }`,
  )
  .concat(`
sla:
  targets: { 1: { respond: 1h, complete: 8h }, 3: { respond: 4h, complete: 24h } }
  escalation: [{ after: 0s, to: supervisor }, { after: 2h, to: admin }]
`)

const friday = Date.parse("2026-01-02T15:00+01:00")
const iso = (ms: number | null | undefined) => (ms == null ? null : new Date(ms).toISOString())
const utc = (text: string) => new Date(text).toISOString()

async function ordered(priority: number, source = plant) {
  const it = await office(source)
  it.clock.atMs = friday
  const order = await it.order(1, { atMs: friday, priority })
  return { ...it, order, number: order.number }
}

test("targets are set when an order is made, in the working time of its site", async () => {
  const { order } = await ordered(3)
  expect(iso(order.sla?.respondByMs)).toBe(utc("2026-01-05T11:00+01:00"))
  // Tuesday is a holiday: an hour on Friday, Monday, Wednesday, and seven hours of Thursday.
  expect(iso(order.sla?.completeByMs)).toBe(utc("2026-01-08T15:00+01:00"))
  expect(order.sla).toMatchObject({ respondedMs: null, escalations: [], nextMs: order.sla?.respondByMs })
  expect(order.sla?.steps.map(({ of, step, to, dueMs }) => [of, step, to, iso(dueMs)])).toEqual([
    ["response", 0, "supervisor", utc("2026-01-05T11:00+01:00")],
    ["response", 1, "admin", utc("2026-01-05T13:00+01:00")],
    ["completion", 0, "supervisor", utc("2026-01-08T15:00+01:00")],
    ["completion", 1, "admin", utc("2026-01-09T09:00+01:00")],
  ])
})

test("a priority without a target, and a plant without targets, promise nothing", async () => {
  expect((await ordered(2)).order.sla).toBeNull()
  expect((await ordered(3, people)).order.sla).toBeNull()
})

test("another priority sets them anew, from when the order was asked for", async () => {
  const { number, perform } = await ordered(2)
  const { order } = await perform("paul", number, "triage", { priority: 1 })
  expect(iso(order.sla?.respondByMs)).toBe(utc("2026-01-02T16:00+01:00"))
  expect(iso(order.sla?.completeByMs)).toBe(utc("2026-01-05T15:00+01:00"))
})

test("a finding that makes an order more urgent does so too", async () => {
  const { number, database, revision, get } = await ordered(3)
  await takeFor(revision, database, amend(1, 1, { priority: 1, atMs: friday + hour / 2 }))
  const { sla } = await get(number)
  expect(iso(sla?.respondByMs)).toBe(utc("2026-01-02T16:00+01:00"))
})

test("what was late by the new targets before they were set is told at once", async () => {
  const { number, perform, clock } = await ordered(3)
  clock.atMs = Date.parse("2026-01-05T10:00+01:00")
  const { order } = await perform("paul", number, "triage", { priority: 1 })
  expect(order.sla?.nextMs).toBe(clock.atMs)
})

test("another plan for the same priority leaves the targets of older orders as they were promised", async () => {
  const { number, order, perform, apply, get } = await ordered(3)
  apply(plant.replace("respond: 4h", "respond: 5m"))
  await perform("paul", number, "triage", { note: "seen" })
  expect((await get(number)).sla).toEqual(order.sla)
})

test("taking an order on is the response, once; on hold the time goes on; when it is done it ends", async () => {
  const { number, perform, clock, order: first } = await ordered(3)
  await perform("paul", number, "submit")
  await perform("paul", number, "assign", { to: ["tina"] })
  expect((await perform("paul", number, "dispatch")).order.sla).toEqual(first.sla)
  clock.atMs += hour
  const { order: taken } = await perform("tina", number, "acknowledge")
  expect(taken.sla).toEqual({ ...first.sla, respondedMs: clock.atMs, nextMs: first.sla?.completeByMs })
  clock.atMs += hour
  expect((await perform("tina", number, "start")).order.sla).toEqual(taken.sla)
  expect((await perform("tina", number, "hold", { reason: "parts" })).order.sla).toEqual(taken.sla)
  await perform("tina", number, "resume")
  await perform("tina", number, "task", { task: ["1", "2"] })
  expect((await perform("tina", number, "complete")).order.sla).toEqual({ ...taken.sla, nextMs: null })
  clock.atMs += hour
  expect((await perform("sara", number, "reopen", { reason: "still hot" })).order.sla).toEqual({
    ...taken.sla,
    setMs: clock.atMs,
  })
})

test("an order that was done in time and is opened again late is told of as of then, not as of its target", async () => {
  const { number, perform, clock, desk, queries } = await ordered(3)
  await perform("paul", number, "submit")
  await perform("paul", number, "assign", { to: ["tina"] })
  await perform("paul", number, "dispatch")
  await perform("tina", number, "acknowledge")
  await perform("tina", number, "start")
  await perform("tina", number, "task", { task: ["1", "2"] })
  await perform("tina", number, "complete")
  clock.atMs = Date.parse("2026-02-01T00:00Z")
  await perform("sara", number, "reopen", { reason: "still hot" })
  await desk.tick(clock.atMs)
  const { history } = await queries.get(number)
  const told = history.filter(({ kind }) => kind === "escalated")
  expect(told.length).toBeGreaterThan(0)
  for (const { atMs } of told) expect(atMs).toBe(clock.atMs)
})

test("an order that ends otherwise is late no more", async () => {
  const { number, perform } = await ordered(3)
  const { order } = await perform("paul", number, "cancel", { reason: "not needed" })
  expect(order.sla?.nextMs).toBeNull()
})

/** Every step that is due until then, each as of its own time. */
function escalated(order: WorkOrder, nowMs: number, revision: Parameters<typeof escalation>[2]) {
  const told: { at: string | null; note: string }[] = []
  let at = order
  for (
    let step = escalation(at, nowMs, revision);
    step !== undefined;
    step = escalation(at, nowMs, revision)
  ) {
    told.push({ at: iso(step.atMs), note: step.note })
    at = step.order
  }
  return { order: at, told }
}

test("nobody is told before something is late, and then each in turn, as of when it was due", async () => {
  const { order, revision } = await ordered(3)
  const respondBy = order.sla?.respondByMs ?? 0
  expect(escalation(order, respondBy - 1, revision)).toBeUndefined()
  expect(escalated(order, Date.parse("2026-02-01T00:00Z"), revision).told).toEqual([
    {
      at: utc("2026-01-05T11:00+01:00"),
      note: "not taken on by 2026-01-05 11:00 (Europe/Berlin), step 1: told supervisor Sara",
    },
    {
      at: utc("2026-01-05T13:00+01:00"),
      note: "not taken on by 2026-01-05 11:00 (Europe/Berlin), step 2: told admin Adam",
    },
    {
      at: utc("2026-01-08T15:00+01:00"),
      note: "not done by 2026-01-08 15:00 (Europe/Berlin), step 1: told supervisor Sara",
    },
    {
      at: utc("2026-01-09T09:00+01:00"),
      note: "not done by 2026-01-08 15:00 (Europe/Berlin), step 2: told admin Adam",
    },
  ])
})

test("it does not matter how often somebody looks", async () => {
  const { order, revision } = await ordered(3)
  const end = Date.parse("2026-01-12T00:00Z")
  let [at, told] = [order, [] as unknown[]]
  for (let now = friday; now <= end; now += hour / 4) {
    const looked = escalated(at, now, revision)
    told = [...told, ...looked.told]
    at = looked.order
  }
  const once = escalated(order, end, revision)
  expect(told).toEqual(once.told)
  expect(at).toEqual(once.order)
})

test("who was told stays told under another priority, and nothing is told twice", async () => {
  const { order, revision, number, database, perform, clock } = await ordered(3)
  clock.atMs = (order.sla?.respondByMs ?? 0) + hour
  const first = escalated(order, clock.atMs, revision)
  expect(first.told).toHaveLength(1)
  await keep(database, first.order)
  const { order: urgent } = await perform("paul", number, "triage", { priority: 1 })
  expect(urgent.sla?.escalations).toEqual(first.order.sla?.escalations)
  expect(escalated(urgent, clock.atMs, revision).told.map(({ note }) => note)).toEqual([
    "not taken on by 2026-01-02 16:00 (Europe/Berlin), step 2: told admin Adam",
  ])
})

test("a role that nobody has is said to be so", async () => {
  const alone = plant.replace(/.*id: sara.*\n/, "")
  const { order, revision } = await ordered(3, alone)
  expect(escalated(order, order.sla?.respondByMs ?? 0, revision).told[0]?.note).toMatch(
    /told nobody, for nobody has the role supervisor$/,
  )
})

test("the clock of an order survives a restart", async () => {
  const path = `${await scratch()}/orders.db`
  const before = await office(plant, path)
  const { sla } = await before.order(1, { atMs: friday })
  await before.database.close()
  const { database, get } = await office(plant, path)
  expect((await get("1")).sla).toEqual(sla)
  const row = await database
    .tables<WorkOrderTables>()
    .selectFrom("work_order")
    .select("timer_ms")
    .executeTakeFirstOrThrow()
  expect(row.timer_ms).toBe(sla?.nextMs)
})

test("the clock tells each of them once, in the order's history, also after a restart", async () => {
  const path = `${await scratch()}/orders.db`
  const before = await office(plant, path)
  const { sla } = await before.order(1, { atMs: friday })
  const [respondBy, completeBy] = [sla?.respondByMs ?? 0, sla?.completeByMs ?? 0]
  expect(await before.desk.tick(respondBy - 1)).toBe(0)
  expect(await before.desk.tick(respondBy)).toBe(1)
  await before.database.close()
  const { desk, queries, database } = await office(plant, path)
  expect(await desk.tick(respondBy)).toBe(0)
  expect(await desk.tick(completeBy)).toBe(2)
  const { history, order } = await queries.get("1")
  expect(history.slice(1).map(({ kind, actor, atMs }) => [kind, actor, iso(atMs)])).toEqual([
    ["escalated", "system", utc("2026-01-05T11:00+01:00")],
    ["escalated", "system", utc("2026-01-05T13:00+01:00")],
    ["escalated", "system", utc("2026-01-08T15:00+01:00")],
  ])
  expect(order.sla?.escalations.map(({ of, step, to }) => `${of} ${step} ${to}`)).toEqual([
    "response 0 supervisor",
    "response 1 admin",
    "completion 0 supervisor",
  ])
  expect(await createOrderAudit(database).check({})).toMatchObject({ entries: 4, flaws: [] })
})

test("an order asked for before a plant file was applied has no targets", async () => {
  const { database, get } = await office(plant)
  await takeFor(undefined, database, open(1))
  expect((await get(orderId(1))).sla).toBeNull()
})

/** As the clock would. */
async function keep(
  { tables }: Awaited<ReturnType<typeof office>>["database"],
  order: WorkOrder,
): Promise<void> {
  const db = tables<WorkOrderTables>()
  const row = await db
    .selectFrom("work_order")
    .selectAll()
    .where("id", "=", order.id)
    .executeTakeFirstOrThrow()
  const kept: KeptOrder = { ...fromRow(row), order }
  const told = { kind: "escalated", atMs: 0, actor: "system", note: "", detail: {} } as const
  const { id, ...content } = toRow(changed(kept, told).kept)
  await db.updateTable("work_order").set(content).where("id", "=", id).execute()
}
