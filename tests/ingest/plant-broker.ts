/** The plant's own broker (aedes: MQTT 3.1.1), and Millwright's client of it on a log of its own. */
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { createServer, type Server, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Aedes } from "aedes"
import { pino } from "pino"
import { Registry } from "prom-client"
import { Catalogue } from "../../core/catalogue.ts"
import { type Clock, systemClock } from "../../core/clock.ts"
import { openSqliteDatabase } from "../../core/db/sqlite.ts"
import { EmbeddedLog } from "../../core/log/embedded.ts"
import { topics } from "../../core/topics.ts"
import { BrokerClient, type ClientSettings } from "../../ingest/client.ts"
import { Intake } from "../../ingest/intake.ts"
import { DeviceRegistry } from "../../ingest/registry.ts"
import { announce, plantRevision } from "../revision.ts"

export type PlantBroker = {
  readonly port: number
  readonly url: string
  /** Payloads of what its clients acknowledged, in that order. */
  readonly acknowledged: string[]
  /** Resolves when this holds; asked whenever something was acknowledged or subscribed to, or a client pinged or went. */
  until(holds: () => boolean): Promise<void>
  /** Filters that nobody may subscribe to. */
  readonly refused: Set<string>
  /** By client, what it is subscribed to. */
  subscriptions(client: string): readonly string[]
  /** How often its clients asked whether it is there. */
  pings(): number
  publish(
    topic: string,
    payload: string,
    options?: { readonly retain?: boolean; readonly qos?: 0 | 1 },
  ): Promise<void>
  /** Cuts every connection. */
  cut(): void
  close(): Promise<void>
}

export async function startPlantBroker(port = 0): Promise<PlantBroker> {
  const aedes = await Aedes.createBroker()
  const sockets = new Set<Socket>()
  const acknowledged: string[] = []
  const subscribed = new Map<string, Set<string>>()
  let waiting: (() => void)[] = []
  const happened = () => {
    const woken = waiting
    waiting = []
    for (const wake of woken) wake()
  }
  const refused = new Set<string>()
  aedes.authorizeSubscribe = (_client, subscription, done) =>
    done(null, refused.has(subscription.topic) ? null : subscription)
  aedes.on("ack", (packet) => {
    if (packet !== undefined && "payload" in packet) acknowledged.push(String(packet.payload))
    happened()
  })
  aedes.on("subscribe", (subscriptions, { id }) => {
    const filters = subscribed.get(id) ?? new Set()
    for (const { topic, qos } of subscriptions) if (qos < 128) filters.add(topic)
    subscribed.set(id, filters)
    happened()
  })
  aedes.on("unsubscribe", (filters, { id }) => {
    for (const filter of filters) subscribed.get(id)?.delete(filter)
    happened()
  })
  aedes.on("clientDisconnect", happened)
  let pings = 0
  aedes.on("ping", () => {
    pings++
    happened()
  })
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on("close", () => sockets.delete(socket))
    aedes.handle(socket)
  })
  server.listen(port, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("no TCP port")

  return {
    port: address.port,
    url: `mqtt://127.0.0.1:${address.port}`,
    acknowledged,
    refused,
    async until(holds) {
      while (!holds()) {
        await new Promise<void>((resolve) => {
          waiting.push(resolve)
        })
      }
    },
    subscriptions: (client) => [...(subscribed.get(client) ?? [])],
    pings: () => pings,
    publish: (topic, payload, { retain = false, qos = 1 } = {}) =>
      new Promise((resolve, reject) => {
        aedes.publish({ cmd: "publish", topic, payload, qos, retain, dup: false }, (error) =>
          error ? reject(error) : resolve(),
        )
      }),
    cut: () => {
      for (const socket of sockets) socket.destroy()
    },
    async close() {
      const closed = once(server, "close")
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
      await new Promise<void>((resolve) => aedes.close(resolve))
    },
  }
}

export type Taking = Awaited<ReturnType<typeof openTaking>>

/** A client of a plant's broker, with the intake and log behind it. Not started yet. */
export async function openTaking(
  settings: Partial<ClientSettings> & { url: string },
  clock: Clock = systemClock,
) {
  const directory = await mkdtemp(join(tmpdir(), "millwright-client-"))
  const log = await EmbeddedLog.open(join(directory, "log.sqlite"), { partitions: 4, clock: systemClock })
  const database = await openSqliteDatabase(join(directory, "database.sqlite"))
  const catalogue = new Catalogue(log)
  await catalogue.start()
  const devices = new DeviceRegistry(database, catalogue)
  await devices.start()
  const metrics = new Registry()
  const intake = new Intake(
    { log, catalogue, plantClock: "wall", metrics },
    { devices, silent: undefined },
    { maxPayloadBytes: 100_000, maxAssets: 100 },
  )
  const said: string[] = []
  const listeners = new Set<(line: string) => void>()
  const logger = pino(
    { level: "info" },
    {
      write: (line: string) => {
        const { msg } = JSON.parse(line)
        said.push(msg)
        for (const listener of listeners) listener(msg)
      },
    },
  )
  const hearsNext = (wanted: RegExp) =>
    new Promise<void>((resolve) => {
      const listener = (line: string) => {
        if (!wanted.test(line)) return
        listeners.delete(listener)
        resolve()
      }
      listeners.add(listener)
    })
  const openClient = (with_: Partial<ClientSettings> = {}, ownClock: Clock = clock) =>
    new BrokerClient(
      { intake, catalogue, clock: ownClock, logger },
      { group: "millwright", clientId: "ingest", ...settings, ...with_ },
    )
  return {
    directory,
    log,
    intake,
    said,
    hearsNext,
    /** Resolves when a line that was said matches. */
    async hears(line: RegExp): Promise<void> {
      if (!said.some((one) => line.test(one))) await hearsNext(line)
    },
    openClient,
    /** Messages that the intake was handed, durable or not. */
    async handed(): Promise<number> {
      const counter = await metrics.getSingleMetric("millwright_messages_total")?.get()
      return counter?.values[0]?.value ?? 0
    },
    async values(signal: string): Promise<number[]> {
      const values: number[] = []
      for await (const { value } of log.read(topics.telemetry))
        if (value.kind === "reading") values.push(value.values[signal] ?? Number.NaN)
      return values
    },
    apply(revision: number, source: string): Promise<void> {
      return announce(log, catalogue, plantRevision(source, { plant: "p", revision }))
    },
    async close() {
      await catalogue.close()
      await log.close()
      await database.close()
      await rm(directory, { recursive: true })
    },
  }
}
