/** To plan anew what has a time already: it gets another one, or keeps the one that it has. */
import type { WorkOrder } from "../../core/orders.ts"
import { byHand } from "./index.ts"
import { type Scene, type Snapshot, snapshotOf } from "./snapshot.ts"

/** An order that keeps its time, and why it gets no other. */
type Kept = { readonly order: WorkOrder; readonly why: string }

/**
 * The week, in which whatever had a time finds another one. What finds none is out of it: its people are where they are
 * planned, way included, so that nothing else is planned for them then.
 */
export function replanned(
  scene: Scene,
  timeZone: string,
): { readonly snapshot: Snapshot; readonly kept: readonly Kept[] } {
  const kept = new Map<string, Kept>()
  for (;;) {
    const snapshot = snapshotOf({ ...scene, toPlan: scene.toPlan.filter(({ id }) => !kept.has(id)) })
    const timed = new Set(snapshot.week.jobs.flatMap(({ id, timed }) => (timed ? [id] : [])))
    const left = timed.size === 0 ? [] : byHand(snapshot.week, timeZone).left
    const homeless = left.filter(({ job }) => timed.has(job))
    // The time of each of them may have been where another one was put: once more without it.
    if (homeless.length === 0) return { snapshot, kept: [...kept.values()] }
    for (const { job, why } of homeless) {
      const order = snapshot.orders.get(job)
      if (order !== undefined) kept.set(job, { order, why })
    }
  }
}
