import type { Revision } from "../core/catalogue.ts"
import { Replaced } from "../core/db/replaced.ts"
import { messageOf } from "../core/errors.ts"
import type { Consumer, LogRecord, Position } from "../core/log/log.ts"
import type { OrderRequest } from "../core/orders.ts"
import type { StageContext } from "../core/service.ts"
import { topics } from "../core/topics.ts"
import type { DetectionRecord } from "../core/vocabulary.ts"
import { schedulerMetrics } from "./metrics.ts"
import type { PlanNote } from "./note.ts"
import { createPartitionScheduler, type PartitionScheduler } from "./partition.ts"
import { type Assignment, assignmentsOf } from "./plans.ts"
import type { Checkpoint, Store } from "./store.ts"

/** How long a mere move of clock and position may stay unsaved: after a crash that much is done again. */
const checkpointMs = 5000
/** Requests in one append: a plan that begins on every asset of a large plant must not fill the memory. */
const appendAtMost = 1000

/** The partitions that this process schedules for. */
export type Partitions = Consumer<DetectionRecord> & {
  /** To be called about each second: moves the clock `wall`, and saves what has moved. */
  tick(nowMs: number): Promise<void>
}

type Owned = {
  readonly scheduler: PartitionScheduler
  readonly claim: Checkpoint["claim"]
  position: Position
  saved: { readonly position: Position; readonly revision: number | null }
  /** Something was asked for since it was saved. */
  hasAsked: boolean
  /** What is to be known of its plans and is not saved yet. */
  notes: PlanNote[]
}

/**
 * Requests are durable before the state that made them is saved: a crash between the two makes the same requests
 * again. `saved` hears up to which position a partition is done with.
 */
export function createPartitions(
  { log, catalogue, clock, plantClock, logger, metrics }: StageContext,
  store: Store,
  saved: (partition: number, position: Position) => void,
): Partitions {
  const owned = new Map<number, Owned>()
  const replaced = new Replaced(store.group, topics.detections.name, clock)
  const assignments = assignmentsByRevision(log.partitions)
  const meter = schedulerMetrics(metrics, () => earliest(owned.values()))
  let checkpointDueMs = 0

  // Records and ticks take turns. After a failure there are no more turns: the states in memory are then ahead of
  // what was asked for, and must not be saved.
  let turn: Promise<unknown> = Promise.resolve()
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = turn.then(work)
    turn = mine
    return mine
  }

  async function load(partition: number): Promise<Position> {
    const { claim, position, state } = await store.claim(partition)
    // Under an older one the plans that it brought would be dropped.
    await catalogue.readUpTo(state.revision ?? 0)
    const notes: PlanNote[] = []
    const scheduler = createPartitionScheduler({
      state,
      note: (note) => {
        state.noted += 1
        notes.push(note)
      },
      revisions: catalogue,
      assignments: (revision) => assignments(revision, partition),
      plantClock,
      unusable: ({ plan }, error) =>
        logger.error({ plan: plan.id }, `this plan can't be followed: ${messageOf(error)}`),
    })
    const before = { position, revision: state.revision }
    owned.set(partition, { scheduler, claim, position, saved: before, hasAsked: false, notes })
    replaced.remove([partition])
    return position
  }

  async function ask(decided: Iterable<OrderRequest>): Promise<void> {
    let batch: OrderRequest[] = []
    const append = async () => {
      await log.append(
        topics.workOrderRequests,
        batch.map((value) => ({ key: value.asset, value })),
      )
      meter.asked(batch)
      batch = []
    }
    for (const request of decided) {
      batch.push(request)
      if (batch.length === appendAtMost) await append()
    }
    if (batch.length > 0) await append()
    await save([...owned.values()].filter(hasDecided))
  }

  async function save(some: readonly Owned[]): Promise<void> {
    if (some.length === 0) return
    const ours = await store.save(some.map((one) => ({ ...one, state: one.scheduler.state })))
    for (const one of some) {
      const { partition } = one.claim
      if (!ours.has(partition)) {
        logger.warn({ partition }, "another process has taken over this partition of the scheduler")
        owned.delete(partition)
        replaced.add(partition)
        continue
      }
      one.saved = { position: one.position, revision: one.scheduler.state.revision }
      one.hasAsked = false
      one.notes.length = 0
      saved(partition, one.position)
    }
  }

  return {
    load: (partition) => inTurn(() => load(partition)),
    process: (records) => inTurn(() => ask(decide(owned, records))),
    tick: (nowMs) =>
      inTurn(async () => {
        replaced.check()
        if (plantClock === "wall") await ask(advance(owned.values(), nowMs))
        if (nowMs < checkpointDueMs) return
        checkpointDueMs = nowMs + checkpointMs
        await save([...owned.values()].filter(hasMoved))
        // Again for those that were saved before there was a subscription to tell.
        for (const { claim, saved: last } of owned.values()) saved(claim.partition, last.position)
      }),
    revoked: (partitions) =>
      inTurn(async () => {
        await save(partitions.flatMap((partition) => owned.get(partition) ?? []).filter(hasMoved))
        for (const partition of partitions) owned.delete(partition)
        replaced.remove(partitions)
      }),
  }
}

function* decide(
  owned: ReadonlyMap<number, Owned>,
  records: readonly LogRecord<DetectionRecord>[],
): Iterable<OrderRequest> {
  for (const { partition, position, value } of records) {
    const one = owned.get(partition)
    // Another process has taken it over and decides.
    if (one === undefined) continue
    yield* noted(one, one.scheduler.take(value))
    one.position = position + 1
  }
}

function* advance(owned: Iterable<Owned>, toMs: number): Iterable<OrderRequest> {
  for (const one of owned) yield* noted(one, one.scheduler.advance(toMs))
}

function* noted(one: Owned, requests: Iterable<OrderRequest>): Iterable<OrderRequest> {
  for (const request of requests) {
    one.hasAsked = true
    yield request
  }
}

/** To be saved at once. Where plans begin is not in the log, so it must not be worked out a second time. */
function hasDecided({ hasAsked, notes, scheduler, saved }: Owned): boolean {
  return hasAsked || notes.length > 0 || scheduler.state.revision !== saved.revision
}

function hasMoved(one: Owned): boolean {
  return one.position !== one.saved.position || hasDecided(one)
}

function earliest(owned: Iterable<Owned>): number | undefined {
  return [...owned].flatMap(({ scheduler }) => scheduler.nextMs() ?? []).toSorted((a, b) => a - b)[0]
}

/** Which plan is for which assets is worked out once for each revision, not once for each partition. */
function assignmentsByRevision(partitions: number) {
  const known = new WeakMap<Revision, ReturnType<typeof assignmentsOf>>()
  return (revision: Revision, partition: number): readonly Assignment[] => {
    const all = known.get(revision) ?? assignmentsOf(revision, partitions)
    known.set(revision, all)
    return all.get(partition) ?? []
  }
}
