import { z } from "zod"
import { duration, formatDuration } from "../../core/duration.ts"
import { compareSeverity, severity } from "../../core/vocabulary.ts"
import { instant } from "../../core/wording.ts"
import { end, find } from "../episode.ts"
import { cusumStep, ewmaSpread, ewmaStep, shiftEstimate } from "../formulas/control-charts.ts"
import { centreOf, deviationSpread } from "../formulas/spread.ts"
import { never, type RuleKind, type Watch } from "../watch.ts"
import { quantity } from "../wording.ts"
import { ladder, rungsReached } from "./ladder.ts"

/** A sum stops at so many times its highest limit, so that it can come back in time. */
const sumAtMost = 2

const common = {
  subgroup: duration.optional(),
  target: z.number().optional(),
  sigma: z.number().positive().optional(),
  learn: z.number().int().min(8).max(500).default(50),
  minSigma: z.number().nonnegative().default(0),
  direction: z.enum(["up", "down", "both"]).default("both"),
  clearShare: z.number().min(0).max(1).default(0.5),
}
const positive = z.number().positive()

const weight = { error: ({ input }: { input: unknown }) => `expected 0.001 to 1, got ${input}` }

/** `L`, `h` and `k` in standard deviations of a point. */
const params = z
  .discriminatedUnion("chart", [
    z.strictObject({
      chart: z.literal("ewma"),
      ...common,
      // With less the average moves by nothing that a number can hold.
      lambda: z.number().gte(0.001, weight).lte(1, weight).default(0.2),
      L: positive.optional(),
      levels: z
        .array(z.strictObject({ severity, L: positive }))
        .min(1)
        .max(8)
        .optional(),
    }),
    z.strictObject({
      chart: z.literal("cusum"),
      ...common,
      k: z.number().nonnegative().default(0.5),
      clip: positive.optional(),
      h: positive.optional(),
      levels: z
        .array(z.strictObject({ severity, h: positive }))
        .min(1)
        .max(8)
        .optional(),
    }),
  ])
  .transform((given, context) => {
    const say = (path: string, message: string) => context.addIssue({ code: "custom", path: [path], message })
    const { chart, subgroup, target, sigma, learn, minSigma, direction, clearShare } = given
    if ((target === undefined) !== (sigma === undefined))
      say("target", "expected target and sigma together, or neither: then both are learned")
    if (subgroup === 0) say("subgroup", "expected more than nothing")
    if (clearShare === 0 && chart === "cusum")
      say("clearShare", "expected more than 0, since no sum is below 0")
    else if (clearShare === 0 && direction === "both")
      say("clearShare", "expected more than 0, unless direction is up or down")
    const name = chart === "ewma" ? "L" : "h"
    const single = chart === "ewma" ? given.L : given.h
    if (single !== undefined && given.levels !== undefined) say(name, `expected either ${name} or levels`)
    const stated =
      given.chart === "ewma"
        ? given.levels?.map(({ severity, L }) => ({ severity, limit: L }))
        : given.levels?.map(({ severity, h }) => ({ severity, limit: h }))
    const usual = single ?? (chart === "ewma" ? 3 : 5)
    const levels = ladder(stated ?? [{ severity: undefined, limit: usual }], name, (message) =>
      say("levels", message),
    )
    return {
      chart,
      /** 0: each sample is a point. */
      subgroup: subgroup ?? 0,
      given: target === undefined || sigma === undefined ? null : { target, sigma },
      learn,
      minSigma,
      direction,
      clearShare,
      /** λ of an EWMA. */
      lambda: given.chart === "ewma" ? given.lambda : 0,
      /** Of a CUSUM. */
      k: given.chart === "cusum" ? given.k : 0,
      clip: given.chart === "cusum" ? (given.clip ?? null) : null,
      levels,
      most: sumAtMost * (levels.at(-1)?.limit ?? usual),
    }
  })
type Params = z.infer<typeof params>

const memory = z.object({
  /** The subgroup being filled, counted from 1970, and its samples. */
  block: z.number(),
  sum: z.number(),
  count: z.number(),
  /** How many samples a subgroup has, as a moving average: one with less than half of that is no point. */
  usual: z.number(),
  /** The points being learned from; none once target and sigma are known. */
  points: z.array(z.number()),
  target: z.number(),
  /** 0 for as long as it is being learned. */
  sigma: z.number(),
  /** EWMA: the average, (1 − λ)^(2t), and since when it has been on this side of the target. */
  average: z.number(),
  rest: z.number(),
  sideMs: z.number(),
  /** CUSUM, in sigma: the sums of either side, of how many points, and since when. */
  upper: z.number(),
  upperRun: z.number().int(),
  upperMs: z.number(),
  lower: z.number(),
  lowerRun: z.number().int(),
  lowerMs: z.number(),
  /** How many levels are exceeded. */
  active: z.number().int(),
})
type Memory = z.infer<typeof memory>
type ChartWatch = Watch<Params, Memory>

const emptyBlock = () => ({ block: never, sum: 0, count: 0 })

const emptySums = (target: number) => ({
  average: target,
  rest: 1,
  sideMs: never,
  upper: 0,
  upperRun: 0,
  upperMs: never,
  lower: 0,
  lowerRun: 0,
  lowerMs: never,
  active: 0,
})

/**
 * Small lasting shifts of the mean: an exponentially weighted moving average (Roberts 1959) or a two-sided cumulative
 * sum (Page 1954), by NIST/SEMATECH e-Handbook of Statistical Methods 6.3.2.3 and 6.3.2.4. Target and sigma are given,
 * or learned from the first points as median and 1.4826 × median absolute deviation, and then frozen: moving ranges
 * would make sigma too small where neighbouring points are alike, as those of machines are.
 */
export const controlChart: RuleKind<Params, Memory> = {
  params,
  memory,
  signal: "any",

  severities: ({ levels }, own) => levels.map(({ severity = own }) => severity),
  fresh: ({ given }) => ({
    ...emptyBlock(),
    usual: 0,
    points: [],
    target: given?.target ?? 0,
    sigma: given?.sigma ?? 0,
    ...emptySums(given?.target ?? 0),
  }),

  shape: ({ chart, subgroup, given, learn, minSigma, lambda, k }) => ({
    chart,
    subgroup,
    learned: given ?? { learn, minSigma },
    lambda,
    k,
  }),

  sample(watch, atMs, value) {
    const { subgroup } = watch.rule.params
    if (subgroup === 0) {
      take(watch, atMs, atMs, value)
      return
    }
    const { memory } = watch.state
    const block = Math.floor(atMs / subgroup)
    if (block !== memory.block) {
      close(watch, atMs)
      memory.block = block
      memory.sum = 0
      memory.count = 0
    }
    memory.sum += value
    memory.count += 1
  },

  // What has summed up so far is still true after the gap.
  interrupted({ state }) {
    Object.assign(state.memory, emptyBlock())
  },

  // The sums are the old component's; how the machine usually runs is not.
  maintained({ state }) {
    Object.assign(state.memory, emptyBlock(), emptySums(state.memory.target))
  },

  grounds({ rule, state }, atMs) {
    const { chart, lambda, k, subgroup, given, learn } = rule.params
    const { target, sigma, sideMs } = state.memory
    const of = subgroup === 0 ? "" : ` of means of ${formatDuration(subgroup)}`
    const sinceMs = chart === "ewma" ? sideMs : largerSum(state.memory, rule.params).sinceMs
    return {
      statistic: chart === "ewma" ? `EWMA${of}, lambda ${lambda}` : `CUSUM${of}, k ${k} sigma`,
      fromMs: Math.round(sinceMs === never ? atMs - subgroup : sinceMs),
      baseline: { target, sigma, points: given === null ? learn : 0 },
    }
  },
}

/** A subgroup is complete; with much fewer samples than usual its mean says less than sigma tells. */
function close(watch: ChartWatch, atMs: number): void {
  const { subgroup } = watch.rule.params
  const { memory } = watch.state
  const { block, sum, count, usual } = memory
  if (count === 0) return
  memory.usual = usual === 0 ? count : usual + (count - usual) / 8
  if (count * 2 >= usual) take(watch, atMs, block * subgroup, sum / count)
}

/** A point, whose samples begin at `fromMs`. */
function take(watch: ChartWatch, atMs: number, fromMs: number, value: number): void {
  const { params } = watch.rule
  const { memory } = watch.state
  if (memory.sigma === 0) {
    learn(memory, params, value)
    return
  }
  const score =
    params.chart === "ewma" ? average(memory, params, fromMs, value) : sumUp(memory, params, fromMs, value)
  const active = rungsReached(params.levels, params.clearShare, memory.active, score)
  if (active !== memory.active) decide(watch, active, atMs)
}

function learn(memory: Memory, params: Params, value: number): void {
  memory.points.push(value)
  if (memory.points.length < params.learn) return
  memory.target = centreOf(memory.points)
  memory.sigma = Math.max(deviationSpread(memory.points), params.minSigma)
  // Points that are all alike tell no sigma: then the next ones are learned from.
  memory.points = []
  Object.assign(memory, emptySums(memory.target))
}

/** How far the average is from the target in its standard deviations, on the side that is looked at. */
function average(memory: Memory, { lambda, direction }: Params, fromMs: number, value: number): number {
  const before = Math.sign(memory.average - memory.target)
  memory.average = ewmaStep(memory.average, value, lambda)
  memory.rest *= (1 - lambda) ** 2
  const away = memory.average - memory.target
  if (memory.sideMs === never || Math.sign(away) !== before) memory.sideMs = fromMs
  const z = away / (memory.sigma * ewmaSpread(lambda, memory.rest))
  return direction === "up" ? z : direction === "down" ? -z : Math.abs(z)
}

/** The larger sum in sigma, of the sides that are looked at. */
function sumUp(memory: Memory, params: Params, fromMs: number, value: number): number {
  const { k, clip, most, direction } = params
  const z = (value - memory.target) / memory.sigma
  const away = clip === null ? z : Math.min(clip, Math.max(-clip, z))
  // A side that is not looked at begins anew when an edit has it looked at again.
  if (direction === "down") Object.assign(memory, { upper: 0, upperRun: 0, upperMs: never })
  else {
    memory.upper = Math.min(cusumStep(memory.upper, away, k), most)
    memory.upperRun = memory.upper === 0 ? 0 : memory.upperRun + 1
    if (memory.upperRun < 2) memory.upperMs = memory.upper === 0 ? never : fromMs
  }
  if (direction === "up") Object.assign(memory, { lower: 0, lowerRun: 0, lowerMs: never })
  else {
    memory.lower = Math.min(cusumStep(memory.lower, -away, k), most)
    memory.lowerRun = memory.lower === 0 ? 0 : memory.lowerRun + 1
    if (memory.lowerRun < 2) memory.lowerMs = memory.lower === 0 ? never : fromMs
  }
  return Math.max(direction === "down" ? 0 : memory.upper, direction === "up" ? 0 : memory.lower)
}

type Sum = { readonly sign: 1 | -1; readonly sum: number; readonly run: number; readonly sinceMs: number }

function largerSum(memory: Memory, { direction }: Params): Sum {
  const { upper, upperRun, upperMs, lower, lowerRun, lowerMs } = memory
  const isUpper = direction === "up" || (direction === "both" && upper >= lower)
  return isUpper
    ? { sign: 1, sum: upper, run: upperRun, sinceMs: upperMs }
    : { sign: -1, sum: lower, run: lowerRun, sinceMs: lowerMs }
}

function decide(watch: ChartWatch, active: number, atMs: number): void {
  const { rule, state } = watch
  const { params } = rule
  const { memory } = state
  const before = params.levels[memory.active - 1]
  const now = params.levels[active - 1]
  memory.active = active
  const severity = now?.severity ?? rule.spec.severity
  const told = state.episode?.severity
  const lowered = told !== undefined && compareSeverity(severity, told) < 0
  const words = params.chart === "ewma" ? ewmaWords : cusumWords
  const back = (now ?? before)?.limit ?? 0
  const { value, limit, ...text } = words(watch, now === undefined ? back * params.clearShare : back)
  if (now === undefined) {
    end(watch, "condition", { atMs, value, limit, reason: text.back })
    return
  }
  const within = quantity(words(watch, now.limit * params.clearShare).limit, rule.unit)
  const reason = lowered
    ? `${text.now} is no longer ${told}, and ${severity} until back within ${within}`
    : text.beyond
  find(watch, severity, { atMs, value, limit, reason })
}

/** The statistic, its limit, and parts of sentences, where a level's limit is so many sigma. */
type Words = {
  readonly value: number
  readonly limit: number
  readonly now: string
  readonly beyond: string
  readonly back: string
}

function ewmaWords({ rule, state }: ChartWatch, sigmas: number): Words {
  const { average, target, sigma, rest, sideMs } = state.memory
  const sign = average < target ? -1 : 1
  const side = sign > 0 ? "above" : "below"
  const limit = target + sign * sigmas * sigma * ewmaSpread(rule.params.lambda, rest)
  const shown = (value: number) => quantity(value, rule.unit)
  const now = `${rule.subject} EWMA ${shown(average)}`
  return {
    value: average,
    limit,
    now,
    beyond: `${now} is ${side} its control limit ${shown(limit)}, and has been ${side} its target ${shown(target)} since ${instant(sideMs)}`,
    back: `${now} is back near its target ${shown(target)}`,
  }
}

function cusumWords({ rule, state }: ChartWatch, sigmas: number): Words {
  const { params } = rule
  const { target, sigma } = state.memory
  const { sign, sum, run, sinceMs } = largerSum(state.memory, params)
  const shown = (value: number) => quantity(value, rule.unit)
  const shift = shown(shiftEstimate(sum, run, params.k) * sigma)
  // A sum that was stopped tells the least that the mean has moved.
  const about = sum < params.most ? "about" : "at least"
  const [value, limit] = [sum * sigma, sigmas * sigma]
  const since = sinceMs === never ? "" : ` since ${instant(sinceMs)}`
  return {
    value,
    limit,
    now: `${rule.subject} CUSUM ${shown(value)}`,
    beyond: `${rule.subject} has run ${about} ${shift} ${sign > 0 ? "above" : "below"} its target ${shown(target)}${since} (CUSUM ${shown(value)}, limit ${shown(limit)})`,
    back: `${rule.subject} is back near its target ${shown(target)} (CUSUM ${shown(value)})`,
  }
}
