import type { Command } from "commander"
import type { ResultOf } from "../operations.ts"
import { counted, print, table, when } from "../output.ts"
import { answer, asker, type Surroundings, wholeNumberFrom } from "../shared.ts"

export function addAutomations(program: Command, surroundings: Surroundings): void {
  const automations = program
    .command("automations")
    .description("what the plant file does by itself with orders, and what became of it")
  automations
    .command("list")
    .description("which there are, how often each ran, and when it last failed")
    .action(async (_options, command: Command) => {
      answer(command, await asker(command, surroundings)("automations.list", {}), showList)
    })
  automations
    .command("runs")
    .description("what they did, newest first, and why what was not possible")
    .option("--automation <id>", "of this one")
    .option("--order <order>", "to this order, such as WO-000001")
    .option("--limit <n>", "at most so many", wholeNumberFrom(1, 500), 50)
    .action(async (filter: Filter, command: Command) => {
      answer(command, await asker(command, surroundings)("automations.runs", filter), showRuns)
    })
  automations
    .command("try <automation>")
    .description("what one would do to an order as it is; nothing is changed")
    .requiredOption("--order <order>", "such as WO-000001")
    .action(async (automation: string, { order }: { order: string }, command: Command) => {
      answer(command, await asker(command, surroundings)("automations.try", { automation, order }), showTrial)
    })
}

type Filter = { automation?: string; order?: string; limit: number }

function showList(automations: ResultOf<"automations.list">): void {
  if (automations.length === 0) {
    print("the plant file has no automations")
    return
  }
  print(
    table(automations, [
      { title: "AUTOMATION", of: ({ id }) => id },
      { title: "WHEN", of: ({ when: kinds }) => kinds.join(", ") },
      { title: "RUNS", of: ({ runs }) => runs },
      { title: "LAST RUN", of: ({ lastMs }) => when(lastMs) },
      { title: "FAILED", of: ({ failures }) => failures },
      { title: "LAST FAILURE", of: ({ lastFailureMs }) => when(lastFailureMs) },
      { title: "WHAT FOR", of: ({ description }) => description ?? "-" },
    ]),
  )
}

type Run = ResultOf<"automations.runs">[number]

function showRuns(runs: readonly Run[]): void {
  if (runs.length === 0) {
    print("none of them ran")
    return
  }
  print(
    table(runs, [
      { title: "TIME", of: ({ atMs }) => when(atMs) },
      { title: "AUTOMATION", of: ({ automation }) => automation },
      { title: "ORDER", of: ({ order }) => order },
      { title: "AFTER", of: ({ event }) => event },
      { title: "OUTCOME", of: ({ outcome }) => inWords(outcome) },
      {
        title: "STEPS",
        of: (run) => (run.problem === "" ? run.steps.map(stepText).join("; ") : run.problem),
      },
    ]),
  )
}

function showTrial({ order, event, holds, steps }: ResultOf<"automations.try">): void {
  const asIf = `${order}, as if this had just happened to it: ${event}`
  if (typeof holds === "string") print(`${asIf}\nits condition can't be told: ${holds}`)
  else if (!holds) print(`${asIf}\nits condition does not hold: nothing would be done`)
  else {
    print(`${asIf}\nits condition holds: ${counted(steps.length, "step")} would be tried`)
    for (const step of steps) print(`  ${stepText(step)}`)
  }
  print("nothing was changed")
}

function stepText({ step, outcome, note }: Run["steps"][number]): string {
  return outcome === "done" ? `${step}: ${note}` : `${step}: not possible: ${note}`
}

function inWords(outcome: string): string {
  return outcome.replace("-", " ")
}
