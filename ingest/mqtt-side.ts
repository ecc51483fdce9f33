import type { Clock } from "../core/clock.ts"
import type { Reach } from "../core/reach.ts"

/**
 * Where MQTT messages come from: Millwright's own broker, or the plant's with Millwright as its client. Both hand
 * them to the intake and tell the publisher, or the plant's broker, that one was taken only once it is durable.
 */
export interface MqttSide {
  /** Throws `CONFIG_INVALID` and `PORT_UNUSABLE`. Does not wait for another server. */
  start(): Promise<void>
  /** Takes nothing more, and waits some seconds for what was taken to be stored: what was not is sent again. */
  close(): Promise<void>
  /** Rejects when it can't go on by itself; resolves after `close`. */
  readonly done: Promise<void>
  /** Says something to whoever subscribed. */
  publish(topic: string, payload: string): Promise<void>
  /** Of Millwright's own broker. */
  readonly port: number | undefined
  /** The plant's broker. */
  readonly reach: Reach | undefined
}

/** What Millwright itself says on MQTT. */
export const ownTopics = /^v1\/[^/]+\/[^/]+\/(detections|orders)$/

/** A log that can't be reached must not keep the process: nothing of what waits was acknowledged. */
const longestStoringMs = 5000

/** Waits until what was taken is stored, but not for ever. False when time ran out. */
export async function storedInTime(clock: Clock, stored: Promise<void>): Promise<boolean> {
  const over = new AbortController()
  const inTime = await Promise.race([
    stored.then(() => true),
    clock.sleep(longestStoringMs, over.signal).then(() => false),
  ])
  over.abort()
  return inTime
}
