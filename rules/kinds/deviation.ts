import { median, medianAbsoluteDeviation } from "simple-statistics"
import { z } from "zod"
import { duration, formatDuration } from "../../core/duration.ts"
import { compareSeverity, severity } from "../../core/vocabulary.ts"
import { end, find } from "../episode.ts"
import { never, type RuleKind, type Watch } from "../watch.ts"
import { quantity } from "../wording.ts"

/** A window is this many buckets: its mean moves on in steps of an eighth. */
const buckets = 8
const mostMeans = 2000
/** Makes the median absolute deviation estimate the standard deviation of normal data. */
const normalScale = 1.4826

const level = z.strictObject({ severity, z: z.number().positive() })

const params = z
  .strictObject({
    window: duration,
    baseline: duration,
    minBaseline: z.number().int().min(3).default(8),
    z: z.number().positive().optional(),
    levels: z.array(level).min(1).max(8).optional(),
    direction: z.enum(["up", "down", "both"]).default("both"),
    minSpread: z.number().nonnegative().default(0),
    minRelativeSpread: z.number().nonnegative().default(0.01),
    clearBelow: z.number().nonnegative().optional(),
    freezeFor: duration.optional(),
  })
  .transform((written, context) => {
    const {
      z: single,
      levels: several,
      clearBelow,
      window,
      baseline,
      minBaseline,
      freezeFor,
      ...rest
    } = written
    const say = (path: string, message: string) => context.addIssue({ code: "custom", path: [path], message })
    if ((single === undefined) === (several === undefined)) say("z", "expected either z or levels")
    const levels = (several ?? [{ severity: undefined, z: single ?? 1 }]).toSorted((a, b) => a.z - b.z)
    levels.forEach((one, at) => {
      const lower = levels[at - 1]
      if (one.severity === undefined || lower?.severity === undefined) return
      if (compareSeverity(one.severity, lower.severity) <= 0 || one.z === lower.z)
        say("levels", `expected a higher z for each more severe level, got ${one.severity} at ${one.z}`)
    })
    const lowest = levels[0]?.z ?? 1
    if (clearBelow !== undefined && clearBelow >= lowest)
      say("clearBelow", `expected less than the lowest z (${lowest})`)
    if (window < buckets) say("window", "expected at least 8ms")
    const size = Math.floor(baseline / window)
    if (size < minBaseline || size > mostMeans)
      say("baseline", `expected ${minBaseline} to ${mostMeans} windows, got ${size}`)
    return {
      ...rest,
      levels,
      window,
      bucketMs: window / buckets,
      size,
      minBaseline,
      /** A level is left below this share of its z. */
      back: (clearBelow ?? lowest / 2) / lowest,
      freezeFor: freezeFor ?? baseline,
    }
  })
type Params = z.infer<typeof params>

const memory = z.object({
  /** The bucket being filled, counted from 1970, and its samples. */
  bucket: z.number(),
  sum: z.number(),
  count: z.number(),
  /** The seven buckets before it, oldest first, and all of them together. */
  sums: z.array(z.number()),
  counts: z.array(z.number()),
  restSum: z.number(),
  restCount: z.number(),
  /** The window-long block being filled, aligned to multiples of the window: what the baseline learns. */
  block: z.number(),
  blockSum: z.number(),
  blockCount: z.number(),
  /** Something in this block deviates: it is not learned. */
  blockTainted: z.boolean(),
  /** The mean of the block before, held back because the current window still overlaps it. */
  held: z.number().nullable(),
  /** How many levels are exceeded. */
  active: z.number().int(),
  /** The deviation lasted past `freezeFor`: the old baseline was given up. */
  relearning: z.boolean(),
  /** How many samples a window has, as a moving average: a window with less than half of that does not speak. */
  usual: z.number(),
  means: z.array(z.number()),
  next: z.number().int(),
  centre: z.number(),
  /** 0 for as long as there is nothing to compare with. */
  spread: z.number(),
})
type Memory = z.infer<typeof memory>
type DeviationWatch = Watch<Params, Memory>

const emptyWindow = () => ({
  bucket: never,
  sum: 0,
  count: 0,
  sums: new Array<number>(buckets - 1).fill(0),
  counts: new Array<number>(buckets - 1).fill(0),
  restSum: 0,
  restCount: 0,
  block: never,
  blockSum: 0,
  blockCount: 0,
  blockTainted: false,
  held: null,
  active: 0,
  relearning: false,
})

/**
 * A window's mean far from what it used to be: z = (mean − centre) ÷ spread, with centre the median and spread
 * 1.4826 × the median absolute deviation of the asset's own past window means (Iglewicz & Hoaglin 1993, "How to
 * Detect and Handle Outliers"). All in event time; the baseline never overlaps the window that it judges.
 */
export const deviation: RuleKind<Params, Memory> = {
  params,
  memory,
  signal: "any",

  fresh: () => ({ ...emptyWindow(), usual: 0, means: [], next: 0, centre: 0, spread: 0 }),

  sample(watch, atMs, value) {
    const { params } = watch.rule
    const { memory } = watch.state
    const bucket = Math.floor(atMs / params.bucketMs)
    if (bucket !== memory.bucket) turn(watch, bucket, atMs)
    memory.sum += value
    memory.count += 1
    memory.blockSum += value
    memory.blockCount += 1
    if (memory.spread === 0) return
    const count = memory.restCount + memory.count
    if (count * 2 < memory.usual) return
    const mean = (memory.restSum + memory.sum) / count
    const z = (mean - memory.centre) / memory.spread
    const score = params.direction === "up" ? z : params.direction === "down" ? -z : Math.abs(z)
    const active = levelsReached(params, memory.active, score)
    if (active !== memory.active) decide(watch, active, atMs, mean)
  },

  // The baseline stays: a new bearing in the same machine is judged by how the machine behaves.
  maintained({ state }) {
    Object.assign(state.memory, emptyWindow())
  },

  grounds(watch, atMs) {
    const { window } = watch.rule.params
    const { centre, spread, means } = watch.state.memory
    return {
      statistic: `mean of ${formatDuration(window)}`,
      fromMs: atMs - window,
      baseline: { centre, spread, means: means.length },
    }
  },
}

function levelsReached({ levels, back }: Params, before: number, score: number): number {
  let active = before
  for (let above = levels[active]; above !== undefined && score >= above.z; above = levels[active]) active++
  if (active > before) return active
  for (let top = levels[active - 1]; top !== undefined && score < top.z * back; top = levels[active - 1])
    active--
  return active
}

function decide(watch: DeviationWatch, active: number, atMs: number, mean: number): void {
  const { rule, state } = watch
  const { memory } = state
  const before = rule.params.levels[memory.active - 1]
  const now = rule.params.levels[active - 1]
  memory.active = active
  const shownMean = `${rule.subject} mean of ${formatDuration(rule.params.window)} ${quantity(mean, rule.unit)}`
  const usual = quantity(memory.centre, rule.unit)
  const sign = Math.sign(mean - memory.centre) || 1
  const limitAt = (z: number) => memory.centre + sign * z * memory.spread
  if (now === undefined) {
    const limit = limitAt((before?.z ?? 0) * rule.params.back)
    const reason = memory.relearning
      ? `${shownMean} is the usual since the baseline was learned anew`
      : `${shownMean} is back near its usual ${usual}`
    end(watch, "condition", { atMs, value: mean, limit, reason })
    memory.relearning = false
    return
  }
  // The block before may hold the beginning of this deviation, so neither is learned.
  memory.blockTainted = true
  memory.held = null
  const spreads = Math.abs(mean - memory.centre) / memory.spread
  const reason = `${shownMean} is ${quantity(spreads, null)} spreads ${sign > 0 ? "above" : "below"} its usual ${usual} (limit ${now.z})`
  find(watch, now.severity ?? rule.spec.severity, { atMs, value: mean, limit: limitAt(now.z), reason })
}

/** Goes on to another bucket; buckets without samples are empty. */
function turn(watch: DeviationWatch, bucket: number, atMs: number): void {
  const { memory } = watch.state
  const first = memory.bucket === never
  const steps = first ? 0 : Math.min(bucket - memory.bucket, buckets)
  for (let step = 0; step < steps; step++) {
    memory.sums.shift()
    memory.sums.push(step === 0 ? memory.sum : 0)
    memory.counts.shift()
    memory.counts.push(step === 0 ? memory.count : 0)
  }
  memory.bucket = bucket
  memory.sum = 0
  memory.count = 0
  // Added up anew each time: a running total that is subtracted from would drift.
  memory.restSum = memory.sums.reduce((total, one) => total + one, 0)
  memory.restCount = memory.counts.reduce((total, one) => total + one, 0)
  const block = Math.floor(bucket / buckets)
  if (block === memory.block) return
  if (!first) learn(watch, atMs)
  memory.block = block
  memory.blockSum = 0
  memory.blockCount = 0
}

/** A block is complete. */
function learn(watch: DeviationWatch, atMs: number): void {
  const { rule, state } = watch
  const { memory } = state
  const { episode } = state
  if (episode !== null && !memory.relearning && atMs - episode.openedAtMs >= rule.params.freezeFor) {
    memory.relearning = true
    memory.means = []
    memory.next = 0
    memory.spread = 0
  }
  const frozen = episode !== null && !memory.relearning
  if (memory.held !== null && !frozen) keep(watch, memory.held)
  const enough = memory.blockCount > 0 && memory.blockCount * 2 >= memory.usual
  memory.held = enough && !memory.blockTainted && !frozen ? memory.blockSum / memory.blockCount : null
  memory.blockTainted = frozen
  memory.usual =
    memory.usual === 0 ? memory.blockCount : memory.usual + (memory.blockCount - memory.usual) / buckets
}

function keep(watch: DeviationWatch, mean: number): void {
  const { params } = watch.rule
  const { memory } = watch.state
  memory.means[memory.next] = mean
  memory.next = (memory.next + 1) % params.size
  if (memory.means.length < params.minBaseline) return
  memory.centre = median(memory.means)
  memory.spread = Math.max(
    normalScale * medianAbsoluteDeviation(memory.means),
    params.minSpread,
    params.minRelativeSpread * Math.abs(memory.centre),
  )
}
