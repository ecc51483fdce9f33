/** Random plants of plans, and what happens to them: records as they came, with orders that were really asked for. */
import fc from "fast-check"
import type { OpenOrder, OrderRequest } from "../../core/orders.ts"
import type { DetectionRecord, WorkTold } from "../../core/vocabulary.ts"
import type { PartitionScheduler } from "../../scheduler/partition.ts"
import type { Revisions } from "../../scheduler/planner.ts"
import { announced, requestsOf, revisionsOf, schedulerOf } from "./setup.ts"

const hour = 3_600_000
export const day = 24 * hour
export const startMs = Date.UTC(2026, 2, 20, 5)
export const tick = (atMs: number): DetectionRecord => ({ kind: "tick", atMs })

const calendar = fc.constantFrom(
  { every: "7d" },
  { every: "1mo" },
  { every: "9d", from: "2026-01-01T06:00:00Z" },
  { cron: "0 6 * * MON" },
  { cron: "30 2 1,15 * *" },
  { rrule: "FREQ=MONTHLY;BYDAY=-1FR", from: "2026-01-30T06:00:00Z" },
)
const meter = fc.record({
  meter: fc.constant("hours"),
  every: fc.constantFrom(100, 200, 400),
  tolerance: fc.constantFrom(0, 20),
})
const trigger = fc.oneof(
  { weight: 4, arbitrary: calendar },
  { weight: 3, arbitrary: meter },
  { weight: 1, arbitrary: fc.constant({ event: "oil-low" }) },
)

const plan = fc.record({
  triggers: fc.oneof(
    { weight: 3, arbitrary: fc.tuple(trigger) },
    { weight: 1, arbitrary: fc.tuple(trigger, trigger) },
  ),
  mode: fc.constantFrom("fixed", "floating"),
  start: fc.constantFrom("multiples", "interval", "due"),
  lead: fc.constantFrom("0s", "0s", "2d", "5d"),
  suspend: fc.constantFrom({}, { onReturn: "skip" }),
  template: fc.constantFrom("inspect", "service", "clean", "adjust"),
  contains: fc.subarray([0, 1, 2]),
})

/** The names run against the order of the file, and what contains another comes after it in the file. */
const idOf = (number: number) => `p${9 - number}`

export const plants: fc.Arbitrary<Revisions> = fc
  .array(plan, { minLength: 1, maxLength: 4 })
  .map((all) =>
    all.map(({ contains, ...one }, number) => ({
      id: idOf(number),
      for: {},
      ...one,
      contains: contains.filter((other) => other < number).map(idOf),
    })),
  )
  .map((plans) =>
    Object.assign(
      revisionsOf(
        announced([
          {
            effectiveMs: 0,
            plant: {
              sites: [{ id: "works", timeZone: "Europe/Berlin" }],
              classes: [{ id: "pump", signals: { hours: { kind: "meter" } } }],
              assets: ["P-101", "P-102"].map((id) => ({ id, site: "works", class: "pump" })),
              templates: [
                { id: "inspect", title: "Inspect {asset}" },
                { id: "service", title: "Service {asset}" },
                { id: "clean", title: "Clean {asset}" },
                { id: "adjust", title: "Adjust {asset}" },
              ],
              plans,
            },
          },
        ]),
      ),
      // A counterexample is of use only where the plans can be read.
      { [fc.toStringMethod]: () => JSON.stringify(plans) },
    ),
  )

const asset = fc.constantFrom("P-101", "P-102")
const step = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("tick" as const) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("meter" as const),
      asset,
      more: fc.integer({ min: -3, max: 150 }),
      isReset: fc.integer({ min: 0, max: 9 }).map((one) => one === 0),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("event" as const), asset }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("state" as const),
      asset,
      state: fc.constantFrom("running", "out-of-service"),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("work" as const),
      which: fc.nat(),
      outcome: fc.constantFrom<WorkTold["outcome"]>("done", "done", "done", "dropped", "reopened"),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("other" as const),
      asset,
      template: fc.constantFrom("inspect", "service"),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("credit" as const), asset, plan: fc.nat(3).map(idOf) }),
  },
)

/** So many hours after the one before, told so many hours late. */
const told = fc.record({
  after: fc.integer({ min: 1, max: 100 }),
  late: fc.constantFrom<number>(0, 0, 0, 0, 5, 300),
  what: step,
})
export type Told = typeof told extends fc.Arbitrary<infer One> ? One : never
export const stories = fc.array(told, { minLength: 5, maxLength: 40 })
export const punctualStories = stories.map((all) => all.map((one) => ({ ...one, late: 0 })))

const uuid = (number: number) => `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`

export type Play = {
  readonly scheduler: PartitionScheduler
  readonly records: readonly DetectionRecord[]
  readonly requests: readonly OrderRequest[]
  /** Of each order the newest that was told of it. */
  readonly outcomes: ReadonlyMap<string, WorkTold["outcome"]>
}

/** Tells the story; `seen` looks at the scheduler after each record. */
export function play(
  revisions: Revisions,
  story: readonly Told[],
  seen: (play: Play) => void = () => {},
): Play {
  const scheduler = schedulerOf(revisions)
  const records: DetectionRecord[] = []
  const requests: OrderRequest[] = []
  const outcomes = new Map<string, WorkTold["outcome"]>()
  const tell = (record: DetectionRecord) => {
    records.push(record)
    requests.push(...requestsOf(scheduler, [record]))
    if (record.kind === "work" && record.plan !== null) outcomes.set(record.order, record.outcome)
    seen({ scheduler, records, requests, outcomes })
  }
  tell(tick(startMs))
  const readings: Record<string, number> = {}
  let nowMs = startMs
  story.forEach(({ after, late, what }, number) => {
    nowMs += after * hour
    // A millisecond of its own: which of two comes first at one time is nobody's to say.
    const atMs = nowMs - late * hour + number
    const record = recordOf(what, nowMs, atMs, number)
    if (record !== undefined) tell(record)
  })
  return { scheduler, records, requests, outcomes }

  function recordOf(
    what: Told["what"],
    nowMs: number,
    atMs: number,
    number: number,
  ): DetectionRecord | undefined {
    const place = (one: string) => ({ site: "works", asset: one, atMs })
    switch (what.kind) {
      case "tick":
        return tick(nowMs)
      case "meter": {
        const value = what.isReset ? 1 : Math.max(0, (readings[what.asset] ?? 30) + what.more)
        readings[what.asset] = value
        return { kind: "meter", ...place(what.asset), signal: "hours", value }
      }
      case "event":
        return { kind: "event", ...place(what.asset), arrivedMs: atMs, code: "oil-low", attributes: {} }
      case "state": {
        const attributes = { state: what.state }
        return { kind: "event", ...place(what.asset), arrivedMs: atMs, code: "state", attributes }
      }
      case "credit": {
        const by = { id: uuid(number), actor: "ann", reason: "seen" }
        return { kind: "credit", ...place(what.asset), ...by, plan: what.plan }
      }
      case "other":
        return { ...work(number, "done"), ...place(what.asset), template: what.template, plan: null }
      case "work": {
        const opened = requests.filter((one): one is OpenOrder => one.kind === "open")
        const order = opened[what.which % Math.max(1, opened.length)]
        if (order === undefined) return undefined
        const outcome = possible(outcomes.get(order.order), what.outcome)
        return { ...work(number, outcome), ...workOf(order, Math.max(atMs, order.atMs + number)) }
      }
    }
  }
}

/** Only what has ended can be opened again, and only what is open can end. */
function possible(before: WorkTold["outcome"] | undefined, wanted: WorkTold["outcome"]): WorkTold["outcome"] {
  if (before === "done") return "reopened"
  if (before === "dropped") return "dropped"
  return wanted === "reopened" ? "done" : wanted
}

export function work(number: number, outcome: WorkTold["outcome"]): WorkTold {
  return {
    kind: "work",
    site: "works",
    asset: "P-101",
    component: null,
    order: uuid(number),
    number: `WO-${number}`,
    sequence: number + 1,
    outcome,
    plan: null,
    template: null,
    partly: false,
    atMs: 0,
  }
}

export function workOf({ order, asset, trigger, template }: OpenOrder, atMs: number) {
  return { order, asset, plan: trigger.kind === "plan" ? trigger.plan : null, template, atMs }
}
