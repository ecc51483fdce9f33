import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdir, open, readFile } from "node:fs/promises"
import { join } from "node:path"
import { openApp } from "../app.ts"
import { demoFleet, demoPastMs } from "../cli/commands/demo.ts"
import { ask } from "../cli/control.ts"
import { showLive } from "../cli/live.ts"
import { quietLogger } from "../cli/logger.ts"
import { untilAborted } from "../cli/serve.ts"
import { systemClock } from "../core/clock.ts"
import { loadSettings, type Settings } from "../core/config.ts"
import { createFleet } from "../simulators/index.ts"
import { root } from "./compose.ts"
import { type Addresses, type Deployed, millwrightServices } from "./deployment.ts"

const firstHttpPort = 9464

type Process = { readonly name: string; readonly child: ChildProcess; readonly failed: Promise<never> }

/**
 * The demo with the processes of docker-compose.yml, on servers that run: its machines publish to mosquitto, and
 * detections and orders are shown, until `signal` aborts. Data and logs of the processes lie below `directory`.
 */
export async function runDemo(addresses: Addresses, directory: string, signal: AbortSignal): Promise<void> {
  await mkdir(directory, { recursive: true })
  const deployed = millwrightServices(addresses, directory).map((one) => ({
    ...one,
    env: { ...one.env, MILLWRIGHT_PLANT_CLOCK: "event" },
  }))
  const settings = loadSettings({ env: deployed[0]?.env ?? {}, overrides: { "http.port": 0 } })
  await applyPlant(settings)
  const processes = await Promise.all(deployed.map((one, at) => start(one, firstHttpPort + at, directory)))
  const failed = Promise.race(processes.map((one) => one.failed))
  failed.catch(() => {})
  try {
    // What is published before somebody has subscribed is nobody's.
    await Promise.race([areWell(processes.length, signal), failed])
    await Promise.race([show(settings, directory, signal), failed])
  } finally {
    await Promise.all(processes.map(stop))
  }
}

async function applyPlant(settings: Settings): Promise<void> {
  const source = await readFile(join(root, "examples/demo/plant.yaml"), "utf8")
  const { changes, base } = await ask(settings, "amira", "plant.compare", { source })
  if (changes.length === 0) return
  await ask(settings, "amira", "plant.apply", { source, reason: "the demo's own plant", base })
}

async function start({ name, args, env }: Deployed, port: number, directory: string): Promise<Process> {
  const log = join(directory, `${name}.log`)
  const output = await open(log, "a")
  const { PATH = "", HOME = "" } = process.env
  const child = spawn(process.execPath, [join(root, "bin/millwright.js"), ...args], {
    env: { PATH, HOME, ...env, MILLWRIGHT_HTTP_PORT: String(port) },
    stdio: ["ignore", output.fd, output.fd],
    // Ctrl-C in the terminal reaches the demo alone, which then asks each to stop.
    detached: true,
  })
  await output.close()
  console.log(`${name.padEnd(11)} http://127.0.0.1:${port}/health, its log in ${log}`)
  const failed = once(child, "exit").then(([code]) => {
    throw new Error(`${name} has ended (${code}): see ${log}`)
  })
  failed.catch(() => {})
  return { name, child, failed }
}

async function stop({ child }: Process): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, "exit")
  child.kill("SIGTERM")
  await gone
}

async function areWell(processes: number, signal: AbortSignal): Promise<void> {
  for (let at = 0; at < processes && !signal.aborted; ) {
    const url = `http://127.0.0.1:${firstHttpPort + at}/health`
    const isWell = await fetch(url).then(
      ({ ok }) => ok,
      () => false,
    )
    if (isWell) at++
    else await systemClock.sleep(100, signal)
  }
}

async function show(settings: Settings, directory: string, signal: AbortSignal): Promise<void> {
  const app = await openApp({ settings, clock: systemClock, logger: quietLogger(), stages: [], signal })
  try {
    const fleet = createFleet({
      url: settings.mqtt.url ?? "",
      assets: app.catalogue.newest()?.plant.assets ?? [],
      ...demoFleet,
      fromMs: systemClock.now() - demoPastMs,
      stateFile: join(directory, "simulation.json"),
      clock: systemClock,
      logger: quietLogger(),
    })
    await fleet.start()
    const live = await showLive(app, systemClock, signal, () => fleet.progress().simulatedMs)
    try {
      await Promise.race([untilAborted(signal), fleet.done])
    } finally {
      await fleet.close()
      await live.close()
    }
  } finally {
    await app.close()
  }
}
