import { type Command, Option } from "commander"
import { orderState, type Trigger } from "../../core/orders.ts"
import { type Evidence, orderTypes } from "../../core/vocabulary.ts"
import type { ResultOf } from "../operations.ts"
import { figure, print, printable, table, when } from "../output.ts"
import { answer, asker, type Surroundings, wholeNumberFrom } from "../shared.ts"
import { addOrderCommands } from "./order-commands.ts"

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
    .description("show one work order: its reason, evidence, tasks and history")
    .addHelpText("after", "\nExample:\n  millwright orders show WO-000001")
    .action(async (order: string, _options, command: Command) => {
      answer(command, await asker(command, surroundings)("orders.show", { order }), showOrder)
    })

  addOrderCommands(orders, surroundings)
}

function filterOf(command: Command) {
  const { state, type, asset, site, priority, limit, after } = command.opts()
  return { state, type, asset, site, priority, limit, after }
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
    ["estimate", order.job.estimatedHours === null ? "-" : `${order.job.estimatedHours} h`],
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
  if (order.job.tasks.length > 0)
    print(`\nTasks\n${order.job.tasks.map(({ id, title }) => `  ${id}. ${printable(title)}`).join("\n")}`)
  if (order.findings.length > 0) {
    print(`\nFindings (${findingCount})`)
    for (const { atMs, kind, severity, reason, value, evidence } of order.findings) {
      print(`  ${when(atMs)}  ${kind}, ${severity}: ${printable(reason)}`)
      // A step that judged nothing, such as the end by a new component, rests on no samples.
      if (value !== null || evidence.replay !== undefined)
        print(`  ${" ".repeat(16)}  ${printable(describeEvidence(evidence))}`)
    }
  }
  print("\nHistory")
  for (const { atMs, actor, kind, note } of history)
    print(`  ${when(atMs)}  ${actor}  ${kind}: ${printable(note)}`)
}

/** The newest that decided, each signal's values and each code's times side by side. */
function describeEvidence({ statistic, samples, events }: Evidence): string {
  const bySignal = sideBySide(samples.slice(-4), ({ signal, value }) => [signal, figure(value)])
  const byCode = sideBySide(events.slice(-4), ({ code, atMs }) => [code, when(atMs)])
  const grounds = [...bySignal, ...byCode].join("; ")
  return grounds === "" ? statistic : `${statistic}: ${grounds}`
}

function sideBySide<T>(all: readonly T[], told: (one: T) => readonly [string, string]): string[] {
  const texts = new Map<string, string>()
  for (const [name, text] of all.map(told)) {
    const before = texts.get(name)
    texts.set(name, before === undefined ? text : `${before}, ${text}`)
  }
  return [...texts].map(([name, text]) => `${name} ${text}`)
}

function describeTrigger(trigger: Trigger): string {
  switch (trigger.kind) {
    case "plan":
      return `plan ${trigger.plan} (revision ${trigger.revision}), occurrence due ${when(trigger.dueMs)}`
    case "rule":
      return `rule ${trigger.rule} (${trigger.ruleKind}, revision ${trigger.revision}), episode ${trigger.episode}`
    case "person":
      return `asked for by ${trigger.by}`
    case "public":
      return "asked for at the asset"
    case "order":
      return `work on ${trigger.number}`
  }
}
