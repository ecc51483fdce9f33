import type { Command } from "commander"
import type { ResultOf } from "../operations.ts"
import { print, printable, table, when } from "../output.ts"
import { answer, asker, type Surroundings, wholeNumberFrom } from "../shared.ts"
import { lateColumn } from "./late.ts"

export function addBoard(orders: Command, surroundings: Surroundings): void {
  orders
    .command("board")
    .description("what stands in each state, the most urgent first")
    .option("--site <site>", "only at this site")
    .option("--limit <n>", "at most so many in each state", wholeNumberFrom(1, 100), 5)
    .addHelpText("after", "\nExample:\n  millwright orders board --site waterworks")
    .action(async (_options, command: Command) => {
      const { site, limit } = command.opts<{ site?: string; limit: number }>()
      answer(command, await asker(command, surroundings)("orders.board", { site, limit }), showBoard)
    })
}

function showBoard(columns: ResultOf<"orders.board">): void {
  const full = columns.filter(({ count }) => count > 0)
  if (full.length === 0) print("nothing is to be done")
  for (const [at, { state, count, orders }] of full.entries()) {
    if (at > 0) print()
    print(`${state} (${count})`)
    print(
      table(orders, [
        { title: "  NUMBER", of: ({ number }) => `  ${number}` },
        { title: "PRIO", of: ({ priority }) => priority },
        { title: "DUE", of: ({ dueMs }) => when(dueMs) },
        { title: "ASSET", of: ({ asset }) => asset },
        ...lateColumn(orders),
        { title: "WHO", of: ({ assignees }) => assignees.join(", ") || "-" },
        { title: "TITLE", of: ({ title }) => printable(title) },
      ]),
    )
    if (count > orders.length) print(`  … and ${count - orders.length} more`)
  }
}
