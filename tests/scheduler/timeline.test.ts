import fc from "fast-check"
import { describe, expect, test } from "vitest"
import type { OrderRequest } from "../../core/orders.ts"
import { orderRequest } from "../../core/orders.ts"
import type { DetectionRecord } from "../../core/vocabulary.ts"
import { partitionState } from "../../scheduler/state.ts"
import { announced, detectionOf, requestsOf, revisionsOf, schedulerOf } from "./setup.ts"

const hour = 3_600_000
const day = 24 * hour
const startMs = Date.UTC(2026, 2, 25)
const spanMs = 10 * day

const base = {
  sites: [{ id: "works", timeZone: "Europe/Berlin" }],
  classes: [{ id: "pump" }],
  assets: ["P-101", "P-102"].map((id) => ({ id, site: "works", class: "pump" })),
  templates: [{ id: "inspect", title: "Inspect {asset}" }],
  rules: [
    { id: "vibration", kind: "threshold", for: {}, order: {} },
    { id: "oil-change", kind: "usage", for: {}, order: { from: "watch" } },
  ],
}
const plan = (id: string, schedule: unknown, lead = "0s") => ({
  id,
  for: {},
  schedule,
  lead,
  template: "inspect",
})

const revisions = revisionsOf(
  announced([
    {
      effectiveMs: 0,
      plant: {
        ...base,
        plans: [
          plan("daily", { cron: "0 6 * * *" }, "12h"),
          plan("round", { every: "36h", from: "2026-01-01T00:00:00Z" }),
        ],
      },
    },
    {
      effectiveMs: startMs + 3 * day + 1234,
      plant: {
        ...base,
        plans: [plan("daily", { cron: "30 2 * * *" }, "20h"), plan("shift", { cron: "0 6,14,22 * * *" })],
      },
    },
    {
      effectiveMs: startMs + 7 * day,
      plant: { ...base, plans: [plan("shift", { cron: "0 6,14,22 * * *" })] },
    },
  ]),
)

type Step = {
  readonly kind: "opened" | "raised" | "lowered" | "cleared"
  readonly severity: "watch" | "alarm"
}

/** Whole episodes, as the rules send them, one after the other. */
const episode = fc.record({
  asset: fc.constantFrom("P-101", "P-102"),
  usage: fc.boolean(),
  steps: fc.array(
    fc.constantFrom<Step>({ kind: "raised", severity: "alarm" }, { kind: "lowered", severity: "watch" }),
    { maxLength: 3 },
  ),
  opened: fc.constantFrom<Step["severity"]>("watch", "alarm"),
  ends: fc.constantFrom("condition", "maintenance", "next-due", undefined),
})

const replaced = (asset: string, atMs: number): DetectionRecord => ({
  kind: "maintained",
  site: "works",
  asset,
  component: "bearing",
  atMs,
})

const detections = fc.array(episode, { maxLength: 12 }).map((episodes) =>
  episodes.flatMap(({ asset, usage, steps, opened, ends }, number) => {
    const all: Step[] = [{ kind: "opened", severity: opened }, ...steps]
    if (ends !== undefined) all.push({ kind: "cleared", severity: all.at(-1)?.severity ?? "watch" })
    const at = (sequence: number) => startMs + number * 20 * hour + sequence * hour
    const found: DetectionRecord[] = all.map(({ kind, severity }, sequence) =>
      detectionOf({
        episode: `e${number}`,
        sequence,
        kind,
        severity,
        asset,
        rule: usage ? "oil-change" : "vibration",
        ruleKind: usage ? "usage" : "threshold",
        atMs: at(sequence),
        ...(kind === "cleared" && ends !== undefined && { cause: ends }),
      }),
    )
    return ends === "maintenance" ? [...found, replaced(asset, at(all.length - 1))] : found
  }),
)

const tick = (atMs: number): DetectionRecord => ({ kind: "tick", atMs })
const tickTimes = fc.array(fc.integer({ min: startMs, max: startMs + spanMs }), { maxLength: 40 })

/** The first and the last tick are given: plans begin at the one and are asked for until the other. */
function withTicks(records: readonly DetectionRecord[], times: readonly number[]): DetectionRecord[] {
  const inner = [...records, ...times.map(tick)].toSorted((a, b) => a.atMs - b.atMs)
  return [tick(startMs), ...inner, tick(startMs + spanMs)]
}

const input = fc.tuple(detections, tickTimes).map(([records, times]) => withTicks(records, times))

const byTime = (requests: readonly OrderRequest[]) =>
  requests.map((request) => JSON.stringify(request)).toSorted()

describe("the timeline of requests", () => {
  test("every request is one that the store can read", () => {
    fc.assert(
      fc.property(input, (records) => {
        for (const request of requestsOf(schedulerOf(revisions), records)) {
          expect(orderRequest.parse(request)).toEqual(request)
        }
      }),
    )
  })

  test("ticks at other moments give the same requests", () => {
    fc.assert(
      fc.property(detections, tickTimes, tickTimes, (records, some, others) => {
        const once = requestsOf(schedulerOf(revisions), withTicks(records, some))
        const again = requestsOf(schedulerOf(revisions), withTicks(records, others))
        // Between two detections the requests of plans may come earlier or later, but they say the same.
        expect(byTime(again)).toEqual(byTime(once))
        const plansOf = (requests: readonly OrderRequest[]) =>
          requests.filter((request) => request.kind === "open" && request.trigger.kind === "plan")
        expect(JSON.stringify(plansOf(again))).toBe(JSON.stringify(plansOf(once)))
        expect(plansOf(once).length).toBeGreaterThan(50)
      }),
    )
  })

  test("stopping anywhere and going on from the saved state is the same as never having stopped", () => {
    fc.assert(
      fc.property(input, fc.nat(), (records, cut) => {
        const at = cut % records.length
        const whole = requestsOf(schedulerOf(revisions), records)
        const before = schedulerOf(revisions)
        const first = requestsOf(before, records.slice(0, at))
        const state = partitionState.parse(JSON.parse(JSON.stringify(before.state)))
        const rest = requestsOf(schedulerOf(revisions, { state }), records.slice(at))
        expect(JSON.stringify([...first, ...rest])).toBe(JSON.stringify(whole))
      }),
    )
  })

  test("a crash before the state was saved asks for the same again", () => {
    fc.assert(
      fc.property(input, fc.nat(), fc.nat(), (records, one, other) => {
        const [saved, crashed] = [one % records.length, other % records.length].toSorted((a, b) => a - b)
        const before = schedulerOf(revisions)
        requestsOf(before, records.slice(0, saved))
        const text = JSON.stringify(before.state)
        const lost = requestsOf(before, records.slice(saved, crashed))
        const again = schedulerOf(revisions, { state: partitionState.parse(JSON.parse(text)) })
        expect(JSON.stringify(requestsOf(again, records.slice(saved, crashed)))).toBe(JSON.stringify(lost))
      }),
    )
  })

  test("detections that the rules repeat after a crash make no new order and no other content", () => {
    fc.assert(
      fc.property(detections, fc.nat(), fc.nat(), (records, one, other) => {
        const count = Math.max(1, records.length)
        const [from, to] = [one % count, other % count].toSorted((a, b) => a - b)
        const once = requestsOf(schedulerOf(revisions), records)
        const again = requestsOf(schedulerOf(revisions), [...records.slice(0, to), ...records.slice(from)])
        expect(takenByStore(again)).toEqual(takenByStore(once))
      }),
    )
  })

  test("an episode that has ended is forgotten", () => {
    fc.assert(
      fc.property(detections, (records) => {
        const scheduler = schedulerOf(revisions)
        requestsOf(scheduler, records)
        const ended = new Set(
          records.flatMap((record) =>
            record.kind === "cleared" || record.kind === "withdrawn" ? record.episode : [],
          ),
        )
        expect(Object.keys(scheduler.state.episodes).filter((id) => ended.has(id))).toEqual([])
      }),
    )
  })

  test("each of 10,000 plans on an asset of its own asks once in a month, in order of time", () => {
    const assets = Array.from({ length: 10_000 }, (_, at) => ({
      id: `P-${at}`,
      site: "works",
      class: "pump",
    }))
    const plans = assets.map(({ id }, at) => ({
      id: `plan-${at}`,
      for: { asset: id },
      schedule: { cron: `${at % 60} 6 ${1 + (at % 20)} * *` },
      template: "inspect",
    }))
    const scheduler = schedulerOf(
      revisionsOf(
        announced([{ effectiveMs: 0, plant: { ...base, sites: [{ id: "works" }], assets, plans } }]),
      ),
    )
    const requests = requestsOf(scheduler, [
      tick(Date.UTC(2026, 0, 1)),
      ...Array.from({ length: 31 * 24 }, (_, at) => tick(Date.UTC(2026, 0, 1, at))),
      tick(Date.UTC(2026, 1, 1) - 1),
    ])
    expect(requests).toHaveLength(10_000)
    expect(new Set(requests.map((one) => one.kind === "open" && one.order)).size).toBe(10_000)
    expect(new Set(requests.map(({ asset }) => asset)).size).toBe(10_000)
    const times = requests.map(({ atMs }) => atMs)
    expect(times).toEqual(times.toSorted((a, b) => a - b))
  })

  test("a revision that comes after its time takes effect at the next tick", () => {
    const known = announced([
      { effectiveMs: 0, plant: base },
      { effectiveMs: startMs, plant: { ...base, plans: [plan("hourly", { cron: "0 * * * *" })] } },
    ])
    const late: ReturnType<typeof announced> = known.slice(0, 1)
    const lookup = {
      newest: () => revisionsOf(late).newest(),
      at: (ms: number) => revisionsOf(late).at(ms),
      changesAfter: (ms: number) => revisionsOf(late).changesAfter(ms),
    }
    const scheduler = schedulerOf(lookup)
    expect(requestsOf(scheduler, [tick(startMs), tick(startMs + 3 * hour)])).toEqual([])
    late.push(...known.slice(1))
    const requests = requestsOf(scheduler, [tick(startMs + 3 * hour + 1), tick(startMs + 5 * hour)])
    // It begins at the clock it met, three hours in: that hour's occurrence is due at that very time.
    expect(
      requests.filter(({ asset }) => asset === "P-101").map(({ atMs }) => (atMs - startMs) / hour),
    ).toEqual([3, 4, 5])
  })
})

/** What a store makes of requests: the first of each order, and each step of an episode once. */
function takenByStore(requests: readonly OrderRequest[]): string[] {
  const orders = new Map<string, OrderRequest>()
  const steps = new Map<string, string>()
  for (const request of requests) {
    if (request.kind === "open" && !orders.has(request.order)) orders.set(request.order, request)
    const key =
      request.kind === "open"
        ? `${request.order} ${request.findings[0]?.sequence}`
        : request.kind === "amend"
          ? `${request.order} ${request.finding.sequence}`
          : JSON.stringify(request)
    if (request.kind !== "open" || orders.get(request.order) === request)
      steps.set(key, JSON.stringify(request))
  }
  return [...steps.values()].toSorted()
}
