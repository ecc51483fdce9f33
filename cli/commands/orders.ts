import { type Command, Option } from "commander"
import { orderState, orderTypes, type Trigger } from "../../core/vocabulary.ts"
import type { ResultOf } from "../operations.ts"
import { print, printable, table, when } from "../output.ts"
import { answer, asker, type Surroundings, wholeNumber } from "../shared.ts"

export function addOrders(program: Command, surroundings: Surroundings): void {
  const orders = program.command("orders").description("work orders: what is to be done, and why")

  orders
    .command("list")
    .description("list work orders, newest first")
    .addOption(new Option("--state <state>", "only in this state").choices(orderState.options))
    .addOption(new Option("--type <type>", "only of this type").choices(orderTypes))
    .option("--asset <asset>", "only for this asset")
    .option("--site <site>", "only at this site")
    .option("--priority <1-5>", "only of this priority, 1 being the most urgent", wholeNumber)
    .option("--limit <n>", "at most so many", wholeNumber, 50)
    .option("--after <number>", "go on after this order, as the page before says")
    .addHelpText(
      "after",
      "\nExamples:\n  millwright orders list --type predictive --state requested\n  millwright orders list --json | jq '.orders[].number'",
    )
    .action(async (_options, command: Command) => {
      const list = await asker(command, surroundings)("orders.list", filterOf(command))
      answer(command, list, showList)
    })

  orders
    .command("show <order>")
    .description("show one work order: its reason, evidence, tasks and history")
    .addHelpText("after", "\nExample:\n  millwright orders show WO-000001")
    .action(async (order: string, _options, command: Command) => {
      answer(command, await asker(command, surroundings)("orders.show", { order }), showOrder)
    })
}

function filterOf(command: Command) {
  const { state, type, asset, site, priority, limit, after } = command.opts()
  return { state, type, asset, site, priority, limit, after }
}

function showList({ orders, next }: ResultOf<"orders.list">): void {
  if (orders.length === 0) print("no work orders yet")
  if (orders.length === 0) return
  print(
    table(orders, [
      { title: "NUMBER", of: ({ number }) => number },
      { title: "TYPE", of: ({ type }) => type },
      { title: "PRIO", of: ({ priority }) => priority },
      { title: "STATE", of: ({ state }) => state },
      { title: "ASSET", of: ({ asset }) => asset },
      { title: "REQUESTED", of: ({ requestedMs }) => when(requestedMs) },
      { title: "DUE", of: ({ dueMs }) => when(dueMs) },
      { title: "TITLE", of: ({ title }) => title },
    ]),
  )
  if (next !== undefined) print(`\nmore: --after ${next}`)
}

function showOrder({ order, history, findingCount }: ResultOf<"orders.show">): void {
  const lines: readonly (readonly [string, string])[] = [
    ["type", `${order.type}, ${order.state}`],
    ["asset", `${order.asset}${order.component === null ? "" : `, ${order.component}`} at ${order.site}`],
    ["priority", `${order.priority} (${order.priorityReason})`],
    ["requested", when(order.requestedMs)],
    ["due", when(order.dueMs)],
    ["finished", when(order.finishedMs)],
    ["trigger", describeTrigger(order.trigger)],
    ["estimate", order.estimatedHours === null ? "-" : `${order.estimatedHours} h`],
  ]
  print(`${order.number}  ${printable(order.title)}\n`)
  for (const [title, text] of lines) print(`  ${title.padEnd(10)} ${printable(text)}`)
  if (order.description !== "")
    print(
      `\n${order.description
        .split("\n")
        .map((line) => `  ${printable(line)}`)
        .join("\n")}`,
    )
  if (order.tasks.length > 0)
    print(`\nTasks\n${order.tasks.map((task, at) => `  ${at + 1}. ${printable(task)}`).join("\n")}`)
  if (order.findings.length > 0) {
    print(`\nFindings (${findingCount})`)
    for (const { atMs, kind, severity, reason, evidence } of order.findings) {
      print(`  ${when(atMs)}  ${kind}, ${severity}: ${printable(reason)}`)
      const samples = evidence.samples
        .slice(-4)
        .map(({ signal, value }) => `${signal} ${Number(value.toPrecision(4))}`)
      const events = evidence.events.slice(-4).map(({ code, atMs: at }) => `${code} at ${when(at)}`)
      print(`  ${" ".repeat(16)}  ${printable([evidence.statistic, ...samples, ...events].join("; "))}`)
    }
  }
  print("\nHistory")
  for (const { atMs, actor, kind, note } of history)
    print(`  ${when(atMs)}  ${actor}  ${kind}: ${printable(note)}`)
}

function describeTrigger(trigger: Trigger): string {
  if (trigger.kind === "plan")
    return `plan ${trigger.plan} (revision ${trigger.revision}), occurrence due ${when(trigger.dueMs)}`
  return `rule ${trigger.rule} (${trigger.ruleKind}, revision ${trigger.revision}), episode ${trigger.episode}`
}
