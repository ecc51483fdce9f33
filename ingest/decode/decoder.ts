/** From an MQTT message to telemetry: pure, without IO. docs/payloads.md tells what is taken and how. */
import { isUtf8 } from "node:buffer"
import { MillwrightError, messageOf } from "../../core/errors.ts"
import type { Plant } from "../../core/plant.ts"
import { createEventReader } from "./events.ts"
import {
  addFault,
  type Decoded,
  finishOutcome,
  kindOf,
  type Outcome,
  quoted,
  refusal,
  startOutcome,
  type TimeOf,
} from "./outcome.ts"
import { checkTopics, createRoutes, type Route } from "./routes.ts"
import { createAssets, type Discovered, type Refused, type SignalLimits } from "./signals.ts"
import { isObject, type Json } from "./stamp.ts"
import { createTelemetryReader } from "./telemetry.ts"
import { createUnits } from "./units.ts"

export type DecoderLimits = SignalLimits & {
  readonly maxPayloadBytes: number
  /** Objects in one payload that is a list. */
  readonly maxItems: number
  /** Topics whose meaning is kept; when full, they are all looked up anew. */
  readonly maxRoutes: number
}

const defaultLimits: DecoderLimits = {
  maxPayloadBytes: 1_048_576,
  maxItems: 10_000,
  maxRoutes: 50_000,
  maxDiscoveredAssets: 10_000,
  maxDiscoveredSignalsPerAsset: 500,
  maxDiscoveredSignals: 200_000,
}

export interface Decoder {
  /** Never throws. Gives at least one record or fault, except for payloads whose values are all null. */
  decode(topic: string, payload: Buffer, arrivedMs: number, timeOf?: TimeOf): Decoded
  /** For the decoder that comes after this one, so that a limit counts across revisions of the plant. */
  discovered(): Discovered
}

const maxParserMessage = 200
/** No two parts of it can take the same digits: a megabyte of them is read once. */
const plainNumber = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i

/**
 * Reads messages as one revision of the plant says; it remembers the assets and signals that it discovers, beside
 * those that were discovered before.
 * Throws `PLANT_INVALID` for topic patterns that `checkTopics` refuses.
 */
export function createDecoder(
  plant: Plant,
  options: Partial<DecoderLimits> = {},
  before: Discovered = new Map(),
): Decoder {
  const problems = checkTopics(plant)
  if (problems.length > 0) throw new MillwrightError("PLANT_INVALID", problems.join("\n"))
  const limits = { ...defaultLimits, ...options }
  const assets = createAssets(plant, limits, before)
  const routes = createRoutes(plant, assets, limits.maxRoutes)
  const readSignals = createTelemetryReader(assets, createUnits(), plant.ingest.futureTolerance)
  const readEvent = createEventReader(plant.ingest.futureTolerance)

  function readPayload(content: unknown, route: Route, outcome: Outcome): void {
    if (isObject(content)) {
      readObject(content, route, outcome)
    } else if (Array.isArray(content)) {
      readList(content, route, outcome)
    } else if (route.signal !== undefined && route.payload !== "events") {
      readObject({ value: content }, route, outcome)
    } else {
      addFault(outcome, "wrong-shape", `expected an object or a list of objects, got ${kindOf(content)}`)
    }
  }

  function readList(items: readonly unknown[], route: Route, outcome: Outcome): void {
    if (items.length === 0) addFault(outcome, "wrong-shape", "an empty list")
    if (items.length > limits.maxItems) {
      addFault(outcome, "too-large", `a list of ${items.length}: at most ${limits.maxItems} are taken`)
      return
    }
    for (const item of items) {
      if (isObject(item)) readObject(item, route, outcome)
      else addFault(outcome, "wrong-shape", `expected objects in the list, got ${kindOf(item)}`)
    }
  }

  function readObject(object: Json, route: Route, outcome: Outcome): void {
    const asset = route.asset ?? assetOf(object)
    if ("reason" in asset) addFault(outcome, asset.reason, asset.detail)
    else if (route.payload === "events") readEvent(object, asset, route, outcome)
    else readSignals(object, asset, route, outcome)
  }

  function assetOf({ asset }: Json): ReturnType<typeof assets.find> {
    if (typeof asset === "string") return assets.find(asset)
    const detail = `the topic names no asset, so each object needs "asset" as text: got ${kindOf(asset)}`
    return { reason: "wrong-shape", detail } satisfies Refused
  }

  return {
    decode(topic, payload, arrivedMs, timeOf) {
      if (payload.length > limits.maxPayloadBytes) {
        return refusal("too-large", `${payload.length} bytes: at most ${limits.maxPayloadBytes} are taken`)
      }
      const route = routes.find(topic)
      if ("reason" in route) return refusal(route.reason, route.detail)
      const text = payload.toString()
      // Bytes that aren't UTF-8 become U+FFFD; only then is it worth asking whether the publisher meant that character.
      if (text.includes("\uFFFD") && !isUtf8(payload)) return refusal("not-json", "the payload is not UTF-8")
      let content: unknown
      try {
        content = JSON.parse(text)
      } catch (error) {
        if (route.payload !== "value") return refusal("not-json", messageOf(error).slice(0, maxParserMessage))
        // Controllers also print numbers that JSON doesn't know: 007.5, +3, .5
        if (!plainNumber.test(text.trim()))
          return refusal("not-a-number", `${quoted(text)}: expected a number`)
        content = Number(text)
      }
      const outcome = startOutcome(arrivedMs, timeOf)
      readPayload(content, route, outcome)
      return finishOutcome(outcome)
    },
    discovered: () => assets.discovered(),
  }
}
