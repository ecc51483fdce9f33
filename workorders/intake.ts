import type { Kysely, Transaction } from "kysely"
import { partitionOf } from "../core/log/partition.ts"
import type { OrderRequest } from "../core/vocabulary.ts"
import { OrderBook, type Outcome, type Page } from "./book.ts"
import { fromRow, toRow } from "./rows.ts"
import type { OrderRow, WorkOrderTables } from "./tables.ts"

type Trx = Transaction<WorkOrderTables>

/** Transactions that take requests queue here: all of them raise these numbers. */
export const intakeQueue = "order_sequence" satisfies keyof WorkOrderTables

/**
 * Takes a batch of requests into the store, within the transaction given: orders, history, and the events to
 * publish. Gives the outcome of each request. A few hundred at a time: each becomes rows of one statement.
 * `partitions` is the log's.
 */
export async function takeRequests(
  trx: Trx,
  requests: readonly OrderRequest[],
  partitions: number,
): Promise<readonly Outcome[]> {
  if (requests.length === 0) return []
  const book = new OrderBook(await load(trx, requests))
  const outcomes = requests.map((request) => book.take(request))
  await save(trx, book, partitions)
  return outcomes
}

async function load(trx: Trx, requests: readonly OrderRequest[]): Promise<Page> {
  const asked = [...new Set(requests.flatMap((one) => (one.kind === "settle" ? [] : [one.order])))]
  const needs = [...new Set(requests.flatMap((one) => (one.kind === "open" ? [one.mergeKey] : [])))]
  const maintained = [...new Set(requests.flatMap((one) => (one.kind === "settle" ? [one.asset] : [])))]
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

async function save(trx: Trx, book: OrderBook, partitions: number): Promise<void> {
  if (book.replaced.size > 0) {
    const replaced = [...book.replaced.values()]
    await trx
      .insertInto("component_replacement")
      .values(replaced.map(({ asset, component, atMs }) => ({ asset, component, at_ms: atMs })))
      .onConflict((conflict) =>
        conflict.columns(["asset", "component"]).doUpdateSet({ at_ms: (row) => row.ref("excluded.at_ms") }),
      )
      .execute()
  }
  if (book.events.length === 0) return
  // Updates first: an order that was completed makes room for the next one with its need.
  for (const kept of book.updatedOrders()) {
    const { id, ...content } = toRow(kept)
    await trx.updateTable("work_order").set(content).where("id", "=", id).execute()
  }
  const created = book.createdOrders()
  if (created.length > 0) {
    await trx.insertInto("work_order").values(created.map(toRow)).execute()
    await trx
      .updateTable("order_sequence")
      .set({ last: book.lastNumber })
      .where("name", "=", "order")
      .execute()
  }
  if (book.merged.size > 0) {
    const merged = [...book.merged].map(([id, order_id]) => ({ id, order_id }))
    await trx.insertInto("order_alias").values(merged).execute()
  }
  await tell(trx, book, partitions)
}

/** The same changes twice: for whoever asks later, and for whoever listens now. */
async function tell(trx: Trx, { events }: OrderBook, partitions: number): Promise<void> {
  const history = events.map(({ order, sequence, atMs, actor, kind, note }) => ({
    order_id: order.id,
    sequence,
    at_ms: atMs,
    actor,
    kind,
    note,
  }))
  await trx.insertInto("order_history").values(history).execute()
  const before = await last(trx, "event")
  const outgoing = events.map((event, at) => ({
    id: before + 1 + at,
    partition: partitionOf(event.order.asset, partitions),
    event: JSON.stringify(event),
  }))
  await trx.insertInto("order_outbox").values(outgoing).execute()
  await trx
    .updateTable("order_sequence")
    .set({ last: before + events.length })
    .where("name", "=", "event")
    .execute()
}

async function last(trx: Trx, name: "order" | "event"): Promise<number> {
  const row = await trx
    .selectFrom("order_sequence")
    .select("last")
    .where("name", "=", name)
    .executeTakeFirstOrThrow()
  return row.last
}

/** An empty list in `IN ()` is an error on PostgreSQL. */
async function select<Row>(
  keys: readonly string[],
  query: (keys: readonly string[]) => Promise<readonly Row[]>,
): Promise<readonly Row[]> {
  return keys.length === 0 ? [] : query(keys)
}
