import { type Command, InvalidArgumentError, Option } from "commander"
import { type StageName, stageNames } from "../../app.ts"
import { systemClock } from "../../core/clock.ts"
import { serve, untilAborted } from "../serve.ts"
import { type Surroundings, settingsOf, wholeNumber } from "../shared.ts"

export function addStart(program: Command, surroundings: Surroundings): void {
  program
    .command("start")
    .description(
      "run the pipeline: MQTT broker, historian, rules, scheduler, work orders; Ctrl-C stops it cleanly",
    )
    .option("--port <port>", "MQTT port (0: any)", wholeNumber)
    .option("--clock <clock>", "wall: the time of day; event: the newest time in the telemetry, for replays")
    .addOption(
      new Option(
        "--stage <stage>",
        `${stageNames.join(", ")}: run this stage alone, repeat it for several; the others run elsewhere on the same servers`,
      ).argParser((value, before: readonly StageName[] = []) => [...before, stageOf(value)]),
    )
    .addHelpText(
      "after",
      "\nSettings come from millwright.yaml (or --config FILE) and from the environment: docs/operations.md" +
        "\n\nExamples:\n  millwright start\n  MILLWRIGHT_MQTT_PORT=11883 millwright start --directory /var/lib/millwright" +
        "\n  millwright start --stage rules     one more worker: docs/services.md",
    )
    .action(async (options: { port?: number; clock?: string; stage?: StageName[] }, command: Command) => {
      const overrides = { "mqtt.port": options.port, plantClock: options.clock }
      const settings = settingsOf(command, surroundings, overrides)
      const { signal } = surroundings
      const stages = options.stage ?? stageNames
      await serve({ settings, clock: systemClock, signal, stages }, (_app, ending) => untilAborted(ending))
    })
}

function stageOf(text: string): StageName {
  const stage = stageNames.find((name) => name === text)
  if (stage !== undefined) return stage
  throw new InvalidArgumentError(`expected one of ${stageNames.join(", ")}`)
}
