import type { AssetEvent, DeadLetter, Reading } from "../../core/vocabulary.ts"

export type FaultReason = DeadLetter["reason"]

/** What could not be taken of a message: at most one for each reason, its detail naming the first few places. */
type Fault = { readonly reason: FaultReason; readonly detail: string }

/** A time further ahead than the plant tolerates: another stands in for it. */
type ClockAhead = { readonly asset: string; readonly aheadMs: number }

/** A message can give records and faults: of five signals with one text among them, four go on. */
export type Decoded = {
  /** In order of time. */
  readonly records: readonly (Reading | AssetEvent)[]
  readonly faults: readonly Fault[]
  readonly clocksAhead: readonly ClockAhead[]
}

/** The time that stands in where a message gives none to go by; undefined: its arrival. */
export type TimeOf = (asset: string) => number | undefined

/** Collects what one message gives. Faults and clocks are rare, so nothing is allocated for them before the first. */
export type Outcome = {
  readonly records: (Reading | AssetEvent)[]
  readonly arrivedMs: number
  readonly timeOf: TimeOf | undefined
  faults: Map<FaultReason, Tally> | undefined
  clocksAhead: ClockAhead[] | undefined
}

type Tally = { readonly details: string[]; more: number }

const nothing: readonly never[] = Object.freeze([])
const maxDetails = 5
const maxQuoted = 64

export function startOutcome(arrivedMs: number, timeOf: TimeOf | undefined): Outcome {
  return { records: [], arrivedMs, timeOf, faults: undefined, clocksAhead: undefined }
}

export function addFault(outcome: Outcome, reason: FaultReason, detail: string): void {
  outcome.faults ??= new Map()
  const tally = outcome.faults.get(reason)
  if (tally === undefined) outcome.faults.set(reason, { details: [detail], more: 0 })
  else if (tally.details.length < maxDetails) tally.details.push(detail)
  else tally.more += 1
}

/** One note for each asset in a row: the furthest ahead. A batch of ten thousand late clocks is one fact, not ten thousand. */
export function addClockAhead(outcome: Outcome, asset: string, aheadMs: number): void {
  outcome.clocksAhead ??= []
  const last = outcome.clocksAhead.at(-1)
  if (last?.asset !== asset) outcome.clocksAhead.push({ asset, aheadMs })
  else if (aheadMs > last.aheadMs) outcome.clocksAhead[outcome.clocksAhead.length - 1] = { asset, aheadMs }
}

export function finishOutcome(outcome: Outcome): Decoded {
  return {
    // Gateways may send a backlog newest first; what comes after a newer sample would be late, and not be evaluated.
    records: outcome.records.sort((a, b) => a.atMs - b.atMs),
    faults: outcome.faults === undefined ? nothing : [...outcome.faults].map(summarise),
    clocksAhead: outcome.clocksAhead ?? nothing,
  }
}

export function refusal(reason: FaultReason, detail: string): Decoded {
  return { records: nothing, faults: [{ reason, detail }], clocksAhead: nothing }
}

function summarise([reason, { details, more }]: [FaultReason, Tally]): Fault {
  const text = details.join("; ")
  return { reason, detail: more > 0 ? `${text}; and ${more} more like these` : text }
}

/** Text of a publisher as it may stand in a message for people: quoted, control characters escaped, cut. */
export function quoted(value: unknown): string {
  const text = typeof value === "object" && value !== null ? kindOf(value) : String(value)
  return JSON.stringify(text.length > maxQuoted ? `${text.slice(0, maxQuoted)}…` : text)
}

/** How a person calls a JSON value. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return "nothing"
  if (Array.isArray(value)) return "a list"
  switch (typeof value) {
    case "object":
      return "an object"
    case "string":
      return "text"
    default:
      return `a ${typeof value}`
  }
}
