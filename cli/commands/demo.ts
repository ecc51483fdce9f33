import { readFile } from "node:fs/promises"
import { createServer } from "node:net"
import { join } from "node:path"
import type { Command } from "commander"
import type { App } from "../../app.ts"
import { systemClock } from "../../core/clock.ts"
import { MillwrightError } from "../../core/errors.ts"
import { parsePlant } from "../../core/plant.ts"
import { createFleet } from "../../simulators/index.ts"
import { showLive } from "../live.ts"
import { quietLogger } from "../logger.ts"
import { print } from "../output.ts"
import { packageFile } from "../package-file.ts"
import { serve, untilAborted } from "../serve.ts"
import { type Surroundings, settingsOf, wholeNumber } from "../shared.ts"

const day = 86_400_000
/** The demo's past: at an hour a second it catches up with the present in about 24 minutes. */
export const demoPastMs = 60 * day

/** Machines that wear fast, and a seed under which a pump's bearing does so within the first minute. */
export const demoFleet = {
  seed: 93,
  wear: 8,
  sampleEveryMs: 600_000,
  speed: 3600,
  assetsPerGateway: 4,
  inFlight: 20,
}

export function addDemo(program: Command, surroundings: Surroundings): void {
  program
    .command("demo")
    .description("run the pipeline with a demo plant and simulated machines, an hour of theirs each second")
    .option("--port <port>", "MQTT port (default: 1883 or, where that is in use, any)", wholeNumber)
    .option("--seed <n>", "another seed, other fates", wholeNumber, demoFleet.seed)
    .action(async (options: { port?: number; seed: number }, command: Command) => {
      const wanted = settingsOf(command, surroundings, { "mqtt.port": options.port, plantClock: "event" })
      const { mqtt, http, directory } = wanted
      const settings = {
        ...wanted,
        mqtt: { ...mqtt, port: options.port ?? (await portOrAny(mqtt)) },
        http: { ...http, port: await portOrAny(http) },
      }
      const logFile = join(directory, "millwright.log")
      await serve({ settings, clock: systemClock, signal: surroundings.signal, logFile }, (app, ending) =>
        runDemo(app, options.seed, logFile, ending),
      )
      print("stopped; the next start goes on from here")
    })
}

async function runDemo(app: App, seed: number, logFile: string, ending: AbortSignal): Promise<void> {
  const plant = await loadPlant(app)
  const { directory, http } = app.settings
  const fleet = createFleet({
    url: `mqtt://${app.settings.mqtt.host}:${app.ingest.port}`,
    assets: plant.assets,
    ...demoFleet,
    seed,
    fromMs: systemClock.now() - demoPastMs,
    stateFile: join(directory, "simulation.json"),
    clock: systemClock,
    logger: quietLogger(),
  })
  print(
    `${plant.plant}: ${plant.assets.length} machines publish to mqtt://${app.settings.mqtt.host}:${app.ingest.port}`,
  )
  print(
    "From a second terminal:  npx millwright orders list   npx millwright orders show WO-000001   npx millwright --help",
  )
  print(
    `Metrics on http://${http.host}:${http.port}/metrics, the server's log in ${logFile}. Ctrl-C stops cleanly.\n`,
  )
  const live = await showLive(app, systemClock, ending)
  await fleet.start()
  try {
    await Promise.race([untilAborted(ending), fleet.done])
  } finally {
    await live.close()
    await fleet.close()
  }
}

async function loadPlant(app: App) {
  const source = await readFile(packageFile("examples/demo/plant.yaml"), "utf8")
  const demo = parsePlant(source)
  const current = app.catalogue.newest()?.plant
  if (current !== undefined && current.plant !== demo.plant) {
    throw new MillwrightError(
      "USAGE",
      `${app.settings.directory} holds the plant "${current.plant}", not the demo: use "millwright start", or another --directory`,
    )
  }
  if (current !== undefined) return current
  await app.apply({ source, actor: "demo", reason: "the demo's own plant" })
  return demo
}

/** The port, or 0 (any) where another program has it: a demo should start on a machine with a broker of its own. */
function portOrAny({ host, port }: { host: string; port: number }): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once("error", () => resolve(0))
    probe.listen(port, host, () => probe.close(() => resolve(port)))
  })
}
