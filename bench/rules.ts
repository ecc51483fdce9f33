/**
 * What each kind of rule costs: records in a second of processor time, and bytes of saved state for a series, beside an
 * engine that has no rule to run. One representative rule of each kind on each asset, one record a minute.
 *
 *   npm run bench:rules -- --assets 50 --minutes 20000 --kind threshold
 */
import { cpus } from "node:os"
import { cpuUsage } from "node:process"
import { parseArgs } from "node:util"
import { stringify } from "yaml"
import { readRevision } from "../core/catalogue.ts"
import type { AssetEvent, Reading } from "../core/vocabulary.ts"
import { createEngine, type Engine } from "../rules/engine.ts"
import type { ruleKinds } from "../rules/kinds.ts"
import { noCounts } from "../rules/lane.ts"
import { rulebooks } from "../rules/rulebook.ts"

const { values: options } = parseArgs({
  options: {
    assets: { type: "string", default: "50" },
    minutes: { type: "string", default: "20000" },
    kind: { type: "string" },
  },
})
const [assets, minutes] = [Number(options.assets), Number(options.minutes)]
const minute = 60_000
const startMs = Date.UTC(2026, 0, 1)
/** So many minutes of all assets are made before they are timed: making them is no part of the figure. */
const chunk = 200

type Record = Reading | AssetEvent
type Weather = "steady" | "noisy"

type Subject = {
  /** The rule of the kind comes last; those before it are its members. */
  readonly rules: readonly object[]
  /** What one series is. */
  readonly series: string
  /** How many there are on an asset. */
  readonly count: number
  readonly events?: true
}

const vibration = (kind: string, params: object, more: object = {}) => ({
  id: kind,
  kind,
  for: { class: "machine" },
  signal: "vibration",
  params,
  ...more,
})
const one = (kind: string, params: object, more: object = {}): Subject => ({
  rules: [vibration(kind, params, more)],
  series: "a signal",
  count: 1,
})
const high = vibration("threshold", { above: 7 }, { id: "high" })
const hot = vibration("threshold", { above: 7 }, { id: "hot", signal: "temperature" })
const pair = (kind: string): Subject => ({
  rules: [
    high,
    hot,
    { id: kind, kind, for: { class: "machine" }, params: { rules: ["high", "hot"], within: "1h" } },
  ],
  series: "a signal, with its threshold",
  count: 2,
})

const subjects: { readonly [Kind in keyof typeof ruleKinds]: Subject } = {
  threshold: one("threshold", {
    deadBand: 0.4,
    offDelay: "10m",
    levels: [
      { severity: "warning", above: 4.5, onDelay: "10m" },
      { severity: "alarm", above: 7.1 },
    ],
  }),
  iso20816: one("iso20816", { group: 1, support: "rigid", baseline: { learn: "7d" }, deadBand: 0.2 }),
  "out-of-range": one("out-of-range", { low: 0, high: 9 }),
  "rate-of-change": one("rate-of-change", { window: "4h", per: "1h", above: 1, deadBand: 0.1 }),
  deviation: one("deviation", { window: "12h", baseline: "10d", z: 4, minSpread: 0.1 }),
  "control-chart": one("control-chart", { chart: "cusum", learn: 100 }),
  usage: one("usage", { every: 500, lead: "2d" }, { signal: "mileage" }),
  events: {
    rules: [
      {
        id: "events",
        kind: "events",
        for: { class: "machine" },
        params: { codes: ["E1"], count: 3, window: "6h" },
      },
    ],
    series: "an asset's codes",
    count: 1,
    events: true,
  },
  stale: one("stale", { after: "10m" }),
  flatline: one("flatline", { for: "6h" }),
  expression: {
    rules: [
      {
        id: "expression",
        kind: "expression",
        for: { class: "machine" },
        params: { when: 'vibration > 7.0 && mean("temperature", "6h") > 5.2' },
      },
    ],
    series: "a signal that it reads",
    count: 2,
  },
  "all-of": pair("all-of"),
  "any-of": pair("any-of"),
}

function engineOf(rules: readonly object[]): Engine {
  const revision = readRevision({
    revision: 1,
    plant: "bench",
    source: stringify({
      plant: "bench",
      sites: [{ id: "north" }],
      classes: [
        {
          id: "machine",
          signals: {
            vibration: { unit: "mm/s" },
            temperature: { unit: "degC" },
            mileage: { unit: "km", kind: "meter" },
          },
        },
      ],
      assets: Array.from({ length: assets }, (_, at) => ({ id: `A${at}`, site: "north", class: "machine" })),
      rules,
    }),
    changedIn: {},
    effectiveMs: 0,
    author: "bench",
    reason: "bench",
    atMs: 0,
  })
  return createEngine({
    plantClock: "event",
    revisions: { at: () => revision, after: (number) => (number < 1 ? revision : undefined) },
    rulebook: rulebooks((_, problems) => {
      throw new Error(problems.join("\n"))
    }),
    counts: noCounts(),
  })
}

/** A linear congruential generator (Numerical Recipes, 2nd edition, 7.1): the same samples in each run. */
function noise(): () => number {
  let state = 1
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32 - 0.5
  }
}

/** Steady: within all limits. Noisy: about them all the time, and codes enough for an episode. */
function recordsOf(fromMinute: number, weather: Weather, isEvents: boolean, random: () => number): Record[] {
  const records: Record[] = []
  const spread = weather === "steady" ? 0.4 : 12
  for (let at = fromMinute; at < Math.min(fromMinute + chunk, minutes); at++) {
    for (let number = 0; number < assets; number++) {
      const atMs = startMs + at * minute
      const base = { site: "north", asset: `A${number}`, atMs, arrivedMs: atMs }
      if (isEvents) {
        const code = weather === "noisy" || random() > 0.499 ? "E1" : "E2"
        records.push({ kind: "event", ...base, code, attributes: {} })
      } else {
        const drift = weather === "steady" ? 0 : 3 * Math.sin(at / 500)
        const [vibration, temperature] = [4 + drift + spread * random(), 4 + drift + spread * random()]
        records.push({
          kind: "reading",
          ...base,
          values: { vibration, temperature, mileage: 40_000 + at / 2 },
        })
      }
    }
  }
  return records
}

type Figures = { readonly perSecond: number; readonly detections: number; readonly bytes: number }

function measure(rules: readonly object[], weather: Weather, isEvents: boolean): Figures {
  const engine = engineOf(rules)
  const random = noise()
  let [spentMs, detections, records] = [0, 0, 0]
  for (let at = 0; at < minutes; at += chunk) {
    const made = recordsOf(at, weather, isEvents, random)
    const before = cpuUsage()
    for (const record of made) detections += engine.apply(record).length
    // Time on the processor, also that of garbage collection: other programs don't count.
    const used = cpuUsage(before)
    // The first fifth goes to the compiler and to what the kinds have to learn.
    if (at < minutes / 5) continue
    spentMs += (used.user + used.system) / 1000
    records += made.length
  }
  const bytes = [...engine.assets()].reduce((sum, state) => sum + JSON.stringify(state).length, 0) / assets
  return { perSecond: (records / spentMs) * 1000, detections, bytes }
}

const kinds = Object.entries(subjects).filter(([kind]) => options.kind === undefined || kind === options.kind)
if (kinds.length === 0) throw new Error(`expected a kind of ${Object.keys(subjects).join(", ")}`)
console.log(
  `${assets} assets, one record of each a minute for ${minutes} minutes; a reading has three signals.\n` +
    `Node ${process.version}, ${cpus()[0]?.model ?? "?"}, seconds of processor time. The baseline: the same records, no rule.\n`,
)
const round = (value: number) => String(Math.round(value))
const rows = [
  [
    "KIND",
    "INPUT",
    "RECORDS/S",
    "OF BASELINE",
    "NS A RECORD MORE",
    "DETECTIONS",
    "BYTES A SERIES",
    "A SERIES IS",
  ],
]
const show = () => {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => (row[at] ?? "").length)))
  console.log(
    rows
      .map((row) =>
        row
          .map((cell, at) => cell.padEnd(widths[at] ?? 0))
          .join("  ")
          .trimEnd(),
      )
      .join("\n"),
  )
}
for (const isEvents of [false, true]) measure([], "noisy", isEvents)
const baselines = new Map<string, Figures>()
for (const weather of ["steady", "noisy"] as const) {
  for (const isEvents of [false, true]) {
    // An empty pass is short: the best of five is the one that nothing else disturbed.
    const passes = Array.from({ length: 5 }, () => measure([], weather, isEvents))
    const figures = passes.reduce((best, one) => (one.perSecond > best.perSecond ? one : best))
    baselines.set(`${weather} ${isEvents}`, figures)
    rows.push([
      isEvents ? "(none, events)" : "(none)",
      weather,
      round(figures.perSecond),
      "100 %",
      "0",
      "0",
      "-",
      "-",
    ])
  }
}
for (const [kind, { rules, series, count, events: isEvents = false }] of kinds) {
  for (const weather of ["steady", "noisy"] as const) {
    const { perSecond, detections, bytes } = measure(rules, weather, isEvents)
    const baseline = baselines.get(`${weather} ${isEvents}`)
    const base = baseline?.perSecond ?? perSecond
    rows.push([
      kind,
      weather,
      round(perSecond),
      `${round((100 * perSecond) / base)} %`,
      round(1e9 / perSecond - 1e9 / base),
      round(detections),
      round((bytes - (baseline?.bytes ?? 0)) / count),
      series,
    ])
  }
}
show()
