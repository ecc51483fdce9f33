import { join } from "node:path"
import fc from "fast-check"
import { sql } from "kysely"
import { pino } from "pino"
import { Registry } from "prom-client"
import { expect, onTestFinished, test } from "vitest"
import { Catalogue, readRevision } from "../../core/catalogue.ts"
import { job } from "../../core/job.ts"
import { EmbeddedLog } from "../../core/log/embedded.ts"
import { topics } from "../../core/topics.ts"
import { createAgeingClock, selectAged } from "../../workorders/ageing-clock.ts"
import { createOrderAudit } from "../../workorders/audit-check.ts"
import { openOrder } from "../../workorders/change.ts"
import { createWorkOrders } from "../../workorders/index.ts"
import type { CommandName } from "../../workorders/life-cycle.ts"
import { workOrderMigrations } from "../../workorders/migrations.ts"
import { toRow } from "../../workorders/rows.ts"
import type { WorkOrderTables } from "../../workorders/tables.ts"
import { onPostgres, openDatabase } from "../database.ts"
import { ManualClock } from "../manual-clock.ts"
import { office, people } from "./office.ts"
import { at, open, orderId, scratch, takeFor } from "./requests.ts"

const hour = 3_600_000
const day = 24
const steps = "[{ above: 30d, raise: 1 }, { above: 60d, raise: 2 }]"
const plant = (age = steps, more = "") => `${people}urgency: { age: ${age} }\n${more}`

/** A store whose clock tells of all that is due; `more` as of `office`. */
async function aged(source = plant(), path?: string) {
  const made = await office(source, path)
  const clock = createAgeingClock({ database: made.database, newest: () => made.revision, partitions: 4 })
  return {
    ...made,
    apply: made.apply,
    async tick(nowMs: number) {
      return (await made.desk.tick(nowMs)) + (await clock.tick(nowMs))
    },
    async told(order: string) {
      const { history } = await made.queries.get(order)
      return history
        .slice(1)
        .map(({ atMs, actor, kind, note }) => `${(atMs - at(0)) / hour / day} d ${actor} ${kind}: ${note}`)
    },
  }
}

test("an order that waits gets more urgent once with each step, as of its own time, whatever the steps of time", async () => {
  for (const days of [[100], [29.9, 30, 31, 60], [30, 30, 59, 1000], [60]]) {
    const { order, tick, told, get } = await aged()
    const { number } = await order(1, { priority: 4 })
    for (const one of [...days, 1000]) await tick(at(one * day))
    expect(await told(number)).toEqual([
      "30 d system aged: open for 30 d: priority 4 to 3",
      "60 d system aged: open for 60 d: priority 3 to 2",
    ])
    expect(await get(number)).toMatchObject({
      priority: 2,
      priorityReason: "warning on a criticality B asset; open for 30 d: 3; open for 60 d: 2",
      aged: 2,
    })
  }
})

test("nothing ages before its time, nor in a plant that says nothing of it", async () => {
  const { order, tick } = await aged()
  await order(1)
  expect(await tick(at(30 * day) - 1)).toBe(0)
  expect(await tick(at(30 * day))).toBe(1)
  const other = await aged(people)
  await other.order(1)
  expect(await other.tick(at(5000 * day))).toBe(0)
})

test("steps count in any order, and one that raises no more than those before it is none", async () => {
  const { order, tick, told } = await aged(
    plant("[{ above: 90d, raise: 1 }, { above: 60d, raise: 3 }, { above: 30d, raise: 2 }]"),
  )
  const { number } = await order(1, { priority: 5 })
  await tick(at(1000 * day))
  expect(await told(number)).toEqual([
    "30 d system aged: open for 30 d: priority 5 to 3",
    "60 d system aged: open for 60 d: priority 3 to 2",
  ])
})

test("at priority 1 a step is taken as well: who lowers the priority after it has the last word", async () => {
  const { order, tick, told, perform, clock, get } = await aged()
  const { number } = await order(1, { priority: 1 })
  await tick(at(40 * day))
  clock.atMs = at(45 * day)
  await perform("paul", number, "edit", { priority: 3, reason: "can wait" })
  await tick(at(50 * day))
  expect(await get(number)).toMatchObject({ priority: 3, priorityReason: "can wait" })
  await tick(at(60 * day))
  expect(await told(number)).toEqual([
    "30 d system aged: open for 30 d: priority stays 1",
    "45 d paul edited: priority 3 instead of 1; can wait",
    "60 d system aged: open for 60 d: priority 3 to 2",
  ])
})

test("what people and findings make of the priority stays, and later steps raise from there", async () => {
  const { order, tick, perform, clock, get } = await aged()
  const { number } = await order(1, { priority: 3 })
  await tick(at(30 * day))
  clock.atMs = at(31 * day)
  await perform("paul", number, "triage", { priority: 5 })
  await tick(at(100 * day))
  expect(await get(number)).toMatchObject({
    priority: 4,
    priorityReason: "set by paul; open for 60 d: 4",
    aged: 2,
  })
})

/** The commands that lead to a state in which nothing waits for somebody to begin. */
const begun: readonly (readonly (readonly [string, CommandName, unknown?])[])[] = [
  [["paul", "cancel", { reason: "sold" }]],
  [
    ["paul", "submit"],
    ["paul", "assign", { to: ["tina"] }],
    ["paul", "dispatch"],
    ["tina", "acknowledge"],
    ["tina", "start"],
  ],
  [
    ["paul", "submit"],
    ["paul", "assign", { to: ["tina"] }],
    ["paul", "dispatch"],
    ["tina", "acknowledge"],
    ["tina", "start"],
    ["tina", "task", { task: ["1", "2"] }],
    ["tina", "complete"],
    ["sara", "reopen", { reason: "still hot" }],
  ],
]

test("what was begun, or is over, ages no more; what is on its way to be begun does", async () => {
  for (const commands of begun) {
    const { order, tick, perform } = await aged()
    const { number } = await order(1)
    for (const [actor, command, input] of commands) await perform(actor, number, command, input)
    expect(await tick(at(1000 * day))).toBe(0)
  }
  const { order, tick, perform } = await aged()
  const { number } = await order(1)
  for (const [actor, command, input] of begun[1]?.slice(0, 4) ?? [])
    await perform(actor, number, command, input)
  expect(await tick(at(1000 * day))).toBe(2)
})

const approvals = "approvals: [{ id: all, for: {}, levels: [{ by: supervisor }] }]\n"

test("an order that was rejected did not wait: asked for again it is as urgent as others of its age, from then on", async () => {
  const { order, tick, told, perform, clock } = await aged(plant(steps, approvals))
  const { number } = await order(1, { priority: 4 })
  await perform("paul", number, "submit")
  await perform("sara", number, "reject", { comment: "not this year" })
  expect(await tick(at(40 * day))).toBe(0)
  clock.atMs = at(45 * day)
  await perform("paul", number, "submit")
  await tick(at(50 * day))
  expect((await told(number)).slice(-2)).toEqual([
    expect.stringContaining("45 d paul submitted"),
    "45 d system aged: open for 30 d: priority 4 to 3",
  ])
})

test("a command finds the order as old as it is then, also where no tick came between", async () => {
  const { order, told, perform, clock } = await aged()
  const { number } = await order(1, { priority: 4 })
  clock.atMs = at(35 * day)
  await perform("paul", number, "triage", { note: "seen" })
  expect(await told(number)).toEqual([
    "30 d system aged: open for 30 d: priority 4 to 3",
    "35 d paul triaged: seen",
  ])
})

test("a raised priority has the targets of its own, and who was told stays told", async () => {
  const sla =
    "sla: { targets: { 3: { respond: 48h, complete: 900h }, 4: { respond: 960h, complete: 9000h } } }\n"
  const { order, tick, told, get } = await aged(plant("[{ above: 30d, raise: 1 }]", sla))
  const { number } = await order(1, { priority: 4 })
  await tick(at(1000))
  expect(await told(number)).toEqual([
    "30 d system aged: open for 30 d: priority 4 to 3",
    // By the targets of priority 3 it was late before: told as of when these were set.
    "30 d system escalated: not taken on by 2026-01-03 01:00 (Europe/Berlin), step 1: told supervisor Sara",
    "30 d system escalated: not taken on by 2026-01-03 01:00 (Europe/Berlin), step 2: told admin Adam",
    "37.5 d system escalated: not done by 2026-02-07 13:00 (Europe/Berlin), step 1: told supervisor Sara",
    expect.stringContaining("system escalated: not done by 2026-02-07 13:00 (Europe/Berlin), step 2"),
  ])
  expect((await get(number)).sla).toMatchObject({ setMs: at(30 * day), respondByMs: at(48) })
})

test("ticks at any times give the same events, also beside other deadlines and commands", {
  timeout: 60_000,
}, async () => {
  const source = plant(
    "[{ above: 50h, raise: 1 }, { above: 120h, raise: 2 }]",
    "approvals: [{ id: all, for: {}, levels: [{ by: supervisor }], expires: 30h }]\nsla: { targets: { 2: { respond: 10h, complete: 110h }, 3: { respond: 45h, complete: 130h } } }\n",
  )
  const commands: readonly (readonly [number, string, CommandName, unknown?])[] = [
    [20, "paul", "submit"],
    [50, "paul", "edit", { title: "Hot" }],
    [70, "paul", "submit"],
    [80, "sara", "reject", { comment: "no" }],
    [125, "paul", "submit"],
  ]
  const historyWith = async (hours: readonly number[]) => {
    const { order, tick, told, perform, clock, database } = await aged(source)
    const { number } = await order(1, { priority: 4 })
    const moments = [...hours, 300].toSorted((a, b) => a - b)
    for (const [hours, actor, command, input] of commands) {
      for (; (moments[0] ?? 300) < hours; moments.shift()) await tick(at(moments[0] ?? 0))
      clock.atMs = at(hours)
      await perform(actor, number, command, input)
    }
    for (const one of moments) await tick(at(one))
    expect((await createOrderAudit(database).check({})).flaws).toEqual([])
    return told(number)
  }
  const expected = await historyWith([])
  expect(expected.filter((one) => one.includes(" aged: "))).toHaveLength(2)
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 600 }).map((n) => n / 2)), async (hours) => {
      expect(await historyWith(hours)).toEqual(expected)
    }),
    { numRuns: onPostgres ? 5 : 25 },
  )
})

test("another plant file acts on the orders that wait, as of when it took effect; it takes nothing back", async () => {
  const { database, order, queries } = await office(people)
  const revisionOf = (source: string, effectiveMs: number) =>
    readRevision({
      revision: 2,
      plant: "test",
      source,
      changedIn: {},
      effectiveMs,
      author: "adam",
      reason: "",
      atMs: 0,
    })
  const [old, young] = [await order(1, { priority: 4 }), await order(2, { priority: 4, atMs: at(20 * day) })]
  let revision = revisionOf(plant(), at(45 * day))
  const { tick } = createAgeingClock({ database, newest: () => revision, partitions: 4 })
  expect(await tick(at(44 * day))).toBe(0)
  expect(await tick(at(70 * day))).toBe(3)
  const days = async ({ number }: { readonly number: string }) =>
    (await queries.get(number)).history
      .filter(({ kind }) => kind === "aged")
      .map(({ atMs }) => (atMs - at(0)) / hour / day)
  expect(await days(old)).toEqual([45, 60])
  expect(await days(young)).toEqual([50])
  revision = revisionOf(plant("[{ above: 10d, raise: 1 }]"), at(71 * day))
  expect(await tick(at(1000 * day))).toBe(0)
  expect((await queries.get(old.number)).order).toMatchObject({ priority: 2, aged: 2 })
})

test("what has aged survives a restart, and ages once after it", async () => {
  const path = join(await scratch(), "plant.sqlite")
  const before = await aged(plant(), path)
  const { number } = await before.order(1, { priority: 4 })
  expect(await before.tick(at(35 * day))).toBe(1)
  const after = await aged(plant(), path)
  expect(await after.tick(at(36 * day))).toBe(0)
  expect(await after.tick(at(61 * day))).toBe(1)
  expect(await after.tick(at(62 * day))).toBe(0)
  expect(await after.told(number)).toHaveLength(2)
  expect(await createOrderAudit(after.database).check({})).toMatchObject({ entries: 3, flaws: [] })
})

test("every order that waits is found, however many there are, and by several at once", async () => {
  const { order, tick, queries } = await aged()
  // Half of them came at the same time.
  for (let n = 1; n <= 220; n++) await order(n, { priority: 4, atMs: at(n % 2 === 0 ? 0 : n / 100) })
  const done = await Promise.all([tick(at(40 * day)), tick(at(40 * day))])
  expect(done[0] + done[1]).toBe(220)
  expect((await queries.list({ priority: 3, limit: 500 })).orders).toHaveLength(220)
})

test("orders from before they aged do so like all others", async () => {
  const database = await openDatabase(":memory:")
  onTestFinished(() => database.close())
  const { "005-urgency": _, ...earlier } = workOrderMigrations(4)
  await database.migrate("workorders", earlier)
  const labour = { person: "tina", craft: null, rate: 0, kind: "work", attempt: 0 } as const
  for (const [n, state] of (["requested", "closed", "in-progress"] as const).entries()) {
    const request = open(n + 1, { mergeKey: `need ${n}`, template: "pump-repair", job: job.parse({}) })
    const { kept } = openOrder(request, n + 1)
    const work = { ...kept.order.work, labour: [{ ...labour, startMs: at(0), endMs: at(2) }] }
    const { aged, template, worked_ms, ...row } = toRow({ ...kept, order: { ...kept.order, state, work } })
    await database
      .tables<WorkOrderTables>()
      .insertInto("work_order")
      .values(row as ReturnType<typeof toRow>)
      .execute()
  }
  await database.migrate("workorders", workOrderMigrations(4))
  const rows = await database
    .tables<WorkOrderTables>()
    .selectFrom("work_order")
    .select(["state", "aged", "template", "worked_ms"])
    .orderBy("number")
    .execute()
  const template = "pump-repair"
  expect(rows).toEqual([
    { state: "requested", aged: 0, template, worked_ms: null },
    { state: "closed", aged: null, template, worked_ms: 2 * hour },
    { state: "in-progress", aged: null, template, worked_ms: null },
  ])
})

if (!onPostgres) {
  test("orders that have waited long enough are found by their index", async () => {
    const { database } = await office()
    const from = { id: orderId(1), requested_ms: at(0) }
    const query = selectAged(database.tables<WorkOrderTables>(), 0, at(1), 100, from)
    const plan = JSON.stringify(await query.explain(undefined, sql`query plan`))
    expect(plan).toContain("INDEX work_order_by_age (aged=? AND requested_ms>? AND requested_ms<?)")
    expect(plan).not.toContain("TEMP B-TREE")
  })
}

test("the stage looks by itself, and what has aged is told like all else", async () => {
  const directory = await scratch()
  const clock = new ManualClock(at(31 * day))
  const log = await EmbeddedLog.open(join(directory, "log.sqlite"), { partitions: 4, clock, lingerMs: 0 })
  const database = await openDatabase(join(directory, "plant.sqlite"))
  const catalogue = new Catalogue(log)
  await catalogue.start()
  const workOrders = createWorkOrders({
    log,
    database,
    catalogue,
    clock,
    plantClock: "wall",
    logger: pino({ level: "silent" }),
    metrics: new Registry(),
  })
  onTestFinished(async () => {
    await workOrders.close()
    await catalogue.close()
    await log.close()
    await database.close()
  })
  await workOrders.prepare()
  const rest = { plant: "test", changedIn: {}, effectiveMs: 0, author: "adam", reason: "", atMs: 0 }
  await log.append(topics.catalogue, [{ key: "test", value: { ...rest, revision: 1, source: plant() } }])
  await catalogue.knows(1)
  await takeFor(catalogue.newest(), database, open(1, { priority: 4 }))
  await workOrders.start()
  const raised = new Promise<string>((resolve, reject) => {
    const take = ({ kind, note }: { readonly kind: string; readonly note: string }) => {
      if (kind === "aged") resolve(note)
    }
    log.follow(topics.workOrderEvents, ({ value }) => take(value)).catch(reject)
  })
  await clock.advance(1000)
  expect(await raised).toBe("open for 30 d: priority 4 to 3")
})
