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
        ({ health, plantTimeMs, mqttPort, lags, orders }) => {
          const stages = Object.entries(health.stages)
          print(
            stages.length === 0 ? "not running" : `MQTT on port ${mqttPort}; plant time ${when(plantTimeMs)}`,
          )
          for (const [stage, state] of stages) print(`  ${stage.padEnd(12)} ${state}`)
          if (stages.length > 0) {
            print(
              `\n${table(lags, [
                { title: "TOPIC", of: ({ topic }) => topic },
                { title: "GROUP", of: ({ group }) => group },
                { title: "BEHIND", of: ({ behind }) => `${behind} records` },
                { title: "NOT SAVED", of: ({ uncommitted }) => uncommitted },
              ])}`,
            )
          }
          print(
            `\n${table(orders, [
              { title: "ORDERS", of: (row) => row.orders },
              { title: "TYPE", of: ({ type }) => type },
              { title: "STATE", of: ({ state }) => state },
            ])}`,
          )
        },
      )
    })
}
