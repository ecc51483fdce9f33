import type { WorkOrder } from "../../core/orders.ts"
import type { CommandName } from "../../workorders/life-cycle.ts"

/** An input for each command that fits an order as it is; whether the order's state allows it is another matter. */
export function inputs(order: WorkOrder, atMs: number): Partial<Record<CommandName, unknown>> {
  return {
    triage: { priority: 2, note: "looked over" },
    duplicate: { of: order.number === "WO-000001" ? "WO-000002" : "WO-000001" },
    submit: {},
    approve: {},
    reject: { comment: "not this year" },
    plan: { startMs: atMs, finishMs: atMs + 3_600_000 },
    assign: { to: ["tina"] },
    dispatch: {},
    acknowledge: {},
    decline: { reason: "on leave" },
    start: {},
    hold: { reason: "parts" },
    resume: {},
    complete: {},
    verify: {},
    reopen: { reason: "still leaks" },
    close: {},
    cancel: { reason: "asset was sold" },
  }
}
