import { formatDuration } from "../../core/duration.ts"
import { end, find } from "../episode.ts"
import { never, type RuleKind } from "../watch.ts"
import { quantity } from "../wording.ts"
import {
  type DeviationWatch,
  emptyGroups,
  emptyWindow,
  freshMemory,
  type Group,
  learnMean,
  type Memory,
  memory,
  spreadOf,
} from "./deviation-memory.ts"
import { binOf, buckets, conditionsOf, type Params, params, shapeOf, slotAt } from "./deviation-params.ts"
import { rungsReached } from "./ladder.ts"

/**
 * A window's mean far from what it used to be: z = (mean − centre) ÷ spread, with centre the median and spread
 * 1.4826 × the median absolute deviation of the asset's own past window means (Iglewicz & Hoaglin 1993, "How to
 * Detect and Handle Outliers"), or their normalised interquartile range (ISO 13528). Compared are windows of the same
 * time of the day or week and of the same operating state, where these are stated. All in event time; the baseline
 * never overlaps the window that it judges.
 */
export const deviation: RuleKind<Params, Memory> = {
  params,
  memory,
  signal: "any",

  severities: ({ levels }, own) => levels.map(({ severity = own }) => severity),
  fresh: freshMemory,

  shape: shapeOf,

  resolve: (params, { timeZone }) => (params.slots === 1 ? params : { ...params, timeZone }),

  reads: ({ context }) => (context === null ? [] : [context.signal]),

  sample(watch, atMs, value) {
    if (watch.rule.params.context === null) take(watch, atMs, value)
    else watch.state.memory.fresh = true
  },

  settled(watch, atMs) {
    const { context } = watch.rule.params
    if (context === null) return
    const { memory } = watch.state
    // First the time goes on: what is complete by now was of the state before.
    if (memory.fresh) reach(watch, atMs)
    const state = watch.others.get(context.signal)
    const bin = state === undefined || state.markMs === never ? -1 : binOf(context.edges, state.value)
    if (bin !== memory.bin) {
      memory.bin = bin
      memory.steadyMs = atMs
    }
    if (!memory.fresh) return
    memory.fresh = false
    take(watch, atMs, watch.series.value)
  },

  // The episode stays open, and so does what was learned. The last block may hold the beginning of what broke.
  interrupted({ rule, state }) {
    Object.assign(state.memory, emptyWindow())
    if (rule.params.context === null) state.memory.bin = 0
  },

  // The baseline stays: a new bearing in the same machine is judged by how the machine behaves.
  maintained({ rule, state }) {
    const { bin, steadyMs } = state.memory
    Object.assign(state.memory, emptyWindow(), { bin, steadyMs, active: 0, relearning: false })
    if (rule.params.context === null) state.memory.bin = 0
  },

  grounds(watch, atMs) {
    const { params } = watch.rule
    const group = groupOf(watch)
    return {
      statistic: `mean of ${formatDuration(params.window)}`,
      fromMs: atMs - params.window,
      ...(group === undefined
        ? {}
        : {
            baseline: {
              centre: group.centre,
              spread: spreadOf(group, params),
              means: group.means.length,
            },
          }),
    }
  },
}

/** What the current window is compared with. */
function groupOf({ rule, state }: DeviationWatch): Group | undefined {
  const { slot, bin, groups } = state.memory
  return bin < 0 ? undefined : groups[slot * rule.params.bins + bin]
}

function take(watch: DeviationWatch, atMs: number, value: number): void {
  const { params } = watch.rule
  const { memory } = watch.state
  reach(watch, atMs)
  memory.sum += value
  memory.count += 1
  memory.blockSum += value
  memory.blockCount += 1
  // A window that lies across two times of the day is like neither: there only whole blocks are judged.
  if (params.slots > 1) return
  const fromMs = (memory.bucket - buckets + 1) * params.bucketMs
  judge(watch, atMs, fromMs, memory.restSum + memory.sum, memory.restCount + memory.count)
}

function judge(watch: DeviationWatch, atMs: number, fromMs: number, sum: number, count: number): void {
  const { params } = watch.rule
  const { memory } = watch.state
  // A window in which the operating state changed is like no other.
  if (memory.steadyMs > fromMs || count === 0 || count * 2 < memory.usual) return
  const group = groupOf(watch)
  if (group === undefined) return
  const spread = spreadOf(group, params)
  if (spread === 0) return
  const mean = sum / count
  const z = (mean - group.centre) / spread
  const score = params.direction === "up" ? z : params.direction === "down" ? -z : Math.abs(z)
  const active = rungsReached(params.levels, params.back, memory.active, score)
  if (active !== memory.active) decide(watch, group, active, atMs, mean)
}

function decide(watch: DeviationWatch, group: Group, active: number, atMs: number, mean: number): void {
  const { rule, state } = watch
  const { params } = rule
  const { memory } = state
  const { centre } = group
  const spread = spreadOf(group, params)
  const before = params.levels[memory.active - 1]
  const now = params.levels[active - 1]
  memory.active = active
  const shownMean = `${rule.subject} mean of ${formatDuration(params.window)} ${quantity(mean, rule.unit)}`
  const usual = `${quantity(centre, rule.unit)}${conditionsOf(params, memory.slot, memory.bin)}`
  const sign = Math.sign(mean - centre) || 1
  const limitAt = (z: number) => centre + sign * z * spread
  if (now === undefined) {
    const limit = limitAt((before?.limit ?? 0) * params.back)
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
  const spreads = quantity(Math.abs(mean - centre) / spread, null)
  const reason = `${shownMean} is ${spreads} spreads ${sign > 0 ? "above" : "below"} its usual ${usual} (limit ${now.limit})`
  find(watch, now.severity ?? rule.spec.severity, { atMs, value: mean, limit: limitAt(now.limit), reason })
}

/** Goes on to the bucket of this time; buckets without samples are empty. */
function reach(watch: DeviationWatch, atMs: number): void {
  const { params } = watch.rule
  const { memory } = watch.state
  const bucket = Math.floor(atMs / params.bucketMs)
  if (bucket === memory.bucket) return
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
  if (!first) {
    if (params.slots > 1) judge(watch, atMs, memory.block * params.window, memory.blockSum, memory.blockCount)
    learn(watch, atMs)
  }
  memory.block = block
  memory.slot = slotAt(params, (block + 0.5) * params.window)
  memory.blockSum = 0
  memory.blockCount = 0
}

/** A block is complete. */
function learn(watch: DeviationWatch, atMs: number): void {
  const { rule, state } = watch
  const { params } = rule
  const { memory } = state
  const { episode } = state
  if (episode !== null && !memory.relearning && atMs - episode.openedAtMs >= params.freezeFor) {
    memory.relearning = true
    memory.groups = emptyGroups(params)
  }
  const frozen = episode !== null && !memory.relearning
  const heldGroup = memory.groups[memory.heldGroup]
  if (memory.held !== null && heldGroup !== undefined && !frozen) learnMean(heldGroup, params, memory.held)
  const steady = memory.bin >= 0 && memory.steadyMs <= memory.block * params.window
  const enough = memory.blockCount > 0 && memory.blockCount * 2 >= memory.usual
  memory.held =
    enough && steady && !memory.blockTainted && !frozen ? memory.blockSum / memory.blockCount : null
  memory.heldGroup = memory.slot * params.bins + Math.max(memory.bin, 0)
  memory.blockTainted = frozen
  memory.usual =
    memory.usual === 0 ? memory.blockCount : memory.usual + (memory.blockCount - memory.usual) / buckets
}
