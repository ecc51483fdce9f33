/** Work that waits for long gets more urgent: by the plant's steps of `urgency.age`, as of their own times. */
import type { Revision } from "../core/catalogue.ts"
import { formatDuration } from "../core/duration.ts"
import type { OrderState, WorkOrder } from "../core/orders.ts"
import type { Step } from "./commands/command.ts"

type AgeSteps = Revision["plant"]["urgency"]["age"]

/** There is work to do, and nobody has begun with it. */
export const waitingStates: readonly OrderState[] = [
  "requested",
  "triaged",
  "awaiting-approval",
  "approved",
  "planned",
  "assigned",
  "dispatched",
  "acknowledged",
]

/** By how many levels its waiting has raised an order's priority so far; null where nothing waits. */
export function agedBy({ state, aged = 0 }: Pick<WorkOrder, "state" | "aged">): number | null {
  return waitingStates.includes(state) ? aged : null
}

/** The step that comes next for orders which were raised so far already; of those at the same age the largest. */
export function stepAfter(steps: AgeSteps, aged: number): AgeSteps[number] | undefined {
  const [next] = steps
    .filter(({ raise }) => raise > aged)
    .toSorted((a, b) => a.above - b.above || b.raise - a.raise)
  return next
}

/**
 * The next time that its waiting raises the order, whether or not that is due yet. What of a step's raise earlier steps
 * have taken is not taken again. At priority 1 the step is taken too: whoever lowers it later has decided after it.
 */
export function ageing(
  order: WorkOrder,
  { plant, effectiveMs }: Pick<Revision, "plant" | "effectiveMs">,
): (Step & { readonly atMs: number }) | undefined {
  const aged = agedBy(order)
  const step = aged === null ? undefined : stepAfter(plant.urgency.age, aged)
  if (aged === null || step === undefined) return undefined
  const priority = Math.max(1, order.priority - (step.raise - aged))
  const since = `open for ${formatDuration(step.above)}`
  const isRaised = priority < order.priority
  return {
    order: {
      ...order,
      priority,
      priorityReason: isRaised ? `${order.priorityReason}; ${since}: ${priority}` : order.priorityReason,
      aged: step.raise,
    },
    event: "aged",
    note: isRaised
      ? `${since}: priority ${order.priority} to ${priority}`
      : `${since}: priority stays ${priority}`,
    // Nothing aged while the plant did not say so, nor while the order was rejected.
    atMs: Math.max(order.requestedMs + step.above, effectiveMs, order.approval?.askedMs ?? effectiveMs),
  }
}
