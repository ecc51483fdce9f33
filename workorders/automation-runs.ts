/** What automations did: one run for each automation and event that set it off. */
import type { Kysely } from "kysely"
import { z } from "zod"
import type { Database } from "../core/db/database.ts"
import { formatNumber } from "./number.ts"
import type { AutomationRunRow, RunOutcome, WorkOrderTables } from "./tables.ts"

/** What became of a step, or why it is not possible. */
const outcome = z.object({ outcome: z.enum(["done", "not-possible"]), note: z.string() })
export type Outcome = z.infer<typeof outcome>

/** By its key in the plant file. */
const runStep = outcome.extend({ step: z.string() })
export type RunStep = z.infer<typeof runStep>
const steps = z.array(runStep)

/** What makes a run the same when its event is read again. */
export type RunKey = Pick<AutomationRunRow, "automation" | "order_id" | "sequence">

export type Run = {
  readonly automation: string
  /** Number of the order. */
  readonly order: string
  readonly sequence: number
  readonly event: string
  readonly revision: number
  readonly atMs: number
  readonly outcome: RunOutcome
  readonly steps: readonly RunStep[]
  readonly problem: string
}

export type RunFilter = {
  readonly automation?: string | undefined
  /** The id of one. */
  readonly order?: string | undefined
  /** At most so many; 50 by default, never more than 500. */
  readonly limit?: number | undefined
}

/** How often an automation ran and how that went. */
export type Tally = {
  readonly runs: number
  readonly lastMs: number | null
  readonly failures: number
  readonly lastFailureMs: number | null
}

const failures: readonly RunOutcome[] = ["not-possible", "condition-error"]

export function outcomeOf(steps: readonly RunStep[]): RunOutcome {
  return steps.every(({ outcome }) => outcome === "done") ? "done" : "not-possible"
}

/** Newest first. */
export async function listRuns(database: Database, filter: RunFilter): Promise<readonly Run[]> {
  const rows = await selectRuns(database.tables(), filter).execute()
  return rows.map(({ number, at_ms, steps: done, ...row }) => ({
    ...row,
    order: formatNumber(number),
    atMs: at_ms,
    steps: steps.parse(JSON.parse(done)),
  }))
}

function selectRuns(db: Kysely<WorkOrderTables>, { automation, order, limit = 50 }: RunFilter) {
  const query = db
    .selectFrom("automation_run")
    .innerJoin("work_order", "work_order.id", "automation_run.order_id")
    .select([
      "automation",
      "work_order.number",
      "sequence",
      "event",
      "revision",
      "at_ms",
      "outcome",
      "steps",
      "problem",
    ])
    .orderBy("at_ms", "desc")
    .orderBy("automation_run.order_id", "desc")
    .orderBy("sequence", "desc")
    .orderBy("automation", "desc")
    .limit(Math.min(limit, 500))
  const ofOne = automation === undefined ? query : query.where("automation", "=", automation)
  return order === undefined ? ofOne : ofOne.where("automation_run.order_id", "=", order)
}

export async function tallyRuns(database: Database): Promise<ReadonlyMap<string, Tally>> {
  const rows = await database
    .tables<WorkOrderTables>()
    .selectFrom("automation_run")
    .select(["automation", "outcome"])
    .select(({ fn }) => [fn.countAll<number | string>().as("runs"), fn.max("at_ms").as("lastMs")])
    .groupBy(["automation", "outcome"])
    .execute()
  const tallies = new Map<string, Tally>()
  for (const { automation, outcome, runs, lastMs } of rows) {
    const before = tallies.get(automation) ?? { runs: 0, lastMs: null, failures: 0, lastFailureMs: null }
    const isFailure = failures.includes(outcome)
    tallies.set(automation, {
      runs: before.runs + Number(runs),
      lastMs: Math.max(before.lastMs ?? -Infinity, Number(lastMs)),
      failures: before.failures + (isFailure ? Number(runs) : 0),
      lastFailureMs: isFailure
        ? Math.max(before.lastFailureMs ?? -Infinity, Number(lastMs))
        : before.lastFailureMs,
    })
  }
  return tallies
}

/** What was recorded of a run that was begun before. */
export async function findRun(
  db: Kysely<WorkOrderTables>,
  { automation, order_id, sequence }: RunKey,
): Promise<{ readonly outcome: RunOutcome; readonly steps: readonly RunStep[] } | undefined> {
  const row = await db
    .selectFrom("automation_run")
    .select(["outcome", "steps"])
    .where("order_id", "=", order_id)
    .where("sequence", "=", sequence)
    .where("automation", "=", automation)
    .executeTakeFirst()
  return row && { outcome: row.outcome, steps: steps.parse(JSON.parse(row.steps)) }
}

/** Writes down how far a run is; written twice it is there once. */
export async function recordRun(db: Kysely<WorkOrderTables>, row: AutomationRunRow): Promise<void> {
  const { outcome, steps } = row
  await db
    .insertInto("automation_run")
    .values(row)
    .onConflict((conflict) =>
      conflict.columns(["order_id", "sequence", "automation"]).doUpdateSet({ outcome, steps }),
    )
    .execute()
}
