import type { Transaction } from "kysely"
import { partitionOf } from "../core/log/partition.ts"
import type { OrderBook } from "./book.ts"
import type { KeptOrder } from "./change.ts"
import { toRow } from "./rows.ts"
import type { WorkOrderTables } from "./tables.ts"
import { assignedTo } from "./workers.ts"

type Trx = Transaction<WorkOrderTables>

/** Tells the store what a book has taken: orders, their history, and the events to publish. */
export async function save(trx: Trx, book: OrderBook, partitions: number): Promise<void> {
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
  if (book.changes.length === 0) return
  // Updates first: an order that was completed makes room for the next one with its need.
  for (const kept of book.updatedOrders()) {
    const { id, ...content } = toRow(kept)
    await trx.updateTable("work_order").set(content).where("id", "=", id).execute()
    await trx.deleteFrom("order_person").where("order_id", "=", id).execute()
    await savePeople(trx, kept)
  }
  const created = book.createdOrders()
  if (created.length > 0) {
    await trx.insertInto("work_order").values(created.map(toRow)).execute()
    await trx
      .updateTable("order_sequence")
      .set({ last: book.lastNumber })
      .where("name", "=", "order")
      .execute()
    for (const kept of created) await savePeople(trx, kept)
  }
  if (book.merged.size > 0) {
    const merged = [...book.merged].map(([id, order_id]) => ({ id, order_id }))
    await trx.insertInto("order_alias").values(merged).execute()
  }
  await tell(trx, book, partitions)
}

async function savePeople(trx: Trx, kept: KeptOrder): Promise<void> {
  const { order } = kept
  const people = assignedTo(order)
  if (people.length === 0) return
  const { open, number } = toRow(kept)
  const rows = people.map((person) => ({ order_id: order.id, person, open, number }))
  await trx.insertInto("order_person").values(rows).execute()
}

/** The same changes twice: for whoever asks later, and for whoever listens now. */
async function tell(trx: Trx, { changes }: OrderBook, partitions: number): Promise<void> {
  const history = changes.map(({ event, entry: { atMs, ...entry } }) => ({
    order_id: event.order.id,
    at_ms: atMs,
    ...entry,
  }))
  await trx.insertInto("order_history").values(history).execute()
  const before = await last(trx, "event")
  const outgoing = changes.map(({ event }, at) => ({
    id: before + 1 + at,
    partition: partitionOf(event.order.asset, partitions),
    event: JSON.stringify(event),
  }))
  await trx.insertInto("order_outbox").values(outgoing).execute()
  await trx
    .updateTable("order_sequence")
    .set({ last: before + changes.length })
    .where("name", "=", "event")
    .execute()
}

/** The last number given out. */
export async function last(trx: Trx, name: "order" | "event"): Promise<number> {
  const row = await trx
    .selectFrom("order_sequence")
    .select("last")
    .where("name", "=", name)
    .executeTakeFirstOrThrow()
  return row.last
}
