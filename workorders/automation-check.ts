import type { Automation } from "../core/automation.ts"
import type { Plant } from "../core/plant.ts"
import { compileCondition } from "./automation-condition.ts"

/** What is wrong with the conditions of a plant's automations, a text each. */
export function checkAutomations({ automations }: Plant): string[] {
  return automations.flatMap(({ id, if: source }: Automation) => {
    const read = source === undefined ? undefined : compileCondition(source)
    return read !== undefined && "problem" in read ? [`automation "${id}": if: ${read.problem}`] : []
  })
}
