/** What a command changes beside its order: stock, budgets, attachments, other orders. */
import type { Transaction } from "kysely"
import { MillwrightError } from "../core/errors.ts"
import type { OpenOrder, WorkOrder } from "../core/orders.ts"
import type { Effect } from "./commands/command.ts"
import { freeOf, rounded } from "./stock.ts"
import type { BudgetUseRow, StockLevelRow, WorkOrderTables } from "./tables.ts"

type Trx = Transaction<WorkOrderTables>

/** On whose account something changes. */
type Account = {
  readonly order: string | null
  readonly actor: string
  readonly atMs: number
  readonly note: string
  /** The id of a command that is not about an order. */
  readonly command?: string | undefined
}

export function requestsIn(effects: readonly Effect[]): readonly OpenOrder[] {
  return effects.flatMap((one) => (one.kind === "open" ? [one.request] : []))
}

/** Throws `NOT_POSSIBLE` for stock that is not there. */
export async function applyEffects(trx: Trx, effects: readonly Effect[], account: Account): Promise<void> {
  for (const effect of effects) {
    if (effect.kind === "stock") await moveStock(trx, effect, account)
    if (effect.kind === "budget") await useBudget(trx, effect)
    if (effect.kind === "content") {
      const { sha256, content } = effect
      await trx
        .insertInto("attachment_content")
        .values({ sha256, content })
        .onConflict((conflict) => conflict.column("sha256").doNothing())
        .execute()
    }
  }
}

async function moveStock(
  trx: Trx,
  { part, store, onHand, reserved }: Extract<Effect, { kind: "stock" }>,
  { order, actor, atMs, note, command }: Account,
): Promise<void> {
  const before = await trx
    .selectFrom("stock_level")
    .selectAll()
    .where("part", "=", part)
    .where("store", "=", store)
    .executeTakeFirst()
  const level: StockLevelRow = {
    part,
    store,
    on_hand: rounded((before?.on_hand ?? 0) + onHand),
    reserved: rounded((before?.reserved ?? 0) + reserved),
  }
  if (level.on_hand < 0 || level.reserved < 0 || level.reserved > level.on_hand) {
    const free = before === undefined ? 0 : freeOf(before)
    throw new MillwrightError(
      "NOT_POSSIBLE",
      `the store ${store} has ${before?.on_hand ?? 0} of ${part}, ${free} of them free`,
    )
  }
  const { on_hand, reserved: kept } = level
  await trx
    .insertInto("stock_level")
    .values(level)
    .onConflict((conflict) => conflict.columns(["part", "store"]).doUpdateSet({ on_hand, reserved: kept }))
    .execute()
  const newest = await trx
    .selectFrom("stock_move")
    .select(({ fn }) => fn.max("id").as("id"))
    .executeTakeFirst()
  await trx
    .insertInto("stock_move")
    .values({
      id: Number(newest?.id ?? 0) + 1,
      at_ms: atMs,
      actor,
      part,
      store,
      on_hand: onHand,
      reserved,
      order_id: order,
      command: command ?? null,
      note,
    })
    .execute()
}

async function useBudget(
  trx: Trx,
  { costCentre, year, committed, spent }: Extract<Effect, { kind: "budget" }>,
): Promise<void> {
  await trx
    .insertInto("budget_use")
    .values({ cost_centre: costCentre, year, committed, spent })
    .onConflict((conflict) =>
      conflict.columns(["cost_centre", "year"]).doUpdateSet((row) => ({
        committed: row("budget_use.committed", "+", row.ref("excluded.committed")),
        spent: row("budget_use.spent", "+", row.ref("excluded.spent")),
      })),
    )
    .execute()
}

/** The levels of the parts that the order's materials, its reservations or the input's `part` name. */
export async function stockOf(trx: Trx, order: WorkOrder, input: unknown): Promise<readonly StockLevelRow[]> {
  const named = (input as { readonly part?: unknown } | null)?.part
  const parts = new Set([
    ...order.job.materials.map(({ part }) => part),
    ...order.work.reserved.map(({ part }) => part),
    ...(typeof named === "string" ? [named] : []),
  ])
  if (parts.size === 0) return []
  return trx
    .selectFrom("stock_level")
    .selectAll()
    .where("part", "in", [...parts])
    .orderBy("part")
    .orderBy("store")
    .execute()
}

/** What the cost centre has used of the budget of the calendar year (UTC) of this time. */
export async function budgetOf(
  trx: Trx,
  costCentre: string | null,
  atMs: number,
): Promise<BudgetUseRow | undefined> {
  if (costCentre === null) return undefined
  return trx
    .selectFrom("budget_use")
    .selectAll()
    .where("cost_centre", "=", costCentre)
    .where("year", "=", new Date(atMs).getUTCFullYear())
    .executeTakeFirst()
}
