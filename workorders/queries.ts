import type { Kysely } from "kysely"
import type { Database } from "../core/db/database.ts"
import { MillwrightError } from "../core/errors.ts"
import { type OrderEvent, type OrderState, orderStates, type WorkOrder } from "../core/orders.ts"
import type { OrderType } from "../core/vocabulary.ts"
import { formatNumber, parseNumber } from "./number.ts"
import { fromRow, type OrderSummary, toSummary } from "./rows.ts"
import type { WorkOrderTables } from "./tables.ts"

/** Orders that match every key given, newest first. */
export type OrderFilter = {
  readonly state?: OrderState | undefined
  readonly type?: OrderType | undefined
  readonly site?: string | undefined
  readonly asset?: string | undefined
  readonly priority?: number | undefined
  /** Assigned, as a whole or a task of it, to this person, and still to be done. */
  readonly person?: string | undefined
  /** Only those that are still to be done. */
  readonly open?: true | undefined
  /** Only those that are still to be done and were due before this time. */
  readonly dueBeforeMs?: number | undefined
  /** At most so many; 50 by default, never more than 500. */
  readonly limit?: number | undefined
  /** The `next` of the page before. */
  readonly after?: string | undefined
}

type OrderList = {
  readonly orders: readonly OrderSummary[]
  /** Where the next page begins; left out on the last one. */
  readonly next?: string
}

type HistoryEntry = Omit<OrderEvent, "order">

type OrderDetail = {
  readonly order: WorkOrder
  /** All findings that ever came; `order.findings` has the first and the newest of them. */
  readonly findingCount: number
  readonly history: readonly HistoryEntry[]
}

/** A column of the board: how many orders are in a state, and the most urgent of them. */
type BoardColumn = {
  readonly state: OrderState
  readonly count: number
  readonly orders: readonly OrderSummary[]
}

/** Orders in one of these states, of a site or with something to do for one of these people. */
type OrdersToRead = {
  readonly states: readonly OrderState[]
  readonly site?: string | undefined
  readonly people?: readonly string[] | undefined
  readonly dueBeforeMs?: number | undefined
  /** At most so many, the most urgent. */
  readonly limit: number
}

type OrderCount = { readonly state: OrderState; readonly type: OrderType; readonly orders: number }

/** What can be asked of the orders. Answers are as of the last commit. */
export interface OrderQueries {
  /** Rejects with `USAGE` for an `after` that no page gave. */
  list(filter?: OrderFilter): Promise<OrderList>
  /** By id (also one that was merged into another order) or by number ("WO-000012", "12"). Rejects with `NOT_FOUND`. */
  get(idOrNumber: string): Promise<OrderDetail>
  /** Orders in full, the most urgent first, for whoever plans their work; `more`: there are more than the limit. */
  read(wanted: OrdersToRead): Promise<{ readonly orders: readonly WorkOrder[]; readonly more: boolean }>
  counts(): Promise<readonly OrderCount[]>
  /** A column for each state from the request to the verification, with at most so many orders, the most urgent first. */
  board(filter: {
    readonly site?: string | undefined
    readonly limit: number
  }): Promise<readonly BoardColumn[]>
}

/** States in which an order waits for somebody. */
const boardStates = orderStates.filter((state) => !["rejected", "closed", "cancelled"].includes(state))

export function orderQueries(database: Database): OrderQueries {
  const db = () => database.tables<WorkOrderTables>()
  return {
    async list(filter = {}) {
      const limit = Math.min(filter.limit ?? 50, 500)
      // One more than asked for tells whether there is another page.
      const rows = await selectOrders(db(), filter, limit + 1).execute()
      const orders = rows.slice(0, limit).map(toSummary)
      const last = orders.at(-1)
      return rows.length > limit && last !== undefined ? { orders, next: last.number } : { orders }
    },

    async get(idOrNumber) {
      const found = await selectOrder(db(), idOrNumber).executeTakeFirst()
      if (found === undefined) throw new MillwrightError("NOT_FOUND", `there is no work order ${idOrNumber}`)
      const { order, findingCount } = fromRow(found)
      const history = await db()
        .selectFrom("order_history")
        .select(["sequence", "at_ms as atMs", "actor", "kind", "note"])
        .where("order_id", "=", order.id)
        .orderBy("sequence")
        .execute()
      return { order, findingCount, history }
    },

    async read(wanted) {
      const ids = (await selectUrgent(db(), wanted).execute()).map(({ id }) => id)
      const orders = new Map<string, WorkOrder>()
      // An order may be long: in pages nobody else waits for a thousand of them to be read.
      for (let from = 0; from < Math.min(ids.length, wanted.limit); from += readAtOnce) {
        const some = ids.slice(from, Math.min(from + readAtOnce, wanted.limit))
        const rows = await db().selectFrom("work_order").selectAll().where("id", "in", some).execute()
        for (const row of rows) orders.set(row.id, fromRow(row).order)
      }
      return { orders: ids.flatMap((id) => orders.get(id) ?? []), more: ids.length > wanted.limit }
    },

    async counts() {
      const rows = await selectCounts(db()).execute()
      return rows.map(({ state, type, orders }) => ({ state, type, orders: Number(orders) }))
    },

    async board({ site, limit }) {
      const columns: BoardColumn[] = []
      for (const state of boardStates) {
        const rows = await selectColumn(db(), state, site, limit).execute()
        columns.push({ state, count: rows.length, orders: rows.map(toSummary) })
      }
      // A column that is not full has shown all that there is.
      const full = columns.filter(({ count }) => count === limit).map(({ state }) => state)
      const counts: ReadonlyMap<OrderState, number> =
        full.length === 0 ? new Map() : await countsOf(db(), full, site)
      return columns.map((column) => ({ ...column, count: counts.get(column.state) ?? column.count }))
    },
  }
}

const readAtOnce = 100

const summaryColumns = [
  "work_order.id",
  "work_order.number",
  "type",
  "state",
  "site",
  "asset",
  "component",
  "merge_key",
  "title",
  "priority",
  "requested_ms",
  "due_ms",
  "finished_ms",
  "cost_centre",
  "version",
  "details",
] as const

/** By the person's own orders where one is asked for: these are few, and all else is looked up from them. */
export function selectOrders(db: Kysely<WorkOrderTables>, filter: OrderFilter, limit: number) {
  const { person, open, dueBeforeMs, after } = filter
  let query = db
    .selectFrom("work_order")
    .select(summaryColumns)
    .orderBy("work_order.number", "desc")
    .limit(limit)
  if (person !== undefined)
    query = query.where(
      "work_order.id",
      "in",
      db.selectFrom("order_person").select("order_id").where("person", "=", person).where("open", "=", 1),
    )
  for (const key of ["state", "type", "site", "asset", "priority"] as const) {
    const wanted = filter[key]
    if (wanted !== undefined) query = query.where(key, "=", wanted)
  }
  // The index of open orders can only be used where their mark is written out, not a parameter.
  if (open === true || dueBeforeMs !== undefined)
    query = query.where((order) => order("work_order.open", "=", order.lit(1)))
  if (dueBeforeMs !== undefined) query = query.where("due_ms", "<", dueBeforeMs)
  return after === undefined ? query : query.where("work_order.number", "<", cursor(after))
}

/** The ids, one more than the limit where there are more. */
export function selectUrgent(
  db: Kysely<WorkOrderTables>,
  { states, site, people, dueBeforeMs, limit }: OrdersToRead,
) {
  let query = db
    .selectFrom("work_order")
    .select("work_order.id")
    .where("state", "in", states)
    .orderBy("priority")
    .orderBy("due_ms")
    .orderBy("number")
    .limit(limit + 1)
  if (site !== undefined) query = query.where("site", "=", site)
  if (dueBeforeMs !== undefined) query = query.where("due_ms", "<", dueBeforeMs)
  if (people === undefined) return query
  const theirs = db
    .selectFrom("order_person")
    .select("order_id")
    .where("person", "in", people)
    .where("open", "=", 1)
  return query.where("work_order.id", "in", theirs)
}

export function selectColumn(
  db: Kysely<WorkOrderTables>,
  state: OrderState,
  site: string | undefined,
  limit: number,
) {
  const query = db
    .selectFrom("work_order")
    .select(summaryColumns)
    .where("state", "=", state)
    .orderBy("priority")
    .orderBy("due_ms")
    .orderBy("number")
    .limit(limit)
  return site === undefined ? query : query.where("site", "=", site)
}

async function countsOf(
  db: Kysely<WorkOrderTables>,
  states: readonly OrderState[],
  site: string | undefined,
): Promise<ReadonlyMap<OrderState, number>> {
  const query = db
    .selectFrom("work_order")
    .select(["state", ({ fn }) => fn.countAll<number | string>().as("orders")])
    .where("state", "in", states)
    .groupBy("state")
  const rows = await (site === undefined ? query : query.where("site", "=", site)).execute()
  return new Map(rows.map(({ state, orders }) => [state, Number(orders)]))
}

export function selectOrder(db: Kysely<WorkOrderTables>, idOrNumber: string) {
  const query = db.selectFrom("work_order").selectAll()
  const number = parseNumber(idOrNumber)
  if (number !== undefined) return query.where("number", "=", number)
  const merged = db.selectFrom("order_alias").select("order_id").where("id", "=", idOrNumber)
  return query.where((order) => order.or([order("id", "=", idOrNumber), order("id", "=", merged)]))
}

export function selectCounts(db: Kysely<WorkOrderTables>) {
  return db
    .selectFrom("work_order")
    .select(["state", "type"])
    .select(({ fn }) => fn.countAll<number | string>().as("orders"))
    .groupBy(["state", "type"])
    .orderBy("state")
    .orderBy("type")
}

function cursor(after: string): number {
  const number = parseNumber(after)
  if (number !== undefined) return number
  throw new MillwrightError(
    "USAGE",
    `"${after}" is no place in a list of orders: give the number that the page before ended with, such as ${formatNumber(1)}`,
  )
}
