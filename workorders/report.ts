/** What a report of orders is made from: every order with its whole history, and whether that is as it was written. */
import type { Kysely } from "kysely"
import type { Database } from "../core/db/database.ts"
import type { WorkOrder } from "../core/orders.ts"
import { examine, type Flaw, numberOf } from "./audit-check.ts"
import type { Entry } from "./chain.ts"
import { formatNumber } from "./number.ts"
import type { WorkOrderTables } from "./tables.ts"

/** Orders that match every key given. `fromMs` and `toMs`: those that were open, or ended, at some time between. */
export type ReportFilter = {
  readonly asset?: string | undefined
  readonly site?: string | undefined
  readonly fromMs?: number | undefined
  readonly toMs?: number | undefined
}

export type ReportEntry = Pick<Entry, "sequence" | "atMs" | "actor" | "kind" | "note" | "hash">

export type ReportRecord = {
  readonly number: string
  /** Null when it can't be read any more: its flaws say why. */
  readonly order: WorkOrder | null
  readonly history: readonly ReportEntry[]
  readonly flaws: readonly Flaw[]
}

type ReportPage = {
  readonly records: readonly ReportRecord[]
  /** Where the next page begins; null after the last one. */
  readonly next: string | null
}

/** Orders of one answer: each may have a long history. */
const page = 20

export type OrderReports = {
  /** By number, from the first after the one given. Rejects with `USAGE` for no number of an order. */
  records(filter: ReportFilter, after?: string): Promise<ReportPage>
}

export function orderReports(database: Database): OrderReports {
  return {
    records(filter, after = "0") {
      const number = numberOf(after)
      return database.transaction<WorkOrderTables, ReportPage>(async (trx) => {
        const rows = await selectReported(trx, filter, number, page).execute()
        const records: ReportRecord[] = []
        for (const row of rows) {
          const history: ReportEntry[] = []
          const { order, number, flaws } = await examine(
            trx,
            row,
            ({ sequence, atMs, actor, kind, note, hash }) => {
              history.push({ sequence, atMs, actor, kind, note, hash })
            },
          )
          records.push({ number, order: order ?? null, history, flaws })
        }
        const end = rows.at(-1)
        return { records, next: rows.length < page || end === undefined ? null : formatNumber(end.number) }
      })
    },
  }
}

function selectReported(
  db: Kysely<WorkOrderTables>,
  { asset, site, fromMs, toMs }: ReportFilter,
  after: number,
  limit: number,
) {
  let query = db
    .selectFrom("work_order")
    .selectAll()
    .where("number", ">", after)
    .orderBy("number")
    .limit(limit)
  if (asset !== undefined) query = query.where("asset", "=", asset)
  if (site !== undefined) query = query.where("site", "=", site)
  if (toMs !== undefined) query = query.where("requested_ms", "<", toMs)
  if (fromMs !== undefined)
    query = query.where((row) => row.or([row("finished_ms", "is", null), row("finished_ms", ">=", fromMs)]))
  return query
}
