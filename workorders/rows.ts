import { z } from "zod"
import { type WorkOrder, workOrder } from "../core/orders.ts"
import { finding } from "../core/vocabulary.ts"
import { agedBy } from "./ageing.ts"
import { isOpen, type KeptOrder } from "./change.ts"
import { workedMs } from "./estimates.ts"
import { formatNumber, numberIn } from "./number.ts"
import type { OrderRow } from "./tables.ts"
import { timerOf } from "./timers.ts"

/** What has a column of its own. */
const columns = {
  id: true,
  number: true,
  type: true,
  state: true,
  site: true,
  asset: true,
  component: true,
  mergeKey: true,
  title: true,
  priority: true,
  requestedMs: true,
  dueMs: true,
  finishedMs: true,
  costCentre: true,
  version: true,
  findings: true,
} as const

const details = workOrder.omit(columns)
const findings = z.array(finding)
const episodes = z.record(z.string(), z.number().int())

const shown = {
  template: true,
  priorityReason: true,
  trigger: true,
  requester: true,
  customer: true,
  salesOrder: true,
  parent: true,
  duplicateOf: true,
  planned: true,
  assignees: true,
  sla: true,
} as const
const summaryDetails = details.pick(shown)

/** An order as a list shows it: without what was found, is to be done, and was done. */
export type OrderSummary = Pick<WorkOrder, keyof typeof shown | keyof Omit<typeof columns, "findings">>

export function toRow({ order, findingCount, episodes, head }: KeptOrder): OrderRow {
  return {
    id: order.id,
    number: numberIn(order.number),
    type: order.type,
    state: order.state,
    open: isOpen(order) ? 1 : 0,
    site: order.site,
    asset: order.asset,
    component: order.component,
    merge_key: order.mergeKey,
    title: order.title,
    priority: order.priority,
    requested_ms: order.requestedMs,
    due_ms: order.dueMs,
    finished_ms: order.finishedMs,
    cost_centre: order.costCentre,
    timer_ms: timerOf(order),
    aged: agedBy(order),
    template: order.template,
    worked_ms: workedMs(order),
    version: order.version,
    head,
    details: JSON.stringify(detailsOf(order)),
    findings: JSON.stringify(order.findings),
    finding_count: findingCount,
    episodes: JSON.stringify(episodes),
  }
}

function detailsOf(order: WorkOrder): unknown {
  return Object.fromEntries(Object.entries(order).filter(([key]) => !Object.hasOwn(columns, key)))
}

export function fromRow(row: OrderRow): KeptOrder {
  return {
    order: {
      ...details.parse(JSON.parse(row.details)),
      ...columnsOf(row),
      findings: findings.parse(JSON.parse(row.findings)),
    },
    findingCount: row.finding_count,
    episodes: episodes.parse(JSON.parse(row.episodes)),
    head: row.head,
  }
}

type SummaryRow = Omit<
  OrderRow,
  "open" | "findings" | "finding_count" | "episodes" | "head" | "timer_ms" | "aged" | "template" | "worked_ms"
>

export function toSummary(row: SummaryRow): OrderSummary {
  return { ...summaryDetails.parse(JSON.parse(row.details)), ...columnsOf(row) }
}

function columnsOf(row: SummaryRow) {
  return {
    id: row.id,
    number: formatNumber(row.number),
    type: row.type,
    state: row.state,
    site: row.site,
    asset: row.asset,
    component: row.component,
    mergeKey: row.merge_key,
    title: row.title,
    priority: row.priority,
    requestedMs: row.requested_ms,
    dueMs: row.due_ms,
    finishedMs: row.finished_ms,
    costCentre: row.cost_centre,
    version: row.version,
  }
}
