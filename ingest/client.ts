import { hostname } from "node:os"
import type { IPublishPacket } from "mqtt"
import type { Logger } from "pino"
import type { Catalogue } from "../core/catalogue.ts"
import type { Clock } from "../core/clock.ts"
import { MillwrightError, messageOf } from "../core/errors.ts"
import { Reach } from "../core/reach.ts"
import { readSecret } from "../core/secrets.ts"
import { BrokerConnection, type ConnectionOptions } from "./client-connection.ts"
import { BrokerTrouble, brokerTrouble, isVersionRefused } from "./client-trouble.ts"
import { topicFilters } from "./decode/routes.ts"
import { emptyPlant, type Intake, type Settle } from "./intake.ts"
import { type MqttSide, ownTopics, storedInTime } from "./mqtt-side.ts"
import { Pending } from "./pending.ts"

export type ClientSettings = {
  readonly url: string
  readonly passwordFile?: string | undefined
  readonly ca?: string | undefined
  /** Processes of one group share the messages. */
  readonly group: string
  /** The broker keeps a session by this name: its own for each process, the same after a restart. */
  readonly clientId?: string | undefined
  /** A connection on which nothing was heard for one and a half times as long is lost. Default 30. */
  readonly keepAliveSeconds?: number | undefined
}

type Address = Omit<ConnectionOptions, "take" | "heldBackLong">

/** What goes on once fewer messages are pending: the reading of a connection. */
type HeldBack = { readonly pending: Pending; readonly next: () => void }

/**
 * Messages taken and not yet durable. While there are more, the broker keeps the rest: by MQTT 5 it sends no more, and
 * from one of 3.1.1 they are not read. Divided by the time of a commit it is the most that can come in a second.
 */
const mostPending = { messages: 1000, bytes: 33_554_432 }

/** As above, with what came on earlier connections: it comes again on the next one, which must not wait for it. */
const mostPendingInAll = { messages: 10_000, bytes: 134_217_728 }

/** A connection that lasted so long was no failed attempt: after it the pauses start small again. */
const steadyMs = 30_000
const keepAliveSeconds = 30
const firstPauseMs = 250
const longestPauseMs = 10_000

/**
 * Millwright as a client of the plant's own broker, MQTT 5 or 3.1.1. It has one connection, which keeps the order of
 * each asset's messages, with a session that the broker keeps while Millwright is away. A message is acknowledged
 * once it is durable; what was not is sent again after a reconnect, so that publishing with QoS 1 loses nothing.
 *
 * Several ingest processes share the messages (`$share/{group}/…`), where the broker speaks MQTT 5. Two messages of
 * one asset may then be taken by two processes in either order, as late data is; and with the plant's clock `event`
 * each would take the partitions that it hears nothing of for silent: that clock is for one ingest process.
 *
 * Another `group` needs another `clientId`: the session of the old one still has the old group's subscriptions.
 */
export class BrokerClient implements MqttSide {
  readonly port = undefined
  readonly reach: Reach
  private readonly intake: Intake
  private readonly catalogue: Catalogue
  private readonly clock: Clock
  private readonly logger: Logger
  private readonly settings: ClientSettings
  private readonly url: URL
  private readonly clientId: string
  private readonly stop = new AbortController()
  private readonly stopped: Promise<void>
  private readonly said = new Set<string>()
  private connection: BrokerConnection | undefined
  private running: Promise<void> = Promise.resolve()
  private readonly pending = new Pending(mostPendingInAll)
  private heldBack: HeldBack[] = []
  private hasSaidHeldBack = false
  private whenIdle: () => void = () => {}
  /** Who has something to say and no connection. */
  private waiting: (() => void)[] = []
  private openedMs = 0
  private subscribedTo = ""

  constructor(
    context: {
      readonly intake: Intake
      readonly catalogue: Catalogue
      readonly clock: Clock
      readonly logger: Logger
    },
    settings: ClientSettings,
  ) {
    this.intake = context.intake
    this.catalogue = context.catalogue
    this.clock = context.clock
    this.logger = context.logger
    this.settings = settings
    this.url = new URL(settings.url)
    this.clientId = settings.clientId ?? `millwright-${hostname()}`
    const { signal } = this.stop
    this.stopped = new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }))
    this.reach = new Reach({
      name: "MQTT broker",
      where: `${this.url.hostname}:${portOf(this.url)}`,
      clock: context.clock,
      logger: context.logger,
      explain: brokerTrouble,
    })
  }

  /** Connects in the background; `reach` tells how it goes. Throws `CONFIG_INVALID` for files that can't be read. */
  async start(): Promise<void> {
    const { passwordFile, ca } = this.settings
    const password = readSecret("mqtt.passwordFile", passwordFile) ?? decodeURIComponent(this.url.password)
    const user = decodeURIComponent(this.url.username)
    this.running = this.run({
      host: this.url.hostname.replace(/^\[(.*)\]$/, "$1"),
      port: portOf(this.url),
      isSecure: this.url.protocol === "mqtts:",
      ca: readSecret("mqtt.ca", ca),
      user: user === "" ? undefined : user,
      password: password === "" ? undefined : password,
      clientId: this.clientId,
      version: 5,
      keepAliveSeconds: this.settings.keepAliveSeconds ?? keepAliveSeconds,
      maxPending: mostPending.messages,
    })
    this.running.catch(() => {})
  }

  get done(): Promise<void> {
    return this.running
  }

  /**
   * Resolves when the broker has it, over as many connections as that takes. One that the broker refuses is left out,
   * and said so once: who may listen is the broker's to decide. Rejects with `SERVER_UNREACHABLE` after `close`.
   */
  async publish(topic: string, payload: string): Promise<void> {
    for (;;) {
      const connection = await this.nextConnection()
      try {
        await connection.publish(topic, payload)
        return
      } catch (error) {
        if (!connection.isOpen) continue
        this.sayOnce(
          `the MQTT broker refuses what is published to v1/+/+/${topic.split("/").at(-1)} (${messageOf(error)}): ` +
            "let the user of mqtt.url publish there, or nobody will see it on a panel",
        )
        return
      }
    }
  }

  async close(): Promise<void> {
    this.stop.abort()
    // What comes from now on is passed over without PUBACK: it is sent again at the next start.
    this.goOn()
    this.hasConnection()
    const stored = this.pending.messages === 0 || (await storedInTime(this.clock, this.idle()))
    if (!stored) {
      this.logger.warn(
        { messages: this.pending.messages },
        "messages could not be stored before the end: the MQTT broker sends them again at the next start",
      )
    }
    await this.end()
    await this.running
    // One that was just being opened.
    await this.end()
  }

  private async run(options: Address): Promise<void> {
    let changed = this.nextRevision()
    let pauseMs = 0
    while (!this.isClosing) {
      const connection = await this.subscribed(options)
      if (connection === undefined) return
      const ended = await Promise.race([connection.closed, this.stopped, changed])
      if (ended instanceof Error) pauseMs = await this.pauseAfter(ended, pauseMs)
      else changed = this.nextRevision()
    }
  }

  /** The connection, with its subscriptions as the newest revision has them; undefined when it was told to stop. */
  private async subscribed(options: Address): Promise<BrokerConnection | undefined> {
    try {
      return await this.reach.until(async () => {
        const connection = this.connection?.isOpen ? this.connection : await this.open(options)
        await this.subscribe(connection)
        return connection
      }, this.stop.signal)
    } catch (error) {
      if (this.isClosing) return undefined
      throw error
    }
  }

  private async open(address: Address): Promise<BrokerConnection> {
    const { signal } = this.stop
    const pending = new Pending(mostPending, this.pending)
    const options: ConnectionOptions = {
      ...address,
      take: (message, settle, next) => this.take(message, pending, settle, next),
      heldBackLong: () => this.sayHeldBack(),
    }
    try {
      this.connection = await BrokerConnection.open(options, signal)
    } catch (error) {
      if (!isVersionRefused(error)) throw error
      this.connection = await BrokerConnection.open({ ...options, version: 4 }, signal)
    }
    this.openedMs = this.clock.now()
    this.hasConnection()
    return this.connection
  }

  /** Subscribes to what the newest revision expects, then leaves what only an earlier one did. */
  private async subscribe(connection: BrokerConnection): Promise<void> {
    const wanted = topicFilters(this.catalogue.newest()?.plant ?? emptyPlant)
    const asked = new Set<string>()
    const granted: string[] = []
    const refused: string[] = []
    for (const filter of wanted) {
      let name = this.shared(filter)
      let refusal = connection.shares ? await connection.subscribe(name) : undefined
      if (!connection.shares) {
        this.sayOnce(
          "the MQTT broker does not share subscriptions ($share, MQTT 5): run no more than one ingest process",
        )
        name = filter
        refusal = await connection.subscribe(name)
      }
      asked.add(name)
      if (refusal === undefined) granted.push(name)
      else refused.push(`${filter} (${refusal})`)
    }
    this.saySubscribed(granted, connection.version)
    await connection.unsubscribe(this.everWanted().filter((filter) => !asked.has(filter)))
    if (refused.length > 0) {
      throw new BrokerTrouble({
        why: `it refuses the subscription to ${refused.join(", ")}`,
        todo: "Let the user of mqtt.url read there, or change ingest.topics in the plant file",
      })
    }
  }

  private saySubscribed(filters: readonly string[], version: 4 | 5): void {
    const protocol = version === 5 ? "MQTT 5" : "MQTT 3.1.1"
    const subscribed = `${protocol} ${filters.join()}`
    if (subscribed === this.subscribedTo) return
    this.subscribedTo = subscribed
    this.logger.info({ where: this.reach.where, protocol, filters }, "subscribed at the MQTT broker")
  }

  /** All that a session may hold: what any revision subscribed to, shared or not. */
  private everWanted(): readonly string[] {
    const filters = new Set(topicFilters(emptyPlant))
    let revision = this.catalogue.after(0)
    for (; revision !== undefined; revision = this.catalogue.after(revision.number))
      for (const filter of topicFilters(revision.plant)) filters.add(filter)
    return [...filters].flatMap((filter) => [filter, this.shared(filter)])
  }

  private shared(filter: string): string {
    return `$share/${this.settings.group}/${filter}`
  }

  /** Two clients with one id take the session from each other: without growing pauses they would do nothing else. */
  private async pauseAfter(lost: Error, previousMs: number): Promise<number> {
    if (this.isClosing) return 0
    const isSteady = this.clock.now() - this.openedMs >= steadyMs
    const pauseMs = isSteady ? firstPauseMs : Math.min(Math.max(2 * previousMs, firstPauseMs), longestPauseMs)
    this.reach.failed(lost)
    await this.clock.sleep(pauseMs, this.stop.signal)
    return pauseMs
  }

  private nextRevision(): Promise<void> {
    const changed = this.newRevision()
    // Waited for beside the connection: without one nobody may hear of a failure at once.
    changed.catch(() => {})
    return changed
  }

  private async newRevision(): Promise<void> {
    const known = this.catalogue.newest()?.number ?? 0
    await this.catalogue.knows(known + 1)
    // A catalogue that closes knows no more than before.
    if ((this.catalogue.newest()?.number ?? 0) === known) await this.stopped
  }

  private take(
    { topic, payload, retain }: IPublishPacket,
    pending: Pending,
    settle: Settle,
    next: () => void,
  ): void {
    if (this.isClosing) {
      next()
      return
    }
    if (retain || ownTopics.test(topic)) {
      if (retain) this.sayOnce("retained MQTT messages are passed over: they are values from before")
      settle()
      next()
      return
    }
    const bytes = typeof payload === "string" ? Buffer.from(payload) : payload
    pending.add(bytes.length)
    this.intake.take(topic, bytes, this.clock.now(), (error) => {
      pending.remove(bytes.length)
      settle(error)
      this.goOn()
    })
    if (pending.isFull) this.heldBack.push({ pending, next })
    else next()
  }

  private goOn(): void {
    if (this.pending.messages === 0) this.whenIdle()
    if (this.heldBack.length === 0) return
    const held = this.heldBack
    this.heldBack = []
    for (const one of held) {
      if (one.pending.isFull && !this.isClosing) this.heldBack.push(one)
      else one.next()
    }
    if (this.heldBack.length === 0) this.hasSaidHeldBack = false
  }

  private sayHeldBack(): void {
    if (this.hasSaidHeldBack) return
    this.hasSaidHeldBack = true
    this.logger.warn(
      { where: this.reach.where, messages: this.pending.messages },
      "messages wait for the log: until it takes them nothing more is read from the MQTT broker, which keeps the rest",
    )
  }

  private idle(): Promise<void> {
    return new Promise((resolve) => {
      this.whenIdle = resolve
    })
  }

  private async end(): Promise<void> {
    await this.connection?.end((ms, signal) => this.clock.sleep(ms, signal))
  }

  private get isClosing(): boolean {
    return this.stop.signal.aborted
  }

  private async nextConnection(): Promise<BrokerConnection> {
    for (;;) {
      if (this.isClosing) {
        throw new MillwrightError("SERVER_UNREACHABLE", `the client of ${this.reach.where} is closed`)
      }
      if (this.connection?.isOpen) return this.connection
      await new Promise<void>((resolve) => this.waiting.push(resolve))
    }
  }

  /** Wakes those who wait for a connection; also where there will be none. */
  private hasConnection(): void {
    const { waiting } = this
    this.waiting = []
    for (const wake of waiting) wake()
  }

  private sayOnce(line: string): void {
    if (this.said.has(line)) return
    this.said.add(line)
    this.logger.warn({ where: this.reach.where }, line)
  }
}

function portOf({ port, protocol }: URL): number {
  if (port !== "") return Number(port)
  return protocol === "mqtts:" ? 8883 : 1883
}
