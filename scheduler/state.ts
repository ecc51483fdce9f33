import { z } from "zod"
import { meterMemory } from "../core/meter.ts"
import { timeMs } from "../core/vocabulary.ts"

/** What the next occurrence is counted from. */
const counted = z.object({
  /** `begin`: the plan began here; `due`: an occurrence was due; `done`, `credit`: the work was done; `dropped`: it won't be. */
  why: z.enum(["begin", "due", "done", "credit", "dropped"]),
  atMs: timeMs,
  /** By meter, its reading then, counted on across resets. */
  readings: z.record(z.string(), z.number()),
})
export type Counted = z.infer<typeof counted>

/** Where one plan stands on one asset. */
const cycle = z.object({
  /** What the next due time was worked out from: a change of either begins the plan's dates anew. */
  changedIn: z.number().int(),
  timeZone: z.string(),
  /** Dates before this time were never the plan's to make. */
  sinceMs: timeMs,
  /** Nothing is asked for before this time. */
  notBeforeMs: timeMs,
  from: counted,
  /** The newest order that was asked for and is not known to have ended. */
  asked: z
    .object({
      order: z.uuid(),
      atMs: timeMs,
      dueMs: timeMs,
      /** By meter, its reading when the work was due. */
      readings: z.record(z.string(), z.number()),
    })
    .nullable(),
  /** What was told last of an order of the plan: that and what came before it changes nothing when it is told again. */
  told: z.object({ order: z.uuid(), sequence: z.number().int() }).nullable(),
  /** Of a fixed plan, the newest work that it was judged by; told again, it does not count for the next occurrence. */
  workedMs: timeMs.nullable(),
  /** The order of another plan that this one is part of stands for an occurrence; `before` it was counted from there. */
  covered: z.object({ by: z.string(), atMs: timeMs, before: counted }).nullable(),
  /** The newest event that was acted on, by the number of the trigger. */
  events: z.record(z.string(), timeMs),
  /** Episodes that asked for an order: which, and by which step. */
  episodes: z.record(z.string(), z.object({ order: z.uuid(), sequence: z.number().int() })),
})
export type Cycle = z.infer<typeof cycle>

/** All that one partition must remember. It grows with open episodes, with plans and with meters, not with time. */
export const partitionState = z.object({
  /** The plant's clock as this partition saw it; null before its first tick. */
  clockMs: timeMs.nullable(),
  /** For each open episode that has an order, the sequence of the step that asked for it. */
  episodes: z.record(z.string(), z.number().int()),
  /** The plant's revision that `plans` were taken from. */
  revision: z.number().int().nullable(),
  /** By plan and asset. */
  plans: z.record(z.string(), cycle),
  /** By asset and signal. */
  meters: z.record(z.string(), meterMemory),
  /** By asset, the newest that it told of. */
  states: z.record(z.string(), z.object({ state: z.string(), atMs: timeMs })),
  /** How many lines of the plans' history were written. */
  noted: z.number().int(),
})
export type PartitionState = z.infer<typeof partitionState>

export function emptyState(): PartitionState {
  return { clockMs: null, episodes: {}, revision: null, plans: {}, meters: {}, states: {}, noted: 0 }
}
