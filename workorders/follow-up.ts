import { isAutomationActor } from "../core/automation.ts"
import { jobOf, noJob, worded } from "../core/job.ts"
import type { OpenOrder, WorkOrder } from "../core/orders.ts"
import { timeAllowed } from "../core/plant.ts"
import { fillIn } from "../core/wording.ts"
import type { Context, Step } from "./commands/command.ts"

type Wanted = {
  readonly id: string
  /** Left out: the template's. */
  readonly title: string | undefined
  readonly description: string
  readonly component: string | null
  readonly priority: number
  readonly template: string | undefined
  /** The check whose answer failed. */
  readonly check: string | null
}

/** The order has asked for another one. */
export function withFollowUp(order: WorkOrder, wanted: Wanted, context: Context): Step {
  const request = followUp(order, wanted, context)
  return {
    order: { ...order, followUps: [...order.followUps, request.order] },
    event: "follow-up",
    note: `asks for "${request.title}", priority ${wanted.priority}`,
    effects: [{ kind: "open", request }],
  }
}

/** Asks for an order for what work on another one has shown: a need of its own, whatever else is open there. */
export function followUp(
  order: WorkOrder,
  wanted: Wanted,
  { revision, actor, person, atMs }: Context,
): OpenOrder {
  const { id, title, component, priority, check } = wanted
  const { plant } = revision
  const template = plant.templates.find((one) => one.id === wanted.template)
  const place = { asset: order.asset, component }
  const words = (text: string) => fillIn(text, place)
  return {
    kind: "open",
    order: id,
    type: "reactive",
    site: order.site,
    ...place,
    mergeKey: `order|${id}`,
    title: words(title ?? template?.title ?? `Follow-up of ${order.number}`),
    description: wanted.description || words(template?.description ?? ""),
    template: template?.id ?? null,
    job: template === undefined ? noJob : worded(jobOf(template), words),
    priority,
    priorityReason: `set by ${check === null ? actor : `check ${check}`} of ${order.number}`,
    atMs,
    dueMs: atMs + timeAllowed(plant, priority),
    trigger: { kind: "order", order: order.id, number: order.number, check },
    findings: [],
    costCentre: order.costCentre,
    origin: {
      requester: {
        kind: isAutomationActor(actor) ? "system" : "person",
        id: actor,
        name: person?.name ?? actor,
        contact: null,
      },
      fields: {},
      customer: order.customer,
      salesOrder: null,
      parent: order.id,
    },
  }
}
