import { createHash } from "node:crypto"
import type { Revision } from "../core/catalogue.ts"
import { type Asset, type AssetClass, matches, type Plant, problems, type RuleSpec } from "../core/plant.ts"
import { kindOf, ruleKinds } from "./kinds.ts"
import { classesOf, writtenFor } from "./scope.ts"
import type { Rule, RuleKind, Subject } from "./watch.ts"

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
      const { plant } = revision
      const checked = plant.rules.map((spec) => ({ spec, problems: problemsOf(spec, plant) }))
      const problems = checked.flatMap((one) => one.problems)
      if (problems.length > 0) report(revision, problems)
      const usable = checked.filter((one) => one.problems.length === 0).map(({ spec }) => spec)
      rulebook = readRulebook(revision, usable)
      read.set(revision, rulebook)
    }
    return rulebook
  }
}

function readRulebook({ plant, changedIn }: Revision, usable: readonly RuleSpec[]): Rulebook {
  const classes = new Map(plant.classes.map((one) => [one.id, one]))
  const zones = new Map(plant.sites.map(({ id, timeZone }) => [id, timeZone]))
  const rules = new Map<string, Rule>()
  return {
    rulesFor(asset) {
      const assetClass = classes.get(asset.class)
      if (assetClass === undefined) return []
      const subject = { asset, timeZone: zones.get(asset.site) ?? "UTC" }
      return usable
        .filter((spec) => matches(spec.for, asset))
        .flatMap((spec) => bySignal(spec, assetClass))
        .filter((spec) => watches(spec, assetClass))
        .map((spec) => {
          // Rules that ask nothing of the asset itself are read once for the class.
          const own = kindOf(spec.kind)?.resolve !== undefined || spec.overrides !== undefined
          const key = JSON.stringify([spec.id, spec.signal, assetClass.id, own ? asset.id : null])
          const rule = rules.get(key) ?? readRule(spec, assetClass, subject, changedIn("rule", spec.id))
          rules.set(key, rule)
          return rule
        })
    },
  }
}

/** A rule with `signals` is one for each of them that the class has. */
function bySignal({ signals, ...spec }: RuleSpec, assetClass: AssetClass): RuleSpec[] {
  if (signals === undefined) return [spec]
  const names = signals === "all" ? allOf(spec, assetClass) : [...new Set(signals)]
  return names.map((signal) => ({ ...spec, signal }))
}

/** Of a kind that counts, all meters. */
function allOf({ kind }: Pick<RuleSpec, "kind">, { signals }: AssetClass): string[] {
  const names = Object.keys(signals)
  return kindOf(kind)?.signal === "meter" ? names.filter((name) => signals[name]?.kind === "meter") : names
}

/** A rule over a signal or a component passes by the classes that don't have it. */
function watches({ signal, component }: RuleSpec, { signals, components }: AssetClass): boolean {
  return (
    (signal === undefined || Object.hasOwn(signals, signal)) &&
    (component === undefined || components.includes(component))
  )
}

function readRule(spec: RuleSpec, assetClass: AssetClass, subject: Subject, revision: number): Rule {
  const kind = kindOf(spec.kind)
  if (kind === undefined) throw new TypeError(`rule ${spec.id} is of no known kind`)
  const parsed = kind.params.parse(writtenFor(spec, subject.asset))
  const params = kind.resolve?.(parsed, subject) ?? parsed
  const signal = spec.signal === undefined ? undefined : assetClass.signals[spec.signal]
  const unit = signal?.unit ?? null
  const { component = null } = spec
  const label = (signal?.description ?? spec.signal ?? "").replaceAll("_", " ")
  const named = component === null || label.toLowerCase().includes(component.toLowerCase())
  const about = [spec.kind, component, spec.signal ?? null, unit]
  return {
    spec,
    kind,
    params,
    revision,
    unit,
    valueUnit: kind.valueUnit === undefined ? unit : kind.valueUnit(params, unit),
    subject: named ? label : `${component} ${label}`,
    parameters: hashOf([...about, spec.severity, spec.lateness, params]),
    shape: hashOf([...about, spec.lateness, kind.shape === undefined ? params : kind.shape(params)]),
  }
}

function hashOf(content: unknown): string {
  return createHash("sha256").update(JSON.stringify(content)).digest("hex")
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
  spec.overrides?.forEach(({ params: stated }, at) => {
    const read = kind.params.safeParse({ ...spec.params, ...stated })
    if (!read.success) found.push(...problems(read.error).map((text) => `overrides[${at}].params.${text}`))
  })
  found.push(...signalProblems(spec, kind, plant))
  const { component } = spec
  const classes = classesOf(spec, plant)
  if (component !== undefined && !classes.some(({ components }) => components.includes(component))) {
    found.push(`component: no class that the rule is for has the component "${component}"`)
  }
  if (params.success) {
    const declared = classes.flatMap(({ signals }) => Object.keys(signals))
    const own = kind.check?.(params.data, spec, plant) ?? []
    // A kind that has found something itself says where it stands.
    for (const signal of own.length > 0 ? [] : (kind.reads?.(params.data) ?? [])) {
      if (!declared.includes(signal))
        found.push(`params: no class that the rule is for declares the signal "${signal}"`)
      else if (signal === spec.signal) found.push(`params: "${signal}" is the rule's own signal already`)
    }
    found.push(...own, ...memberProblems(spec, plant))
  }
  return found.map(say)
}

function signalProblems(spec: RuleSpec, kind: RuleKind, plant: Plant): string[] {
  const { signal, signals } = spec
  if (signal !== undefined && signals !== undefined) return ["signals: expected either signal or signals"]
  if (kind.signal === "none") {
    return signal === undefined && signals === undefined
      ? []
      : [`signal: a rule of kind ${spec.kind} has none`]
  }
  if (signals === "all") return []
  const names = signals ?? (signal === undefined ? [] : [signal])
  if (names.length === 0) return [`signal: a rule of kind ${spec.kind} needs one`]
  return names.flatMap((name) => {
    const declared = classesOf(spec, plant).flatMap(({ signals }) =>
      Object.hasOwn(signals, name) ? [signals[name]] : [],
    )
    if (declared.length === 0) return [`signal: no class that the rule is for declares "${name}"`]
    if (kind.signal === "meter" && declared.some((one) => one?.kind !== "meter"))
      return [`signal: expected one that is declared with kind: meter, got "${name}"`]
    return []
  })
}

/** Where in the parameters the rules are named that it goes by. */
function memberProblems(spec: RuleSpec, plant: Plant): string[] {
  const found: string[] = []
  for (const wanted of membersOf(spec)) {
    const member = plant.rules.find(({ id }) => id === wanted)
    if (member === undefined) {
      found.push(`params: there is no rule "${wanted}" in this file`)
      continue
    }
    if (
      spec.component !== undefined &&
      member.component !== undefined &&
      spec.component !== member.component
    ) {
      found.push(`params: "${wanted}" is about ${member.component}, this rule about ${spec.component}`)
    }
    if (member.lateness !== spec.lateness) {
      found.push(
        `lateness: expected that of "${wanted}", which this rule goes by, so that both see the same time`,
      )
    }
    const mine = plant.assets.filter((asset) => matches(spec.for, asset))
    if (mine.length > 0 && !mine.some((asset) => matches(member.for, asset))) {
      found.push(`params: "${wanted}" is for none of the assets that this rule is for`)
    }
  }
  const circle = circleFrom([spec], plant)
  if (circle !== undefined) found.push(`params: rules wait for each other: ${circle.join(" -> ")}`)
  return found
}

/** `clear` gathers rules from which no way leads into a circle: many ways may lead to one. */
function circleFrom(
  path: readonly RuleSpec[],
  plant: Plant,
  clear = new Set<RuleSpec>(),
): string[] | undefined {
  const last = path.at(-1)
  for (const wanted of last === undefined ? [] : membersOf(last)) {
    const next = plant.rules.find(({ id }) => id === wanted)
    if (next === undefined || clear.has(next)) continue
    if (path.includes(next)) return [...path, next].map(({ id }) => id)
    const circle = circleFrom([...path, next], plant, clear)
    if (circle !== undefined) return circle
    clear.add(next)
  }
  return undefined
}

function membersOf({ kind: name, params }: RuleSpec): readonly string[] {
  const kind = kindOf(name)
  const read = kind?.params.safeParse(params)
  return read?.success ? (kind?.members?.(read.data) ?? []) : []
}
