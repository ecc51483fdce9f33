import type { Command } from "commander"
import { inHours } from "../../workorders/estimates.ts"
import type { ResultOf } from "../operations.ts"
import { print, table } from "../output.ts"
import { answer, asker, type Surroundings } from "../shared.ts"

export function addEstimates(orders: Command, surroundings: Surroundings): void {
  orders
    .command("estimates")
    .description("how long work takes: what templates state, and what their finished orders took")
    .option("--template <template>", "only of this template")
    .addHelpText("after", "\nExample:\n  millwright orders estimates --template pump-service")
    .action(async (_options, command: Command) => {
      const { template } = command.opts<{ template?: string }>()
      answer(command, await asker(command, surroundings)("orders.estimates", { template }), showEstimates)
    })
}

function showEstimates(templates: ResultOf<"orders.estimates">): void {
  const rows = templates.flatMap(({ template, plannedHours, histories }) =>
    (histories.length === 0 ? [undefined] : histories).map((history) => ({
      template,
      plannedHours,
      history,
    })),
  )
  if (rows.length === 0) print("the plant has no templates")
  else
    print(
      table(rows, [
        { title: "TEMPLATE", of: ({ template }) => template },
        { title: "CLASS", of: ({ history }) => history?.class ?? "all" },
        { title: "ORDERS", of: ({ history }) => history?.orders ?? 0 },
        {
          title: "PLANNED",
          of: ({ plannedHours }) => (plannedHours === null ? "-" : `${inHours(plannedHours)} h`),
        },
        {
          title: "MEDIAN",
          of: ({ history }) => (history === undefined ? "-" : `${inHours(history.medianHours)} h`),
        },
        {
          title: "80 % BETWEEN",
          of: ({ history }) =>
            history === undefined ? "-" : `${inHours(history.p10Hours)} and ${inHours(history.p90Hours)} h`,
        },
      ]),
    )
}
