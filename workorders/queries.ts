import type { Kysely } from "kysely"
import type { Database } from "../core/db/database.ts"
import { MillwrightError } from "../core/errors.ts"
import type { OrderEvent, OrderState, WorkOrder } from "../core/orders.ts"
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

type OrderCount = { readonly state: OrderState; readonly type: OrderType; readonly orders: number }

/** What can be asked of the orders. Answers are as of the last commit. */
export interface OrderQueries {
  /** Rejects with `USAGE` for an `after` that no page gave. */
  list(filter?: OrderFilter): Promise<OrderList>
  /** By id (also one that was merged into another order) or by number ("WO-000012", "12"). Rejects with `NOT_FOUND`. */
  get(idOrNumber: string): Promise<OrderDetail>
  counts(): Promise<readonly OrderCount[]>
}

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

    async counts() {
      const rows = await selectCounts(db()).execute()
      return rows.map(({ state, type, orders }) => ({ state, type, orders: Number(orders) }))
    },
  }
}

export function selectOrders(db: Kysely<WorkOrderTables>, filter: OrderFilter, limit: number) {
  let query = db
    .selectFrom("work_order")
    .select(["id", "number", "type", "state", "site", "asset", "component", "merge_key", "title"])
    .select(["priority", "requested_ms", "due_ms", "finished_ms", "cost_centre", "version", "details"])
    .orderBy("number", "desc")
    .limit(limit)
  for (const key of ["state", "type", "site", "asset", "priority"] as const) {
    const wanted = filter[key]
    if (wanted !== undefined) query = query.where(key, "=", wanted)
  }
  return filter.after === undefined ? query : query.where("number", "<", cursor(filter.after))
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
