import { appendFile, readFile, writeFile } from "node:fs/promises"
import { type Command, Option } from "commander"
import { systemClock } from "../../core/clock.ts"
import { MillwrightError, messageOf } from "../../core/errors.ts"
import { parsePlant } from "../../core/plant.ts"
import { createFleet, type FleetOptions } from "../../simulators/index.ts"
import { quietLogger } from "../logger.ts"
import { print, when } from "../output.ts"
import { progressLine } from "../progress.ts"
import { untilAborted } from "../serve.ts"
import { durationOption, positiveNumber, type Surroundings, wholeNumber, wholeNumberFrom } from "../shared.ts"

type Options = {
  readonly url: string
  readonly plant?: string
  readonly machines: number
  readonly seed: number
  readonly wear: number
  readonly past: number
  readonly every: number
  readonly speed: number
  readonly perGateway: number
  readonly state?: string
  readonly truth?: string
}

const classes = ["pump", "motor", "compressor", "truck"] as const

export function addSimulate(program: Command, surroundings: Surroundings): void {
  program
    .command("simulate")
    .description("publish a fleet of simulated machines, which wear out and fail, to an MQTT broker")
    .option("--url <url>", "the broker", "mqtt://127.0.0.1:1883")
    .option("--plant <file>", "the machines of a plant file (classes pump, motor, compressor, truck)")
    .option("--machines <n>", "so many machines without a plant file", wholeNumberFrom(1), 12)
    .option("--seed <n>", "the same seed, the same fates", wholeNumber, 1)
    .option("--wear <x>", "parts wear so many times faster", positiveNumber, 1)
    .addOption(
      new Option("--past <duration>", "begin so long ago")
        .argParser(durationOption)
        .default(60 * 86_400_000, "60d"),
    )
    .addOption(
      new Option("--every <duration>", "time between two samples")
        .argParser(durationOption)
        .default(600_000, "10m"),
    )
    .option(
      "--speed <x>",
      "simulated seconds in a second, until the present is reached",
      positiveNumber,
      3600,
    )
    .option("--per-gateway <n>", "machines that share a connection", wholeNumberFrom(1), 50)
    .option("--state <file>", "keep the state here, to go on with the next time")
    .option("--truth <file>", "at the end, write here what really failed and when")
    .addHelpText(
      "after",
      "\nExample:\n  millwright simulate --machines 2000 --speed 60 --url mqtt://127.0.0.1:1883",
    )
    .action(async (options: Options) => {
      if (options.truth !== undefined) await mustBeWritable(options.truth)
      const fleet = createFleet(await fleetOptions(options))
      await fleet.start()
      const progress = progressLine(systemClock, surroundings.signal, () => {
        const { simulatedMs, acknowledged, gateways, connected } = fleet.progress()
        return `simulated ${when(simulatedMs)}   ${acknowledged} messages acknowledged   ${connected} of ${gateways} gateways connected`
      })
      try {
        await Promise.race([untilAborted(surroundings.signal), fleet.done])
      } finally {
        await progress.close()
        await fleet.close()
        if (options.truth !== undefined)
          await writeFile(options.truth, `${JSON.stringify(fleet.truth(), undefined, 2)}\n`)
      }
      print("stopped")
    })
}

/** Asked at the start: at the end it would be too late to name another file. */
async function mustBeWritable(truth: string): Promise<void> {
  try {
    await appendFile(truth, "")
  } catch (cause) {
    throw new MillwrightError("USAGE", `the truth can't be written: ${messageOf(cause)}`, { cause })
  }
}

async function fleetOptions(options: Options): Promise<FleetOptions> {
  const { url, seed, wear, past, every, speed, perGateway, state } = options
  return {
    url,
    assets: options.plant === undefined ? numbered(options.machines) : await assetsOf(options.plant),
    seed,
    wear,
    fromMs: systemClock.now() - past,
    sampleEveryMs: every,
    speed,
    assetsPerGateway: perGateway,
    inFlight: 100,
    ...(state === undefined ? {} : { stateFile: state }),
    clock: systemClock,
    logger: quietLogger(),
  }
}

function numbered(machines: number): FleetOptions["assets"] {
  return Array.from({ length: machines }, (_, at) => {
    const kind = classes[at % classes.length] ?? "pump"
    return {
      id: `${kind}-${String(Math.floor(at / classes.length) + 1).padStart(4, "0")}`,
      site: "simulated",
      class: kind,
    }
  })
}

async function assetsOf(file: string): Promise<FleetOptions["assets"]> {
  try {
    return parsePlant(await readFile(file, "utf8")).assets
  } catch (cause) {
    if (cause instanceof MillwrightError) throw cause
    throw new MillwrightError("USAGE", `the plant file can't be read: ${messageOf(cause)}`, { cause })
  }
}
