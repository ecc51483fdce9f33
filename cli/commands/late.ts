import type { WorkOrder } from "../../core/orders.ts"
import type { Column } from "../output.ts"

type Promised = Pick<WorkOrder, "sla" | "finishedMs">

/** A column for what is late of what the plant has promised, where anything is. */
export function lateColumn<T extends Promised>(orders: readonly T[]): readonly Column<T>[] {
  return orders.some((one) => late(one) !== "-") ? [{ title: "LATE", of: late }] : []
}

/** What somebody was told of that still stands: not taken on, or not done, in time. */
function late({ sla, finishedMs }: Promised): string {
  const told = new Set(sla?.escalations.map(({ of }) => of))
  if (finishedMs !== null) return "-"
  if (told.has("completion")) return "not done"
  return told.has("response") && sla?.respondedMs === null ? "not taken on" : "-"
}
