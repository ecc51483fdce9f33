import { type Command, Option } from "commander"
import { orderState } from "../../core/orders.ts"
import { orderTypes } from "../../core/vocabulary.ts"
import type { ResultOf } from "../operations.ts"
import { print, table, when } from "../output.ts"
import { answer, asker, type Surroundings, wholeNumberFrom } from "../shared.ts"
import { addBoard } from "./board.ts"
import { addEstimates } from "./estimates.ts"
import { lateColumn } from "./late.ts"
import { addOrderCommands } from "./order-commands.ts"
import { showOrder } from "./order-sheet.ts"
import { addOrderRequests } from "./requests.ts"

export function addOrders(program: Command, surroundings: Surroundings): void {
  const orders = program.command("orders").description("work orders: what is to be done, and why")

  orders
    .command("list")
    .description("list work orders, newest first")
    .addOption(new Option("--state <state>", "only in this state").choices(orderState.options))
    .addOption(new Option("--type <type>", "only of this type").choices(orderTypes))
    .option("--asset <asset>", "only for this asset")
    .option("--site <site>", "only at this site")
    .option("--priority <1-5>", "only of this priority, 1 being the most urgent", wholeNumberFrom(1, 5))
    .option("--person <person>", "only what is assigned to this person and still to be done")
    .option("--open", "only what is still to be done")
    .option("--overdue", "only what should have been done by now")
    .option("--limit <n>", "at most so many", wholeNumberFrom(1), 50)
    .option("--after <number>", "go on after this order, as the page before says")
    .addHelpText(
      "after",
      "\nExamples:\n  millwright orders list --type predictive --state requested\n  millwright orders list --json | jq '.orders[].number'",
    )
    .action(async (_options, command: Command) => {
      const { limit, ...filter } = filterOf(command)
      const list = await asker(command, surroundings)("orders.list", { limit, ...filter })
      const isAll = Object.values(filter).every((one) => one === undefined)
      answer(command, list, (found) => {
        if (found.orders.length > 0) showList(found)
        else print(isAll ? "no work orders yet" : "no such work orders")
      })
    })

  orders
    .command("show <order>")
    .description("show one work order: why, by whom, what is to be done, what was done, and its history")
    .addHelpText("after", "\nExample:\n  millwright orders show WO-000001")
    .action(async (order: string, _options, command: Command) => {
      answer(command, await asker(command, surroundings)("orders.show", { order }), showOrder)
    })

  addBoard(orders, surroundings)
  addEstimates(orders, surroundings)
  addOrderRequests(orders, surroundings)
  addOrderCommands(orders, surroundings)
}

function filterOf(command: Command) {
  const { state, type, asset, site, priority, person, open, overdue, limit, after } = command.opts()
  return { state, type, asset, site, priority, person, open, overdue, limit, after }
}

function showList({ orders, next }: ResultOf<"orders.list">): void {
  print(
    table(orders, [
      { title: "NUMBER", of: ({ number }) => number },
      { title: "TYPE", of: ({ type }) => type },
      { title: "PRIO", of: ({ priority }) => priority },
      { title: "STATE", of: ({ state }) => state },
      { title: "ASSET", of: ({ asset }) => asset },
      { title: "REQUESTED", of: ({ requestedMs }) => when(requestedMs) },
      { title: "DUE", of: ({ dueMs }) => when(dueMs) },
      ...lateColumn(orders),
      { title: "TITLE", of: ({ title }) => title },
    ]),
  )
  if (next !== undefined) print(`\nmore: --after ${next}`)
}
