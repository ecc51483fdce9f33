/** The parts of the plant file that work orders go by: templates, approvals, money, stock, working time, codes. */
import { z } from "zod"
import { duration } from "./duration.ts"
import { checkJob, jobShape } from "./job.ts"
import { name, orderType } from "./vocabulary.ts"

const text = z.string().min(1).max(2000)
const amount = z.number().nonnegative().max(1e12)
const date = z.iso.date()

/** Something that a template asks for beside what every request has. */
const field = z.strictObject({
  id: name,
  label: text.optional(),
  kind: z.enum(["text", "number", "yes-no", "choice"]).default("text"),
  /** Of a choice. */
  of: z.array(z.string().min(1)).min(1).max(100).optional(),
  required: z.boolean().default(true),
})
export type TemplateField = z.infer<typeof field>

export const template = z
  .strictObject({
    id: name,
    /** {asset}, {component} and {signal} are filled in. */
    title: z.string(),
    description: z.string().default(""),
    type: orderType.optional(),
    fields: z.array(field).max(50).default([]),
    ...jobShape,
  })
  .superRefine((one, context) => {
    checkJob(one, context)
    one.fields.forEach(({ kind, of }, at) => {
      if ((kind === "choice") !== (of !== undefined))
        context.addIssue({
          code: "custom",
          path: ["fields", at, "of"],
          message: "a choice, and only a choice, states its values in of",
        })
    })
  })
export type Template = z.infer<typeof template>

/**
 * When somebody must agree before work is planned. All rules that fit an order count, in the order of the file; an
 * order that needs no level is approved at once.
 */
export const approvalRule = z.strictObject({
  id: name,
  for: z
    .strictObject({
      type: z.array(orderType).optional(),
      class: z.array(name).optional(),
      site: z.array(name).optional(),
      safety: z.literal("critical").optional(),
      shutdown: z.literal(true).optional(),
    })
    .default({}),
  /** One after the other; each where the estimated cost is `above` so much. `by`: a role, or people. */
  levels: z
    .array(
      z.strictObject({
        by: z.union([z.enum(["planner", "engineer", "supervisor", "admin"]), z.array(name).min(1)]),
        above: amount.default(0),
      }),
    )
    .min(1)
    .max(10),
  /** How long a request for approval stands. */
  expires: duration.optional(),
})
export type ApprovalRule = z.infer<typeof approvalRule>

export const budget = z.strictObject({
  costCentre: name,
  /** Of a calendar year, in the time zone UTC. */
  year: z.number().int().min(2000).max(2200),
  amount,
})
export type Budget = z.infer<typeof budget>

export const craft = z.strictObject({ id: name, name: z.string().optional(), rate: amount.default(0) })

export const store = z.strictObject({ id: name, name: z.string().optional(), site: name })

export const part = z.strictObject({
  id: name,
  name: z.string().optional(),
  unitCost: amount.default(0),
  /** Stock to order more at, by store. */
  reorderAt: z.record(name, amount).default({}),
})

const timeOfDay = z
  .string()
  .regex(/^([01]\d|2[0-3]):[0-5]\d$|^24:00$/, "expected a time of day such as 06:30")
const span = z
  .tuple([timeOfDay, timeOfDay])
  .refine(([from, to]) => from < to, "expected the later time second")
const days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const

/** Spans such as 06:00 to 14:00 by weekday, in the site's own time. A day that is not named has none. */
export const workingHours = z
  .partialRecord(z.enum(days), z.array(span).max(10))
  .refine((hours) => Object.values(hours).some((spans) => spans.length > 0), {
    error: "expected at least one span: who never works would never be late",
  })

/** When a site works. */
export const workingTime = z.strictObject({
  hours: workingHours,
  holidays: z.array(date).max(1000).default([]),
})
export type WorkingTime = z.infer<typeof workingTime>

const target = z.strictObject({ respond: duration, complete: duration })
const priorities = ["1", "2", "3", "4", "5"] as const

/**
 * How soon orders are taken on and done, by priority, in the site's working time, which goes on while an order is on
 * hold; and who hears when they are not.
 */
export const sla = z.strictObject({
  targets: z.partialRecord(z.enum(priorities), target).default({}),
  /** Working time after the target, and the role that is told. */
  escalation: z
    .array(z.strictObject({ after: duration, to: z.enum(["planner", "engineer", "supervisor", "admin"]) }))
    .max(10)
    .default([
      { after: 0, to: "supervisor" },
      { after: 4 * 3_600_000, to: "admin" },
    ]),
})

const codes = z.array(z.strictObject({ code: name, text })).max(500)

/** What can be stated of a finding; a class's own lists go before those of the plant, which go before the built-in ones. */
export const failureCodes = z.strictObject({
  class: name.optional(),
  problems: codes.default([]),
  mechanisms: codes.default([]),
  causes: codes.default([]),
  remedies: codes.default([]),
})
export type FailureCodes = z.infer<typeof failureCodes>

export const customer = z.strictObject({ id: name, name: z.string(), contact: z.string().optional() })

/** Of an asset: who repairs it for nothing, and until when (that day included). */
export const warranty = z.strictObject({ by: z.string().min(1), until: date })

/**
 * How many requests an hour are taken from people without an account, who have the code on an asset: by code and for
 * all of a site. 0 switches the form off.
 */
export const publicRequests = z.strictObject({
  perCode: z.number().int().min(0).max(100_000).default(10),
  perSite: z.number().int().min(0).max(100_000).default(60),
})

/** Decides in somebody's place. */
export const delegate = z.strictObject({ to: name, from: date.optional(), until: date.optional() })
