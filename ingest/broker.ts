import { readFile } from "node:fs/promises"
import { createServer, type Server, type Socket } from "node:net"
import { createServer as createTlsServer } from "node:tls"
import { Aedes, type AuthenticateError, type Client, type PublishPacket } from "aedes"
import type { Logger } from "pino"
import { Counter, Gauge, type Registry } from "prom-client"
import type { Clock } from "../core/clock.ts"
import { MillwrightError, messageOf } from "../core/errors.ts"
import type { Intake } from "./intake.ts"
import { type MqttSide, ownTopics, storedInTime } from "./mqtt-side.ts"
import { Pending } from "./pending.ts"
import { passwordFits, readUsers } from "./users.ts"

export type BrokerSettings = {
  readonly host: string
  readonly port: number
  readonly maxPayloadBytes: number
  readonly maxConnections: number
  readonly users?: string | undefined
  readonly tlsCert?: string | undefined
  readonly tlsKey?: string | undefined
}

/** Beyond a payload: its topic, and what one read of the socket brings along. */
const framingBytes = 262_144

/** What may wait in memory for one subscriber; while more does, it misses the messages of other clients. */
const waitingBytes = 1_048_576

/**
 * Messages taken and not yet durable, of all connections. One connection has no more than one read of its socket; but
 * who gives up on PUBACK, and connects and sends again, leaves the old copies behind.
 */
const mostPending = { messages: 50_000, bytes: 67_108_864 }

/** Who has not taken all that waits within this time is disconnected. */
const drainMs = 5000

/** CONNACK 1, which aedes gives to MQTT 5 alone: what is older or newer is no MQTT to its parser. */
const unacceptableVersion = 1

/**
 * The embedded MQTT 3.1.1 broker. aedes sends PUBACK when `authorizePublish` calls back, and only then hands the
 * message on, so that hook is where a message is taken in: PUBACK follows the commit. All messages of one socket
 * read wait there together and the next read waits for them, which shares the commit and slows a publisher down.
 */
export class Broker implements MqttSide {
  readonly reach = undefined
  private readonly intake: Intake
  private readonly clock: Clock
  private readonly settings: BrokerSettings
  private readonly logger: Logger
  private readonly connections: Gauge
  private readonly missed: Counter
  private readonly refused: Counter
  private readonly pending = new Pending(mostPending)
  private isRefusing = false
  /** By connection, what it had sent at its last whole packet, and whether one has come since. */
  private readonly sockets = new Map<Socket, { bytes: number; isWhole: boolean }>()
  private users: ReadonlyMap<string, string> | undefined
  private aedes: Aedes | undefined
  private server: Server | undefined
  private ended: () => void = () => {}
  readonly done = new Promise<void>((resolve) => {
    this.ended = resolve
  })
  /** Subscriptions to anything but what Millwright itself says. */
  private readonly listeners = new Map<Client, Set<string>>()
  /** Subscribers who have yet to take what waits for them before they get more. */
  private readonly slow = new WeakSet<Client>()

  constructor(
    context: {
      readonly intake: Intake
      readonly clock: Clock
      readonly logger: Logger
      readonly metrics: Registry
    },
    settings: BrokerSettings,
  ) {
    this.intake = context.intake
    this.clock = context.clock
    this.logger = context.logger
    this.settings = settings
    this.connections = new Gauge({
      name: "millwright_mqtt_connections",
      help: "Open MQTT connections",
      registers: [context.metrics],
    })
    this.missed = new Counter({
      name: "millwright_mqtt_missed_total",
      help: "Messages of other clients that a subscriber did not get because it reads too slowly",
      registers: [context.metrics],
    })
    this.refused = new Counter({
      name: "millwright_mqtt_refused_total",
      help: "Messages that were not taken because too many wait for the log: their connections were closed",
      registers: [context.metrics],
    })
  }

  /** Throws `PORT_UNUSABLE` when the address can't be had. */
  async start(): Promise<void> {
    const { host, port, users } = this.settings
    this.users = users === undefined ? undefined : await readUsers(users)
    // One subscriber who doesn't read would fill any number of places (concurrency) that all share.
    const aedes = await Aedes.createBroker({ queueLimit: 10_000, drainTimeout: drainMs, concurrency: 0 })
    this.aedes = aedes
    aedes.preConnect = (_client, packet, done) => {
      // aedes keeps what waits for absent clients in memory, without a limit: nobody's session outlives its connection.
      packet.clean = true
      done(null, true)
    }
    aedes.authenticate = (_client, name, password, done) => {
      this.authenticate(name, password).then(
        (fits) => done(fits ? null : refused("bad user name or password"), fits),
        (error: Error) => done(refused(error.message), false),
      )
    }
    aedes.authorizePublish = (client, packet, done) => {
      // Retained messages would be kept in memory too, one for each topic that anybody thinks of.
      packet.retain = false
      if (packet.topic.startsWith("$")) done(new Error(`${packet.topic}: topics with $ are the broker's own`))
      else this.take(client, packet.topic, packet.payload, done)
    }
    aedes.authorizeForward = (client, packet) => {
      if (ownTopics.test(packet.topic) || this.keepsUp(client)) return packet
      this.missed.inc()
      return null
    }
    const publish = aedes.publish.bind(aedes) as (...parts: unknown[]) => void
    const handOn = (packet: PublishPacket, client: unknown, done: unknown) => {
      const isOwn = typeof client !== "object" || client === null
      if (isOwn) return publish(packet, client, done)
      // Handing a message to nobody still costs a third of what taking it in does. Nobody but Millwright is heard on
      // its own topics: such a message is taken in like any other, and is a dead letter where no pattern expects it.
      if (this.listeners.size > 0 && !ownTopics.test(packet.topic))
        publish(packet, client, (error?: Error) => {
          if (error) this.logger.debug({ error: error.message }, "a message was not handed on")
        })
      // aedes would have the publisher wait until every subscriber has read it.
      if (typeof done === "function") done()
    }
    aedes.publish = handOn as unknown as typeof aedes.publish
    aedes.on("subscribe", (subscriptions, client) => {
      this.heard(client)
      for (const { topic } of subscriptions) this.listens(client, topic)
    })
    aedes.on("unsubscribe", (filters, client) => {
      this.heard(client)
      for (const filter of filters) this.listeners.get(client)?.delete(filter)
      if (this.listeners.get(client)?.size === 0) this.listeners.delete(client)
    })
    aedes.on("clientDisconnect", (client) => this.listeners.delete(client))
    aedes.on("clientError", (client, error) =>
      this.logger.warn({ client: client.id, error: error.message }, "MQTT client dropped"),
    )
    aedes.on("connectionError", (_client, error) =>
      this.logger.warn({ error: error.message }, refusal(error)),
    )
    aedes.on("ping", (_packet, client) => this.heard(client))
    aedes.on("ack", (_packet, client) => this.heard(client))
    this.server = await this.createServer((socket) => this.accept(socket, aedes))
    this.server.maxConnections = this.settings.maxConnections
    await listen(this.server, host, port)
    this.logger.info({ host, port: this.port }, "MQTT broker is listening")
  }

  /** The port that it listens on: with port 0 the system chose one. */
  get port(): number {
    const address = this.server?.address()
    return typeof address === "object" && address !== null ? address.port : this.settings.port
  }

  /**
   * Says something to whoever subscribed, and waits until each has read it or is disconnected; nothing is kept for
   * those who are away.
   */
  publish(topic: string, payload: string): Promise<void> {
    const aedes = this.aedes
    if (aedes === undefined) return Promise.resolve()
    return new Promise((resolve, reject) => {
      aedes.publish({ cmd: "publish", topic, payload, qos: 1, retain: false, dup: false }, (error) =>
        error ? reject(error) : resolve(),
      )
    })
  }

  /** No new connection, then no new message; what was taken is acknowledged before the connections end. */
  async close(): Promise<void> {
    const aedes = this.aedes
    const server = this.server
    const closed = server && new Promise((resolve) => server.close(resolve))
    for (const socket of this.sockets.keys()) socket.pause()
    if (!(await storedInTime(this.clock, this.intake.drain()))) {
      this.logger.warn(
        "messages could not be stored before the end: without PUBACK, publishers send them again",
      )
      for (const socket of this.sockets.keys()) socket.destroy()
    }
    if (aedes !== undefined) await new Promise<void>((resolve) => aedes.close(resolve))
    for (const socket of this.sockets.keys()) socket.destroy()
    await closed
    this.ended()
  }

  private take(
    client: Client | null,
    topic: string,
    payload: Buffer | string,
    done: (error?: Error | null) => void,
  ): void {
    this.heard(client)
    const bytes = typeof payload === "string" ? Buffer.from(payload) : payload
    if (this.pending.isFull) {
      this.refuse(done)
      return
    }
    this.pending.add(bytes.length)
    this.intake.take(topic, bytes, this.clock.now(), (error) => {
      this.pending.remove(bytes.length)
      if (this.pending.messages === 0) this.isRefusing = false
      if (error === undefined) return done(null)
      // Without PUBACK the publisher keeps the message and sends it again on its next connection.
      this.logger.error(
        { error: error.message, topic },
        "a message could not be stored: its connection is closed",
      )
      done(error)
    })
  }

  /** Without PUBACK: the publisher sends it again on its next connection. */
  private refuse(done: (error: Error) => void): void {
    this.refused.inc()
    if (!this.isRefusing) {
      this.isRefusing = true
      this.logger.error(
        { messages: this.pending.messages },
        "too many messages wait for the log: connections that send more are closed until it takes them",
      )
    }
    done(new Error("too many messages wait for the log"))
  }

  private listens(client: Client, filter: string): void {
    if (client.closed || ownTopics.test(filter)) return
    const filters = this.listeners.get(client) ?? new Set()
    this.listeners.set(client, filters.add(filter))
  }

  /** Once too much waits for a subscriber, all of it must be taken before it gets more of what others publish. */
  private keepsUp(client: Client): boolean {
    const { writableLength, writableNeedDrain } = client.conn
    if (writableLength > waitingBytes) this.slow.add(client)
    else if (!writableNeedDrain) this.slow.delete(client)
    return !this.slow.has(client)
  }

  private async authenticate(name: string | undefined, password: Buffer | undefined): Promise<boolean> {
    if (this.users === undefined) return true
    const hash = this.users.get(name ?? "")
    return hash !== undefined && passwordFits(hash, password?.toString() ?? "")
  }

  private accept(socket: Socket, aedes: Aedes): void {
    socket.setNoDelay(true)
    this.sockets.set(socket, { bytes: 0, isWhole: false })
    this.connections.set(this.sockets.size)
    socket.once("close", () => {
      this.sockets.delete(socket)
      this.connections.set(this.sockets.size)
    })
    socket.on("readable", () => this.checkSize(socket))
    aedes.handle(socket)
  }

  private heard(client: Client | null): void {
    const seen = client === null ? undefined : this.sockets.get(client.conn as Socket)
    if (seen !== undefined) seen.isWhole = true
  }

  /**
   * Closes a connection that sends one packet without an end: the parser keeps it in memory until it is whole, and
   * MQTT lets it claim 256 MB.
   */
  private checkSize(socket: Socket): void {
    const seen = this.sockets.get(socket)
    if (seen === undefined) return
    if (seen.isWhole) {
      seen.bytes = socket.bytesRead
      seen.isWhole = false
    }
    const bytes = socket.bytesRead - seen.bytes
    const limit = this.settings.maxPayloadBytes
    if (bytes <= limit + framingBytes) return
    this.logger.warn(
      { bytes, limit },
      "MQTT connection closed: its packet is larger than mqtt.maxPayloadBytes",
    )
    socket.destroy()
  }

  private async createServer(accept: (socket: Socket) => void): Promise<Server> {
    const { tlsCert, tlsKey } = this.settings
    if (tlsCert === undefined || tlsKey === undefined) return createServer(accept)
    try {
      return createTlsServer({ cert: await readFile(tlsCert), key: await readFile(tlsKey) }, accept)
    } catch (cause) {
      throw new MillwrightError("CONFIG_INVALID", `mqtt.tlsCert, mqtt.tlsKey: ${messageOf(cause)}`, { cause })
    }
  }
}

function refusal(error: Error): string {
  return "errorCode" in error && error.errorCode === unacceptableVersion
    ? "MQTT connection refused: the client speaks MQTT 5, this broker MQTT 3.1.1 (protocol version 4)"
    : "MQTT connection refused"
}

function refused(message: string): AuthenticateError {
  return Object.assign(new Error(message), { returnCode: 4 })
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const why =
        cause.code === "EADDRINUSE" ? "is in use by another program" : `can't be used (${cause.message})`
      reject(
        new MillwrightError(
          "PORT_UNUSABLE",
          `MQTT address ${host}:${port} ${why}: stop that program, or set mqtt.port (MILLWRIGHT_MQTT_PORT)`,
          { cause },
        ),
      )
    })
    server.listen(port, host, resolve)
  })
}
