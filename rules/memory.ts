import { z } from "zod"
import { timeMs } from "../core/vocabulary.ts"
import { series } from "./series.ts"
import { watchState } from "./watch.ts"

/** What the rules of a lane have in memory: enough to go on from, as plain JSON. */
export const laneCore = z.object({
  /** How far its time has come: everything up to here was evaluated. */
  clockMs: timeMs,
  /** The newest time, and the newest arrival, of what was evaluated. */
  newestMs: timeMs,
  knownMs: timeMs,
  /** The newest time at which a timer ran or an event happened: samples from before it were not there to be asked. */
  happenedMs: timeMs,
  /** The asset's state as it last told it. */
  assetState: z.string().nullable(),
  series: z.array(series),
  /** For each kind of event that is heard the time of the newest. */
  events: z.array(z.object({ name: z.string(), markMs: timeMs })),
  watches: z.array(watchState),
})
export type LaneCore = z.infer<typeof laneCore>

/** A copy of plain JSON that shares nothing with it. */
export function copyOf<T>(value: T): T {
  if (Array.isArray(value)) return value.map(copyOf) as T
  if (typeof value !== "object" || value === null) return value
  const copy: Record<string, unknown> = {}
  for (const key in value) copy[key] = copyOf(value[key])
  return copy as T
}
