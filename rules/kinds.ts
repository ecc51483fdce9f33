import { allOf, anyOf } from "./kinds/combine.ts"
import { controlChart } from "./kinds/control-chart.ts"
import { deviation } from "./kinds/deviation.ts"
import { events } from "./kinds/events.ts"
import { expression } from "./kinds/expression.ts"
import { flatline } from "./kinds/flatline.ts"
import { iso20816 } from "./kinds/iso20816.ts"
import { outOfRange } from "./kinds/out-of-range.ts"
import { rateOfChange } from "./kinds/rate-of-change.ts"
import { stale } from "./kinds/stale.ts"
import { threshold } from "./kinds/threshold.ts"
import { usage } from "./kinds/usage.ts"
import type { RuleKind } from "./watch.ts"

/** Every kind of rule by the name that a plant file gives it: docs/rule-kinds.md. */
export const ruleKinds = {
  threshold,
  iso20816,
  "out-of-range": outOfRange,
  "rate-of-change": rateOfChange,
  deviation,
  "control-chart": controlChart,
  usage,
  events,
  stale,
  flatline,
  expression,
  "all-of": allOf,
  "any-of": anyOf,
} satisfies Record<string, RuleKind>

export function kindOf(name: string): RuleKind | undefined {
  return Object.hasOwn(ruleKinds, name) ? ruleKinds[name as keyof typeof ruleKinds] : undefined
}
