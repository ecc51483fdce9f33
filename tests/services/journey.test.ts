import { readFile } from "node:fs/promises"
import { pino } from "pino"
import { expect, inject, onTestFinished, test } from "vitest"
import { demoFleet } from "../../cli/commands/demo.ts"
import { systemClock } from "../../core/clock.ts"
import { parsePlant } from "../../core/plant.ts"
import { topics } from "../../core/topics.ts"
import { createFleet } from "../../simulators/index.ts"
import { applyPlant, lookOn, preparePlant } from "./plant.ts"
import { root } from "./processes.ts"

const hour = 3_600_000
const fromMs = Date.UTC(2026, 2, 2)

test("from a pump's wear to the planner's list, through six processes and four servers", async () => {
  const plant = await preparePlant(inject("servers"), { MILLWRIGHT_PLANT_CLOCK: "event" })
  onTestFinished(() => plant.dispose())
  const source = await readFile(`${root}/examples/demo/plant.yaml`, "utf8")
  await applyPlant(plant.settings, source)
  for (const one of plant.processes.values()) one.start()
  await Promise.race([plant.failed, plant.areWell([...plant.processes.keys()])])

  const app = await lookOn(plant.settings)
  const first = new Set<string>()
  const enough = new AbortController()
  const subscription = await app.log.follow(topics.workOrderEvents, ({ value }) => {
    first.add(value.order.type)
    if (first.has("predictive") && first.has("preventive")) enough.abort()
  })
  const fleet = createFleet({
    url: plant.mqttUrl,
    assets: parsePlant(source).assets,
    ...demoFleet,
    speed: 72_000,
    fromMs,
    clock: systemClock,
    logger: pino({ level: "silent" }),
  })
  await fleet.start()
  while (!enough.signal.aborted && fleet.progress().simulatedMs < fromMs + 60 * hour) {
    await Promise.race([plant.failed, systemClock.sleep(100, enough.signal)])
  }
  await fleet.close()
  await subscription.close()
  await app.close()

  const orders = await plant.command("orders", "list", "--type", "predictive")
  const number = /WO-\d{6}/.exec(orders)?.[0] ?? ""
  expect(await plant.command("orders", "show", number)).toMatch(/above|below|than usual/)
  expect(await plant.command("status")).toMatch(/telemetry\s+rules\s+\d+ records/)
  expect(await plant.command("detections", "list")).toMatch(/opened/)
  expect(await plant.command("devices", "list")).toMatch(/pump-5/)
  await plant.stop()
})
