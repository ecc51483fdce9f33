import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { type AssetEvent, detection, type Reading } from "../../core/vocabulary.ts"
import { kindOf, type ruleKinds } from "../../rules/kinds.ts"
import { problemsOf } from "../../rules/rulebook.ts"
import { engineOf, plantSource, resumed, revisionOf, type Signals, startMs } from "./setup.ts"

const minute = 60_000
const day = 86_400_000

const signals: Signals = {
  vibration: { unit: "mm/s" },
  load: {},
  mileage: { unit: "km", kind: "meter" },
}

/** A key that is stated now and then. */
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })
const span = fc.constantFrom(
  "0s",
  "1ms",
  "0.0007s",
  "33ms",
  "1.1s",
  "90s",
  "10m",
  "1.1h",
  "2h",
  "1d",
  "2.2d",
  "7d",
  "30d",
  "3650d",
)
const longer = fc.constantFrom("1h", "2h", "1d", "30d", "60d")
const amount = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: -20, max: 120 }) },
  { weight: 2, arbitrary: fc.constantFrom(0, 0.1, 4.1, 7.1, 1e-9, 5e-324) },
  { weight: 1, arbitrary: fc.constantFrom(1e6, 1e12, 1e150, 1e200, 1e308, -1e308) },
)
const size = amount.map(Math.abs)
const severity = fc.constantFrom("watch", "warning", "alarm", "trip")
const pair = fc.tuple(amount, amount).map((two) => two.toSorted((a, b) => a - b))
const levels = <T extends object>(of: fc.Arbitrary<T>) =>
  fc
    .array(fc.tuple(of, severity), { minLength: 1, maxLength: 4 })
    .map((all) => all.map(([one, severity]) => ({ severity, ...one })))
const beyond = fc.oneof(
  amount.map((above) => ({ above })),
  amount.map((below) => ({ below })),
)
const limit = fc.oneof(
  beyond,
  pair.map((outside) => ({ outside })),
)
const delays = {
  deadBand: maybe(size),
  onDelay: maybe(span),
  offDelay: maybe(span),
  reAlarmAfter: maybe(longer),
}
const direction = maybe(fc.constantFrom("up", "down", "both"))
const rung = (name: string) =>
  fc.oneof(
    size.map((one) => ({ [name]: one })),
    levels(size.map((one) => ({ [name]: one }))).map((levels) => ({ levels })),
  )
const both = (one: fc.Arbitrary<object>, other: fc.Arbitrary<object>) =>
  fc.tuple(one, other).map(([a, b]) => ({ ...a, ...b }))

const common = {
  subgroup: maybe(span),
  learn: maybe(fc.integer({ min: 8, max: 12 })),
  minSigma: maybe(size),
  direction,
  clearShare: maybe(fc.constantFrom(0, 0.1, 1)),
}
const given = fc.oneof(fc.constant({}), fc.record({ target: amount, sigma: size }))

/** Parameters of each kind: mostly usual ones, some at the edge of what may be written. */
const written: Record<keyof typeof ruleKinds, fc.Arbitrary<object>> = {
  threshold: both(
    fc.oneof(
      limit,
      levels(limit).map((levels) => ({ levels })),
    ),
    fc.record(delays),
  ),
  iso20816: fc.record({
    group: fc.constantFrom(1, 2),
    support: fc.constantFrom("rigid", "flexible"),
    zones: maybe(fc.record({ C: fc.oneof(severity, fc.constant("none")), D: severity })),
    baseline: maybe(fc.oneof(size, fc.constant({ learn: "1d" }))),
    trip: maybe(fc.boolean()),
    change: maybe(fc.boolean()),
    ...delays,
  }),
  "out-of-range": fc.oneof(
    fc.record({ low: maybe(amount), high: maybe(amount), ...delays }),
    fc.record({ standard: fc.constant("namur-ne43"), span: pair, onDelay: maybe(span) }),
  ),
  "rate-of-change": both(
    fc.oneof(
      beyond,
      levels(beyond).map((levels) => ({ levels })),
    ),
    fc.record({
      window: span,
      per: maybe(span),
      deadBand: maybe(size),
      onDelay: maybe(span),
      minSamples: maybe(fc.constantFrom(3, 4)),
      limit: maybe(amount),
    }),
  ),
  deviation: both(
    rung("z"),
    fc.record({
      window: fc.constantFrom("8ms", "10m", "1.1h", "2h", "1d"),
      baseline: longer,
      minBaseline: maybe(fc.constantFrom(3, 4)),
      method: maybe(fc.constantFrom("mad", "quantile")),
      direction,
      minSpread: maybe(size),
      minRelativeSpread: maybe(size),
      clearBelow: maybe(size),
      freezeFor: maybe(span),
      seasonality: maybe(fc.constantFrom("none", "hour-of-day", "hour-of-week")),
      context: maybe(fc.record({ signal: fc.constant("load"), edges: pair })),
    }),
  ),
  "control-chart": fc.oneof(
    fc
      .tuple(rung("L"), given, fc.record({ ...common, lambda: maybe(fc.constantFrom(1e-17, 1e-3, 0.2, 1)) }))
      .map(([rungs, given, more]) => ({ chart: "ewma", ...rungs, ...given, ...more })),
    fc
      .tuple(rung("h"), given, fc.record({ ...common, k: maybe(size), clip: maybe(size) }))
      .map(([rungs, given, more]) => ({ chart: "cusum", ...rungs, ...given, ...more })),
  ),
  usage: fc.record({
    every: fc.oneof({ weight: 3, arbitrary: fc.integer({ min: 1, max: 500 }) }, size),
    countFrom: maybe(fc.oneof(fc.constantFrom("multiples", "first-reading"), amount)),
    maxPerHour: maybe(size),
    rollsOverAt: maybe(size),
    lead: maybe(fc.oneof(fc.constantFrom("14d", "1ms"), fc.constantFrom(0.1, 0.5))),
    history: maybe(fc.constantFrom("7d", "60d")),
  }),
  events: fc.record({
    codes: fc.constantFrom(["error1"], ["error1", "error2"]),
    count: maybe(fc.constantFrom(1, 2, 3, 1000)),
    each: maybe(fc.boolean()),
    window: span,
    with: maybe(fc.record({ rule: fc.constant("other"), within: span })),
    while: maybe(both(beyond, fc.record({ signal: fc.constant("vibration"), within: span }))),
  }),
  stale: fc.oneof(
    span.map((after) => ({ after })),
    fc.record({
      after: fc.constant("auto"),
      factor: maybe(fc.constantFrom(2, 2.5, 1000)),
      atLeast: maybe(span),
    }),
  ),
  flatline: fc.record({
    for: span,
    tolerance: maybe(size),
    minSamples: maybe(fc.constantFrom(2, 3)),
    rest: maybe(pair),
  }),
  expression: fc.record({
    when: fc.constantFrom(
      "vibration > 7.1",
      "vibration * load > 1e300",
      'mean("vibration", "1h") / load > 1',
      'std("vibration", "1.1h") > 0.1 || slope("vibration", "1d") > 0',
      'count("mileage", "7d") > 3 && delta("mileage", "30d") >= 0',
      "pow(vibration, load) - sqrt(load) < 1",
      'max("load", "33ms") > min("load", "30d")',
    ),
    clearWhen: maybe(fc.constantFrom("vibration < 4", "load / 0.0 > 1", "load <= 50")),
    value: maybe(fc.constantFrom("vibration * 2", "load / vibration", 'slope("load", "2h")')),
    limit: maybe(fc.oneof(amount, fc.constantFrom("vibration + load", "1e308 * load"))),
    onDelay: maybe(span),
    offDelay: maybe(span),
    maxAge: maybe(span),
    minFill: maybe(fc.constantFrom(0, 0.5, 1)),
  }),
  "all-of": fc.record({ rules: fc.constantFrom(["other"], ["other", "third"]), within: maybe(span) }),
  "any-of": fc.record({
    rules: fc.constantFrom(["other"], ["other", "third"]),
    within: maybe(span),
    atLeast: maybe(fc.constantFrom(1, 2)),
  }),
}

/** Rules of which the one that is tried may be about. */
const company = [
  {
    id: "other",
    kind: "threshold",
    signal: "vibration",
    component: "bearing",
    params: { above: 7, offDelay: "2h" },
  },
  { id: "third", kind: "threshold", signal: "load", params: { above: 100 } },
]

const rare = <T>(weight: number, usual: fc.Arbitrary<T>, odd: fc.Arbitrary<T>) =>
  fc.oneof({ weight, arbitrary: usual }, { weight: 1, arbitrary: odd })
const wild = fc.constantFrom(0, -0, -1, 1e12, 1e17, 1e150, -1e150, 5e-324)
const value = rare(
  12,
  fc.oneof(fc.integer({ min: 0, max: 9 }), fc.double({ min: 4, max: 5, noNaN: true })),
  wild,
)
const steady = rare(12, fc.integer({ min: 50, max: 52 }), wild)
const happening = fc.oneof(
  fc.constantFrom<AssetEvent["attributes"] & { code: string }>(
    { code: "error1" },
    { code: "error1" },
    { code: "error2", component: "bearing" },
    { code: "state", state: "down" },
    { code: "state", state: "running" },
    { code: "component-installed", component: "bearing" },
  ),
  fc
    .tuple(fc.constantFrom("component-installed", "meter-replaced"), fc.oneof(size, fc.constant(-1e308)))
    .map(([code, meter]) => ({ code, component: "bearing", signal: "mileage", meter })),
)
const step = fc.record({
  ms: fc.oneof(
    { weight: 12, arbitrary: fc.integer({ min: 1, max: 40 }).map((minutes) => minutes * minute) },
    { weight: 3, arbitrary: fc.integer({ min: 1, max: 60 }) },
    { weight: 2, arbitrary: fc.integer({ min: -60, max: 0 }).map((minutes) => minutes * minute) },
    { weight: 1, arbitrary: fc.constantFrom(day, 31 * day, 366 * day, -day) },
  ),
  vibration: fc.option(value),
  load: fc.option(steady),
  mileage: fc.option(
    fc.oneof({ weight: 10, arbitrary: fc.constant(1) }, fc.constantFrom(0, 0.5, 1e12, 1e150, -1e150)),
  ),
  what: rare<{ code: string } | undefined>(6, fc.constant(undefined), happening),
  restart: rare(15, fc.constant(false), fc.constant(true)),
})
const stream = fc.array(step, { minLength: 20, maxLength: 120, size: "max" })

type Step = (typeof stream extends fc.Arbitrary<(infer T)[]> ? T : never) & object

function recordOf({ what, ...given }: Step, atMs: number): Reading | AssetEvent {
  const times = { site: "north", asset: "P1", atMs, arrivedMs: atMs }
  if (what !== undefined) {
    const { code, ...attributes } = what
    return { kind: "event", ...times, code, attributes }
  }
  const { vibration, load } = given
  const mileage = given.mileage === null ? null : (given.mileage * (atMs - startMs)) / minute / 3
  const values = Object.entries({ vibration, load, mileage }).filter(
    (one): one is [string, number] => one[1] !== null,
  )
  return { kind: "reading", ...times, values: Object.fromEntries(values) }
}

/** Where in it there is something that JSON does not keep. */
function unkept(value: unknown, path = ""): string | undefined {
  if (typeof value === "number") return Number.isFinite(value) ? undefined : `${path}: ${value}`
  if (typeof value !== "object" || value === null) return undefined
  for (const [key, one] of Object.entries(value)) {
    const found = unkept(one, `${path}.${key}`)
    if (found !== undefined) return found
  }
  return undefined
}

const most = 60_000
const opened = new Set<string>()

describe.each(Object.keys(written) as (keyof typeof ruleKinds)[])("%s", (kind) => {
  const own = kindOf(kind)?.signal
  const signal = own === "none" ? {} : { signal: own === "meter" ? "mileage" : "vibration" }
  const rule = written[kind].map((all) => {
    // Unstated keys are left out, as in a file.
    const params: unknown = JSON.parse(JSON.stringify(all))
    return { id: "tried", kind, component: "bearing", ...signal, params }
  })
  const accepted = rule.filter((one) => {
    if (kindOf(kind)?.params.safeParse(one.params).success !== true) return false
    const { plant } = revisionOf(plantSource(signals, [one, ...company]))
    return plant.rules.every((spec) => problemsOf(spec, plant).length === 0)
  })

  test("whatever parameters are accepted, no stream makes it throw, grow, or keep what JSON does not", () => {
    fc.assert(
      fc.property(accepted, stream, (one, steps) => {
        const revisions = [revisionOf(plantSource(signals, [one, ...company]))]
        let { engine } = engineOf(revisions)
        const undisturbed = engineOf(revisions).engine
        let atMs = startMs
        for (const step of steps) {
          atMs += step.ms
          if (step.restart) engine = resumed(engine, engineOf(revisions).engine)
          const record = recordOf(step, atMs)
          const found = engine.apply(record)
          expect(JSON.stringify(undisturbed.apply(record))).toBe(JSON.stringify(found))
          for (const told of found) {
            expect(unkept(told)).toBeUndefined()
            expect(detection.parse(told)).toEqual(told)
            expect(told.reason).not.toMatch(/NaN|Infinity|undefined|null| -\d+(\.\d+)? (s|min|h|d)\b/)
            if (told.rule === "tried") opened.add(kind)
          }
        }
        for (const state of engine.assets()) {
          expect(unkept(state)).toBeUndefined()
          for (const { core } of state.lanes) {
            for (const { memory, rule } of core.watches)
              if (rule === "tried") expect(JSON.stringify(memory).length).toBeLessThan(most)
          }
        }
      }),
      { numRuns: Number(process.env.FUZZ_RUNS ?? 30) },
    )
    expect(opened).toContain(kind)
  })
})
