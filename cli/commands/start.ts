import type { Command } from "commander"
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
    .addHelpText(
      "after",
      "\nSettings come from millwright.yaml (or --config FILE) and from the environment: docs/operations.md" +
        "\n\nExamples:\n  millwright start\n  MILLWRIGHT_MQTT_PORT=11883 millwright start --directory /var/lib/millwright",
    )
    .action(async (options: { port?: number; clock?: string }, command: Command) => {
      const overrides = { "mqtt.port": options.port, plantClock: options.clock }
      const settings = settingsOf(command, surroundings, overrides)
      await serve({ settings, clock: systemClock, signal: surroundings.signal }, (_app, ending) =>
        untilAborted(ending),
      )
    })
}
