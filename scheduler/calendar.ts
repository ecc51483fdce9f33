import type { Catalogue, Revision } from "../core/catalogue.ts"
import type { OpenOrder } from "../core/orders.ts"
import { occurrencesOf } from "../core/schedule.ts"
import { type Assignment, missedInWords, requestForPlan } from "./plans.ts"
import type { PartitionState, Planned } from "./state.ts"

export type Revisions = Pick<Catalogue, "at" | "newest" | "changesAfter">

export type Calendar = {
  /** Moves the clock and asks for all that has come due by then, in order of time. Earlier times change nothing. */
  advance(toMs: number): Iterable<OpenOrder>
  /** When the next request will be made. */
  nextMs(): number | undefined
}

type CalendarSetup = {
  readonly state: PartitionState
  readonly revisions: Revisions
  readonly assignments: (revision: Revision) => readonly Assignment[]
  /**
   * What becomes of occurrences that a step of the clock passed over. `each`: a request for each, as if the clock
   * had gone slowly; a replay then never depends on its ticks. `newest`: one for the newest that stands in for the
   * others, because after a long stop of the scheduler nobody wants ninety daily inspections.
   */
  readonly missed: "each" | "newest"
  /** Told of a plan that can't be followed; `millwright apply` refuses those, so this is another program's doing. */
  readonly unusable: (assignment: Assignment, error: unknown) => void
}

type Appointment = { readonly assignment: Assignment; readonly planned: Planned; readonly atMs: number }

/** The calendar plans of one partition's assets, kept in order of time, so that a tick costs nothing until one is due. */
export function createCalendar({ state, revisions, assignments, missed, unusable }: CalendarSetup): Calendar {
  let followed: Revision | undefined
  /** Latest first: the next one is popped from the end. */
  let agenda: Appointment[] = []

  /** Takes over the plans in effect at this time. What did not change goes on; what is new or changed begins now. */
  function follow(atMs: number): Revision | undefined {
    const revision = revisions.at(atMs) ?? revisions.newest()
    if (revision === undefined || revision === followed) return revision
    followed = revision
    agenda = []
    const plans: PartitionState["plans"] = {}
    for (const assignment of assignments(revision)) {
      const planned = keep(state.plans[assignment.key], assignment) ?? begin(assignment, atMs)
      if (planned === undefined) continue
      plans[assignment.key] = planned
      agenda.push(appointment(assignment, planned))
    }
    agenda.sort(laterFirst)
    state.plans = plans
    state.revision = revision.number
    return revision
  }

  function begin(assignment: Assignment, sinceMs: number): Planned | undefined {
    const { plan, timeZone, changedIn } = assignment
    try {
      const dueMs = occurrencesOf(plan.schedule, timeZone).from(sinceMs)
      return dueMs === undefined ? undefined : { changedIn, timeZone, sinceMs, dueMs }
    } catch (error) {
      unusable(assignment, error)
      return undefined
    }
  }

  function* requestsUntil(untilMs: number, revision: Revision): Iterable<OpenOrder> {
    for (let next = agenda.at(-1); next !== undefined && next.atMs <= untilMs; next = agenda.at(-1)) {
      agenda.pop()
      const { assignment, planned } = next
      const { plan, timeZone, key } = assignment
      const occurrences = occurrencesOf(plan.schedule, timeZone)
      const firstMs = planned.dueMs
      const dueMs = missed === "newest" ? newestAskedFor(firstMs, untilMs, plan.lead, occurrences) : firstMs
      const lastMissedMs = dueMs > firstMs ? occurrences.upTo(dueMs - 1) : undefined
      yield requestForPlan(assignment, revision, {
        atMs: askedAt(dueMs, assignment, planned),
        dueMs,
        ...(lastMissedMs !== undefined && { missed: missedInWords(firstMs, lastMissedMs, timeZone) }),
      })
      const followingMs = occurrences.from(dueMs + 1)
      if (followingMs === undefined) {
        delete state.plans[key]
        continue
      }
      const following = { ...planned, dueMs: followingMs }
      state.plans[key] = following
      insert(agenda, appointment(assignment, following))
    }
  }

  return {
    *advance(toMs) {
      // Plans begin when the clock is first seen: what was due before is history, not work.
      state.clockMs ??= toMs
      while (state.clockMs <= toMs) {
        const revision = follow(state.clockMs)
        const changeMs = revisions.changesAfter(state.clockMs) ?? Number.POSITIVE_INFINITY
        // What comes due at the very time of a change is decided by the new revision.
        const untilMs = Math.min(toMs, changeMs - 1)
        if (revision !== undefined) yield* requestsUntil(untilMs, revision)
        state.clockMs = Math.min(toMs, changeMs)
        if (changeMs > toMs) return
      }
    },
    nextMs: () => agenda.at(-1)?.atMs,
  }
}

/** An occurrence is missed when it is past due and the next one is to be asked for as well. */
function newestAskedFor(
  dueMs: number,
  nowMs: number,
  lead: number,
  occurrences: ReturnType<typeof occurrencesOf>,
): number {
  if (dueMs > nowMs) return dueMs
  const pastMs = Math.max(dueMs, occurrences.upTo(nowMs) ?? dueMs)
  const aheadMs = occurrences.from(pastMs + 1)
  return aheadMs !== undefined && aheadMs - lead <= nowMs ? aheadMs : pastMs
}

function keep(planned: Planned | undefined, { changedIn, timeZone }: Assignment): Planned | undefined {
  return planned?.changedIn === changedIn && planned.timeZone === timeZone ? planned : undefined
}

/** `lead` before it is due; a plan that begins within its lead asks at once. */
function askedAt(dueMs: number, { plan }: Assignment, { sinceMs }: Planned): number {
  return Math.max(dueMs - plan.lead, sinceMs)
}

function appointment(assignment: Assignment, planned: Planned): Appointment {
  return { assignment, planned, atMs: askedAt(planned.dueMs, assignment, planned) }
}

/** The key settles what time does not, so that the order never depends on how the agenda came about. */
function laterFirst(a: Appointment, b: Appointment): number {
  return b.atMs - a.atMs || (a.assignment.key < b.assignment.key ? 1 : -1)
}

function insert(agenda: Appointment[], one: Appointment): void {
  let [low, high] = [0, agenda.length]
  while (low < high) {
    const middle = (low + high) >> 1
    const other = agenda[middle]
    if (other !== undefined && laterFirst(other, one) < 0) low = middle + 1
    else high = middle
  }
  agenda.splice(low, 0, one)
}
