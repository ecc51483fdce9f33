/**
 * What people did is told among the detections, where the plans hear of it: each partition of the scheduler then has one
 * sequence to decide by, whichever process heard of the work.
 */
import { type Claim, Positions, type Reached } from "../core/db/positions.ts"
import { Replaced } from "../core/db/replaced.ts"
import type { Consumer, LogRecord, NewRecord, Position } from "../core/log/log.ts"
import type { OrderEvent } from "../core/orders.ts"
import type { StageContext } from "../core/service.ts"
import { topics } from "../core/topics.ts"
import type { DetectionRecord, WorkTold } from "../core/vocabulary.ts"

export const workGroup = "scheduler-work"

/** What the plans have to know of an event of an order; undefined for most. */
function toldOf(event: OrderEvent): DetectionRecord | undefined {
  const { site, asset } = event.order
  if (event.kind === "reading") {
    const reading = event.order.work.readings.at(-1)
    if (reading === undefined) return undefined
    const { signal, value, atMs } = reading
    return { kind: "meter", site, asset, signal, atMs, value }
  }
  const outcome = outcomeOf(event)
  if (outcome === undefined) return undefined
  const { id, number, component, trigger, template, work } = event.order
  return {
    kind: "work",
    site,
    asset,
    component,
    order: id,
    number,
    sequence: event.sequence,
    outcome,
    plan: trigger.kind === "plan" ? trigger.plan : null,
    template,
    partly: Object.values(work.tasks).some(({ state }) => state === "skipped"),
    atMs: event.atMs,
  }
}

function outcomeOf({ kind, actor, order }: OrderEvent): WorkTold["outcome"] | undefined {
  if (kind === "reopened") return "reopened"
  // What the plant itself told of a component the plans hear of in the order in which it came.
  if (kind === "completed") return actor === "system" ? undefined : "done"
  return order.state === "rejected" || order.state === "cancelled" ? "dropped" : undefined
}

type Context = Pick<StageContext, "log" | "database" | "clock" | "logger">

/** At least once: what is told again changes nothing. `saved` hears up to which position a partition is done with. */
export function createWorkTold(
  { log, database, clock, logger }: Context,
  saved: (partition: number, position: Position) => void,
): Consumer<OrderEvent> & {
  prepare(): Promise<void>
  /** Tells once more what was saved before there was anybody to hear it. */
  tell(): void
} {
  const positions = new Positions(database, workGroup, topics.workOrderEvents.name)
  const replaced = new Replaced(workGroup, topics.workOrderEvents.name, clock)
  const claims = new Map<number, Claim>()

  return {
    prepare: () => positions.migrate(),
    tell() {
      for (const { partition, position } of claims.values()) saved(partition, position)
    },
    async load(partition) {
      const claim = await positions.claim(partition)
      claims.set(partition, claim)
      replaced.remove([partition])
      return claim.position
    },
    async process(records: readonly LogRecord<OrderEvent>[]) {
      replaced.check()
      const ours = records.filter(({ partition }) => claims.has(partition))
      const told = ours.flatMap(({ value }): NewRecord<DetectionRecord>[] => {
        const one = toldOf(value)
        return one === undefined ? [] : [{ key: value.order.asset, value: one }]
      })
      if (told.length > 0) await log.append(topics.detections, told)
      const reached = new Map<number, Reached>()
      for (const { partition, position } of ours) {
        const claim = claims.get(partition)
        if (claim !== undefined) reached.set(partition, { claim, position: position + 1 })
      }
      if (reached.size === 0) return
      const owned = await database.transaction((trx) => positions.saveOwned(trx, [...reached.values()]))
      for (const [partition, { position }] of reached) {
        const claim = claims.get(partition)
        if (owned.has(partition) && claim !== undefined) {
          claims.set(partition, { ...claim, position })
          saved(partition, position)
          continue
        }
        logger.warn({ partition }, "another process has taken over this partition of the orders' events")
        claims.delete(partition)
        replaced.add(partition)
      }
    },
    async revoked(partitions) {
      for (const partition of partitions) claims.delete(partition)
      replaced.remove(partitions)
    },
  }
}
