import type { Command } from "commander"
import { stockInputs } from "../../workorders/stock-desk.ts"
import type { InputOf, ResultOf } from "../operations.ts"
import { addOptions, inputOf } from "../options-of.ts"
import { print, table, when } from "../output.ts"
import { answer, asker, type Surroundings } from "../shared.ts"

type StockCommand = keyof typeof stockInputs

export function addStock(program: Command, surroundings: Surroundings): void {
  const stock = program
    .command("stock")
    .description("parts in the stores: what is there, and what is set aside for orders")

  add("list", "what each store has, what of it is set aside for orders, and what is free", showList)
  add("history", "what came and went, newest first, by whom and why", showHistory)
  add("receive", "put what was delivered into a store", showMoved).addHelpText(
    "after",
    "\nExample:\n  millwright stock receive --part seal --store main --quantity 10 --note DN-4711 --as stan",
  )
  add("count", "set a level to what was counted, with the reason", showMoved)
  add("move", "move what is free from one store to another", showMoved)

  function add<K extends StockCommand>(
    name: K,
    summary: string,
    show: (result: ResultOf<`stock.${K}`>) => void,
  ): Command {
    const command = stock.command(name).description(summary)
    return addOptions(command, stockInputs[name]).action(async (_options, given: Command) => {
      // The server checks it by the schema that made the options.
      const input = inputOf(given, stockInputs[name]) as InputOf<`stock.${K}`>
      answer(given, await asker(given, surroundings)(`stock.${name}`, input), show)
    })
  }
}

function showList({ levels, left }: ResultOf<"stock.list">): void {
  if (levels.length === 0) {
    print("no such stock")
    return
  }
  print(
    table(levels, [
      { title: "PART", of: ({ part }) => part },
      { title: "STORE", of: ({ store }) => store },
      { title: "SITE", of: ({ site }) => site ?? "-" },
      { title: "ON HAND", of: ({ onHand }) => onHand },
      { title: "SET ASIDE", of: ({ reserved }) => reserved },
      { title: "FREE", of: ({ free }) => free },
      {
        title: "REORDER AT",
        of: ({ reorderAt, low }) => (low ? `${reorderAt}: order more` : (reorderAt ?? "-")),
      },
    ]),
  )
  if (left > 0) print(`\n${left} more: raise --limit, or name a part, store or site`)
}

function showHistory(moves: ResultOf<"stock.history">): void {
  if (moves.length === 0) {
    print("nothing came or went")
    return
  }
  print(
    table(moves, [
      { title: "TIME", of: ({ atMs }) => when(atMs) },
      { title: "WHO", of: ({ actor }) => actor },
      { title: "PART", of: ({ part }) => part },
      { title: "STORE", of: ({ store }) => store },
      { title: "ON HAND", of: ({ onHand }) => signed(onHand) },
      { title: "SET ASIDE", of: ({ reserved }) => signed(reserved) },
      { title: "WHY", of: ({ note }) => note },
    ]),
  )
}

function showMoved({ levels, note, repeated }: ResultOf<"stock.receive">): void {
  print(`${note}${repeated ? " (done before)" : ""}`)
  for (const { store, onHand, reserved, free } of levels)
    print(`${store} has ${onHand} now: ${reserved} set aside, ${free} free`)
}

function signed(change: number): string {
  return change > 0 ? `+${change}` : String(change)
}
