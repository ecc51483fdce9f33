/**
 * Budgets of cost centres by calendar year (UTC). Full approval commits the estimated cost in the year in which it is
 * given. What the budget does not cover takes an admin's approval as well, with a comment. Closing replaces what was
 * committed by the actual cost; cancelling, or taking the approval back, gives it back. What a cost centre uses is
 * counted also where the plant file states no budget for it.
 */
import type { WorkOrder } from "../core/orders.ts"
import type { Context, Effect } from "./commands/command.ts"
import { actualCost, money, toCents } from "./money.ts"

export type Settled = { readonly order: WorkOrder; readonly effects: readonly Effect[] }
type Books = Pick<Context, "atMs" | "revision" | "budget">

/** The budget's figures, in a sentence, where it does not cover this cost beside all else. */
export function shortfall(order: WorkOrder, cost: number, books: Books): string | undefined {
  const { plant } = books.revision
  const { costCentre } = order
  const year = yearOf(books.atMs)
  const budget = plant.budgets.find((one) => one.costCentre === costCentre && one.year === year)
  if (budget === undefined) return undefined
  const committed = toCents(books.budget?.committed ?? 0)
  const spent = toCents(books.budget?.spent ?? 0)
  if (cost <= toCents(budget.amount - committed - spent)) return undefined
  const [amount, taken, gone, needed] = [budget.amount, committed, spent, cost].map((one) =>
    money(one, plant),
  )
  return `the budget of ${costCentre} for ${year} is ${amount}, with ${taken} committed and ${gone} spent: ${needed} more is over it`
}

/** Takes the estimated cost of an order that was approved. */
export function commit(order: WorkOrder, { atMs }: Pick<Books, "atMs">): Settled {
  const { costCentre, approval } = order
  if (costCentre === null || approval === null) return { order, effects: [] }
  const committed = { costCentre, year: yearOf(atMs), amount: approval.cost }
  return {
    order: { ...order, approval: { ...approval, committed } },
    effects: [{ kind: "budget", costCentre, year: committed.year, committed: committed.amount, spent: 0 }],
  }
}

/** Gives back what the order's approval took. */
export function release(order: WorkOrder): Settled {
  const { approval } = order
  if (approval === null || approval.committed === null) return { order, effects: [] }
  const { costCentre, year, amount } = approval.committed
  return {
    order: { ...order, approval: { ...approval, committed: null } },
    effects: [{ kind: "budget", costCentre, year, committed: -amount, spent: 0 }],
  }
}

/**
 * At the order's end: what was committed for it is replaced by what it cost, in the same year, or in this one where
 * nothing was. Of a cancelled order that is the labour and parts that went into it: what was to be hired was not.
 */
export function settleBudget(
  order: WorkOrder,
  { atMs }: Pick<Books, "atMs">,
  end: "closed" | "cancelled",
): Settled {
  const freed = release(order)
  const { labour, parts, total } = actualCost(order)
  const spent = end === "closed" ? total : toCents(labour + parts)
  const { costCentre } = order
  if (costCentre === null || spent === 0) return freed
  const year = order.approval?.committed?.year ?? yearOf(atMs)
  return {
    order: freed.order,
    effects: [...freed.effects, { kind: "budget", costCentre, year, committed: 0, spent }],
  }
}

function yearOf(atMs: number): number {
  return new Date(atMs).getUTCFullYear()
}
