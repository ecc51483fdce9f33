import { z } from "zod"
import { duration, formatDuration } from "../../core/duration.ts"
import type { Plant, RuleSpec } from "../../core/plant.ts"
import { type Severity, severity } from "../../core/vocabulary.ts"
import { writtenFor } from "../scope.ts"
import { noDeadline, type RuleKind, setDeadline, type Watch } from "../watch.ts"
import { quantity } from "../wording.ts"
import { dropHour, freshHours, hour, hourly, takeSample } from "./hourly.ts"
import {
  alarmLimit,
  groupOf,
  significantChange,
  supportOf,
  tripLimit,
  type Zones,
  zones as zonesBy,
} from "./iso-zones.ts"
import {
  backFrom,
  decimal,
  freshLevels,
  type Level,
  levelMachine,
  levelMemory,
  longestDelay,
  mostSevere,
  reAlarmAfter,
} from "./levels.ts"
import { unitProblems, watchedAssets } from "./units.ts"

const day = 24 * hour
/** So much of the boundary B/C a value must come back, where the rule states no dead band. */
const usualDeadBand = 0.1

/** What a level is by the standard; the order decides which of two with one severity is named. */
const meanings = ["trip", "zone D", "zone C", "alarm", "change"] as const
type Meaning = (typeof meanings)[number]

/** As long as the hourly means can be kept: 744 of them. */
const learn = duration.refine((ms) => ms >= day && ms <= 31 * day, {
  error: ({ input }) => `expected 1d to 31d, got ${formatDuration(Number(input))}`,
})
const zoneSeverity = z.union([severity, z.literal("none")])

const params = z
  .strictObject({
    group: z.union([z.literal(1), z.literal(2)], "expected group 1 or 2").optional(),
    support: z.enum(["rigid", "flexible"]).optional(),
    zones: z
      .strictObject({ C: zoneSeverity.default("warning"), D: zoneSeverity.default("alarm") })
      .prefault({}),
    baseline: z
      .union(
        [z.number().positive(), z.strictObject({ learn })],
        "expected a number above 0, or learn: 1d to 31d",
      )
      .optional(),
    alarm: zoneSeverity.optional(),
    trip: z.boolean().default(false),
    change: z.boolean().default(false),
    deadBand: z.number().nonnegative().optional(),
    onDelay: duration.default(0),
    offDelay: duration.default(0),
    reAlarmAfter,
  })
  .transform(({ zones, alarm, ...rest }, context) => {
    const say = (path: string, message: string) => context.addIssue({ code: "custom", path: [path], message })
    const { baseline, trip, change } = rest
    if (baseline === undefined) {
      if (alarm !== undefined) say("alarm", "expected a baseline, which this limit goes by, got none")
      if (change) say("change", "expected a baseline, from which the change is counted, got none")
    }
    const wanted: Readonly<Record<Meaning, Severity | "none">> = {
      trip: trip ? "trip" : "none",
      "zone D": zones.D,
      "zone C": zones.C,
      alarm: baseline === undefined ? "none" : (alarm ?? "warning"),
      change: change ? "watch" : "none",
    }
    const meant = meanings.flatMap((meaning) => {
      const one = wanted[meaning]
      return one === "none" ? [] : [{ meaning, severity: one }]
    })
    if (meant.length === 0) say("zones", "expected at least one severity that is not none")
    return { ...rest, meant }
  })
/** The zones follow from group and support, which may be the asset's to tell: `resolve` fills them in. */
type Params = z.infer<typeof params> & { readonly between?: Zones }

const memory = levelMemory.extend({ hours: hourly })
type Memory = z.infer<typeof memory>
type IsoWatch = Watch<Params, Memory>

type Made = { readonly params: Params; readonly baseline: number | null; readonly levels: readonly Level[] }
/** Levels follow from parameters and baseline: they are made once for each of them, since samples are many. */
const made = new WeakMap<IsoWatch, Made>()

function levelsOf(watch: IsoWatch): readonly Level[] {
  const { params } = watch.rule
  const baseline = baselineOf(watch)
  const before = made.get(watch)
  if (before !== undefined && before.baseline === baseline && before.params === params) return before.levels
  const levels = params.meant.map((one) => levelOf(params, one, baseline))
  made.set(watch, { params, baseline, levels })
  return levels
}

function baselineOf({ rule, state }: IsoWatch): number | null {
  const { baseline } = rule.params
  return typeof baseline === "number" ? baseline : baseline === undefined ? null : state.memory.hours.baseline
}

function levelOf(
  params: Params,
  { meaning, severity }: Params["meant"][number],
  baseline: number | null,
): Level {
  const between = zonesOf(params)
  const band = params.deadBand ?? usualDeadBand * between.bc
  const [least, most] = limitsOf(meaning, between, baseline)
  const [low, high] = [decimal(least), decimal(most)]
  return {
    severity,
    low,
    high,
    ...backFrom(low, high, band),
    // The mean of an hour has waited long enough.
    onDelay: meaning === "change" ? 0 : params.onDelay,
    offDelay: meaning === "change" ? 0 : params.offDelay,
  }
}

function limitsOf(meaning: Meaning, between: Zones, baseline: number | null): [low: number, high: number] {
  if (meaning === "trip") return [-Infinity, tripLimit(between)]
  if (meaning === "zone D") return [-Infinity, between.cd]
  if (meaning === "zone C") return [-Infinity, between.bc]
  if (baseline === null) return [-Infinity, Infinity]
  if (meaning === "alarm") return [-Infinity, alarmLimit(between, baseline)]
  return [baseline - significantChange(between), baseline + significantChange(between)]
}

function zonesOf({ between }: Params): Zones {
  if (between === undefined) throw new TypeError("the zones of vibration follow from the asset, by resolve")
  return between
}

const machine = levelMachine<IsoWatch>({
  levelsOf,

  valueFor: ({ rule, state }, at, value) =>
    rule.params.meant[at]?.meaning === "change" ? (state.memory.hours.mean ?? Number.NaN) : value,

  now({ rule }, shown, at) {
    const of = rule.params.meant[at]?.meaning === "change" ? " mean of 1 h" : ""
    return `${rule.subject}${of} ${shown}`
  },

  beyond(watch, at, breach, value) {
    const { rule } = watch
    const { bc, cd } = zonesOf(rule.params)
    const meaning = rule.params.meant[at]?.meaning
    const baseline = baselineOf(watch) ?? 0
    const usual = `its usual ${quantity(baseline, rule.unit)}`
    const boundary = quantity(bc, rule.unit)
    if (meaning === "alarm") {
      return baseline > bc
        ? ` ${breach}: the alarm limit, 1.25 times the zone limit of ${boundary}`
        : ` ${breach}: the alarm limit, ${usual} and 25 % of the zone limit of ${boundary}`
    }
    if (meaning === "change") {
      const by = quantity(Math.abs(value - baseline), rule.unit)
      const side = value < baseline ? "below" : "above"
      return ` is ${by} ${side} ${usual}, more than 25 % of the zone limit of ${boundary}`
    }
    if (meaning === "trip")
      return ` ${breach}: the trip limit, 1.25 times the zone limit of ${quantity(cd, rule.unit)}`
    return ` ${breach}: ${meaning} of ISO 20816-3, group ${rule.params.group}, ${rule.params.support} support`
  },

  back(watch, at, limit) {
    const { rule } = watch
    if (rule.params.meant[at]?.meaning === "change")
      return `is back near its usual ${quantity(baselineOf(watch) ?? 0, rule.unit)}`
    return `is back within its limit${limit === "" ? "" : ` of ${limit}`}`
  },
})

/**
 * Zones of vibration severity by ISO 20816-3: C (a machine in it should not run for long) and D (vibration that may
 * damage it); besides, the standard's ALARM and TRIP, and a significant change of the hourly mean from the baseline.
 */
export const iso20816: RuleKind<Params, Memory> = {
  params,
  memory,
  signal: "any",

  severities: ({ meant }) => meant.map(({ severity }) => severity),
  fresh: ({ meant }) => ({ ...freshLevels(meant.length), hours: freshHours() }),
  // What was learned is in mm/s, whatever the zones.
  shape: ({ meant, baseline }) => [meant, typeof baseline === "object"],

  resolve(params, { asset }) {
    const { group = groupOf(asset), support = supportOf(asset) } = params
    if (typeof group === "string" || (support !== "rigid" && support !== "flexible"))
      throw new TypeError(`asset ${asset.id} tells no group or support`)
    return { ...params, group, support, between: zonesBy[group][support] }
  },

  check: (_, spec, plant) => [...unitProblems("mm/s", spec, plant), ...assetProblems(spec, plant)],

  sample(watch, atMs, value) {
    const { baseline } = watch.rule.params
    if (baseline !== undefined) {
      const learnMs = typeof baseline === "number" ? undefined : baseline.learn
      takeSample(watch.state.memory.hours, atMs, value, learnMs)
    }
    machine.sample(watch, atMs, value)
  },

  fire: machine.fire,
  resumed: machine.resumed,

  interrupted(watch) {
    machine.interrupted(watch)
    dropHour(watch.state.memory.hours)
  },

  maintained(watch) {
    watch.state.memory = iso20816.fresh(watch.rule.params)
    setDeadline(watch, noDeadline)
  },

  grounds(watch, atMs) {
    const levels = levelsOf(watch)
    const worst = mostSevere(watch, levels)
    const ofMean = worst !== undefined && watch.rule.params.meant[worst]?.meaning === "change"
    const { bc, cd } = zonesOf(watch.rule.params)
    const baseline = baselineOf(watch)
    // The hour whose mean decided ended at the newest sample, which began another.
    const fromMs = ofMean ? Math.floor(atMs / hour - 1) * hour : atMs - longestDelay(levels)
    return {
      statistic: ofMean ? "mean of 1 h" : "value",
      fromMs: Math.min(fromMs, watch.state.episode?.openedAtMs ?? atMs),
      baseline: { "B/C": bc, "C/D": cd, ...(baseline === null ? {} : { baseline }) },
    }
  },
}

/** Each asset that is watched must tell its zones, and a dead band must not keep it from ever coming back. */
function assetProblems(spec: RuleSpec, plant: Plant): string[] {
  return watchedAssets(spec, plant).flatMap((asset) => {
    const read = params.safeParse(writtenFor(spec, asset))
    // What is wrong with the parameters themselves is told elsewhere.
    if (!read.success) return []
    const { group = groupOf(asset), support = supportOf(asset), deadBand = 0 } = read.data
    const found: string[] = []
    if (typeof group === "string")
      found.push(`group: not stated, and asset "${asset.id}" does not tell: ${group}`)
    if (support !== "rigid" && support !== "flexible")
      found.push(`support: not stated, and asset "${asset.id}" does not tell: ${support}`)
    if (typeof group === "number" && (support === "rigid" || support === "flexible")) {
      const most = significantChange(zonesBy[group][support])
      if (deadBand >= most)
        found.push(
          `deadBand: expected less than 25 % of the zone limit B/C, ${most} mm/s for asset "${asset.id}", got ${deadBand}`,
        )
    }
    return found
  })
}
