/** The meters that plans go by, as this partition has read them. */
import type { Revision } from "../core/catalogue.ts"
import {
  learnUse,
  type MeterLimits,
  type MeterMemory,
  newMeter,
  readMeter,
  replaceMeter,
} from "../core/meter.ts"
import type { MeterRead } from "../core/vocabulary.ts"
import type { PartitionState } from "./state.ts"

/** So much of a meter's history its daily use is learned from. */
const historyMs = 30 * 86_400_000

type Kept = PartitionState["meters"]

const keyOf = (asset: string, signal: string) => `${asset}|${signal}`

export function meterOf(kept: Kept, asset: string, signal: string): MeterMemory | undefined {
  return kept[keyOf(asset, signal)]
}

/** Takes a reading; false where it changes nothing: it came late, or does not follow from the one before. */
export function takeReading(
  kept: Kept,
  { asset, signal, atMs, value, replaced }: MeterRead,
  limits: MeterLimits,
): boolean {
  const key = keyOf(asset, signal)
  const memory = kept[key] ?? newMeter()
  // A reading from before the newest tells nothing that is not known.
  if (atMs <= memory.lastMs) return false
  // One that is in doubt is not believed because it was told again, or by one of before.
  if (atMs <= memory.suspectMs) return false
  if (replaced) return replaceMeter(memory, atMs, value)
  const isTaken = readMeter(memory, limits, atMs, value)
  if (isTaken) learnUse(memory, atMs, historyMs)
  kept[key] = memory
  return isTaken
}

export function limitsOf({ plant, assets }: Revision, asset: string, signal: string): MeterLimits {
  const itsClass = assets.get(asset)?.class
  return plant.classes.find(({ id }) => id === itsClass)?.signals[signal] ?? {}
}
