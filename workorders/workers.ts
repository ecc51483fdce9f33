import type { Task } from "../core/job.ts"
import type { WorkOrder } from "../core/orders.ts"

/** Those who have something to do: the order, or a task of it, is theirs. */
export function assignedTo({ assignees, job }: WorkOrder): readonly string[] {
  return [...new Set([...assignees, ...job.tasks.flatMap(({ assignee }) => assignee ?? [])])]
}

/** Those who do this task: who it is assigned to, who was planned for it, or else whoever has the order. */
export function doersOf({ assignees, planned }: WorkOrder, { id, assignee }: Task): readonly string[] {
  if (assignee !== undefined) return [assignee]
  const own = planned?.slots.filter(({ task }) => task === id).map(({ person }) => person) ?? []
  return own.length > 0 ? [...new Set(own)] : assignees
}

/** Everybody who had a hand in the work, whoever it is assigned to by now. */
export function handsOf({ work, closing }: WorkOrder): ReadonlySet<string> {
  return new Set([
    ...work.labour.map(({ person }) => person),
    ...Object.values(work.tasks).map(({ by }) => by),
    ...Object.values(work.checks).map(({ by }) => by),
    ...(closing.completed === null ? [] : [closing.completed.by]),
  ])
}
