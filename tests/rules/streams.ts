import fc from "fast-check"
import type { PlantClock } from "../../core/service.ts"
import type { AssetEvent, Reading } from "../../core/vocabulary.ts"
import type { Engine } from "../../rules/engine.ts"
import { engineOf, plantSource, revisionOf, type Signals, startMs } from "./setup.ts"

const minute = 60_000

export const signals: Signals = {
  vibration: { unit: "mm/s" },
  power: { unit: "kW" },
  temperature: { unit: "degC" },
  mileage: { unit: "km", kind: "meter" },
}

/** Rules of most kinds, with delays, hysteresis, windows and members. */
export const rules = [
  {
    id: "iso",
    kind: "threshold",
    signal: "vibration",
    component: "bearing",
    params: {
      deadBand: 0.5,
      offDelay: "20m",
      levels: [
        { severity: "warning", above: 4 },
        { severity: "alarm", above: 6, onDelay: "45m" },
      ],
    },
  },
  {
    id: "shift",
    kind: "deviation",
    signal: "power",
    component: "bearing",
    params: { window: "2h", baseline: "30h", minBaseline: 3, z: 5, freezeFor: "6h" },
  },
  {
    id: "oil",
    kind: "usage",
    signal: "mileage",
    component: "engine",
    params: { every: 50, maxPerHour: 200 },
  },
  {
    id: "errors",
    kind: "events",
    component: "bearing",
    severity: "alarm",
    params: { codes: ["error1", "error2"], count: 2, window: "3h", with: { rule: "iso", within: "2h" } },
  },
  {
    id: "rise",
    kind: "rate-of-change",
    signal: "temperature",
    component: "seal",
    params: { window: "3h", above: 2, deadBand: 0.5, minSamples: 3 },
  },
  {
    id: "chart",
    kind: "control-chart",
    signal: "power",
    component: "engine",
    params: { chart: "cusum", learn: 10, minSigma: 1 },
  },
  { id: "silent", kind: "stale", signal: "temperature", params: { after: "3h" } },
  { id: "stuck", kind: "flatline", signal: "power", params: { for: "2h", minSamples: 3 } },
  {
    id: "loaded",
    kind: "expression",
    component: "bearing",
    params: { when: 'vibration > 4.0 && mean("temperature", "3h") > 50.0' },
  },
  {
    id: "both",
    kind: "all-of",
    component: "bearing",
    severity: "alarm",
    params: { rules: ["iso", "loaded"], within: "1h" },
  },
]

const value = fc.oneof(fc.double({ min: 0, max: 9, noNaN: true }), fc.integer({ min: 0, max: 9 }))
/** Mostly steady, with stretches far away. */
const steady = fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 50, max: 51 }) }, fc.constant(70))

type Step = { readonly minutes: number; readonly lagMinutes: number; readonly what: (at: Times) => Input }
export type Times = { readonly atMs: number; readonly arrivedMs: number }
export type Input = Reading | AssetEvent

const rarely = fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, fc.constant(true))
const named = { site: "north", asset: "P1" }
const reading = fc
  .record({
    vibration: fc.option(value),
    power: fc.option(steady),
    temperature: fc.option(fc.integer({ min: 45, max: 55 })),
    /** Of what has been driven since the start: now and then the meter reads nothing. */
    share: fc.option(fc.oneof({ weight: 9, arbitrary: fc.constant(1) }, fc.constant(0))),
    bad: rarely,
    untimed: rarely,
  })
  .map(({ bad, untimed, share, ...given }) => (times: Times): Input => {
    const driven = (times.atMs - startMs) / minute / 3
    const all = { ...given, mileage: share === null ? null : share * driven }
    const entries = Object.entries(all).filter((entry): entry is [string, number] => entry[1] !== null)
    return {
      kind: "reading",
      ...named,
      ...times,
      values: Object.fromEntries(entries),
      ...(bad && given.vibration !== null ? { quality: { vibration: "bad" as const } } : {}),
      ...(untimed ? { untimed: true as const } : {}),
    }
  })
/** All signals, all good. */
const wholeReading = fc
  .record({ vibration: value, power: steady, temperature: fc.integer({ min: 45, max: 55 }) })
  .map((given) => (times: Times): Input => {
    const mileage = (times.atMs - startMs) / minute / 3
    return { kind: "reading", ...named, ...times, values: { ...given, mileage } }
  })
const event = fc
  .constantFrom<[string, AssetEvent["attributes"]]>(
    ["error1", {}],
    ["error1", {}],
    ["error1", {}],
    ["error2", { component: "bearing" }],
    ["error2", { component: "bearing" }],
    ["other", {}],
    ["component-installed", { component: "bearing" }],
    ["component-installed", { component: "engine", meter: 120 }],
    ["meter-replaced", { signal: "mileage", meter: 7 }],
    ["state", { state: "down" }],
    ["state", { state: "running" }],
    ["state", { state: "running" }],
  )
  .map(
    ([code, attributes]) =>
      (times: Times): Input => ({
        kind: "event",
        ...named,
        ...times,
        code,
        attributes,
      }),
  )

/** What comes of a machine at one time. */
export const happening = fc.oneof({ weight: 5, arbitrary: reading }, event)

/** As above, of a machine that always tells all of its signals at once. */
export const wholeHappening = fc.oneof({ weight: 5, arbitrary: wholeReading }, event)

const step: fc.Arbitrary<Step> = fc.record({
  // Mostly forwards; now and then the same time again, or late.
  minutes: fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: 1, max: 40 }) },
    fc.integer({ min: -30, max: 0 }),
    fc.nat(600),
  ),
  lagMinutes: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.nat(30)),
  what: happening,
})

/** What one machine sends, in the order of its arrival. */
export const stream = fc.array(step, { minLength: 1, maxLength: 150, size: "max" }).map((steps) => {
  let atMs = startMs
  let arrivedMs = startMs
  return steps.map(({ minutes, lagMinutes, what }) => {
    atMs += minutes * minute
    arrivedMs = Math.max(arrivedMs, atMs + lagMinutes * minute)
    return what({ atMs, arrivedMs })
  })
})

/** An engine with all these rules; the second revision, some hours later, changes one and drops one. */
export function fullEngine(plantClock: PlantClock, { revised = true } = {}): Engine {
  const [iso, ...others] = rules
  const stricter = { ...iso, params: { above: 5 } }
  const revisions = [
    revisionOf(plantSource(signals, rules), 1),
    ...(revised
      ? [revisionOf(plantSource(signals, [stricter, ...others.slice(0, 2)]), 2, startMs + 900 * minute)]
      : []),
  ]
  return engineOf(revisions, plantClock).engine
}
