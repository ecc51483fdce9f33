import type { Command } from "commander"
import { formatDuration } from "../../core/duration.ts"
import { print, table, when } from "../output.ts"
import { answer, asker, type Surroundings } from "../shared.ts"

export function addDevices(program: Command, surroundings: Surroundings): void {
  program
    .command("devices")
    .description("every asset that ever sent something")
    .command("list")
    .description("list them: in the plant file or discovered, last heard of, clock ahead")
    .action(async (_options, command: Command) => {
      const devices = await asker(command, surroundings)("devices.list", {})
      answer(command, devices, (rows) => {
        if (rows.length === 0) return print("nothing was heard of yet")
        print(
          table(rows, [
            { title: "ASSET", of: ({ asset }) => asset },
            { title: "SITE", of: ({ site }) => site },
            { title: "IN PLANT", of: ({ known }) => (known ? "yes" : "discovered") },
            { title: "RECORDS", of: ({ records }) => records },
            { title: "FIRST", of: ({ firstMs }) => when(firstMs) },
            { title: "LAST", of: ({ lastMs }) => when(lastMs) },
            {
              title: "CLOCK",
              of: ({ aheadMs }) => (aheadMs > 0 ? `${formatDuration(aheadMs)} ahead` : "ok"),
            },
          ]),
        )
      })
    })
}
