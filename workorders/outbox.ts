import type { Kysely } from "kysely"
import type { Database } from "../core/db/database.ts"
import type { Claim, PositionTables } from "../core/db/positions.ts"
import type { Log } from "../core/log/log.ts"
import { orderEvent } from "../core/orders.ts"
import { topics } from "../core/topics.ts"
import type { WorkOrderTables } from "./tables.ts"

const batch = 200

/** By whose claims partitions are owned, and who hears that another process has claimed one since. */
type Owner = {
  readonly consumer: string
  readonly topic: string
  giveUp(partition: number): void
}

type Tables = WorkOrderTables & PositionTables

/**
 * Publishes what transactions of any process left in the outbox for the partitions that are owned here, in their
 * order and at least once: an event goes from the outbox only after the log has it.
 */
export class Outbox {
  private readonly database: Database
  private readonly log: Log
  private readonly owner: Owner
  /** The epoch of our claim by partition. */
  private readonly owned = new Map<number, number>()
  /** The newest round; fails as soon as one does, and all after it. */
  private round: Promise<void> = Promise.resolve()
  private isNextWaiting = false

  constructor(database: Database, log: Log, owner: Owner) {
    this.database = database
    this.log = log
    this.owner = owner
  }

  /** From now on the events of this partition are published here. */
  own({ partition, epoch }: Claim): void {
    this.owned.set(partition, epoch)
  }

  /** Publishes what is left, and then nothing more of these partitions: their next owner goes on. */
  async disown(partitions: readonly number[]): Promise<void> {
    await this.publish()
    this.forget(partitions)
  }

  /** Publishes nothing more of these partitions, except what is on its way. */
  forget(partitions: readonly number[]): void {
    for (const partition of partitions) this.owned.delete(partition)
  }

  /** Resolves when all is out that was there at the call; rejects as the store or the log does, also later on. */
  publish(): Promise<void> {
    if (this.isNextWaiting) return this.round
    this.isNextWaiting = true
    this.round = this.round.then(async () => {
      this.isNextWaiting = false
      while (await this.publishSome());
    })
    return this.round
  }

  /** False when there was nothing. */
  private async publishSome(): Promise<boolean> {
    const owned = new Map(this.owned)
    if (owned.size === 0) return false
    const tables = this.database.tables<Tables>()
    const found = await this.select(tables, [...owned.keys()])
    if (found.length === 0) return false
    const isOurs = ({ partition, epoch }: { partition: number; epoch: number }) =>
      Number(epoch) === owned.get(partition)
    const rows = found.filter(isOurs)
    for (const { partition } of found.filter((row) => !isOurs(row))) {
      // Unless it was given up, or claimed anew, while the store answered.
      if (this.owned.get(partition) === owned.get(partition)) this.owner.giveUp(partition)
    }
    if (rows.length === 0) return true
    const events = rows.map(({ event }) => orderEvent.parse(JSON.parse(event)))
    await this.log.append(
      topics.workOrderEvents,
      events.map((event) => ({ key: event.order.asset, value: event })),
    )
    const published = rows.map(({ id }) => id)
    await tables.deleteFrom("order_outbox").where("id", "in", published).execute()
    return true
  }

  /** With the epoch of the newest claim: who was replaced must not publish beside the new owner, out of order. */
  private select(tables: Kysely<Tables>, partitions: readonly number[]) {
    const { consumer, topic } = this.owner
    return tables
      .selectFrom("order_outbox")
      .innerJoin("log_position", "log_position.partition", "order_outbox.partition")
      .select(["order_outbox.id", "order_outbox.event", "order_outbox.partition", "log_position.epoch"])
      .where("log_position.consumer", "=", consumer)
      .where("log_position.topic", "=", topic)
      .where("order_outbox.partition", "in", partitions)
      .orderBy("order_outbox.id")
      .limit(batch)
      .execute()
  }
}
