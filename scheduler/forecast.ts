/** What the plans will ask for: the planner itself, run ahead on a copy of its state. */
import type { Catalogue, Revision } from "../core/catalogue.ts"
import { type Job, jobOf, noJob } from "../core/job.ts"
import type { MeterMemory } from "../core/meter.ts"
import { triggersOf } from "../core/plant-planning.ts"
import type { WorkTold } from "../core/vocabulary.ts"
import { createAgenda, type Entry } from "./agenda.ts"
import type { Meters } from "./due.ts"
import { createPlanner } from "./planner.ts"
import { assignmentsOf, keyOf } from "./plans.ts"
import { emptyState, type PartitionState } from "./state.ts"
import { dueInOpenTime } from "./work-calendar.ts"

/** The 10th and the 90th percentile of the normal distribution. */
const quantile90 = 1.2816
/** The interval of a meter's daily use is that of its mean over so many days. */
const overDays = 30
/** No meter is taken to stand still: the low side of its interval is at least this share of its use. */
const leastShare = 0.01

/** Whose use of its meters: as expected, or at either end of its 80 % interval. */
type Use = "expected" | "low" | "high"

/** One order that will be asked for. */
export type Planned = {
  readonly plan: string
  readonly asset: string
  readonly site: string
  readonly atMs: number
  readonly dueMs: number
  /** A meter has a say in it, so its time is an estimate. */
  readonly isEstimate: boolean
  readonly title: string
  readonly template: string | null
  readonly job: Job
}

/** An order with the interval in which it will be due, four times out of five. */
export type Foreseen = Planned & {
  readonly earliestMs: number
  /** Undefined: perhaps only after the forecast's end. */
  readonly latestMs: number | undefined
  /** False: only if the meters run faster than expected. */
  readonly isExpected: boolean
}

/** Lets others have their turn: years of thousands of plans take seconds. */
export type Pause = () => Promise<void>

/** All orders that may fall due until `toMs`, in the order of their dates. */
export async function foresee(
  setup: Omit<ForecastSetup, "use" | "only">,
  pause: Pause,
): Promise<readonly Foreseen[]> {
  const expected = await collect(forecast({ ...setup, use: "expected" }), pause)
  // Where no plan goes by a meter nothing is uncertain.
  const uncertain = assetsWithMeters(setup.revision)
  const dated = expected
    .filter(({ asset }) => !uncertain.has(asset))
    .map((one): Foreseen => ({ ...one, earliestMs: one.dueMs, latestMs: one.dueMs, isExpected: true }))
  const low = inTurn(await collect(forecast({ ...setup, use: "low", only: uncertain }), pause))
  const high = await collect(forecast({ ...setup, use: "high", only: uncertain }), pause)
  const usual = inTurn(expected)
  const count = new Map<string, number>()
  const found = high.map((one): Foreseen => {
    const key = keyOf(one.plan, one.asset)
    const number = count.get(key) ?? 0
    count.set(key, number + 1)
    const likely = usual.get(key)?.[number]
    const latest = low.get(key)?.[number]
    return {
      ...(likely ?? one),
      earliestMs: Math.min(one.dueMs, likely?.dueMs ?? one.dueMs),
      latestMs: latest && Math.max(latest.dueMs, likely?.dueMs ?? latest.dueMs),
      isExpected: likely !== undefined,
    }
  })
  return [...dated, ...found].toSorted((a, b) => a.dueMs - b.dueMs)
}

/** Some milliseconds of work. */
const betweenPauses = 200

async function collect(planned: Iterable<Planned>, pause: Pause): Promise<readonly Planned[]> {
  const all: Planned[] = []
  for (const one of planned) {
    all.push(one)
    if (all.length % betweenPauses === 0) await pause()
  }
  return all
}

function assetsWithMeters({ assets, plansFor }: Revision): ReadonlySet<string> {
  const isByMeter = (asset: string) =>
    plansFor(asset).some((plan) => triggersOf(plan).some((one) => "meter" in one))
  return new Set([...assets.keys()].filter(isByMeter))
}

function inTurn(planned: Iterable<Planned>): ReadonlyMap<string, readonly Planned[]> {
  const found = new Map<string, Planned[]>()
  for (const one of planned) {
    const key = keyOf(one.plan, one.asset)
    const before = found.get(key)
    if (before === undefined) found.set(key, [one])
    else before.push(one)
  }
  return found
}

export type ForecastSetup = {
  readonly revision: Revision
  /** Of all partitions. */
  readonly states: readonly PartitionState[]
  /** Now, by the plant's clock. */
  readonly nowMs: number
  readonly toMs: number
  readonly use: Use
  /** Only of these assets; left out: of all. */
  readonly only?: ReadonlySet<string>
}

/**
 * All that plans will ask for, in the order of time, if the plant file stays as it is, each order is done when it is due,
 * and meters go on as they did. Conditions and events are not foreseen.
 */
function* forecast({ revision, states, nowMs, toMs, use, only }: ForecastSetup): Generator<Planned> {
  const state = together(states, nowMs)
  const revisions: Pick<Catalogue, "at" | "newest" | "changesAfter"> = {
    at: () => revision,
    newest: () => revision,
    changesAfter: () => undefined,
  }
  const all = assignmentsOf(revision, 1).get(0) ?? []
  const assignments = only === undefined ? all : all.filter(({ asset }) => only.has(asset.id))
  const byMeter = new Set(
    assignments.flatMap(({ key, triggers }) => (triggers.some((one) => "meter" in one) ? key : [])),
  )
  const planner = createPlanner({
    state,
    revisions,
    assignments: () => assignments,
    missed: "newest",
    projected: dailyUse[use],
    // Whoever applied the plant file was told.
    unusable: () => {},
    note: () => {},
  })
  const ends = createAgenda<Entry & { readonly work: WorkTold }>()
  for (const assignment of assignments) {
    const { key, plan, asset } = assignment
    const asked = state.plans[key]?.asked
    if (!asked) continue
    const template = revision.plant.templates.find(({ id }) => id === plan.template)
    const due = dueInOpenTime(asked.dueMs, assignment, revision.plant, template ? jobOf(template) : noJob)
    const dueMs = Math.max(due.ms, asked.atMs, nowMs)
    ends.set(key, endOf(key, plan, asset, { order: asked.order, template: plan.template, dueMs }))
  }
  for (let atMs = nowMs; atMs <= toMs; ) {
    for (const request of planner.advance(atMs)) {
      const { trigger, asset, site, template, order } = request
      const plan = trigger.kind === "plan" ? trigger.plan : ""
      const key = keyOf(plan, asset)
      const dueMs = Math.max(request.dueMs, request.atMs)
      const { title, job } = request
      const isEstimate = byMeter.has(key)
      yield { plan, asset, site, atMs: request.atMs, dueMs: request.dueMs, isEstimate, title, template, job }
      ends.set(key, endOf(key, { id: plan }, { id: asset, site }, { order, template, dueMs }))
    }
    for (let next = ends.first(); next !== undefined && next.atMs <= atMs; next = ends.first()) {
      ends.set(next.key, undefined)
      for (const _ of planner.take(next.work));
    }
    const nextMs = Math.min(
      planner.nextMs() ?? Number.POSITIVE_INFINITY,
      ends.first()?.atMs ?? Number.POSITIVE_INFINITY,
    )
    atMs = Math.max(atMs + 1, nextMs)
  }
}

/** The states of all partitions as that of one. The planner replaces what it changes of a plan, and reads no meter here. */
function together(states: readonly PartitionState[], nowMs: number): PartitionState {
  const all = emptyState()
  for (const { plans, meters, states: those } of states) {
    Object.assign(all.plans, plans)
    Object.assign(all.meters, meters)
    Object.assign(all.states, those)
  }
  return { ...all, clockMs: nowMs }
}

function endOf(
  key: string,
  { id: plan }: { readonly id: string },
  { id: asset, site }: { readonly id: string; readonly site: string },
  {
    order,
    template,
    dueMs,
  }: { readonly order: string; readonly template: string | null; readonly dueMs: number },
) {
  const work: WorkTold = {
    kind: "work",
    site,
    asset,
    component: null,
    order,
    number: "",
    sequence: 1,
    outcome: "done",
    plan,
    template,
    partly: false,
    atMs: dueMs,
  }
  return { key, atMs: dueMs, weight: 0, work }
}

/**
 * A meter's mean daily use, and the ends of its interval: with n days of history the mean of the next 30 days lies within
 * 1.28 s √(1/30 + 1/n) of the mean so far four times out of five, s being the spread of a day (Hyndman & Athanasopoulos,
 * Forecasting: Principles and Practice, 3rd ed., table 5.2, the drift method). Over longer stretches the interval is
 * wider than needed.
 */
const dailyUse: Readonly<Record<Use, NonNullable<Meters["projected"]>>> = {
  expected: ({ perDay }) => perDay,
  low: (meter) => Math.max(meter.perDay * leastShare, meter.perDay - half(meter)),
  high: (meter) => meter.perDay + half(meter),
}

function half({ spread, days }: MeterMemory): number {
  return days === 0 ? 0 : quantile90 * spread * Math.sqrt(1 / overDays + 1 / days)
}
