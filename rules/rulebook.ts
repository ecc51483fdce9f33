import { createHash } from "node:crypto"
import type { Revision } from "../core/catalogue.ts"
import { type Asset, type AssetClass, matches, type Plant, problems, type RuleSpec } from "../core/plant.ts"
import { kindOf, ruleKinds } from "./kinds.ts"
import type { Rule } from "./watch.ts"

/** The rules of one revision, ready to be run. */
export type Rulebook = {
  rulesFor(asset: Asset): readonly Rule[]
}

/**
 * Reads the rules of a revision once, however many partitions and assets ask. A rule that can't be used is left out
 * and reported: `checkRules` keeps it from being applied, but a plant file outlives the version that checked it.
 */
export function rulebooks(
  report: (revision: Revision, problems: readonly string[]) => void,
): (revision: Revision) => Rulebook {
  const read = new WeakMap<Revision, Rulebook>()
  return (revision) => {
    let rulebook = read.get(revision)
    if (rulebook === undefined) {
      const problems = revision.plant.rules.flatMap((spec) => problemsOf(spec, revision.plant))
      if (problems.length > 0) report(revision, problems)
      rulebook = readRulebook(revision)
      read.set(revision, rulebook)
    }
    return rulebook
  }
}

function readRulebook({ plant, changedIn }: Revision): Rulebook {
  const classes = new Map(plant.classes.map((one) => [one.id, one]))
  const usable = plant.rules.filter((spec) => problemsOf(spec, plant).length === 0)
  const rules = new Map<string, Rule>()
  return {
    rulesFor(asset) {
      const assetClass = classes.get(asset.class)
      if (assetClass === undefined) return []
      return usable
        .filter((spec) => matches(spec.for, asset) && watches(spec, assetClass))
        .map((spec) => {
          const key = JSON.stringify([spec.id, assetClass.id])
          const rule = rules.get(key) ?? readRule(spec, assetClass, changedIn("rule", spec.id))
          rules.set(key, rule)
          return rule
        })
    },
  }
}

/** A rule over a signal or a component passes by the classes that don't have it. */
function watches({ signal, component }: RuleSpec, { signals, components }: AssetClass): boolean {
  return (
    (signal === undefined || Object.hasOwn(signals, signal)) &&
    (component === undefined || components.includes(component))
  )
}

function readRule(spec: RuleSpec, assetClass: AssetClass, revision: number): Rule {
  const kind = kindOf(spec.kind)
  if (kind === undefined) throw new TypeError(`rule ${spec.id} is of no known kind`)
  const params = kind.params.parse(spec.params)
  const signal = spec.signal === undefined ? undefined : assetClass.signals[spec.signal]
  const unit = signal?.unit ?? null
  const { component = null } = spec
  const label = (signal?.description ?? spec.signal ?? "").replaceAll("_", " ")
  const named = component === null || label.toLowerCase().includes(component.toLowerCase())
  return {
    spec,
    kind,
    params,
    revision,
    unit,
    subject: named ? label : `${component} ${label}`,
    parameters: createHash("sha256")
      .update(JSON.stringify([spec.kind, component, spec.signal ?? null, unit, spec.severity, params]))
      .digest("hex"),
  }
}

/** What is wrong with a rule: each text names the rule, the parameter, and what is expected. */
export function problemsOf(spec: RuleSpec, plant: Plant): string[] {
  const kind = kindOf(spec.kind)
  const say = (text: string) => `rule "${spec.id}": ${text}`
  if (kind === undefined) {
    return [say(`kind: expected one of ${Object.keys(ruleKinds).join(", ")}, got "${spec.kind}"`)]
  }
  const params = kind.params.safeParse(spec.params)
  const found = params.success ? [] : problems(params.error).map((text) => `params.${text}`)
  const classes = classesOf(spec, plant)
  const { signal, component } = spec
  if (kind.signal === "none") {
    if (signal !== undefined) found.push(`signal: a rule of kind ${spec.kind} has none`)
  } else if (signal === undefined) {
    found.push(`signal: a rule of kind ${spec.kind} needs one`)
  } else {
    const declared = classes.flatMap(({ signals }) =>
      Object.hasOwn(signals, signal) ? [signals[signal]] : [],
    )
    if (declared.length === 0) found.push(`signal: no class that the rule is for declares "${signal}"`)
    else if (kind.signal === "meter" && declared.some((one) => one?.kind !== "meter"))
      found.push(`signal: expected one that is declared with kind: meter, got "${signal}"`)
  }
  if (component !== undefined && !classes.some(({ components }) => components.includes(component))) {
    found.push(`component: no class that the rule is for has the component "${component}"`)
  }
  if (params.success) found.push(...companionProblems(spec, plant))
  return found.map(say)
}

function companionProblems(spec: RuleSpec, plant: Plant): string[] {
  const wanted = companionOf(spec)
  if (wanted === undefined) return []
  const companion = plant.rules.find(({ id }) => id === wanted)
  if (companion === undefined) return [`params.with.rule: there is no rule "${wanted}" in this file`]
  const problems: string[] = []
  if (spec.component !== undefined && companion.component !== undefined) {
    if (spec.component !== companion.component) {
      problems.push(
        `params.with.rule: "${wanted}" is about ${companion.component}, this rule about ${spec.component}`,
      )
    }
  }
  const mine = plant.assets.filter((asset) => matches(spec.for, asset))
  if (mine.length > 0 && !mine.some((asset) => matches(companion.for, asset))) {
    problems.push(`params.with.rule: "${wanted}" is for none of the assets that this rule is for`)
  }
  const path = [spec.id]
  for (let next: RuleSpec | undefined = companion; next !== undefined; ) {
    if (path.includes(next.id)) {
      problems.push(`params.with.rule: rules wait for each other: ${[...path, next.id].join(" -> ")}`)
      break
    }
    path.push(next.id)
    const following = companionOf(next)
    next = plant.rules.find(({ id }) => id === following)
  }
  return problems
}

function companionOf({ kind: name, params }: RuleSpec): string | undefined {
  const kind = kindOf(name)
  const read = kind?.params.safeParse(params)
  return read?.success ? kind?.companion?.(read.data) : undefined
}

/** The classes of the assets that a rule is for; before there are any, those that its selector allows. */
function classesOf({ for: selector }: RuleSpec, { assets, classes }: Plant): readonly AssetClass[] {
  const used = new Set(assets.filter((asset) => matches(selector, asset)).map((asset) => asset.class))
  if (used.size > 0) return classes.filter(({ id }) => used.has(id))
  return classes.filter(({ id }) => selector.class === undefined || selector.class.includes(id))
}
