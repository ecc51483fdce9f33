import { join } from "node:path"
import fc from "fast-check"
import { expect, test } from "vitest"
import type { Database } from "../../core/db/database.ts"
import { type OrderEvent, type OrderRequest, workOrder } from "../../core/orders.ts"
import { formatNumber } from "../../workorders/number.ts"
import { orderQueries } from "../../workorders/queries.ts"
import type { WorkOrderTables } from "../../workorders/tables.ts"
import { onPostgres } from "../database.ts"
import { amend, at, contents, finding, open, openStore, orderId, scratch, settle, take } from "./requests.ts"

async function store() {
  const database = await openStore(":memory:")
  const orders = orderQueries(database)
  return {
    database,
    orders,
    take: (...requests: readonly OrderRequest[]) => take(database, ...requests),
    order: async (n: number) => (await orders.get(orderId(n))).order,
    history: async (n: number) => (await orders.get(orderId(n))).history,
  }
}

test("a request makes an order with all that it said", async () => {
  const { take, order, history } = await store()
  expect(await take(open(1))).toEqual(["opened"])
  const { kind: _, order: id, atMs, ...asked } = open(1)
  expect(await order(1)).toMatchObject({
    ...asked,
    id,
    number: "WO-000001",
    state: "requested",
    requestedMs: atMs,
    finishedMs: null,
    version: 1,
  })
  expect(workOrder.parse(await order(1))).toEqual(await order(1))
  expect(await history(1)).toEqual([
    {
      sequence: 1,
      atMs: at(0),
      actor: "system",
      kind: "created",
      note: "rule bearing-hot: temperature 80 degC is above 80 degC",
    },
  ])
})

test("an order from a plan says which occurrence it is for", async () => {
  const { take, history } = await store()
  const trigger = { kind: "plan", plan: "grease", revision: 1, dueMs: at(24), because: "cron" } as const
  await take(open(1, { type: "preventive", trigger, findings: [] }))
  expect((await history(1))[0]?.note).toBe("plan grease, due 2026-01-02 00:00 UTC")
})

test("orders are numbered in the order of their requests, without gaps for repeats and merged ones", async () => {
  const { take, order } = await store()
  await take(open(1), open(2, { mergeKey: "other" }), open(1), open(3))
  expect(await take(open(4, { mergeKey: "fourth" }), open(2, { mergeKey: "other" }))).toEqual([
    "opened",
    "repeated",
  ])
  expect((await order(1)).number).toBe("WO-000001")
  expect((await order(2)).number).toBe("WO-000002")
  expect((await order(4)).number).toBe("WO-000003")
})

test("a request for a need that is already covered is merged into the open order", async () => {
  const { take, order, history } = await store()
  await take(open(1))
  expect(await take(open(2, { priority: 1, priorityReason: "trip", dueMs: at(20), atMs: at(9) }))).toEqual([
    "merged",
  ])
  const merged = await order(1)
  expect(merged).toMatchObject({
    priority: 1,
    priorityReason: "trip",
    dueMs: at(20),
    requestedMs: at(0),
    version: 2,
  })
  expect(merged.findings).toEqual([finding(1, 0), finding(2, 0)])
  expect((await history(1))[1]).toEqual({
    sequence: 2,
    atMs: at(9),
    actor: "system",
    kind: "merged",
    note:
      "rule bearing-hot: temperature 80 degC is above 80 degC; priority 3 to 1: trip; " +
      "due 2026-01-01 20:00 UTC instead of 2026-01-05 04:00 UTC",
  })
})

test("a merged request never makes an order less urgent", async () => {
  const { take, order } = await store()
  await take(open(1), open(2, { priority: 5, priorityReason: "watch", dueMs: at(900) }))
  expect(await order(1)).toMatchObject({
    priority: 3,
    priorityReason: "warning on a criticality B asset",
    dueMs: at(100),
  })
})

test("what is said later of a merged request reaches the order that has it, in the same batch and after", async () => {
  const { take, order } = await store()
  expect(await take(open(1), open(2), amend(2, 1))).toEqual(["opened", "merged", "amended"])
  expect(await take(amend(2, 2), open(2), settle())).toEqual(["amended", "repeated", "completed"])
  const merged = await order(1)
  expect(merged.findings).toEqual([finding(1, 0), finding(2, 0), finding(2, 1), finding(2, 2)])
  expect(merged).toMatchObject({ state: "completed", finishedMs: at(50), version: 5 })
  expect(await order(2)).toEqual(merged)
})

test("a finding that is there already changes nothing", async () => {
  const { take, order, database } = await store()
  await take(open(1), amend(1, 1), amend(1, 2))
  const before = await contents(database)
  const repeats = [amend(1, 1, { priority: 1 }), amend(1, 2, { dueMs: at(1) }), amend(1, 0)]
  expect(await take(...repeats)).toEqual(["repeated", "repeated", "repeated"])
  expect(await contents(database)).toEqual(before)
  expect((await order(1)).findings).toHaveLength(3)
})

test("a later finding raises the priority and brings the due time forward, never the other way", async () => {
  const { take, order, history } = await store()
  await take(open(1), amend(1, 1, { priority: 2, priorityReason: "alarm", dueMs: at(40) }))
  expect(await order(1)).toMatchObject({ priority: 2, priorityReason: "alarm", dueMs: at(40) })
  await take(amend(1, 2, { priority: 4, priorityReason: "watch", dueMs: at(400) }))
  expect(await order(1)).toMatchObject({ priority: 2, priorityReason: "alarm", dueMs: at(40), version: 3 })
  expect((await history(1)).map(({ note }) => note)).toEqual([
    "rule bearing-hot: temperature 80 degC is above 80 degC",
    "raised: temperature 81 degC is above 80 degC; priority 3 to 2: alarm; " +
      "due 2026-01-02 16:00 UTC instead of 2026-01-05 04:00 UTC",
    "raised: temperature 82 degC is above 80 degC",
  ])
})

test("a finding that comes after the work was done is kept and makes nothing urgent", async () => {
  const { take, order } = await store()
  await take(open(1), settle())
  expect(await take(amend(1, 1, { priority: 1, dueMs: at(1) }))).toEqual(["amended"])
  const done = await order(1)
  expect(done).toMatchObject({ state: "completed", priority: 3, dueMs: at(100), finishedMs: at(50) })
  expect(done.findings).toHaveLength(2)
})

test("of many findings the first and the newest are kept, and all are counted", async () => {
  const { take, orders } = await store()
  await take(open(1), ...Array.from({ length: 60 }, (_, n) => amend(1, n + 1)))
  await take(amend(1, 61))
  const { order, findingCount } = await orders.get(orderId(1))
  expect(findingCount).toBe(62)
  const kept = order.findings.map(({ sequence }) => sequence)
  expect(kept).toEqual([0, 1, 2, 3, 4, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61])
  expect(await take(amend(1, 20))).toEqual(["repeated"])
})

test("after an order was settled, the next episode makes a new one, also in the same batch", async () => {
  const { take, order } = await store()
  expect(await take(open(1), settle(50), settle(50), open(2), open(1))).toEqual([
    "opened",
    "completed",
    "repeated",
    "opened",
    "repeated",
  ])
  expect(await take(settle(60), open(3))).toEqual(["completed", "opened"])
  expect((await order(3)).number).toBe("WO-000003")
})

test("a replacement settles all that rules asked for its component, and nothing else", async () => {
  const { take, order, history } = await store()
  const plan = { kind: "plan", plan: "inspection", revision: 1, dueMs: at(24), because: "cron" } as const
  const usage = { ...open(2).trigger, ruleKind: "usage", rule: "overhaul" } as const
  await take(
    open(1),
    open(2, { mergeKey: "overhaul", type: "preventive", trigger: usage }),
    open(3, { mergeKey: "inspection", type: "preventive", trigger: plan, findings: [] }),
    open(4, { mergeKey: "seal", component: "seal" }),
    open(5, { mergeKey: "whole", component: null }),
    open(6, { mergeKey: "other", asset: "P-102" }),
  )
  expect(await take(amend(6, 1, { asset: "P-102" }), settle(50))).toEqual(["amended", "completed"])
  const states = await Promise.all([1, 2, 3, 4, 5, 6].map(async (n) => (await order(n)).state))
  expect(states).toEqual(["completed", "completed", "requested", "requested", "requested", "requested"])
  expect(await order(2)).toMatchObject({ finishedMs: at(50), version: 2 })
  expect((await history(2)).at(-1)).toEqual({
    sequence: 2,
    atMs: at(50),
    actor: "system",
    kind: "completed",
    note: "bearing of P-101 was replaced",
  })
})

test("an order whose condition has cleared is settled all the same, and the next episode makes a new one", async () => {
  const { take, order } = await store()
  const cleared = finding(1, 1, { kind: "cleared" })
  await take(open(1), amend(1, 1, { finding: cleared }))
  expect(await take(settle(50), open(2, { atMs: at(70) }))).toEqual(["completed", "opened"])
  expect(await order(1)).toMatchObject({ state: "completed", findings: [finding(1, 0), cleared] })
  expect((await order(2)).state).toBe("requested")
})

test("a replacement that is told late settles no order that was asked for after it", async () => {
  const { take, order } = await store()
  await take(open(1, { atMs: at(51) }))
  expect(await take(settle(50))).toEqual(["noted"])
  expect((await order(1)).state).toBe("requested")
})

test("a replacement that is told late settles no order that an episode of the new component has joined", async () => {
  const { take, order } = await store()
  await take(open(1), open(2, { atMs: at(60), findings: [finding(2, 0, { openedAtMs: at(51) })] }))
  expect(await take(settle(50))).toEqual(["noted"])
  expect(await order(1)).toMatchObject({ state: "requested", findings: [{}, {}] })
})

test("a replacement told again settles nothing, not even a late finding's order", async () => {
  const { take, order } = await store()
  expect(await take(open(1), settle(50), open(2, { atMs: at(49) }))).toEqual([
    "opened",
    "completed",
    "opened",
  ])
  expect(await take(settle(50), settle(48))).toEqual(["repeated", "repeated"])
  expect((await order(2)).state).toBe("requested")
  expect(await take(settle(51), settle(51, { component: "seal" }))).toEqual(["completed", "noted"])
})

test("orders that one replacement settles are told of in the order of their numbers", async () => {
  const { take, database } = await store()
  const numbers = Array.from({ length: 12 }, (_, at) => 12 - at)
  for (const n of numbers) await take(open(n, { mergeKey: `need ${n}` }))
  await take(amend(1, 1), settle())
  const { order_outbox } = await contents(database)
  const completed = (order_outbox as { event: OrderEvent }[]).slice(13).map(({ event }) => event.order.number)
  expect(completed).toEqual(numbers.map((_, at) => `WO-${String(at + 1).padStart(6, "0")}`))
})

test("what is said of an order that was never asked for changes nothing", async () => {
  const { take, database } = await store()
  await take(open(1))
  const before = await contents(database)
  expect(await take(amend(7, 1))).toEqual(["unknown"])
  expect(await contents(database)).toEqual(before)
})

test("the store itself refuses a second open order for one need", async () => {
  const { take, database } = await store()
  await take(open(1), open(2, { mergeKey: "other" }))
  const db = database.tables<WorkOrderTables>()
  const second = db
    .updateTable("work_order")
    .set({ merge_key: open(1).mergeKey })
    .where("id", "=", orderId(2))
  await expect(second.execute()).rejects.toThrow(/UNIQUE constraint failed|violates unique constraint/)
})

test("a batch that fails leaves nothing of any of its requests", async () => {
  const { take, database } = await store()
  await take(open(1))
  const before = await contents(database)
  const impossible = { ...open(3, { mergeKey: "third" }), site: null as unknown as string }
  await expect(take(open(2, { mergeKey: "second" }), amend(1, 1), impossible)).rejects.toThrow(/not.null/i)
  expect(await contents(database)).toEqual(before)
})

test("each change is in the outbox as it is in the history, with the order as it was then", async () => {
  const { take, database } = await store()
  await take(open(1), open(2), amend(1, 1))
  await take(settle(), open(3))
  const { order_outbox, order_history } = await contents(database)
  const events = (order_outbox as { id: number; event: OrderEvent }[]).map(({ id, event }) => ({
    id,
    ...event,
  }))
  expect(
    events.map(({ id, kind, sequence, order }) => [id, kind, sequence, order.version, order.state]),
  ).toEqual([
    [1, "created", 1, 1, "requested"],
    [2, "merged", 2, 2, "requested"],
    [3, "amended", 3, 3, "requested"],
    [4, "completed", 4, 4, "completed"],
    [5, "created", 1, 1, "requested"],
  ])
  expect(order_history).toMatchObject(
    events.map(({ sequence, atMs, actor, kind, note, order }) => ({
      order_id: order.id,
      sequence,
      at_ms: atMs,
      actor,
      kind,
      note,
    })),
  )
})

test("several processes that take requests at once number their orders without gaps, and tell them in that order", async () => {
  const path = join(await scratch(), "plant.db")
  const databases = await Promise.all(Array.from({ length: 3 }, () => openStore(path)))
  await Promise.all(
    databases.flatMap((database, process) =>
      Array.from({ length: 5 }, (_, batch) => {
        const first = 100 * process + 10 * batch
        return take(
          database,
          ...Array.from({ length: 4 }, (_, n) => open(first + n, { mergeKey: `${first + n}` })),
        )
      }),
    ),
  )
  const [database] = databases
  const { work_order, order_outbox } = await contents(database as Database)
  const numbers = (work_order as { number: number }[]).map(({ number }) => number).sort((a, b) => a - b)
  expect(numbers).toEqual(Array.from({ length: 60 }, (_, n) => n + 1))
  expect((order_outbox as { event: OrderEvent }[]).map(({ event }) => event.order.number)).toEqual(
    numbers.map(formatNumber),
  )
})

/** Requests as a scheduler makes them: an order is opened before anything else is said of it. */
const requests = fc
  .array(
    fc.record({
      step: fc.constantFrom("open" as const, "amend" as const, "amend" as const, "settle" as const),
      which: fc.nat(7),
      need: fc.nat(2),
      priority: fc.integer({ min: 1, max: 5 }),
      due: fc.nat(200),
      hours: fc.nat(60),
      component: fc.constantFrom("bearing", "seal"),
    }),
    { maxLength: 40 },
  )
  .map((steps) => {
    const sequences: number[] = []
    return steps.map(({ step, which, need, priority, due, hours, component }): OrderRequest => {
      const n = which % (sequences.length || 1)
      const urgency = { priority, priorityReason: `priority ${priority}`, dueMs: at(due) }
      if (step === "open" || sequences.length === 0) {
        sequences.push(0)
        const mergeKey = `${component} ${need}`
        return open(sequences.length - 1, { ...urgency, atMs: at(hours), component, mergeKey })
      }
      if (step === "settle") return settle(hours, { component })
      const sequence = (sequences[n] ?? 0) + 1
      sequences[n] = sequence
      return amend(n, sequence, urgency)
    })
  })

/** How a stage that is killed and started again reads a list: in batches, now and then from further back. */
const reads = fc.array(fc.record({ size: fc.integer({ min: 1, max: 9 }), back: fc.nat(12) }), {
  maxLength: 20,
})

test("however requests are batched and repeated, the store ends with the same content", async () => {
  await fc.assert(
    fc.asyncProperty(requests, reads, async (list, steps) => {
      const [once, repeatedly] = [await openStore(":memory:"), await openStore(":memory:")]
      if (list.length > 0) await take(once, ...list)
      let position = 0
      for (const { size, back } of [...steps, { size: list.length, back: 0 }]) {
        const from = Math.max(0, position - back)
        const batch = list.slice(from, Math.max(position, from) + size)
        if (batch.length > 0) await take(repeatedly, ...batch)
        position = Math.max(position, from + batch.length)
      }
      expect(await contents(repeatedly)).toEqual(await contents(once))
      await Promise.all([once.close(), repeatedly.close()])
    }),
    { numRuns: onPostgres ? 8 : 40 },
  )
})

test("at no time has a need two open orders, and an order's version is the count of its changes", async () => {
  await fc.assert(
    fc.asyncProperty(requests, async (list) => {
      const database = await openStore(":memory:")
      const db = database.tables<WorkOrderTables>()
      for (const request of list) {
        await take(database, request)
        const open = await db.selectFrom("work_order").select("merge_key").where("open", "=", 1).execute()
        expect(new Set(open.map((row) => row.merge_key)).size).toBe(open.length)
      }
      const orders = await db.selectFrom("work_order").select(["id", "version"]).execute()
      for (const { id, version } of orders) {
        const { history } = await orderQueries(database).get(id)
        expect(history.map(({ sequence }) => sequence)).toEqual(
          Array.from({ length: version }, (_, n) => n + 1),
        )
      }
      await database.close()
    }),
    { numRuns: onPostgres ? 4 : 20 },
  )
})
