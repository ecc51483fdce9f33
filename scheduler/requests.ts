import type { Revision } from "../core/catalogue.ts"
import type { RuleSpec } from "../core/plant.ts"
import {
  compareSeverity,
  type Detection,
  type Finding,
  finding,
  type Maintained,
  type OrderRequest,
  type OrderType,
  type SettleOrder,
} from "../core/vocabulary.ts"
import { mergeKey, orderOfEpisode } from "./identity.ts"
import { timeAllowed, urgencyOf } from "./priority.ts"
import type { PartitionState } from "./state.ts"
import { fillIn, localTime, timeZoneOf } from "./wording.ts"

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
  const { episode, sequence } = detection
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

function opensOrder({ kind, severity }: Detection, { from }: RuleOrder): boolean {
  return (kind === "opened" || kind === "raised") && compareSeverity(severity, from) >= 0
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
    title: template === undefined ? `${ruleTitle}: ${detection.reason}` : fillIn(template.title, detection),
    description: fillIn(template?.description ?? "", detection) || detection.reason,
    template: template?.id ?? null,
    tasks: (template?.tasks ?? []).map((task) => fillIn(task, detection)),
    estimatedHours: template?.estimatedHours ?? null,
    ...urgency(detection, settings, revision),
    atMs,
    trigger: { kind: "rule", rule, ruleKind, revision: detection.revision, episode },
    findings: [findingOf(detection)],
  }
}

/** A service that a meter asks for is planned work, and a need of its own: it must not vanish in a repair. */
function usualOrder({ rule, ruleKind }: Detection): { readonly type: OrderType; readonly need: string } {
  return ruleKind === "usage" ? { type: "preventive", need: rule } : { type: "predictive", need: "repair" }
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
    ...urgency(detection, settings, revision),
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

function urgency(
  { asset, severity, atMs }: Detection,
  settings: RuleOrder | undefined,
  { plant, assets }: Revision,
) {
  // An asset that has left the plant may still have findings on their way: they are handled as of middle importance.
  const urgency = urgencyOf(plant, severity, assets.get(asset)?.criticality ?? "B")
  return { ...urgency, dueMs: atMs + (settings?.due ?? timeAllowed(plant, urgency.priority)) }
}

/** The schema knows which fields of a step an order keeps. */
function findingOf(detection: Detection): Finding {
  return finding.parse(detection)
}
