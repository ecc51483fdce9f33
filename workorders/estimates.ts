/** How long work takes, by the history of like orders: those of its template and, where there are enough, its class. */
import type { Kysely } from "kysely"
import { quantileSorted } from "simple-statistics"
import type { Revision } from "../core/catalogue.ts"
import type { Database } from "../core/db/database.ts"
import type { Job } from "../core/job.ts"
import type { OrderState, WorkOrder } from "../core/orders.ts"
import type { WorkOrderTables } from "./tables.ts"

/** Hours of labour that went into the work of like orders: travel and waiting are none. */
export type WorkHistory = {
  readonly template: string
  /** Of the assets; null: of all classes together. */
  readonly class: string | null
  readonly orders: number
  readonly medianHours: number
  /** 80 % lie between these. */
  readonly p10Hours: number
  readonly p90Hours: number
}

export type Estimate = {
  readonly hours: number
  /** Where they come from, in words: "median of 12 orders, 80 % between 1.8 and 4 h". */
  readonly reason: string
  /** Hours by task; together they are all of them. */
  readonly tasks: Readonly<Record<string, number>>
}

export type Estimates = {
  /**
   * Of these templates, or of all in the plant file: each with all classes together, then each class that has enough
   * orders of its own. A template without history has none.
   */
  estimates(wanted: { readonly templates?: readonly string[] | undefined }): Promise<readonly WorkHistory[]>
}

/** With fewer one odd order would decide. */
const fewest = 5
/** Older orders tell of people, tools and machines that are not the same any more. */
const newestOrders = 50
/** Within these the newest of each class are looked for. */
const readAtMost = 500
const hourMs = 3_600_000

export function createEstimates({
  database,
  newest,
}: {
  readonly database: Database
  newest(): Revision | undefined
}): Estimates {
  return {
    async estimates({ templates }) {
      const revision = newest()
      const wanted = templates ?? revision?.plant.templates.map(({ id }) => id) ?? []
      const histories: WorkHistory[] = []
      for (const template of new Set(wanted)) {
        const rows = await selectWorked(database.tables(), template, readAtMost).execute()
        const done = rows.map(({ asset, worked_ms }) => ({
          class: revision?.assets.get(asset)?.class ?? null,
          hours: Number(worked_ms) / hourMs,
        }))
        histories.push(...historiesOf(template, done))
      }
      return histories
    },
  }
}

type DoneWork = { readonly class: string | null; readonly hours: number }

/** `done` is in order of time, the newest first; an asset that has left the plant is of no class. */
export function historiesOf(template: string, done: readonly DoneWork[]): readonly WorkHistory[] {
  const classes = [...new Set(done.flatMap((one) => one.class ?? []))].toSorted()
  const ofClasses = classes.map((one) => ({ class: one, some: done.filter((work) => work.class === one) }))
  return [
    ...(done.length > 0 ? [historyOf(template, null, done)] : []),
    ...ofClasses
      .filter(({ some }) => some.length >= fewest)
      .map(({ class: one, some }) => historyOf(template, one, some)),
  ]
}

function historyOf(template: string, ofClass: string | null, done: readonly DoneWork[]): WorkHistory {
  const hours = done
    .slice(0, newestOrders)
    .map((one) => one.hours)
    .toSorted((a, b) => a - b)
  return {
    template,
    class: ofClass,
    orders: hours.length,
    medianHours: quantileSorted(hours, 0.5),
    p10Hours: quantileSorted(hours, 0.1),
    p90Hours: quantileSorted(hours, 0.9),
  }
}

/** The history to go by: that of the class where there is one. */
export function likeOrders(
  histories: readonly WorkHistory[],
  template: string | null,
  ofClass: string | undefined,
): WorkHistory | undefined {
  const own = histories.filter((one) => one.template === template)
  return own.find((one) => one.class === ofClass) ?? own.find((one) => one.class === null)
}

/** The history, where it is long enough; else what is stated; else an hour, so that the work is not forgotten. */
export function expectedHours({ job }: Pick<WorkOrder, "job">, history: WorkHistory | undefined): Estimate {
  const { hours, reason } = basisOf(job, history)
  return { hours, reason, tasks: sharesOf(job, hours) }
}

function basisOf(job: Job, history: WorkHistory | undefined): Omit<Estimate, "tasks"> {
  if (history !== undefined && history.orders >= fewest) {
    const { orders, medianHours, p10Hours, p90Hours } = history
    const reason = `median of ${orders} orders, 80 % between ${inHours(p10Hours)} and ${inHours(p90Hours)} h`
    return { hours: medianHours, reason }
  }
  const planned = plannedHours(job)
  if (planned === null) return { hours: 1, reason: "no estimate" }
  return { hours: planned, reason: job.estimatedHours === null ? "sum of its tasks" : "as stated" }
}

/** What a job states of itself. */
export function plannedHours({
  estimatedHours,
  tasks,
}: Pick<Job, "estimatedHours" | "tasks">): number | null {
  const byTask = sum(tasks.map(({ hours = 0 }) => hours))
  return estimatedHours ?? (byTask > 0 ? byTask : null)
}

/** The tasks' own hours in proportion; one that states none counts as the mean of those that do. */
function sharesOf({ tasks }: Job, hours: number): Readonly<Record<string, number>> {
  const stated = tasks.flatMap((one) => one.hours ?? [])
  const usual = stated.length === 0 ? 1 : sum(stated) / stated.length
  const all = sum(tasks.map((one) => one.hours ?? usual))
  return Object.fromEntries(tasks.map((one) => [one.id, (hours * (one.hours ?? usual)) / all]))
}

/** "2.5" */
export function inHours(hours: number): string {
  return String(Number(hours.toFixed(2)))
}

function sum(amounts: readonly number[]): number {
  return amounts.reduce((total, one) => total + one, 0)
}

const done: readonly OrderState[] = ["completed", "verified", "closed"]

/** What the labour of a finished order comes to; null where it tells nothing of like orders. */
export function workedMs({
  state,
  template,
  work,
}: Pick<WorkOrder, "state" | "template" | "work">): number | null {
  if (template === null || !done.includes(state)) return null
  const spans = work.labour.map(({ kind, startMs, endMs }) =>
    kind === "work" ? (endMs ?? startMs) - startMs : 0,
  )
  const all = sum(spans)
  return all > 0 ? all : null
}

/** The work of finished orders with this template, the newest first. */
export function selectWorked(db: Kysely<WorkOrderTables>, template: string, limit: number) {
  return db
    .selectFrom("work_order")
    .select(["asset", "worked_ms"])
    .where("template", "=", template)
    .where("worked_ms", "is not", null)
    .orderBy("finished_ms", "desc")
    .orderBy("number", "desc")
    .limit(limit)
}
