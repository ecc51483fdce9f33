/** The parts of the plant file that planning goes by: plans and what triggers them, crews, distances, urgency. */
import { z } from "zod"
import { duration } from "./duration.ts"
import { type PlanSchedule, planSchedule, windowSchedule } from "./plan-schedule.ts"
import { workingHours } from "./plant-work.ts"
import { season } from "./season.ts"
import { selector } from "./selector.ts"
import { name, priority, scalar, severity } from "./vocabulary.ts"

/** In degrees, as GPS gives it (WGS 84). */
export const position = z.strictObject({
  lat: z.number().min(-90).max(90),
  lon: z.number().min(-180).max(180),
})

const units = z.number().positive().max(1e12)

/** Each time that a meter has run another `every` of its units. */
const meterTrigger = z
  .strictObject({
    meter: name,
    every: units,
    /** How far from the due reading work still counts as done on time: the next is then counted from the due reading. */
    tolerance: z.number().nonnegative().max(1e12).default(0),
  })
  .refine(({ every, tolerance }) => tolerance <= every / 2, "tolerance: expected at most half of every")
export type MeterTrigger = z.infer<typeof meterTrigger>

/** A rule has found something on the asset. */
const conditionTrigger = z.strictObject({ rule: name, from: severity.default("warning") })
export type ConditionTrigger = z.infer<typeof conditionTrigger>

/** The asset has sent an event with these attributes. */
const eventTrigger = z.strictObject({
  event: z.string().min(1).max(128),
  where: z.record(z.string(), scalar).default({}),
})
export type EventTrigger = z.infer<typeof eventTrigger>

const trigger = z.union([planSchedule, meterTrigger, conditionTrigger, eventTrigger], {
  error:
    "expected one of {every}, {cron}, {rrule, from}, {meter, every}, {rule} and {event}, with no other keys than docs/scheduling.md tells of",
})
export type PlanTrigger = z.infer<typeof trigger>

/** Comes due by dates; the others by what is read, found or sent. */
export function isDated(one: PlanTrigger): one is PlanSchedule {
  return !("meter" in one || "rule" in one || "event" in one)
}

export const plan = z
  .strictObject({
    id: name,
    description: z.string().optional(),
    for: selector,
    component: name.optional(),
    /** The plan's only trigger; or `triggers`. */
    schedule: planSchedule.optional(),
    /** Whichever comes first. */
    triggers: z.array(trigger).min(1).max(10).optional(),
    /** `fixed`: counted from when the work was due. `floating`: from when it was really done. */
    mode: z.enum(["fixed", "floating"]).default("fixed"),
    /**
     * How what is counted begins on an asset: at the meter's next multiple of `every`, a whole interval from now, or
     * due at once, where nobody knows when it was done last.
     */
    start: z.enum(["multiples", "interval", "due"]).default("multiples"),
    /** How long before its due time the order is made. */
    lead: duration.default(0),
    /** Outside of it nothing is due: what is dated falls out, what is counted waits for its first day. */
    season: season.optional(),
    suspend: z
      .strictObject({
        /** States of the asset (event `state`, attribute `state`) in which it is out of service. */
        states: z.array(z.string().min(1)).max(20).default(["out-of-service", "decommissioned"]),
        /** Of work that came due meanwhile: ask for it when the asset is back, or leave it out. */
        onReturn: z.enum(["ask", "skip"]).default("ask"),
      })
      .prefault({}),
    /** Plans whose work is part of this one's: where both are due at about the same time, this one stands for both. */
    contains: z.array(name).max(50).default([]),
    /** Templates, besides its own, with which an order does this plan's work. */
    creditedBy: z.array(name).max(50).default([]),
    /** Where a due time goes that is in nobody's working time; by default later, earlier where an authority set it. */
    move: z.enum(["later", "earlier", "nearest", "stay"]).optional(),
    template: name,
    priority: priority.default(4),
  })
  .superRefine(({ schedule, triggers }, context) => {
    if ((schedule === undefined) !== (triggers === undefined)) return
    const message = "expected schedule, or triggers as a list of them, and not both"
    context.addIssue({ code: "custom", path: ["schedule"], message })
  })
export type PlanSpec = z.infer<typeof plan>

export function triggersOf({ schedule, triggers }: PlanSpec): readonly PlanTrigger[] {
  return triggers ?? (schedule === undefined ? [] : [schedule])
}

/** A time in which no planned work is due or done, such as the harvest. */
export const blackout = z.strictObject({
  id: name,
  description: z.string().optional(),
  for: selector,
  schedule: windowSchedule,
  lasts: duration.refine((ms) => ms > 0, "expected more than nothing"),
})
export type Blackout = z.infer<typeof blackout>

const date = z.iso.date()

/** People who work at the same hours; by default at their site's. */
export const crew = z.strictObject({
  id: name,
  name: z.string().optional(),
  site: name,
  hours: workingHours.optional(),
  /** Besides those of the site. */
  holidays: z.array(date).max(1000).default([]),
})
export type Crew = z.infer<typeof crew>

/** Both days included. */
export const absence = z
  .strictObject({ from: date, to: date, reason: z.string().optional() })
  .refine(({ from, to }) => from <= to, "expected the later day second")

/** How long it takes from one place to another: as stated, or else by the distance. */
export const travel = z.strictObject({
  kmPerHour: z.number().positive().max(1000).default(40),
  /** By how much the way is longer than the great circle. */
  detour: z.number().min(1).max(10).default(1.3),
  /** Between sites or assets by their ids, both ways. */
  between: z
    .array(z.strictObject({ from: name, to: name, takes: duration }))
    .max(10_000)
    .default([]),
})

const raise = z.number().int().min(1).max(4)

/** What makes an order more urgent than `priorities` alone. No priority is above 1. */
export const urgency = z.strictObject({
  /** By the time that a forecast leaves until the limit is reached; the step that raises most counts. */
  remainingLife: z
    .array(z.strictObject({ below: duration, raise }))
    .max(10)
    .default([
      { below: 7 * 86_400_000, raise: 1 },
      { below: 86_400_000, raise: 2 },
    ]),
  /** By how long the order has been waiting. */
  age: z
    .array(z.strictObject({ above: duration, raise }))
    .max(10)
    .default([]),
})
