import type { Plant } from "../core/plant.ts"
import type { Criticality, Severity } from "../core/vocabulary.ts"

type Urgency = { readonly priority: number; readonly priorityReason: string }

/** The plant's matrix: how severe the finding is, by how much the plant depends on the asset. */
export function urgencyOf(plant: Plant, severity: Severity, criticality: Criticality): Urgency {
  return {
    priority: plant.priorities[severity][criticality],
    priorityReason: `${severity} on an asset of criticality ${criticality}`,
  }
}
