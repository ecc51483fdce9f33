import { Socket } from "node:net"
import { connectAsync, type MqttClient } from "mqtt"
import type { Logger } from "pino"
import type { Clock } from "../core/clock.ts"
import { MillwrightError, messageOf } from "../core/errors.ts"

const reconnectAfterMs = 1000

export type PublisherOptions = {
  /** mqtt://[user:password@]host:port, or mqtts:// */
  readonly url: string
  /** How many messages may wait for their acknowledgement. */
  readonly inFlight: number
  readonly clock: Clock
  readonly logger: Logger
}

/** One MQTT connection that publishes with QoS 1, in order, and goes on by itself after a lost connection. */
export type Publisher = {
  /** Rejects with `SERVER_UNREACHABLE` when the broker can't be reached at first; later losses are mended. */
  start(): Promise<void>
  /** Resolves when the message has its place among those in flight. */
  send(topic: string, payload: string): Promise<void>
  /** True once every message sent so far is acknowledged; false when closed with some still missing. */
  settled(): Promise<boolean>
  acknowledged(): number
  isConnected(): boolean
  /** At once: who wants everything acknowledged waits for `settled` first. */
  close(): Promise<void>
}

type Message = { readonly topic: string; readonly payload: string }

/**
 * Keeps what is not yet acknowledged itself and sends it again, in order, on the next connection: mqtt.js's own
 * reconnection fails publishes that were queued when a connection is lost a second time.
 */
export function createPublisher({ url, inFlight, clock, logger }: PublisherOptions): Publisher {
  // Host and port: what stands before them may hold a password.
  const where = url.replace(/^(.*@|[a-z]+:\/\/)/s, "")
  const unacknowledged = new Set<Message>()
  const closing = new AbortController()
  let running = Promise.resolve()
  let client: MqttClient | undefined
  let acknowledged = 0
  let waiting: (() => void)[] = []

  const wake = () => {
    const woken = waiting
    waiting = []
    for (const resolve of woken) resolve()
  }
  const untilFewerThan = async (count: number): Promise<boolean> => {
    while (unacknowledged.size >= count) {
      if (closing.signal.aborted) return false
      await new Promise<void>((resolve) => {
        waiting.push(resolve)
      })
    }
    return true
  }

  const transmit = (connection: MqttClient, message: Message) => {
    connection.publish(message.topic, message.payload, { qos: 1 }, (error) => {
      // Not lost: it stays unacknowledged, and the next connection sends it again.
      if (error || connection !== client) return
      unacknowledged.delete(message)
      acknowledged++
      wake()
    })
  }

  const connect = async () => {
    const connection = await connectAsync(url, { reconnectPeriod: 0, connectTimeout: 10_000 }, false)
    // Nagle's algorithm would hold a last small message back for some 40 ms.
    if (connection.stream instanceof Socket) connection.stream.setNoDelay(true)
    client = connection
    for (const message of unacknowledged) transmit(connection, message)
    return connection
  }

  const stayConnected = async (connection: MqttClient) => {
    await connectionLost(connection, closing.signal)
    client = undefined
    while (!closing.signal.aborted) {
      await clock.sleep(reconnectAfterMs, closing.signal)
      if (closing.signal.aborted) return
      try {
        const next = await connect()
        logger.info({ where }, "connected again")
        await connectionLost(next, closing.signal)
        client = undefined
      } catch (error) {
        logger.warn({ where, unacknowledged: unacknowledged.size }, `not connected: ${messageOf(error)}`)
      }
    }
  }

  return {
    async start() {
      const first = await connect().catch((cause: unknown) => {
        throw new MillwrightError(
          "SERVER_UNREACHABLE",
          `no MQTT broker answers at ${where} (${messageOf(cause)}): start it, or say where it is`,
          { cause },
        )
      })
      running = stayConnected(first)
    },
    async send(topic, payload) {
      await untilFewerThan(inFlight)
      const message = { topic, payload }
      unacknowledged.add(message)
      if (client) transmit(client, message)
    },
    settled: () => untilFewerThan(1),
    acknowledged: () => acknowledged,
    isConnected: () => client !== undefined,
    async close() {
      closing.abort()
      wake()
      await running
    },
  }
}

/** Resolves when the connection is gone, ending it when `signal` aborts. */
async function connectionLost(connection: MqttClient, signal: AbortSignal): Promise<void> {
  if (!connection.connected) return
  const end = () => void connection.end(true)
  if (signal.aborted) end()
  else signal.addEventListener("abort", end, { once: true })
  await new Promise<void>((resolve) => {
    connection.once("close", () => resolve())
  })
  signal.removeEventListener("abort", end)
}
