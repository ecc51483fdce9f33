import type { Quality, Reading } from "../../core/vocabulary.ts"
import type { Outcome } from "./outcome.ts"
import type { Stamp } from "./stamp.ts"

type Values = Reading["values"]

/** Objects of one signal each that share asset and time become one reading, as if they had come in one object. */
export function addReading(
  outcome: Outcome,
  asset: string,
  site: string,
  stamp: Stamp,
  values: Values,
  quality: Quality,
): void {
  if (isEmpty(values)) return
  const isUntimed = stamp.from !== "publisher"
  let reading = readingToJoin(outcome, asset, stamp.atMs, isUntimed, values)
  if (reading === undefined) {
    reading = { kind: "reading", site, asset, atMs: stamp.atMs, arrivedMs: outcome.arrivedMs, values }
    if (isUntimed) reading.untimed = true
    outcome.records.push(reading)
  } else {
    Object.assign(reading.values, values)
  }
  if (quality === "good") return
  reading.quality ??= {}
  for (const signal in values) reading.quality[signal] = quality
}

/** The newest reading, where these values belong to it and it has none of their signals yet. */
function readingToJoin(
  { records }: Outcome,
  asset: string,
  atMs: number,
  isUntimed: boolean,
  values: Values,
): Reading | undefined {
  const last = records.at(-1)
  if (last?.kind !== "reading" || last.asset !== asset || last.atMs !== atMs) return undefined
  if ((last.untimed === true) !== isUntimed) return undefined
  for (const signal in values) if (Object.hasOwn(last.values, signal)) return undefined
  return last
}

function isEmpty(values: Values): boolean {
  for (const _ in values) return false
  return true
}
