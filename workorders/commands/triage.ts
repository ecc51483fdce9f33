import { z } from "zod"
import { name, orderType, priority } from "../../core/vocabulary.ts"
import { isOpen } from "../change.ts"
import { componentOf } from "../component.ts"
import { cancelled } from "./closing.ts"
import { command, refuse, withNote } from "./command.ts"

const note = z.string().max(2000).default("")

export const triage = command({
  summary: "look a request over: say what it is and how urgent",
  roles: ["planner", "supervisor", "admin"],
  from: ["requested"],
  to: ["triaged"],
  input: z.strictObject({
    type: orderType.optional().describe("what kind of work it is"),
    priority: priority.optional().describe("1, the most urgent, to 5"),
    component: name.optional().describe("the part of the asset that it is about"),
    note,
  }),
  run(order, input, { actor, asset, person, revision }) {
    if (input.component !== undefined && asset !== undefined)
      componentOf(input.component, asset, revision.plant)
    const mayRelax =
      person === undefined || person.roles.some((role) => role === "supervisor" || role === "admin")
    if (order.type === "specialised" && (input.type ?? order.type) !== "specialised" && !mayRelax)
      refuse(
        `${order.number} is specialised, which keeps its due date: a supervisor or admin may say that it is not`,
      )
    const urgency = input.priority ?? order.priority
    const because =
      input.priority === undefined || input.priority === order.priority
        ? {}
        : { priorityReason: `set by ${actor}` }
    const said = [
      input.type === undefined ? "" : `type ${input.type}`,
      input.priority === undefined ? "" : `priority ${input.priority}`,
      input.note,
    ].filter((one) => one !== "")
    return {
      order: {
        ...order,
        ...because,
        state: "triaged",
        type: input.type ?? order.type,
        priority: urgency,
        component: input.component ?? order.component,
      },
      event: "triaged",
      note: said.join("; ") || "looked over",
    }
  },
})

export const duplicate = command({
  summary: "this order is about what another one is about already: end it, linked to that one",
  roles: ["planner", "supervisor", "admin"],
  from: ["requested", "triaged"],
  to: ["cancelled"],
  input: z.strictObject({ of: z.string().min(1).max(64), note }),
  reads: ({ of }) => [of],
  run(order, { of, note: said }, context) {
    const first = context.other(of)
    if (first === undefined) refuse(`there is no work order ${of}`)
    if (first.id === order.id) refuse(`${order.number} can't be a duplicate of itself`)
    if (!isOpen(first)) refuse(`${first.number} is ${first.state}: link to an order that is still open`)
    const { order: ended, effects } = cancelled(order, context)
    return {
      order: { ...ended, duplicateOf: first.id },
      effects,
      event: "duplicate",
      note: withNote(`duplicate of ${first.number}`, said),
    }
  },
})
