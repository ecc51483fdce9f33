import { execFile } from "node:child_process"
import { randomBytes } from "node:crypto"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { pino } from "pino"
import { type App, openApp } from "../../app.ts"
import { ask } from "../../cli/control.ts"
import { systemClock } from "../../core/clock.ts"
import { loadSettings, type Settings } from "../../core/config.ts"
import type { Log } from "../../core/log/log.ts"
import { topics as allTopics } from "../../core/topics.ts"
import { type Addresses, millwrightServices } from "../../services/deployment.ts"
import { freePort } from "../../services/port.ts"
import { type Environment, executable, StageProcess } from "./processes.ts"

/** The processes that docker-compose.yml names, on servers that run already, and the settings to ask them with. */
export type Plant = {
  readonly processes: ReadonlyMap<string, StageProcess>
  readonly settings: Settings
  process(name: string): StageProcess
  /** Resolves when each of these says on /health that it and its servers are well. */
  areWell(names: readonly string[]): Promise<void>
  /** A counter or gauge of one of the processes, 0 where it was never set. */
  metric(process: string, name: string): Promise<number>
  /** Rejects when a process ends by itself. */
  readonly failed: Promise<never>
  /** The output of `millwright …`, run as a process of its own. */
  command(...args: readonly string[]): Promise<string>
  readonly mqttUrl: string
  /** Asks every process to stop. Throws where one does not end cleanly. */
  stop(): Promise<void>
  dispose(): Promise<void>
}

export async function preparePlant(
  addresses: Addresses,
  overrides: Environment,
  nodeArgs: readonly string[] = [],
): Promise<Plant> {
  const directory = await mkdtemp(join(tmpdir(), "millwright-plant-"))
  // Topics and tables of its own on servers that several tests share.
  const prefix = `${randomBytes(6).toString("hex")}.`
  const deployed = millwrightServices(addresses, directory)
  const environment = (env: Environment): Environment => ({
    ...env,
    MILLWRIGHT_KAFKA_PREFIX: prefix,
    ...overrides,
  })
  const ports = new Map<string, number>()
  for (const { name } of deployed) ports.set(name, await freePort())
  const processes = new Map(
    deployed.map(({ name, args, env }) => {
      const own = { ...environment(env), MILLWRIGHT_HTTP_PORT: String(ports.get(name)) }
      return [name, new StageProcess(name, args, own, nodeArgs)]
    }),
  )
  const [first] = deployed
  if (first === undefined) throw new Error("docker-compose.yml names no process of Millwright")
  const settings = loadSettings({ env: environment(first.env), overrides: { logLevel: "warn" } })
  const failed = Promise.race([...processes.values()].map((one) => one.failed))
  failed.catch(() => {})
  return {
    processes,
    settings,
    failed,
    process(name) {
      const found = processes.get(name)
      if (found === undefined) throw new Error(`docker-compose.yml has no ${name}`)
      return found
    },
    async areWell(names) {
      for (const name of names) {
        while (!(await isWell(ports.get(name) ?? 0))) await systemClock.sleep(100)
      }
    },
    async metric(process, name) {
      const answer = await fetch(`http://127.0.0.1:${ports.get(process)}/metrics`)
      const line = (await answer.text()).split("\n").find((one) => one.startsWith(`${name} `))
      return Number(line?.split(" ")[1] ?? 0)
    },
    async command(...args) {
      const { PATH = "", HOME = "" } = process.env
      const env = { PATH, HOME, ...environment(first.env) }
      const { stdout } = await promisify(execFile)(process.execPath, [executable, ...args], { env })
      return stdout
    },
    mqttUrl: settings.mqtt.url ?? "",
    async stop() {
      const codes = await Promise.all(
        [...processes.values()].map(async (one) => [one.name, await one.stop()] as const),
      )
      const bad = codes.filter(([, code]) => code !== 0 && code !== null)
      if (bad.length > 0) {
        const [name = ""] = bad[0] ?? []
        throw new Error(`${name} did not stop cleanly:\n${processes.get(name)?.output}`)
      }
    },
    async dispose() {
      for (const one of processes.values()) await one.kill()
      await rm(directory, { recursive: true })
    },
  }
}

async function isWell(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/health`)).ok
  } catch {
    // It does not listen yet.
    return false
  }
}

/** The stores of a plant, for a test that looks on: it waits for servers that are away, as a process with stages does. */
export function lookOn(settings: Settings): Promise<App> {
  return openApp({ settings, clock: systemClock, logger: pino({ level: "silent" }), stages: [] })
}

export function applyPlant(settings: Settings, source: string) {
  return ask(settings, "engineer", "plant.apply", { source, reason: "test" })
}

/** Resolves when every group has dealt with all that its topic holds, and nothing new came of it. */
export async function dealtWith(log: Log): Promise<void> {
  for (let before = ""; ; ) {
    const lags = await log.lags()
    const isDone = lags.length > 0 && lags.every(({ uncommitted }) => uncommitted === 0)
    // Ends as well: what one stage passed on just now may not show as the next one's lag yet.
    const ends = isDone
      ? JSON.stringify(await Promise.all(Object.values(allTopics).map((one) => log.ends(one))))
      : ""
    if (isDone && ends === before) return
    before = ends
    await systemClock.sleep(200)
  }
}
