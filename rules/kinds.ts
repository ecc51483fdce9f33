import { deviation } from "./kinds/deviation.ts"
import { events } from "./kinds/events.ts"
import { threshold } from "./kinds/threshold.ts"
import { usage } from "./kinds/usage.ts"
import type { RuleKind } from "./watch.ts"

/** Every kind of rule by the name that a plant file gives it: docs/rule-kinds.md. */
export const ruleKinds = { threshold, deviation, usage, events } satisfies Record<string, RuleKind>

export function kindOf(name: string): RuleKind | undefined {
  return Object.hasOwn(ruleKinds, name) ? ruleKinds[name as keyof typeof ruleKinds] : undefined
}
