import type { Plant } from "../core/plant.ts"
import type { Stage, StageContext } from "../core/service.ts"
import { type Alarms, createAlarms } from "./alarms/index.ts"
import { problemsOf } from "./rulebook.ts"
import { createJudging, type RulesSettings } from "./stage.ts"
import { problemsOfWindows } from "./suspension.ts"

/** What is wrong with a plant's rules and maintenance windows, a text each; empty when they can be applied. */
export function checkRules(plant: Plant): string[] {
  return [...plant.rules.flatMap((rule) => problemsOf(rule, plant)), ...problemsOfWindows(plant)]
}

/** The rules: each asset's telemetry is judged, and each site's operator is told of what was found. */
export function createRules(
  context: StageContext & RulesSettings,
): Stage & { readonly alarms: Pick<Alarms, Exclude<keyof Alarms, keyof Stage>> } {
  const judging = createJudging(context)
  const alarms = createAlarms(context)
  return {
    alarms,
    done: Promise.all([judging.done, alarms.done]).then(() => {}),
    async prepare() {
      await judging.prepare()
      await alarms.prepare()
    },
    /** Who tells is there before there is anything to tell. */
    async start() {
      await alarms.start()
      await judging.start()
    },
    async close() {
      await judging.close()
      await alarms.close()
    },
  }
}
