/**
 * What people did is told among the detections, where the plans hear of it: each partition of the scheduler then has one
 * sequence to decide by, whichever process heard of the work.
 */
import { Claims } from "../core/db/claims.ts"
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
  context: Context,
  saved: (partition: number, position: Position) => void,
): Consumer<OrderEvent> & {
  prepare(): Promise<void>
  /** Tells once more what was saved before there was anybody to hear it. */
  tell(): void
} {
  const topic = topics.workOrderEvents.name
  const claims = new Claims(context, { consumer: workGroup, topic, of: "orders' events" })

  return {
    prepare: () => claims.positions.migrate(),
    tell() {
      for (const { partition, position } of claims.all()) saved(partition, position)
    },
    load: async (partition) => (await claims.take(partition)).position,
    async process(records: readonly LogRecord<OrderEvent>[]) {
      claims.check()
      const ours = records.filter(({ partition }) => claims.holds(partition))
      const told = ours.flatMap(({ value }): NewRecord<DetectionRecord>[] => {
        const one = toldOf(value)
        return one === undefined ? [] : [{ key: value.order.asset, value: one }]
      })
      if (told.length > 0) await context.log.append(topics.detections, told)
      const reached = claims.reached(ours.map(({ partition, position }) => [partition, position + 1]))
      for (const { claim, position } of await claims.save(reached)) saved(claim.partition, position)
    },
    async revoked(partitions) {
      claims.release(partitions)
    },
  }
}
