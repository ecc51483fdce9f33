import { rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { connectAsync } from "mqtt"
import { expect, test } from "vitest"
import { stringify } from "yaml"
import { topics } from "../../core/topics.ts"
import type { Announcement } from "../../core/vocabulary.ts"
import { scratchDirectory, startPipeline } from "../pipeline.ts"

const assets = 1000
const parts = Array.from({ length: 10 }, (_, at) => `bearing-${at}`)
const startMs = Date.UTC(2026, 2, 1)
const minute = 60_000

/** A power dip: each of ten bearings on a thousand machines alarms within one minute. */
const source = stringify({
  plant: "mill",
  sites: [{ id: "hall" }],
  classes: [
    {
      id: "machine",
      components: parts,
      signals: Object.fromEntries(parts.map((part) => [part, { unit: "mm/s" }])),
    },
  ],
  assets: Array.from({ length: assets }, (_, at) => ({ id: `M-${at}`, site: "hall", class: "machine" })),
  rules: parts.map((part) => ({
    id: `${part}-high`,
    kind: "threshold",
    for: { class: "machine" },
    component: part,
    signal: part,
    params: { above: 7 },
    order: {},
  })),
})

test("10,000 alarms in a minute: each is found, listed and ordered once, and the operator is told in some digests", {
  timeout: 180_000,
}, async (context) => {
  const directory = await scratchDirectory()
  const plant = join(directory, "plant.yaml")
  await writeFile(plant, source)
  const pipeline = await startPipeline({ directory, plant })
  const { app } = pipeline
  context.onTestFinished(async () => {
    await pipeline.close()
    await rm(directory, { recursive: true })
  })
  const publisher = await connectAsync(pipeline.url)
  const tell = (asset: number, atMs: number, value: number) => {
    const values = Object.fromEntries(parts.map((part) => [part, value]))
    const payload = JSON.stringify({ time: new Date(atMs).toISOString(), ...values })
    return publisher.publishAsync(`v1/hall/M-${asset}/telemetry`, payload, { qos: 1 })
  }
  const all = Array.from({ length: assets }, (_, at) => at)
  await Promise.all(all.map((at) => tell(at, startMs + at * 60, 9)))
  await pipeline.settled()
  // What is still held back is told when the flood has ended, an hour later.
  for (const minutes of [60, 75, 90]) {
    await tell(0, startMs + minutes * minute, minutes === 75 ? 9 : 1)
    await pipeline.settled()
  }
  await publisher.endAsync()

  const opened = new Set<string>()
  for await (const { value } of app.log.read(topics.detections)) {
    if (value.kind === "opened" && value.atMs < startMs + 10 * minute) opened.add(value.episode)
  }
  expect(opened.size).toBe(10_000)

  const announced: Announcement[] = []
  for await (const { value } of app.log.read(topics.announcements)) announced.push(value)
  const told = announced.reduce((sum, one) => {
    if (one.kind === "alarm" && one.atMs < startMs + 75 * minute) return sum + 1
    return one.kind === "digest" && one.fromMs < startMs + 75 * minute ? sum + one.incidents : sum
  }, 0)
  expect(told).toBe(10_000)
  expect(announced.length).toBeLessThan(100)

  const orders = (await app.workorders.counts()).reduce((sum, { orders }) => sum + orders, 0)
  expect(orders).toBe(10_000)
  const [report] = await app.alarms.report({ site: "hall", fromMs: startMs, toMs: startMs + 60 * minute })
  expect(report).toBeDefined()
  expect(app.health().ok).toBe(true)
})
