/** What the condition of an automation can ask for: docs/automations.md tells of each. */

import type { OrderEvent, Trigger } from "../core/orders.ts"
import type { Asset, Plant } from "../core/plant.ts"
import { compareSeverity, type Scalar } from "../core/vocabulary.ts"
import { isOpen } from "./change.ts"
import { estimatedCost } from "./money.ts"

/** Something that happened to an order, which is as it was right after it. */
export type Happening = Pick<OrderEvent, "kind" | "actor" | "note" | "atMs" | "order">

type Subject = Happening & {
  /** Undefined when it has left the plant. */
  readonly asset: Asset | undefined
  readonly plant: Plant
}

/** CEL's whole numbers are bigints. */
type Value = string | number | bigint | boolean | readonly string[] | Readonly<Record<string, Scalar>>
type Fact = { readonly type: string; of(subject: Subject): Value }

const text = (of: (subject: Subject) => string | null | undefined): Fact => ({
  type: "string",
  of: (subject) => of(subject) ?? "",
})
const whole = (of: (subject: Subject) => number): Fact => ({
  type: "int",
  of: (subject) => BigInt(of(subject)),
})
const number = (of: (subject: Subject) => number): Fact => ({ type: "double", of })
const truth = (of: (subject: Subject) => boolean): Fact => ({ type: "bool", of })
const texts = (of: (subject: Subject) => readonly string[]): Fact => ({ type: "list<string>", of })
const scalars = (of: (subject: Subject) => Readonly<Record<string, Scalar>> | undefined): Fact => ({
  type: "map<string, dyn>",
  of: (subject) => of(subject) ?? {},
})

const hour = 3_600_000

export const facts = {
  order: {
    number: text(({ order }) => order.number),
    type: text(({ order }) => order.type),
    state: text(({ order }) => order.state),
    open: truth(({ order }) => isOpen(order)),
    site: text(({ order }) => order.site),
    asset: text(({ order }) => order.asset),
    component: text(({ order }) => order.component),
    title: text(({ order }) => order.title),
    description: text(({ order }) => order.description),
    template: text(({ order }) => order.template),
    fields: scalars(({ order }) => order.fields),
    priority: whole(({ order }) => order.priority),
    ageHours: number(({ order, atMs }) => (atMs - order.requestedMs) / hour),
    hoursLeft: number(({ order, atMs }) => (order.dueMs - atMs) / hour),
    overdue: truth(({ order, atMs }) => isOpen(order) && order.dueMs < atMs),
    costCentre: text(({ order }) => order.costCentre),
    estimatedCost: number(({ order, plant }) => estimatedCost(order, plant).total),
    estimatedHours: number(({ order }) => order.job.estimatedHours ?? 0),
    requester: text(({ order }) => order.requester.kind),
    requestedBy: text(({ order }) => order.requester.id),
    customer: text(({ order }) => order.customer),
    trigger: text(({ order }) => order.trigger.kind),
    rule: text(({ order }) => ruleOf(order.trigger)),
    ruleKind: text(({ order: { trigger } }) => (trigger.kind === "rule" ? trigger.ruleKind : "")),
    plan: text(({ order: { trigger } }) => (trigger.kind === "plan" ? trigger.plan : "")),
    findings: whole(({ order }) => order.findings.length),
    severity: text(({ order }) => worstOf(order.findings)),
    assignees: texts(({ order }) => order.assignees),
    skills: texts(({ order }) => order.job.skills),
    qualifications: texts(({ order }) => order.job.qualifications),
    shutdown: truth(({ order }) => order.job.shutdown),
    safety: text(({ order }) => order.job.safety),
    obligation: truth(({ order }) => order.job.obligation !== null),
    planned: truth(({ order }) => order.planned !== null),
    followUps: whole(({ order }) => order.followUps.length),
    verdict: text(({ order }) => order.closing.verdict?.verdict),
  },
  event: {
    kind: text(({ kind }) => kind),
    actor: text(({ actor }) => actor),
    note: text(({ note }) => note),
  },
  asset: {
    id: text(({ order }) => order.asset),
    name: text(({ asset }) => asset?.name),
    class: text(({ asset }) => asset?.class),
    site: text(({ asset }) => asset?.site),
    criticality: text(({ asset }) => asset?.criticality),
    location: text(({ asset }) => asset?.location),
    costCentre: text(({ asset }) => asset?.costCentre),
    attributes: scalars(({ asset }) => asset?.attributes),
  },
} satisfies Record<string, Record<string, Fact>>

export type Root = keyof typeof facts
type Values = Readonly<Record<Root, Readonly<Record<string, Value>>>>

/** The variables of a condition, with what they are of this subject. */
export function valuesOf(subject: Subject): Values {
  const of = (root: Record<string, Fact>) =>
    Object.fromEntries(Object.entries(root).map(([name, fact]) => [name, fact.of(subject)]))
  return { order: of(facts.order), event: of(facts.event), asset: of(facts.asset) }
}

function ruleOf(trigger: Trigger): string {
  return trigger.kind === "rule" ? trigger.rule : ""
}

/** Of what was found and was not taken back since; empty where there is nothing. */
function worstOf(findings: OrderEvent["order"]["findings"]): string {
  const newest = new Map(findings.map((one) => [one.episode, one]))
  return (
    [...newest.values()]
      .filter(({ kind }) => kind !== "withdrawn")
      .map(({ severity }) => severity)
      .toSorted(compareSeverity)
      .at(-1) ?? ""
  )
}
