/** What a plan makes of what it is told: readings, events, findings, states, and work that was done. */
import type { Revision } from "../core/catalogue.ts"
import type { OrderRequest } from "../core/orders.ts"
import { type ConditionTrigger, type EventTrigger, triggersOf } from "../core/plant-planning.ts"
import {
  type AssetEvent,
  type Credit,
  type Detection,
  type DetectionRecord,
  eventCodes,
  isDetection,
  type Maintained,
  type MeterRead,
  partOf,
  type Tick,
  type WorkTold,
} from "../core/vocabulary.ts"
import { localTime } from "../core/wording.ts"
import type { Board } from "./board.ts"
import { done, firstBase, met, readingsAt, sinceDone, uncovered } from "./cycle.ts"
import { nextDue, shareGone } from "./due.ts"
import { limitsOf, meterOf, takeReading } from "./meters.ts"
import type { PlanNote } from "./note.ts"
import { conditionInWords, creditRequest } from "./plan-requests.ts"
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

/** What was left to an order that is yet to be asked for, and may not be now, is looked at again. */
function release(asset: string, board: Board, atMs: number, leftTo?: Assignment): void {
  const those = board.of(asset)
  for (const part of those) {
    const { cycle } = board.standing(part)
    const { covered, notBeforeMs } = cycle
    const by = (leftTo === undefined ? those : [leftTo]).find(({ plan }) => plan.id === covered?.by)
    if (covered === null || by === undefined || board.standing(by).cycle.asked !== null) continue
    board.change(part, {
      ...uncovered(cycle),
      notBeforeMs: Math.max(notBeforeMs, covered.atMs, atMs),
    })
  }
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

/** A new component: what is counted from the last work on it begins with it. */
function replaced({ asset, component, atMs }: Maintained, board: Board): void {
  release(asset, board, atMs)
  for (const assignment of board.of(asset)) {
    const { plan } = assignment
    const standing = board.standing(assignment)
    const { cycle } = standing
    if (plan.component !== component || plan.mode !== "floating") continue
    if (cycle.asked !== null || cycle.covered !== null || atMs <= cycle.from.atMs) continue
    board.change(assignment, { from: done(standing, { ms: atMs }, "credit") })
    board.note(assignment, { atMs, what: "replaced", note: `${component} was replaced`, order: null })
  }
}

function* worked(work: WorkTold, board: Board): Iterable<OrderRequest> {
  const those = board.of(work.asset)
  const itsPlan = those.find(({ plan }) => plan.id === work.plan)
  if (itsPlan !== undefined) {
    const { order, sequence } = work
    const { told } = board.standing(itsPlan).cycle
    if (told?.order === order && sequence <= told.sequence) return
    board.change(itsPlan, { told: { order, sequence } })
  }
  for (const assignment of those) {
    const { plan } = assignment
    if (plan.id === work.plan) ownWork(assignment, work, board)
    else if (itsPlan?.contains.has(plan.id)) yield* workOfWhole(assignment, itsPlan, work, board)
    else if (work.outcome === "done" && doesWorkOf(assignment, work)) {
      const note = `${work.number} did its work`
      yield* creditWhole(assignment, board, { atMs: work.atMs, by: work.order, note })
    }
  }
}

/** Whether an order from elsewhere was made from a template that does the plan's work, on the same component. */
function doesWorkOf({ plan }: Assignment, { template, component, partly }: WorkTold): boolean {
  if (template === null || partly) return false
  if (plan.component !== undefined && component !== null && plan.component !== component) return false
  return template === plan.template || plan.creditedBy.includes(template)
}

function ownWork(assignment: Assignment, work: WorkTold, board: Board): void {
  const { atMs, order, number, outcome } = work
  const { asked } = board.standing(assignment).cycle
  // It may have joined an order that was open before; an order that ended before this one was asked for is another.
  const isAsked = asked !== null && (asked.order === order || atMs > asked.atMs)
  const note = (what: PlanNote["what"], words: string) =>
    board.note(assignment, { atMs, what, note: `${number} ${words}`, order })
  if (outcome === "done") {
    note("done", "was done")
    board.change(assignment, afterDone(assignment, board, atMs, isAsked))
  } else if (outcome === "reopened") {
    const change = afterReopening(assignment, board, work)
    if (change === undefined) return
    note("reopened", "was opened again")
    board.change(assignment, change)
  } else if (isAsked) {
    const isFloating = assignment.plan.mode === "floating"
    note("dropped", isFloating ? "was dropped: counted as if done when it was due" : "was dropped")
    board.change(assignment, isFloating ? afterDropping(assignment, board, atMs, asked) : { asked: null })
  }
}

function afterDone(assignment: Assignment, board: Board, atMs: number, isAsked: boolean): Partial<Cycle> {
  const standing = board.standing(assignment)
  const { from } = standing.cycle
  const isNewer = atMs > from.atMs || from.why === "begin"
  return {
    ...(isAsked && { asked: null, sinceMs: sinceDone(standing) }),
    ...(isNewer && assignment.plan.mode === "floating" && { from: done(standing, { ms: atMs }, "done") }),
  }
}

/** A floating plan waits for the order once more. */
function afterReopening(
  assignment: Assignment,
  board: Board,
  { order, atMs }: WorkTold,
): Partial<Cycle> | undefined {
  const { asked, from } = board.standing(assignment).cycle
  const isNews = asked === null && from.why === "done" && atMs > from.atMs
  if (assignment.plan.mode !== "floating" || !isNews) return undefined
  return { asked: { order, atMs, dueMs: from.atMs, readings: from.readings } }
}

function afterDropping(
  assignment: Assignment,
  board: Board,
  atMs: number,
  asked: NonNullable<Cycle["asked"]>,
): Partial<Cycle> {
  const { from, notBeforeMs } = board.standing(assignment).cycle
  return {
    asked: null,
    notBeforeMs: Math.max(notBeforeMs, atMs),
    from: { why: "dropped", atMs: asked.dueMs, readings: { ...from.readings, ...asked.readings } },
  }
}

/** An order of the plan that contains this one does this one's work, or does not after all. */
function* workOfWhole(
  assignment: Assignment,
  whole: Assignment,
  work: WorkTold,
  board: Board,
): Iterable<OrderRequest> {
  const { cycle } = board.standing(assignment)
  const { atMs, number, order, outcome } = work
  if (outcome === "done") {
    yield* doneInWhole(assignment, board, {
      atMs,
      by: order,
      note: `${number} of ${whole.plan.id} did its work`,
    })
  } else if (outcome === "dropped" && cycle.covered !== null && atMs > cycle.covered.atMs) {
    const note = `${number} of ${whole.plan.id} was dropped: to be done by itself`
    board.note(assignment, { atMs, what: "uncovered", note, order })
    const notBeforeMs = Math.max(cycle.notBeforeMs, atMs)
    board.change(assignment, { ...uncovered(cycle), notBeforeMs })
  }
}

type Done = { readonly atMs: number; readonly by: string | null; readonly note: string }

function* doneInWhole(assignment: Assignment, board: Board, work: Done): Iterable<OrderRequest> {
  const { atMs, by, note } = work
  const { covered } = board.standing(assignment).cycle
  // Work of before is not that of the order to which it was left since.
  const isCovered = covered !== null && atMs > covered.atMs
  if (isCovered) board.change(assignment, { covered: null })
  if (!isCovered || assignment.plan.mode === "floating") {
    yield* credit(assignment, board, work)
    return
  }
  board.change(assignment, { workedMs: atMs })
  board.note(assignment, { atMs, what: "done", note, order: by })
}

function* stated({ asset, plan, atMs, actor, reason }: Credit, board: Board): Iterable<OrderRequest> {
  for (const assignment of board.of(asset)) {
    if (assignment.plan.id === plan)
      yield* creditWhole(assignment, board, { atMs, by: null, note: `${actor}: ${reason}` })
  }
}

/** With the plan's work that of the plans which it contains was done. */
function* creditWhole(assignment: Assignment, board: Board, work: Done): Iterable<OrderRequest> {
  if (!(yield* credit(assignment, board, work))) return
  const note = `part of the work of ${assignment.plan.id}`
  for (const part of board.of(assignment.asset.id)) {
    if (assignment.contains.has(part.plan.id)) yield* doneInWhole(part, board, { ...work, note })
  }
  release(assignment.asset.id, board, work.atMs, assignment)
}

/** The plan's work was done without its own order. False where that is nothing new, or too early to count. */
function* credit(
  assignment: Assignment,
  board: Board,
  { atMs, by, note }: Done,
): Generator<OrderRequest, boolean> {
  const standing = board.standing(assignment)
  const { cycle } = standing
  const { asked, from, workedMs } = cycle
  const { plan, timeZone } = assignment
  const say = (what: "credited" | "not-credited", words: string) =>
    board.note(assignment, { atMs, what, note: `${note}${words}`, order: by })
  if (workedMs !== null && atMs <= workedMs) {
    say(
      "not-credited",
      `: not newer than the work that was told of before (${localTime(workedMs, timeZone)})`,
    )
    return false
  }
  if (plan.mode === "fixed") board.change(assignment, { workedMs: atMs })
  // A fixed plan is counted from its open order's due time, which may be ahead.
  const isOld =
    asked === null || plan.mode === "floating"
      ? from.why !== "begin" && atMs <= from.atMs
      : atMs < asked.atMs && shareGone(standing, { ms: atMs }) < -0.5
  if (isOld) {
    say("not-credited", `: before what it is counted from (${localTime(from.atMs, timeZone)})`)
    return false
  }
  if (plan.mode === "floating") {
    const sinceMs = sinceDone(standing)
    const from = done(standing, { ms: atMs }, "credit")
    board.change(assignment, { asked: null, covered: null, sinceMs, from })
    say("credited", ": counted from then")
  } else if (asked !== null) {
    board.change(assignment, { asked: null })
    say("credited", "")
  } else {
    const share = shareGone(standing, { ms: atMs })
    if (share < 0.5) {
      const percent = Math.round(Math.max(0, share) * 100)
      say("not-credited", `: nearer to the time before than to the next (${percent} %)`)
      return false
    }
    const from = met(standing, { ms: atMs }, "credit")
    board.change(assignment, { covered: null, from })
    say("credited", ": the next time is met")
  }
  if (asked !== null) yield creditRequest(assignment, { by, atMs: Math.max(atMs, asked.atMs), reason: note })
  return true
}
