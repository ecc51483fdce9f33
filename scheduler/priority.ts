import { formatDuration } from "../core/duration.ts"
import type { Plant } from "../core/plant.ts"
import type { Criticality, Severity } from "../core/vocabulary.ts"

type Urgency = { readonly priority: number; readonly priorityReason: string }

/**
 * The plant's matrix: how severe the finding is, by how much the plant depends on the asset; and more urgent the sooner
 * the limit will be reached. `leftMs` is the time until then, where there is a forecast.
 */
export function urgencyOf(
  { priorities, urgency }: Pick<Plant, "priorities" | "urgency">,
  severity: Severity,
  criticality: Criticality,
  leftMs?: number,
): Urgency {
  const usual = priorities[severity][criticality]
  const why = `${severity} on an asset of criticality ${criticality}`
  if (leftMs === undefined) return { priority: usual, priorityReason: why }
  const [step] = urgency.remainingLife
    .filter(({ below }) => leftMs < below)
    .toSorted((a, b) => b.raise - a.raise || a.below - b.below)
  const priority = Math.max(1, usual - (step?.raise ?? 0))
  if (step === undefined || priority === usual) return { priority, priorityReason: why }
  const when = leftMs > 0 ? `will be reached in ${formatDuration(leftMs)}` : "should have been reached by now"
  const below = formatDuration(step.below)
  return { priority, priorityReason: `${why} is ${usual}; its limit ${when} (below ${below}): ${priority}` }
}
