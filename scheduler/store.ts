import type { Migration } from "kysely"
import type { Database } from "../core/db/database.ts"
import { type Claim, Positions } from "../core/db/positions.ts"
import type { Position } from "../core/log/log.ts"
import { topics } from "../core/topics.ts"
import { emptyState, type PartitionState, partitionState } from "./state.ts"

type SchedulerTables = { scheduler_state: { partition: number; state: string } }

const migrations: Record<string, Migration> = {
  "001-scheduler-state": {
    async up(db) {
      await db.schema
        .createTable("scheduler_state")
        .addColumn("partition", "integer", (column) => column.primaryKey())
        .addColumn("state", "text", (column) => column.notNull())
        .execute()
    },
  },
}

const rowsPerStatement = 50

/** Where a partition stands: all of it is saved together, so that a restart repeats and never skips. */
export type Checkpoint = {
  readonly claim: Claim
  readonly position: Position
  readonly state: PartitionState
}

export type Store = {
  /** Under whose name positions are kept. */
  readonly group: string
  migrate(): Promise<void>
  /** Takes a partition over, with all that was saved of it. */
  claim(partition: number): Promise<Checkpoint>
  /**
   * States and positions together, of those partitions that no other process has taken over since; gives those.
   */
  save(checkpoints: readonly Checkpoint[]): Promise<ReadonlySet<number>>
}

export function createStore(database: Database, group: string): Store {
  const positions = new Positions(database, group, topics.detections.name)
  return {
    group,
    async migrate() {
      await positions.migrate()
      await database.migrate("scheduler", migrations)
    },
    async claim(partition) {
      const claim = await positions.claim(partition)
      const row = await database
        .tables<SchedulerTables>()
        .selectFrom("scheduler_state")
        .select("state")
        .where("partition", "=", partition)
        .executeTakeFirst()
      const state = row === undefined ? emptyState() : partitionState.parse(JSON.parse(row.state))
      return { claim, position: claim.position, state }
    },
    save(checkpoints) {
      // Taken before the transaction, which may run again, so that all its runs write the same.
      const rows = checkpoints.map(({ claim, state }) => ({
        partition: claim.partition,
        state: JSON.stringify(state),
      }))
      return database.transaction<SchedulerTables, ReadonlySet<number>>(async (trx) => {
        const owned = await positions.saveOwned(trx, checkpoints)
        const ours = rows.filter(({ partition }) => owned.has(partition))
        for (let at = 0; at < ours.length; at += rowsPerStatement) {
          await trx
            .insertInto("scheduler_state")
            .values(ours.slice(at, at + rowsPerStatement))
            .onConflict((conflict) =>
              conflict.column("partition").doUpdateSet(({ ref }) => ({ state: ref("excluded.state") })),
            )
            .execute()
        }
        return owned
      })
    },
  }
}
