/** Looks for the orders that have waited long enough to be raised: the plant's steps of now, not those of when they came. */
import type { Kysely } from "kysely"
import { stepAfter } from "./ageing.ts"
import type { Desk, DeskOptions } from "./desk.ts"
import type { WorkOrderTables } from "./tables.ts"
import { happen } from "./writing.ts"

/** Orders that are selected at once: bounds the memory of a tick after a long standstill. */
const perRound = 100
/** An order can't be raised from more levels than these. */
const levels = [0, 1, 2, 3]

/** As `tick` of the desk: what else is due to these orders by now happens before, in the order of its deadlines. */
export function createAgeingClock(options: DeskOptions): Pick<Desk, "tick"> {
  const { database, newest } = options
  return {
    async tick(nowMs, signal) {
      const revision = newest()
      const isStopped = () => signal?.aborted === true
      let count = 0
      if (revision === undefined || revision.effectiveMs > nowMs) return count
      for (const aged of levels) {
        const step = stepAfter(revision.plant.urgency.age, aged)
        let after: Place | undefined
        while (step !== undefined && !isStopped()) {
          const untilMs = nowMs - step.above
          const due = await selectAged(database.tables(), aged, untilMs, perRound, after).execute()
          for (const { id } of due) {
            // More than one step may have passed.
            while (!isStopped() && (await happen(options, id, nowMs, revision))) count += 1
          }
          after = due.at(-1)
          if (due.length < perRound) break
        }
      }
      return count
    },
  }
}

/** Where a list of orders goes on. */
type Place = { readonly id: string; readonly requested_ms: number }

/** Waiting orders that were raised so far and asked for by then, those that wait longest first. */
export function selectAged(
  db: Kysely<WorkOrderTables>,
  aged: number,
  untilMs: number,
  limit: number,
  after: Place = { id: "", requested_ms: Number.MIN_SAFE_INTEGER },
) {
  return (
    db
      .selectFrom("work_order")
      .select(["id", "requested_ms"])
      .where("aged", "=", aged)
      // Also says what the line below implies: only so is the index entered at the right place.
      .where("requested_ms", ">=", after.requested_ms)
      .where("requested_ms", "<=", untilMs)
      .where((row) => row.or([row("requested_ms", ">", after.requested_ms), row("id", ">", after.id)]))
      .orderBy("requested_ms")
      .orderBy("id")
      .limit(limit)
  )
}
