import { z } from "zod"
import type { Evidence, Quality } from "../core/vocabulary.ts"

const kept = 16

/** The newest usable samples of one signal of one asset: a ring that the signal's watches share for their evidence. */
export const series = z.object({
  signal: z.string(),
  /**
   * The time of the newest usable sample, `never` before the first: what comes at or before it is a duplicate or late.
   * Unlike the ring it is also kept where a verdict is recomputed.
   */
  markMs: z.number(),
  /** The newest usable value. */
  value: z.number(),
  atMs: z.array(z.number()).max(kept),
  values: z.array(z.number()).max(kept),
  next: z.number().int(),
})
export type Series = z.infer<typeof series>

/** Beyond this, sums and squares could leave the range of numbers; no sensor does. Also false for NaN. */
const largest = 1e150

/** Whether a sample may decide. */
export function isUsable(value: number, quality: Quality | undefined): boolean {
  return quality !== "bad" && Math.abs(value) <= largest
}

export function remember(series: Series, atMs: number, value: number): void {
  series.markMs = atMs
  series.value = value
  series.atMs[series.next] = atMs
  series.values[series.next] = value
  series.next = series.next + 1 === kept ? 0 : series.next + 1
}

/** The samples kept from this span (both ends inclusive), oldest first. */
export function samplesIn(series: Series, fromMs: number, toMs: number): Evidence["samples"] {
  return series.atMs
    .map((atMs, at) => ({ signal: series.signal, atMs, value: series.values[at] ?? 0 }))
    .filter(({ atMs }) => atMs >= fromMs && atMs <= toMs)
    .sort((a, b) => a.atMs - b.atMs)
}
