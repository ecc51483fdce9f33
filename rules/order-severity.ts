import type { Plant, RuleSpec } from "../core/plant.ts"
import { compareSeverity, type Severity } from "../core/vocabulary.ts"
import { kindOf } from "./kinds.ts"

/** Rules with an order that none of their findings is severe enough for, a text each. */
export function checkOrderSeverities({ rules }: Plant): string[] {
  return rules.flatMap((rule) => {
    const [highest] = severitiesOf(rule).toSorted((a, b) => compareSeverity(b, a))
    const from = rule.order?.from
    if (from === undefined || highest === undefined || compareSeverity(highest, from) >= 0) return []
    return [
      `rule "${rule.id}": order: makes no order, since it finds ${highest} at most, and orders are from ${from} on: state order.from: ${highest}, or another severity`,
    ]
  })
}

/** On whichever asset; none of a rule that can't be used. */
function severitiesOf({ kind: name, params, overrides = [], severity }: RuleSpec): readonly Severity[] {
  const kind = kindOf(name)
  return [params, ...overrides.map((one) => ({ ...params, ...one.params }))].flatMap((written) => {
    const read = kind?.params.safeParse(written)
    return read?.success === true ? (kind?.severities?.(read.data, severity) ?? [severity]) : []
  })
}
