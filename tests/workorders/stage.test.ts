import { join } from "node:path"
import type { Migration } from "kysely"
import { type Logger, pino } from "pino"
import { Registry } from "prom-client"
import { expect, onTestFinished, test } from "vitest"
import { Catalogue } from "../../core/catalogue.ts"
import type { Database } from "../../core/db/database.ts"
import { Positions } from "../../core/db/positions.ts"
import { EmbeddedLog } from "../../core/log/embedded.ts"
import type { Log } from "../../core/log/log.ts"
import { partitionOf } from "../../core/log/partition.ts"
import type { OrderEvent, OrderRequest } from "../../core/orders.ts"
import { topics } from "../../core/topics.ts"
import { createWorkOrders } from "../../workorders/index.ts"
import { workOrderMigrations } from "../../workorders/migrations.ts"
import { openDatabase } from "../database.ts"
import { ManualClock } from "../manual-clock.ts"
import { giveAndTake, oddAndOther } from "../takeover.ts"
import { amend, contents, open, openStore, orderId, scratch, settle, take } from "./requests.ts"

const silent = pino({ level: "silent" })

type Plant = {
  readonly log: Log
  readonly database: Database
  readonly clock: ManualClock
  readonly metrics: Registry
  stage(parts?: { log?: Log; logger?: Logger }): ReturnType<typeof createWorkOrders>
  request(...requests: readonly OrderRequest[]): Promise<void>
  /** The first `count` events there ever were. */
  events(count: number): Promise<readonly OrderEvent[]>
}

/** A plant's log and store in files, as one process has them. Opened again in the same directory they go on. */
async function plant(directory: string): Promise<Plant & { close(): Promise<void> }> {
  const clock = new ManualClock()
  const log = await EmbeddedLog.open(join(directory, "log.sqlite"), { partitions: 4, clock, lingerMs: 0 })
  const database = await openDatabase(join(directory, "plant.sqlite"))
  const metrics = new Registry()
  const close = async () => {
    await log.close()
    await database.close()
  }
  onTestFinished(close)
  return {
    log,
    database,
    clock,
    metrics,
    stage: ({ log: other = log, logger = silent } = {}) =>
      createWorkOrders({
        log: other,
        database,
        catalogue: new Catalogue(log),
        clock,
        plantClock: "event",
        logger,
        metrics,
      }),
    request: (...requests) =>
      log.append(
        topics.workOrderRequests,
        requests.map((value) => ({ key: value.asset, value })),
      ),
    async events(count) {
      const events: OrderEvent[] = []
      await new Promise<void>((resolve, reject) => {
        log
          .follow(topics.workOrderEvents, ({ value }) => {
            events.push(value)
            if (events.length === count) resolve()
          })
          .catch(reject)
      })
      return events
    },
    close,
  }
}

/** How many requests had which outcome. */
async function outcomes(metrics: Registry): Promise<Record<string, number>> {
  const counter = await metrics.getSingleMetric("millwright_order_requests_total")?.get()
  return Object.fromEntries(counter?.values.map(({ labels, value }) => [labels.outcome, value]) ?? [])
}

const steps = (events: readonly OrderEvent[]) =>
  events.map(({ kind, sequence, order }) => `${order.number} ${sequence} ${kind}`)

test("requests in the log become orders, and each change an event under the asset's key", async () => {
  const { stage, request, events, log, database } = await plant(await scratch())
  const workOrders = stage()
  await workOrders.prepare()
  await workOrders.start()
  await request(open(1), open(2, { mergeKey: "other", asset: "P-102" }), amend(1, 1), settle())
  const published = await events(4)
  expect(steps(published.filter(({ order }) => order.asset === "P-101"))).toEqual([
    "WO-000001 1 created",
    "WO-000001 2 amended",
    "WO-000001 3 completed",
  ])
  expect((await workOrders.list()).orders.map(({ number, state }) => [number, state])).toEqual([
    ["WO-000002", "requested"],
    ["WO-000001", "completed"],
  ])
  expect(published.at(-1)?.order).toEqual((await workOrders.get("WO-000001")).order)
  expect((await log.lags()).filter(({ group }) => group === "workorders")).toEqual([
    { topic: "work-order-requests", group: "workorders", behind: 0, uncommitted: 0 },
  ])
  await workOrders.close()
  await workOrders.done
  for await (const { key, value } of log.read(topics.workOrderEvents)) expect(key).toBe(value.order.asset)
  expect((await contents(database)).order_outbox).toEqual([])
})

test("after a restart the stage goes on from where it was, also with requests that came meanwhile", async () => {
  const directory = await scratch()
  const first = await plant(directory)
  const before = first.stage()
  await before.prepare()
  await before.start()
  await first.request(open(1), open(2))
  await first.events(2)
  await before.close()
  await first.request(amend(2, 1), settle(), open(3))
  await first.close()

  const second = await plant(directory)
  const after = second.stage()
  await after.prepare()
  await after.start()
  expect(steps(await second.events(5))).toEqual([
    "WO-000001 1 created",
    "WO-000001 2 merged",
    "WO-000001 3 amended",
    "WO-000001 4 completed",
    "WO-000002 1 created",
  ])
  await after.close()
  expect(await outcomes(second.metrics)).toEqual({ amended: 1, completed: 1, opened: 1 })
})

test("requests that are read again, from the first on, change nothing and tell nobody", async () => {
  const { stage, request, events, database, metrics, log } = await plant(await scratch())
  const before = stage()
  await before.prepare()
  await before.start()
  await request(open(1), open(2), amend(1, 1), settle(), open(3))
  await events(5)
  await before.close()
  const kept = await contents(database)

  await database
    .tables<{ log_position: { position: number } }>()
    .updateTable("log_position")
    .set({ position: 0 })
    .execute()
  metrics.clear()
  const again = stage()
  await again.prepare()
  await again.start()
  await request(open(4, { mergeKey: "the last", asset: "P-101" }))
  expect(steps(await events(6)).at(-1)).toBe("WO-000003 1 created")
  await again.close()
  const { work_order, order_history } = await contents(database)
  expect(work_order.slice(0, 2)).toEqual(kept.work_order)
  expect(order_history.slice(0, 5)).toEqual(kept.order_history)
  expect(order_history).toHaveLength(6)
  expect(await log.ends(topics.workOrderEvents)).toContain(6)
  expect(await outcomes(metrics)).toEqual({ repeated: 5, opened: 1 })
})

test("an event that was published but not yet crossed out comes again, and each order's events keep their order", async () => {
  const { stage, request, events, log, database, metrics } = await plant(await scratch())
  const dying: Log = Object.assign(Object.create(log), {
    async append(...args: Parameters<Log["append"]>) {
      await log.append(...args)
      throw new Error("killed after the append")
    },
  })
  const first = stage({ log: dying })
  await first.prepare()
  await first.start()
  await request(open(1), amend(1, 1))
  await expect(first.done).rejects.toThrow("killed after the append")
  await expect(first.close()).rejects.toThrow("killed after the append")
  expect((await contents(database)).order_outbox).not.toEqual([])

  metrics.clear()
  const second = stage()
  await second.prepare()
  await second.start()
  await second.close()
  const published = steps(await events(4))
  expect(published).toEqual([
    "WO-000001 1 created",
    "WO-000001 2 amended",
    "WO-000001 1 created",
    "WO-000001 2 amended",
  ])
  expect((await contents(database)).order_outbox).toEqual([])
})

test("when another process takes a partition over, the others go on, and so does it once it comes back", async () => {
  const warnings: string[] = []
  const logger = pino({ level: "warn" }, { write: (line) => warnings.push(line) })
  const { stage, request, events, log, database } = await plant(await scratch())
  const [lost, kept] = oddAndOther(["P-101", "P-102", "P-103"], log.partitions)
  const workOrders = stage({ logger })
  await workOrders.prepare()
  await workOrders.start()
  const positions = new Positions(database, "workorders", topics.workOrderRequests.name)
  await positions.claim(partitionOf(lost, log.partitions))
  await request(
    open(1, { mergeKey: "1", asset: lost }),
    open(2, { mergeKey: "2", asset: kept }),
    open(3, { mergeKey: "3", asset: lost }),
  )
  await request(open(4, { mergeKey: "4", asset: lost }), open(5, { mergeKey: "5", asset: kept }))
  expect((await events(2)).map(({ order }) => order.asset)).toEqual([kept, kept])
  expect(warnings.filter((line) => line.includes("has taken over this partition"))).toHaveLength(1)
  expect((await workOrders.list({ asset: lost })).orders).toEqual([])

  await giveAndTake(log, topics.workOrderRequests, "workorders")
  await events(5)
  const { orders } = await workOrders.list({ asset: lost })
  expect(orders.map(({ id }) => id)).toEqual([orderId(4), orderId(3), orderId(1)])
  await workOrders.close()
  expect((await contents(database)).order_outbox).toEqual([])
})

test("a partition that another process claimed and the log leaves here stops the stage, which skips nothing so", async () => {
  const warnings: string[] = []
  const logger = pino({ level: "warn" }, { write: (line) => warnings.push(line) })
  const { stage, request, log, database, clock } = await plant(await scratch())
  const [lost] = oddAndOther(["P-101", "P-102", "P-103"], log.partitions)
  const workOrders = stage({ logger })
  await workOrders.prepare()
  await workOrders.start()
  const stopped = expect(workOrders.done).rejects.toMatchObject({ code: "OWNER_REPLACED" })
  const positions = new Positions(database, "workorders", topics.workOrderRequests.name)
  await positions.claim(partitionOf(lost, log.partitions))
  await request(open(1, { asset: lost }))
  while (warnings.length === 0) await new Promise((resolve) => setImmediate(resolve))
  await clock.advance(31_000)
  await stopped
  await workOrders.close()
})

test("an owner that was replaced publishes nothing more, also where it has yet to hear of it", async () => {
  const warnings: string[] = []
  const logger = pino({ level: "warn" }, { write: (line) => warnings.push(line) })
  const { stage, events, log, database, clock } = await plant(await scratch())
  const [lost, kept] = oddAndOther(["P-101", "P-102", "P-103"], log.partitions)
  const workOrders = stage({ logger })
  await workOrders.prepare()
  await workOrders.start()
  const positions = new Positions(database, "workorders", topics.workOrderRequests.name)
  await positions.claim(partitionOf(lost, log.partitions))
  await take(database, open(1, { asset: lost, mergeKey: "1" }), open(2, { asset: kept, mergeKey: "2" }))
  await clock.advance(1000)
  expect((await events(1)).map(({ order }) => order.asset)).toEqual([kept])
  expect(warnings.filter((line) => line.includes("has taken over this partition"))).toHaveLength(1)
  await giveAndTake(log, topics.workOrderRequests, "workorders")
  expect((await events(2)).map(({ order }) => order.asset)).toEqual([kept, lost])
  await workOrders.close()
  expect((await contents(database)).order_outbox).toEqual([])
})

test("events that somebody else left are published within a second, those of a partition by its owner alone", async () => {
  const { stage, request, events, log, database, clock } = await plant(await scratch())
  const [other, own] = oddAndOther(["P-101", "P-102", "P-103"], log.partitions)
  const workOrders = stage()
  await workOrders.prepare()
  await workOrders.start()
  const elsewhere = await log.subscribe(topics.workOrderRequests, "workorders", {
    load: async () => 0,
    process: async () => {},
    revoked: async () => {},
  })
  await take(database, open(1, { asset: other, mergeKey: "1" }), open(2, { asset: own, mergeKey: "2" }))
  await clock.advance(1000)
  expect((await events(1)).map(({ order }) => order.asset)).toEqual([own])
  await request(open(3, { asset: own, mergeKey: "3" }))
  expect(steps(await events(2))).toEqual(["WO-000002 1 created", "WO-000003 1 created"])
  await elsewhere.close()
  expect(steps(await events(3)).at(-1)).toBe("WO-000001 1 created")
  await workOrders.close()
})

test("events from before the outbox knew partitions are published", async () => {
  const { stage, events, log, database } = await plant(await scratch())
  const all = workOrderMigrations(log.partitions)
  const before = { "001-work-orders": all["001-work-orders"] as Migration }
  await database.migrate("workorders", before)
  const event = await eventOf(open(1, { asset: "P-103" }))
  await database
    .tables<{ order_outbox: { id: number; event: string } }>()
    .insertInto("order_outbox")
    .values({ id: 1, event: JSON.stringify(event) })
    .execute()
  const workOrders = stage()
  await workOrders.prepare()
  const { order_outbox } = await contents(database)
  expect(order_outbox).toMatchObject([{ id: 1, partition: partitionOf("P-103", log.partitions) }])
  await workOrders.start()
  expect(await events(1)).toEqual([event])
  await workOrders.close()
})

/** What an order's first event looks like. */
async function eventOf(request: OrderRequest): Promise<OrderEvent> {
  const database = await openStore(":memory:")
  await take(database, request)
  const [row] = (await contents(database)).order_outbox as { event: OrderEvent }[]
  if (row === undefined) throw new Error("the request left no event")
  return row.event
}

test("a request about an order that was never asked for is told and counted, and the next ones go on", async () => {
  const warnings: string[] = []
  const logger = pino({ level: "warn" }, { write: (line) => warnings.push(line) })
  const { stage, request, events, metrics } = await plant(await scratch())
  const workOrders = stage({ logger })
  await workOrders.prepare()
  await workOrders.start()
  await request(amend(9, 1), open(1))
  await events(1)
  await workOrders.close()
  expect(warnings).toHaveLength(1)
  expect(JSON.parse(warnings[0] ?? "")).toMatchObject({
    order: orderId(9),
    asset: "P-101",
    kind: "amend",
  })
  const text = await metrics.metrics()
  expect(text).toContain('millwright_order_requests_total{outcome="unknown"} 1')
  expect(text).toContain('millwright_orders_opened_total{type="predictive"} 1')
})

test("a stage that never started closes", async () => {
  const { stage } = await plant(await scratch())
  const workOrders = stage()
  await workOrders.close()
  await workOrders.done
})

test("thousands of requests at once are taken in batches, in their order", async () => {
  const { stage, request, events } = await plant(await scratch())
  await request(...Array.from({ length: 1200 }, (_, n) => open(n, { mergeKey: `need ${n}` })))
  const workOrders = stage()
  await workOrders.prepare()
  await workOrders.start()
  const published = await events(1200)
  expect(published.map(({ order }) => Number(order.number.slice(3)))).toEqual(
    Array.from({ length: 1200 }, (_, n) => n + 1),
  )
  await workOrders.close()
})
