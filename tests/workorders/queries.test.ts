import { sql } from "kysely"
import { expect, test } from "vitest"
import type { Database } from "../../core/db/database.ts"
import { selectOpenOn } from "../../workorders/intake.ts"
import type { OrderFilter } from "../../workorders/queries.ts"
import {
  orderQueries,
  selectColumn,
  selectCounts,
  selectOrders,
  selectUrgent,
} from "../../workorders/queries.ts"
import type { WorkOrderTables } from "../../workorders/tables.ts"
import { onPostgres } from "../database.ts"
import { office } from "./office.ts"
import { at, open, openStore, orderId, settle, take } from "./requests.ts"

/** Seven orders: the odd ones preventive on P-101, the even ones predictive on P-102; the first is done. */
async function store() {
  const database = await openStore(":memory:")
  for (let n = 1; n <= 7; n++) {
    const odd = n % 2 === 1
    const asset = odd ? "P-101" : "P-102"
    const component = `part-${n}`
    const type = odd ? "preventive" : "predictive"
    await take(
      database,
      open(n, {
        asset,
        component,
        type,
        site: odd ? "north" : "south",
        priority: n > 5 ? 1 : 3,
        mergeKey: `${n}`,
      }),
    )
  }
  await take(database, settle(50, { component: "part-1" }), open(8, { mergeKey: "2" }))
  return { database, orders: orderQueries(database) }
}

test("orders are listed newest first, without their findings", async () => {
  const { orders } = await store()
  const { orders: listed, next } = await orders.list()
  expect(listed.map(({ number }) => number)).toEqual([7, 6, 5, 4, 3, 2, 1].map((n) => `WO-00000${n}`))
  expect(next).toBeUndefined()
  const { order } = await orders.get("WO-000007")
  expect(order).toMatchObject(listed[0] ?? {})
  expect(Object.keys(listed[0] ?? {})).not.toContain("findings")
})

test("pages follow each other without a gap or a repeat, and the last one says so", async () => {
  const { orders } = await store()
  const first = await orders.list({ limit: 3 })
  const second = await orders.list({ limit: 3, after: first.next })
  const third = await orders.list({ limit: 3, after: second.next })
  const pages = [first, second, third].map((page) => page.orders.map(({ number }) => Number(number.slice(3))))
  expect(pages).toEqual([[7, 6, 5], [4, 3, 2], [1]])
  expect(third.next).toBeUndefined()
  expect((await orders.list({ limit: 7 })).next).toBeUndefined()
})

test("a list takes any of its filters, alone and together", async () => {
  const { orders } = await store()
  const numbers = async (filter: OrderFilter) =>
    (await orders.list(filter)).orders.map(({ number }) => Number(number.slice(3)))
  expect(await numbers({ state: "completed" })).toEqual([1])
  expect(await numbers({ type: "predictive" })).toEqual([6, 4, 2])
  expect(await numbers({ site: "south" })).toEqual([6, 4, 2])
  expect(await numbers({ asset: "P-101" })).toEqual([7, 5, 3, 1])
  expect(await numbers({ priority: 1 })).toEqual([7, 6])
  expect(await numbers({ state: "requested", asset: "P-101", priority: 3 })).toEqual([5, 3])
  expect(await numbers({ asset: "nowhere" })).toEqual([])
})

test("a place that no page gave is refused", async () => {
  const { orders } = await store()
  await expect(orders.list({ after: "yesterday" })).rejects.toMatchObject({ code: "USAGE" })
})

test("an order is found by its id, by a number however written, and by an id that was merged into it", async () => {
  const { orders } = await store()
  const { order } = await orders.get(orderId(2))
  expect(order.id).toBe(orderId(2))
  for (const name of ["WO-000002", "wo-2", "2", orderId(8)])
    expect((await orders.get(name)).order).toEqual(order)
})

test("an order that is not there is told by the name it was asked for", async () => {
  const { orders } = await store()
  for (const name of ["WO-000099", orderId(99), "pump", ""]) {
    await expect(orders.get(name)).rejects.toMatchObject({
      code: "NOT_FOUND",
      message: expect.stringContaining(name),
    })
  }
})

test("the board has the most urgent of each state, and tells how many there are", async () => {
  const { orders } = await store()
  const all = await orders.board({ limit: 2 })
  expect(all.map(({ state, count, orders }) => [state, count, orders.map(({ number }) => number)])).toEqual(
    expect.arrayContaining([
      ["requested", 6, ["WO-000006", "WO-000007"]],
      ["triaged", 0, []],
      ["completed", 1, ["WO-000001"]],
    ]),
  )
  const [south] = await orders.board({ site: "south", limit: 2 })
  expect(south).toMatchObject({
    state: "requested",
    count: 3,
    orders: [{ site: "south" }, { site: "south" }],
  })
})

test("a list takes only what is open, overdue or somebody's own", async () => {
  const { orders } = await store()
  const numbers = async (filter: OrderFilter) =>
    (await orders.list(filter)).orders.map(({ number }) => number)
  expect(await numbers({ open: true })).toHaveLength(6)
  expect(await numbers({ dueBeforeMs: at(100) })).toEqual([])
  expect(await numbers({ dueBeforeMs: at(101), site: "south" })).toEqual([
    "WO-000006",
    "WO-000004",
    "WO-000002",
  ])
  expect(await numbers({ person: "tina" })).toEqual([])
})

test("orders are counted by state and type", async () => {
  const { orders } = await store()
  expect(await orders.counts()).toEqual([
    { state: "completed", type: "preventive", orders: 1 },
    { state: "requested", type: "predictive", orders: 3 },
    { state: "requested", type: "preventive", orders: 3 },
  ])
})

test("orders are read in full, the most urgent first, by site or by who has something to do", async () => {
  const { order, queries, perform, clock } = await office()
  const [low, high, other] = [
    await order(1, { priority: 4 }),
    await order(2, { priority: 1 }),
    await order(3, { site: "south" }),
  ]
  const ids = async (wanted: object) =>
    (await queries.read({ states: ["requested", "assigned"], limit: 10, ...wanted })).orders.map(
      ({ id }) => id,
    )
  expect(await ids({ site: "north" })).toEqual([high.id, low.id])
  expect(await ids({ site: "north", dueBeforeMs: clock.atMs - 1e12 })).toEqual([])
  await perform("paul", other.id, "triage")
  await perform("paul", other.id, "submit")
  await perform("paul", other.id, "assign", { to: ["tina"] })
  expect(await ids({ people: ["tina", "theo"] })).toEqual([other.id])
  expect(await queries.read({ states: ["requested"], site: "north", limit: 1 })).toEqual({
    orders: [high],
    more: true,
  })
})

const filters: readonly (readonly [OrderFilter, string])[] = [
  [{ state: "requested" }, "work_order_by_state"],
  [{ type: "predictive" }, "work_order_by_type"],
  [{ site: "north" }, "work_order_by_site"],
  [{ asset: "P-101" }, "work_order_by_asset"],
  [{ priority: 1 }, "work_order_by_priority"],
  [{ open: true }, "work_order_open_by_number"],
]

/** The steps that the database would take. */
async function planOf(
  database: Database,
  query: { compile(): { sql: string; parameters: readonly unknown[] } },
): Promise<readonly string[]> {
  const { sql: text, parameters } = query.compile()
  const explained = sql.join(
    text
      .split(/\?|\$\d+/)
      .map((part, n) => (n < parameters.length ? sql`${sql.raw(part)}${parameters[n]}` : sql.raw(part))),
    sql``,
  )
  const explain = sql.raw(onPostgres ? "explain (costs off)" : "explain query plan")
  const { rows } = await sql<Record<string, string>>`${explain} ${explained}`.execute(database.tables())
  return rows.map((row) => (row.detail ?? row["QUERY PLAN"] ?? "").trim())
}

if (onPostgres) {
  test("the main list is answered from an index without sorting; other lists, counts and open orders from theirs", async () => {
    const { database } = await store()
    const db = database.tables<WorkOrderTables>()
    await sql`
      insert into work_order
      select 'id-' || n, n + 100, 'corrective', 'completed', 0, 'east', 'A-' || n % 500, component, 'need-' || n,
        title, 3 + n % 3, requested_ms, due_ms, finished_ms, version, details, findings, finding_count, episodes,
        cost_centre, timer_ms, head
      from work_order cross join generate_series(1, 20000) n where number = 7`.execute(db)
    await sql`analyze work_order`.execute(db)
    for (const [filter, index] of filters) {
      for (const one of [filter, { ...filter, after: "WO-000500" }]) {
        expect((await planOf(database, selectOrders(db, one, 50))).join("\n")).toContain(index)
      }
    }
    const [, all] = await planOf(database, selectOrders(db, {}, 50))
    expect(all).toBe("->  Index Scan Backward using work_order_number_key on work_order")
    for (const [site, index] of [
      [undefined, "work_order_board"],
      ["north", "work_order_board_of_site"],
    ] as const) {
      expect((await planOf(database, selectColumn(db, "requested", site, 20))).join("\n")).toContain(index)
    }
    expect((await planOf(database, selectOrders(db, { person: "tina" }, 50))).join("\n")).toContain(
      "order_person_by_person",
    )
    expect((await planOf(database, selectOpenOn(db, ["P-7", "P-8"]))).join("\n")).toContain(
      "work_order_open_on_asset",
    )
    expect((await planOf(database, selectCounts(db))).join("\n")).toContain(
      "Index Only Scan using work_order_counts",
    )
  })
} else {
  test("every list, the counts, and the open orders of assets are answered from an index, without sorting", async () => {
    const { database } = await store()
    const db = database.tables<WorkOrderTables>()
    expect(await planOf(database, selectOpenOn(db, ["P-101", "P-102"]))).toEqual([
      "SEARCH work_order USING INDEX work_order_open_on_asset (asset=?)",
    ])
    for (const [filter, index] of filters) {
      for (const one of [filter, { ...filter, after: "WO-000005" }]) {
        const [step, ...more] = await planOf(database, selectOrders(db, one, 50))
        expect(step).toMatch(new RegExp(`^(SEARCH|SCAN) work_order USING INDEX ${index}\\b`))
        expect(more).toEqual([])
      }
    }
    for (const site of [undefined, "north"]) {
      const index = site === undefined ? "work_order_board" : "work_order_board_of_site"
      const [step, ...more] = await planOf(database, selectColumn(db, "requested", site, 20))
      expect(step).toContain(`SEARCH work_order USING INDEX ${index} (`)
      expect(more).toEqual([])
    }
    const own = await planOf(database, selectOrders(db, { person: "tina" }, 50))
    expect(own.join("\n")).toContain("order_person USING INDEX order_person_by_person (person=? AND open=?)")
    expect(own.join("\n")).not.toContain("SCAN work_order")
    const wanted = { states: ["requested", "approved"] as const, limit: 500 }
    expect((await planOf(database, selectUrgent(db, { ...wanted, site: "north" }))).join("\n")).toContain(
      "USING INDEX work_order_board_of_site (site=? AND state=?",
    )
    const theirs = await planOf(database, selectUrgent(db, { ...wanted, people: ["tina", "theo"] }))
    expect(theirs.join("\n")).not.toContain("SCAN work_order")
    const late = await planOf(database, selectOrders(db, { dueBeforeMs: at(0) }, 50))
    expect(late.join("\n")).toMatch(/USING INDEX work_order_(by_due|open_by_number)/)
    const [all, ...sorting] = await planOf(database, selectOrders(db, {}, 50))
    expect(all).toContain("USING INDEX")
    expect(sorting).toEqual([])
    expect(await planOf(database, selectCounts(db))).toEqual([
      "SCAN work_order USING COVERING INDEX work_order_counts",
    ])
  })
}
