import { z } from "zod"
import type { Plant } from "../../core/plant.ts"
import {
  type AlarmStep,
  type Announcement,
  alarmStep,
  type Severity,
  severities,
  timeMs,
} from "../../core/vocabulary.ts"

/** When a site's operator is told in digests: of the plant file. */
export type FloodLimits = Plant["flood"]

type Digest = Extract<Announcement, { kind: "digest" }>

const count = z.number().int().nonnegative()
const gathered = z.object({
  fromMs: timeMs,
  /** When it is told: stated as it begins, so that another plant file changes the next one. */
  toMs: timeMs,
  incidents: count,
  repeats: count,
  cleared: count,
  singly: count,
  bySeverity: z.object({ watch: count, warning: count, alarm: count, trip: count }),
  rules: z.record(z.string(), count),
  assets: z.record(z.string(), count),
  first: z.array(alarmStep.pick({ episode: true, asset: true, rule: true, severity: true, atMs: true })),
})
type Gathered = z.infer<typeof gathered>

/** All that must be remembered of a site. It grows with its rules and assets, and only in a flood. */
export const siteState = z.object({
  /** The newest time seen. */
  clockMs: timeMs.nullable(),
  /** The times of the newest alarms, at most one more than may be told one by one. */
  recent: z.array(timeMs),
  /** The times of the newest trips that were told singly in a flood. */
  trips: z.array(timeMs),
  flood: z.object({ sinceMs: timeMs, digest: gathered }).nullable(),
})
export type SiteState = z.infer<typeof siteState>

export function quietSite(): SiteState {
  return { clockMs: null, recent: [], trips: [], flood: null }
}

/** What a step is to the operator: a new incident, a known one that is worse or told again, or its end. */
export type Weight = "incident" | "repeat" | "cleared"
/** How the operator hears of it. */
export type Told = "singly" | "digest"

const firstKept = 10
const topKept = 5

/**
 * Moves a site's clock and gives what falls due: digests and the end of a flood, each dated at its own time. A flood
 * ends once fewer than `endsBelow` alarms came within `within`. The state is changed in place.
 */
export function advance(state: SiteState, site: string, limits: FloodLimits, toMs: number): Announcement[] {
  const due: Announcement[] = []
  const nowMs = Math.max(toMs, state.clockMs ?? toMs)
  for (let flood = state.flood; flood !== null; flood = state.flood) {
    const { digest, sinceMs } = flood
    // Under another plant file the end may lie before what was told already.
    const endMs = Math.max(endOf(state.recent, limits), state.clockMs ?? sinceMs)
    if (Math.min(endMs, digest.toMs) > nowMs) break
    const atMs = Math.min(endMs, digest.toMs)
    if (holdsAny(digest)) due.push(tell(digest, site, sinceMs, atMs))
    if (endMs <= digest.toMs) {
      due.push({ kind: "flood-ended", site, sinceMs, atMs: endMs })
      state.flood = null
      state.trips = []
    } else {
      flood.digest = emptyDigest(digest.toMs, limits)
    }
    state.clockMs = atMs
  }
  state.clockMs = nowMs
  return due
}

/**
 * One step that the operator is to hear of: what is announced by it, and how the step itself is told. Counting goes by
 * the site's newest time, so a late step counts when it comes.
 *
 * Alarm flood: more than 10 alarms in 10 minutes, over when fewer than 5 come in 10 minutes (ISA-18.2, IEC 62682; the
 * figures are the plant file's). An end is no alarm and doesn't count. Trips are told one by one in a flood too, since
 * an operator must not find what matters most in a list; at most `above` of them within `within`, since a hundred
 * trips at once are a flood themselves.
 */
export function take(
  state: SiteState,
  limits: FloodLimits,
  step: AlarmStep,
  weight: Weight,
): { readonly announced: readonly Announcement[]; readonly told: Told } {
  const { site } = step
  const announced = advance(state, site, limits, step.atMs)
  const atMs = state.clockMs ?? step.atMs
  if (weight !== "cleared") {
    state.recent = [...state.recent, atMs].slice(-(limits.above + 1))
    const recent = within(state.recent, atMs, limits)
    if (state.flood === null && recent > limits.above) {
      state.flood = { sinceMs: atMs, digest: emptyDigest(atMs, limits) }
      announced.push({ kind: "flood-began", site, atMs, recent })
    }
  }
  if (state.flood === null || isTripToTell(state, limits, step, weight, atMs)) {
    if (state.flood !== null) {
      state.trips = [...state.trips, atMs].slice(-limits.above)
      state.flood.digest.singly += 1
    }
    announced.push({ kind: weight === "cleared" ? "cleared" : "alarm", site, atMs, step })
    return { announced, told: "singly" }
  }
  gather(state.flood.digest, step, weight)
  return { announced, told: "digest" }
}

function isTripToTell(
  { trips }: SiteState,
  limits: FloodLimits,
  { severity }: AlarmStep,
  weight: Weight,
  atMs: number,
): boolean {
  return severity === "trip" && weight !== "cleared" && within(trips, atMs, limits) < limits.above
}

/** How many of these times lie in the span that ends now. */
function within(times: readonly number[], atMs: number, limits: FloodLimits): number {
  return times.filter((time) => time > atMs - limits.within).length
}

/** When, if nothing more comes, fewer than `endsBelow` alarms will lie within `within`. */
function endOf(recent: readonly number[], { endsBelow, within }: FloodLimits): number {
  return (recent.at(-endsBelow) ?? recent[0] ?? Number.NEGATIVE_INFINITY) + within
}

function emptyDigest(fromMs: number, { within }: FloodLimits): Gathered {
  return {
    fromMs,
    toMs: fromMs + within,
    incidents: 0,
    repeats: 0,
    cleared: 0,
    singly: 0,
    bySeverity: { watch: 0, warning: 0, alarm: 0, trip: 0 },
    rules: {},
    assets: {},
    first: [],
  }
}

function gather(digest: Gathered, step: AlarmStep, weight: Weight): void {
  if (weight === "cleared") {
    digest.cleared += 1
    return
  }
  if (weight === "incident") digest.incidents += 1
  else digest.repeats += 1
  const { episode, asset, rule, severity, atMs } = step
  digest.bySeverity[severity] += 1
  add(digest.rules, rule)
  add(digest.assets, asset)
  if (digest.first.length < firstKept) digest.first.push({ episode, asset, rule, severity, atMs })
}

/** A rule may be called "constructor". */
function add(counts: Record<string, number>, key: string): void {
  counts[key] = (Object.hasOwn(counts, key) ? (counts[key] ?? 0) : 0) + 1
}

function holdsAny({ incidents, repeats, cleared }: Gathered): boolean {
  return incidents + repeats + cleared > 0
}

function tell({ rules, assets, ...counts }: Gathered, site: string, sinceMs: number, toMs: number): Digest {
  return {
    kind: "digest",
    site,
    sinceMs,
    ...counts,
    toMs,
    atMs: toMs,
    topRules: top(rules).map(([rule, count]) => ({ rule, count })),
    topAssets: top(assets).map(([asset, count]) => ({ asset, count })),
  }
}

/** The largest first; by name where they are equal, so that a repeat is the same. */
function top(counts: Readonly<Record<string, number>>): [string, number][] {
  return Object.entries(counts)
    .sort(([a, one], [b, other]) => other - one || (a < b ? -1 : 1))
    .slice(0, topKept)
}

/** How many alarms a flood holds back at present. */
export function heldBack({ flood }: SiteState): number {
  return flood === null ? 0 : severities.reduce((sum, one: Severity) => sum + flood.digest.bySeverity[one], 0)
}
