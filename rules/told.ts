/** What the scheduler is told of the telemetry besides what the rules found: its plans go by it. */
import type { Catalogue, Revision } from "../core/catalogue.ts"
import type { Asset } from "../core/plant.ts"
import { triggersOf } from "../core/plant-planning.ts"
import type { PlantClock } from "../core/service.ts"
import {
  type AssetEvent,
  type DetectionRecord,
  eventCodes,
  type Reading,
  type TelemetryRecord,
  type Tick,
} from "../core/vocabulary.ts"

/** Of a meter the first reading in each of these stretches of its own time is told: an order is never later by more. */
const meterStepMs = 900_000

/** All but the clock, which is told by itself. */
type Told = Exclude<DetectionRecord, Tick>

/** Whether a reading of a meter is the first of its stretch; the answer to a later one of the same is no. */
type FirstOfStretch = (asset: string, signal: string, stretch: number) => boolean

/**
 * Assets and components that the plant does not have stay out: nothing is ever asked for them, and their number has no
 * bound. What is told again changes nothing.
 */
export function toldToScheduler(
  record: TelemetryRecord,
  revisions: Pick<Catalogue, "at">,
  plantClock: PlantClock,
  isFirst: FirstOfStretch,
): readonly Told[] {
  if (record.kind !== "reading" && record.kind !== "event") return nothing
  const revision = revisions.at(plantClock === "event" ? record.atMs : record.arrivedMs)
  const asset = revision?.assets.get(record.asset)
  if (revision === undefined || asset === undefined) return nothing
  return record.kind === "reading"
    ? meters(record, asset, revision, isFirst)
    : events(record, asset, revision)
}

const nothing: readonly Told[] = []

function meters(
  { atMs, values, quality, untimed }: Reading,
  asset: Asset,
  revision: Revision,
  isFirst: FirstOfStretch,
): readonly Told[] {
  // A redelivery of what has no time would count twice.
  if (untimed) return nothing
  const wanted = interestIn(revision, asset).meters
  if (wanted.length === 0) return nothing
  const stretch = Math.floor(atMs / meterStepMs)
  return wanted.flatMap((signal): Told[] => {
    const value = values[signal]
    if (value === undefined || quality?.[signal] === "bad" || !isFirst(asset.id, signal, stretch)) return []
    return [{ kind: "meter", site: asset.site, asset: asset.id, signal, atMs, value }]
  })
}

function events(event: AssetEvent, asset: Asset, revision: Revision): readonly Told[] {
  const told: Told[] = []
  const { code, atMs, attributes } = event
  const interest = interestIn(revision, asset)
  const place = { site: asset.site, asset: asset.id, atMs }
  if (code === eventCodes.componentInstalled) {
    const { component } = attributes
    const itsClass = revision.plant.classes.find(({ id }) => id === asset.class)
    // Told also where no episode is open, since an order outlives its episode.
    if (typeof component === "string" && itsClass?.components.includes(component))
      told.push({ kind: "maintained", ...place, component })
  }
  if (code === eventCodes.meterReplaced) {
    const { signal, meter } = attributes
    if (typeof signal === "string" && typeof meter === "number" && interest.meters.includes(signal))
      told.push({ kind: "meter", ...place, signal, value: meter, replaced: true })
  }
  if (interest.events.has(code)) told.push({ ...event, site: asset.site })
  return told
}

/** What the plans of one asset go by. */
type Interest = { readonly meters: readonly string[]; readonly events: ReadonlySet<string> }

const known = new WeakMap<Revision, Map<string, Interest>>()

function interestIn(revision: Revision, asset: Asset): Interest {
  let byAsset = known.get(revision)
  if (byAsset === undefined) {
    byAsset = new Map()
    known.set(revision, byAsset)
  }
  let interest = byAsset.get(asset.id)
  if (interest === undefined) {
    interest = interestOf(revision, asset)
    byAsset.set(asset.id, interest)
  }
  return interest
}

function interestOf(revision: Revision, asset: Asset): Interest {
  const plans = revision.plansFor(asset.id)
  const triggers = plans.flatMap(triggersOf)
  const meters = triggers.flatMap((one) => ("meter" in one ? one.meter : []))
  const codes = triggers.flatMap((one) => ("event" in one ? one.event : []))
  // Every plan waits while its asset is out of service.
  if (plans.length > 0) codes.push(eventCodes.state)
  return { meters: [...new Set(meters)], events: new Set(codes) }
}
