import type { Revision } from "../core/catalogue.ts"
import type { OpenOrder } from "../core/orders.ts"
import type { At } from "./cycle.ts"
import type { Standing } from "./due.ts"
import type { PlanNote } from "./note.ts"
import type { Occurrence } from "./plan-requests.ts"
import type { Assignment } from "./plans.ts"
import type { Cycle, PartitionState } from "./state.ts"

/** What the parts of the planner share: the plans in force, and how they stand. */
export type Board = {
  readonly state: PartitionState
  readonly revision: Revision
  /** The plans of an asset, those that contain others first. */
  of(asset: string): readonly Assignment[]
  standing(assignment: Assignment): Standing
  change(assignment: Assignment, to: Partial<Cycle>): void
  note(assignment: Assignment, note: Omit<PlanNote, "plan" | "asset">): void
  isOut(assignment: Assignment): boolean
  /** Asks for an order now, and has the plans that are contained in this one met by it. */
  ask(assignment: Assignment, occurrence: Occurrence, at: At): OpenOrder
}
