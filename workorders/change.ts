/** What a request does to one order: pure, so that the same requests always make the same orders. */
import {
  type AmendOrder,
  type CreditOrder,
  notClosed,
  noWork,
  type OpenOrder,
  type OrderEvent,
  type OrderState,
  type Origin,
  type SettleOrder,
  type Trigger,
  type WorkOrder,
} from "../core/orders.ts"
import type { Finding } from "../core/vocabulary.ts"
import { instant } from "../core/wording.ts"
import { type Entry, entryOf } from "./chain.ts"
import { formatNumber } from "./number.ts"
import { finishedWork } from "./readiness.ts"

/** Who acts where no person does. */
export const system = "system"

/** An order with what the store remembers beside it. */
export type KeptOrder = {
  readonly order: WorkOrder
  /** All findings that ever came; the order keeps the first and the newest of them. */
  readonly findingCount: number
  /** The newest sequence taken from each episode. */
  readonly episodes: Readonly<Record<string, number>>
  /** The hash of the newest entry of its history; empty before the first. */
  readonly head: string
}

/** An order as it becomes, the event that tells of it, and the entry of its history. */
export type Change = { readonly kept: KeptOrder; readonly event: OrderEvent; readonly entry: Entry }

/**
 * Findings kept with an order: how it began, and what came last. Each event carries them all, and a finding can
 * have 16 samples, so an episode that goes up and down for weeks must not make them long.
 */
const firstFindings = 5
const newestFindings = 15

/** Keeps an order's targets up over a change of it: `withSla` for a plant. */
export type KeepTargets = (before: WorkOrder | undefined, order: WorkOrder, atMs: number) => WorkOrder

const noTargets: KeepTargets = (_before, order) => order

export function openOrder(request: OpenOrder, number: number, keepTargets = noTargets): Change {
  const { kind, order: id, atMs, findings, origin = ofThePipeline, ...content } = request
  const order: WorkOrder = {
    ...content,
    ...origin,
    id,
    number: formatNumber(number),
    state: "requested",
    requestedMs: atMs,
    finishedMs: null,
    findings: [],
    approval: null,
    bids: [],
    planned: null,
    postponed: [],
    assignees: [],
    work: noWork,
    closing: notClosed,
    sla: null,
    attachments: [],
    links: [],
    duplicateOf: null,
    followUps: [],
    version: 0,
  }
  const actor = request.trigger.kind === "person" ? request.trigger.by : system
  const promised = keepTargets(undefined, order, atMs)
  const opened = withFindings({ order: promised, findingCount: 0, episodes: {}, head: "" }, findings)
  return changed(opened, { kind: "created", atMs, actor, note: because(request), detail: contentOf(request) })
}

const ofThePipeline: Origin = {
  requester: { kind: "system", id: null, name: system, contact: null },
  fields: {},
  customer: null,
  salesOrder: null,
  parent: null,
}

/** A second request for a need that an open order already covers. */
export function mergeInto(kept: KeptOrder, request: OpenOrder, keepTargets = noTargets): Change {
  const { kept: urgent, notes } = asUrgentAs(withFindings(kept, request.findings), request, keepTargets)
  const note = [because(request), ...notes].join("; ")
  return changed(urgent, told("merged", request.atMs, note, contentOf(request)))
}

/** Undefined for a repeat. */
export function amendOrder(
  kept: KeptOrder,
  request: AmendOrder,
  keepTargets = noTargets,
): Change | undefined {
  const { finding, atMs } = request
  if (!isNew(kept, finding)) return undefined
  const amended = withFindings(kept, [finding])
  if (isUnfounded(amended)) {
    const cancelled: WorkOrder = {
      ...finishedWork(amended.order, atMs),
      state: "cancelled",
      finishedMs: atMs,
    }
    const order = keepTargets(kept.order, cancelled, atMs)
    const note = `with what came late there is nothing to be found any more: ${finding.reason}`
    return changed({ ...amended, order }, told("cancelled", atMs, note, contentOf(request)))
  }
  const { kept: urgent, notes } = asUrgentAs(amended, request, keepTargets)
  const first = finding.kind === "amended" ? finding.reason : `${finding.kind}: ${finding.reason}`
  return changed(urgent, told("amended", atMs, [first, ...notes].join("; "), contentOf(request)))
}

/** All that it was asked for was taken back, and nobody has looked at it or added to it yet. */
function isUnfounded({ order, findingCount }: KeptOrder): boolean {
  const { state, trigger, findings, work, bids, attachments, links } = order
  const isTouched = [work.notes, work.downtime, bids, attachments, links].some((one) => one.length > 0)
  if (isTouched || state !== "requested" || trigger.kind !== "rule" || findingCount > findings.length)
    return false
  const newest = new Map(findings.map(({ episode, kind }) => [episode, kind]))
  return [...newest.values()].every((kind) => kind === "withdrawn")
}

/** What the history keeps of a request: its findings are in the order itself. */
export function contentOf(request: OpenOrder | AmendOrder): unknown {
  if (request.kind === "open") return { ...request, findings: request.findings.length }
  const { episode, sequence } = request.finding
  return { ...request, finding: { episode, sequence } }
}

/**
 * Whether a replacement meets all that an order asks for. Told late, it may find that the order was asked for after
 * it, or that an episode of the new component has joined. What a plan asks for (an inspection) it never meets.
 */
export function isMetBy({ order }: KeptOrder, { asset, component, atMs }: SettleOrder): boolean {
  return (
    isOpen(order) &&
    // Who is at work on it says themselves when it is done.
    order.state !== "in-progress" &&
    order.state !== "on-hold" &&
    order.trigger.kind === "rule" &&
    order.asset === asset &&
    order.component === component &&
    order.requestedMs <= atMs &&
    order.findings.every(({ openedAtMs }) => openedAtMs <= atMs)
  )
}

export function settleOrder(kept: KeptOrder, request: SettleOrder, keepTargets = noTargets): Change {
  const { atMs, reason } = request
  const completed: WorkOrder = { ...finishedWork(kept.order, atMs), state: "completed", finishedMs: atMs }
  const order = keepTargets(kept.order, completed, atMs)
  return changed({ ...kept, order }, told("completed", atMs, reason, request))
}

/** Nobody has decided about it yet, so nothing of stock or budget is set aside for it. */
const undecided: readonly OrderState[] = ["requested", "triaged", "awaiting-approval"]

/** Whether other work has met what a plan asks for with this order. */
export function isCreditedBy({ order }: KeptOrder, { asset, plan, by, atMs }: CreditOrder): boolean {
  const { trigger } = order
  return (
    isOpen(order) &&
    order.id !== by &&
    order.asset === asset &&
    trigger.kind === "plan" &&
    trigger.plan === plan &&
    order.requestedMs <= atMs
  )
}

/** An order that somebody has planned with is for people to end: it is told that its work was done. */
export function creditOrder(kept: KeptOrder, request: CreditOrder, keepTargets = noTargets): Change {
  const { atMs, by, reason } = request
  if (!undecided.includes(kept.order.state)) {
    const note = `${reason}: cancel this order if nothing is left to do`
    return changed(kept, told("note", atMs, note, request))
  }
  const ended: WorkOrder = {
    ...finishedWork(kept.order, atMs),
    approval: null,
    state: "cancelled",
    finishedMs: atMs,
    duplicateOf: by,
  }
  const order = keepTargets(kept.order, ended, atMs)
  return changed({ ...kept, order }, told(by === null ? "cancelled" : "duplicate", atMs, reason, request))
}

const finished: readonly OrderState[] = ["rejected", "completed", "verified", "closed", "cancelled"]

/** Its need still stands. */
export function isOpen({ state }: Pick<WorkOrder, "state">): boolean {
  return !finished.includes(state)
}

function isNew({ episodes }: KeptOrder, { episode, sequence }: Finding): boolean {
  return sequence > (episodes[episode] ?? -1)
}

function withFindings(kept: KeptOrder, findings: readonly Finding[]): KeptOrder {
  return findings.reduce((to, finding) => (isNew(to, finding) ? withFinding(to, finding) : to), kept)
}

function withFinding({ order, findingCount, episodes, head }: KeptOrder, finding: Finding): KeptOrder {
  const findings = [...order.findings, finding]
  if (findings.length > firstFindings + newestFindings) findings.splice(firstFindings, 1)
  return {
    order: { ...order, findings },
    findingCount: findingCount + 1,
    episodes: { ...episodes, [finding.episode]: finding.sequence },
    head,
  }
}

type Urgency = Pick<AmendOrder, "priority" | "priorityReason" | "dueMs" | "atMs">

/** Urgency only ever rises, and only while there is work to do: people have planned by what the order said. */
function asUrgentAs(
  kept: KeptOrder,
  asked: Urgency,
  keepTargets: KeepTargets,
): { kept: KeptOrder; notes: readonly string[] } {
  const notes: string[] = []
  let { order } = kept
  if (!isOpen(order)) return { kept, notes }
  if (asked.priority < order.priority) {
    notes.push(`priority ${order.priority} to ${asked.priority}: ${asked.priorityReason}`)
    order = { ...order, priority: asked.priority, priorityReason: asked.priorityReason }
  }
  if (asked.dueMs < order.dueMs) {
    notes.push(`due ${instant(asked.dueMs)} instead of ${instant(order.dueMs)}`)
    order = { ...order, dueMs: asked.dueMs }
  }
  return { kept: { ...kept, order: keepTargets(kept.order, order, asked.atMs) }, notes }
}

export type Told = Pick<OrderEvent, "kind" | "atMs" | "actor" | "note"> & { readonly detail: unknown }

const told = (kind: OrderEvent["kind"], atMs: number, note: string, detail: unknown): Told => ({
  kind,
  atMs,
  actor: system,
  note,
  detail,
})

/** Every change is one event, so an order's version is also the sequence of its newest event. */
export function changed(kept: KeptOrder, { detail, note, actor, ...rest }: Told): Change {
  const order = { ...kept.order, title: storable(kept.order.title), version: kept.order.version + 1 }
  const words = { note: storable(note), actor: storable(actor) }
  const event: OrderEvent = { ...rest, ...words, sequence: order.version, order }
  const entry = entryOf(event, detail, kept.head)
  return { kept: { ...kept, order, head: entry.hash }, event, entry }
}

/** No store keeps half a character, nor PostgreSQL a NUL: the audit's hash is of what can be kept. */
function storable(text: string): string {
  return text.replaceAll("\0", "\ufffd").replace(/\p{Cs}/gu, "\ufffd")
}

function because({ trigger, findings }: OpenOrder): string {
  const finding = findings.at(-1)
  return finding === undefined ? cause(trigger) : `${cause(trigger)}: ${finding.reason}`
}

function cause(trigger: Trigger): string {
  switch (trigger.kind) {
    case "rule":
      return `rule ${trigger.rule}`
    case "plan":
      return `plan ${trigger.plan}, due ${instant(trigger.dueMs)}`
    case "person":
      return `asked for by ${trigger.by}`
    case "public":
      return "asked for at the asset, without an account"
    case "order":
      return `work on ${trigger.number}${trigger.check === null ? "" : `, check ${trigger.check} failed`}`
  }
}
