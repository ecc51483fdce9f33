/**
 * The main job on recorded input: replays the Azure predictive-maintenance sample over MQTT through the whole
 * pipeline and writes its predictive orders as alerts, one JSON object a line, for a scorer.
 *
 *   npm run bench:pdm -- --data DIRECTORY --alerts alerts.jsonl
 */
import { readFile, writeFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { pino } from "pino"
import { systemClock } from "../core/clock.ts"
import { replayFiles } from "../simulators/index.ts"
import { readReplayMap } from "../simulators/replay/map.ts"
import { startPipeline } from "../tests/pipeline.ts"

const { values } = parseArgs({
  options: {
    data: { type: "string", default: process.env.MILLWRIGHT_DATA ?? "../shared/data" },
    plant: { type: "string", default: "examples/azure-pdm/plant.yaml" },
    alerts: { type: "string", default: "alerts.jsonl" },
  },
})

const sources = await readReplayMap("examples/azure-pdm/replay.yaml", resolve(values.data, "pdm"))
await readFile(join(values.data, "pdm", "telemetry.csv"))
const startedMs = systemClock.now()
const pipeline = await startPipeline({ plant: values.plant, plantClock: "event" })
const replayed = await replayFiles(
  {
    sources,
    url: pipeline.url,
    topics: { telemetry: "v1/{site}/{asset}/telemetry", events: "v1/{site}/{asset}/events" },
    site: "pdm",
    speed: Number.POSITIVE_INFINITY,
    inFlight: 500,
    offsetMinutes: 0,
    skipBadRows: false,
    clock: systemClock,
    logger: pino({ level: "warn" }),
  },
  () => {},
  new AbortController().signal,
)
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
