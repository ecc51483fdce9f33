import fc from "fast-check"
import { describe, expect, test } from "vitest"
import type { OpenOrder, OrderRequest } from "../../core/orders.ts"
import type { DetectionRecord } from "../../core/vocabulary.ts"
import { type Foreseen, foresee } from "../../scheduler/forecast.ts"
import { workload } from "../../scheduler/workload.ts"
import { announced, requestsOf, revisionsOf, schedulerOf } from "./setup.ts"

const hour = 3_600_000
const day = 24 * hour
const startMs = Date.UTC(2026, 0, 10, 9)
const yearMs = 365 * day
const noPause = async () => {}

const place = {
  sites: [
    {
      id: "works",
      timeZone: "Europe/Berlin",
      workingTime: {
        hours: { mon: [["06:00", "14:00"]], wed: [["06:00", "14:00"]], fri: [["06:00", "14:00"]] },
        holidays: ["2026-05-01", "2026-12-25"],
      },
    },
  ],
  classes: [{ id: "pump", signals: { hours: { kind: "meter" } } }],
  assets: ["P-1", "P-2", "P-3"].map((id) => ({ id, site: "works", class: "pump" })),
  crafts: [{ id: "fitter" }, { id: "electrician" }],
  templates: [
    {
      id: "service",
      title: "Service {asset}",
      tasks: [
        { title: "Service", hours: 3, craft: "fitter" },
        { title: "Measure", hours: 1, craft: "electrician" },
      ],
    },
    { id: "look", title: "Look at {asset}" },
  ],
}

type Run = {
  readonly plans: readonly { readonly id: string }[]
  readonly readings?: readonly DetectionRecord[]
}

/** A year as it goes by: the clock ticks, meters are read, and each order is done when it is due. */
function lived({ plans, readings = [] }: Run, before: readonly DetectionRecord[] = []) {
  const revisions = revisionsOf(announced([{ effectiveMs: 0, plant: { ...place, plans } }]))
  const scheduler = schedulerOf(revisions)
  const begun = requestsOf(scheduler, [...before, { kind: "tick", atMs: startMs }])
  const state = structuredClone(scheduler.state)
  const asked: OpenOrder[] = []
  const ends: { readonly atMs: number; readonly order: OpenOrder }[] = []
  const opened = (requests: readonly OrderRequest[]) => {
    const orders = requests.filter((request) => request.kind === "open")
    ends.push(...orders.map((order) => ({ atMs: Math.max(order.dueMs, order.atMs), order })))
    return orders
  }
  opened(begun)
  const take = (record: DetectionRecord) => asked.push(...opened(requestsOf(scheduler, [record])))
  const endUntil = (untilMs: number) => {
    for (;;) {
      const [next] = ends.filter(({ atMs }) => atMs <= untilMs).toSorted((a, b) => a.atMs - b.atMs)
      if (next === undefined) return
      ends.splice(ends.indexOf(next), 1)
      take({ kind: "tick", atMs: next.atMs })
      const { order } = next
      if (order.trigger.kind !== "plan") throw new Error("only plans ask here")
      take({
        kind: "work",
        site: "works",
        asset: order.asset,
        component: null,
        order: order.order,
        number: "WO-1",
        sequence: 2,
        outcome: "done",
        plan: order.trigger.plan,
        template: order.template,
        partly: false,
        atMs: next.atMs,
      })
    }
  }
  let read = 0
  for (let atMs = startMs; atMs <= startMs + yearMs; atMs += 6 * hour) {
    endUntil(atMs)
    for (let one = readings[read]; one !== undefined && one.atMs <= atMs; one = readings[++read]) take(one)
    take({ kind: "tick", atMs })
  }
  return { revision: revisions.newest(), state, asked }
}

const line = ({ plan, asset, dueMs }: { plan: string; asset: string; dueMs: number }) =>
  `${new Date(dueMs).toISOString()} ${plan} ${asset}`
const lineOf = ({ trigger, asset, dueMs }: OpenOrder) =>
  line({ plan: trigger.kind === "plan" ? trigger.plan : "", asset, dueMs })

async function ahead({ revision, state }: Pick<ReturnType<typeof lived>, "revision" | "state">) {
  if (revision === undefined) throw new Error("there is a revision")
  const setup = { revision, states: [state], nowMs: startMs, toMs: startMs + yearMs }
  return { setup, foreseen: await foresee(setup, noPause) }
}

const schedule = fc.constantFrom<object>(
  { cron: "0 6 1 * *" },
  { cron: "30 2 * * 0" },
  { rrule: "FREQ=MONTHLY;BYDAY=1MO", from: "2026-01-05T06:00:00+01:00" },
  { rrule: "FREQ=WEEKLY;INTERVAL=3;BYDAY=TU,FR", from: "2026-01-02T22:00:00+01:00" },
  { every: "3mo", from: "2026-01-31T06:00:00+01:00" },
  { every: "45d" },
  { every: "1000h" },
)
const calendarPlan = fc.record(
  {
    schedule,
    mode: fc.constantFrom("fixed", "floating"),
    start: fc.constantFrom("multiples", "due"),
    lead: fc.constantFrom("0s", "12h", "2d"),
    season: fc.constantFrom({ from: "04-01", to: "10-31" }, { from: "11-15", to: "02-29" }),
    move: fc.constantFrom("later", "earlier", "nearest", "stay"),
  },
  { requiredKeys: ["schedule"] },
)

describe("the forecast of a year", () => {
  test("of dates it is exactly what is then asked for", async () => {
    const plant = fc.array(calendarPlan, { minLength: 1, maxLength: 4 }).chain((plans) =>
      fc.array(fc.boolean(), { minLength: plans.length, maxLength: plans.length }).map((nested) =>
        plans.map((one, at) => ({
          id: `plan-${at}`,
          for: {},
          template: at % 2 === 0 ? "service" : "look",
          ...one,
          // Only of those after it: no plan contains itself.
          contains: nested[at] && at + 1 < plans.length ? [`plan-${at + 1}`] : [],
        })),
      ),
    )
    await fc.assert(
      fc.asyncProperty(plant, async (plans) => {
        const year = lived({ plans })
        const { foreseen } = await ahead(year)
        const untilMs = startMs + yearMs - 3 * day
        const expected = foreseen.filter(({ atMs }) => atMs <= untilMs).map(line)
        const really = year.asked.filter(({ atMs }) => atMs <= untilMs).map(lineOf)
        expect(expected.toSorted()).toEqual(really.toSorted())
        expect(
          foreseen.every(({ earliestMs, latestMs, dueMs }) => earliestMs === dueMs && latestMs === dueMs),
        ).toBe(true)
      }),
      { seed: 7, numRuns: 40 },
    )
  }, 120_000)

  /** Each day's use is drawn by itself: `mean` hours with a spread of about 4. */
  function readingsOf(random: () => number, mean: number, fromMs: number, days: number, from = 0) {
    const readings: DetectionRecord[] = []
    let total = from
    for (let at = 0; at < days; at++) {
      readings.push({
        kind: "meter",
        site: "works",
        asset: "P-1",
        signal: "hours",
        atMs: fromMs + at * day,
        value: total,
      })
      const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
      total += Math.min(24, Math.max(0, mean + 4 * normal))
    }
    return { readings, total }
  }

  test("of meters it holds in its interval at least four times out of five", async () => {
    const plans = [
      {
        id: "service",
        for: { asset: "P-1" },
        template: "service",
        triggers: [{ meter: "hours", every: 500 }],
      },
      { id: "look", for: { asset: "P-1" }, template: "look", triggers: [{ meter: "hours", every: 150 }] },
    ]
    let [inside, all] = [0, 0]
    for (let seed = 1; seed <= 40; seed++) {
      const random = seeded(seed)
      const mean = 5 + (seed % 10)
      const before = readingsOf(random, mean, startMs - 40 * day, 40)
      const after = readingsOf(random, mean, startMs, 366, before.total)
      const year = lived({ plans, readings: after.readings }, before.readings)
      const { foreseen } = await ahead(year)
      for (const plan of ["service", "look"]) {
        const dates = year.asked.filter(({ trigger }) => trigger.kind === "plan" && trigger.plan === plan)
        const expected = foreseen.filter((one) => one.plan === plan)
        dates.forEach((one, at) => {
          all += 1
          if (isInside(one.dueMs, expected[at])) inside += 1
        })
      }
    }
    expect(all).toBeGreaterThan(500)
    expect(inside / all).toBeGreaterThanOrEqual(0.8)
  }, 120_000)

  function isInside(ms: number, of: Foreseen | undefined): boolean {
    if (of === undefined) return false
    // A meter is read once a day, so a day is as fine as it can be known.
    return ms >= of.earliestMs - day && (of.latestMs === undefined || ms <= of.latestMs + day)
  }

  test("work is told by week and craft, against what the crews can do", async () => {
    const plans = [
      { id: "monthly", for: { asset: "P-1" }, template: "service", schedule: { cron: "0 6 1 * *" } },
    ]
    const year = lived({ plans })
    const { setup, foreseen } = await ahead(year)
    const revision = revisionsOf(
      announced([
        {
          effectiveMs: 0,
          plant: {
            ...place,
            plans,
            crews: [{ id: "early", site: "works", holidays: ["2026-02-04"] }],
            people: [
              {
                id: "fit",
                name: "Fit",
                roles: ["engineer"],
                craft: "fitter",
                crew: "early",
                absences: [{ from: "2026-02-06", to: "2026-02-06" }],
              },
              { id: "fay", name: "Fay", roles: ["technician"], craft: "fitter", crew: "early" },
            ],
          },
        },
      ]),
    ).newest()
    if (revision === undefined) throw new Error("there is a revision")
    const hoursOf = () => ({ hours: 4, tasks: { "1": 3, "2": 1 } })
    const [first, second] = workload({ ...setup, revision, hoursOf }, foreseen)
    // Sunday 1 February is moved to Monday; that week has one holiday, and somebody is away on Friday.
    expect(first).toEqual({
      site: "works",
      week: "2026-W06",
      craft: "electrician",
      orders: 1,
      hours: 1,
      lowHours: 1,
      highHours: 1,
      capacityHours: null,
    })
    expect(second).toMatchObject({ week: "2026-W06", craft: "fitter", hours: 3, capacityHours: 8 + 8 + 8 })
  })
})

/** Mulberry32. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
