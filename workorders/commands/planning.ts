import { z } from "zod"
import { agreed, type Slot, type WorkOrder } from "../../core/orders.ts"
import { dateMs, name } from "../../core/vocabulary.ts"
import { own, withoutClocks } from "../readiness.ts"
import { minute, spanText } from "../spans.ts"
import { reserveMaterials } from "../stock.ts"
import { type Context, command, refuse, withNote } from "./command.ts"
import { personOf } from "./people.ts"

const note = z.string().max(2000).default("").describe("what is to be known of it")
const people = z
  .array(name)
  .min(1)
  .max(100)
  .describe("who, by their ids; they hold the qualifications that it takes")
const slots = z
  .array(z.strictObject({ task: z.string().nullable(), person: name, startMs: dateMs, finishMs: dateMs }))
  .max(1000)
  .default([])
  .describe("who is at which task when: [{task, person, startMs, finishMs}], the order is then theirs")

export const plan = command({
  summary: "say when the work is to be done",
  roles: ["planner", "supervisor", "admin"],
  from: ["approved", "planned", "assigned"],
  to: ["planned", "assigned"],
  input: z.strictObject({
    startMs: dateMs.describe("when it is to begin"),
    finishMs: dateMs.describe("when it is to be done"),
    slots,
    note,
  }),
  run(order, { startMs, finishMs, slots, note: said }, context) {
    if (finishMs <= startMs) refuse("the work can't end before it starts: give a later end")
    mustBePossible(slots, { startMs, finishMs }, order, context)
    const assignees = [...new Set(slots.map(({ person }) => person))]
    const when = spanText({ startMs, endMs: finishMs })
    const late = finishMs > order.dueMs ? `, after it is due (${minute(order.dueMs)})` : ""
    const { work, effects, told } = reserveMaterials(order, context)
    return {
      order: {
        ...order,
        work,
        planned: { startMs, finishMs, slots },
        ...(assignees.length > 0
          ? { state: "assigned", assignees }
          : { state: order.state === "approved" ? "planned" : order.state }),
      },
      event: "planned",
      note: [withNote(`${when}${late}${byWhom(slots)}`, said), ...told].join("; "),
      effects,
    }
  },
})

export const assign = command({
  summary: "say who does it; replaces who was to do it before",
  roles: ["planner", "supervisor", "admin"],
  from: agreed,
  to: ["assigned"],
  input: z.strictObject({ to: people, note }),
  run(order, { to, note: said }, context) {
    const assignees = [...new Set(to)]
    for (const id of assignees) mustBeFit(id, order, context)
    // Work that is under way goes on; it need not be dispatched once more.
    const state = order.state === "in-progress" || order.state === "on-hold" ? order.state : "assigned"
    return {
      // Whoever was at it, or on the way to it, is not any more.
      order: { ...withSlotsOf(withoutClocks(order, context.atMs), assignees), state, assignees },
      event: "assigned",
      note: withNote(`to ${assignees.join(", ")}`, said),
    }
  },
})

export const dispatch = command({
  summary: "send it to those who do it",
  roles: ["planner", "supervisor", "admin"],
  from: ["assigned"],
  to: ["dispatched"],
  input: z.strictObject({ note }),
  run(order, { note: said }) {
    return {
      order: { ...order, state: "dispatched" },
      event: "dispatched",
      note: withNote(`to ${order.assignees.join(", ")}`, said),
    }
  },
})

/**
 * The order with the slots that hold for these people: one who takes over from another takes their times over; what was
 * planned for others is nobody's any more.
 */
export function withSlotsOf(order: WorkOrder, people: readonly string[]): WorkOrder {
  if (order.planned === null) return order
  const [one] = people
  const takesOver = people.length === 1 && new Set(order.planned.slots.map(({ person }) => person)).size === 1
  const slots =
    takesOver && one !== undefined ? order.planned.slots.map((slot) => ({ ...slot, person: one })) : []
  return { ...order, planned: { ...order.planned, slots } }
}

/** Throws `NOT_POSSIBLE` for slots that the work or the people do not allow. */
function mustBePossible(
  slots: readonly Slot[],
  { startMs, finishMs }: { readonly startMs: number; readonly finishMs: number },
  order: WorkOrder,
  context: Context,
): void {
  for (const slot of slots) {
    const what = `${slot.person} at ${slot.task === null ? order.number : `task ${slot.task}`}`
    if (slot.startMs < startMs || slot.finishMs > finishMs || slot.finishMs <= slot.startMs)
      refuse(
        `${what}, ${spanText({ startMs: slot.startMs, endMs: slot.finishMs })}: expected a time within ${spanText({ startMs, endMs: finishMs })}`,
      )
    // Fit until the end of it: a certificate may run out before.
    mustBeFit(slot.person, order, { ...context, atMs: slot.finishMs - 1 })
    if (slot.task !== null) mustBeToDo(slot.task, slot.person, order)
  }
  const inOrder = slots.toSorted((a, b) => a.startMs - b.startMs)
  for (const [at, slot] of inOrder.entries()) {
    const next = inOrder.slice(at + 1).find(({ person }) => person === slot.person)
    if (next !== undefined && next.startMs < slot.finishMs)
      refuse(
        `${slot.person} is to be at two things at ${minute(next.startMs)}: give one of them another time`,
      )
  }
}

function mustBeToDo(id: string, person: string, { number, job, work }: WorkOrder): void {
  const task = job.tasks.find((one) => one.id === id)
  if (task === undefined)
    refuse(`${number} has no task ${id}: name one of ${job.tasks.map((one) => one.id).join(", ") || "none"}`)
  const state = own(work.tasks, id)?.state
  if (state !== undefined) refuse(`task ${id} of ${number} is ${state}: open it again first`)
  if (task.assignee !== undefined && task.assignee !== person)
    refuse(`task ${id} of ${number} is ${task.assignee}'s, not ${person}'s: say so first with assign-task`)
}

/** ", by tina (isolate, find) and theo (mend)" */
function byWhom(slots: readonly Slot[]): string {
  const tasks = new Map<string, Set<string>>()
  for (const { person, task } of slots) {
    const own = tasks.get(person) ?? new Set()
    tasks.set(person, task === null ? own : own.add(task))
  }
  if (tasks.size === 0) return ""
  const each = [...tasks].map(([person, own]) =>
    own.size === 0 ? person : `${person} (${[...own].join(", ")})`,
  )
  return `, by ${each.join(" and ")}`
}

/** Throws `NOT_POSSIBLE` unless this person is there and holds the qualifications that the order's work takes. */
export function mustBeFit(id: string, order: WorkOrder, context: Pick<Context, "revision" | "atMs">): void {
  const person = personOf(id, context)
  if (person === undefined) return
  for (const needed of order.job.qualifications) {
    if (!holds(person.skills, needed, context.atMs))
      refuse(`${id} does not hold the qualification "${needed}" that ${order.number} takes`)
  }
}

type Skills = readonly (string | { readonly skill: string; readonly until: string })[]

/** A skill with a date counts up to and with that day (UTC). */
function holds(skills: Skills, needed: string, atMs: number): boolean {
  const today = new Date(atMs).toISOString().slice(0, 10)
  return skills.some((one) =>
    typeof one === "string" ? one === needed : one.skill === needed && one.until >= today,
  )
}
