import { randomUUID } from "node:crypto"
import type { Command } from "commander"
import { planInputs } from "../../scheduler/plan-desk.ts"
import type { InputOf, ResultOf } from "../operations.ts"
import { addOptions, inputOf } from "../options-of.ts"
import { counted, figure, print, table, when } from "../output.ts"
import { forecastInput } from "../plan-operations.ts"
import { answer, asker, type Surroundings } from "../shared.ts"

export function addPlans(program: Command, surroundings: Surroundings): void {
  const plans = program
    .command("plans")
    .description("maintenance plans: where they stand, what they will ask for, what was done for them")

  addOptions(
    plans.command("list").description("where each plan stands on each asset: the next due first"),
    planInputs.list,
  )
    .addHelpText("after", "\nExample:\n  millwright plans list --asset P-101")
    .action(async (_options, command: Command) => {
      const input = inputOf(command, planInputs.list) as InputOf<"plans.list">
      answer(command, await asker(command, surroundings)("plans.list", input), showPlans)
    })

  addOptions(
    plans
      .command("history")
      .description("what a plan asked for, counted and credited, newest first, and why"),
    planInputs.history,
  )
    .addHelpText("after", "\nExample:\n  millwright plans history --plan service-500 --asset P-101")
    .action(async (_options, command: Command) => {
      const input = inputOf(command, planInputs.history) as InputOf<"plans.history">
      answer(command, await asker(command, surroundings)("plans.history", input), showHistory)
    })

  const { credit } = planInputs
  addOptions(
    plans
      .command("credit")
      .description("state that a plan's work was done on an asset without an order: it counts on from then"),
    credit.omit({ id: true }),
  )
    .option("--id <uuid>", "of this statement: sent again under it, it counts once (made up by default)")
    .addHelpText(
      "after",
      '\nFor: planner, supervisor, engineer, admin\n\nExample:\n  millwright plans credit --plan service-500 --asset P-101 --at 2026-03-01T06:00Z --reason "done by the maker, report 4711" --as pia',
    )
    .action(async (_options, command: Command) => {
      const { id = randomUUID() } = command.opts<{ id?: string }>()
      const input = { ...inputOf(command, credit.omit({ id: true })), id } as InputOf<"plans.credit">
      answer(command, await asker(command, surroundings)("plans.credit", input), ({ atMs }) =>
        print(
          `counted as done on ${when(atMs)} UTC: millwright plans history --plan ${input.plan} --asset ${input.asset}`,
        ),
      )
    })

  addOptions(
    plans
      .command("forecast")
      .description("planned work of the months to come by week and craft, against what the crews can do"),
    forecastInput,
  )
    .addHelpText(
      "after",
      "\nDates are exact; what goes by meters is expected by their daily use, and the range says what falls into a week\nfour times out of five (80 %), and what may.\n\nExample:\n  millwright plans forecast --months 3 --site works",
    )
    .action(async (_options, command: Command) => {
      const input = inputOf(command, forecastInput) as InputOf<"plans.forecast">
      answer(command, await asker(command, surroundings)("plans.forecast", input), (result) =>
        input.orders === true ? showOrders(result) : showWeeks(result),
      )
    })
}

function showPlans({ plans, left }: ResultOf<"plans.list">): void {
  if (plans.length === 0) {
    print("no plans: millwright apply FILE with plans in it (docs/scheduling.md)")
    return
  }
  print(
    table(plans, [
      { title: "PLAN", of: ({ plan }) => plan },
      { title: "ASSET", of: ({ asset }) => asset },
      { title: "DUE (UTC)", of: ({ dueMs }) => when(dueMs) },
      {
        title: "METER",
        of: ({ meter }) =>
          meter === null ? "-" : `${meter.signal} ${figure(meter.now)} of ${figure(meter.reading)}`,
      },
      { title: "ORDER", of: ({ order }) => (order === null ? "-" : "open") },
      { title: "WHY", of: ({ because }) => because },
    ]),
  )
  if (left > 0) print(`\n${left} more: raise --limit, or name a plan or an asset`)
}

function showHistory(notes: ResultOf<"plans.history">): void {
  if (notes.length === 0) {
    print("nothing has happened yet")
    return
  }
  print(
    table(notes, [
      { title: "TIME (UTC)", of: ({ atMs }) => when(atMs) },
      { title: "PLAN", of: ({ plan }) => plan },
      { title: "ASSET", of: ({ asset }) => asset },
      { title: "WHAT", of: ({ what }) => what },
      { title: "WHY", of: ({ note }) => note },
    ]),
  )
}

function showWeeks({ weeks, fromMs, toMs }: ResultOf<"plans.forecast">): void {
  print(`Planned work from ${when(fromMs)} to ${when(toMs)} UTC\n`)
  if (weeks.length === 0) {
    print("none")
    return
  }
  print(
    table(weeks, [
      { title: "WEEK", of: ({ week }) => week },
      { title: "SITE", of: ({ site }) => site },
      { title: "CRAFT", of: ({ craft }) => craft ?? "any" },
      { title: "ORDERS", of: ({ orders }) => orders },
      { title: "HOURS", of: ({ hours }) => figure(hours) },
      {
        title: "80 % RANGE",
        of: ({ lowHours, highHours }) =>
          lowHours === highHours ? "exact" : `${figure(lowHours)}-${figure(highHours)}`,
      },
      {
        title: "CREWS HAVE",
        of: ({ capacityHours }) => (capacityHours === null ? "nobody" : `${figure(capacityHours)} h`),
      },
      { title: "LOAD", of: load },
    ]),
  )
}

function load({ hours, capacityHours }: ResultOf<"plans.forecast">["weeks"][number]): string {
  if (capacityHours === null) return "-"
  if (capacityHours === 0) return hours > 0 ? "too much" : "-"
  const share = Math.round((hours / capacityHours) * 100)
  return share > 100 ? `${share} %: too much` : `${share} %`
}

function showOrders({ orders, left, toMs }: ResultOf<"plans.forecast">): void {
  if (orders.length === 0) {
    print("no orders to come")
    return
  }
  const day = (ms: number | null) =>
    ms === null ? `after ${when(toMs).slice(0, 10)}` : when(ms).slice(0, 10)
  print(
    table(orders, [
      { title: "DUE (UTC)", of: ({ dueMs }) => when(dueMs) },
      {
        title: "80 % BETWEEN",
        of: ({ dueMs, earliestMs, latestMs }) =>
          earliestMs === dueMs && latestMs === dueMs ? "exact" : `${day(earliestMs)} and ${day(latestMs)}`,
      },
      { title: "ASSET", of: ({ asset }) => asset },
      { title: "PLAN", of: ({ plan }) => plan },
      { title: "HOURS", of: ({ hours }) => figure(hours) },
      { title: "TITLE", of: ({ title }) => title },
    ]),
  )
  if (left > 0) print(`\n${counted(left, "more order")}: name a plan, an asset or a site`)
}
