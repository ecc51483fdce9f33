import type { Command } from "commander"
import type { Role } from "../../core/roles.ts"
import { type CommandName, commands } from "../../workorders/life-cycle.ts"
import type { ResultOf } from "../operations.ts"
import { addOptions, inputOf } from "../options-of.ts"
import { print } from "../output.ts"
import { answer, asker, type Surroundings, wholeNumber } from "../shared.ts"

/** A subcommand of `orders` for each command of the life cycle that has none of its own. */
export function addOrderCommands(orders: Command, surroundings: Surroundings): void {
  for (const name of Object.keys(commands) as CommandName[]) {
    if (orders.commands.some((one) => one.name() === name)) continue
    const { summary, from, input } = commands[name]
    const command = orders
      .command(`${name} <order>`)
      .description(summary)
      .addHelpText(
        "after",
        `\nFor: ${whoMay(commands[name])}\nPossible when the order is: ${from.join(", ")}`,
      )
    addOptions(command, input)
      .option("--seen <version>", "refuse if the order has changed since this version", wholeNumber)
      .option("--id <uuid>", "an id of your own for this command: sent again, it is not done again")
      .action(async (order: string, _options, given: Command) => {
        const { seen, id } = given.opts<{ seen?: number; id?: string }>()
        const done = await asker(given, surroundings)("orders.do", {
          order,
          command: name,
          input: inputOf(given, input),
          version: seen,
          id,
        })
        answer(given, done, showDone)
      })
  }
}

/** Those first who may only where the order, or a task of it, is theirs. */
function whoMay({ roles, assigned = [] }: Roles): string {
  const [own, others] = [true, false].map((is) =>
    roles.filter((one) => assigned.includes(one) === is).join(", "),
  )
  return own === "" ? `${others}` : `${own} (where it is assigned to them), ${others}`
}

type Roles = { readonly roles: readonly Role[]; readonly assigned?: readonly Role[] }

function showDone({ order, note, repeated }: ResultOf<"orders.do">): void {
  print(
    `${order.number} is ${order.state} (version ${order.version}): ${note}${repeated ? " (done before)" : ""}`,
  )
}
