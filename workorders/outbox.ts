import type { Database } from "../core/db/database.ts"
import type { Log } from "../core/log/log.ts"
import { topics } from "../core/topics.ts"
import { orderEvent } from "../core/vocabulary.ts"
import type { WorkOrderTables } from "./tables.ts"

const batch = 200

/**
 * Publishes what the store's transactions left in the outbox, in their order and at least once: an event goes
 * from the outbox only after the log has it.
 */
export class Outbox {
  private readonly database: Database
  private readonly log: Log
  private closing = false
  /** There may be something to publish: at the start, what an earlier run left. */
  private filled = true
  private wake: () => void = () => {}

  constructor(database: Database, log: Log) {
    this.database = database
    this.log = log
  }

  /** To be called after each commit that left something. */
  announce(): void {
    this.filled = true
    this.wake()
  }

  /** Ends once what was announced before is out. */
  close(): void {
    this.closing = true
    this.wake()
  }

  /** Resolves after `close`; rejects as soon as the store or the log does. */
  async run(): Promise<void> {
    while (this.filled || !this.closing) {
      if (this.filled) {
        this.filled = false
        while (await this.publish());
      } else {
        await new Promise<void>((resolve) => {
          this.wake = resolve
        })
      }
    }
  }

  /** False when there was nothing. */
  private async publish(): Promise<boolean> {
    const tables = this.database.tables<WorkOrderTables>()
    const rows = await tables.selectFrom("order_outbox").selectAll().orderBy("id").limit(batch).execute()
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
