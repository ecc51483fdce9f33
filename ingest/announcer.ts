import type { Logger } from "pino"
import type { Clock } from "../core/clock.ts"
import { Claims } from "../core/db/claims.ts"
import type { Database } from "../core/db/database.ts"
import { Positions } from "../core/db/positions.ts"
import type { Consumer, Log, LogRecord, Position, Subscription } from "../core/log/log.ts"
import type { OrderEvent } from "../core/orders.ts"
import { type Topic, topics } from "../core/topics.ts"
import { type DetectionRecord, isDetection } from "../core/vocabulary.ts"
import type { MqttSide } from "./mqtt-side.ts"

type AnnouncerContext = {
  readonly log: Log
  readonly database: Database
  readonly clock: Clock
  readonly logger: Logger
}

type Message = { readonly topic: string; readonly payload: string }

/** Says detections and orders on MQTT, for operator panels: `v1/{site}/{asset}/detections` and `…/orders`. */
export class Announcer {
  private readonly log: Log
  private readonly database: Database
  private readonly clock: Clock
  private readonly logger: Logger
  private readonly mqtt: Pick<MqttSide, "publish">
  private readonly stop = new AbortController()
  private subscriptions: readonly Subscription[] = []

  constructor({ log, database, clock, logger }: AnnouncerContext, mqtt: Pick<MqttSide, "publish">) {
    this.log = log
    this.database = database
    this.clock = clock
    this.logger = logger
    this.mqtt = mqtt
  }

  async prepare(): Promise<void> {
    await new Positions(this.database, "announcer", topics.detections.name).migrate()
  }

  async start(): Promise<void> {
    this.subscriptions = [
      await this.announce(topics.detections, (value: DetectionRecord) =>
        isDetection(value)
          ? { topic: `v1/${value.site}/${value.asset}/detections`, payload: JSON.stringify(value) }
          : undefined,
      ),
      await this.announce(topics.workOrderEvents, (value: OrderEvent) => ({
        topic: `v1/${value.order.site}/${value.order.asset}/orders`,
        payload: JSON.stringify(value),
      })),
    ]
  }

  /** Does not wait for those who listen: what they have yet to read is said again at the next start. */
  async close(): Promise<void> {
    this.stop.abort()
    for (const subscription of this.subscriptions) await subscription.close()
  }

  get done(): Promise<unknown> {
    return Promise.all(this.subscriptions.map(({ done }) => done))
  }

  private async announce<T>(
    topic: Topic<T>,
    message: (value: T) => Message | undefined,
  ): Promise<Subscription> {
    const parts = { database: this.database, clock: this.clock, logger: this.logger }
    const claims = new Claims(parts, { consumer: "announcer", topic: topic.name, of: "announcer" })
    const consumer = new AnnouncingConsumer(this.clock, claims, (value: T) => {
      const said = message(value)
      return said === undefined || this.say(said)
    })
    const subscription = await this.log.subscribe(topic, "announcer", consumer)
    consumer.committed = (partition, position) => subscription.commit(partition, position)
    return subscription
  }

  /** True once it was said; false when the announcer closes before. */
  private say({ topic, payload }: Message): Promise<boolean> {
    const { signal } = this.stop
    return new Promise((resolve, reject) => {
      const giveUp = () => resolve(false)
      if (signal.aborted) return giveUp()
      signal.addEventListener("abort", giveUp)
      this.mqtt
        .publish(topic, payload)
        .finally(() => signal.removeEventListener("abort", giveUp))
        .then(() => resolve(true), reject)
    })
  }
}

const saveMs = 1000

/** Saves its positions about each second: after a crash no more than that is said again. */
class AnnouncingConsumer<T> implements Consumer<T> {
  committed: (partition: number, position: Position) => void = () => {}
  private readonly clock: Clock
  private readonly claims: Claims
  private readonly say: (value: T) => boolean | Promise<boolean>
  private readonly said = new Map<number, Position>()
  private savedMs = Number.NEGATIVE_INFINITY

  constructor(clock: Clock, claims: Claims, say: (value: T) => boolean | Promise<boolean>) {
    this.clock = clock
    this.claims = claims
    this.say = say
  }

  async load(partition: number): Promise<Position> {
    this.said.delete(partition)
    return (await this.claims.take(partition)).position
  }

  async process(records: readonly LogRecord<T>[]): Promise<void> {
    this.claims.check()
    for (const { partition, position, value } of records) {
      if (!this.claims.holds(partition)) continue
      if (!(await this.say(value))) break
      this.said.set(partition, position + 1)
      this.committed(partition, position + 1)
    }
    if (this.clock.now() - this.savedMs >= saveMs) await this.save()
  }

  async revoked(partitions: readonly number[]): Promise<void> {
    await this.save()
    this.claims.release(partitions)
  }

  private async save(): Promise<void> {
    this.savedMs = this.clock.now()
    const reached = this.claims.reached(this.said)
    await this.claims.save(reached)
    for (const { claim } of reached) this.said.delete(claim.partition)
  }
}
