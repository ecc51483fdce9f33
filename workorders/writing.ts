/** Where a step of an order is written down: the order, its history, its event and its effects, in one transaction. */
import type { Transaction } from "kysely"
import type { Revision } from "../core/catalogue.ts"
import type { Database } from "../core/db/database.ts"
import type { WorkOrder } from "../core/orders.ts"
import { OrderBook } from "./book.ts"
import { changed, type KeptOrder, system } from "./change.ts"
import { byTheClock } from "./clockwork.ts"
import type { Step } from "./commands/command.ts"
import { applyEffects, requestsIn } from "./effects.ts"
import { intakeQueue } from "./intake.ts"
import { selectOrder } from "./queries.ts"
import { fromRow } from "./rows.ts"
import { last, save } from "./save.ts"
import { withSla } from "./sla.ts"
import type { WorkOrderTables } from "./tables.ts"

type Trx = Transaction<WorkOrderTables>

export type Done = { readonly order: WorkOrder; readonly note: string; readonly repeated: boolean }

export async function load(trx: Trx, idOrNumber: string): Promise<KeptOrder | undefined> {
  const row = await selectOrder(trx, idOrNumber).executeTakeFirst()
  return row && fromRow(row)
}

/** The earliest that is due to the order by now; false when nothing is. */
export function happen(
  { database, partitions }: { readonly database: Database; readonly partitions: number },
  order: string,
  nowMs: number,
  revision: Revision,
): Promise<boolean> {
  return database.transaction<WorkOrderTables, boolean>(
    (trx) => happenIn(trx, order, nowMs, revision, partitions),
    intakeQueue,
  )
}

/** The same within a transaction. */
export async function happenIn(
  trx: Trx,
  order: string,
  nowMs: number,
  revision: Revision,
  partitions: number,
): Promise<boolean> {
  const kept = await load(trx, order)
  const step = kept && byTheClock(kept.order, nowMs, revision)
  if (kept === undefined || step === undefined) return false
  const { event, atMs } = step
  await write(trx, kept, step, { what: event, actor: system, atMs, detail: {}, partitions, revision })
  return true
}

type Writing = {
  readonly actor: string
  readonly atMs: number
  /** The command, or what the clock brings about. */
  readonly what: string
  readonly detail: unknown
  /** Of the command, where its sender gave it one. */
  readonly id?: string | undefined
  readonly partitions: number
  readonly revision: Revision
}

/** A step of an order, with its entry in the history and all that it brings about. */
export async function write(
  trx: Trx,
  kept: KeptOrder,
  { order, event, note, effects = [] }: Step,
  { what, actor, atMs, detail, id, partitions, revision }: Writing,
): Promise<Done> {
  const book = new OrderBook({
    orders: [kept],
    aliases: new Map(),
    replacements: [],
    lastNumber: await last(trx, "order"),
    revision,
  })
  const change = changed(
    { ...kept, order: withSla(kept.order, order, atMs, revision) },
    { kind: event, atMs, actor, note, detail },
  )
  book.write(change, "amended")
  for (const request of requestsIn(effects)) book.take(request)
  await save(trx, book, partitions)
  await applyEffects(trx, effects, { order: order.id, actor, atMs, note: `${what} ${order.number}` })
  if (id !== undefined) {
    await trx
      .insertInto("order_command")
      .values({ id, order_id: order.id, sequence: change.event.sequence, at_ms: atMs })
      .execute()
  }
  return { order: change.kept.order, note, repeated: false }
}
