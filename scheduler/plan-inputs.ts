/** What a plan makes of what it is told: readings, events, findings and states. */
import type { Revision } from "../core/catalogue.ts"
import type { OrderRequest } from "../core/orders.ts"
import { type ConditionTrigger, type EventTrigger, triggersOf } from "../core/plant-planning.ts"
import {
  type AssetEvent,
  type Detection,
  type DetectionRecord,
  eventCodes,
  isDetection,
  type MeterRead,
  partOf,
  type Tick,
} from "../core/vocabulary.ts"
import type { Board } from "./board.ts"
import { firstBase, readingsAt } from "./cycle.ts"
import { nextDue } from "./due.ts"
import { limitsOf, meterOf, takeReading } from "./meters.ts"
import { conditionInWords } from "./plan-requests.ts"
import { release, replaced, stated, worked } from "./plan-work.ts"
import type { Assignment } from "./plans.ts"
import { findingOf, opensOrder, urgencyIn } from "./requests.ts"
import type { Cycle } from "./state.ts"

/** `revision` is the one in effect: before the plant's clock was first seen, meters are read and no plan runs yet. */
export function* hear(
  record: Exclude<DetectionRecord, Tick>,
  board: Board,
  revision: Revision | undefined,
): Iterable<OrderRequest> {
  if (revision === undefined) return
  if (isDetection(record)) return yield* found(record, board)
  switch (record.kind) {
    case "meter":
      return read(record, board, revision)
    case "event":
      return yield* happened(record, board)
    case "maintained":
      return replaced(record, board)
    case "work":
      return yield* worked(record, board)
    case "credit":
      return yield* stated(record, board)
  }
}

function read(record: MeterRead, board: Board, revision: Revision): void {
  const { state } = board
  const { asset, signal } = record
  // What people write down may be any signal.
  const isWanted = revision
    .plansFor(asset)
    .some((plan) => triggersOf(plan).some((one) => "meter" in one && one.meter === signal))
  if (!isWanted) return
  if (!takeReading(state.meters, record, limitsOf(revision, asset, signal))) return
  const memory = meterOf(state.meters, asset, signal)
  for (const assignment of board.of(asset)) {
    const trigger = assignment.triggers.find((one) => "meter" in one && one.meter === signal)
    if (trigger === undefined || !("meter" in trigger) || memory === undefined) continue
    const { from } = board.standing(assignment).cycle
    const base = from.readings[signal] ?? firstBase(assignment.plan, trigger, memory)
    board.change(assignment, { from: { ...from, readings: { ...from.readings, [signal]: base } } })
  }
}

function* happened(event: AssetEvent, board: Board): Iterable<OrderRequest> {
  if (event.code === eventCodes.state) changeState(event, board)
  for (const assignment of board.of(event.asset)) {
    const { cycle } = board.standing(assignment)
    const { atMs, code } = event
    // Told again, or told late of what an order was asked for since: the need is the same.
    const fitting = assignment.triggers.flatMap((one, number) =>
      "event" in one && fits(one, event) && atMs > (cycle.events[number] ?? Number.NEGATIVE_INFINITY)
        ? [[number, atMs] as const]
        : [],
    )
    if (fitting.length === 0) continue
    board.change(assignment, { events: { ...cycle.events, ...Object.fromEntries(fitting) } })
    if (passedOver(assignment, board, atMs, `event ${code}`)) continue
    const part = partOf(event)
    yield board.ask(
      assignment,
      {
        name: `event ${code} ${part} ${atMs}`,
        atMs,
        dueMs: atMs,
        allowFromMs: atMs,
        because: part === "" ? `event ${code}` : `event ${code} of ${part}`,
      },
      { ms: atMs },
    )
  }
}

function fits({ event, where }: EventTrigger, { code, attributes }: AssetEvent): boolean {
  return event === code && Object.entries(where).every(([key, value]) => attributes[key] === value)
}

/** Out of service nothing is asked for; what would have been is kept in the plan's history. */
function passedOver(assignment: Assignment, board: Board, atMs: number, what: string): boolean {
  if (!board.isOut(assignment)) return false
  board.note(assignment, { atMs, what: "out-of-service", note: `not asked for: ${what}`, order: null })
  return true
}

function changeState({ asset, atMs, attributes }: AssetEvent, board: Board): void {
  const { states } = board.state
  const before = states[asset]
  if (typeof attributes.state !== "string" || (before !== undefined && atMs <= before.atMs)) return
  const those = board.of(asset)
  if (those.length === 0) return
  const wereOut = those.map((one) => board.isOut(one))
  states[asset] = { state: attributes.state, atMs }
  release(asset, board, atMs)
  those.forEach((assignment, number) => {
    const isOut = board.isOut(assignment)
    if (isOut === (wereOut[number] ?? false)) return
    const note = `${asset} is ${attributes.state}`
    board.note(assignment, { atMs, what: isOut ? "out-of-service" : "returned", note, order: null })
    board.change(assignment, isOut ? {} : onReturn(assignment, board, atMs))
  })
}

/** What came due meanwhile is asked for now, or left out: then what is dated goes on, and what is counted begins now. */
function onReturn(assignment: Assignment, board: Board, atMs: number): Partial<Cycle> {
  const standing = board.standing(assignment)
  const due = nextDue(standing)
  if (due === undefined || due.dueMs > atMs || assignment.plan.suspend.onReturn === "ask")
    return { notBeforeMs: atMs }
  const readings = { ...standing.cycle.from.readings, ...readingsAt(standing, { ms: atMs }) }
  return { notBeforeMs: atMs, sinceMs: atMs, from: { why: "due", atMs, readings } }
}

function* found(detection: Detection, board: Board): Iterable<OrderRequest> {
  const { episode, sequence, kind, asset, rule, atMs } = detection
  for (const assignment of board.of(asset)) {
    const trigger = assignment.triggers.find(
      (one): one is ConditionTrigger => "rule" in one && one.rule === rule,
    )
    const { cycle } = board.standing(assignment)
    const known = cycle.episodes[episode]
    if (known === undefined) {
      if (trigger === undefined || !opensOrder(detection, trigger)) continue
      if (isMetSince(cycle, atMs)) continue
      if (passedOver(assignment, board, atMs, conditionInWords(detection))) continue
      const { dueMs, ...urgency } = urgencyIn(detection, undefined, board.revision)
      const order = board.ask(
        assignment,
        {
          name: `episode ${episode}`,
          atMs,
          dueMs,
          because: conditionInWords(detection),
          detection: { finding: findingOf(detection), urgency },
        },
        { ms: atMs },
      )
      remember(assignment, board, episode, { order: order.order, sequence })
      yield order
      continue
    }
    if (sequence <= known.sequence || kind === "acknowledged" || kind === "shelved") continue
    const ended = kind === "cleared" || kind === "withdrawn"
    remember(assignment, board, episode, ended ? undefined : { ...known, sequence })
    const urgency = urgencyIn(detection, undefined, board.revision)
    yield { kind: "amend", order: known.order, asset, ...urgency, atMs, finding: findingOf(detection) }
  }
}

/** What was found before the work was done is met by it, also where it is told again. */
function isMetSince({ from }: Cycle, atMs: number): boolean {
  return (from.why === "done" || from.why === "credit") && atMs <= from.atMs
}

function remember(
  assignment: Assignment,
  board: Board,
  episode: string,
  as: Cycle["episodes"][string] | undefined,
): void {
  const { [episode]: _, ...others } = board.standing(assignment).cycle.episodes
  board.change(assignment, { episodes: as === undefined ? others : { ...others, [episode]: as } })
}
