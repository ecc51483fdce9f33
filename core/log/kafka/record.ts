import type { Logger } from "pino"
import { messageOf } from "../../errors.ts"
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

/**
 * The record, or undefined where it is none of ours: another program may write to a topic of ours, and what is not
 * JSON must not stop the plant. It is told, and passed over.
 */
export function toRecord<T>(
  { offset, timestamp, key, value }: Message,
  partition: number,
  logger: Logger,
): LogRecord<T> | undefined {
  const position: Position = Number(offset)
  try {
    return {
      partition,
      position,
      key: key?.toString() ?? "",
      appendedMs: toMs(timestamp),
      value: JSON.parse(value?.toString() ?? "") as T,
    }
  } catch (error) {
    logger.error(
      { partition, position, error: messageOf(error) },
      "a record that is not JSON was passed over: something else writes to this topic",
    )
    return undefined
  }
}
