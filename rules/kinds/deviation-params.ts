import { z } from "zod"
import { duration, formatDuration } from "../../core/duration.ts"
import { severity } from "../../core/vocabulary.ts"
import { utcOffsetMs } from "../formulas/local-time.ts"
import { ladder } from "./ladder.ts"

/** A window is this many buckets: its mean moves on in steps of an eighth. */
export const buckets = 8
/** Over all slots and bins together: what bounds the memory. */
const mostMeans = 2000
const hour = 3_600_000
/** From the Thursday that time began with back to its Monday, so that weeks begin on Mondays. */
const sinceMonday = 3 * 24 * hour

const seasons = { none: 0, "hour-of-day": 24 * hour, "hour-of-week": 7 * 24 * hour } as const

const level = z.strictObject({ severity, z: z.number().positive() })

const context = z.strictObject({ signal: z.string().min(1), edges: z.array(z.number()).min(1).max(15) })

const written = z.strictObject({
  window: duration,
  baseline: duration,
  minBaseline: z.number().int().min(3).default(8),
  method: z.enum(["mad", "quantile"]).default("mad"),
  z: z.number().positive().optional(),
  levels: z.array(level).min(1).max(8).optional(),
  direction: z.enum(["up", "down", "both"]).default("both"),
  minSpread: z.number().nonnegative().default(0),
  minRelativeSpread: z.number().nonnegative().default(0.01),
  clearBelow: z.number().nonnegative().optional(),
  freezeFor: duration.optional(),
  seasonality: z.enum(["none", "hour-of-day", "hour-of-week"]).default("none"),
  context: context.optional(),
})

/** Lengths in ms. `z` or `levels`, in spreads; the most severe last. */
export const params = written.transform((given, check) => {
  const { z: single, levels: several, clearBelow, window, baseline, freezeFor, context, ...rest } = given
  const { minBaseline, seasonality } = rest
  const say = (path: string, message: string) => check.addIssue({ code: "custom", path: [path], message })
  if ((single === undefined) === (several === undefined)) say("z", "expected either z or levels")
  const rungs = several?.map(({ severity, z }) => ({ severity, limit: z }))
  const levels = ladder(rungs ?? [{ severity: undefined, limit: single ?? 1 }], "z", (message) =>
    say("levels", message),
  )
  const lowest = levels[0]?.limit ?? 1
  if (clearBelow !== undefined && clearBelow >= lowest)
    say("clearBelow", `expected less than the lowest z (${lowest})`)
  if (clearBelow === 0 && rest.direction === "both")
    say("clearBelow", "expected more than 0, unless direction is up or down")
  if (window < buckets) say("window", "expected at least 8ms")
  const edges = context?.edges ?? []
  if (edges.some((edge, at) => edge <= (edges[at - 1] ?? -Infinity)))
    say("context", `expected edges that rise, got [${edges.join(", ")}]`)
  const season = seasons[seasonality]
  // A window longer than an hour would leave hours in which no window of the past has its middle.
  const slotMs = Math.max(hour, window)
  if (season > 0 && slotMs > season / 2)
    say("window", `expected at most ${formatDuration(season / 2)} with seasonality ${seasonality}`)
  const slots = season === 0 ? 1 : Math.ceil(season / slotMs)
  const bins = edges.length + 1
  const windows = Math.floor(baseline / window)
  const share = Math.floor(windows / (slots * bins))
  if (share < minBaseline || windows > mostMeans) {
    const least = minBaseline * slots * bins
    const why =
      slots * bins === 1 ? "" : `, ${minBaseline} for each of ${slots} times of ${bins} operating states`
    say(
      "baseline",
      least > mostMeans
        ? `expected at most ${mostMeans} windows: ${slots} times of ${bins} operating states need ${least}`
        : `expected ${least} to ${mostMeans} windows${why}, got ${windows}`,
    )
  }
  return {
    ...rest,
    levels,
    window,
    bucketMs: window / buckets,
    /** How many means each slot and bin keeps. */
    share,
    slots,
    slotMs,
    /** Of the asset's site; only looked at with seasonality. */
    timeZone: "UTC",
    context: context ?? null,
    bins,
    /** A level is left below this share of its z. */
    back: (clearBelow ?? lowest / 2) / lowest,
    freezeFor: freezeFor ?? baseline,
  }
})
export type Params = z.infer<typeof params>

/** What of the parameters the memory depends on: all but limits and floors. */
export function shapeOf({ window, method, share, slots, slotMs, timeZone, context }: Params): unknown {
  return { window, method, share, slots, slotMs, timeZone, context }
}

/** In which part of the day or week this time is, by the site's clock. */
export function slotAt({ seasonality, slots, slotMs, timeZone }: Params, atMs: number): number {
  if (slots === 1) return 0
  const season = seasons[seasonality]
  const local = atMs + utcOffsetMs(timeZone, atMs) + sinceMonday
  return Math.floor((((local % season) + season) % season) / slotMs)
}

/** Into which of the operating states this value of the context's signal falls: at an edge into the upper one. */
export function binOf(edges: readonly number[], value: number): number {
  let bin = 0
  while (bin < edges.length && value >= (edges[bin] ?? 0)) bin++
  return bin
}

const days = ["Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays"]

/** With what is compared, as a sentence goes on: " on Mondays from 08:00 to 09:00 with load of 80 or more". */
export function conditionsOf(params: Params, slot: number, bin: number): string {
  const { slots, slotMs, seasonality, context } = params
  const parts: string[] = []
  if (slots > 1) {
    const season = seasons[seasonality]
    const [from, to] = [slot * slotMs, Math.min((slot + 1) * slotMs, season)]
    const day = seasonality === "hour-of-week" ? ` on ${days[Math.floor(from / (24 * hour))]}` : ""
    parts.push(`${day} from ${clock(from)} to ${clock(to)}`)
  }
  if (context !== null) {
    const [low, high] = [context.edges[bin - 1], context.edges[bin]]
    const range =
      low === undefined ? `below ${high}` : high === undefined ? `of ${low} or more` : `of ${low} to ${high}`
    parts.push(` with ${context.signal.replaceAll("_", " ")} ${range}`)
  }
  return parts.join("")
}

function clock(ms: number): string {
  const minutes = Math.floor((ms % (24 * hour)) / 60_000)
  const two = (part: number) => String(part).padStart(2, "0")
  return `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`
}
