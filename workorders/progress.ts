/** How an order goes, for who asked for it: in plain words, and nothing of what is said inside the plant. */
import type { OrderState, WorkOrder } from "../core/orders.ts"
import { localTime } from "../core/wording.ts"

export type Progress = {
  readonly number: string
  readonly asset: string
  readonly requestedMs: number
  readonly stage: Stage
  /** The stage in words. */
  readonly says: string
  /** When the work is to begin, once that is known. */
  readonly plannedMs: number | null
  readonly doneMs: number | null
}

type Stage = "received" | "looked-at" | "approved" | "planned" | "worked-on" | "done" | "declined"

const stages: Readonly<Record<OrderState, Stage>> = {
  requested: "received",
  triaged: "looked-at",
  "awaiting-approval": "looked-at",
  approved: "approved",
  rejected: "declined",
  planned: "planned",
  assigned: "planned",
  dispatched: "planned",
  acknowledged: "planned",
  "in-progress": "worked-on",
  "on-hold": "worked-on",
  reopened: "worked-on",
  completed: "done",
  verified: "done",
  closed: "done",
  cancelled: "declined",
}

const words: Readonly<Record<Exclude<Stage, "planned">, string>> = {
  received: "received",
  "looked-at": "being looked at",
  approved: "approved",
  "worked-on": "being worked on",
  done: "done",
  declined: "will not be done: ask at the plant for the reason",
}

/** `goesOn`: the order that deals with it, which is another one where this one was a duplicate. */
export function progressOf(order: WorkOrder, goesOn: WorkOrder, timeZone: string): Progress {
  const { number, asset, requestedMs } = order
  const { state, planned, finishedMs } = goesOn
  // Work can be assigned without a plan of when.
  const stage = stages[state] === "planned" && planned === null ? "approved" : stages[state]
  const plannedMs = stage === "planned" ? (planned?.startMs ?? null) : null
  return {
    number,
    asset,
    requestedMs,
    stage,
    says:
      stage === "planned"
        ? `planned for ${plannedMs === null ? "later" : `${localTime(plannedMs, timeZone)} (${timeZone})`}`
        : words[stage],
    plannedMs,
    doneMs: stage === "done" ? finishedMs : null,
  }
}
