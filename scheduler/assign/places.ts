import type { Revision } from "../../core/catalogue.ts"
import type { Place, Travel } from "./problem.ts"

/**
 * Where an asset stands: at its own position, or where its site is. One that ways are stated for is a place of its own,
 * also where nobody has said where it stands. One that has left the plant is at its order's site.
 */
export function placeOf(
  { asset: id, site }: { readonly asset: string; readonly site: string },
  revision: Revision,
): Place {
  const asset = revision.assets.get(id)
  const around = siteOf(asset?.site ?? site, revision)
  if (asset?.position !== undefined) return { id, ...asset.position }
  const isStated = revision.plant.travel.between.some(({ from, to }) => from === id || to === id)
  return isStated ? { ...around, id } : around
}

export function siteOf(id: string, { plant }: Revision): Place {
  return { id, ...plant.sites.find((site) => site.id === id)?.position }
}

export function travelOf({ plant }: Revision): Travel {
  const { kmPerHour, detour, between } = plant.travel
  return { kmPerHour, detour, between: between.map(({ from, to, takes }) => ({ from, to, ms: takes })) }
}
