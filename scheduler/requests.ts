import type { Revision } from "../core/catalogue.ts"
import { jobOf, noJob, worded } from "../core/job.ts"
import type { OrderRequest, SettleOrder } from "../core/orders.ts"
import { type RuleSpec, timeAllowed } from "../core/plant.ts"
import {
  compareSeverity,
  type Detection,
  type Finding,
  finding,
  isAboutSensor,
  type Maintained,
  type OrderType,
  type Severity,
} from "../core/vocabulary.ts"
import { fillIn, localTime, timeZoneOf } from "../core/wording.ts"
import { mergeKey, orderOfEpisode } from "./identity.ts"
import { urgencyOf } from "./priority.ts"
import type { PartitionState } from "./state.ts"

type Episodes = PartitionState["episodes"]
type RuleOrder = NonNullable<RuleSpec["order"]>

/**
 * What one step of an episode asks for under the revision in effect at its time, if anything; keeps in `episodes`
 * which episodes have an order. A repeated step asks for the same order again, which the store knows by its id.
 */
export function requestFor(
  detection: Detection,
  revision: Revision,
  episodes: Episodes,
): OrderRequest | undefined {
  const { episode, sequence, kind } = detection
  // Seen, or put aside for a while: the work is what it was.
  if (kind === "acknowledged" || kind === "shelved") return undefined
  const rule = revision.plant.rules.find(({ id }) => id === detection.rule)
  const settings = rule?.order
  const openedBy = episodes[episode]
  if (openedBy === undefined || sequence <= openedBy) {
    if (settings === undefined || !opensOrder(detection, settings)) return undefined
    episodes[episode] = sequence
    return openRequest(detection, rule?.description ?? detection.rule, settings, revision)
  }
  if (detection.kind === "cleared" || detection.kind === "withdrawn") delete episodes[episode]
  return amendRequest(detection, settings, revision)
}

/** Steps after which an episode stands that may have had no order before. */
const standing: readonly Detection["kind"][] = ["opened", "raised", "re-alarmed", "amended", "unshelved"]

export function opensOrder(
  { kind, severity, quiet }: Detection,
  { from }: { readonly from: Severity },
): boolean {
  return quiet === undefined && standing.includes(kind) && compareSeverity(severity, from) >= 0
}

function openRequest(
  detection: Detection,
  ruleTitle: string,
  settings: RuleOrder,
  revision: Revision,
): OrderRequest {
  const { site, asset, component, rule, ruleKind, episode, atMs } = detection
  const template = revision.plant.templates.find(({ id }) => id === settings.template)
  const usual = usualOrder(detection)
  return {
    kind: "open",
    order: orderOfEpisode(detection),
    type: settings.type ?? template?.type ?? usual.type,
    site,
    asset,
    component,
    mergeKey: mergeKey(detection, settings.need ?? usual.need),
    title: template === undefined ? titleOf(detection, ruleTitle) : fillIn(template.title, detection),
    description: fillIn(template?.description ?? "", detection) || detection.reason,
    template: template?.id ?? null,
    job: worded(template === undefined ? noJob : jobOf(template), (text) => fillIn(text, detection)),
    ...urgencyIn(detection, settings, revision),
    atMs,
    trigger: { kind: "rule", rule, ruleKind, revision: detection.revision, episode },
    findings: [findingOf(detection)],
    costCentre: revision.assets.get(asset)?.costCentre ?? null,
  }
}

/**
 * A service that a meter asks for is planned work, and a need of its own: it must not vanish in a repair. A sensor that
 * has failed is to be inspected, and says nothing of the component that it watches.
 */
function usualOrder({ rule, ruleKind, signal }: Detection): {
  readonly type: OrderType
  readonly need: string
} {
  if (ruleKind === "usage") return { type: "preventive", need: rule }
  if (isAboutSensor(ruleKind)) return { type: "specialised", need: `sensor ${signal ?? ""}` }
  return { type: "predictive", need: "repair" }
}

function titleOf({ ruleKind, signal, asset, reason }: Detection, ruleTitle: string): string {
  const what = isAboutSensor(ruleKind) ? `Inspect the sensor ${signal ?? ""} of ${asset}` : ruleTitle
  return `${what}: ${reason}`
}

function amendRequest(
  detection: Detection,
  settings: RuleOrder | undefined,
  revision: Revision,
): OrderRequest {
  return {
    kind: "amend",
    order: orderOfEpisode(detection),
    asset: detection.asset,
    ...urgencyIn(detection, settings, revision),
    atMs: detection.atMs,
    finding: findingOf(detection),
  }
}

/** A replacement meets what the component's open orders ask for; only the store knows which are open. */
export function settleRequest(
  { site, asset, component, atMs }: Maintained,
  { plant }: Revision,
): SettleOrder {
  const timeZone = timeZoneOf(plant, site)
  const reason = `${component} of ${asset} was replaced at ${localTime(atMs, timeZone)} (${timeZone})`
  return { kind: "settle", asset, component, atMs, reason }
}

/** How urgent a finding is, with the reason, and until when it is to be met. */
export function urgencyIn(
  detection: Detection,
  settings: RuleOrder | undefined,
  { plant, assets }: Revision,
) {
  const { asset, severity, ruleKind, forecast, atMs } = detection
  // A service that comes due is no failure, however near it is.
  const leftMs = forecast === undefined || ruleKind === "usage" ? undefined : forecast.dueMs - atMs
  // An asset that has left the plant may still have findings on their way: they are handled as of middle importance.
  const urgency = urgencyOf(plant, severity, assets.get(asset)?.criticality ?? "B", leftMs)
  const allowedMs = atMs + (settings?.due ?? timeAllowed(plant, urgency.priority))
  return {
    ...urgency,
    dueMs: dueBy(detection, settings?.due === undefined ? allowedMs : undefined) ?? allowedMs,
  }
}

/**
 * The forecast decides where the rule states no time: a service is due when the meter will be there; a repair not later
 * than when the limit will be reached.
 */
function dueBy(
  { ruleKind, forecast, value, limit, atMs }: Detection,
  usualMs: number | undefined,
): number | undefined {
  if (forecast === undefined || usualMs === undefined) return undefined
  if (ruleKind !== "usage") return Math.max(atMs, Math.min(usualMs, forecast.dueMs))
  // Of a meter that has got there already the forecast is about the next time.
  return value !== null && limit !== null && value < limit ? forecast.dueMs : undefined
}

/** The schema knows which fields of a step an order keeps. */
export function findingOf(detection: Detection): Finding {
  return finding.parse(detection)
}
