import { z } from "zod"
import { centreOf, deviationSpread, quartileSpread } from "../formulas/spread.ts"
import { never, type Watch } from "../watch.ts"
import { buckets, type Params } from "./deviation-params.ts"

/** What was learned of one slot and bin: the newest window means, a ring, and what they say together. */
const group = z.object({
  means: z.array(z.number()),
  next: z.number().int(),
  centre: z.number(),
  /** Without the least spread of the parameters. */
  spread: z.number(),
})
export type Group = z.infer<typeof group>

export const memory = z.object({
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
  /** The mean of the block before, held back because the current window still overlaps it, and whose it is. */
  held: z.number().nullable(),
  heldGroup: z.number().int(),
  /** How many levels are exceeded. */
  active: z.number().int(),
  /** The deviation lasted past `freezeFor`: the old baseline was given up. */
  relearning: z.boolean(),
  /** How many samples a window has, as a moving average: a window with less than half of that does not speak. */
  usual: z.number(),
  /** Where the middle of the block is in the day or week. */
  slot: z.number().int(),
  /** The operating state, -1 for not known, and since when it is this one. */
  bin: z.number().int(),
  steadyMs: z.number(),
  /** A sample has come that is not yet taken, because its record may tell the operating state too. */
  fresh: z.boolean(),
  /** One for each slot and bin. */
  groups: z.array(group),
})
export type Memory = z.infer<typeof memory>
export type DeviationWatch = Watch<Params, Memory>

export const emptyWindow = () => ({
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
  heldGroup: 0,
  bin: -1,
  steadyMs: never,
  fresh: false,
})

export function freshMemory(params: Params): Memory {
  return {
    ...emptyWindow(),
    ...(params.context === null ? { bin: 0 } : {}),
    active: 0,
    relearning: false,
    usual: 0,
    slot: 0,
    groups: emptyGroups(params),
  }
}

export function emptyGroups({ slots, bins }: Params): Group[] {
  return Array.from({ length: slots * bins }, () => ({ means: [], next: 0, centre: 0, spread: 0 }))
}

export function learnMean(group: Group, { share, method }: Params, mean: number): void {
  group.means[group.next] = mean
  group.next = (group.next + 1) % share
  group.centre = centreOf(group.means)
  group.spread = method === "mad" ? deviationSpread(group.means) : quartileSpread(group.means)
}

/** 0 for as long as there is nothing to compare with. */
export function spreadOf({ means, centre, spread }: Group, params: Params): number {
  if (means.length < params.minBaseline) return 0
  return Math.max(spread, params.minSpread, params.minRelativeSpread * Math.abs(centre))
}
