import type { PlantClock } from "../core/service.ts"
import type { AssetEvent, Reading } from "../core/vocabulary.ts"

/**
 * Whether a record tells what time it is in the plant. Under the clock `event` a time that was made up at arrival
 * does not: one message without a time would throw a plant that replays 2015 into today.
 */
export function tellsTime({ untimed }: Reading | AssetEvent, plantClock: PlantClock): boolean {
  return plantClock === "wall" || untimed !== true
}
