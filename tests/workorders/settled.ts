import type { Database } from "../../core/db/database.ts"
import type { Log } from "../../core/log/log.ts"
import { topics } from "../../core/topics.ts"
import type { WorkOrderTables } from "../../workorders/tables.ts"

/**
 * Nothing is on its way: what is asked for goes from the log into the outbox, and from there to the log again, where
 * automations may ask for more. What is left once all of the log is derived is in the outbox, so that is looked at
 * after the log; twice, since an event that is just being appended is in both; and what has left the outbox meanwhile
 * has made the log longer.
 */
export async function isSettled(log: Log, database: Database): Promise<boolean> {
  const ends = async () => String(await log.ends(topics.workOrderEvents))
  const isAtRest = async () =>
    (await log.lags()).every(({ uncommitted }) => uncommitted === 0) &&
    (await database.tables<WorkOrderTables>().selectFrom("order_outbox").select("id").execute()).length === 0
  const before = await ends()
  return (await isAtRest()) && (await isAtRest()) && (await ends()) === before
}
