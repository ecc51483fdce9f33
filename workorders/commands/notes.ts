import { z } from "zod"
import type { OrderState } from "../../core/orders.ts"
import { beforeTheEnd } from "../../core/orders.ts"
import { dateMs } from "../../core/vocabulary.ts"
import { minute, overlapping, spanText } from "../spans.ts"
import { command, refuse, withNote } from "./command.ts"
import { assigned, executors } from "./people.ts"

const text = z.string().max(2000).default("")

/** The asset may stand still from the fault on, long before anybody works on it. */
const untilDone: readonly OrderState[] = beforeTheEnd.filter(
  (state) => state !== "rejected" && state !== "completed" && state !== "verified",
)

export const note = command({
  summary: "add a note to the order",
  roles: ["technician", "contractor", "storekeeper", "planner", "engineer", "supervisor", "admin"],
  from: beforeTheEnd,
  input: z.strictObject({ text: z.string().min(1).max(2000) }),
  run(order, { text: said }, { actor, atMs }) {
    const notes = [...order.work.notes, { text: said, by: actor, atMs }]
    return { order: { ...order, work: { ...order.work, notes } }, event: "note", note: said }
  },
})

export const reading = command({
  summary: "write down what a meter or gauge of the asset shows",
  roles: [...executors, "engineer"],
  assigned,
  from: ["acknowledged", "in-progress", "on-hold", "completed"],
  input: z.strictObject({
    signal: z.string().min(1).max(128),
    value: z.number(),
    note: text.describe("why a meter shows less than before"),
  }),
  run(order, { signal, value, note: said }, { actor, atMs, asset, revision }) {
    const { signals = {} } = revision.plant.classes.find(({ id }) => id === asset?.class) ?? {}
    const spec = Object.hasOwn(signals, signal) ? signals[signal] : undefined
    if (spec === undefined)
      refuse(
        `${order.asset} has no signal "${signal}": expected one of ${Object.keys(signals).join(", ") || "none"}`,
      )
    const { unit = "", min = -Infinity, max = Infinity } = spec
    if (value < min || value > max)
      refuse(`${signal} can't be ${value} ${unit}: by the plant file it is from ${min} to ${max}`)
    const before = order.work.readings.findLast((one) => one.signal === signal)
    if (spec.kind === "meter" && before !== undefined && value < before.value && said === "")
      refuse(
        `the meter ${signal} showed ${before.value} ${unit} before, and ${value} is less: say in the note why`,
      )
    const readings = [...order.work.readings, { signal, value, by: actor, atMs }]
    return {
      order: { ...order, work: { ...order.work, readings } },
      event: "reading",
      note: withNote(`${signal} ${value}${unit === "" ? "" : ` ${unit}`}`, said),
    }
  },
})

export const startDowntime = command({
  summary: "the asset stands still, now or since a time before",
  roles: [...executors, "planner", "engineer"],
  assigned,
  from: untilDone,
  input: z.strictObject({ startMs: dateMs.optional().describe("since when (default: now)"), note: text }),
  run(order, { startMs: given, note: said }, { actor, atMs }) {
    const startMs = given ?? atMs
    if (startMs > atMs) refuse(`downtime is told when it has begun: give a time before ${minute(atMs)}`)
    const same = overlapping(order.work.downtime, { startMs, endMs: null })
    if (same !== undefined)
      refuse(`${order.number} has downtime from ${spanText(same)}: the same time counts once`)
    const downtime = [...order.work.downtime, { startMs, endMs: null, by: actor }]
    return {
      order: { ...order, work: { ...order.work, downtime } },
      event: "downtime",
      note: withNote(`${order.asset} stands still since ${minute(startMs)}`, said),
    }
  },
})

export const stopDowntime = command({
  summary: "the asset runs again, now or since a time before",
  roles: [...executors, "planner", "engineer"],
  assigned,
  from: untilDone,
  input: z.strictObject({ endMs: dateMs.optional().describe("since when (default: now)"), note: text }),
  run(order, { endMs: given, note: said }, { atMs }) {
    const running = order.work.downtime.find((one) => one.endMs === null)
    if (running === undefined)
      refuse(`${order.number} has no downtime that goes on: begin one with start-downtime`)
    const endMs = given ?? Math.max(atMs, running.startMs)
    if (endMs < running.startMs || endMs > Math.max(atMs, running.startMs))
      refuse(`the downtime goes on since ${minute(running.startMs)}: give an end between then and now`)
    const ended = { ...running, endMs }
    const downtime = order.work.downtime.map((one) => (one === running ? ended : one))
    return {
      order: { ...order, work: { ...order.work, downtime } },
      event: "downtime",
      note: withNote(`${order.asset} stood still ${spanText(ended)}`, said),
    }
  },
})
