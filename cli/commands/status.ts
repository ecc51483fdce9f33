import type { Command } from "commander"
import { print, table, when } from "../output.ts"
import { answer, asker, type Surroundings } from "../shared.ts"

export function addStatus(program: Command, surroundings: Surroundings): void {
  program
    .command("status")
    .description("whether the stages run, how far they are behind, and how many orders there are")
    .action(async (_options, command: Command) => {
      answer(
        command,
        await asker(command, surroundings)("status", {}),
        ({ health, isShared, plantTimeMs, mqttPort, lags, orders }) => {
          const parts = Object.entries({ ...health.stages, ...health.servers })
          const port = mqttPort === 0 ? "" : `MQTT on port ${mqttPort}; `
          print(
            isShared
              ? `plant time ${when(plantTimeMs)}; each process tells on /health whether it runs`
              : parts.length === 0
                ? "not running"
                : `${port}plant time ${when(plantTimeMs)}`,
          )
          for (const [part, state] of parts) print(`  ${part.padEnd(12)} ${state}`)
          if (isShared || parts.length > 0) {
            print(
              `\n${table(lags, [
                { title: "TOPIC", of: ({ topic }) => topic },
                { title: "GROUP", of: ({ group }) => group },
                { title: "BEHIND", of: ({ behind }) => `${behind} records` },
                { title: "NOT SAVED", of: ({ uncommitted }) => uncommitted },
              ])}`,
            )
          }
          print()
          if (orders.length === 0) return print("no work orders yet")
          print(
            table(orders, [
              { title: "ORDERS", of: (row) => row.orders },
              { title: "TYPE", of: ({ type }) => type },
              { title: "STATE", of: ({ state }) => state },
            ]),
          )
        },
      )
    })
}
