import { compareSeverity, type Severity, severity } from "../../core/vocabulary.ts"
import type { FloodLimits } from "./flood.ts"
import type { Alarm } from "./fold.ts"

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

/** By the standard whatever the plant file says, so that plants can be compared. */
const standardFlood: FloodLimits = { above: 10, within: 10 * minute, endsBelow: 5 }
const peakMs = 10 * minute
const staleMs = day
const chatterMs = minute
const chatterTransitions = 3
const topKept = 10
/** Ten of so many distinct alarms are 5 % already: of fewer the share says nothing. */
const enoughForTop = 200
/** With fewer one alarm moves a share by more than 5 %. */
const enoughForShares = 20

/** What the figures go by, of each episode that was open in the span. */
export type Told = Pick<
  Alarm,
  "episode" | "incident" | "asset" | "rule" | "signal" | "openedMs" | "endedMs"
> & { readonly toldSeverity: string | null }

type Span = { readonly site: string; readonly fromMs: number; readonly toMs: number }

/** What is asked for; a site of which nothing is known before `firstMs` is judged from then on. */
type Asked = Span & { readonly firstMs?: number | undefined }

/** `good`: as the standard would have it. `manageable`: at its limit. `over`: beyond. Null: too little to say. */
type Verdict = "good" | "manageable" | "over" | null

type Judged = {
  readonly figure: string
  readonly value: number
  readonly unit: string
  readonly target: string
  readonly verdict: Verdict
}

/**
 * How a site's alarms perform. An alarm is an incident that was told; what was shelved all along is none. `fromMs` is
 * that of the span, or where the site is younger its first record's.
 */
export type Figures = Span & {
  readonly isYounger: boolean
  readonly alarms: number
  readonly judged: readonly Judged[]
  /** The ten that came most often. */
  readonly top: readonly { readonly asset: string; readonly rule: string; readonly count: number }[]
  readonly bySeverity: Readonly<Record<Severity, number>>
  /** The most in ten minutes, and when they began. */
  readonly peak: { readonly count: number; readonly fromMs: number | null }
  readonly floods: readonly { readonly fromMs: number; readonly toMs: number }[]
  /** Episodes open for more than 24 h at the end of the span, at most 100, the oldest first. */
  readonly stale: readonly {
    readonly episode: string
    readonly asset: string
    readonly rule: string
    readonly openedMs: number
  }[]
  /** What opened and ended 3 times or more within a minute, and the most such transitions in one. */
  readonly chattering: readonly {
    readonly asset: string
    readonly rule: string
    readonly transitions: number
  }[]
}

type Incident = Pick<Told, "asset" | "rule" | "openedMs"> & { readonly severity: Severity }

/**
 * Alarm performance by ISA-18.2 (clause on monitoring and assessment) and IEC 62682, per operator, which is a site
 * here: about 150 alarms a day and 6 an hour are acceptable, 300 and 12 the most that is manageable; more than 10 in
 * 10 minutes are a flood, and floods less than 1 % of the time; the ten most frequent less than 5 % of all; about
 * 80 % low, 15 % medium and 5 % high; fewer than 5 stale (open for more than 24 h); none that chatters (3 transitions
 * or more in a minute).
 */
export function figuresOf(told: readonly Told[], asked: Asked): Figures {
  const { site, toMs } = asked
  const fromMs = beginOf(told, asked)
  const incidents = incidentsOf(told).filter(({ openedMs }) => openedMs >= fromMs && openedMs < toMs)
  const times = incidents.map(({ openedMs }) => openedMs)
  const alarms = incidents.length
  const days = (toMs - fromMs) / day
  const peak = peakOf(times)
  const floods = floodsIn(times, standardFlood, toMs)
  const floodMs = floods.reduce((sum, flood) => sum + flood.toMs - flood.fromMs, 0)
  const counts = countsOf(incidents)
  const top = counts.slice(0, topKept)
  const topShare = share(
    top.reduce((sum, { count }) => sum + count, 0),
    alarms,
  )
  const bySeverity = { watch: 0, warning: 0, alarm: 0, trip: 0 }
  for (const one of incidents) bySeverity[one.severity] += 1
  const stale = told
    .filter((one) => one.toldSeverity !== null && (one.endedMs === null || one.endedMs >= toMs))
    .filter(({ openedMs }) => toMs - openedMs > staleMs)
  const chattering = chatteringIn(told, fromMs, toMs)
  const ofShares = (verdict: Verdict) => (alarms < enoughForShares ? null : verdict)
  const high = share(bySeverity.trip, alarms)
  const medium = share(bySeverity.alarm, alarms)
  const low = share(bySeverity.warning + bySeverity.watch, alarms)
  return {
    site,
    fromMs,
    toMs,
    isYounger: fromMs > asked.fromMs,
    alarms,
    judged: [
      {
        figure: "alarms a day",
        value: alarms / days,
        unit: "",
        target: "about 150, at most 300",
        verdict: days < 1 ? null : graded(alarms / days, 150, 300),
      },
      {
        figure: "alarms an hour",
        value: alarms / days / 24,
        unit: "",
        target: "about 6, at most 12",
        verdict: days * 24 < 1 ? null : graded(alarms / days / 24, 6, 12),
      },
      {
        figure: "most in 10 minutes",
        value: peak.count,
        unit: "",
        target: "at most 10",
        verdict: graded(peak.count, 10, 10),
      },
      {
        figure: "time in flood",
        value: share(floodMs, toMs - fromMs),
        unit: "%",
        target: "below 1 %",
        verdict: below(share(floodMs, toMs - fromMs), 1),
      },
      {
        figure: "share of the ten most frequent",
        value: topShare,
        unit: "%",
        target: "below 5 %",
        verdict: alarms <= enoughForTop ? null : below(topShare, 5),
      },
      {
        figure: "high priority (trip)",
        value: high,
        unit: "%",
        target: "about 5 %",
        verdict: ofShares(graded(high, 5, 10)),
      },
      {
        figure: "medium priority (alarm)",
        value: medium,
        unit: "%",
        target: "about 15 %",
        verdict: ofShares(graded(medium, 15, 30)),
      },
      {
        figure: "low priority (warning, watch)",
        value: low,
        unit: "%",
        target: "about 80 %",
        verdict: ofShares(graded(100 - low, 20, 40)),
      },
      {
        figure: "stale",
        value: stale.length,
        unit: "",
        target: "fewer than 5",
        verdict: below(stale.length, 5),
      },
      {
        figure: "chattering",
        value: chattering.length,
        unit: "",
        target: "0",
        verdict: graded(chattering.length, 0, 0),
      },
    ],
    top,
    bySeverity,
    peak,
    floods,
    stale: stale
      .slice(0, 100)
      .map(({ episode, asset, rule, openedMs }) => ({ episode, asset, rule, openedMs })),
    chattering,
  }
}

/** The time before there was anything that could alarm would make a plant look quiet. */
function beginOf(told: readonly Told[], { firstMs, fromMs, toMs }: Asked): number {
  if (firstMs === undefined) return fromMs
  const knownMs = told.reduce((least, { openedMs }) => Math.min(least, openedMs), firstMs)
  return knownMs < toMs ? Math.max(fromMs, knownMs) : fromMs
}

/** Each incident once, at the first of its episodes that were told and with the worst severity; by time. */
function incidentsOf(told: readonly Told[]): readonly Incident[] {
  const found = new Map<string, Incident>()
  for (const { incident, asset, rule, openedMs, toldSeverity } of told) {
    if (toldSeverity === null) continue
    const own = severity.parse(toldSeverity)
    const before = found.get(incident)
    const worst = before !== undefined && compareSeverity(before.severity, own) > 0 ? before.severity : own
    const first = before !== undefined && before.openedMs <= openedMs ? before : { asset, rule, openedMs }
    found.set(incident, { asset: first.asset, rule: first.rule, openedMs: first.openedMs, severity: worst })
  }
  return [...found.values()].toSorted((a, b) => a.openedMs - b.openedMs)
}

/** By asset and rule, the most frequent first. */
function countsOf(incidents: readonly Incident[]) {
  const counts = new Map<string, { asset: string; rule: string; count: number }>()
  for (const { asset, rule } of incidents) {
    const key = JSON.stringify([asset, rule])
    const one = counts.get(key) ?? { asset, rule, count: 0 }
    one.count += 1
    counts.set(key, one)
  }
  return [...counts.values()].toSorted(
    (a, b) => b.count - a.count || order(a.asset, b.asset) || order(a.rule, b.rule),
  )
}

/** `times` rise. */
function peakOf(times: readonly number[]): { readonly count: number; readonly fromMs: number | null } {
  let best: { count: number; fromMs: number | null } = { count: 0, fromMs: null }
  let first = 0
  times.forEach((atMs, at) => {
    while ((times[first] ?? atMs) <= atMs - peakMs) first += 1
    const count = at - first + 1
    if (count > best.count) best = { count, fromMs: times[first] ?? atMs }
  })
  return best
}

/**
 * Floods among alarms that came at these rising times: from the one that is too many until fewer than `endsBelow` lie
 * within `within`, or `toMs`.
 */
export function floodsIn(
  times: readonly number[],
  { above, within, endsBelow }: FloodLimits,
  toMs: number,
): { readonly fromMs: number; readonly toMs: number }[] {
  const floods: { fromMs: number; toMs: number }[] = []
  let sinceMs: number | undefined
  const endAfter = (at: number) => (times[Math.max(0, at - endsBelow + 1)] ?? toMs) + within
  times.forEach((atMs, at) => {
    if (sinceMs !== undefined && at > 0 && endAfter(at - 1) <= atMs) {
      floods.push({ fromMs: sinceMs, toMs: endAfter(at - 1) })
      sinceMs = undefined
    }
    const oldest = times[at - above]
    if (sinceMs === undefined && oldest !== undefined && oldest > atMs - within) sinceMs = atMs
  })
  if (sinceMs !== undefined) {
    floods.push({ fromMs: sinceMs, toMs: Math.min(endAfter(times.length - 1), toMs) })
  }
  return floods
}

/** By asset, rule and signal; shelved ones too, since a shelf mends nothing. */
function chatteringIn(told: readonly Told[], fromMs: number, toMs: number) {
  const byRule = new Map<string, { asset: string; rule: string; times: number[] }>()
  for (const { asset, rule, signal, openedMs, endedMs } of told) {
    const key = JSON.stringify([asset, rule, signal])
    const one = byRule.get(key) ?? { asset, rule, times: [] }
    for (const atMs of [openedMs, endedMs]) {
      if (atMs !== null && atMs >= fromMs && atMs < toMs) one.times.push(atMs)
    }
    byRule.set(key, one)
  }
  return [...byRule.values()]
    .map(({ asset, rule, times }) => ({
      asset,
      rule,
      transitions: mostWithin(times.toSorted((a, b) => a - b)),
    }))
    .filter(({ transitions }) => transitions >= chatterTransitions)
    .toSorted((a, b) => b.transitions - a.transitions || order(a.asset, b.asset) || order(a.rule, b.rule))
}

function mostWithin(times: readonly number[]): number {
  let most = 0
  let first = 0
  times.forEach((atMs, at) => {
    while ((times[first] ?? atMs) < atMs - chatterMs) first += 1
    most = Math.max(most, at - first + 1)
  })
  return most
}

/** In per cent; 0 of nothing. */
function share(part: number, whole: number): number {
  return whole === 0 ? 0 : (100 * part) / whole
}

function graded(value: number, good: number, most: number): Verdict {
  if (value <= good) return "good"
  return value <= most ? "manageable" : "over"
}

function below(value: number, limit: number): Verdict {
  return value < limit ? "good" : "over"
}

function order(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1
}
