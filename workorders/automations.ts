/** Carries out the automations of the plant file: docs/automations.md. */
import { v5 as uuidv5 } from "uuid"
import { type Automation, automationActor } from "../core/automation.ts"
import type { Revision } from "../core/catalogue.ts"
import { Claims } from "../core/db/claims.ts"
import type { LogRecord, Position, Subscription } from "../core/log/log.ts"
import type { OrderEvent } from "../core/orders.ts"
import type { StageContext } from "../core/service.ts"
import { topics } from "../core/topics.ts"
import { deedOf, nameOf, withoutNeed } from "./automation-commands.ts"
import { createAutomationDesk } from "./automation-desk.ts"
import { automationsByKind, isByAutomation } from "./automation-match.ts"
import { findRun, outcomeOf, type RunStep, recordRun } from "./automation-runs.ts"
import type { OrderQueries } from "./queries.ts"
import type { RunOutcome, WorkOrderTables } from "./tables.ts"

const group = "automations"
/** Events after which the position is saved: each may set off some commands. */
const batch = 50
/** Drawn once at random. */
const namespace = "e2f5ad0e-9f0e-4c39-8c5d-1f7b0f7f2f5a"

export type Automations = {
  start(): Promise<void>
  /** To be called about each second. Throws `OWNER_REPLACED`. */
  check(): void
  close(): Promise<void>
  /** Rejects when it can't go on; resolves when it was closed. */
  readonly done: Promise<void>
}

/**
 * Reads what happens to orders. A step is a command with an id made from automation, event and step, and is written
 * down before the next: what is read again after a crash goes on where it was. `acted` hears that there are events.
 */
export function createAutomations(
  context: StageContext,
  { get }: Pick<OrderQueries, "get">,
  acted: () => void,
): Automations {
  const { log, database, catalogue } = context
  const newest = () => catalogue.newest()
  const desk = createAutomationDesk({ database, newest, partitions: log.partitions })
  const claims = new Claims(context, { consumer: group, topic: topics.workOrderEvents.name, of: group })
  const tables = () => database.tables<WorkOrderTables>()
  const byKind = automationsByKind()
  let isClosing = false
  let subscription: Subscription | undefined
  let end = { resolve() {}, reject(_error: unknown) {} }
  const done = new Promise<void>((resolve, reject) => {
    end = { resolve, reject }
  })
  // The stage decides what a failure means; until it listens, that must not end the process.
  done.catch(() => {})

  async function process(records: readonly LogRecord<OrderEvent>[]): Promise<void> {
    const done = new Map<number, Position>()
    for (const { partition, position, appendedMs, value } of records) {
      if (!claims.holds(partition) || isClosing) continue
      await react(value, appendedMs)
      done.set(partition, position + 1)
    }
    for (const { claim, position } of await claims.save(claims.reached(done)))
      subscription?.commit(claim.partition, position)
  }

  async function react(event: OrderEvent, appendedMs: number): Promise<void> {
    const revision = newest()
    if (revision === undefined || isByAutomation(event)) return
    for (const { automation, match } of byKind(revision).get(event.kind) ?? []) {
      if (appendedMs < revision.automationSinceMs(automation.id)) continue
      const holds = match(event, revision)
      if (holds !== false) await run(automation, holds, event, revision)
    }
  }

  /** `holds`: a text says why the condition could not be told. */
  async function run(
    automation: Automation,
    holds: true | string,
    event: OrderEvent,
    revision: Revision,
  ): Promise<void> {
    const { order, sequence, kind, atMs } = event
    const { id } = automation
    const key = { automation: id, order_id: order.id, sequence }
    const record = (outcome: RunOutcome, steps: readonly RunStep[], problem = "") =>
      recordRun(tables(), {
        ...key,
        event: kind,
        revision: revision.number,
        at_ms: atMs,
        outcome,
        steps: JSON.stringify(steps),
        problem,
      })
    const before = await findRun(tables(), key)
    if (before !== undefined && before.outcome !== "running") return
    if (holds !== true) {
      await record("condition-error", [], holds)
      return
    }
    const steps = [...(before?.steps ?? [])]
    for (const [at, action] of automation.then.entries()) {
      if (at < steps.length) continue
      const deed = deedOf(action, automation, event, revision.plant)
      const step = uuidv5(JSON.stringify([id, order.id, sequence, at]), namespace)
      const outcome = await desk.act(order.id, deed, step, { actor: automationActor(id), atMs })
      steps.push({ step: nameOf(action), ...withoutNeed(action, (await get(order.id)).order, outcome) })
      // What comes later must not make possible what was not: the next time it goes on from here.
      await record("running", steps)
      acted()
    }
    await record(outcomeOf(steps), steps)
  }

  return {
    done,
    check: () => claims.check(),

    async start() {
      subscription = await log.subscribe(topics.workOrderEvents, group, {
        load: async (partition) => (await claims.take(partition)).position,
        async process(records) {
          for (let from = 0; from < records.length; from += batch)
            await process(records.slice(from, from + batch))
        },
        async revoked(partitions) {
          claims.release(partitions)
        },
      })
      // Batches that came before there was a subscription to tell.
      for (const { partition, position } of claims.all()) subscription.commit(partition, position)
      subscription.done.then(() => end.resolve(), end.reject)
    },

    async close() {
      isClosing = true
      // Whatever it failed with, `done` has told.
      await Promise.allSettled([subscription?.close()])
      end.resolve()
    },
  }
}
