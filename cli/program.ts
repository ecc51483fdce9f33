import { readFileSync } from "node:fs"
import { Command } from "commander"
import { addAlarms } from "./commands/alarms.ts"
import { addAudit } from "./commands/audit.ts"
import { addAutomations } from "./commands/automations.ts"
import { addBudgets } from "./commands/budgets.ts"
import { addDeadLetters } from "./commands/dead-letters.ts"
import { addDemo } from "./commands/demo.ts"
import { addDetections } from "./commands/detections.ts"
import { addDevices } from "./commands/devices.ts"
import { addMqttUser } from "./commands/mqtt-user.ts"
import { addOrders } from "./commands/orders.ts"
import { addPlans } from "./commands/plans.ts"
import { addPlant } from "./commands/plant.ts"
import { addReplay } from "./commands/replay.ts"
import { addCodes, addRequests } from "./commands/requests.ts"
import { addRules } from "./commands/rules.ts"
import { addSamples } from "./commands/samples.ts"
import { addSchedule } from "./commands/schedule.ts"
import { addSchema } from "./commands/schema.ts"
import { addSimulate } from "./commands/simulate.ts"
import { addStart } from "./commands/start.ts"
import { addStatus } from "./commands/status.ts"
import { addStock } from "./commands/stock.ts"
import { addVerify } from "./commands/verify.ts"
import { packageFile } from "./package-file.ts"
import type { Surroundings } from "./shared.ts"

/** The command line, a file for each command. */
export function program(surroundings: Surroundings): Command {
  const { version } = JSON.parse(readFileSync(packageFile("package.json"), "utf8")) as { version: string }
  const root = new Command("millwright")
    .description("Predictive maintenance: MQTT telemetry in, explained work orders out.")
    .version(version)
    .option("-d, --directory <path>", "data directory (default: .millwright)")
    .option("-c, --config <file>", "configuration file (default: millwright.yaml, where there is one)")
    .option(
      "--as <person>",
      "who acts: a person of the plant file (default: MILLWRIGHT_AS, or your user name)",
    )
    .option("--json", "answer in JSON, for scripts")
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
  addDemo(root, surroundings)
  addStart(root, surroundings)
  addOrders(root, surroundings)
  addRequests(root, surroundings)
  addCodes(root, surroundings)
  addStock(root, surroundings)
  addPlans(root, surroundings)
  addSchedule(root, surroundings)
  addBudgets(root, surroundings)
  addAutomations(root, surroundings)
  addVerify(root, surroundings)
  addDetections(root, surroundings)
  addAlarms(root, surroundings)
  addSamples(root, surroundings)
  addPlant(root, surroundings)
  addAudit(root, surroundings)
  addRules(root, surroundings)
  addDevices(root, surroundings)
  addDeadLetters(root, surroundings)
  addStatus(root, surroundings)
  addReplay(root, surroundings)
  addSimulate(root, surroundings)
  addMqttUser(root)
  addSchema(root)
  settle(root, "millwright")
  return root
}

/** Every command, also below another, leaves exit codes to `main.ts`, shows the options of all, and names its own help. */
function settle(command: Command, path: string): void {
  command.showHelpAfterError(`(${path} --help tells more)`)
  for (const inner of command.commands)
    settle(inner.copyInheritedSettings(command), `${path} ${inner.name()}`)
}
