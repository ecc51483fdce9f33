/** Whether every id of a plant file is unique in its list, and every reference names something that is there. */
import type { z } from "zod"
import type { Automation } from "./automation.ts"
import { type Blackout, type Crew, type PlanSpec, type travel, triggersOf } from "./plant-planning.ts"
import type { ApprovalRule, Budget, FailureCodes, Template } from "./plant-work.ts"
import { roles } from "./roles.ts"
import type { Selector } from "./selector.ts"

type Unchecked = {
  readonly maintenanceWindows: readonly { id: string; for: Selector }[]
  readonly sites: readonly { id: string }[]
  readonly classes: readonly { id: string }[]
  readonly assets: readonly { id: string; site: string; class: string }[]
  readonly rules: readonly {
    id: string
    for: Selector
    overrides?: { for: Selector }[] | undefined
    order?: { template?: string | undefined } | undefined
  }[]
  readonly plans: readonly PlanSpec[]
  readonly blackouts: readonly Blackout[]
  readonly production: readonly Blackout[]
  readonly crews: readonly Crew[]
  readonly travel: z.infer<typeof travel>
  readonly templates: readonly Template[]
  readonly people: readonly {
    id: string
    craft?: string | undefined
    crew?: string | undefined
    delegate?: { to: string } | undefined
    customer?: string | undefined
  }[]
  readonly customers: readonly { id: string }[]
  readonly crafts: readonly { id: string }[]
  readonly stores: readonly { id: string; site: string }[]
  readonly parts: readonly { id: string; reorderAt: Readonly<Record<string, number>> }[]
  readonly approvals: readonly ApprovalRule[]
  readonly budgets: readonly Budget[]
  readonly failureCodes: readonly FailureCodes[]
  readonly automations: readonly Automation[]
}

export function checkReferences(content: Unchecked, context: z.RefinementCtx): void {
  const say = (path: (string | number)[], message: string) =>
    context.addIssue({ code: "custom", path, message })
  const ids = (key: Exclude<keyof Unchecked, "budgets" | "failureCodes" | "travel">): Set<string> => {
    const seen = new Set<string>()
    content[key].forEach(({ id }, at) => {
      if (seen.has(id)) say([key, at, "id"], `"${id}" is there twice`)
      seen.add(id)
    })
    return seen
  }
  const known = {
    site: ids("sites"),
    class: ids("classes"),
    asset: ids("assets"),
    template: ids("templates"),
    person: ids("people"),
    customer: ids("customers"),
    craft: ids("crafts"),
    store: ids("stores"),
    part: ids("parts"),
    crew: ids("crews"),
    rule: new Set(content.rules.map(({ id }) => id)),
    plan: new Set(content.plans.map(({ id }) => id)),
  }
  for (const key of [
    "rules",
    "maintenanceWindows",
    "plans",
    "blackouts",
    "production",
    "approvals",
    "automations",
  ] as const)
    ids(key)
  const mustKnow = (what: keyof typeof known, id: string | undefined, path: (string | number)[]) => {
    if (id !== undefined && !known[what].has(id)) say(path, `there is no ${what} "${id}" in this file`)
  }
  content.assets.forEach((one, at) => {
    mustKnow("site", one.site, ["assets", at, "site"])
    mustKnow("class", one.class, ["assets", at, "class"])
  })
  const mustSelect = (chosen: Selector, path: (string | number)[]) => {
    for (const what of ["site", "class", "asset"] as const) {
      for (const id of chosen[what] ?? []) mustKnow(what, id, [...path, what])
    }
  }
  for (const key of ["rules", "maintenanceWindows", "plans", "blackouts", "production"] as const) {
    content[key].forEach((one, at) => {
      mustSelect(one.for, [key, at, "for"])
    })
  }
  content.rules.forEach((one, at) => {
    one.overrides?.forEach((override, number) => {
      mustSelect(override.for, ["rules", at, "overrides", number, "for"])
    })
    mustKnow("template", one.order?.template, ["rules", at, "order", "template"])
  })
  content.plans.forEach((one, at) => {
    mustKnow("template", one.template, ["plans", at, "template"])
    one.contains.forEach((id, number) => {
      mustKnow("plan", id, ["plans", at, "contains", number])
    })
    one.creditedBy.forEach((id, number) => {
      mustKnow("template", id, ["plans", at, "creditedBy", number])
    })
    triggersOf(one).forEach((trigger, number) => {
      if ("rule" in trigger) mustKnow("rule", trigger.rule, ["plans", at, "triggers", number, "rule"])
    })
  })
  content.crews.forEach(({ site }, at) => {
    mustKnow("site", site, ["crews", at, "site"])
  })
  content.travel.between.forEach((way, at) => {
    for (const end of ["from", "to"] as const) {
      if (!known.site.has(way[end])) mustKnow("asset", way[end], ["travel", "between", at, end])
    }
  })
  checkWorkReferences(content, mustKnow, say)
}

type Know = (
  what: "class" | "template" | "person" | "customer" | "craft" | "store" | "part" | "site" | "crew",
  id: string | undefined,
  path: (string | number)[],
) => void

function checkWorkReferences(
  content: Unchecked,
  mustKnow: Know,
  say: (path: (string | number)[], message: string) => void,
): void {
  content.templates.forEach(({ tasks, checklist, materials }, at) => {
    const path = ["templates", at]
    tasks.forEach((task, number) => {
      mustKnow("craft", task.craft, [...path, "tasks", number, "craft"])
      mustKnow("person", task.assignee, [...path, "tasks", number, "assignee"])
    })
    checklist.forEach(({ onFail }, number) => {
      if (onFail !== false)
        mustKnow("template", onFail.template, [...path, "checklist", number, "onFail", "template"])
    })
    materials.forEach(({ part, store }, number) => {
      mustKnow("part", part, [...path, "materials", number, "part"])
      mustKnow("store", store, [...path, "materials", number, "store"])
    })
  })
  content.people.forEach(({ craft, crew, delegate, customer }, at) => {
    mustKnow("craft", craft, ["people", at, "craft"])
    mustKnow("crew", crew, ["people", at, "crew"])
    mustKnow("person", delegate?.to, ["people", at, "delegate", "to"])
    mustKnow("customer", customer, ["people", at, "customer"])
  })
  content.stores.forEach(({ site }, at) => {
    mustKnow("site", site, ["stores", at, "site"])
  })
  content.parts.forEach(({ reorderAt }, at) => {
    for (const store of Object.keys(reorderAt)) mustKnow("store", store, ["parts", at, "reorderAt", store])
  })
  content.approvals.forEach(({ for: wanted, levels }, at) => {
    for (const id of wanted.class ?? []) mustKnow("class", id, ["approvals", at, "for", "class"])
    for (const id of wanted.site ?? []) mustKnow("site", id, ["approvals", at, "for", "site"])
    levels.forEach(({ by }, number) => {
      if (typeof by === "string") return
      for (const id of by) mustKnow("person", id, ["approvals", at, "levels", number, "by"])
    })
  })
  const budgets = new Set<string>()
  content.budgets.forEach(({ costCentre, year }, at) => {
    const key = `${costCentre} ${year}`
    if (budgets.has(key)) say(["budgets", at], `the budget of ${costCentre} for ${year} is there twice`)
    budgets.add(key)
  })
  content.failureCodes.forEach((one, at) => {
    mustKnow("class", one.class, ["failureCodes", at, "class"])
  })
  content.automations.forEach(({ then }, at) => {
    then.forEach(({ assign = [], notify, followUp }, number) => {
      const path = ["automations", at, "then", number]
      for (const id of assign) mustKnow("person", id, [...path, "assign"])
      mustKnow("template", followUp?.template, [...path, "followUp", "template"])
      const isKnown = (to: string) =>
        roles.some((role) => role === to) || content.people.some(({ id }) => id === to)
      if (notify !== undefined && !isKnown(notify.to))
        say([...path, "notify", "to"], `there is no role and no person "${notify.to}" in this file`)
    })
  })
}
