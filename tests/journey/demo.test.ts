import { pino } from "pino"
import { expect, test } from "vitest"
import { demoFleet } from "../../cli/commands/demo.ts"
import { systemClock } from "../../core/clock.ts"
import type { OrderEvent } from "../../core/orders.ts"
import { parsePlant } from "../../core/plant.ts"
import { topics } from "../../core/topics.ts"
import { createFleet } from "../../simulators/index.ts"
import { startPipeline } from "../pipeline.ts"

const hour = 3_600_000
const fromMs = Date.UTC(2026, 2, 2)

/** Runs the demo, faster than it is shown, until there is an order of each type, or the time is past. */
async function firstOrders(withinMs: number): Promise<ReadonlyMap<string, OrderEvent>> {
  const pipeline = await startPipeline({ plant: "examples/demo/plant.yaml", plantClock: "event" })
  const { app } = pipeline
  const first = new Map<string, OrderEvent>()
  const enough = new AbortController()
  const subscription = await app.log.follow(topics.workOrderEvents, ({ value }) => {
    const { type } = value.order
    if (value.kind === "created" && !first.has(type)) first.set(type, value)
    if (first.has("predictive") && first.has("preventive")) enough.abort()
  })
  const plant = app.catalogue.newest()?.plant ?? parsePlant("")
  const logger = pino({ level: "silent" })
  const fleet = createFleet({
    url: pipeline.url,
    assets: plant.assets,
    ...demoFleet,
    speed: 72_000,
    fromMs,
    clock: systemClock,
    logger,
  })
  try {
    await fleet.start()
    while (!enough.signal.aborted && fleet.progress().simulatedMs < fromMs + withinMs) {
      await systemClock.sleep(100, enough.signal)
    }
  } finally {
    await fleet.close()
    await pipeline.settled()
    await subscription.close()
    await pipeline.close()
  }
  return first
}

test("within a minute the demo has a predictive and a preventive order, each with its reason", async () => {
  // A minute of the demo is sixty hours of its machines.
  const first = await firstOrders(60 * hour)
  for (const type of ["predictive", "preventive"]) {
    const created = first.get(type)
    expect(created?.order.type).toBe(type)
    expect(created?.order.requestedMs).toBeLessThanOrEqual(fromMs + 60 * hour)
    expect(created?.order.priorityReason).not.toBe("")
    expect(created?.order.job.tasks.length).toBeGreaterThan(0)
  }
  const predictive = first.get("predictive")?.order
  expect(predictive?.trigger.kind).toBe("rule")
  expect(predictive?.findings[0]?.reason).toMatch(/above|below|than usual/)
  expect(predictive?.findings[0]?.evidence.samples.length).toBeGreaterThan(0)
})
