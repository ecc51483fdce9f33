import { type Command, InvalidArgumentError, Option } from "commander"
import { figure, print, table, when } from "../output.ts"
import { answer, asker, durationOption, type Surroundings } from "../shared.ts"

type Options = { readonly last: number; readonly to?: number; readonly bucket?: number }

/** Rows that fit a screen, when nobody says how long a bucket is. */
const rows = 24

export function addSamples(program: Command, surroundings: Surroundings): void {
  program
    .command("samples <asset> <signal>")
    .description("what a signal has measured: minimum, mean and maximum of each stretch of time")
    .addOption(
      new Option("--last <duration>", "how far back from the end")
        .argParser(durationOption)
        .default(86_400_000, "1d"),
    )
    .option("--to <time>", "the end (ISO 8601; default: now, by the plant's clock)", timeOf)
    .option("--bucket <duration>", `length of a stretch (default: ${rows} of them)`, durationOption)
    .addHelpText("after", "\nExample:\n  millwright samples pump-5 vibration --last 7d --bucket 6h")
    .action(async (asset: string, signal: string, options: Options, command: Command) => {
      const { last, to, bucket } = options
      const found = await asker(command, surroundings)("samples.list", {
        asset,
        signal,
        lastMs: last,
        ...(to === undefined ? {} : { toMs: to }),
        bucketMs: bucket ?? Math.ceil(last / rows),
      })
      answer(command, found, ({ unit, buckets }) => {
        if (buckets.length === 0) return print(`no samples of ${signal} of ${asset} in that time`)
        print(
          table(buckets, [
            { title: "FROM", of: ({ fromMs }) => when(fromMs) },
            { title: "SAMPLES", of: ({ count }) => count },
            { title: "MIN", of: ({ min }) => figure(min) },
            { title: "MEAN", of: ({ mean }) => figure(mean) },
            { title: "MAX", of: ({ max }) => figure(max) },
            { title: "UNIT", of: () => unit ?? "-" },
          ]),
        )
      })
    })
}

function timeOf(text: string): number {
  const ms = Date.parse(text)
  if (!Number.isNaN(ms)) return ms
  throw new InvalidArgumentError("expected a time such as 2026-03-04T06:00Z")
}
