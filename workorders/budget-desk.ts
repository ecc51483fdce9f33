/** What is left of the budgets, for those who plan, approve and audit. */
import type { Revision } from "../core/catalogue.ts"
import type { Database } from "../core/db/database.ts"
import { MillwrightError } from "../core/errors.ts"
import { authorise } from "../core/plant-register.ts"
import type { Role } from "../core/roles.ts"
import { inEffect } from "./in-effect.ts"
import { toCents } from "./money.ts"
import type { WorkOrderTables } from "./tables.ts"

const readers: readonly Role[] = ["planner", "engineer", "supervisor", "auditor", "admin"]

/** Of a calendar year, in the plant's currency. */
type BudgetLine = {
  readonly costCentre: string
  readonly year: number
  /** Null where the plant file states none: what is used is counted all the same. */
  readonly amount: number | null
  readonly committed: number
  readonly spent: number
  /** Below nothing where an admin has agreed to more. */
  readonly left: number | null
}

type Budgets = { readonly currency: string; readonly lines: readonly BudgetLine[] }

export type BudgetDesk = {
  /** By year, the newest first, and cost centre. Rejects with `NOT_ALLOWED` and `NOT_FOUND`. */
  budgets(filter: { readonly year?: number | undefined }, actor: string): Promise<Budgets>
}

export function createBudgetDesk(options: {
  readonly database: Database
  /** The plant's newest revision, once one was applied. */
  newest(): Revision | undefined
}): BudgetDesk {
  const { database, newest } = options
  return {
    async budgets({ year }, actor) {
      const { plant } = inEffect(newest)
      authorise(plant, actor, readers)
      const used = await database.tables<WorkOrderTables>().selectFrom("budget_use").selectAll().execute()
      const counted = used.map(({ cost_centre: costCentre, year }) => ({ costCentre, year, amount: null }))
      // What the plant file states takes the place of what was only used.
      const all = new Map([...counted, ...plant.budgets].map((one) => [`${one.year}|${one.costCentre}`, one]))
      const lines = [...all.values()]
        .filter((one) => year === undefined || one.year === year)
        .map(({ costCentre, year, amount }): BudgetLine => {
          const row = used.find((one) => one.cost_centre === costCentre && one.year === year)
          const [committed, spent] = [toCents(row?.committed ?? 0), toCents(row?.spent ?? 0)]
          const left = amount === null ? null : toCents(amount - committed - spent)
          return { costCentre, year, amount, committed, spent, left }
        })
        .toSorted((a, b) => b.year - a.year || (a.costCentre < b.costCentre ? -1 : 1))
      if (lines.length > 0) return { currency: plant.currency, lines }
      throw new MillwrightError(
        "NOT_FOUND",
        year === undefined
          ? "the plant file states no budgets, and nothing was spent yet: list them under budgets"
          : `there is no budget of ${year}, and nothing was spent in it`,
      )
    },
  }
}
