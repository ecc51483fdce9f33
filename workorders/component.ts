import { MillwrightError } from "../core/errors.ts"
import type { Asset, Plant } from "../core/plant.ts"

/** Throws `USAGE` for a part that the asset's class does not list, where it lists any. */
export function componentOf(component: string, asset: Asset, plant: Pick<Plant, "classes">): string {
  const known = plant.classes.find(({ id }) => id === asset.class)?.components ?? []
  if (known.length === 0 || known.includes(component)) return component
  throw new MillwrightError(
    "USAGE",
    `${asset.id} has no component "${component}": expected one of ${known.join(", ")}`,
  )
}
