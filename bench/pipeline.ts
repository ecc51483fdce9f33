/**
 * How much the pipeline takes in on this machine: the shipped server in a process of its own, ack after durable,
 * historian and three rules on each of 5 signals of 100 assets, load from another process over real TCP.
 *
 *   npm run bench [-- --seconds 30 --json results.json]
 *   npm run bench -- --services    on servers instead of files, each stage in a process of its own
 */
import { execFileSync, spawn } from "node:child_process"
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { cpus } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { systemClock } from "../core/clock.ts"
import { parsePlant } from "../core/plant.ts"
import { scratchDirectory } from "../tests/pipeline.ts"
import { onFiles } from "./on-files.ts"
import { onServers } from "./on-servers.ts"
import type { Program } from "./target.ts"
import { threads, type Usage, usage } from "./usage.ts"

type Load = { readonly name: string; readonly messages: number; readonly options: readonly string[] }
type Measured = {
  readonly sent: number
  readonly acked: number
  readonly seconds: number
  readonly rate: number
  readonly ackP50: number
  readonly ackP99: number
  readonly breaches: number
  readonly alerts: number
  readonly alertP50: number
  readonly alertP99: number
}

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "20" },
    json: { type: "string" },
    only: { type: "string" },
    profile: { type: "boolean" },
    /** On Kafka, InfluxDB, PostgreSQL and mosquitto, with the processes of docker-compose.yml. */
    services: { type: "boolean" },
    rates: { type: "string" },
  },
})
const seconds = Number(values.seconds)
const rates = (values.rates ?? (values.services ? "5000,10000" : "10000,20000")).split(",").map(Number)
const here = import.meta.dirname

/** The bench's plant file with its 100 assets written out. */
function plantSource(): string {
  const sites = ["north", "south", "east", "west"]
  const assets = Array.from(
    { length: 100 },
    (_, at) => `  - { id: asset-${at}, site: ${sites[at % 4]}, class: machine }`,
  )
  const source = `${readFileSync(join(here, "plant.yaml"), "utf8")}assets:\n${assets.join("\n")}\n`
  parsePlant(source)
  return source
}

function buildLoadgen(directory: string): string {
  const program = join(directory, "loadgen")
  try {
    execFileSync("go", ["build", "-o", program, "."], { cwd: join(here, "loadgen"), stdio: "inherit" })
  } catch {
    throw new Error("the load generator can't be built: the bench needs Go (https://go.dev) on the PATH")
  }
  return program
}

const directory = await scratchDirectory()
const loadgen = buildLoadgen(directory)
function usages(programs: readonly Program[]): ReadonlyMap<Program, Usage> {
  return new Map(programs.map((one) => [one, usage(one.pid)]))
}

function run(url: string, { options, messages }: Load): Promise<Measured> {
  return new Promise((done, failed) => {
    const child = spawn(loadgen, ["-addr", url, "-n", String(messages), ...options], {
      stdio: ["ignore", "pipe", "inherit"],
    })
    let output = ""
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk
    })
    child.once("error", failed)
    child.once("close", (code) =>
      code === 0 ? done(JSON.parse(output) as Measured) : failed(new Error(`loadgen exited with ${code}`)),
    )
  })
}

const target = await (values.services
  ? onServers(values.profile ?? false)
  : onFiles(directory, values.profile ?? false))
const rows: Record<string, string | number>[] = []
try {
  await target.apply(plantSource())
  await systemClock.sleep(2500)
  const loads: Load[] = [
    { name: "(warm-up)", messages: 100_000, options: [] },
    ...rates.map((rate) => ({
      name: `${rate.toLocaleString("en")} msg/s`,
      messages: rate * seconds,
      options: ["-rate", String(rate)],
    })),
    { name: "as fast as acked", messages: 20_000 * seconds, options: ["-inflight", "2000"] },
  ]
  let taken = 0
  for (const load of loads) {
    if (values.only !== undefined && load.name !== "(warm-up)" && !load.name.includes(values.only)) continue
    const before = usages(target.programs)
    const startedMs = systemClock.now()
    const measured = await run(target.address, load)
    taken += measured.sent
    await target.taken(taken)
    const takenMs = systemClock.now()
    await target.settled()
    const after = usages(target.programs)
    if (load.name === "(warm-up)") continue
    const cpu = (one: Program) =>
      (((after.get(one)?.cpu ?? 0) - (before.get(one)?.cpu ?? 0)) * 100_000) / measured.sent
    const sum = (some: readonly Program[]) => some.reduce((total, one) => total + cpu(one), 0)
    const ours = target.programs.filter(({ isOurs }) => isOurs)
    const theirs = target.programs.filter(({ isOurs }) => !isOurs)
    rows.push({
      load: load.name,
      "msg/s": Math.round(measured.rate),
      // The plant's own broker acknowledges before the pipeline has a message.
      ...(values.services
        ? { "taken msg/s": Math.round((measured.sent * 1000) / (takenMs - startedMs)) }
        : {}),
      acked: `${measured.acked} of ${measured.sent}`,
      "CPU s / 100k": Number(sum(ours).toFixed(2)),
      ...(values.services ? { "servers' CPU s / 100k": Number(sum(theirs).toFixed(2)) } : {}),
      "ack p50/p99 ms": `${measured.ackP50.toFixed(1)} / ${measured.ackP99.toFixed(1)}`,
      "alert p50/p99 ms": `${measured.alertP50.toFixed(1)} / ${measured.alertP99.toFixed(1)}`,
      alerts: `${measured.alerts} of ${measured.breaches}`,
      "peak MB": Math.round(ours.reduce((total, one) => total + (after.get(one)?.peakMb ?? 0), 0)),
    })
    if (values.services) {
      const each = target.programs.map((one) => `${one.name} ${cpu(one).toFixed(2)}`)
      console.log(`${load.name}: CPU s / 100k of ${each.join(", ")}`)
    }
  }
  for (const { name, pid, isOurs } of target.programs)
    if (isOurs) console.log(`${name}, threads since the start: ${threads(pid)}`)
} finally {
  await target.close()
  rmSync(directory, { recursive: true })
}
console.table(rows)
console.log(
  `${cpus().length} x ${cpus()[0]?.model}, Node ${process.version}, ${new Date(systemClock.now()).toISOString().slice(0, 10)}`,
)
if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(rows, undefined, 2))
