import fc from "fast-check"
import { expect, test } from "vitest"
import { wayOf } from "../../scheduler/assign/travel.ts"
import { type Call, type VisitRules, visitsOf } from "../../scheduler/visits.ts"

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
const nowMs = Date.UTC(2026, 10, 23)

const sites = {
  north: { id: "north", lat: 52, lon: 7 },
  /** 5 km away: 10 min. */
  south: { id: "south", lat: 51.955, lon: 7 },
  /** 55 km away. */
  far: { id: "far", lat: 51.5, lon: 7 },
  /** Nobody knows where it is. */
  lost: { id: "lost" },
} as const

const rules: VisitRules = {
  nowMs,
  withinMs: 3 * day,
  nearMs: 15 * minute,
  mostHours: 8,
  way: wayOf({ kmPerHour: 40, detour: 1.3, between: [] }),
}

function call(
  n: number,
  { site = "north", ...more }: Partial<Call> & { site?: keyof typeof sites } = {},
): Call {
  return {
    order: `order ${n}`,
    number: `WO-${String(n).padStart(6, "0")}`,
    asset: `P-${n}`,
    site,
    location: null,
    place: sites[site],
    dueMs: nowMs + n * hour,
    hours: 1,
    ...more,
  }
}

const cases: readonly (readonly [string, readonly Call[], readonly string[]])[] = [
  ["one alone", [call(1)], ["1: nothing else is due near it at that time"]],
  [
    "two on one asset",
    [call(1, { asset: "P-1" }), call(2, { asset: "P-1" })],
    ["1 2: the same asset P-1, due within 1 h"],
  ],
  [
    "one location, due at once",
    [call(1, { location: "Hall" }), call(2, { location: "Hall", dueMs: nowMs + hour })],
    ["1 2: the same location Hall at north, due at the same time"],
  ],
  ["one site", [call(1), call(30)], ["1 30: the same site north, due within 29 h"]],
  ["too far apart in time", [call(1), call(80)], ["1: nothing else", "80: nothing else"]],
  [
    "overdue work is due now",
    [call(1, { dueMs: nowMs - 30 * day }), call(2, { dueMs: nowMs + 2 * day })],
    ["1 2: the same site north, due within 2 d"],
  ],
  [
    "work that is overdue, each for another time",
    [call(1, { dueMs: nowMs - 30 * day }), call(2, { dueMs: nowMs - 2 * day })],
    ["1 2: the same site north, overdue"],
  ],
  [
    "another site that is near",
    [call(1), call(2, { site: "south" })],
    ["1 2: near P-1 at north, at most 10 min from P-1, due within 1 h"],
  ],
  ["another site that is not", [call(1), call(2, { site: "far" })], ["1: nothing else", "2: nothing else"]],
  [
    "a site that nobody knows the way to",
    [call(1), call(2, { site: "lost" })],
    ["1: nothing else", "2: nothing else"],
  ],
  [
    "no more work than a visit has room for, the nearest first",
    [
      call(1, { hours: 5 }),
      call(2, { hours: 2 }),
      call(3, { asset: "P-1", hours: 2 }),
      call(4, { hours: 1 }),
    ],
    ["1 3 4: the same site north, due within 3 h", "2: nothing else"],
  ],
]

test.each(cases)("visits: %s", (_what, calls, expected) => {
  const said = visitsOf(calls, rules).map(
    ({ calls: own, why }) => `${own.map(({ number }) => Number(number.slice(3))).join(" ")}: ${why}`,
  )
  expect(said).toHaveLength(expected.length)
  said.forEach((one, at) => {
    expect(one.startsWith(expected[at] ?? "?"), `${one} as ${expected[at]}`).toBe(true)
  })
})

const anyCalls = fc.uniqueArray(fc.integer({ min: 1, max: 400 }), { maxLength: 40 }).chain((numbers) =>
  fc.tuple(
    ...numbers.map((n) =>
      fc
        .record({
          site: fc.constantFrom("north", "south", "far", "lost"),
          asset: fc.constantFrom("P-1", "P-2", "P-3"),
          location: fc.constantFrom(null, "Hall", "Yard"),
          dueMs: fc.integer({ min: -200, max: 400 }).map((hours) => nowMs + hours * hour),
          hours: fc.integer({ min: 1, max: 12 }),
        })
        // An asset stands at one site.
        .map(({ asset, ...more }) => call(n, { ...more, asset: `${more.site} ${asset}` })),
    ),
  ),
)

test("each order is in one visit, near the first in time and place, and several are no more work than a visit holds", () => {
  fc.assert(
    fc.property(anyCalls, (calls) => {
      const visits = visitsOf(calls, rules)
      expect(visits.flatMap((one) => one.calls.map(({ number }) => number)).toSorted()).toEqual(
        calls.map(({ number }) => number).toSorted(),
      )
      for (const { calls: own, fromMs, toMs, hours } of visits) {
        expect(hours).toBe(own.reduce((sum, one) => sum + one.hours, 0))
        if (own.length > 1) expect(hours).toBeLessThanOrEqual(rules.mostHours)
        expect(toMs - fromMs).toBeLessThanOrEqual(rules.withinMs)
        for (const one of own) {
          expect(Math.max(nowMs, one.dueMs)).toBeGreaterThanOrEqual(fromMs)
          expect(Math.max(nowMs, one.dueMs)).toBeLessThanOrEqual(toMs)
        }
        const known = new Set(own.map(({ site }) => site))
        expect(known.has("far") && known.size > 1).toBe(false)
        expect(known.has("lost") && known.size > 1).toBe(false)
      }
    }),
    { seed: 7, numRuns: 200 },
  )
})

test("the same orders make the same visits, in whatever order they come", () => {
  fc.assert(
    fc.property(anyCalls, fc.integer(), (calls, turn) => {
      const others = calls.toSorted((a, b) => ((a.dueMs * turn) % 101) - ((b.dueMs * turn) % 101))
      expect(visitsOf(others, rules)).toEqual(visitsOf(calls, rules))
    }),
    { seed: 7, numRuns: 100 },
  )
})
