/** The plant file: what a plant is made of, who works there, and what is watched. Published as a JSON Schema. */
import { parse } from "yaml"
import { z } from "zod"
import { automation } from "./automation.ts"
import { duration } from "./duration.ts"
import { MillwrightError } from "./errors.ts"
import { windowSchedule } from "./plan-schedule.ts"
import { absence, blackout, crew, plan, position, travel, urgency } from "./plant-planning.ts"
import { checkReferences } from "./plant-references.ts"
import {
  approvalRule,
  budget,
  craft,
  customer,
  delegate,
  failureCodes,
  part,
  publicRequests,
  sla,
  store,
  template,
  warranty,
  workingTime,
} from "./plant-work.ts"
import { roles } from "./roles.ts"
import { type Selector, selector } from "./selector.ts"
import { criticality, name, orderType, priority, scalar, severity } from "./vocabulary.ts"

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
