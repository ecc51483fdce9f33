import type { Catalogue } from "../core/catalogue.ts"
import type { PlantClock } from "../core/service.ts"
import { eventCodes, type Maintained, type TelemetryRecord } from "../core/vocabulary.ts"

/**
 * What the scheduler is told of a component's installation; undefined for all else. It is told also where no episode
 * is open, since an order outlives its episode, and where it is a repeat, since the store knows those. Assets and
 * components that the plant does not have stay out: nothing is ever asked for them, and their number has no bound.
 */
export function maintenanceIn(
  record: TelemetryRecord,
  revisions: Pick<Catalogue, "at">,
  plantClock: PlantClock,
): Maintained | undefined {
  if (record.kind !== "event" || record.code !== eventCodes.componentInstalled) return undefined
  const { component } = record.attributes
  const revision = revisions.at(plantClock === "event" ? record.atMs : record.arrivedMs)
  const asset = revision?.assets.get(record.asset)
  const itsClass = revision?.plant.classes.find(({ id }) => id === asset?.class)
  if (asset === undefined || itsClass === undefined) return undefined
  if (typeof component !== "string" || !itsClass.components.includes(component)) return undefined
  return { kind: "maintained", site: asset.site, asset: asset.id, component, atMs: record.atMs }
}
