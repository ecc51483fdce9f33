import { z } from "zod"
import { finding, type WorkOrder, workOrder } from "../core/vocabulary.ts"
import { isOpen, type KeptOrder } from "./change.ts"
import { formatNumber, numberIn } from "./number.ts"
import type { OrderRow } from "./tables.ts"

const details = workOrder.pick({
  description: true,
  template: true,
  tasks: true,
  estimatedHours: true,
  priorityReason: true,
  trigger: true,
})
const findings = z.array(finding)
const episodes = z.record(z.string(), z.number().int())

/** An order without its findings: what a list shows. */
export type OrderSummary = Omit<WorkOrder, "findings">

export function toRow({ order, findingCount, episodes }: KeptOrder): OrderRow {
  const { description, template, tasks, estimatedHours, priorityReason, trigger } = order
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
    version: order.version,
    details: JSON.stringify({ description, template, tasks, estimatedHours, priorityReason, trigger }),
    findings: JSON.stringify(order.findings),
    finding_count: findingCount,
    episodes: JSON.stringify(episodes),
  }
}

export function fromRow(row: OrderRow): KeptOrder {
  return {
    order: { ...toSummary(row), findings: findings.parse(JSON.parse(row.findings)) },
    findingCount: row.finding_count,
    episodes: episodes.parse(JSON.parse(row.episodes)),
  }
}

type SummaryRow = Omit<OrderRow, "open" | "findings" | "finding_count" | "episodes">

export function toSummary(row: SummaryRow): OrderSummary {
  return {
    ...details.parse(JSON.parse(row.details)),
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
    version: row.version,
  }
}
