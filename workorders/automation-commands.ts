/** What automations do: commands that people have as well, and two that are theirs alone. */
import { z } from "zod"
import { type Automation, type AutomationAction, fillInOrder } from "../core/automation.ts"
import { orderStates, type WorkOrder } from "../core/orders.ts"
import type { Plant } from "../core/plant.ts"
import { name, priority } from "../core/vocabulary.ts"
import { localTime, timeZoneOf } from "../core/wording.ts"
import type { Happening } from "./automation-facts.ts"
import type { Outcome } from "./automation-runs.ts"
import { submit } from "./commands/approval.ts"
import { command } from "./commands/command.ts"
import { edit } from "./commands/edit.ts"
import { assign } from "./commands/planning.ts"
import { withFollowUp } from "./follow-up.ts"

/** Unlike people, who see besides what work on the order shows, an automation may ask for more work at any time. */
const raise = command({
  summary: "ask for a follow-up order",
  roles: [],
  from: orderStates,
  input: z.strictObject({
    title: z.string().optional(),
    description: z.string(),
    priority,
    template: name.optional(),
  }),
  run(order, { title, description, priority: urgency, template }, context) {
    const { component } = order
    const id = context.idFor("follow-up")
    const wanted = { id, title, description, component, priority: urgency, template, check: null }
    return withFollowUp(order, wanted, context)
  },
})

/** Changes nothing of the order: its event is what tells them. */
const notify = command({
  summary: "tell somebody",
  roles: [],
  from: orderStates,
  input: z.strictObject({ to: name, text: z.string() }),
  run: (order, { to, text }, { revision }) => ({
    order,
    event: "notified",
    note: `to ${namesOf(to, revision.plant)}: ${text}`,
  }),
})

export const automationCommands = { assign, edit, submit, "follow-up": raise, notify } as const

/** A step of an automation as the command that carries it out. */
export type Deed = { readonly command: keyof typeof automationCommands; readonly input: unknown }

export function deedOf(
  action: AutomationAction,
  { id }: Pick<Automation, "id">,
  happening: Happening,
  plant: Plant,
): Deed {
  const { assign: to, priority: urgency, approval, notify: told, followUp: wanted } = action
  const why = `automation ${id}`
  if (to !== undefined) return { command: "assign", input: { to } }
  if (urgency !== undefined) return { command: "edit", input: { priority: urgency, reason: why } }
  if (approval !== undefined) return { command: "submit", input: {} }
  if (told !== undefined)
    return {
      command: "notify",
      input: { to: told.to, text: fillInOrder(told.text, wordsOf(happening, plant)) },
    }
  if (wanted !== undefined) return { command: "follow-up", input: wanted }
  throw new Error(`a step of ${why} does nothing`)
}

/** "priority", as the plant file has it. */
export function nameOf(action: AutomationAction): string {
  const [key = ""] = Object.entries(action).flatMap(([key, value]) => (value === undefined ? [] : [key]))
  return key
}

/** A priority that the order has already needs no change, and none is made: that is no failure. */
export function withoutNeed(
  { priority: urgency }: AutomationAction,
  order: Pick<WorkOrder, "priority">,
  outcome: Outcome,
): Outcome {
  if (outcome.outcome === "done" || urgency !== order.priority) return outcome
  return { outcome: "done", note: `priority is ${urgency} already` }
}

function wordsOf({ order, actor, note }: Happening, plant: Plant) {
  return {
    number: order.number,
    title: order.title,
    type: order.type,
    state: order.state,
    priority: String(order.priority),
    due: localTime(order.dueMs, timeZoneOf(plant, order.site)),
    site: order.site,
    asset: order.asset,
    component: order.component ?? "",
    actor,
    note,
  }
}

/** "supervisor Sara, Sam"; a role that nobody has is said to be so. */
function namesOf(to: string, { people }: Plant): string {
  const person = people.find(({ id }) => id === to)
  if (person !== undefined) return person.name
  const names = people.filter(({ roles }) => roles.some((one) => one === to)).map(({ name }) => name)
  return names.length === 0 ? `nobody, for nobody has the role ${to}` : `${to} ${names.join(", ")}`
}
