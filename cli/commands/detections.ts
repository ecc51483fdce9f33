import { type Command, Option } from "commander"
import { severities } from "../../core/vocabulary.ts"
import { figure, print, table, when } from "../output.ts"
import { answer, asker, type Surroundings, wholeNumberFrom } from "../shared.ts"

export function addDetections(program: Command, surroundings: Surroundings): void {
  program
    .command("detections")
    .description("what the rules found")
    .command("list")
    .description("list detections, newest last: each opening, rise, fall and end of an episode")
    .option("--asset <asset>", "only of this asset")
    .option("--rule <rule>", "only of this rule")
    .addOption(new Option("--severity <severity>", "only of this severity").choices(severities))
    .option("--limit <n>", "the newest so many", wholeNumberFrom(1), 50)
    .action(async (_options, command: Command) => {
      const { asset, rule, severity, limit } = command.opts()
      const found = await asker(command, surroundings)("detections.list", { asset, rule, severity, limit })
      answer(command, found, (rows) => {
        const isFiltered = [asset, rule, severity].some((wanted) => wanted !== undefined)
        if (rows.length === 0) return print(isFiltered ? "no detection matches" : "no detections yet")
        print(
          table(rows, [
            { title: "TIME", of: ({ atMs }) => when(atMs) },
            { title: "STEP", of: ({ kind }) => kind },
            { title: "SEVERITY", of: (row) => row.severity },
            { title: "ASSET", of: (row) => row.asset },
            { title: "RULE", of: (row) => row.rule },
            { title: "VALUE", of: ({ value }) => figure(value) },
            { title: "REASON", of: ({ reason }) => reason },
          ]),
        )
      })
    })
}
