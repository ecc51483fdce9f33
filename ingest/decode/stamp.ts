import { addClockAhead, addFault, type Outcome, quoted } from "./outcome.ts"
import type { AssetSignals } from "./signals.ts"
import { readTime } from "./time.ts"

export type Json = Readonly<Record<string, unknown>>

/** `none`: the publisher gave no time; `ahead`: one too far in the future to be believed. Then a time was made up. */
export type Stamp = { readonly atMs: number; readonly from: "publisher" | "none" | "ahead" }

export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

/** When an object of a payload happened. Undefined, with a fault, when it gives a time that can't be read. */
export function readStamp(
  object: Json,
  asset: AssetSignals,
  futureToleranceMs: number,
  outcome: Outcome,
): Stamp | undefined {
  const given = givenTime(object, asset)
  if (given === undefined) return { atMs: madeUpMs(asset, outcome), from: "none" }
  const atMs = readTime(given)
  if (atMs === undefined) {
    addFault(
      outcome,
      "time-unreadable",
      `time ${quoted(given)}: expected ISO 8601 or epoch s, ms, µs or ns after 1970`,
    )
    return undefined
  }
  const aheadMs = atMs - outcome.arrivedMs
  if (aheadMs <= futureToleranceMs) return { atMs, from: "publisher" }
  addClockAhead(outcome, asset.id, aheadMs)
  return { atMs: madeUpMs(asset, outcome), from: "ahead" }
}

function madeUpMs({ id }: AssetSignals, { timeOf, arrivedMs }: Outcome): number {
  return timeOf?.(id) ?? arrivedMs
}

function givenTime(object: Json, asset: AssetSignals): unknown {
  for (const key of asset.timeKeys) {
    const value = object[key]
    if (value !== undefined && value !== null) return value
  }
  return undefined
}
