import type { Revision } from "../core/catalogue.ts"
import { formatDuration } from "../core/duration.ts"
import { messageOf } from "../core/errors.ts"
import { matches, type Plant } from "../core/plant.ts"
import { type Occurrences, occurrencesOf, shortestInterval } from "../core/schedule.ts"
import { never, noDeadline, type Rule, type Watch } from "./watch.ts"

/** Looks whether a watch is to look away now, and tells its kind where that changes. */
export function look(watch: Watch, atMs: number): void {
  const away = isAway(watch)
  if (away === watch.away) return
  watch.away = away
  const { kind } = watch.rule
  if (away) {
    watch.state.dueMs = noDeadline
    kind.interrupted?.(watch, atMs)
  } else {
    kind.resumed?.(watch, atMs)
  }
}

/**
 * A machine that is down, starting, or being worked on is not judged by how it runs, and none by a sensor that has
 * failed. Also after a restart this follows from what is saved.
 */
export function isAway({ rule, state, sensors, lane }: Watch): boolean {
  if (rule.kind.always === true) return false
  if (state.awayUntilMs !== never) return true
  if (lane.inWindow && rule.spec.suspend.windows) return true
  return sensors.some((sensor) => sensor.state.episode !== null)
}

/** Until when a rule looks away in this state of the asset, where it was `untilMs` before its states were edited. */
export function awayIn(assetState: string | null, { spec }: Rule, untilMs: number): number {
  if (assetState !== null && spec.suspend.states.includes(assetState)) return noDeadline
  return untilMs === noDeadline ? never : untilMs
}

/** The asset has gone into another state. */
export function enter(watch: Watch, assetState: string, atMs: number): void {
  const { states, settle } = watch.rule.spec.suspend
  const { state } = watch
  if (states.includes(assetState)) state.awayUntilMs = noDeadline
  else if (state.awayUntilMs === noDeadline) state.awayUntilMs = settle === 0 ? never : atMs + settle
  if (state.awayUntilMs !== never && state.awayUntilMs < watch.lane.nextDueMs)
    watch.lane.nextDueMs = state.awayUntilMs
  look(watch, atMs)
}

/** The plant's maintenance windows as one asset knows them: a function of time alone. */
export type Windows = {
  isIn(ms: number): boolean
  /** When, after this time, one begins or ends. */
  changesAfter(ms: number): number
}

type Window = Occurrences & { readonly lasts: number }

export function windowsOf({ plant, assets }: Revision, id: string): Windows {
  const asset = assets.get(id)
  const mine = asset === undefined ? [] : plant.maintenanceWindows.filter((one) => matches(one.for, asset))
  const timeZone = plant.sites.find((site) => site.id === asset?.site)?.timeZone ?? "UTC"
  const windows = mine.map(({ schedule, lasts }): Window => ({ lasts, ...occurrencesOf(schedule, timeZone) }))
  return {
    isIn: (ms) => windows.some(({ upTo, lasts }) => ms < (upTo(ms) ?? Number.NEGATIVE_INFINITY) + lasts),
    changesAfter: (ms) =>
      windows.reduce((soonest, { upTo, from, lasts }) => {
        const endMs = (upTo(ms) ?? Number.NEGATIVE_INFINITY) + lasts
        const beginMs = from(ms + 1) ?? noDeadline
        return Math.min(soonest, beginMs, endMs > ms ? endMs : noDeadline)
      }, noDeadline),
  }
}

/** Maintenance windows whose times have no meaning, or that never end. */
export function problemsOfWindows({ maintenanceWindows, sites }: Plant): string[] {
  return maintenanceWindows.flatMap(({ id, schedule, lasts }) => {
    const say = (problem: string) => [`maintenance window "${id}": ${problem}`]
    try {
      const zones = new Set(sites.map(({ timeZone }) => timeZone))
      const shortestMs = Math.min(...[...zones].map((zone) => shortestInterval(schedule, zone)))
      if (lasts < shortestMs) return []
      return say(
        `lasts: expected less than the time between two (${formatDuration(shortestMs)}), got ${formatDuration(lasts)}`,
      )
    } catch (error) {
      return say(`schedule: ${messageOf(error)}`)
    }
  })
}
