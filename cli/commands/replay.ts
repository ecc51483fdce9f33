import { dirname } from "node:path"
import { type Command, InvalidArgumentError, Option } from "commander"
import { systemClock } from "../../core/clock.ts"
import { MillwrightError } from "../../core/errors.ts"
import { replayFiles } from "../../simulators/index.ts"
import { readReplayMap } from "../../simulators/replay/map.ts"
import type { ReplaySource } from "../../simulators/replay/sources.ts"
import { quietLogger } from "../logger.ts"
import { print, when } from "../output.ts"
import { bar, progressLine } from "../progress.ts"
import { minutes, positiveNumber, type Surroundings, wholeNumberFrom } from "../shared.ts"

type Options = {
  readonly url: string
  readonly map?: string
  readonly from?: string
  readonly layout: "long" | "wide" | "events"
  readonly time: string
  readonly asset: string
  readonly signal: string
  readonly value: string
  readonly code: string
  readonly signals?: string[]
  readonly site: string
  readonly telemetryTopic: string
  readonly eventsTopic: string
  readonly speed: number
  readonly inFlight: number
  readonly utcOffset: number
  readonly skipBadRows?: boolean
}

export function addReplay(program: Command, surroundings: Surroundings): void {
  program
    .command("replay [files...]")
    .description("publish recorded CSV files over MQTT in order of time, across all files")
    .option("--url <url>", "the broker", "mqtt://127.0.0.1:1883")
    .option("--map <file>", "YAML that tells what stands in which file, instead of the options below")
    .option("--from <directory>", "where the map's files are (default: beside the map)")
    .addOption(
      new Option("--layout <layout>", "a row is one sample, one asset at one time, or one event")
        .choices(["long", "wide", "events"])
        .default("long"),
    )
    .option("--time <column>", "column of the time", "time")
    .option("--asset <template>", "asset's id; columns in braces are filled in", "{asset}")
    .option("--signal <column>", "long: column of the signal", "signal")
    .option("--value <column>", "long: column of the value", "value")
    .option("--signals <columns...>", "wide: columns that are signals (default: all the others)")
    .option("--code <template>", "events: the code", "{code}")
    .option("--site <site>", "the site in the topics", "default")
    .option("--telemetry-topic <template>", "topic of samples", topicTemplate, "v1/{site}/{asset}/telemetry")
    .option("--events-topic <template>", "topic of events", topicTemplate, "v1/{site}/{asset}/events")
    .addOption(
      new Option("--speed <x>", "seconds of the recording in a second")
        .argParser(positiveNumber)
        .default(Number.POSITIVE_INFINITY, "as fast as acknowledged"),
    )
    .option("--in-flight <n>", "messages that may wait for their acknowledgement", wholeNumberFrom(1), 500)
    .option("--utc-offset <minutes>", "how far times without an offset are ahead of UTC", minutes, 0)
    .option("--skip-bad-rows", "leave out rows that can't be read, and count them")
    .addHelpText(
      "after",
      "\nExamples:\n  millwright replay history.csv --speed 60" +
        "\n  millwright replay pumps.csv --layout wide --time ts --asset '{pump}'" +
        "\n  millwright replay --map examples/azure-pdm/replay.yaml --from recordings",
    )
    .action(async (files: string[], options: Options) => {
      const sources = await sourcesOf(files, options)
      let newest = {
        records: 0,
        totalRecords: 0,
        acknowledged: 0,
        badRows: 0,
        eventMs: undefined as number | undefined,
      }
      const progress = progressLine(systemClock, surroundings.signal, () => {
        const share = newest.totalRecords === 0 ? 0 : newest.records / newest.totalRecords
        return `${bar(share)}  ${newest.records} of ${newest.totalRecords} rows   ${newest.acknowledged} messages acknowledged   ${when(newest.eventMs ?? null)}`
      })
      const { url, site, speed, inFlight, utcOffset, skipBadRows } = options
      try {
        newest = await replayFiles(
          {
            sources,
            url,
            topics: { telemetry: options.telemetryTopic, events: options.eventsTopic },
            site,
            speed,
            inFlight,
            offsetMinutes: utcOffset,
            skipBadRows: skipBadRows ?? false,
            clock: systemClock,
            logger: quietLogger(),
          },
          (reached) => {
            newest = reached
          },
          surroundings.signal,
        )
      } finally {
        await progress.close()
      }
      if (newest.badRows > 0) print(`${newest.badRows} rows could not be read and were left out`)
    })
}

/** A placeholder that nothing fills in would go to the broker as it stands. */
function topicTemplate(text: string): string {
  const other = [...text.matchAll(/\{[^{}]*\}/g)].find(([hole]) => hole !== "{site}" && hole !== "{asset}")
  if (other !== undefined) throw new InvalidArgumentError(`${other[0]} is neither {site} nor {asset}`)
  return text
}

async function sourcesOf(files: readonly string[], options: Options): Promise<readonly ReplaySource[]> {
  if (options.map !== undefined) return readReplayMap(options.map, options.from ?? dirname(options.map))
  if (files.length === 0)
    throw new MillwrightError("USAGE", "name the CSV files, or a map of them with --map")
  const { layout, time, asset, signal, value, signals, code } = options
  return files.map((file): ReplaySource => {
    if (layout === "long") return { kind: "long", file, time, asset, signal, value }
    if (layout === "events") return { kind: "events", file, time, asset, code }
    return { kind: "wide", file, time, asset, ...(signals === undefined ? {} : { signals }) }
  })
}
