import { join } from "node:path"
import { sql } from "kysely"
import { pino } from "pino"
import { Registry } from "prom-client"
import { expect, onTestFinished, test } from "vitest"
import { Catalogue } from "../../core/catalogue.ts"
import { job } from "../../core/job.ts"
import { EmbeddedLog } from "../../core/log/embedded.ts"
import type { OrderEvent } from "../../core/orders.ts"
import type { PlantClock } from "../../core/service.ts"
import { topics } from "../../core/topics.ts"
import { createWorkOrders } from "../../workorders/index.ts"
import type { WorkOrderTables } from "../../workorders/tables.ts"
import { selectDue } from "../../workorders/timers.ts"
import { onPostgres, openDatabase } from "../database.ts"
import { ManualClock } from "../manual-clock.ts"
import { office, people } from "./office.ts"
import { at, open, orderId, scratch } from "./requests.ts"

const expiring = `${people}approvals: [{ id: critical, for: { safety: critical }, levels: [{ by: supervisor }], expires: 2d }]\n`
const critical = { job: job.parse({ safety: "critical" }) }

const told = async ({ queries }: Awaited<ReturnType<typeof office>>, order: string) =>
  (await queries.get(order)).history
    .slice(1)
    .map(({ atMs, actor, kind }) => `${(atMs - at(0)) / 3_600_000} h ${actor} ${kind}`)

test("a request for approval expires once, at its deadline's own time, whatever the steps of time", async () => {
  for (const hours of [[48], [47.9, 48, 49], [5000], [10, 4000, 4001]]) {
    const made = await office(expiring)
    const { number } = await made.order(1, critical)
    await made.perform("paul", number, "submit")
    for (const hour of hours) await made.desk.tick(at(hour))
    expect(await told(made, number)).toEqual(["0 h paul submitted", "48 h system approval-expired"])
    expect(await made.get(number)).toMatchObject({ state: "triaged", approval: null })
    expect((await made.queries.get(number)).history.at(-1)?.note).toBe(
      "no decision of supervisor on level 1 of 1 in time: to be submitted again",
    )
  }
})

test("what is due to one order happens in the order of its deadlines, whatever the steps of time", async () => {
  const late = `${expiring}sla: { targets: { 3: { respond: 1h, complete: 50h } } }\n`
  for (const hours of [[5000], [1, 5, 48, 50, 54], [47, 49]]) {
    const made = await office(late)
    const { number } = await made.order(1, critical)
    await made.perform("paul", number, "submit")
    for (const hour of [...hours, 5000]) await made.desk.tick(at(hour))
    expect(await told(made, number)).toEqual([
      "0 h paul submitted",
      "1 h system escalated",
      "5 h system escalated",
      "48 h system approval-expired",
      "50 h system escalated",
      "54 h system escalated",
    ])
  }
})

test("nothing expires before its time, or after it was decided", async () => {
  const { order, perform, desk, get } = await office(expiring)
  const [waiting, decided] = [await order(1, critical), await order(2, critical)]
  for (const { number } of [waiting, decided]) await perform("paul", number, "submit")
  await perform("sara", decided.number, "approve")
  expect(await desk.tick(at(48) - 1)).toBe(0)
  expect((await get(waiting.number)).state).toBe("awaiting-approval")
  expect(await desk.tick(at(5000))).toBe(1)
  expect((await get(decided.number)).state).toBe("approved")
})

test("a request for approval survives a restart, and expires once after it", async () => {
  const path = join(await scratch(), "plant.sqlite")
  const before = await office(expiring, path)
  const { number } = await before.order(1, critical)
  await before.perform("paul", number, "submit")
  const after = await office(expiring, path)
  expect(await after.desk.tick(at(60))).toBe(1)
  expect(await after.desk.tick(at(61))).toBe(0)
  const again = await office(expiring, path)
  expect(await again.desk.tick(at(62))).toBe(0)
  expect(await told(again, number)).toEqual(["0 h paul submitted", "48 h system approval-expired"])
})

test("a decision after the deadline comes too late, also where no tick came between", async () => {
  const made = await office(expiring)
  const { number } = await made.order(1, critical)
  await made.perform("paul", number, "submit")
  made.clock.atMs = at(49)
  await expect(made.perform("sara", number, "approve")).rejects.toMatchObject({
    code: "NOT_POSSIBLE",
    message: expect.stringContaining("WO-000001 is triaged"),
  })
  await made.perform("paul", number, "submit")
  await made.perform("sara", number, "approve")
  expect(await told(made, number)).toEqual([
    "0 h paul submitted",
    "48 h system approval-expired",
    "49 h paul submitted",
    "49 h sara approved",
  ])
})

test("what is due is carried out to the last order, however many they are, and by several at once", async () => {
  const { order, perform, desk, queries } = await office(expiring)
  for (let n = 1; n <= 120; n++) await perform("paul", (await order(n, critical)).number, "submit")
  const done = await Promise.all([desk.tick(at(50)), desk.tick(at(50))])
  expect(done[0] + done[1]).toBe(120)
  expect(await queries.counts()).toEqual([{ state: "triaged", type: "predictive", orders: 120 }])
})

test("a tick that is stopped leaves the rest for the next one", async () => {
  const { order, perform, desk } = await office(expiring)
  await perform("paul", (await order(1, critical)).number, "submit")
  expect(await desk.tick(at(50), AbortSignal.abort())).toBe(0)
  expect(await desk.tick(at(50))).toBe(1)
})

if (!onPostgres) {
  test("what is due is found by its index", async () => {
    const { database } = await office()
    const db = database.tables<WorkOrderTables>()
    const from = { id: orderId(1), timer_ms: at(0) }
    const plan = await selectDue(db, at(1), 100, from).explain(undefined, sql`query plan`)
    expect(JSON.stringify(plan)).toContain("USING INDEX work_order_by_timer (timer_ms>? AND timer_ms<?)")
  })
}

/** The stage on files, with the plant file applied; opened again in the same directory it goes on. */
async function stage(directory: string, plantClock: PlantClock, startMs: number) {
  const clock = new ManualClock(startMs)
  const log = await EmbeddedLog.open(join(directory, "log.sqlite"), { partitions: 4, clock, lingerMs: 0 })
  const database = await openDatabase(join(directory, "plant.sqlite"))
  const catalogue = new Catalogue(log)
  await catalogue.start()
  const logger = pino({ level: "silent" })
  const workOrders = createWorkOrders({
    log,
    database,
    catalogue,
    clock,
    plantClock,
    logger,
    metrics: new Registry(),
  })
  await workOrders.prepare()
  await workOrders.start()
  const close = async () => {
    await workOrders.close()
    await catalogue.close()
    await log.close()
    await database.close()
  }
  onTestFinished(close)
  return {
    workOrders,
    clock,
    close,
    async apply(source: string) {
      const rest = { plant: "test", changedIn: {}, effectiveMs: 0, author: "adam", reason: "", atMs: 0 }
      await log.append(topics.catalogue, [{ key: "test", value: { ...rest, revision: 1, source } }])
      await catalogue.knows(1)
    },
    request: (n: number, atMs: number) => {
      const value = open(n, { ...critical, mergeKey: `need ${n}`, atMs })
      return log.append(topics.workOrderRequests, [{ key: value.asset, value }])
    },
    perform: (actor: string, order: string, command: "submit" | "approve", atMs: number) =>
      workOrders.perform({ order, command, input: {} }, { actor, atMs }),
    async events(count: number) {
      const events: OrderEvent[] = []
      await new Promise<void>((resolve, reject) => {
        log
          .follow(topics.workOrderEvents, ({ value }) => {
            events.push(value)
            if (events.length === count) resolve()
          })
          .catch(reject)
      })
      return events.map(({ kind, order, atMs }) => `${order.number} ${kind} ${(atMs - at(0)) / 3_600_000} h`)
    },
  }
}

test("on the wall clock the stage looks by itself, and what happened by the clock is told like all else", async () => {
  const directory = await scratch()
  const first = await stage(directory, "wall", at(0))
  await first.apply(expiring)
  await first.request(1, at(0))
  await first.events(1)
  await first.perform("paul", "1", "submit", at(1))
  await first.close()
  const second = await stage(directory, "wall", at(100))
  await second.clock.advance(1000)
  expect(await second.events(3)).toEqual([
    "WO-000001 created 0 h",
    "WO-000001 submitted 1 h",
    "WO-000001 approval-expired 49 h",
  ])
})

test("on the clock of events now is the newest time that came by; after a restart that is none", async () => {
  const directory = await scratch()
  const first = await stage(directory, "event", at(9999))
  await first.apply(expiring)
  await first.request(1, at(0))
  await first.events(1)
  await first.perform("paul", "1", "submit", at(1))
  await first.clock.advance(3000)
  await first.close()
  const second = await stage(directory, "event", at(9999))
  await second.clock.advance(3000)
  expect((await second.workOrders.get("1")).order.state).toBe("awaiting-approval")
  await second.request(2, at(60))
  await second.events(3)
  await second.clock.advance(1000)
  expect((await second.events(4)).at(-1)).toBe("WO-000001 approval-expired 49 h")
})
