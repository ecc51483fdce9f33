/** Orders as the planners see them: what is to be done, by whom at the least, where, and when it may be. */
import type { Revision } from "../../core/catalogue.ts"
import type { Task as JobTask } from "../../core/job.ts"
import { type TimeWindow, windowSpans, without, workingSpans } from "../../core/open-time.ts"
import type { WorkOrder } from "../../core/orders.ts"
import { timeZoneOf } from "../../core/wording.ts"
import { closedFor } from "../work-calendar.ts"
import { placeOf } from "./places.ts"
import type { Job, Span, Task } from "./problem.ts"

const minute = 60_000
const hour = 60 * minute

/** The task that an order without tasks is. */
export const wholeOrder = "all"

/** How many hours of work are expected, of the whole order and of each task. */
export type Expected = { readonly hours: number; readonly tasks: Readonly<Record<string, number>> }

export function jobOf(
  order: WorkOrder,
  {
    expected,
    parts,
    windows,
    fromMs,
    revision,
  }: {
    readonly expected: Expected
    readonly parts: Job["parts"]
    readonly windows: readonly Span[] | null
    readonly fromMs: number
    readonly revision: Revision
  },
): Job {
  const { id, number, priority, dueMs } = order
  return {
    id,
    number,
    priority,
    dueMs,
    earliestMs: fromMs,
    windows: windows === null ? null : [...windows],
    place: placeOf(order, revision),
    parts,
    timed: order.planned !== null && order.planned.finishMs > fromMs,
    tasks: tasksOf(order, expected),
  }
}

/** What is still to be done. */
function tasksOf(order: WorkOrder, expected: Expected): Task[] {
  const { job, work } = order
  const needs = { skills: [...job.skills], qualifications: [...job.qualifications] }
  if (job.tasks.length === 0) {
    const whole = { id: wholeOrder, ms: wholeMinutes(expected.hours), craft: null, after: [] }
    return [{ ...whole, ...needs, person: named(order) }]
  }
  const isOpen = (task: string) => !Object.hasOwn(work.tasks, task)
  return job.tasks
    .filter(({ id }) => isOpen(id))
    .map((task) => ({
      id: task.id,
      ms: wholeMinutes(expected.tasks[task.id] ?? 0),
      craft: task.craft ?? null,
      ...needs,
      after: before(order, task).filter(isOpen),
      person: task.assignee ?? named(order),
    }))
}

/** The tasks that it names, and all of the phases before its own. */
function before({ job: { tasks, phases } }: WorkOrder, own: JobTask): readonly string[] {
  const phaseOf = (phase: string | undefined) => (phase === undefined ? -1 : phases.indexOf(phase))
  const phase = phaseOf(own.phase)
  const earlier = tasks.filter((one) => one.phase !== undefined && phaseOf(one.phase) < phase)
  return [...new Set([...own.after, ...earlier.map(({ id }) => id)])]
}

/** Whom a planner has assigned the whole to; people who were planned by the slot may be planned anew. */
function named({ assignees, planned }: WorkOrder): string | null {
  const [one, another] = assignees
  return one === undefined || another !== undefined || (planned?.slots.length ?? 0) > 0 ? null : one
}

/** Up to the next whole one; nothing takes no time. */
function wholeMinutes(hours: number): number {
  // Shares of hours carry dust: 0.1 + 0.2 h is not a minute longer.
  return Math.max(1, Math.ceil(Math.round(hours * hour) / minute)) * minute
}

/** When assets may be worked on, each looked up once. Null: at all times. */
export function windowsIn(
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
  { plant, assets }: Revision,
): (order: WorkOrder) => readonly Span[] | null {
  const known = new Map<string, readonly Span[]>()
  const always = workingSpans(undefined, "UTC")
  return ({ asset: id, job }) => {
    const asset = assets.get(id)
    if (asset === undefined) return null
    const closed = closedFor(plant, asset, job.shutdown)
    if (closed.length === 0) return null
    const timeZone = timeZoneOf(plant, asset.site)
    const key = JSON.stringify([timeZone, closed.map((one) => one.id), job.shutdown])
    const spans = known.get(key) ?? open(closed, timeZone)
    known.set(key, spans)
    return spans
  }

  function open(closed: readonly TimeWindow[], timeZone: string): readonly Span[] {
    return [...without(always, windowSpans(closed, timeZone))(fromMs, toMs)]
  }
}
