import type { Command } from "commander"
import { money } from "../../workorders/money.ts"
import type { ResultOf } from "../operations.ts"
import { print, table } from "../output.ts"
import { answer, asker, type Surroundings, wholeNumberFrom } from "../shared.ts"

export function addBudgets(program: Command, surroundings: Surroundings): void {
  program
    .command("budgets")
    .description("the budgets of cost centres: what approved orders have taken, and what is spent")
    .option("--year <year>", "only of this year", wholeNumberFrom(2000, 2200))
    .addHelpText(
      "after",
      "\nFor: planner, engineer, supervisor, auditor, admin\n\nExample:\n  millwright budgets --year 2026 --as sara",
    )
    .action(async (_options, command: Command) => {
      const { year } = command.opts<{ year?: number }>()
      answer(command, await asker(command, surroundings)("budgets.list", { year }), showBudgets)
    })
}

function showBudgets({ currency, lines }: ResultOf<"budgets.list">): void {
  const figure = (amount: number | null) => (amount === null ? "-" : money(amount, { currency }))
  print(
    table(lines, [
      { title: "YEAR", of: ({ year }) => year },
      { title: "COST CENTRE", of: ({ costCentre }) => costCentre },
      { title: "BUDGET", of: ({ amount }) => figure(amount) },
      { title: "COMMITTED", of: ({ committed }) => figure(committed) },
      { title: "SPENT", of: ({ spent }) => figure(spent) },
      { title: "LEFT", of: ({ left }) => figure(left) },
    ]),
  )
}
