/** Orders that people ask for, from a template of the plant file or in words of their own. */
import type { Transaction } from "kysely"
import { v5 as uuidv5 } from "uuid"
import { z } from "zod"
import type { Revision } from "../core/catalogue.ts"
import type { Database } from "../core/db/database.ts"
import { MillwrightError } from "../core/errors.ts"
import { type Job, job, jobOf, noJob, worded } from "../core/job.ts"
import { nearest } from "../core/nearest.ts"
import type { OpenOrder, Requester, WorkOrder } from "../core/orders.ts"
import { type Asset, type Person, type Plant, problems, timeAllowed } from "../core/plant.ts"
import { authorise } from "../core/plant-register.ts"
import type { Template } from "../core/plant-work.ts"
import type { Role } from "../core/roles.ts"
import { dateMs, name, orderType, priority, type Severity } from "../core/vocabulary.ts"
import { fillIn, instant } from "../core/wording.ts"
import { canonical } from "./chain.ts"
import { contentOf } from "./change.ts"
import { componentOf } from "./component.ts"
import { inEffect } from "./in-effect.ts"
import { intakeQueue, selectOpenOn, takeRequests } from "./intake.ts"
import { selectOrder } from "./queries.ts"
import { fromRow } from "./rows.ts"
import type { WorkOrderTables } from "./tables.ts"
import { answersTo } from "./template-fields.ts"
import { title } from "./title.ts"

type Trx = Transaction<WorkOrderTables>

export const newOrder = z.strictObject({
  asset: name.describe("what it is about"),
  type: orderType.optional().describe("by default the template's, else reactive"),
  template: name.optional().describe("a request template of the plant file"),
  title: title.optional().describe("in a few words; by default the template's"),
  description: z.string().max(10_000).optional().describe("what is wrong or wanted"),
  component: name.optional().describe("the part of the asset that it is about"),
  priority: priority.optional().describe("1 (most urgent) to 5; by default the plant's for this asset"),
  dueMs: dateMs.optional().describe("until when; by default by its priority"),
  customer: name.optional().describe("for which customer"),
  salesOrder: z.string().min(1).max(128).optional().describe("the customer's own order"),
  phases: z
    .array(z.string().min(1).max(64))
    .min(1)
    .max(50)
    .optional()
    .describe("of an installation, in order"),
  costCentre: name.optional().describe("who pays; by default the asset's"),
  fields: z
    .record(name, z.union([z.string().max(2000), z.number(), z.boolean()]))
    .default({})
    .describe("what the template asks for"),
  id: z.uuid().describe("made by the sender: sent again, no second order is made"),
})
type NewOrder = z.output<typeof newOrder>

/** Who may ask for work. */
const askers: readonly Role[] = [
  "requester",
  "customer",
  "technician",
  "planner",
  "engineer",
  "supervisor",
  "admin",
]

/** Drawn once at random. */
const namespace = "5b1c9c52-6f0e-4c7e-9d1b-2a8f6f0f7c11"

type Similar = Pick<WorkOrder, "number" | "state" | "title" | "component">

type Opened = {
  readonly order: WorkOrder
  /** It was asked for before, under the same id. */
  readonly repeated: boolean
  /** Open orders that may be about the same, newest first. */
  readonly similar: readonly Similar[]
}

export type RequestDesk = {
  /** Rejects with `NOT_FOUND` for names that the plant does not have, `USAGE`, and `NOT_ALLOWED`. */
  open(ask: NewOrder, asker: { readonly actor: string; readonly atMs: number }): Promise<Opened>
}

export function createRequestDesk(options: {
  readonly database: Database
  /** The plant's newest revision, once one was applied. */
  newest(): Revision | undefined
  /** Of the log. */
  readonly partitions: number
}): RequestDesk {
  const { database, newest, partitions } = options
  return {
    async open(ask, { actor, atMs }) {
      const revision = inEffect(newest)
      authorise(revision.plant, actor, askers)
      const order = uuidv5(JSON.stringify([actor, ask.id]), namespace)
      return database.transaction<WorkOrderTables, Opened>(async (trx) => {
        const before = await askedBefore(trx, order)
        const request = requestFor(ask, { order, actor, atMs: before?.atMs ?? atMs, revision })
        if (before !== undefined && before.detail !== canonical(contentOf(request)))
          throw wrong(`the id ${ask.id} was used for another request of yours: make a new one`)
        const [outcome] = await takeRequests(trx, [request], partitions, revision)
        const row = await selectOrder(trx, order).executeTakeFirstOrThrow()
        const opened = fromRow(row).order
        return { order: opened, repeated: outcome === "repeated", similar: await similarTo(trx, opened) }
      }, intakeQueue)
    },
  }
}

/** When an order was asked for, and what was asked for then. */
async function askedBefore(trx: Trx, order: string) {
  return trx
    .selectFrom("order_history")
    .select(["at_ms as atMs", "detail"])
    .where("order_id", "=", order)
    .where("sequence", "=", 1)
    .executeTakeFirst()
}

const similarAtMost = 10

/** Which orders are about the same place, as far as they say. A customer hears of their own only. */
async function similarTo(trx: Trx, { id, asset, component, requester, customer }: WorkOrder) {
  const rows = await selectOpenOn(trx, [asset]).orderBy("number", "desc").limit(100).execute()
  return rows
    .map((row) => fromRow(row).order)
    .filter(
      (one) =>
        one.id !== id &&
        (one.component === component || one.component === null || component === null) &&
        (requester.kind !== "customer" || one.customer === customer),
    )
    .slice(0, similarAtMost)
    .map(({ number, state, title, component }): Similar => ({ number, state, title, component }))
}

type Asked = {
  /** The order's id. */
  readonly order: string
  readonly actor: string
  readonly atMs: number
  readonly revision: Revision
}

/** The order that somebody asks for: pure. */
function requestFor(ask: NewOrder, { order, actor, atMs, revision }: Asked): OpenOrder {
  const { plant } = revision
  const asset = assetOf(ask.asset, revision)
  const component = ask.component === undefined ? null : componentOf(ask.component, asset, plant)
  const template = templateOf(ask.template, plant)
  const type = typeOf(ask, template)
  const person = plant.people.find(({ id }) => id === actor)
  const customer = customerOf(ask, person, plant)
  if (type === "installation" && customer === null && ask.salesOrder === undefined)
    throw wrong("an installation is for somebody: give the customer or the sales order")
  if (type !== "installation" && ask.phases !== undefined)
    throw wrong(`only an installation has phases, and this order is ${type}`)
  const texts = textsFor(ask, template, { asset: asset.id, component })
  const urgency = urgencyOf(ask, actor, asset, plant)
  const dueMs = ask.dueMs ?? atMs + timeAllowed(plant, urgency.priority)
  if (dueMs < atMs) throw wrong(`the due date ${instant(dueMs)} is past: give a later one`)
  return {
    kind: "open",
    order,
    type,
    site: asset.site,
    asset: asset.id,
    component,
    // A need of its own: whether two people mean the same is for a planner to say.
    mergeKey: `asked|${order}`,
    ...texts,
    template: template?.id ?? null,
    ...urgency,
    atMs,
    dueMs,
    trigger: { kind: "person", by: actor },
    findings: [],
    costCentre: costCentreOf(ask, person, asset),
    origin: {
      requester: requesterOf(actor, person, plant),
      fields: fieldsOf(ask, template),
      customer,
      salesOrder: ask.salesOrder ?? null,
      parent: null,
    },
  }
}

function assetOf(id: string, { assets }: Revision): Asset {
  const asset = assets.get(id)
  if (asset !== undefined) return asset
  throw unknown("asset", id, [...assets.keys()])
}

function templateOf(id: string | undefined, { templates }: Plant): Template | undefined {
  if (id === undefined) return undefined
  const template = templates.find((one) => one.id === id)
  if (template !== undefined) return template
  throw unknown(
    "template",
    id,
    templates.map((one) => one.id),
  )
}

function typeOf({ type }: NewOrder, template: Template | undefined): OpenOrder["type"] {
  if (type !== undefined && template?.type !== undefined && type !== template.type)
    throw wrong(`the template ${template.id} is for ${template.type} orders, not ${type} ones`)
  return type ?? template?.type ?? "reactive"
}

type Texts = Pick<OpenOrder, "title" | "description" | "job">

function textsFor(
  ask: NewOrder,
  template: Template | undefined,
  place: { readonly asset: string; readonly component: string | null },
): Texts {
  const words = ask.title ?? template?.title
  if (words === undefined) throw wrong("say in a few words what is to be done: give a title, or a template")
  if (place.component === null && template !== undefined && JSON.stringify(template).includes("{component}"))
    throw wrong(`the template ${template.id} is about a component: say which`)
  const filled = (text: string) => fillIn(text, place)
  return {
    title: filled(words),
    description: [ask.description, filled(template?.description ?? "")].filter(Boolean).join("\n\n"),
    job: worded(jobFor(ask, template), filled),
  }
}

function jobFor({ phases }: NewOrder, template: Template | undefined): Job {
  const known = template === undefined ? noJob : jobOf(template)
  if (phases === undefined) return known
  const changed = job.safeParse({ ...known, phases })
  if (changed.success) return changed.data
  throw wrong(`these phases don't fit the template: ${problems(changed.error).join("; ")}`)
}

function fieldsOf({ fields }: NewOrder, template: Template | undefined) {
  if (template !== undefined) return answersTo(template.id, template.fields, fields)
  if (Object.keys(fields).length === 0) return {}
  throw wrong("fields are those of a template: say which template")
}

/** Customers ask for themselves only. */
function customerOf({ customer }: NewOrder, person: Person | undefined, { customers }: Plant): string | null {
  if (isCustomerOnly(person)) {
    if (person.customer === undefined)
      throw notAllowed(
        `the plant file does not say whose customer ${person.id} is: add customer: to the person`,
      )
    if (customer !== undefined && customer !== person.customer)
      throw notAllowed(`${person.id} may ask for ${person.customer} only, not for ${customer}`)
    return person.customer
  }
  if (customer === undefined) return null
  if (customers.some(({ id }) => id === customer)) return customer
  throw unknown(
    "customer",
    customer,
    customers.map(({ id }) => id),
  )
}

/** Of all that asking takes they have the role customer alone. */
function isCustomerOnly(person: Person | undefined): person is Person {
  return person?.roles.every((role) => role === "customer" || !askers.includes(role)) ?? false
}

function costCentreOf({ costCentre }: NewOrder, person: Person | undefined, asset: Asset): string | null {
  if (costCentre !== undefined && isCustomerOnly(person))
    throw notAllowed("who pays inside the plant is not for a customer to say: leave the cost centre out")
  return costCentre ?? asset.costCentre ?? null
}

function requesterOf(actor: string, person: Person | undefined, { customers }: Plant): Requester {
  const isCustomer = isCustomerOnly(person)
  const contact = isCustomer ? customers.find(({ id }) => id === person.customer)?.contact : undefined
  return {
    kind: isCustomer ? "customer" : "person",
    id: actor,
    name: person?.name ?? actor,
    contact: contact ?? null,
  }
}

function urgencyOf(
  { priority: asked }: NewOrder,
  actor: string,
  { criticality }: Asset,
  plant: Plant,
): Pick<OpenOrder, "priority" | "priorityReason"> {
  if (asked !== undefined) return { priority: asked, priorityReason: `asked for by ${actor}` }
  return usualUrgency(plant, "warning", criticality, "asked for by a person")
}

/** The plant's matrix, as if a rule had found something this severe. */
export function usualUrgency(
  plant: Plant,
  severity: Severity,
  criticality: Asset["criticality"],
  why: string,
): Pick<OpenOrder, "priority" | "priorityReason"> {
  return {
    priority: plant.priorities[severity][criticality],
    priorityReason: `${why}, counts as ${severity} on an asset of criticality ${criticality}`,
  }
}

function wrong(why: string): MillwrightError {
  return new MillwrightError("USAGE", why)
}

function notAllowed(why: string): MillwrightError {
  return new MillwrightError("NOT_ALLOWED", why)
}

const namesAtMost = 20

function unknown(what: string, id: string, known: readonly string[]): MillwrightError {
  const meant = nearest(id, known)
  const few = known.length > 0 && known.length <= namesAtMost ? `: expected one of ${known.join(", ")}` : ""
  const instead = meant === undefined ? few : `: did you mean "${meant}"?`
  return new MillwrightError("NOT_FOUND", `there is no ${what} "${id}" in the plant${instead}`)
}
