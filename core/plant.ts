/** The plant file: what a plant is made of, who works there, and what is watched. Published as a JSON Schema. */
import { parse } from "yaml"
import { z } from "zod"
import { type Automation, automation } from "./automation.ts"
import { duration } from "./duration.ts"
import { MillwrightError } from "./errors.ts"
import { windowSchedule } from "./plan-schedule.ts"
import {
  absence,
  type Blackout,
  blackout,
  type Crew,
  crew,
  type PlanSpec,
  plan,
  position,
  travel,
  triggersOf,
  urgency,
} from "./plant-planning.ts"
import {
  type ApprovalRule,
  approvalRule,
  type Budget,
  budget,
  craft,
  customer,
  delegate,
  type FailureCodes,
  failureCodes,
  part,
  publicRequests,
  sla,
  store,
  type Template,
  template,
  warranty,
  workingTime,
} from "./plant-work.ts"
import { type Selector, selector } from "./selector.ts"
import { criticality, name, orderType, priority, scalar, severity } from "./vocabulary.ts"

export const roles = [
  "requester",
  "customer",
  "technician",
  "contractor",
  "storekeeper",
  "planner",
  "engineer",
  "supervisor",
  "auditor",
  "admin",
] as const
export type Role = (typeof roles)[number]

const signal = z.strictObject({
  /** Unit in which values are kept: "mm/s", "degC", "bar", "km". Payloads in other units are converted. */
  unit: z.string().optional(),
  /** A `meter` only counts up (hours, cycles, mileage); a `gauge` goes anywhere. */
  kind: z.enum(["gauge", "meter"]).default("gauge"),
  /** Of a meter that plans go by: a reading that rose faster is believed once another follows from it. */
  maxPerHour: z.number().positive().optional(),
  /** Where a meter with so many digits begins again at 0. */
  rollsOverAt: z.number().positive().optional(),
  /** Values outside are physically impossible: they go to dead letters. */
  min: z.number().optional(),
  max: z.number().optional(),
  description: z.string().optional(),
})
export type SignalSpec = z.infer<typeof signal>

const assetClass = z.strictObject({
  id: name,
  name: z.string().optional(),
  signals: z.record(name, signal).default({}),
  components: z.array(name).default([]),
})
export type AssetClass = z.infer<typeof assetClass>

const asset = z.strictObject({
  id: name,
  name: z.string().optional(),
  site: name,
  class: name,
  criticality: criticality.default("B"),
  location: z.string().optional(),
  attributes: z.record(z.string(), scalar).default({}),
  /** Of what moves or stands apart from its site. */
  position: position.optional(),
  /** Who pays for work on it. */
  costCentre: name.optional(),
  warranty: warranty.optional(),
})
export type Asset = z.infer<typeof asset>

/** Whether and how a rule's episodes become work orders. Left out: detections only. */
const ruleOrder = z.strictObject({
  /** The least severity that makes an order. */
  from: severity.default("warning"),
  /** By default the template's; else preventive for usage rules, predictive for all others. */
  type: orderType.optional(),
  template: name.optional(),
  /**
   * What the work is for; with asset and component it decides which findings share an order. By default "repair",
   * except that each usage rule is a need of its own.
   */
  need: z.string().optional(),
  /** Time from the finding until the work is due; by default from its priority. */
  due: duration.optional(),
})

/** A rule that waits longer tells of what nobody can mend any more, and what waits is kept in memory. */
const longestLateness = 30 * 86_400_000

/** When a rule looks away: a machine that stands still or starts up is not judged by how it runs. */
const suspend = z.strictObject({
  /** States of the asset (event `state`, attribute `state`) in which the rule looks away. */
  states: z
    .array(z.string().min(1))
    .max(20)
    .default(["down", "failed", "stopped", "starting", "maintenance"]),
  /** How long after such a state it still looks away. */
  settle: duration.default(0),
  /** Whether it looks away in the plant's maintenance windows. */
  windows: z.boolean().default(true),
})

const rule = z.strictObject({
  id: name,
  kind: z.string(),
  description: z.string().optional(),
  for: selector,
  component: name.optional(),
  signal: name.optional(),
  /** Instead of `signal`: the rule watches each of these by itself; `all` that the class has. */
  signals: z
    .union([z.literal("all"), z.array(name).min(1)], { error: "expected all, or a list of signals" })
    .optional(),
  severity: severity.default("warning"),
  /** The kind's own parameters: docs/rule-kinds.md. */
  params: z.record(z.string(), z.unknown()).default({}),
  /** Other parameters for some of the assets: what is stated here takes the place of `params`; the last that fits wins. */
  overrides: z.array(z.strictObject({ for: selector, params: z.record(z.string(), z.unknown()) })).optional(),
  /** How late samples may come, by the asset's own time, and still be in order. The rule speaks later by as much. */
  lateness: duration
    .refine((ms) => ms <= longestLateness, "expected 30d at most: what comes later amends")
    .default(0),
  /** Whether the state and the open episodes outlive a change of the parameters, where they can. */
  onChange: z.enum(["keep", "reset"]).default("keep"),
  suspend: suspend.prefault({}),
  order: ruleOrder.optional(),
})
export type RuleSpec = z.infer<typeof rule>

/** Planned work, in which rules look away. */
const maintenanceWindow = z.strictObject({
  id: name,
  description: z.string().optional(),
  for: selector,
  /** When it begins: once, or again and again. */
  schedule: windowSchedule,
  lasts: duration.refine((ms) => ms > 0, "expected more than nothing"),
})
type MaintenanceWindow = z.infer<typeof maintenanceWindow>

const person = z.strictObject({
  id: name,
  name: z.string(),
  roles: z.array(z.enum(roles)).min(1),
  /** Also qualifications; one with a date counts up to and with that day. */
  skills: z
    .array(z.union([z.string().min(1), z.strictObject({ skill: z.string().min(1), until: z.iso.date() })]))
    .default([]),
  /** What they do by the hour: its rate is what their labour costs. */
  craft: name.optional(),
  /** With whom they share their hours. */
  crew: name.optional(),
  absences: z.array(absence).max(1000).default([]),
  /** Where their way to work begins; by default at their crew's site. */
  position: position.optional(),
  /** Decides in their place, also on approvals. */
  delegate: delegate.optional(),
  /** Of somebody with the role customer: whose orders they see. */
  customer: name.optional(),
})
export type Person = z.infer<typeof person>

const site = z.strictObject({
  id: name,
  name: z.string().optional(),
  timeZone: z
    .string()
    .refine(
      (zone) => Intl.supportedValuesOf("timeZone").includes(zone) || zone === "UTC",
      "not a time zone of the IANA list",
    )
    .default("UTC"),
  position: position.optional(),
  /** Without it the site works at all times. */
  workingTime: workingTime.optional(),
})

/** Default priority (1 most urgent) by severity and asset criticality. */
const priorities = z.record(severity, z.record(criticality, priority)).default({
  watch: { A: 4, B: 5, C: 5 },
  warning: { A: 3, B: 3, C: 4 },
  alarm: { A: 2, B: 2, C: 3 },
  trip: { A: 1, B: 1, C: 2 },
})

/**
 * When a site's operator is told of new incidents one by one and when in a digest. By ISA-18.2 more than 10 in 10
 * minutes are a flood, which ends when there are fewer than 5.
 */
const flood = z
  .strictObject({
    above: z.number().int().min(1).max(1000).default(10),
    within: duration.default(600_000),
    endsBelow: z.number().int().min(1).max(1000).default(5),
  })
  .refine(({ above, endsBelow }) => endsBelow <= above, {
    error: ({ input }) => {
      const { above, endsBelow } = input as { above: number; endsBelow: number }
      return `endsBelow: expected at most above (${above}), got ${endsBelow}`
    },
  })
  .prefault({})

const topicPattern = z.strictObject({
  /** MQTT topic with named levels: "v1/{site}/{asset}/telemetry"; `+` is any level, a last `#` any rest. */
  pattern: z.string().min(1),
  /** `value`: a bare number, the signal being a level of the topic. */
  payload: z.enum(["telemetry", "value", "events"]),
  /** For patterns without such a level. */
  site: name.optional(),
  asset: name.optional(),
  signal: name.optional(),
})
export type TopicPattern = z.infer<typeof topicPattern>

const ingest = z
  .strictObject({
    topics: z.array(topicPattern).default([
      { pattern: "v1/{site}/{asset}/telemetry", payload: "telemetry" },
      { pattern: "v1/{site}/{asset}/telemetry/{signal}", payload: "value" },
      { pattern: "v1/{site}/{asset}/events", payload: "events" },
    ]),
    /** `discover`: stored and listed until somebody adds them to the plant; `refuse`: to dead letters. */
    unknownAssets: z.enum(["discover", "refuse"]).default("discover"),
    /** How far ahead of its arrival a time may be; further ahead it is replaced by the arrival and marked uncertain. */
    futureTolerance: duration.default(300_000),
  })
  .prefault({})

export const plant = z
  .strictObject({
    plant: name,
    sites: z.array(site).min(1),
    classes: z.array(assetClass).default([]),
    assets: z.array(asset).default([]),
    rules: z.array(rule).default([]),
    maintenanceWindows: z.array(maintenanceWindow).default([]),
    flood,
    plans: z.array(plan).default([]),
    /** When no planned work is due or done. */
    blackouts: z.array(blackout).default([]),
    /** When assets produce: work for which they must stand still has to wait. */
    production: z.array(blackout).default([]),
    crews: z.array(crew).default([]),
    travel: travel.prefault({}),
    urgency: urgency.prefault({}),
    templates: z.array(template).default([]),
    people: z.array(person).default([]),
    customers: z.array(customer).default([]),
    /** ISO 4217. */
    currency: z
      .string()
      .regex(/^[A-Z]{3}$/, "expected three letters such as EUR")
      .default("EUR"),
    crafts: z.array(craft).default([]),
    stores: z.array(store).default([]),
    parts: z.array(part).default([]),
    approvals: z.array(approvalRule).default([]),
    budgets: z.array(budget).default([]),
    sla: sla.prefault({}),
    publicRequests: publicRequests.prefault({}),
    failureCodes: z.array(failureCodes).default([]),
    automations: z.array(automation).default([]),
    priorities,
    /** Time until due by priority, where neither rule nor plan states one. */
    dueWithin: z
      .record(z.enum(["1", "2", "3", "4", "5"]), duration)
      .default({ 1: 86_400_000, 2: 259_200_000, 3: 1_209_600_000, 4: 2_592_000_000, 5: 7_776_000_000 }),
    ingest,
  })
  .superRefine(checkReferences)
export type Plant = z.infer<typeof plant>

type Unchecked = {
  readonly maintenanceWindows: readonly MaintenanceWindow[]
  readonly sites: readonly { id: string }[]
  readonly classes: readonly AssetClass[]
  readonly assets: readonly Asset[]
  readonly rules: readonly RuleSpec[]
  readonly plans: readonly PlanSpec[]
  readonly blackouts: readonly Blackout[]
  readonly production: readonly Blackout[]
  readonly crews: readonly Crew[]
  readonly travel: z.infer<typeof travel>
  readonly templates: readonly Template[]
  readonly people: readonly Person[]
  readonly customers: readonly { id: string }[]
  readonly crafts: readonly { id: string }[]
  readonly stores: readonly { id: string; site: string }[]
  readonly parts: readonly { id: string; reorderAt: Readonly<Record<string, number>> }[]
  readonly approvals: readonly ApprovalRule[]
  readonly budgets: readonly Budget[]
  readonly failureCodes: readonly FailureCodes[]
  readonly automations: readonly Automation[]
}

/** Every id is unique in its list and every reference names something that is there. */
function checkReferences(content: Unchecked, context: z.RefinementCtx): void {
  const say = (path: (string | number)[], message: string) =>
    context.addIssue({ code: "custom", path, message })
  const ids = (key: Exclude<keyof Unchecked, "budgets" | "failureCodes" | "travel">): Set<string> => {
    const seen = new Set<string>()
    content[key].forEach(({ id }, at) => {
      if (seen.has(id)) say([key, at, "id"], `"${id}" is there twice`)
      seen.add(id)
    })
    return seen
  }
  const known = {
    site: ids("sites"),
    class: ids("classes"),
    asset: ids("assets"),
    template: ids("templates"),
    person: ids("people"),
    customer: ids("customers"),
    craft: ids("crafts"),
    store: ids("stores"),
    part: ids("parts"),
    crew: ids("crews"),
    rule: new Set(content.rules.map(({ id }) => id)),
    plan: new Set(content.plans.map(({ id }) => id)),
  }
  for (const key of [
    "rules",
    "maintenanceWindows",
    "plans",
    "blackouts",
    "production",
    "approvals",
    "automations",
  ] as const)
    ids(key)
  const mustKnow = (what: keyof typeof known, id: string | undefined, path: (string | number)[]) => {
    if (id !== undefined && !known[what].has(id)) say(path, `there is no ${what} "${id}" in this file`)
  }
  content.assets.forEach((one, at) => {
    mustKnow("site", one.site, ["assets", at, "site"])
    mustKnow("class", one.class, ["assets", at, "class"])
  })
  const mustSelect = (chosen: Selector, path: (string | number)[]) => {
    for (const what of ["site", "class", "asset"] as const) {
      for (const id of chosen[what] ?? []) mustKnow(what, id, [...path, what])
    }
  }
  for (const key of ["rules", "maintenanceWindows", "plans", "blackouts", "production"] as const) {
    content[key].forEach((one, at) => {
      mustSelect(one.for, [key, at, "for"])
    })
  }
  content.rules.forEach((one, at) => {
    one.overrides?.forEach((override, number) => {
      mustSelect(override.for, ["rules", at, "overrides", number, "for"])
    })
    mustKnow("template", one.order?.template, ["rules", at, "order", "template"])
  })
  content.plans.forEach((one, at) => {
    mustKnow("template", one.template, ["plans", at, "template"])
    one.contains.forEach((id, number) => {
      mustKnow("plan", id, ["plans", at, "contains", number])
    })
    one.creditedBy.forEach((id, number) => {
      mustKnow("template", id, ["plans", at, "creditedBy", number])
    })
    triggersOf(one).forEach((trigger, number) => {
      if ("rule" in trigger) mustKnow("rule", trigger.rule, ["plans", at, "triggers", number, "rule"])
    })
  })
  content.crews.forEach(({ site }, at) => {
    mustKnow("site", site, ["crews", at, "site"])
  })
  content.travel.between.forEach((way, at) => {
    for (const end of ["from", "to"] as const) {
      if (!known.site.has(way[end])) mustKnow("asset", way[end], ["travel", "between", at, end])
    }
  })
  checkWorkReferences(content, mustKnow, say)
}

type Know = (
  what: "class" | "template" | "person" | "customer" | "craft" | "store" | "part" | "site" | "crew",
  id: string | undefined,
  path: (string | number)[],
) => void

function checkWorkReferences(
  content: Unchecked,
  mustKnow: Know,
  say: (path: (string | number)[], message: string) => void,
): void {
  content.templates.forEach(({ tasks, checklist, materials }, at) => {
    const path = ["templates", at]
    tasks.forEach((task, number) => {
      mustKnow("craft", task.craft, [...path, "tasks", number, "craft"])
      mustKnow("person", task.assignee, [...path, "tasks", number, "assignee"])
    })
    checklist.forEach(({ onFail }, number) => {
      if (onFail !== false)
        mustKnow("template", onFail.template, [...path, "checklist", number, "onFail", "template"])
    })
    materials.forEach(({ part, store }, number) => {
      mustKnow("part", part, [...path, "materials", number, "part"])
      mustKnow("store", store, [...path, "materials", number, "store"])
    })
  })
  content.people.forEach(({ craft, crew, delegate, customer }, at) => {
    mustKnow("craft", craft, ["people", at, "craft"])
    mustKnow("crew", crew, ["people", at, "crew"])
    mustKnow("person", delegate?.to, ["people", at, "delegate", "to"])
    mustKnow("customer", customer, ["people", at, "customer"])
  })
  content.stores.forEach(({ site }, at) => {
    mustKnow("site", site, ["stores", at, "site"])
  })
  content.parts.forEach(({ reorderAt }, at) => {
    for (const store of Object.keys(reorderAt)) mustKnow("store", store, ["parts", at, "reorderAt", store])
  })
  content.approvals.forEach(({ for: wanted, levels }, at) => {
    for (const id of wanted.class ?? []) mustKnow("class", id, ["approvals", at, "for", "class"])
    for (const id of wanted.site ?? []) mustKnow("site", id, ["approvals", at, "for", "site"])
    levels.forEach(({ by }, number) => {
      if (typeof by === "string") return
      for (const id of by) mustKnow("person", id, ["approvals", at, "levels", number, "by"])
    })
  })
  const budgets = new Set<string>()
  content.budgets.forEach(({ costCentre, year }, at) => {
    const key = `${costCentre} ${year}`
    if (budgets.has(key)) say(["budgets", at], `the budget of ${costCentre} for ${year} is there twice`)
    budgets.add(key)
  })
  content.failureCodes.forEach((one, at) => {
    mustKnow("class", one.class, ["failureCodes", at, "class"])
  })
  content.automations.forEach(({ then }, at) => {
    then.forEach(({ assign = [], notify, followUp }, number) => {
      const path = ["automations", at, "then", number]
      for (const id of assign) mustKnow("person", id, [...path, "assign"])
      mustKnow("template", followUp?.template, [...path, "followUp", "template"])
      const isKnown = (to: string) =>
        roles.some((role) => role === to) || content.people.some(({ id }) => id === to)
      if (notify !== undefined && !isKnown(notify.to))
        say([...path, "notify", "to"], `there is no role and no person "${notify.to}" in this file`)
    })
  })
}

/** One line for each problem: where in the content, with the id of what it is about, and what was expected. */
export function problems(error: z.ZodError, content?: unknown): string[] {
  return error.issues.map((issue) => {
    const [list, index] = issue.path
    const id = typeof index === "number" ? idOf(content, String(list), index) : undefined
    const where = issue.path.map((part, at) =>
      typeof part === "number"
        ? `[${part}]${at === 1 && id !== undefined ? ` "${id}"` : ""}`
        : at > 0
          ? `.${String(part)}`
          : String(part),
    )
    return `${where.join("") || "(top level)"}: ${issue.message}`
  })
}

function idOf(content: unknown, list: string, index: number): string | undefined {
  const shape = z.record(z.string(), z.unknown()).safeParse(content)
  const items = z.array(z.unknown()).safeParse(shape.data?.[list])
  return z.object({ id: z.string() }).safeParse(items.data?.[index]).data?.id
}

/** Reads a plant file. Throws `PLANT_INVALID` with a line for each problem. */
export function parsePlant(source: string): Plant {
  let content: unknown
  try {
    content = parse(source)
  } catch (cause) {
    throw new MillwrightError(
      "PLANT_INVALID",
      `the plant file is not YAML: ${cause instanceof Error ? cause.message : cause}`,
      {
        cause,
      },
    )
  }
  const result = plant.safeParse(content)
  if (result.success) return result.data
  throw new MillwrightError(
    "PLANT_INVALID",
    `the plant file has problems:\n  ${problems(result.error, content).join("\n  ")}`,
  )
}

export function matches({ class: classes, asset: assets, site: sites }: Selector, one: Asset): boolean {
  return (
    (classes === undefined || classes.includes(one.class)) &&
    (assets === undefined || assets.includes(one.id)) &&
    (sites === undefined || sites.includes(one.site))
  )
}

/** How long an order of this priority may take, in milliseconds, where nothing else says so. */
export function timeAllowed({ dueWithin }: Pick<Plant, "dueWithin">, priority: number): number {
  return dueWithin[String(priority) as keyof Plant["dueWithin"]]
}
