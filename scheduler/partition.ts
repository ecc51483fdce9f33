import type { OrderRequest } from "../core/orders.ts"
import type { PlantClock } from "../core/service.ts"
import { type DetectionRecord, isDetection } from "../core/vocabulary.ts"
import { createPlanner, type PlannerSetup } from "./planner.ts"
import { requestFor, settleRequest } from "./requests.ts"
import type { PartitionState } from "./state.ts"

/**
 * What one partition of the detections asks for: (state, input) → requests, without IO. The state is changed in
 * place while the requests are read, so read them all before saving it.
 */
export type PartitionScheduler = {
  readonly state: PartitionState
  take(record: DetectionRecord): Iterable<OrderRequest>
  /** Moves the plant's clock. */
  advance(toMs: number): Iterable<OrderRequest>
  /** When the next plan will ask for an order. */
  nextMs(): number | undefined
}

type Setup = Omit<PlannerSetup, "missed"> & { readonly plantClock: PlantClock }

export function createPartitionScheduler(setup: Setup): PartitionScheduler {
  const { state, revisions, plantClock } = setup
  // Only the wall's clock goes on while nobody schedules; in a replay nothing is missed.
  const planner = createPlanner({ ...setup, missed: plantClock === "wall" ? "newest" : "each" })
  return {
    state,
    *take(record) {
      if (record.kind === "tick") {
        if (plantClock === "event") yield* planner.advance(record.atMs)
        return
      }
      const revision = revisions.at(record.atMs) ?? revisions.newest()
      if (revision === undefined) return
      if (isDetection(record)) {
        const request = requestFor(record, revision, state.episodes)
        if (request !== undefined) yield request
      } else if (record.kind === "maintained") yield settleRequest(record, revision)
      yield* planner.take(record)
    },
    advance: planner.advance,
    nextMs: planner.nextMs,
  }
}
