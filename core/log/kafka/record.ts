import type { Logger } from "pino"
import { messageOf } from "../../errors.ts"
import { type Topic, topics } from "../../topics.ts"
import type { LogRecord, Position } from "../log.ts"

/** What kafkajs gives of a record. */
export type Message = {
  readonly offset: string
  /** Milliseconds since 1970, by the broker's clock. */
  readonly timestamp: string
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly isControlRecord?: boolean
}

/** Milliseconds since 1970 of one record after the other rarely differ: each is converted once. */
let lastTime = { text: "", ms: 0 }

function toMs(text: string): number {
  if (text !== lastTime.text) lastTime = { text, ms: Number(text) }
  return lastTime.ms
}

/** Says what is wrong with a value that is none of its topic; undefined where it is one. */
export type Shape = (value: unknown) => string | undefined

/** By the topic's schema; of telemetry, which comes by the thousand, no more than what its readers count on. */
export function shapeOf({ name, schema }: Topic<unknown>): Shape {
  if (name === topics.telemetry.name) return telemetryShape
  return (value) => {
    const { success, error } = schema.safeParse(value)
    return success ? undefined : error.message
  }
}

function telemetryShape(value: unknown): string | undefined {
  if (!isObject(value)) return "it is not an object"
  const { kind, site, asset, atMs, arrivedMs } = value
  if (typeof atMs !== "number") return "its atMs is not a number"
  if (kind === "tick") return undefined
  if (kind === "action") return shapeOfAction(value)
  if (kind !== "reading" && kind !== "event") return "its kind is not one of telemetry"
  if (typeof site !== "string" || typeof asset !== "string") return "its site or asset is not a text"
  if (typeof arrivedMs !== "number") return "its arrivedMs is not a number"
  if (kind === "reading") return isObject(value.values) ? undefined : "its values are not an object"
  if (typeof value.code !== "string") return "its code is not a text"
  return isObject(value.attributes) ? undefined : "its attributes are not an object"
}

/** Few enough to be read in full. */
function shapeOfAction(value: unknown): string | undefined {
  const { success, error } = topics.telemetry.schema.safeParse(value)
  return success ? undefined : error.message
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

/**
 * The record, or undefined where it is none of ours: another program may write to a topic of ours, and what has
 * another shape must not stop the plant. It is told, and passed over.
 */
export function toRecord<T>(
  { offset, timestamp, key, value }: Message,
  partition: number,
  { shape, logger }: { readonly shape: Shape; readonly logger: Logger },
): LogRecord<T> | undefined {
  const position: Position = Number(offset)
  const passOver = (error: string) =>
    logger.error(
      { partition, position, error },
      "a record that is not JSON of this topic's shape was passed over: something else writes to this topic",
    )
  let parsed: unknown
  try {
    parsed = JSON.parse(value?.toString() ?? "")
  } catch (error) {
    passOver(messageOf(error))
    return undefined
  }
  const wrong = shape(parsed)
  if (wrong !== undefined) {
    passOver(wrong)
    return undefined
  }
  return { partition, position, key: key?.toString() ?? "", appendedMs: toMs(timestamp), value: parsed as T }
}
