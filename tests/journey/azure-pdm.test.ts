import { createHash } from "node:crypto"
import { existsSync } from "node:fs"
import { mkdir, readFile, rm, writeFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import { expect, test } from "vitest"
import type { WorkOrder } from "../../core/vocabulary.ts"
import { scratchDirectory, startPipeline } from "../pipeline.ts"
import { replayPdm } from "./pdm-replay.ts"

const data = resolve(process.env.MILLWRIGHT_DATA ?? "../shared/data", "pdm")
const expectation = join(import.meta.dirname, "azure-pdm.orders.json")
const isThere = existsSync(data)
if (!isThere)
  console.warn(`${data} is not there: the replay of the Azure PdM sample is skipped (MILLWRIGHT_DATA)`)

/** The first five weeks of each file, since the whole takes longer than a test should. */
async function firstWeeks(directory: string): Promise<void> {
  for (const file of ["telemetry.csv", "errors.csv", "maint.csv"]) {
    const [header, ...rows] = (await readFile(join(data, file), "utf8")).trimEnd().split("\n")
    const kept = rows.filter((row) => row < "2015-02-05")
    await writeFile(join(directory, file), `${[header, ...kept].join("\n")}\n`)
  }
}

/** What an order says, without the recording's own values, which are not ours to keep here: those are in the hash. */
function summary({ number: _number, version: _version, ...order }: WorkOrder) {
  const content = JSON.stringify(order)
  return {
    order: order.id,
    asset: order.asset,
    component: order.component,
    state: order.state,
    requested: new Date(order.requestedMs).toISOString(),
    due: new Date(order.dueMs).toISOString(),
    priority: order.priority,
    findings: order.findings.map(({ rule, kind, severity }) => `${rule} ${kind} ${severity}`),
    content: createHash("sha256").update(content).digest("hex"),
  }
}

test.runIf(isThere)(
  "five weeks of ten machines, replayed over MQTT, give the orders that they always gave",
  async () => {
    const directory = await scratchDirectory()
    const pipeline = await startPipeline({ plant: "examples/azure-pdm/plant.yaml", plantClock: "event" })
    try {
      await mkdir(join(directory, "data"))
      await firstWeeks(join(directory, "data"))
      const replayed = await replayPdm(pipeline, join(directory, "data"))
      await pipeline.settled()
      expect(replayed.acknowledged).toBe(replayed.messages)
      const { orders } = await pipeline.app.workorders.list({ limit: 500 })
      const whole = await Promise.all(orders.map(({ id }) => pipeline.app.workorders.get(id)))
      const found = whole
        .map(({ order }) => summary(order))
        .sort((a, b) => (a.requested + a.order < b.requested + b.order ? -1 : 1))
      if (process.env.UPDATE_EXPECTATION)
        await writeFile(expectation, `${JSON.stringify(found, undefined, 2)}\n`)
      expect(found).toEqual(JSON.parse(await readFile(expectation, "utf8")))
    } finally {
      await pipeline.close()
      await rm(directory, { recursive: true })
    }
  },
)
