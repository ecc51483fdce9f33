/**
 * The main job on recorded input: replays the Azure predictive-maintenance sample over MQTT through the whole
 * pipeline and writes its predictive orders as alerts, one JSON object a line, for a scorer.
 *
 *   npm run bench:pdm -- --data DIRECTORY --alerts alerts.jsonl
 */
import { writeFile } from "node:fs/promises"
import { resolve } from "node:path"
import { parseArgs } from "node:util"
import { systemClock } from "../core/clock.ts"
import { replayPdm } from "../tests/journey/pdm-replay.ts"
import { startPipeline } from "../tests/pipeline.ts"

const { values } = parseArgs({
  options: {
    data: { type: "string", default: process.env.MILLWRIGHT_DATA ?? "../shared/data" },
    plant: { type: "string", default: "examples/azure-pdm/plant.yaml" },
    alerts: { type: "string", default: "alerts.jsonl" },
  },
})

const startedMs = systemClock.now()
const pipeline = await startPipeline({ plant: values.plant, plantClock: "event" })
const replayed = await replayPdm(pipeline, resolve(values.data, "pdm"))
const acknowledgedMs = systemClock.now()
await pipeline.settled()
const settledMs = systemClock.now()

const alerts: string[] = []
let after: string | undefined
do {
  const page = await pipeline.app.workorders.list({
    type: "predictive",
    limit: 500,
    ...(after === undefined ? {} : { after }),
  })
  for (const { asset, component, requestedMs } of page.orders) {
    const t = new Date(requestedMs).toISOString().slice(0, 19).replace("T", " ")
    alerts.push(JSON.stringify({ machineID: Number(asset.replace("machine-", "")), comp: component, t }))
  }
  after = page.next
} while (after !== undefined)
await pipeline.close()
await writeFile(values.alerts, `${alerts.reverse().join("\n")}\n`)
console.log(
  `${replayed.acknowledged} messages acknowledged in ${acknowledgedMs - startedMs} ms, all orders after ${settledMs - startedMs} ms; ` +
    `${alerts.length} alerts in ${values.alerts}`,
)
