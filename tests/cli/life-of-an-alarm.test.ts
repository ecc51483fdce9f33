import { connectAsync, type MqttClient } from "mqtt"
import { beforeEach, expect, onTestFinished, test } from "vitest"
import type { Pipeline } from "../pipeline.ts"
import { until } from "../until.ts"
import { answer, linesOf, servePlant } from "./setup.ts"

const source = `
plant: test
sites: [{ id: hall-3 }]
classes: [{ id: pump, signals: { vibration: { unit: mm/s } }, components: [bearing] }]
assets: [{ id: P-101, site: hall-3, class: pump }]
rules:
  - id: bearing-vibration
    kind: threshold
    for: { class: pump }
    component: bearing
    signal: vibration
    params: { levels: [{ severity: warning, above: 4.5 }, { severity: alarm, above: 7.1 }], onDelay: 10m }
    order: {}
  - id: vibration-sensor
    kind: flatline
    for: { class: pump }
    signal: vibration
    params: { for: 2h }
    order: {}
people:
  - { id: erika, name: Erika, roles: [engineer] }
`
const startMs = Date.UTC(2026, 2, 4)
const minute = 60_000
const arrivedMs = Date.UTC(2026, 2, 5)

let directory: string
let pipeline: Pipeline
let publisher: MqttClient
const run = (words: string, last?: string) => answer(directory, words, last)

beforeEach(async () => {
  const served = await servePlant(source)
  directory = served.directory
  pipeline = served.pipeline
  publisher = await connectAsync(pipeline.url)
  onTestFinished(() => publisher.endAsync())
})

/** Samples at these minutes, in this order. */
async function send(...samples: readonly (readonly [minutes: number, value: number])[]): Promise<void> {
  for (const [minutes, vibration] of samples) {
    const message = JSON.stringify({ ts: startMs + minutes * minute, vibration })
    await publisher.publishAsync("v1/hall-3/P-101/telemetry", message, { qos: 1 })
  }
  await pipeline.settled()
}

test("an alarm is found, acknowledged, worsens, and its order can be verified", async () => {
  await send([0, 2], [10, 5], [20, 5.5], [30, 6])
  expect(await run("alarms list")).toMatch(/warning {3}open {3}P-101 {2}bearing-vibration/)
  const [{ incident }] = JSON.parse(await run("alarms list --json")).alarms
  await run(`alarms acknowledge ${incident} --as erika --reason`, "on my way")
  await until(async () => (await run(`alarms show ${incident}`)).includes("erika"))
  expect(await run("alarms list")).toContain("bearing vibration 5 mm/s above 4.5 mm/s for 10 min")
  expect(linesOf(await run(`alarms show ${incident}`)).at(-1)).toMatch(/^ {2}seen {5}.* by erika: on my way$/)
  await send([40, 8], [51, 9])
  const verified = linesOf(await run("verify WO-000001"))
  expect(verified.filter((line) => !line.startsWith(" "))).toEqual([
    "same         2026-03-04 00:20  bearing-vibration (revision 1) opened",
    "same         2026-03-04 00:50  bearing-vibration (revision 1) raised",
  ])
})

test("samples that were told again since are the samples that decided", async () => {
  const samples = [
    [0, 2],
    [10, 5],
    [20, 5.5],
    [30, 6],
  ] as const
  await send(...samples)
  await send(...samples)
  expect(await run("verify 1")).toMatch(/^same /)
  await send(samples[1])
  expect(await run("verify 1")).toMatch(/^same /)
})

test("an order whose samples were changed or are gone can't be verified", async () => {
  await send([0, 2], [10, 5], [20, 5.5], [30, 6])
  expect(await run("verify 1")).toMatch(/^same /)
  const { store } = pipeline.app
  const changed = { kind: "reading", site: "hall-3", asset: "P-101", arrivedMs } as const
  await store.write([{ ...changed, atMs: startMs + 10 * minute, values: { vibration: 4.6 } }])
  await expect(run("verify 1")).rejects.toMatchObject({ code: "NOT_VERIFIED" })
  await store.forgetBefore(startMs + 60 * minute)
  await expect(run("verify 1 --json")).rejects.toMatchObject({ code: "NOT_VERIFIED" })
})

test("a shelved rule makes no order until it is taken off the shelf", async () => {
  await send([0, 2])
  await run("alarms shelve bearing-vibration --asset P-101 --for 2h --as erika --reason", "sensor is loose")
  await send([10, 5], [20, 5.5], [30, 6])
  expect(await run("orders list")).toBe("no work orders yet\n")
  expect(await run("detections list")).toContain("opened")
  await send([90, 6.1], [130, 6.2])
  expect(await run("orders list")).toMatch(/WO-000001 +predictive/)
  expect(await run("detections list")).toContain("unshelved")
})

test("a sample that comes late withdraws what was found, and its order says so", async () => {
  await send([0, 2], [10, 5], [20, 5.5], [30, 6])
  await send([15, 3])
  expect(await run("orders show 1")).toContain(
    "amended, warning: bearing vibration 5.5 mm/s above 4.5 mm/s for 10 min",
  )
  await send([25, 3])
  expect(await run("alarms list")).toBe("no alarms\n")
  expect(await run("orders show 1")).toContain("withdrawn, warning: with what came late there is nothing")
})

test("a sensor that is stuck asks for an inspection of itself", async () => {
  await send(...Array.from({ length: 14 }, (_, at) => [at * 10, 8] as const))
  expect(linesOf(await run("orders list")).slice(1)).toEqual([
    expect.stringMatching(/WO-000002 +specialised .* Inspect the sensor vibration of P-101: /),
    expect.stringMatching(/WO-000001 +predictive /),
  ])
})
