/** What a request does to one order: pure, so that the same requests always make the same orders. */
import type {
  AmendOrder,
  Finding,
  OpenOrder,
  OrderEvent,
  SettleOrder,
  Trigger,
  WorkOrder,
} from "../core/vocabulary.ts"
import { formatNumber } from "./number.ts"

/** An order with what the store remembers beside it. */
export type KeptOrder = {
  readonly order: WorkOrder
  /** All findings that ever came; the order keeps the first and the newest of them. */
  readonly findingCount: number
  /** The newest sequence taken from each episode. */
  readonly episodes: Readonly<Record<string, number>>
}

/** An order as it becomes, and the event that tells of it. */
export type Change = { readonly kept: KeptOrder; readonly event: OrderEvent }

/**
 * Findings kept with an order: how it began, and what came last. Each event carries them all, and a finding can
 * have 16 samples, so an episode that goes up and down for weeks must not make them long.
 */
const firstFindings = 5
const newestFindings = 15

export function openOrder(request: OpenOrder, number: number): Change {
  const { kind, order: id, atMs, findings, ...content } = request
  const order: WorkOrder = {
    ...content,
    id,
    number: formatNumber(number),
    state: "requested",
    requestedMs: atMs,
    finishedMs: null,
    findings: [],
    version: 1,
  }
  const kept = withFindings({ order, findingCount: 0, episodes: {} }, findings)
  return { kept, event: eventOf(kept.order, "created", atMs, because(request)) }
}

/** A second request for a need that an open order already covers. */
export function mergeInto(kept: KeptOrder, request: OpenOrder): Change {
  const { kept: urgent, notes } = asUrgentAs(withFindings(kept, request.findings), request)
  return changed(urgent, "merged", request.atMs, [because(request), ...notes])
}

/** Undefined for a repeat. */
export function amendOrder(kept: KeptOrder, request: AmendOrder): Change | undefined {
  if (!isNew(kept, request.finding)) return undefined
  const amended = withFindings(kept, [request.finding])
  const { kept: urgent, notes } = asUrgentAs(amended, request)
  return changed(urgent, "amended", request.atMs, [
    request.finding.kind === "amended"
      ? request.finding.reason
      : `${request.finding.kind}: ${request.finding.reason}`,
    ...notes,
  ])
}

/**
 * Whether a replacement meets all that an order asks for. Told late, it may find that the order was asked for after
 * it, or that an episode of the new component has joined. What a plan asks for (an inspection) it never meets.
 */
export function isMetBy({ order }: KeptOrder, { asset, component, atMs }: SettleOrder): boolean {
  return (
    isOpen(order) &&
    order.trigger.kind === "rule" &&
    order.asset === asset &&
    order.component === component &&
    order.requestedMs <= atMs &&
    order.findings.every(({ openedAtMs }) => openedAtMs <= atMs)
  )
}

export function settleOrder(kept: KeptOrder, { atMs, reason }: SettleOrder): Change {
  const order: WorkOrder = { ...kept.order, state: "completed", finishedMs: atMs }
  return changed({ ...kept, order }, "completed", atMs, [reason])
}

export function isOpen({ state }: WorkOrder): boolean {
  return state !== "completed"
}

function isNew({ episodes }: KeptOrder, { episode, sequence }: Finding): boolean {
  return sequence > (episodes[episode] ?? -1)
}

function withFindings(kept: KeptOrder, findings: readonly Finding[]): KeptOrder {
  return findings.reduce((to, finding) => (isNew(to, finding) ? withFinding(to, finding) : to), kept)
}

function withFinding({ order, findingCount, episodes }: KeptOrder, finding: Finding): KeptOrder {
  const findings = [...order.findings, finding]
  if (findings.length > firstFindings + newestFindings) findings.splice(firstFindings, 1)
  return {
    order: { ...order, findings },
    findingCount: findingCount + 1,
    episodes: { ...episodes, [finding.episode]: finding.sequence },
  }
}

type Urgency = { readonly priority: number; readonly priorityReason: string; readonly dueMs: number }

/** Urgency only ever rises, and only while there is work to do: people have planned by what the order said. */
function asUrgentAs(kept: KeptOrder, asked: Urgency): { kept: KeptOrder; notes: readonly string[] } {
  const notes: string[] = []
  let { order } = kept
  if (!isOpen(order)) return { kept, notes }
  if (asked.priority < order.priority) {
    notes.push(`priority ${order.priority} to ${asked.priority}: ${asked.priorityReason}`)
    order = { ...order, priority: asked.priority, priorityReason: asked.priorityReason }
  }
  if (asked.dueMs < order.dueMs) {
    notes.push(`due ${iso(asked.dueMs)} instead of ${iso(order.dueMs)}`)
    order = { ...order, dueMs: asked.dueMs }
  }
  return { kept: { ...kept, order }, notes }
}

function changed(kept: KeptOrder, kind: OrderEvent["kind"], atMs: number, notes: readonly string[]): Change {
  const order = { ...kept.order, version: kept.order.version + 1 }
  return { kept: { ...kept, order }, event: eventOf(order, kind, atMs, notes.join("; ")) }
}

/** Every change is one event, so an order's version is also the sequence of its newest event. */
function eventOf(order: WorkOrder, kind: OrderEvent["kind"], atMs: number, note: string): OrderEvent {
  return { kind, sequence: order.version, atMs, actor: "system", note, order }
}

function because({ trigger, findings }: OpenOrder): string {
  const finding = findings.at(-1)
  return finding === undefined ? cause(trigger) : `${cause(trigger)}: ${finding.reason}`
}

function cause(trigger: Trigger): string {
  return trigger.kind === "rule" ? `rule ${trigger.rule}` : `plan ${trigger.plan}, due ${iso(trigger.dueMs)}`
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}
