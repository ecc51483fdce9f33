import type { Database } from "../core/db/database.ts"
import type { Log } from "../core/log/log.ts"
import { topics } from "../core/topics.ts"
import { orderEvent } from "../core/vocabulary.ts"
import type { WorkOrderTables } from "./tables.ts"

const batch = 200

/**
 * Publishes what transactions of any process left in the outbox for the partitions that are owned here, in their
 * order and at least once: an event goes from the outbox only after the log has it.
 */
export class Outbox {
  private readonly database: Database
  private readonly log: Log
  private readonly owned = new Set<number>()
  /** The newest round; fails as soon as one does, and all after it. */
  private round: Promise<void> = Promise.resolve()
  private isNextWaiting = false

  constructor(database: Database, log: Log) {
    this.database = database
    this.log = log
  }

  /** From now on the events of this partition are published here. */
  own(partition: number): void {
    this.owned.add(partition)
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
    if (this.owned.size === 0) return false
    const tables = this.database.tables<WorkOrderTables>()
    const rows = await tables
      .selectFrom("order_outbox")
      .select(["id", "event"])
      .where("partition", "in", [...this.owned])
      .orderBy("id")
      .limit(batch)
      .execute()
    if (rows.length === 0) return false
    const events = rows.map(({ event }) => orderEvent.parse(JSON.parse(event)))
    await this.log.append(
      topics.workOrderEvents,
      events.map((event) => ({ key: event.order.asset, value: event })),
    )
    const published = rows.map(({ id }) => id)
    await tables.deleteFrom("order_outbox").where("id", "in", published).execute()
    return true
  }
}
