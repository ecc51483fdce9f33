/** 10,000 plans on 10,000 assets: a tick, a save and a forecast, in time and memory. */
import { parseArgs } from "node:util"
import { stringify } from "yaml"
import { readRevision } from "../core/catalogue.ts"
import type { DetectionRecord } from "../core/vocabulary.ts"
import { foresee } from "../scheduler/forecast.ts"
import { createPartitionScheduler } from "../scheduler/partition.ts"
import { assignmentsOf } from "../scheduler/plans.ts"
import { emptyState } from "../scheduler/state.ts"
import { workload } from "../scheduler/workload.ts"

const { values } = parseArgs({ options: { plans: { type: "string", default: "10000" } } })
const count = Number(values.plans)
const partitions = 64
const hour = 3_600_000
const day = 24 * hour
const startMs = Date.UTC(2026, 0, 1)

/** A third each: a date in the month, every 500 h of a meter, and the earlier of three months and 1,000 h. */
const kinds = [
  (at: number) => ({ schedule: { cron: `${at % 60} 6 ${1 + (at % 28)} * *` } }),
  () => ({ triggers: [{ meter: "hours", every: 500 }], lead: "7d" }),
  () => ({ triggers: [{ every: "3mo" }, { meter: "hours", every: 1000 }], mode: "floating", lead: "7d" }),
]
const source = stringify({
  plant: "bench",
  sites: [{ id: "works", timeZone: "Europe/Berlin", workingTime: { hours: weekdays() } }],
  crafts: [{ id: "fitter" }],
  crews: [{ id: "day", site: "works" }],
  people: Array.from({ length: 40 }, (_, at) => ({
    id: `p${at}`,
    name: `Person ${at}`,
    roles: at === 0 ? ["engineer"] : ["technician"],
    craft: "fitter",
    crew: "day",
  })),
  classes: [{ id: "pump", signals: { hours: { kind: "meter" } } }],
  assets: Array.from({ length: count }, (_, at) => ({ id: `P-${at}`, site: "works", class: "pump" })),
  templates: [
    { id: "service", title: "Service {asset}", tasks: [{ title: "Service", hours: 1.5, craft: "fitter" }] },
  ],
  plans: Array.from({ length: count }, (_, at) => ({
    id: `plan-${at}`,
    for: { asset: `P-${at}` },
    template: "service",
    ...kinds[at % kinds.length]?.(at),
  })),
})

function weekdays() {
  return Object.fromEntries(["mon", "tue", "wed", "thu", "fri"].map((one) => [one, [["06:00", "14:00"]]]))
}

const timed = <T>(work: () => T): { readonly result: T; readonly ms: number } => {
  const begun = performance.now()
  const result = work()
  return { result, ms: performance.now() - begun }
}
const say = (what: string, ms: number, more = "") =>
  console.log(`${what.padEnd(58)} ${ms.toFixed(1).padStart(9)} ms  ${more}`)

const read = timed(() =>
  readRevision({
    revision: 1,
    plant: "bench",
    source,
    changedIn: {},
    effectiveMs: 0,
    author: "bench",
    reason: "bench",
    atMs: startMs,
  }),
)
say(`${count} plans on ${count} assets: the plant file is read`, read.ms)
const revision = read.result
const assigned = timed(() => assignmentsOf(revision, partitions))
say("plans are assigned to assets", assigned.ms)

const schedulers = Array.from({ length: partitions }, (_, partition) =>
  createPartitionScheduler({
    state: emptyState(),
    revisions: { at: () => revision, newest: () => revision, changesAfter: () => undefined },
    assignments: () => assigned.result.get(partition) ?? [],
    plantClock: "wall",
    unusable: (_, error) => {
      throw error
    },
    note: () => {},
  }),
)
let asked = 0
const tick = (atMs: number) => {
  for (const scheduler of schedulers) for (const _ of scheduler.advance(atMs)) asked += 1
}
say("first tick: all plans begin", timed(() => tick(startMs)).ms)

const partitionBy = new Map(
  [...assigned.result].flatMap(([partition, those]) =>
    those.map(({ asset }) => [asset.id, partition] as const),
  ),
)
const readings: DetectionRecord[] = []
for (let at = 0; at < 30; at++)
  for (let asset = 0; asset < count; asset++)
    readings.push({
      kind: "meter",
      site: "works",
      asset: `P-${asset}`,
      signal: "hours",
      atMs: startMs + at * day,
      value: 100 + at * (8 + (asset % 9)) + ((at * 7 + asset) % 5),
    })
const learned = timed(() => {
  for (const one of readings)
    if ("asset" in one)
      for (const _ of schedulers[partitionBy.get(one.asset) ?? 0]?.take(one) ?? []) asked += 1
})
say("30 readings of each meter", learned.ms, `${((learned.ms * 1000) / readings.length).toFixed(1)} µs each`)
const monthMs = startMs + 30 * day
say("a tick a month later", timed(() => tick(monthMs)).ms, `${asked} orders asked for so far`)
const idle = timed(() => {
  for (let at = 1; at <= 100; at++) tick(monthMs + at * 1000)
})
say("a tick a second later (mean of 100)", idle.ms / 100)
const states = schedulers.map(({ state }) => state)
const text = timed(() => states.map((state) => JSON.stringify(state)))
const bytes = text.result.reduce((sum, one) => sum + one.length, 0)
say("all states as text", text.ms, `${(bytes / 1e6).toFixed(1)} MB, ${Math.round(bytes / count)} B a plan`)

const before = process.memoryUsage.rss()
const setup = { revision, states, nowMs: monthMs, toMs: monthMs + 365 * day }
const begun = performance.now()
const ahead = await foresee(setup, () => new Promise((resolve) => setImmediate(resolve)))
say(
  "what the plans will ask for in 12 months",
  performance.now() - begun,
  `${ahead.length} orders, three runs`,
)
const weeks = timed(() => workload({ ...setup, hoursOf: () => ({ hours: 1.5, tasks: { "1": 1.5 } }) }, ahead))
say("by week and craft, with the crews' capacity", weeks.ms, `${weeks.result.length} lines`)
console.log(
  `memory: ${Math.round(before / 1e6)} MB before the forecast, ${Math.round(process.resourceUsage().maxRSS / 1000)} MB at most`,
)
