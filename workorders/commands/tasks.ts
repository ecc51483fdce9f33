import { z } from "zod"
import { job, type Task } from "../../core/job.ts"
import type { OrderState, WorkOrder } from "../../core/orders.ts"
import { agreed } from "../../core/orders.ts"
import { name } from "../../core/vocabulary.ts"
import { own } from "../readiness.ts"
import { doersOf } from "../workers.ts"
import { type Context, command, refuse, withNote } from "./command.ts"
import { mustStayApproved } from "./edit.ts"
import { assigned, executors, has } from "./people.ts"
import { mustBeFit } from "./planning.ts"

const key = z.string().min(1).max(64)
const note = z.string().max(2000).default("")
const planners = ["planner", "supervisor", "admin"] as const

/** Not while it waits for approval: what is approved is what was asked for. */
const whilePlanned: readonly OrderState[] = ["requested", "triaged", ...agreed]

export const task = command({
  summary: "say that tasks are done, or skipped with the reason; or open them again",
  roles: executors,
  assigned,
  from: ["in-progress"],
  input: z.strictObject({
    task: z.array(key).min(1).max(200).describe("their numbers, in the order in which they were done"),
    state: z
      .enum(["done", "skipped", "open"])
      .default("done")
      .describe("what became of them (default: done)"),
    note: note.describe("what is to be known of it; why it was skipped or opened again"),
  }),
  run(order, { task: ids, state, note: said }, context) {
    if (state !== "done" && said === "")
      refuse(`say in the note why the task is ${state === "open" ? "opened again" : "skipped"}`)
    const after = ids.reduce((to, id) => {
      const one = taskOf(to, id)
      mustBeTheirs(to, one, context)
      return state === "open" ? opened(to, one) : recorded(to, one, state, said, context)
    }, order)
    const what = `task ${ids.join(", ")} ${state === "open" ? "opened again" : state}`
    return { order: after, event: "task", note: withNote(what, said) }
  },
})

export const editTask = command({
  summary: "change a task, or add one under a new number",
  roles: planners,
  from: whilePlanned,
  input: z.strictObject({
    task: name.describe("its number; one that is not there yet is added as the last"),
    title: z.string().min(1).max(2000).optional(),
    hours: z.number().positive().max(10_000).optional(),
    craft: name.optional(),
    after: z.array(key).max(50).optional().describe("the tasks that must be done before it"),
    phase: key.optional(),
    note,
  }),
  run(order, { task: id, note: said, ...given }, { revision }) {
    const before = order.job.tasks.find((one) => one.id === id)
    const changes = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
    if (Object.keys(changes).length === 0)
      refuse(`say what to change of task ${id}: its title, hours, craft, after or phase`)
    if (before === undefined && given.title === undefined)
      refuse(`${order.number} has no task ${id}: give a title to add it, or name one of ${namesOf(order)}`)
    mustBeOpen(order, id)
    const { crafts } = revision.plant
    if (given.craft !== undefined && !crafts.some((one) => one.id === given.craft))
      refuse(
        `there is no craft "${given.craft}" in the plant: expected one of ${crafts.map((one) => one.id).join(", ")}`,
      )
    const edited = { ...before, id, ...changes }
    const tasks =
      before === undefined
        ? [...order.job.tasks, edited]
        : order.job.tasks.map((one) => (one.id === id ? edited : one))
    const fits = job.safeParse({ ...order.job, tasks })
    if (!fits.success) refuse(fits.error.issues.map(({ message }) => message).join("; "))
    const after: WorkOrder = { ...order, job: fits.data }
    mustStayApproved(order, after, revision.plant)
    const what = Object.entries(changes)
      .map(([one, value]) => `${one} ${String(value)}`)
      .join(", ")
    return {
      order: after,
      event: "edited",
      note: withNote(`task ${id} ${before === undefined ? "added" : "changed"}: ${what}`, said),
    }
  },
})

export const assignTask = command({
  summary: "say who does a task, where that is not whoever the order is assigned to",
  roles: planners,
  from: whilePlanned,
  input: z.strictObject({
    task: key,
    to: name.optional().describe("left out: whoever the order is assigned to does it"),
    note,
  }),
  run(order, { task: id, to, note: said }, context) {
    const one = taskOf(order, id)
    mustBeOpen(order, id)
    if (to !== undefined) mustBeFit(to, order, context)
    const { assignee: _before, ...rest } = one
    const edited: Task = to === undefined ? rest : { ...rest, assignee: to }
    const tasks = order.job.tasks.map((other) => (other === one ? edited : other))
    return {
      order: { ...order, job: { ...order.job, tasks }, planned: plannedFor(order, id, to) },
      event: "assigned",
      note: withNote(`task ${id} to ${to ?? "whoever the order is assigned to"}`, said),
    }
  },
})

/** Whoever takes a task over takes its times over; with nobody named for it they are free again. */
function plannedFor({ planned }: WorkOrder, id: string, to: string | undefined): WorkOrder["planned"] {
  if (planned === null) return null
  const slots = planned.slots.flatMap((slot) =>
    slot.task !== id ? slot : to === undefined ? [] : { ...slot, person: to },
  )
  return { ...planned, slots }
}

function taskOf(order: WorkOrder, id: string): Task {
  const found = order.job.tasks.find((one) => one.id === id)
  if (found !== undefined) return found
  refuse(
    `${order.number} has no task ${id}: ${namesOf(order) === "" ? "it has none" : `name one of ${namesOf(order)}`}`,
  )
}

function namesOf({ job }: WorkOrder): string {
  return job.tasks.map(({ id }) => id).join(", ")
}

function mustBeOpen({ work }: WorkOrder, id: string): void {
  const before = own(work.tasks, id)
  if (before !== undefined) refuse(`task ${id} is ${before.state}: open it again first`)
}

function mustBeTheirs(order: WorkOrder, task: Task, context: Context): void {
  if (has(context, ["supervisor", "admin"])) return
  const theirs = doersOf(order, task)
  if (!theirs.includes(context.actor))
    refuse(
      `task ${task.id} of ${order.number} is ${theirs.join(", ")}'s: they, or a supervisor, say what became of it`,
    )
}

function recorded(
  order: WorkOrder,
  { id }: Task,
  state: "done" | "skipped",
  said: string,
  { actor, atMs }: Context,
): WorkOrder {
  const waitsFor = openBefore(order, id)
  mustBeOpen(order, id)
  if (waitsFor.length > 0)
    refuse(`task ${id} of ${order.number} comes after ${waitsFor.join(", ")}: do those first, or skip them`)
  const tasks = { ...order.work.tasks, [id]: { state, by: actor, atMs, note: said } }
  return { ...order, work: { ...order.work, tasks } }
}

function opened(order: WorkOrder, { id }: Task): WorkOrder {
  if (own(order.work.tasks, id) === undefined) refuse(`task ${id} of ${order.number} is open already`)
  const { [id]: _before, ...tasks } = order.work.tasks
  const after = { ...order, work: { ...order.work, tasks } }
  const later = Object.keys(tasks).filter((one) => openBefore(after, one).includes(id))
  if (later.length > 0)
    refuse(
      `task ${later.join(", ")} came after task ${id}: open ${later.length === 1 ? "it" : "them"} again first`,
    )
  return after
}

/** The tasks that must be done or skipped before this one: those that it names, and all of the phases before its own. */
function openBefore({ job, work }: WorkOrder, id: string): readonly string[] {
  const wanted = job.tasks.find((one) => one.id === id)
  const phase = job.phases.indexOf(wanted?.phase ?? "")
  return job.tasks
    .filter((one) => {
      const isEarlier = one.phase !== undefined && phase >= 0 && job.phases.indexOf(one.phase) < phase
      return (isEarlier || wanted?.after.includes(one.id)) && own(work.tasks, one.id) === undefined
    })
    .map((one) => one.id)
}
