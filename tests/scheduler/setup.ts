import { v5 as uuidv5 } from "uuid"
import { stringify } from "yaml"
import { type Revision, readRevision } from "../../core/catalogue.ts"
import type { OrderRequest } from "../../core/orders.ts"
import type { PlantClock } from "../../core/service.ts"
import type { PlantRevision } from "../../core/topics.ts"
import type { Detection, DetectionRecord } from "../../core/vocabulary.ts"
import type { PlanNote } from "../../scheduler/note.ts"
import { createPartitionScheduler, type PartitionScheduler } from "../../scheduler/partition.ts"
import type { Revisions } from "../../scheduler/planner.ts"
import { assignmentsOf } from "../../scheduler/plans.ts"
import { emptyState, type PartitionState } from "../../scheduler/state.ts"

type Entry = { readonly id: string } & Readonly<Record<string, unknown>>
type PlantContent = { readonly plans?: readonly Entry[] } & Readonly<Record<string, unknown>>

/** Revisions as `millwright apply` announces them: a plan's number is that of the revision which last changed it. */
export function announced(
  contents: readonly { readonly effectiveMs: number; readonly plant: PlantContent }[],
): PlantRevision[] {
  const changedIn: Record<string, number> = {}
  const before: Record<string, string> = {}
  return contents.map(({ effectiveMs, plant }, at) => {
    for (const plan of plant.plans ?? []) {
      const text = JSON.stringify(plan)
      if (before[plan.id] !== text) changedIn[`plan:${plan.id}`] = at + 1
      before[plan.id] = text
    }
    return {
      revision: at + 1,
      plant: "test",
      source: stringify({ plant: "test", sites: [{ id: "works" }], ...plant }),
      changedIn: { ...changedIn },
      effectiveMs,
      author: "test",
      reason: "test",
      atMs: effectiveMs,
    }
  })
}

/** Looks revisions up as the catalogue does, without a log. */
export function revisionsOf(records: readonly PlantRevision[]): Revisions {
  const revisions = records.map(readRevision)
  return {
    newest: () => revisions.at(-1),
    at: (ms) => revisions.findLast(({ effectiveMs }) => effectiveMs <= ms),
    changesAfter: (ms) => {
      const later = revisions.map(({ effectiveMs }) => effectiveMs).filter((atMs) => atMs > ms)
      return later.length === 0 ? undefined : Math.min(...later)
    },
  }
}

const allInOnePartition = (revision: Revision) => assignmentsOf(revision, 1).get(0) ?? []

export function schedulerOf(
  revisions: Revisions,
  {
    clock = "event",
    state = emptyState(),
    note = () => {},
  }: { clock?: PlantClock; state?: PartitionState; note?: (note: PlanNote) => void } = {},
): PartitionScheduler {
  const unusable = (_: unknown, error: unknown) => {
    throw error
  }
  return createPartitionScheduler({
    state,
    revisions,
    assignments: allInOnePartition,
    plantClock: clock,
    unusable,
    note,
  })
}

/** A tick moves the clock in the way of either setting. */
export function requestsOf(
  scheduler: PartitionScheduler,
  records: readonly DetectionRecord[],
  clock: PlantClock = "event",
): OrderRequest[] {
  return records.flatMap((record) =>
    record.kind === "tick" && clock === "wall"
      ? [...scheduler.advance(record.atMs)]
      : [...scheduler.take(record)],
  )
}

const episodes = "0b1f7e0a-3c0e-4b5e-8f43-2a1d5c9e7b10"

export function detectionOf(
  some: Partial<Omit<Detection, "episode">> & { readonly episode: string; readonly atMs: number },
): Detection {
  const { atMs } = some
  return {
    kind: "opened",
    sequence: 0,
    site: "works",
    asset: "P-101",
    component: "bearing",
    rule: "vibration",
    ruleKind: "threshold",
    revision: 1,
    severity: "warning",
    openedAtMs: atMs,
    signal: "velocity",
    value: 5,
    limit: 4.5,
    unit: "mm/s",
    reason: "velocity 5 mm/s above 4.5 mm/s",
    evidence: { statistic: "value", fromMs: atMs, toMs: atMs, samples: [], events: [], parameters: "" },
    ...some,
    episode: uuidv5(some.episode, episodes),
  }
}

/** In the order in which they appear. */
export function ordersIn(requests: readonly OrderRequest[]): readonly string[] {
  return [...new Set(requests.flatMap((one) => ("order" in one ? [one.order] : [])))]
}

/** One line for a person to compare; orders are numbered as they appear. */
export function inWords(requests: readonly OrderRequest[]): string[] {
  const orders = ordersIn(requests)
  const time = (ms: number) => new Date(ms).toISOString().replace(/(:00)?\.000Z$/, "Z")
  return requests.map((request) => {
    if (request.kind === "settle") return `${time(request.atMs)} settle: ${request.reason}`
    if (request.kind === "credit") return `${time(request.atMs)} credit ${request.plan}: ${request.reason}`
    const head = `${time(request.atMs)} ${request.kind} ${orders.indexOf(request.order) + 1}`
    const urgency = `priority ${request.priority}, due ${time(request.dueMs)}`
    if (request.kind === "amend") return `${head} ${request.finding.kind}, ${urgency}`
    return `${head} ${request.type} ${request.mergeKey}, ${urgency}: ${request.title}`
  })
}
