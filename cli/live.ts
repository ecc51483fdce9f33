import type { App } from "../app.ts"
import { type Clock, every } from "../core/clock.ts"
import type { OrderEvent } from "../core/orders.ts"
import { topics } from "../core/topics.ts"
import { type Detection, isDetection } from "../core/vocabulary.ts"
import { counted, print, printable, when } from "./output.ts"

const statusMs = 1000
/** Without a terminal that can overwrite a line, the state is said this seldom. */
const quietStatusMs = 10_000

/** Shows in the terminal what happens: a line for each detection and order, and below them how busy the plant is. */
export async function showLive(
  app: App,
  clock: Clock,
  signal: AbortSignal,
  plantTime: () => number = app.now,
): Promise<{ close(): Promise<void> }> {
  const isTerminal = process.stdout.isTTY
  const sinceMs = clock.now()
  const seen = { detections: 0, orders: 0 }
  let status = ""
  let before = { atMs: sinceMs, samples: 0 }

  function say(line: string): void {
    if (isTerminal) process.stdout.write("\r\u001B[2K")
    print(printable(line))
    if (isTerminal) process.stdout.write(status)
  }

  async function showStatus(): Promise<void> {
    const samples = await totalOf(app, "millwright_rules_records_total")
    const nowMs = clock.now()
    const rate = ((samples - before.samples) * 1000) / Math.max(1, nowMs - before.atMs)
    before = { atMs: nowMs, samples }
    // Where the rules run in another process nobody here counts samples.
    const speed = samples === 0 ? "" : `${Math.round(rate)} samples/s   `
    status = `plant time ${when(plantTime())}   ${speed}${counted(seen.detections, "detection")}   ${counted(seen.orders, "order")}`
    if (isTerminal) process.stdout.write(`\r\u001B[2K${status}`)
    else print(status)
  }

  const subscriptions = [
    await app.log.follow(topics.detections, ({ appendedMs, value }) => {
      if (appendedMs < sinceMs || !isDetection(value)) return
      if (value.kind === "opened") seen.detections += 1
      say(describeDetection(value))
    }),
    await app.log.follow(topics.workOrderEvents, ({ appendedMs, value }) => {
      if (appendedMs < sinceMs) return
      if (value.kind === "created") seen.orders += 1
      if (value.kind !== "amended") say(describeOrder(value))
    }),
  ]
  const showing = every(clock, isTerminal ? statusMs : quietStatusMs, signal, showStatus)
  return {
    async close() {
      await showing
      for (const subscription of subscriptions) await subscription.close()
      if (isTerminal) print()
    },
  }
}

function describeDetection({ atMs, kind, severity, reason, asset }: Detection): string {
  return `${when(atMs)}  ${kind.padEnd(9)} ${severity.padEnd(7)} ${asset}: ${reason}`
}

function describeOrder({ atMs, kind, note, order }: OrderEvent): string {
  const due = kind === "created" ? `, priority ${order.priority}, due ${when(order.dueMs)}` : `: ${note}`
  return `${when(atMs)}  ${kind.padEnd(9)} ${order.number} ${order.type}: ${order.title}${due}`
}

/** The sum of a counter over its labels. */
async function totalOf(app: App, metric: string): Promise<number> {
  const found = await app.metrics.getSingleMetric(metric)?.get()
  return found?.values.reduce((sum, { value }) => sum + value, 0) ?? 0
}
