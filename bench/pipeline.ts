/**
 * How much the pipeline takes in on this machine: the shipped server in a process of its own, ack after durable,
 * historian and three rules on each of 5 signals of 100 assets, load from another process over real TCP.
 *
 *   npm run bench [-- --seconds 30 --json results.json]
 */
import { execFileSync, spawn } from "node:child_process"
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { cpus } from "node:os"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { ask } from "../cli/control.ts"
import { systemClock } from "../core/clock.ts"
import { loadSettings } from "../core/config.ts"
import { parsePlant } from "../core/plant.ts"
import { scratchDirectory } from "../tests/pipeline.ts"

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
  },
})
const seconds = Number(values.seconds)
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

/** CPU seconds of a process with all its threads, and its peak resident memory in MB (Linux). */
function usage(pid: number): { cpu: number; peakMb: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  const peak = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))
  return { cpu: (Number(fields[11]) + Number(fields[12])) / 100, peakMb: Number(peak?.[1] ?? 0) / 1024 }
}

/** CPU seconds of each thread so far, the busiest first: main loop, writers, compaction, garbage collection. */
function threads(pid: number): string {
  const tasks = readdirSync(`/proc/${pid}/task`).map((task) => {
    const stat = readFileSync(`/proc/${pid}/task/${task}/stat`, "utf8")
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"))
    return { name: `${name} ${task}`, cpu: (Number(fields[11]) + Number(fields[12])) / 100 }
  })
  return tasks
    .sort((a, b) => b.cpu - a.cpu)
    .filter(({ cpu }) => cpu >= 0.1)
    .map(({ name, cpu }) => `${name}: ${cpu.toFixed(1)} s`)
    .join(", ")
}

const directory = await scratchDirectory()
const loadgen = buildLoadgen(directory)
const data = join(directory, "data")
const settings = loadSettings({ env: {}, overrides: { directory: data, logLevel: "warn" } })
const environment = {
  PATH: process.env.PATH,
  MILLWRIGHT_DIRECTORY: data,
  MILLWRIGHT_LOG_LEVEL: "warn",
  MILLWRIGHT_MQTT_PORT: "0",
  MILLWRIGHT_HTTP_PORT: "0",
  NODE_OPTIONS: process.env.BENCH_NODE_OPTIONS,
}
const profiling = values.profile ? ["--cpu-prof", `--cpu-prof-dir=${resolve("profile")}`] : []
const server = spawn(process.execPath, [...profiling, join(here, "..", "bin", "millwright.js"), "start"], {
  env: environment,
  stdio: ["ignore", "inherit", "inherit"],
})
const status = () => ask(settings, "bench", "status", {})

async function until(what: () => Promise<boolean>): Promise<void> {
  while (!(await what().catch(() => false))) {
    if (server.exitCode !== null) throw new Error(`the server exited with ${server.exitCode}`)
    // Seldom, since the server's answers count as its CPU time.
    await systemClock.sleep(1000)
  }
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

const pid = server.pid ?? 0
const rows: Record<string, string | number>[] = []
try {
  await until(async () => (await status()).health.ok)
  await ask(settings, "bench", "plant.apply", { source: plantSource(), reason: "bench" })
  await systemClock.sleep(2500)
  const { mqttPort } = await status()
  const settled = () => until(async () => (await status()).lags.every(({ uncommitted }) => uncommitted === 0))
  const loads: Load[] = [
    { name: "(warm-up)", messages: 100_000, options: [] },
    { name: "10,000 msg/s", messages: 10_000 * seconds, options: ["-rate", "10000"] },
    { name: "20,000 msg/s", messages: 20_000 * seconds, options: ["-rate", "20000"] },
    { name: "as fast as acked", messages: 20_000 * seconds, options: ["-inflight", "2000"] },
  ]
  for (const load of loads) {
    if (values.only !== undefined && load.name !== "(warm-up)" && !load.name.includes(values.only)) continue
    const before = usage(pid)
    const measured = await run(`127.0.0.1:${mqttPort}`, load)
    await settled()
    const after = usage(pid)
    if (load.name === "(warm-up)") continue
    rows.push({
      load: load.name,
      "msg/s": Math.round(measured.rate),
      acked: `${measured.acked} of ${measured.sent}`,
      "CPU s / 100k": Number((((after.cpu - before.cpu) * 100_000) / measured.sent).toFixed(2)),
      "ack p50/p99 ms": `${measured.ackP50.toFixed(1)} / ${measured.ackP99.toFixed(1)}`,
      "alert p50/p99 ms": `${measured.alertP50.toFixed(1)} / ${measured.alertP99.toFixed(1)}`,
      alerts: `${measured.alerts} of ${measured.breaches}`,
      "peak MB": Math.round(after.peakMb),
    })
  }
  console.log(`threads since the start: ${threads(pid)}`)
} finally {
  server.kill("SIGINT")
  await new Promise((resolve) => server.once("exit", resolve))
  rmSync(directory, { recursive: true })
}
console.table(rows)
console.log(
  `${cpus().length} x ${cpus()[0]?.model}, Node ${process.version}, ${new Date(systemClock.now()).toISOString().slice(0, 10)}`,
)
if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(rows, undefined, 2))
