/** What a timeline tells the scheduler, as its file writes it. */
import { v5 as uuidv5 } from "uuid"
import { z } from "zod"
import type { OpenOrder, OrderRequest } from "../../core/orders.ts"
import { type DetectionRecord, detection, severity, type WorkTold } from "../../core/vocabulary.ts"
import { detectionOf, ordersIn } from "./setup.ts"

export const time = z.string().transform((text) => Date.parse(text))
const asset = z.string().default("P-101")

const step = z.strictObject({
  at: time,
  episode: z.string(),
  step: detection.shape.kind,
  severity: severity.default("warning"),
  cause: detection.shape.cause,
  asset: z.string().optional(),
  component: z.string().nullable().optional(),
  rule: z.string().optional(),
  ruleKind: z.string().optional(),
  reason: z.string().optional(),
  signal: z.string().optional(),
  quiet: detection.shape.quiet,
  /** When the meter, or the value, is forecast to be at the limit. */
  forecast: time.optional(),
  value: z.number().optional(),
  limit: z.number().optional(),
})

const tick = z.strictObject({ tick: time })
const replaced = z.strictObject({ at: time, replaced: z.string(), asset })
const reading = z.strictObject({
  at: time,
  meter: z.string(),
  reads: z.number(),
  replaced: z.literal(true).optional(),
  asset,
})
const event = z.strictObject({
  at: time,
  event: z.string(),
  attributes: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).default({}),
  asset,
})
const state = z.strictObject({ at: time, state: z.string(), asset })
/** "order 1" of the listing, the newest order of a plan by the plan's id, or "WO-…", which no plan asked for. */
const work = {
  at: time,
  template: z.string().optional(),
  component: z.string().optional(),
  partly: z.boolean().default(false),
  asset,
}
const done = z.strictObject({ ...work, done: z.string() })
const dropped = z.strictObject({ ...work, dropped: z.string() })
const reopened = z.strictObject({ ...work, reopened: z.string() })
const credited = z.strictObject({ at: time, credited: z.string(), reason: z.string(), asset })

export const caseInput = z.union([
  tick,
  replaced,
  reading,
  event,
  state,
  done,
  dropped,
  reopened,
  credited,
  step,
])
export type CaseInput = z.infer<typeof caseInput>

const namespace = "c1d0f3b6-4c0f-4d5e-9a57-6a1d2f4b7e90"

/** Reads one line after the other: what is said of an order needs to know what was asked for until then. */
export function reader(): (one: CaseInput, asked: readonly OrderRequest[]) => DetectionRecord {
  const steps = new Map<string, number>()
  let told = 0
  return (one, asked) => {
    if ("tick" in one) return { kind: "tick", atMs: one.tick }
    const place = { site: "works", asset: one.asset ?? "P-101", atMs: one.at }
    if ("meter" in one) {
      const { meter: signal, reads: value, replaced } = one
      return { kind: "meter", ...place, signal, value, ...(replaced && { replaced }) }
    }
    if ("replaced" in one) return { kind: "maintained", ...place, component: one.replaced }
    if ("state" in one)
      return { kind: "event", ...place, arrivedMs: one.at, code: "state", attributes: { state: one.state } }
    if ("event" in one)
      return { kind: "event", ...place, arrivedMs: one.at, code: one.event, attributes: one.attributes }
    told += 1
    if ("credited" in one) {
      const id = uuidv5(`credit ${told}`, namespace)
      return { kind: "credit", ...place, id, plan: one.credited, actor: "ann", reason: one.reason }
    }
    if ("episode" in one) {
      const { at, step: kind, forecast: dueMs, ...rest } = one
      const sequence = steps.get(one.episode) ?? 0
      steps.set(one.episode, sequence + 1)
      const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined))
      const forecast =
        dueMs === undefined ? {} : { forecast: { dueMs, earliestMs: dueMs, latestMs: dueMs, perDay: 1 } }
      return detectionOf({ episode: one.episode, ...given, ...forecast, kind, sequence, atMs: at })
    }
    const [outcome, which] =
      "done" in one
        ? (["done", one.done] as const)
        : "dropped" in one
          ? (["dropped", one.dropped] as const)
          : (["reopened", one.reopened] as const)
    const { partly, template, component } = one
    return {
      ...place,
      kind: "work",
      sequence: told,
      outcome,
      partly,
      ...orderCalled(which, asked),
      ...(template !== undefined && { template }),
      ...(component !== undefined && { component }),
    }
  }
}

type Called = Pick<WorkTold, "order" | "number" | "component" | "plan" | "template">

function orderCalled(which: string, asked: readonly OrderRequest[]): Called {
  if (which.startsWith("WO-"))
    return { order: uuidv5(which, namespace), number: which, component: null, plan: null, template: null }
  const orders = ordersIn(asked)
  const opened = asked.filter((one): one is OpenOrder => one.kind === "open")
  const numbered = /^order (\d+)$/.exec(which)?.[1]
  const found = opened.findLast(({ order, trigger }) =>
    numbered === undefined
      ? trigger.kind === "plan" && trigger.plan === which
      : order === orders[Number(numbered) - 1],
  )
  if (found === undefined) throw new Error(`"${which}": expected "order N" or a plan that has asked for one`)
  const { order, component, trigger, template } = found
  const plan = trigger.kind === "plan" ? trigger.plan : null
  return { order, number: `order ${orders.indexOf(order) + 1}`, component, plan, template }
}
