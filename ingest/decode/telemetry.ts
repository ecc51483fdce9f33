import type { Quality } from "../../core/vocabulary.ts"
import { addFault, kindOf, type Outcome, quoted } from "./outcome.ts"
import { readQuality } from "./quality.ts"
import { addReading } from "./reading.ts"
import type { Route } from "./routes.ts"
import { type AssetSignals, type Assets, isAboutMessage, type Signal } from "./signals.ts"
import { isObject, type Json, readStamp, type Stamp } from "./stamp.ts"
import type { Units } from "./units.ts"

/** Reads one object of a payload, of this asset, into the outcome. */
export type ReadObject = (object: Json, asset: AssetSignals, route: Route, outcome: Outcome) => void

/** What one object gives, while it is read. */
type Draft = {
  readonly asset: AssetSignals
  readonly values: Record<string, number>
  readonly outcome: Outcome
}

/** Keys under which the signals may stand one level deeper, as ThingsBoard and Telegraf send them. */
const nestedKeys: ReadonlySet<string> = new Set(["values", "fields"])

/** Reads an object of signals, or of one signal: {signal, value, ts, unit, quality}. */
export function createTelemetryReader(assets: Assets, units: Units, futureToleranceMs: number): ReadObject {
  return (object, asset, route, outcome) => {
    const stamp = readStamp(object, asset, futureToleranceMs, outcome)
    if (stamp === undefined) return
    const quality = qualityOf(object, asset, stamp, outcome)
    if (quality === undefined) return
    const draft: Draft = { asset, values: {}, outcome }
    const name = route.signal ?? (asset.declared.has("signal") ? undefined : object.signal)
    if (name === undefined) takeAll(draft, object)
    else takeOne(draft, name, object)
    addReading(outcome, asset.id, asset.site ?? route.site, stamp, draft.values, quality)
  }

  function takeAll(draft: Draft, object: Json): void {
    if (takeKeys(draft, object, false) > 0) return
    const example = '{"ts": …, "temperature": 71.5}'
    addFault(draft.outcome, "wrong-shape", `an object without a signal: expected for example ${example}`)
  }

  /** Takes every key that is a signal, and tells how many there were, taken or not. */
  function takeKeys(draft: Draft, object: Json, isNested: boolean): number {
    const { declared, discovered } = draft.asset
    let signals = 0
    for (const key in object) {
      const value = object[key]
      const signal = declared.get(key) ?? discovered.get(key)
      if (signal === undefined) {
        if (isAboutMessage(key)) continue
        if (!isNested && nestedKeys.has(key) && isObject(value)) {
          signals += takeKeys(draft, value, true)
          continue
        }
      }
      signals += 1
      takeValue(draft, key, signal, value, undefined)
    }
    return signals
  }

  function takeOne(draft: Draft, name: unknown, { value, unit }: Json): void {
    if (typeof name !== "string") {
      addFault(draft.outcome, "wrong-shape", `"signal": expected text, got ${kindOf(name)}`)
    } else if (value === undefined) {
      addFault(draft.outcome, "wrong-shape", `an object of signal ${quoted(name)} without "value"`)
    } else {
      const known = draft.asset.declared.get(name) ?? draft.asset.discovered.get(name)
      takeValue(draft, name, known, value, unit)
    }
  }

  function takeValue(
    { asset, values, outcome }: Draft,
    name: string,
    known: Signal | undefined,
    value: unknown,
    unit: unknown,
  ): void {
    const number = readNumber(value, name, outcome)
    if (number === undefined) return
    const signal = known ?? assets.discover(asset, name)
    if ("reason" in signal) {
      addFault(outcome, signal.reason, signal.detail)
      return
    }
    const own = toOwnUnit(number, unit, signal, outcome)
    if (own === undefined) return
    if (own >= signal.min && own <= signal.max) {
      // JSON text has a minus zero that JSON written again has not; plus zero makes it zero.
      values[name] = own + 0
    } else {
      addFault(outcome, "out-of-range", `${quoted(name)} is ${own}: expected ${rangeOf(signal)}`)
    }
  }

  function toOwnUnit(value: number, unit: unknown, signal: Signal, outcome: Outcome): number | undefined {
    if (unit === undefined || unit === null || unit === "" || unit === signal.unit) return value
    if (typeof unit !== "string") {
      addFault(outcome, "unknown-unit", `unit of ${quoted(signal.name)}: expected text, got ${kindOf(unit)}`)
      return undefined
    }
    if (signal.unit === undefined) return value
    const convert = units.converter(unit, signal.unit)
    if (convert !== undefined) return convert(value)
    const detail = `${quoted(signal.name)} came in ${quoted(unit)}, which can't be converted to ${quoted(signal.unit)}`
    addFault(outcome, "unknown-unit", detail)
    return undefined
  }
}

/** Booleans count as 1 and 0. Null is no sample, and no fault: the publisher says that it has nothing to say. */
function readNumber(value: unknown, name: string, outcome: Outcome): number | undefined {
  if (typeof value === "number") return value
  if (typeof value === "boolean") return value ? 1 : 0
  if (typeof value === "string") {
    addFault(outcome, "not-a-number", `${quoted(name)} is the text ${quoted(value)}: expected a number`)
  } else if (value !== null) {
    addFault(outcome, "wrong-shape", `${quoted(name)} is ${kindOf(value)}: expected a number`)
  }
  return undefined
}

function qualityOf(object: Json, asset: AssetSignals, stamp: Stamp, outcome: Outcome): Quality | undefined {
  const quality = asset.declared.has("quality") ? "good" : readQuality(object.quality)
  if (quality === undefined) {
    const expected = "good, uncertain, bad, a boolean or an OPC code"
    addFault(outcome, "wrong-shape", `quality ${quoted(object.quality)}: expected ${expected}`)
  }
  return quality === "good" && stamp.from === "ahead" ? "uncertain" : quality
}

function rangeOf({ min, max }: Signal): string {
  if (min === -Number.MAX_VALUE) return max === Number.MAX_VALUE ? "a finite number" : `at most ${max}`
  return max === Number.MAX_VALUE ? `at least ${min}` : `${min} to ${max}`
}
