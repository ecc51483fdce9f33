import { z } from "zod"
import { type Detection, isAboutSensor } from "../core/vocabulary.ts"
import { kindOf } from "./kinds.ts"

/** What is wrong with one part of an asset: the episodes that are open about it, under the id of the first. */
export const incident = z.object({
  cause: z.string(),
  id: z.uuid(),
  episodes: z.array(z.uuid()),
})
export type Incident = z.infer<typeof incident>

/**
 * Names the incident that a step is part of. Many signals that tell of one worn bearing are one incident; a sensor that
 * has failed and a service that a meter asks for are causes of their own. `open` is changed in place.
 */
export function inIncident(open: Incident[], step: Detection): Detection {
  const { episode, kind } = step
  const cause = causeOf(step)
  const known = open.find(({ episodes }) => episodes.includes(episode))
  const mine = known ?? open.find((one) => one.cause === cause) ?? { cause, id: episode, episodes: [] }
  if (kind === "cleared" || kind === "withdrawn") {
    mine.episodes = mine.episodes.filter((one) => one !== episode)
    if (mine.episodes.length === 0 && open.includes(mine)) open.splice(open.indexOf(mine), 1)
  } else {
    if (!open.includes(mine)) open.push(mine)
    if (known === undefined) mine.episodes.push(episode)
  }
  return { ...step, incident: mine.id }
}

/** The episodes that somebody means who names one of them, or its incident. */
export function episodesOf(open: readonly Incident[], id: string): readonly string[] {
  return open.find((one) => one.id === id && one.episodes.length > 1)?.episodes ?? [id]
}

function causeOf({ ruleKind, rule, signal, component }: Detection): string {
  if (isAboutSensor(ruleKind)) return `sensor ${signal ?? ""}`
  if (kindOf(ruleKind)?.signal === "meter") return `rule ${rule}`
  return `component ${component ?? ""}`
}
