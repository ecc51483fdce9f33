import { type Asset, type AssetClass, matches, type Plant, type RuleSpec } from "../../core/plant.ts"
import { classesOf } from "../scope.ts"

/** What is wrong with a rule that understands its signals in one unit only: a text for each signal in another. */
export function unitProblems(unit: string, spec: RuleSpec, plant: Plant): string[] {
  return classesOf(spec, plant)
    .filter((one) => isWatched(spec, one))
    .flatMap((one) =>
      namesOf(spec, one).flatMap((name) => {
        const declared = Object.hasOwn(one.signals, name) ? one.signals[name] : undefined
        if (declared === undefined || declared.unit === unit) return []
        const got = declared.unit === undefined ? "no unit" : `"${declared.unit}"`
        return [`signal: expected "${name}" of class ${one.id} with unit "${unit}", got ${got}`]
      }),
    )
}

/** The assets that a rule watches: it passes by those without its signal or component. */
export function watchedAssets(spec: RuleSpec, plant: Plant): Asset[] {
  return plant.assets.filter((asset) => {
    const its = plant.classes.find(({ id }) => id === asset.class)
    if (its === undefined || !matches(spec.for, asset)) return false
    return isWatched(spec, its)
  })
}

function isWatched(spec: RuleSpec, its: AssetClass): boolean {
  const { component } = spec
  if (component !== undefined && !its.components.includes(component)) return false
  return namesOf(spec, its).some((name) => Object.hasOwn(its.signals, name))
}

function namesOf({ signal, signals }: RuleSpec, { signals: declared }: AssetClass): string[] {
  if (signals === "all") return Object.keys(declared)
  return signals ?? (signal === undefined ? [] : [signal])
}
