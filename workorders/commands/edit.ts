import { z } from "zod"
import { MillwrightError } from "../../core/errors.ts"
import { jobShape } from "../../core/job.ts"
import type { OrderState, WorkOrder } from "../../core/orders.ts"
import { beforeTheEnd } from "../../core/orders.ts"
import type { Plant } from "../../core/plant.ts"
import { dateMs, name, priority } from "../../core/vocabulary.ts"
import { componentOf } from "../component.ts"
import { estimatedCost, money } from "../money.ts"
import { minute } from "../spans.ts"
import { title as oneLine } from "../title.ts"
import { withdraw } from "./approval.ts"
import { command, refuse } from "./command.ts"
import { has } from "./people.ts"

const reason = z.string().trim().max(2000).default("")

/** What can be stated of the job besides its tasks and checks. */
const jobKeys = [
  "estimatedHours",
  "skills",
  "qualifications",
  "materials",
  "tools",
  "permits",
  "sop",
  "documents",
  "services",
  "shutdown",
  "safety",
] as const
type JobKey = (typeof jobKeys)[number]
type JobParts = Partial<Pick<WorkOrder["job"], JobKey>>

const notFinished: readonly OrderState[] = beforeTheEnd.filter(
  (state) => state !== "completed" && state !== "verified",
)

export const edit = command({
  summary: "change what the order says: its text, urgency, place, who pays, and what the work takes",
  roles: ["planner", "engineer", "supervisor", "admin"],
  from: notFinished,
  input: z
    .strictObject({
      title: oneLine.optional(),
      description: z.string().max(10_000).optional(),
      priority: priority.optional().describe("1 (most urgent) to 5; takes a reason"),
      component: name.optional().describe("the part of the asset that it is about"),
      costCentre: name.optional().describe("who pays"),
      estimatedHours: jobShape.estimatedHours.unwrap().optional().describe("hours of work"),
      skills: jobShape.skills.unwrap().optional(),
      qualifications: jobShape.qualifications
        .unwrap()
        .optional()
        .describe("held by whoever is to do the work"),
      materials: jobShape.materials.unwrap().optional().describe('such as [{"part":"6205","quantity":2}]'),
      tools: jobShape.tools.unwrap().optional(),
      permits: jobShape.permits.unwrap().optional().describe('such as [{"kind":"lock-out"}]'),
      sop: jobShape.sop.unwrap().optional().describe('such as {"document":"SOP-12","revision":"C"}'),
      documents: jobShape.documents.unwrap().optional().describe("attached before the order is closed"),
      services: jobShape.services.unwrap().optional().describe("what is hired, in the plant's currency"),
      shutdown: jobShape.shutdown.unwrap().optional().describe("the asset must stand still"),
      safety: jobShape.safety.unwrap().optional(),
      reason: reason.describe("why"),
    })
    .refine((input) => input.priority === undefined || input.reason !== "", {
      path: ["reason"],
      error: "a change of the priority takes a reason",
    }),
  run(
    order,
    { reason: why, title, description, priority: urgency, component, costCentre, ...parts },
    context,
  ) {
    const { revision, asset } = context
    const after: WorkOrder = {
      ...order,
      title: title ?? order.title,
      description: description ?? order.description,
      priority: urgency ?? order.priority,
      priorityReason: urgency === undefined || urgency === order.priority ? order.priorityReason : why,
      component:
        component === undefined || asset === undefined
          ? (component ?? order.component)
          : componentOf(component, asset, revision.plant),
      costCentre: costCentre ?? order.costCentre,
      job: { ...order.job, ...stated(parts) },
    }
    const changes = changesBetween(order, after)
    if (changes.length === 0) refuse(`${order.number} says all this already: give what is to be changed`)
    if (parts.materials !== undefined) mustKnowParts(after, revision.plant)
    mustAskFor(order, after)
    mustStayApproved(order, after, revision.plant)
    return { order: after, event: "edited", note: [...changes, why].filter((one) => one !== "").join("; ") }
  },
})

export const postpone = command({
  summary: "move the date until which the work is due",
  roles: ["planner", "supervisor", "admin"],
  from: notFinished,
  input: z.strictObject({
    dueMs: dateMs.describe("the new date"),
    reason: reason.describe("why; needed where the order is specialised or an obligation"),
  }),
  run(order, { dueMs, reason: why }, context) {
    const { actor, atMs } = context
    const { number, job } = order
    if (dueMs === order.dueMs) refuse(`${number} is due ${minute(dueMs)} already`)
    if (dueMs < atMs) refuse(`${minute(dueMs)} is past: give a date that is still to come`)
    if (job.obligation !== null || order.type === "specialised") {
      const because =
        job.obligation === null
          ? "specialised work"
          : `an obligation (${job.obligation.authority}, ${job.obligation.regulation})`
      if (!has(context, ["supervisor", "admin"]))
        throw new MillwrightError(
          "NOT_ALLOWED",
          `${number} is ${because}: only a supervisor or admin moves its date, and "${actor}" is neither`,
        )
      if (why === "") refuse(`${number} is ${because}: say why its date is moved (reason)`)
    }
    const moved = { fromMs: order.dueMs, toMs: dueMs, reason: why, by: actor, atMs }
    return {
      order: { ...order, dueMs, postponed: [...order.postponed, moved] },
      event: "postponed",
      note: `due ${minute(dueMs)} instead of ${minute(order.dueMs)}${why === "" ? "" : `: ${why}`}`,
    }
  },
})

type Loose<T> = { readonly [K in keyof T]?: T[K] | undefined }

function stated(parts: Loose<JobParts>): JobParts {
  return Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined))
}

function changesBetween(before: WorkOrder, after: WorkOrder): readonly string[] {
  const orderKeys = ["title", "description", "priority", "component", "costCentre"] as const
  const told: string[] = []
  const tell = (key: string, was: unknown, is: unknown) => {
    if (JSON.stringify(was) !== JSON.stringify(is))
      told.push(`${key} ${inWords(is)} instead of ${inWords(was)}`)
  }
  for (const key of orderKeys) tell(wordsOf(key), before[key], after[key])
  for (const key of jobKeys) tell(wordsOf(key), before.job[key], after.job[key])
  return told
}

/** costCentre: cost centre. */
function wordsOf(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
}

const wordsAtMost = 80

/** What was there is in the history's entry before: a line has room for its beginning. */
function inWords(value: unknown): string {
  if (value === null || value === "" || (Array.isArray(value) && value.length === 0)) return "none"
  const text =
    typeof value === "string"
      ? `"${value}"`
      : Array.isArray(value)
        ? value.map(oneOf).join(", ")
        : oneOf(value)
  const line = text.replace(/\s+/g, " ")
  return line.length <= wordsAtMost ? line : `${line.slice(0, wordsAtMost - 1)}…`
}

/** Of materials "2 6205", of a procedure "SOP-12 C". */
function oneOf(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value)
  const { quantity, part, store, ...rest } = value as Readonly<Record<string, unknown>>
  const from = store === undefined ? undefined : `from ${store}`
  return [quantity, part, from, ...Object.values(rest)].filter((one) => one !== undefined).join(" ")
}

function mustKnowParts({ job }: WorkOrder, { parts, stores }: Plant): void {
  for (const { part, store } of job.materials) {
    if (parts.length > 0 && !parts.some(({ id }) => id === part))
      refuse(`there is no part "${part}" in the plant`)
    if (store !== undefined && !stores.some(({ id }) => id === store))
      refuse(`there is no store "${store}" in the plant`)
  }
}

/** What a template asks of those who do the work can be added to, not taken away. */
function mustAskFor(before: WorkOrder, after: WorkOrder): void {
  if (before.template === null) return
  for (const key of ["qualifications", "documents", "permits"] as const) {
    const kinds = (job: WorkOrder["job"]) => job[key].map((one) => (typeof one === "string" ? one : one.kind))
    const left = new Set(kinds(after.job))
    const gone = kinds(before.job).filter((one) => !left.has(one))
    if (gone.length > 0)
      refuse(
        `the template ${before.template} asks for the ${key} ${gone.join(", ")}: list them too; they can be added to, not taken away`,
      )
  }
}

const notYetAsked: readonly OrderState[] = ["requested", "triaged", "rejected"]

/** Nothing that approval or a budget went by may become more once it was asked for. */
export function mustStayApproved(before: WorkOrder, after: WorkOrder, plant: Plant): void {
  const { approval, state, number } = before
  if (approval === null || notYetAsked.includes(state)) return
  if (plant.approvals.length === 0 && plant.budgets.length === 0) return
  const todo = withdraw.from.includes(state)
    ? "withdraw it, change it, and submit it again"
    : "ask for the rest with a follow-up order"
  if (after.costCentre !== before.costCentre)
    refuse(
      `${number} was submitted for approval at the cost of ${before.costCentre ?? "no cost centre"}: ${todo}`,
    )
  if (after.job.shutdown && !before.job.shutdown)
    refuse(`${number} was submitted for approval as work without a shutdown: ${todo}`)
  if (after.job.safety === "critical" && before.job.safety !== "critical")
    refuse(`${number} was submitted for approval as work that is not critical for safety: ${todo}`)
  const cost = estimatedCost(after, plant).total
  if (cost > Math.max(approval.cost, estimatedCost(before, plant).total))
    refuse(
      `${number} was submitted for approval at ${money(approval.cost, plant)}, and this would make it ${money(cost, plant)}: ${todo}`,
    )
}
