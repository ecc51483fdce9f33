import type { Migration, Transaction } from "kysely"
import type { Database } from "../core/db/database.ts"
import { MillwrightError, messageOf } from "../core/errors.ts"
import { type AssetState, assetState } from "./asset.ts"

type RuleTables = {
  rule_state: { partition: number; asset: string; state: string }
  rule_clock: { partition: number; step_ms: number }
}

const migrations: Record<string, Migration> = {
  "001-rule-state": {
    async up(db) {
      await db.schema
        .createTable("rule_state")
        .addColumn("partition", "integer", (column) => column.notNull())
        .addColumn("asset", "text", (column) => column.notNull())
        .addColumn("state", "text", (column) => column.notNull())
        .addPrimaryKeyConstraint("rule_state_key", ["partition", "asset"])
        .execute()
      await db.schema
        .createTable("rule_clock")
        .addColumn("partition", "integer", (column) => column.notNull().primaryKey())
        .addColumn("step_ms", "bigint", (column) => column.notNull())
        .execute()
    },
  },
}

const rowsPerStatement = 50

/** What a partition is restored from: its assets' states and the newest step of its clock that was passed on. */
export type SavedPartition = { readonly states: readonly AssetState[]; readonly stepMs: number | undefined }

/** An asset's state as it is written: text, taken at one instant. */
export type StateText = { readonly asset: string; readonly state: string }

export async function migrateRules(database: Database): Promise<void> {
  await database.migrate("rules", migrations)
}

/** Throws `STORE_FAILED` where a state can't be read. */
export async function loadPartition(database: Database, partition: number): Promise<SavedPartition> {
  const db = database.tables<RuleTables>()
  const rows = await db
    .selectFrom("rule_state")
    .select(["asset", "state"])
    .where("partition", "=", partition)
    .orderBy("asset")
    .execute()
  const clock = await db
    .selectFrom("rule_clock")
    .select("step_ms")
    .where("partition", "=", partition)
    .executeTakeFirst()
  return {
    states: rows.map(readState),
    stepMs: clock === undefined ? undefined : Number(clock.step_ms),
  }
}

function readState({ asset, state }: StateText): AssetState {
  try {
    return assetState.parse(JSON.parse(state))
  } catch (cause) {
    throw new MillwrightError(
      "STORE_FAILED",
      `the rules' state of ${asset} can't be read: ${messageOf(cause)}`,
      {
        cause,
      },
    )
  }
}

export async function savePartition<T>(
  transaction: Transaction<T>,
  partition: number,
  states: readonly StateText[],
  stepMs: number | undefined,
): Promise<void> {
  const trx = transaction as unknown as Transaction<RuleTables>
  for (let at = 0; at < states.length; at += rowsPerStatement) {
    await trx
      .insertInto("rule_state")
      .values(states.slice(at, at + rowsPerStatement).map((one) => ({ partition, ...one })))
      .onConflict((conflict) =>
        conflict.columns(["partition", "asset"]).doUpdateSet(({ ref }) => ({ state: ref("excluded.state") })),
      )
      .execute()
  }
  if (stepMs === undefined) return
  await trx
    .insertInto("rule_clock")
    .values({ partition, step_ms: stepMs })
    .onConflict((conflict) => conflict.column("partition").doUpdateSet({ step_ms: stepMs }))
    .execute()
}
