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

/** Where a partition stands: all of it is saved together, so that a restart repeats and never skips. */
export type Checkpoint = {
  readonly claim: Claim
  readonly position: Position
  readonly state: PartitionState
}

export type Store = {
  migrate(): Promise<void>
  /** Takes a partition over, with all that was saved of it. */
  claim(partition: number): Promise<Checkpoint>
  /** States and positions together. Throws `OWNER_REPLACED` when another process has taken one of them over. */
  save(checkpoints: readonly Checkpoint[]): Promise<void>
}

export function createStore(database: Database, group: string): Store {
  const positions = new Positions(database, group, topics.detections.name)
  return {
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
    async save(checkpoints) {
      await database.transaction<SchedulerTables, void>(async (trx) => {
        for (const { claim, position, state } of checkpoints) {
          await positions.save(trx, claim, position)
          const text = JSON.stringify(state)
          await trx
            .insertInto("scheduler_state")
            .values({ partition: claim.partition, state: text })
            .onConflict((conflict) => conflict.column("partition").doUpdateSet({ state: text }))
            .execute()
        }
      })
    },
  }
}
