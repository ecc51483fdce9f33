import type { Kysely, Transaction } from "kysely"
import type { Revision } from "../core/catalogue.ts"
import type { OrderRequest } from "../core/orders.ts"
import { OrderBook, type Outcome, type Page } from "./book.ts"
import { fromRow } from "./rows.ts"
import { last, save } from "./save.ts"
import type { OrderRow, WorkOrderTables } from "./tables.ts"

type Trx = Transaction<WorkOrderTables>

/** Transactions that take requests queue here: all of them raise these numbers. */
export const intakeQueue = "order_sequence" satisfies keyof WorkOrderTables

/**
 * Takes a batch of requests into the store, within the transaction given: orders, history, and the events to
 * publish. Gives the outcome of each request. A few hundred at a time: each becomes rows of one statement.
 * `partitions` is the log's; `revision` is the plant's, whose targets new orders get.
 */
export async function takeRequests(
  trx: Trx,
  requests: readonly OrderRequest[],
  partitions: number,
  revision: Revision | undefined,
): Promise<readonly Outcome[]> {
  if (requests.length === 0) return []
  const book = new OrderBook({ ...(await load(trx, requests)), revision })
  const outcomes = requests.map((request) => book.take(request))
  await save(trx, book, partitions)
  return outcomes
}

async function load(trx: Trx, requests: readonly OrderRequest[]): Promise<Omit<Page, "revision">> {
  const asked = [...new Set(requests.flatMap((one) => ("order" in one ? [one.order] : [])))]
  const needs = [...new Set(requests.flatMap((one) => (one.kind === "open" ? [one.mergeKey] : [])))]
  const maintained = [...new Set(requests.flatMap((one) => ("order" in one ? [] : [one.asset])))]
  const aliases = new Map<string, string>()
  for (const { id, order_id } of await select(asked, (ids) =>
    trx.selectFrom("order_alias").selectAll().where("id", "in", ids).execute(),
  )) {
    aliases.set(id, order_id)
  }
  const rows = new Map<string, OrderRow>()
  for (const row of [
    ...(await select([...asked, ...aliases.values()], (ids) =>
      trx.selectFrom("work_order").selectAll().where("id", "in", ids).execute(),
    )),
    ...(await select(needs, (keys) =>
      trx
        .selectFrom("work_order")
        .selectAll()
        // Written out, not a parameter: only so can the index of open orders be used.
        .where((order) => order("open", "=", order.lit(1)))
        .where("merge_key", "in", keys)
        .execute(),
    )),
    ...(await select(maintained, (assets) => selectOpenOn(trx, assets).execute())),
  ]) {
    rows.set(row.id, row)
  }
  const replacements = await select(maintained, (assets) =>
    trx
      .selectFrom("component_replacement")
      .select(["asset", "component", "at_ms as atMs"])
      .where("asset", "in", assets)
      .execute(),
  )
  const lastNumber = await last(trx, "order")
  return { orders: [...rows.values()].map(fromRow), aliases, replacements, lastNumber }
}

/** The index of open orders can only be used where their mark is written out, not a parameter. */
export function selectOpenOn(db: Kysely<WorkOrderTables>, assets: readonly string[]) {
  return db
    .selectFrom("work_order")
    .selectAll()
    .where((order) => order("open", "=", order.lit(1)))
    .where("asset", "in", assets)
}

/** An empty list in `IN ()` is an error on PostgreSQL. */
async function select<Row>(
  keys: readonly string[],
  query: (keys: readonly string[]) => Promise<readonly Row[]>,
): Promise<readonly Row[]> {
  return keys.length === 0 ? [] : query(keys)
}
