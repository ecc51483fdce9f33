import { connect as connectTcp, isIP, type Socket } from "node:net"
import { connect as connectTls } from "node:tls"
import {
  ErrorWithReasonCode,
  ErrorWithSubackPacket,
  type IPublishPacket,
  MqttClient,
  ReasonCodes,
} from "mqtt"
import { BrokerTrouble, closedLater, closedUnanswered, notStored } from "./client-trouble.ts"
import type { Settle } from "./intake.ts"

export type ConnectionOptions = {
  readonly host: string
  readonly port: number
  readonly isSecure: boolean
  /** PEM certificate of the authority, where it is not a public one. */
  readonly ca: string | undefined
  readonly user: string | undefined
  readonly password: string | undefined
  readonly clientId: string
  readonly version: 4 | 5
  /** How many messages the broker may have under way to us; MQTT 5 alone can say it. */
  readonly maxPending: number
  /** Without a word between them for one and a half times as long, each takes the other for gone. */
  readonly keepAliveSeconds: number
  /** Takes a message, in the order of arrival. `settle` once it is durable, `next` for the one after it. */
  take(message: IPublishPacket, settle: Settle, next: () => void): void
  /** Told again and again while `next` was not called and the broker's answers can't be heard for it. */
  heldBackLong(): void
}

/** A message whose PUBACK waits for it to be durable, and for those before it. */
type Unacknowledged = { readonly id: number; isDurable: boolean }

/** The broker keeps a session, and what comes for it, for so long after its client was last seen. */
const sessionSeconds = 7 * 86_400
const answerMs = 10_000
/** How long the broker may take to close after DISCONNECT. */
const farewellMs = 1000
/** Both are whole packets in MQTT 3.1.1 and 5: without a reason code, PUBACK and DISCONNECT mean success. */
const pubackHead = [0x40, 2] as const
const disconnect = Buffer.of(0xe0, 0)
const sharingRefused = 158

/**
 * mqtt.js acknowledges a message before it takes the next one, which costs a commit for each message. Told that a
 * message failed it goes on without PUBACK; the PUBACKs are then written here, many at once.
 */
const acknowledgedLater = new Error("acknowledged once it is durable")

/**
 * One connection to the plant's broker, from CONNECT until its socket closes; the next one is another object, so that
 * a PUBACK can only go to the connection on which its message came: packet ids are used again on the next. PUBACKs
 * are in the order of arrival, as MQTT asks (4.6), and so is what the broker sends again.
 */
export class BrokerConnection {
  /** Why it closed. */
  readonly closed: Promise<Error>
  private readonly options: ConnectionOptions
  private readonly socket: Socket
  private readonly client: MqttClient
  private readonly granted = new Set<string>()
  private readonly unacknowledged: Unacknowledged[] = []
  private readonly asking = new Set<(lost: Error) => void>()
  /** What the session, if there was one, no longer holds. */
  private readonly absent = new Set<string>()
  private hasRefusedSharing = false
  private hasAnswered = false
  private hasSession = false
  /** Why it is about to close. */
  private cause: Error | undefined
  private lost: Error | undefined
  private isFlushing = false
  /** Nothing is read: the message in hand waits for room. */
  private isHeldBack = false

  private constructor(options: ConnectionOptions) {
    this.options = options
    this.socket = openSocket(options)
    this.socket.setNoDelay(true)
    this.socket.on("error", (error) => this.fail(error))
    this.closed = new Promise((resolve) => {
      this.socket.once("close", () => {
        const lost = this.cause ?? new BrokerTrouble(this.hasAnswered ? closedLater : closedUnanswered)
        this.lost = lost
        for (const reject of this.asking) reject(lost)
        resolve(lost)
      })
    })
    this.client = new MqttClient(() => this.socket, {
      protocolVersion: options.version,
      clientId: options.clientId,
      clean: false,
      keepalive: options.keepAliveSeconds,
      connectTimeout: answerMs,
      // A connection that is lost is replaced, not mended.
      reconnectPeriod: 0,
      resubscribe: false,
      ...(options.user === undefined ? {} : { username: options.user }),
      ...(options.password === undefined ? {} : { password: options.password }),
      ...(options.version === 5
        ? { properties: { sessionExpiryInterval: sessionSeconds, receiveMaximum: options.maxPending } }
        : {}),
    })
    this.client.handleMessage = (packet, next) => this.receive(packet, () => next(acknowledgedLater))
    const lose = this.client.onKeepaliveTimeout.bind(this.client)
    this.client.onKeepaliveTimeout = () => {
      if (this.isHeldBack) this.stayWhileHeldBack()
      else lose()
    }
    this.client.on("error", (error) => this.fail(error))
    this.client.on("disconnect", ({ reasonCode = 0 }) =>
      this.fail(new ErrorWithReasonCode(ReasonCodes[reasonCode as keyof typeof ReasonCodes], reasonCode)),
    )
  }

  /** Resolves when the broker has accepted the connection. Rejects with why not, or when `signal` aborts. */
  static async open(options: ConnectionOptions, signal: AbortSignal): Promise<BrokerConnection> {
    const connection = new BrokerConnection(options)
    const giveUp = () => connection.fail(new BrokerTrouble({ why: "no longer wanted", todo: "" }))
    signal.addEventListener("abort", giveUp)
    if (signal.aborted) giveUp()
    try {
      const accepted = new Promise<boolean>((resolve) => {
        connection.client.once("connect", ({ sessionPresent }) => resolve(sessionPresent))
      })
      connection.hasSession = await connection.unlessLost(accepted)
      connection.hasAnswered = true
      return connection
    } finally {
      signal.removeEventListener("abort", giveUp)
    }
  }

  get isOpen(): boolean {
    return !this.socket.destroyed
  }

  get version(): 4 | 5 {
    return this.options.version
  }

  /** False where the broker does not share a subscription among several clients, or has refused to. */
  get shares(): boolean {
    // 3.1.1 has no word for it: a broker that takes `$share/…` for a plain filter would accept it and never send anything.
    if (this.version === 4 || this.hasRefusedSharing) return false
    return this.client.serverProperties?.sharedSubscriptionAvailable !== false
  }

  /** Resolves to why the broker refuses, or undefined. Rejects when the connection is lost. */
  async subscribe(filter: string): Promise<string | undefined> {
    if (this.granted.has(filter)) return undefined
    // 2: no retained messages, which a shared subscription never gets either.
    const options = this.version === 5 ? { qos: 1 as const, rh: 2 } : { qos: 1 as const }
    try {
      await this.unlessLost(this.client.subscribeAsync(filter, options))
    } catch (error) {
      if (!(error instanceof ErrorWithSubackPacket)) throw error
      this.hasRefusedSharing ||= error.packet.granted[0] === sharingRefused
      return error.message
    }
    this.granted.add(filter)
    this.absent.delete(filter)
    return undefined
  }

  /** Leaves those of these filters that the session may hold. Rejects when the connection is lost. */
  async unsubscribe(filters: readonly string[]): Promise<void> {
    const held = filters.filter(
      (filter) => this.granted.has(filter) || (this.hasSession && !this.absent.has(filter)),
    )
    if (held.length === 0) return
    await this.unlessLost(this.client.unsubscribeAsync(held))
    for (const filter of held) {
      this.granted.delete(filter)
      this.absent.add(filter)
    }
  }

  /** Resolves with PUBACK. Rejects when the broker refuses, or the connection is lost before. */
  async publish(topic: string, payload: string): Promise<void> {
    await this.unlessLost(this.client.publishAsync(topic, payload, { qos: 1 }))
  }

  /** Sends the PUBACKs that are due, then DISCONNECT; the session stays. Resolves when the connection is closed. */
  async end(wait: (ms: number, signal: AbortSignal) => Promise<void>): Promise<void> {
    this.flush()
    if (this.socket.writable) this.socket.end(disconnect)
    const over = new AbortController()
    await Promise.race([this.closed, wait(farewellMs, over.signal)])
    over.abort()
    this.socket.destroy()
    await this.closed
  }

  private receive(packet: IPublishPacket, next: () => void): void {
    // What was read before the connection was lost comes again on the next one, in its place.
    if (!this.isOpen) return
    if (packet.qos === 0 || packet.messageId === undefined) {
      this.take(packet, (error) => error && this.fail(notStored(error)), next)
      return
    }
    const waiting: Unacknowledged = { id: packet.messageId, isDurable: false }
    this.unacknowledged.push(waiting)
    const settle = (error?: Error) => {
      // The broker sends it again only on another connection, and with it all that came after it.
      if (error !== undefined) return this.fail(notStored(error))
      waiting.isDurable = true
      this.flushSoon()
    }
    this.take(packet, settle, next)
  }

  private take(packet: IPublishPacket, settle: Settle, next: () => void): void {
    this.isHeldBack = true
    let isLater = false
    this.options.take(packet, settle, () => {
      this.isHeldBack = false
      // The broker's answer to PINGREQ may be behind what is now read.
      if (isLater) this.client.reschedulePing(true)
      next()
    })
    isLater = true
  }

  /** The answer to PINGREQ is there and not read. The broker must hear of us all the same. */
  private stayWhileHeldBack(): void {
    this.client.sendPing()
    this.client.reschedulePing(true)
    this.options.heldBackLong()
  }

  /** Messages of one commit are settled in one go: their PUBACKs share a write. */
  private flushSoon(): void {
    if (this.isFlushing) return
    this.isFlushing = true
    queueMicrotask(() => {
      this.isFlushing = false
      this.flush()
    })
  }

  private flush(): void {
    const bytes: number[] = []
    for (let first = this.unacknowledged[0]; first?.isDurable; first = this.unacknowledged[0]) {
      bytes.push(...pubackHead, first.id >> 8, first.id & 0xff)
      this.unacknowledged.shift()
    }
    if (bytes.length > 0 && this.socket.writable) this.socket.write(Buffer.from(bytes))
  }

  private fail(cause: Error): void {
    this.cause ??= cause
    this.socket.destroy()
  }

  /** mqtt.js keeps what it was asked for the next connection; here there is none. */
  private unlessLost<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      answer.then(resolve, reject).finally(() => this.asking.delete(reject))
      if (this.lost === undefined) this.asking.add(reject)
      else reject(this.lost)
    })
  }
}

function openSocket({ host, port, isSecure, ca }: ConnectionOptions): Socket {
  if (!isSecure) return connectTcp({ host, port })
  return connectTls({
    host,
    port,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(ca === undefined ? {} : { ca }),
  })
}
