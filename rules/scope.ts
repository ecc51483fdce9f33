import { type Asset, type AssetClass, matches, type Plant, type RuleSpec } from "../core/plant.ts"

/** The classes of the assets that a rule is for; before there are any, those that its selector allows. */
export function classesOf(
  { for: selector }: RuleSpec,
  { assets, classes }: Pick<Plant, "assets" | "classes">,
): readonly AssetClass[] {
  const used = new Set(assets.filter((asset) => matches(selector, asset)).map((asset) => asset.class))
  if (used.size > 0) return classes.filter(({ id }) => used.has(id))
  return classes.filter(({ id }) => selector.class === undefined || selector.class.includes(id))
}

/** The parameters as written for this asset: what an override states takes the place of the rule's own. */
export function writtenFor({ params, overrides = [] }: RuleSpec, asset: Asset): Record<string, unknown> {
  return { ...params, ...overrides.findLast((one) => matches(one.for, asset))?.params }
}
