import { z } from "zod"
import type { WorkOrder } from "../../core/orders.ts"
import { dateMs, name } from "../../core/vocabulary.ts"
import { withoutClocks } from "../readiness.ts"
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

export const plan = command({
  summary: "say when the work is to be done",
  roles: ["planner", "supervisor", "admin"],
  from: ["approved", "planned", "assigned"],
  to: ["planned", "assigned"],
  input: z.strictObject({
    startMs: dateMs.describe("when it is to begin"),
    finishMs: dateMs.describe("when it is to be done"),
    note,
  }),
  run(order, { startMs, finishMs, note: said }, context) {
    if (finishMs <= startMs) refuse("the work can't end before it starts: give a later end")
    const when = spanText({ startMs, endMs: finishMs })
    const late = finishMs > order.dueMs ? `, after it is due (${minute(order.dueMs)})` : ""
    const { work, effects, told } = reserveMaterials(order, context)
    return {
      order: {
        ...order,
        work,
        state: order.state === "approved" ? "planned" : order.state,
        planned: { startMs, finishMs },
      },
      event: "planned",
      note: [withNote(`${when}${late}`, said), ...told].join("; "),
      effects,
    }
  },
})

export const assign = command({
  summary: "say who does it; replaces who was to do it before",
  roles: ["planner", "supervisor", "admin"],
  from: [
    "approved",
    "planned",
    "assigned",
    "dispatched",
    "acknowledged",
    "in-progress",
    "on-hold",
    "reopened",
  ],
  to: ["assigned"],
  input: z.strictObject({ to: people, note }),
  run(order, { to, note: said }, context) {
    const assignees = [...new Set(to)]
    for (const id of assignees) mustBeFit(id, order, context)
    // Work that is under way goes on; it need not be dispatched once more.
    const state = order.state === "in-progress" || order.state === "on-hold" ? order.state : "assigned"
    return {
      // Whoever was at it, or on the way to it, is not any more.
      order: { ...withoutClocks(order, context.atMs), state, assignees },
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
