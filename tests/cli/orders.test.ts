import { connectAsync } from "mqtt"
import { expect, onTestFinished, test } from "vitest"
import { answer, linesOf, servePlant } from "./setup.ts"

const plant = `
plant: test
sites: [{ id: quarry }]
classes: [{ id: truck, signals: { mileage: { unit: km, kind: meter }, oil-pressure: { unit: bar } } }]
assets: [{ id: T-1, site: quarry, class: truck }]
rules:
  - id: oil-service
    kind: usage
    signal: mileage
    params: { every: 5000 }
    order: { type: preventive }
  - id: oil-low
    kind: threshold
    signal: oil-pressure
    params: { below: 2, onDelay: 2m }
    order: {}
`

test("an order shows the samples that decided, in full and once by name", async () => {
  const { directory, pipeline } = await servePlant(plant)
  const publisher = await connectAsync(pipeline.url)
  onTestFinished(() => publisher.endAsync())
  const samples = [
    { mileage: 114_998, "oil-pressure": 3 },
    { mileage: 114_999, "oil-pressure": 1.8 },
    { mileage: 115_002, "oil-pressure": 1.75 },
    { mileage: 115_003, "oil-pressure": 1.7 },
  ]
  for (const [minute, values] of samples.entries()) {
    const message = JSON.stringify({ ts: Date.UTC(2026, 2, 4) + minute * 60_000, ...values })
    await publisher.publishAsync("v1/quarry/T-1/telemetry", message, { qos: 1 })
  }
  await pipeline.settled()
  const evidence = async (order: string) => {
    const lines = linesOf(await answer(directory, `orders show ${order}`))
    return lines[lines.findIndex((line) => line.startsWith("Findings")) + 2]?.trim()
  }
  expect(await evidence("1")).toBe("meter against every 5000 km: mileage 114998, 114999, 115002")
  expect(await evidence("2")).toBe("value: oil-pressure 1.8, 1.75")
})
