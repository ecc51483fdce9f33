import type { Catalogue, Revision } from "../core/catalogue.ts"
import { totalOf } from "../core/meter.ts"
import type { OpenOrder, OrderRequest } from "../core/orders.ts"
import { isDated, type MeterTrigger, type PlanTrigger } from "../core/plant-planning.ts"
import { countedOccurrences, type Occurrences } from "../core/schedule.ts"
import { type DetectionRecord, isDetection, type Tick } from "../core/vocabulary.ts"
import { type Agenda, createAgenda, type Entry, soonerFirst } from "./agenda.ts"
import type { Board } from "./board.ts"
import { type At, begin, come, met, readingsAt, takeOver, uncovered, withBases } from "./cycle.ts"
import { type Due, datesOf, type Meters, nextDue, type Standing, shareGone, timeOf } from "./due.ts"
import { meterOf } from "./meters.ts"
import type { PlanNote } from "./note.ts"
import { hear } from "./plan-inputs.ts"
import { missedInWords, type Occurrence, requestForPlan, rounded, triggerInWords } from "./plan-requests.ts"
import { type Assignment, keyOf } from "./plans.ts"
import type { Cycle, PartitionState } from "./state.ts"

export type Revisions = Pick<Catalogue, "at" | "newest" | "changesAfter">

/** The plans of one partition's assets: (state, input) → requests, without IO. The state is changed in place. */
export type Planner = {
  /** Moves the clock and asks for all that has come due by then, in order of time. Earlier times change nothing. */
  advance(toMs: number): Iterable<OpenOrder>
  /** What plans make of a record: readings, events, findings, and work that was done. */
  take(record: Exclude<DetectionRecord, Tick>): Iterable<OrderRequest>
  /** When the next order will be asked for. */
  nextMs(): number | undefined
}

export type PlannerSetup = {
  readonly state: PartitionState
  readonly revisions: Revisions
  readonly assignments: (revision: Revision) => readonly Assignment[]
  /**
   * What becomes of occurrences that a step of the clock passed over. `each`: a request for each, as if the clock
   * had gone slowly; a replay then never depends on its ticks. `newest`: one for the newest that stands in for the
   * others, because after a long stop of the scheduler nobody wants ninety daily inspections.
   */
  readonly missed: "each" | "newest"
  /** Readings are not waited for: meters go on as they did, by so many units a day (a forecast). */
  readonly projected?: Meters["projected"]
  /** Told of a plan that can't be followed; `millwright apply` refuses those, so this is another program's doing. */
  readonly unusable: (assignment: Assignment, error: unknown) => void
  /** Told of what is to be known of a plan later. */
  readonly note: (note: PlanNote) => void
}

type Appointment = Entry & { readonly due: Due }

export function createPlanner(setup: PlannerSetup): Planner {
  const { state, revisions, assignments, missed, projected, unusable, note } = setup
  const agenda: Agenda<Appointment> = createAgenda()
  const meters: Meters = { of: (asset, signal) => meterOf(state.meters, asset, signal), projected }
  let followed: Revision | undefined
  let byAsset = new Map<string, Assignment[]>()
  let active = new Map<string, Assignment>()

  /** Takes over the plans in effect at this time: what did not change goes on. */
  function follow(atMs: number): Revision | undefined {
    const revision = revisions.at(atMs) ?? revisions.newest()
    if (revision === undefined || revision === followed) return revision
    followed = revision
    agenda.clear()
    const plans: PartitionState["plans"] = {}
    active = new Map()
    byAsset = new Map()
    for (const assignment of assignments(revision)) {
      const { key, asset } = assignment
      const before = state.plans[key]
      const cycle = before === undefined ? begin(assignment, atMs) : takeOver(before, assignment, atMs)
      plans[key] = withBases(cycle, assignment, meters)
      active.set(key, assignment)
      const others = byAsset.get(asset.id)
      if (others === undefined) byAsset.set(asset.id, [assignment])
      else others.push(assignment)
    }
    for (const those of byAsset.values()) those.sort((a, b) => b.contains.size - a.contains.size)
    state.plans = plans
    state.revision = revision.number
    for (const assignment of active.values()) {
      const cycle = cycleOf(assignment)
      // Nobody will tell how the order of a plan went that is not there any more.
      if (cycle.covered !== null && !active.has(keyOf(cycle.covered.by, assignment.asset.id)))
        board.change(assignment, uncovered(cycle))
      else schedule(assignment)
    }
    return revision
  }

  function standing(assignment: Assignment): Standing {
    return { assignment, cycle: cycleOf(assignment), meters }
  }

  function cycleOf({ key }: Assignment): Cycle {
    const cycle = state.plans[key]
    if (cycle === undefined) throw new Error(`there is no state of the plan ${key}`)
    return cycle
  }

  function schedule(assignment: Assignment): void {
    const { key } = assignment
    let due: Due | undefined
    try {
      due = board.isOut(assignment) ? undefined : nextDue(standing(assignment))
    } catch (error) {
      unusable(assignment, error)
    }
    const isToCome = due !== undefined && Number.isFinite(due.askMs)
    agenda.set(
      key,
      isToCome && due ? { key, atMs: due.askMs, weight: assignment.contains.size, due } : undefined,
    )
  }

  const board = {
    state,
    get revision(): Revision {
      if (followed === undefined) throw new Error("no plans are followed yet")
      return followed
    },
    of: (asset: string) => byAsset.get(asset) ?? [],
    standing,
    change(assignment: Assignment, to: Partial<Cycle>) {
      state.plans[assignment.key] = { ...cycleOf(assignment), ...to }
      schedule(assignment)
    },
    note: ({ plan, asset }: Assignment, one: Omit<PlanNote, "plan" | "asset">) =>
      note({ plan: plan.id, asset: asset.id, ...one }),
    isOut({ plan, asset }: Assignment) {
      const itsState = state.states[asset.id]?.state
      return itsState !== undefined && plan.suspend.states.includes(itsState)
    },
    ask(assignment: Assignment, occurrence: Occurrence, at: At): OpenOrder {
      const { plan } = assignment
      const request = requestForPlan(assignment, this.revision, occurrence)
      const { order, atMs } = request
      const before = standing(assignment)
      const asked = { order, atMs, dueMs: occurrence.dueMs, readings: readingsAt(before, at) }
      // What is asked for now stands for what another order stood for before.
      if (plan.mode === "fixed") board.change(assignment, { asked, covered: null, from: come(before, at) })
      // What comes while the order is open is added to it.
      else if (before.cycle.asked === null) board.change(assignment, { asked })
      board.note(assignment, { atMs, what: "asked", note: occurrence.because, order })
      for (const part of board.of(assignment.asset.id)) {
        if (assignment.contains.has(part.plan.id)) coverBy(assignment, part, at, atMs)
      }
      return request
    },
  } satisfies Board

  /** What comes due in the first plan's order, or came due before it, is part of that order. */
  function coverBy(assignment: Assignment, part: Assignment, at: At, atMs: number): void {
    const { cycle } = standing(part)
    const isWaiting = part.plan.mode === "floating" && (cycle.asked !== null || cycle.covered !== null)
    if (isWaiting) return
    const due = nextDue(standing(part))
    // A meter may have passed more of the part than of the whole.
    const isPassed = due?.reading !== undefined && due.dueMs <= atMs
    const partAt = isPassed ? { ...atDue(part, due), ms: at.ms } : at
    if (shareGone(standing(part), partAt) >= 0.5) cover(assignment, part, partAt, atMs)
  }

  function cover(by: Assignment, part: Assignment, at: At, atMs: number): void {
    const { cycle } = standing(part)
    const covered = { by: by.plan.id, atMs, before: cycle.from }
    const from = part.plan.mode === "fixed" ? met(standing(part), at, "due") : cycle.from
    board.change(part, { covered, from })
    board.note(part, { atMs, what: "covered", note: `part of the work of ${by.plan.id}`, order: null })
  }

  /** Another plan of which this one is part, and which comes due at about the same time. */
  function containing(
    part: Assignment,
    { reading }: Due,
  ): { readonly by: Assignment; readonly at: At } | undefined {
    for (const by of board.of(part.asset.id)) {
      if (!by.contains.has(part.plan.id) || board.isOut(by)) continue
      const due = nextDue(standing(by))
      // What only a reading can tell may never come: a date does not wait for it.
      if (due === undefined || (reading === undefined && !Number.isFinite(due.askMs))) continue
      const at = atDue(by, due)
      const share = shareGone(standing(part), at)
      if (share >= 0.5 && share < 1.5) return { by, at }
    }
    return undefined
  }

  function* keep({ key, atMs, due }: Appointment, untilMs: number): Iterable<OpenOrder> {
    const assignment = active.get(key)
    const trigger = assignment?.triggers[due.trigger]
    if (assignment === undefined || trigger === undefined) return
    const over = containing(assignment, due)
    if (over !== undefined) {
      cover(over.by, assignment, over.at, atMs)
      return
    }
    const { cycle } = standing(assignment)
    if ("meter" in trigger) yield byMeter(assignment, trigger, due, atMs)
    else {
      const newest = newestOf(assignment, trigger, due.dueMs, untilMs)
      const returned = due.dueMs < cycle.notBeforeMs ? { allowFromMs: cycle.notBeforeMs } : {}
      const because = triggerInWords(trigger, cycle.from, assignment)
      yield board.ask(
        assignment,
        {
          name: String(newest.dueMs),
          atMs: newest.askMs,
          dueMs: newest.dueMs,
          because,
          ...returned,
          missed: newest.missed,
        },
        { ms: newest.dueMs },
      )
    }
  }

  function byMeter(assignment: Assignment, trigger: MeterTrigger, due: Due, atMs: number): OpenOrder {
    const { cycle } = standing(assignment)
    const { meter, tolerance, every } = trigger
    const at = atDue(assignment, due)
    const reading = at.readings?.[meter] ?? 0
    const isReached = due.dueMs <= atMs
    const memory = meters.of(assignment.asset.id, meter)
    const lateMs = memory && tolerance > 0 ? timeOf(memory, reading + tolerance, meters) : undefined
    const timing = isReached
      ? lateMs === undefined
        ? { dueMs: due.dueMs, allowFromMs: atMs }
        : { dueMs: Math.max(atMs, lateMs) }
      : { dueMs: lateMs ?? due.dueMs }
    const words = triggerInWords(trigger, cycle.from, assignment, reading)
    const passed = Math.round((reading - (cycle.from.readings[meter] ?? 0)) / every)
    const because = passed > 1 ? `${words}; ${passed} were passed at once` : words
    return board.ask(assignment, { name: `${meter}:${rounded(reading)}`, atMs, because, ...timing }, at)
  }

  /** Where the meter is when the work is due: at the newest of the readings that it has passed. */
  function atDue(assignment: Assignment, { trigger: number, dueMs, reading }: Due): At {
    const trigger = assignment.triggers[number]
    if (trigger === undefined || !("meter" in trigger) || reading === undefined) return { ms: dueMs }
    const memory = meters.of(assignment.asset.id, trigger.meter)
    const total = memory === undefined ? reading : totalOf(memory)
    const passed = Math.max(0, Math.floor((total - reading) / trigger.every))
    return { ms: dueMs, readings: { [trigger.meter]: reading + passed * trigger.every } }
  }

  function newestOf(
    assignment: Assignment,
    trigger: PlanTrigger,
    dueMs: number,
    untilMs: number,
  ): { readonly dueMs: number; readonly askMs: number; readonly missed?: string } {
    const { plan, timeZone } = assignment
    const { notBeforeMs } = cycleOf(assignment)
    const askedAt = (ms: number) => Math.max(ms - plan.lead, notBeforeMs)
    const isOld = dueMs < notBeforeMs
    if (plan.mode === "floating" || (missed === "each" && !isOld)) return { dueMs, askMs: askedAt(dueMs) }
    const series = seriesOf(trigger, assignment, dueMs)
    if (series === undefined) return { dueMs, askMs: askedAt(dueMs) }
    const newestMs = newestAskedFor(dueMs, missed === "newest" ? untilMs : notBeforeMs, plan.lead, series)
    const lastMissedMs = newestMs > dueMs ? series.upTo(newestMs - 1) : undefined
    return {
      dueMs: newestMs,
      askMs: askedAt(newestMs),
      ...(lastMissedMs !== undefined && { missed: missedInWords(dueMs, lastMissedMs, timeZone) }),
    }
  }

  function* requestsUntil(untilMs: number): Iterable<OpenOrder> {
    for (let next = agenda.first(); next !== undefined && next.atMs <= untilMs; next = agenda.first())
      yield* keep(next, untilMs)
  }

  /** What an asset's plans had to ask for before a record of it counts: so nothing depends on when ticks come. */
  function* catchUp(asset: string, untilMs: number): Iterable<OpenOrder> {
    for (;;) {
      const due = board
        .of(asset)
        .flatMap(({ key }) => agenda.get(key) ?? [])
        .filter(({ atMs }) => atMs <= untilMs)
        .toSorted(soonerFirst)
        .at(0)
      if (due === undefined) return
      yield* keep(due, untilMs)
    }
  }

  /** Most findings are of rules that no plan goes by, most components those of no plan. */
  function concerns(record: Exclude<DetectionRecord, Tick>): boolean {
    const those = board.of(record.asset)
    if (record.kind === "maintained") return those.some(({ plan }) => plan.component === record.component)
    if (!isDetection(record)) return those.length > 0
    return those.some(({ triggers }) => triggers.some((one) => "rule" in one && one.rule === record.rule))
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
        if (revision !== undefined) yield* requestsUntil(untilMs)
        state.clockMs = Math.min(toMs, changeMs)
        if (changeMs > toMs) return
      }
    },
    *take(record) {
      // After a restart the plans stand as they did, whatever comes first.
      if (state.clockMs !== null) follow(state.clockMs)
      const changeMs = revisions.changesAfter(state.clockMs ?? record.atMs) ?? Number.POSITIVE_INFINITY
      const untilMs = Math.min(record.atMs, changeMs - 1)
      if (missed === "each" && concerns(record)) yield* catchUp(record.asset, untilMs - 1)
      yield* hear(record, board, followed ?? revisions.at(record.atMs) ?? revisions.newest())
      // What a reading has reached is asked for by that reading.
      if (record.kind === "meter" && followed !== undefined) yield* catchUp(record.asset, record.atMs)
    },
    nextMs: () => agenda.first()?.atMs,
  }
}

/** The times of a trigger from one of them on. */
function seriesOf(trigger: PlanTrigger, assignment: Assignment, dueMs: number): Occurrences | undefined {
  if (!isDated(trigger)) return undefined
  const dates = datesOf(trigger, assignment)
  if (dates !== undefined || !("every" in trigger) || assignment.plan.season !== undefined) return dates
  return countedOccurrences(trigger.every, dueMs, assignment.timeZone)
}

/** An occurrence is missed when it is past due and the next one is to be asked for as well. */
function newestAskedFor(dueMs: number, nowMs: number, lead: number, occurrences: Occurrences): number {
  if (dueMs > nowMs) return dueMs
  const pastMs = Math.max(dueMs, occurrences.upTo(nowMs) ?? dueMs)
  const aheadMs = occurrences.from(pastMs + 1)
  return aheadMs !== undefined && aheadMs - lead <= nowMs ? aheadMs : pastMs
}
