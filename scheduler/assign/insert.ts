import type { Choose, Roster, Spot } from "./roster.ts"
import { earlyGain, lateCost, travelCost } from "./score.ts"

/**
 * The spot that takes least from the score: way, load, lateness, handover. `blink` makes it overlook a spot now and
 * then, which gets a search out of where it always ends (J. Christiaens, G. Vanden Berghe, Slack Induction by String
 * Removals, Transportation Science 54, 2020).
 */
export function cheapestSpot(roster: Roster, blink: () => boolean = () => false): Choose {
  return (number, fromMs) => {
    const unit = roster.work.units[number]
    if (unit === undefined) return undefined
    let best: { readonly spot: Spot; readonly cost: number } | undefined
    for (const { person } of unit.able) {
      const load = roster.extraLoad(person, unit.ms)
      roster.eachSpot(number, person, fromMs, (spot) => {
        const cost = load + costOf(roster, number, spot)
        if ((best === undefined || cost < best.cost) && !blink()) best = { spot, cost }
        return false
      })
    }
    return best?.spot
  }
}

/** What a spot costs, besides load. The score knows only when the last task is finished; early is right for all of them. */
function costOf(roster: Roster, number: number, spot: Spot): number {
  const { work } = roster
  const unit = work.units[number]
  const job = work.jobs[unit?.job ?? -1]
  if (unit === undefined || job === undefined) return 0
  const began = unit.previous === undefined ? undefined : roster.placementOf(unit.previous)
  const handover = began === undefined || began.person === spot.person ? 0 : work.week.weights.handover
  return (
    travelCost(spot.wayMs, work) +
    lateCost(job, spot.finishMs, work) -
    earlyGain(job, spot.finishMs, work) +
    handover
  )
}
