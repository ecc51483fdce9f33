import { type Migration, sql, type Transaction } from "kysely"
import { MillwrightError } from "../errors.ts"
import type { Position } from "../log/log.ts"
import type { Database } from "./database.ts"

export type PositionTables = {
  log_position: { consumer: string; topic: string; partition: number; position: number; epoch: number }
}

const migrations: Record<string, Migration> = {
  "001-log-position": {
    async up(db) {
      await db.schema
        .createTable("log_position")
        .addColumn("consumer", "text", (column) => column.notNull())
        .addColumn("topic", "text", (column) => column.notNull())
        .addColumn("partition", "integer", (column) => column.notNull())
        .addColumn("position", "bigint", (column) => column.notNull())
        .addColumn("epoch", "bigint", (column) => column.notNull())
        .addPrimaryKeyConstraint("log_position_key", ["consumer", "topic", "partition"])
        .execute()
    },
  },
}

/** A claim on a partition. Every claim has a higher epoch than the ones before it. */
export type Claim = { readonly partition: number; readonly position: Position; readonly epoch: number }

/** Up to where (exclusive) everything of a claimed partition was derived from. */
export type Reached = { readonly claim: Claim; readonly position: Position }

/**
 * How far a stage has come in a topic, kept beside the tables that it derived from it. Save the position in the
 * transaction that writes what was derived: then a restart repeats and never skips.
 */
export class Positions {
  private readonly database: Database
  private readonly consumer: string
  readonly topic: string

  constructor(database: Database, consumer: string, topic: string) {
    this.database = database
    this.consumer = consumer
    this.topic = topic
  }

  async migrate(): Promise<void> {
    await this.database.migrate("positions", migrations)
  }

  /** Takes a partition over: from now on a save under an older epoch is refused. */
  claim(partition: number): Promise<Claim> {
    return this.database.transaction<PositionTables, Claim>(async (trx) => {
      const row = await trx
        .insertInto("log_position")
        .values({ consumer: this.consumer, topic: this.topic, partition, position: 0, epoch: 1 })
        .onConflict((conflict) =>
          conflict
            .columns(["consumer", "topic", "partition"])
            .doUpdateSet({ epoch: sql`log_position.epoch + 1` }),
        )
        .returning(["position", "epoch"])
        .executeTakeFirstOrThrow()
      return { partition, position: Number(row.position), epoch: Number(row.epoch) }
    })
  }

  /** Throws `OWNER_REPLACED` when somebody claimed the partition since; the transaction must then fail. */
  async save<T>(trx: Transaction<T>, claim: Claim, position: Position): Promise<void> {
    const { partition } = claim
    if ((await this.saveOwned(trx, [{ claim, position }])).has(partition)) return
    throw new MillwrightError(
      "OWNER_REPLACED",
      `${this.consumer} no longer owns partition ${partition} of ${this.topic}: another process has taken it over`,
    )
  }

  /**
   * Saves the positions of partitions that nobody claimed since, and gives those. Of the others nothing may be
   * written: who took them over derives it again.
   */
  async saveOwned<T>(trx: Transaction<T>, reached: readonly Reached[]): Promise<ReadonlySet<number>> {
    if (reached.length === 0) return new Set()
    // One statement, since a server takes as long to answer as a hundred rows take to write.
    const of = (value: (one: Reached) => number) =>
      sql<number>`case partition ${sql.join(
        reached.map((one) => sql`when ${one.claim.partition} then cast(${value(one)} as bigint)`),
        sql` `,
      )} end`
    const rows = await (trx as unknown as Transaction<PositionTables>)
      .updateTable("log_position")
      .set({ position: of(({ position }) => position) })
      .where("consumer", "=", this.consumer)
      .where("topic", "=", this.topic)
      .where(
        "partition",
        "in",
        reached.map(({ claim }) => claim.partition),
      )
      .where(
        "epoch",
        "=",
        of(({ claim }) => claim.epoch),
      )
      .returning("partition")
      .execute()
    return new Set(rows.map(({ partition }) => partition))
  }
}
