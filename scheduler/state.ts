import { z } from "zod"
import { timeMs } from "../core/vocabulary.ts"

/** Where one plan stands on one asset. */
const planned = z.object({
  /** What the next due time was worked out from: when either changes, the plan begins anew. */
  changedIn: z.number().int(),
  timeZone: z.string(),
  /** Occurrences due before this time were never the plan's to make. */
  sinceMs: timeMs,
  /** The next occurrence that has no request yet. */
  dueMs: timeMs,
})
export type Planned = z.infer<typeof planned>

/** All that one partition must remember. It grows with open episodes and with plans, not with time. */
export const partitionState = z.object({
  /** The plant's clock as this partition saw it; null before its first tick. */
  clockMs: timeMs.nullable(),
  /** For each open episode that has an order, the sequence of the step that asked for it. */
  episodes: z.record(z.string(), z.number().int()),
  /** The plant's revision that `plans` were taken from. */
  revision: z.number().int().nullable(),
  /** By plan and asset. */
  plans: z.record(z.string(), planned),
})
export type PartitionState = z.infer<typeof partitionState>

export function emptyState(): PartitionState {
  return { clockMs: null, episodes: {}, revision: null, plans: {} }
}
