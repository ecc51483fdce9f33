/** What must be there before work starts and before it is done; and how all that runs is ended with it. */
import type { Work, WorkOrder } from "../core/orders.ts"
import { ended } from "./spans.ts"

type Outcome = Work["attempts"][number]["outcome"]

/** What a record has of its own under this key: a name such as "constructor" finds nothing else. */
export function own<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined
}

/** The permits that the job asks for and that are not held: never granted, or handed back. */
export function permitsToGrant({ job, work }: Pick<WorkOrder, "job" | "work">): readonly string[] {
  return job.permits.map(({ kind }) => kind).filter((kind) => own(work.permits, kind)?.returnedMs !== null)
}

/** One line for each thing that stands in the way of completing it. */
export function missingToComplete({ job, work }: WorkOrder): string[] {
  return [
    ...job.tasks
      .filter(({ id }) => own(work.tasks, id) === undefined)
      .map(({ id, title }) => `task ${id} (${title}) is neither done nor skipped`),
    ...job.checklist
      .filter(({ id, required }) => required && own(work.checks, id) === undefined)
      .map(({ id, text }) => `check ${id} (${text}) is not answered`),
    ...permitsOut({ work }),
  ]
}

/** One line for each permit that somebody still holds: no order ends with a lock on the machine. */
export function permitsOut({ work }: Pick<WorkOrder, "work">): string[] {
  return Object.entries(work.permits)
    .filter(([, { returnedMs }]) => returnedMs === null)
    .map(([kind, { number }]) => `the permit ${kind} (${number}) is not handed back ("return-permit")`)
}

/** It is about a fault, which an attempt mends or does not. */
function isCorrective({ trigger, type }: WorkOrder): boolean {
  return trigger.kind === "rule" || type === "reactive"
}

/** The order with nothing running any more. `outcome` is that of the attempt that ends with it. */
export function finishedWork(order: WorkOrder, atMs: number, outcome: Outcome = null): WorkOrder {
  const { labour, attempts, downtime, holds } = order.work
  return {
    ...order,
    work: {
      ...order.work,
      labour: ended(labour, atMs),
      downtime: ended(downtime, atMs),
      holds: ended(holds, atMs),
      attempts: ended(
        attempts.map((one) => (one.endMs === null && isCorrective(order) ? { ...one, outcome } : one)),
        atMs,
      ),
    },
  }
}

/** The order with nobody's clock running. */
export function withoutClocks(order: WorkOrder, atMs: number): WorkOrder {
  return { ...order, work: { ...order.work, labour: ended(order.work.labour, atMs) } }
}
