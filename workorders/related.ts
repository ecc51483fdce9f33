import type { Database } from "../core/db/database.ts"
import type { OrderState, WorkOrder } from "../core/orders.ts"
import { formatNumber } from "./number.ts"
import type { WorkOrderTables } from "./tables.ts"

/** An order that another one names by its id. */
type Related = {
  readonly id: string
  readonly number: string
  readonly state: OrderState
  readonly title: string
}

export type RelatedQueries = {
  /** The orders that raised it, that it raised, and that goes on for it: those that are there. */
  related(order: WorkOrder): Promise<readonly Related[]>
}

export function relatedQueries(database: Database): RelatedQueries {
  return {
    async related({ parent, duplicateOf, followUps, work }) {
      const raised = Object.values(work.checks).map((one) => one.raised)
      const ids = [...new Set([parent, duplicateOf, ...followUps, ...raised])].filter((id) => id !== null)
      if (ids.length === 0) return []
      const rows = await database
        .tables<WorkOrderTables>()
        .selectFrom("work_order")
        .select(["id", "number", "state", "title"])
        .where("id", "in", ids)
        .orderBy("number")
        .execute()
      return rows.map(({ number, ...rest }) => ({ ...rest, number: formatNumber(number) }))
    },
  }
}
