/** What a plan makes of work: its own orders, those of others that did its work, and what people state. */
import type { OrderRequest } from "../core/orders.ts"
import type { Credit, Maintained, WorkTold } from "../core/vocabulary.ts"
import { localTime } from "../core/wording.ts"
import type { Board } from "./board.ts"
import { done, met, sinceDone, uncovered } from "./cycle.ts"
import { shareGone } from "./due.ts"
import type { PlanNote } from "./note.ts"
import { creditRequest } from "./plan-requests.ts"
import type { Assignment } from "./plans.ts"
import type { Cycle } from "./state.ts"

/** A new component: what is counted from the last work on it begins with it. */
export function replaced({ asset, component, atMs }: Maintained, board: Board): void {
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

export function* worked(work: WorkTold, board: Board): Iterable<OrderRequest> {
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

export function* stated({ asset, plan, atMs, actor, reason }: Credit, board: Board): Iterable<OrderRequest> {
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

/** What was left to an order that is yet to be asked for, and may not be now, is looked at again. */
export function release(asset: string, board: Board, atMs: number, leftTo?: Assignment): void {
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
