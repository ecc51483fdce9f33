import { createHash } from "node:crypto"
import { mkdir, readFile, rm, writeFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import type { WorkOrder } from "../../core/orders.ts"
import { scratchDirectory, startPipeline } from "../pipeline.ts"
import { replayPdm } from "./pdm-replay.ts"

/** Where the recordings of the Azure PdM sample lie. */
export function pdmData(): string {
  return resolve(process.env.MILLWRIGHT_DATA ?? "../shared/data", "pdm")
}

/** Replays five weeks over MQTT into a fresh pipeline and gives its orders, oldest first. */
export async function ordersOfFiveWeeks(data: string, overrides: Readonly<Record<string, unknown>>) {
  const directory = await scratchDirectory()
  const pipeline = await startPipeline({
    plant: "examples/azure-pdm/plant.yaml",
    plantClock: "event",
    overrides,
  })
  try {
    await mkdir(join(directory, "data"))
    await firstWeeks(data, join(directory, "data"))
    const replayed = await replayPdm(pipeline, join(directory, "data"))
    if (replayed.acknowledged !== replayed.messages) throw new Error("not every message was acknowledged")
    await pipeline.taken(replayed.messages)
    await pipeline.settled()
    const { orders } = await pipeline.app.workorders.list({ limit: 500 })
    const whole = await Promise.all(orders.map(({ id }) => pipeline.app.workorders.get(id)))
    return whole
      .map(({ order }) => summary(order))
      .sort((a, b) => (a.requested + a.order < b.requested + b.order ? -1 : 1))
  } finally {
    await pipeline.close()
    await rm(directory, { recursive: true })
  }
}

/** The first five weeks of each file, since the whole takes longer than a test should. */
async function firstWeeks(data: string, directory: string): Promise<void> {
  for (const file of ["telemetry.csv", "errors.csv", "maint.csv"]) {
    const [header, ...rows] = (await readFile(join(data, file), "utf8")).trimEnd().split("\n")
    const kept = rows.filter((row) => row < "2015-02-05")
    await writeFile(join(directory, file), `${[header, ...kept].join("\n")}\n`)
  }
}

/** What an order says, without the recording's own values, which are not ours to keep here: those are in the hash. */
function summary(order: WorkOrder) {
  const { title, description, job, priorityReason, trigger, findings } = order
  const said = { title, description, job, priorityReason, trigger, findings }
  // How a finding is recomputed tells when its messages arrived, and is tested where it is used.
  const content = JSON.stringify(said, (key, one: unknown) => (key === "replay" ? undefined : one))
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
