import { z } from "zod"
import type { Work, WorkOrder } from "../../core/orders.ts"
import { dateMs } from "../../core/vocabulary.ts"
import { ended, minute, overlapping, type Span, spanText } from "../spans.ts"
import { type Context, command, refuse, withNote } from "./command.ts"
import { assigned, executors, has, personOf } from "./people.ts"

type Labour = Work["labour"][number]

const kind = z.enum(["work", "travel", "waiting"]).default("work").describe("what the time went into")
const somebody = z.string().min(1).max(128).optional()
const reason = z.string().min(1).max(2000)
/** A slip in a date would otherwise cost the plant a year. */
const longestMs = 24 * 3_600_000

const planners = ["planner", "supervisor", "admin"] as const

export const startLabour = command({
  summary: "start your clock on the order",
  roles: executors,
  assigned,
  from: ["acknowledged", "in-progress", "on-hold"],
  input: z.strictObject({ kind }),
  run(order, { kind: into }, context) {
    const { actor, atMs } = context
    if (into === "work" && order.state !== "in-progress")
      refuse(
        `${order.number} is ${order.state}, and work is clocked while it is in progress: start or resume it first, or clock travel or waiting`,
      )
    const running = runningClock(order, actor)
    if (running !== undefined)
      refuse(
        `${actor}'s clock runs on ${order.number} since ${minute(running.startMs)} (${running.kind}): stop it first with stop-labour`,
      )
    const span = { startMs: atMs, endMs: null }
    const labour = labourOf(order, actor, into, span, context)
    return { order: withLabour(order, labour), event: "labour", note: `${actor} began: ${into}` }
  },
})

export const stopLabour = command({
  summary: "stop a clock; by default yours, now",
  roles: [...executors, "planner"],
  assigned,
  from: ["acknowledged", "in-progress", "on-hold"],
  input: z.strictObject({
    person: somebody.describe("whose clock; somebody else's only by a planner, supervisor or admin"),
    endMs: dateMs.optional().describe("when the work ended, where the clock ran on by mistake"),
    reason: reason.optional().describe("why it ended before now"),
  }),
  run(order, { person, endMs, reason: why }, context) {
    const { actor, atMs } = context
    const who = mayActFor(person, context)
    const running = runningClock(order, who)
    if (running === undefined) refuse(`no clock of ${who} runs on ${order.number}`)
    if (endMs !== undefined && (endMs > atMs || endMs < running.startMs))
      refuse(`the clock runs since ${minute(running.startMs)}: give an end between then and now`)
    if (endMs !== undefined && why === undefined) refuse("an end before now takes a reason: give one")
    const stopped = { ...running, endMs: endMs ?? Math.max(running.startMs, atMs) }
    const labour = order.work.labour.map((one) => (one === running ? stopped : one))
    const by = who === actor ? "" : `, stopped by ${actor}`
    return {
      order: { ...order, work: { ...order.work, labour } },
      event: "labour",
      note: `${who}: ${stopped.kind}, ${spanText(stopped)}${by}${why === undefined ? "" : `: ${why}`}`,
    }
  },
})

export const addLabour = command({
  summary: "add labour that was not clocked, with the reason",
  roles: [...executors, "planner"],
  assigned,
  from: ["acknowledged", "in-progress", "on-hold", "completed", "reopened"],
  input: z.strictObject({
    person: somebody.describe("whose labour; somebody else's only by a planner, supervisor or admin"),
    kind,
    startMs: dateMs,
    endMs: dateMs,
    reason: reason.describe("why it was not clocked"),
  }),
  run(order, { person, kind: into, startMs, endMs, reason: why }, context) {
    const who = mayActFor(person, context)
    const span = { startMs, endMs }
    if (endMs <= startMs) refuse("labour can't end before it starts: give a later end")
    if (endMs > context.atMs)
      refuse(`labour is added when it is over: give an end before ${minute(context.atMs)}`)
    if (endMs - startMs > longestMs) refuse("more than 24 h is more than a shift: add each shift by itself")
    const labour = labourOf(order, who, into, span, context)
    return {
      order: withLabour(order, labour),
      event: "labour",
      note: `${who}: ${into}, ${spanText(span)}, added by hand: ${why}`,
    }
  },
})

export const attempt = command({
  summary: "say how an attempt at the fault went; unless it is fixed, the next one begins",
  roles: executors,
  assigned,
  from: ["in-progress"],
  input: z.strictObject({
    outcome: z.enum(["fixed", "partly", "not-fixed"]).describe("whether the fault is gone"),
    note: z.string().max(2000).default("").describe("what was tried, and what came of it"),
  }),
  run(order, { outcome, note }, { atMs }) {
    const { attempts } = order.work
    const number = attempts.findLastIndex(({ endMs }) => endMs === null)
    if (number < 0)
      refuse(`${order.number} has no attempt under way: it was fixed in attempt ${attempts.length}`)
    if (outcome !== "fixed" && note === "")
      refuse("say in the note what was tried: the next attempt goes by it")
    const told = ended(
      attempts.map((one) => (one.endMs === null ? { ...one, outcome, note } : one)),
      atMs,
    )
    const next = { startMs: atMs, endMs: null, outcome: null, note: "" }
    return {
      order: { ...order, work: { ...order.work, attempts: outcome === "fixed" ? told : [...told, next] } },
      event: "labour",
      note: withNote(`attempt ${number + 1}: ${outcome}`, note),
    }
  },
})

function runningClock(order: WorkOrder, person: string): Labour | undefined {
  return order.work.labour.find((one) => one.person === person && one.endMs === null)
}

/** By default the actor; somebody else only where the actor plans or supervises. */
function mayActFor(person: string | undefined, context: Context): string {
  const { actor } = context
  if (person === undefined || person === actor) return actor
  if (!has(context, planners))
    refuse(`${actor} clocks their own labour only: a ${planners.join(", ")} can do it for ${person}`)
  return person
}

/** Its rate is what the person's craft costs now. Throws `NOT_POSSIBLE` where their labour would count twice. */
function labourOf(
  order: WorkOrder,
  person: string,
  into: Labour["kind"],
  span: Span,
  context: Context,
): Labour {
  const same = overlapping(
    order.work.labour.filter((one) => one.person === person),
    span,
  )
  if (same !== undefined)
    refuse(
      `${person} has labour on ${order.number} from ${spanText(same)} (${same.kind}): the same time counts once`,
    )
  const craft = personOf(person, context)?.craft ?? null
  const rate = context.revision.plant.crafts.find(({ id }) => id === craft)?.rate ?? 0
  const attempt = order.work.attempts.filter(({ startMs }) => startMs <= span.startMs).length
  return { person, craft, rate, kind: into, attempt, ...span }
}

function withLabour(order: WorkOrder, labour: Labour): WorkOrder {
  return { ...order, work: { ...order.work, labour: [...order.work.labour, labour] } }
}
