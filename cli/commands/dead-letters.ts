import { type Command, Option } from "commander"
import { deadLetterReasons } from "../../core/vocabulary.ts"
import { print, shortened, table, when } from "../output.ts"
import { answer, asker, type Surroundings, wholeNumberFrom } from "../shared.ts"

export function addDeadLetters(program: Command, surroundings: Surroundings): void {
  const letters = program
    .command("dead-letters")
    .description("messages that could not be taken, kept with the reason until they are replayed")
  const reason = () => new Option("--reason <reason>", "only with this reason").choices(deadLetterReasons)

  letters
    .command("list")
    .description("list them, newest last")
    .addOption(reason())
    .option("--limit <n>", "the newest so many", wholeNumberFrom(1), 50)
    .action(async (_options, command: Command) => {
      const { limit, reason } = command.opts()
      const found = await asker(command, surroundings)("dead-letters.list", { limit, reason })
      answer(command, found, (rows) => {
        if (rows.length === 0) return print("no dead letters")
        print(
          table(rows, [
            { title: "ID", of: ({ id }) => id.slice(0, 8) },
            { title: "ARRIVED", of: ({ arrivedMs }) => when(arrivedMs) },
            { title: "REASON", of: (row) => row.reason },
            { title: "TOPIC", of: ({ topic }) => shortened(topic, 60) },
            { title: "DETAIL", of: ({ detail }) => detail },
          ]),
        )
      })
    })

  letters
    .command("replay")
    .description(
      "take them in again, after the reason was mended (a topic, an asset, a unit in the plant file)",
    )
    .addOption(reason())
    .option("--id <id>", "one letter, by its id or the start of it")
    .option("--limit <n>", "the newest so many", wholeNumberFrom(1), 10_000)
    .addHelpText("after", "\nExample:\n  millwright dead-letters replay --reason unknown-unit --as erika")
    .action(async (_options, command: Command) => {
      const { limit, reason, id } = command.opts()
      const outcome = await asker(command, surroundings)("dead-letters.replay", { limit, reason, id })
      answer(command, outcome, ({ replayed, truncated }) => {
        print(
          `${replayed} replayed${truncated > 0 ? `, ${truncated} left: they were cut at the payload limit` : ""}`,
        )
        print("What was refused again is a new letter: millwright dead-letters list")
      })
    })
}
