import { type AssetEvent, eventCodes } from "../../core/vocabulary.ts"
import { addFault, kindOf, type Outcome, quoted } from "./outcome.ts"
import { isName, unusable } from "./signals.ts"
import { isObject, type Json, readStamp } from "./stamp.ts"
import type { ReadObject } from "./telemetry.ts"

type Attributes = AssetEvent["attributes"]

const maxCodeLength = 128
const maxAttributes = 64
const maxTextLength = 4096

const componentCodes: ReadonlySet<string> = new Set([
  eventCodes.componentInstalled,
  eventCodes.componentRemoved,
  eventCodes.componentFailed,
])

/**
 * Reads {code, ts, …attributes}; attributes may also stand under "attributes". An event is one whole: where a part of
 * it can't be taken, none of it is, because an installation without its component would mislead.
 */
export function createEventReader(futureToleranceMs: number): ReadObject {
  return (object, asset, route, outcome) => {
    const code = readCode(object.code, outcome)
    if (code === undefined) return
    const stamp = readStamp(object, asset, futureToleranceMs, outcome)
    if (stamp === undefined) return
    const attributes: Attributes = {}
    const about = new Set(["code", "attributes", "asset", "site", ...asset.timeKeys])
    const isTaken =
      takeAttributes(object, (key) => !about.has(key), attributes, outcome) &&
      takeNested(object.attributes, attributes, outcome) &&
      hasWhatItsCodeNeeds(code, attributes, outcome)
    if (!isTaken) return
    const event: AssetEvent = {
      kind: "event",
      site: asset.site ?? route.site,
      asset: asset.id,
      code,
      atMs: stamp.atMs,
      arrivedMs: outcome.arrivedMs,
      attributes,
    }
    if (stamp.from !== "publisher") event.untimed = true
    outcome.records.push(event)
  }
}

function readCode(value: unknown, outcome: Outcome): string | undefined {
  const code = typeof value === "number" && Number.isSafeInteger(value) ? String(value) : value
  if (typeof code === "string" && code.length > 0 && code.length <= maxCodeLength) return code
  const got = typeof value === "string" ? quoted(value) : kindOf(value)
  addFault(
    outcome,
    "wrong-shape",
    `"code" of an event: expected 1 to ${maxCodeLength} characters or a whole number, got ${got}`,
  )
  return undefined
}

function takeNested(nested: unknown, attributes: Attributes, outcome: Outcome): boolean {
  if (nested === undefined || nested === null) return true
  if (isObject(nested)) return takeAttributes(nested, () => true, attributes, outcome)
  addFault(outcome, "wrong-shape", `"attributes" of an event: expected an object, got ${kindOf(nested)}`)
  return false
}

function takeAttributes(
  object: Json,
  isAttribute: (key: string) => boolean,
  attributes: Attributes,
  outcome: Outcome,
): boolean {
  let count = Object.keys(attributes).length
  for (const [key, value] of Object.entries(object)) {
    if (value === null || !isAttribute(key)) continue
    count += 1
    if (count > maxAttributes) {
      addFault(outcome, "too-large", `an event with more than ${maxAttributes} attributes`)
      return false
    }
    if (!takeAttribute(key, value, attributes, outcome)) return false
  }
  return true
}

function takeAttribute(key: string, value: unknown, attributes: Attributes, outcome: Outcome): boolean {
  if (key === "__proto__") {
    addFault(outcome, "unusable-name", `an attribute can't be called ${key}`)
    return false
  }
  if (key.length > maxTextLength || (typeof value === "string" && value.length > maxTextLength)) {
    addFault(outcome, "too-large", `attribute ${quoted(key)}: more than ${maxTextLength} characters`)
    return false
  }
  if (typeof value === "number" && !Number.isFinite(value)) {
    addFault(outcome, "out-of-range", `attribute ${quoted(key)} is ${value}: expected a finite number`)
    return false
  }
  if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") {
    addFault(
      outcome,
      "wrong-shape",
      `attribute ${quoted(key)} is ${kindOf(value)}: expected text, a number or a boolean`,
    )
    return false
  }
  attributes[key] = value === 0 ? 0 : value
  return true
}

/** The rules read these attributes without asking again. */
function hasWhatItsCodeNeeds(code: string, attributes: Attributes, outcome: Outcome): boolean {
  const { component, meter, signal, state } = attributes
  const refuse = (detail: string) => {
    addFault(outcome, "wrong-shape", `event ${code}: ${detail}`)
    return false
  }
  if (componentCodes.has(code)) {
    if (typeof component !== "string") return refuse(`expected "component" as text`)
    if (!isName(component)) {
      const { reason, detail } = unusable("component", component)
      addFault(outcome, reason, detail)
      return false
    }
    if (meter !== undefined && typeof meter !== "number") return refuse(`expected "meter" as a number`)
  }
  if (code === eventCodes.meterReplaced) {
    if (typeof signal !== "string") return refuse(`expected "signal" as text`)
    if (typeof meter !== "number") return refuse(`expected "meter" as a number`)
  }
  if (code === eventCodes.state && state === undefined) return refuse(`expected "state"`)
  return true
}
