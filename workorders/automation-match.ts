/** Which automations an event sets off. */
import { type Automation, isAutomationActor } from "../core/automation.ts"
import type { Revision } from "../core/catalogue.ts"
import type { OrderEvent } from "../core/orders.ts"
import { compileCondition } from "./automation-condition.ts"
import { type Happening, valuesOf } from "./automation-facts.ts"

/** Whether a condition holds; a text says why that can't be told. */
export type Match = (happening: Happening, revision: Revision) => boolean | string

export function matchOf({ if: source }: Pick<Automation, "if">): Match {
  if (source === undefined) return () => true
  const condition = compileCondition(source)
  // Checked when the plant file was applied, by a release that may have let in more than this one.
  if ("problem" in condition) return () => condition.problem
  return (happening, { plant, assets }) =>
    condition.holds(valuesOf({ ...happening, asset: assets.get(happening.order.asset), plant }))
}

type Matching = { readonly automation: Automation; readonly match: Match }
type ByKind = ReadonlyMap<OrderEvent["kind"], readonly Matching[]>

/** The automations of a revision by what sets them off, in the order of the file; those of the newest asked for are kept. */
export function automationsByKind(): (revision: Revision) => ByKind {
  let known: { readonly revision: Revision; readonly byKind: ByKind } | undefined
  return (revision) => {
    if (known?.revision === revision) return known.byKind
    const byKind = new Map<OrderEvent["kind"], Matching[]>()
    for (const automation of revision.plant.automations) {
      const matching = { automation, match: matchOf(automation) }
      for (const kind of new Set(automation.when)) byKind.set(kind, [...(byKind.get(kind) ?? []), matching])
    }
    known = { revision, byKind }
    return byKind
  }
}

/** What an automation caused sets off no other, so that no two can go on for ever. */
export function isByAutomation({ kind, actor, order }: OrderEvent): boolean {
  return isAutomationActor(actor) || (kind === "created" && isAutomationActor(order.requester.id ?? ""))
}
