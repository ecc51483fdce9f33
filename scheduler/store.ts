import type { Migration } from "kysely"
import type { Database } from "../core/db/database.ts"
import { type Claim, Positions } from "../core/db/positions.ts"
import type { Position } from "../core/log/log.ts"
import { topics } from "../core/topics.ts"
import { type PlanNote, planNote } from "./note.ts"
import { emptyState, type PartitionState, partitionState } from "./state.ts"

type SchedulerTables = {
  scheduler_state: { partition: number; state: string }
  plan_history: {
    partition: number
    number: number
    plan: string
    asset: string
    at_ms: number
    what: string
    note: string
    order_id: string | null
  }
}

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
  "002-plan-history": {
    async up(db) {
      await db.schema
        .createTable("plan_history")
        .addColumn("partition", "integer", (column) => column.notNull())
        .addColumn("number", "integer", (column) => column.notNull())
        .addColumn("plan", "text", (column) => column.notNull())
        .addColumn("asset", "text", (column) => column.notNull())
        .addColumn("at_ms", "bigint", (column) => column.notNull())
        .addColumn("what", "text", (column) => column.notNull())
        .addColumn("note", "text", (column) => column.notNull())
        .addColumn("order_id", "text")
        .addPrimaryKeyConstraint("plan_history_key", ["partition", "number"])
        .execute()
      await db.schema
        .createIndex("plan_history_plan")
        .on("plan_history")
        .columns(["plan", "asset", "at_ms"])
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

/** What is saved of a partition: also the notes since the last time. */
type Saving = Checkpoint & { readonly notes: readonly PlanNote[] }

export type Store = {
  /** Under whose name positions are kept. */
  readonly group: string
  migrate(): Promise<void>
  /** Takes a partition over, with all that was saved of it. */
  claim(partition: number): Promise<Checkpoint>
  /**
   * States and positions together, of those partitions that no other process has taken over since; gives those.
   */
  save(checkpoints: readonly Saving[]): Promise<ReadonlySet<number>>
  /** The states of all partitions, as they were last saved. */
  states(): Promise<readonly PartitionState[]>
  /** The newest notes of a plan, or of an asset's plans, newest first. */
  history(filter: HistoryFilter): Promise<readonly PlanNote[]>
}

type HistoryFilter = {
  readonly plan?: string | undefined
  readonly asset?: string | undefined
  readonly limit: number
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
      const notes = checkpoints.flatMap(({ claim, state, notes: some }) =>
        some.map((one, at) => noteRow(one, claim.partition, state.noted - some.length + at + 1)),
      )
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
        const noted = notes.filter(({ partition }) => owned.has(partition))
        for (let at = 0; at < noted.length; at += rowsPerStatement) {
          await trx
            .insertInto("plan_history")
            .values(noted.slice(at, at + rowsPerStatement))
            .execute()
        }
        return owned
      })
    },
    async states() {
      const rows = await database
        .tables<SchedulerTables>()
        .selectFrom("scheduler_state")
        .select("state")
        .orderBy("partition")
        .execute()
      return rows.map(({ state }) => partitionState.parse(JSON.parse(state)))
    },
    async history({ plan, asset, limit }) {
      let query = database
        .tables<SchedulerTables>()
        .selectFrom("plan_history")
        .selectAll()
        .orderBy("at_ms", "desc")
        .orderBy("partition")
        .orderBy("number", "desc")
        .limit(limit)
      if (plan !== undefined) query = query.where("plan", "=", plan)
      if (asset !== undefined) query = query.where("asset", "=", asset)
      return (await query.execute()).map(({ at_ms, order_id, ...row }) =>
        planNote.parse({ ...row, atMs: Number(at_ms), order: order_id }),
      )
    },
  }
}

function noteRow(
  { plan, asset, atMs, what, note, order }: PlanNote,
  partition: number,
  number: number,
): SchedulerTables["plan_history"] {
  return { partition, number, plan, asset, at_ms: atMs, what, note, order_id: order }
}
