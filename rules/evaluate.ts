import {
  type Action,
  type AssetEvent,
  assetEvent,
  eventCodes,
  type Reading,
  telemetryRecord,
} from "../core/vocabulary.ts"
import { instant } from "../core/wording.ts"
import { acknowledge, end, shelve, unshelve } from "./episode.ts"
import type { Counts, Feed, Lane } from "./lane.ts"
import { moveLane } from "./lane-clock.ts"
import { isUsable, remember } from "./series.ts"
import { enter } from "./suspension.ts"
import { type Entry, record } from "./trail.ts"
import { never, type Watch } from "./watch.ts"

/** Evaluates a record; gives the part of it that came late: of a time of which the lane already knows more. */
export function takeRecord(lane: Lane, input: Reading | AssetEvent, counts: Counts): Entry | undefined {
  const { core } = lane
  if (input.arrivedMs > core.knownMs) core.knownMs = input.arrivedMs
  if (input.atMs > core.newestMs) core.newestMs = input.atMs
  const late = input.kind === "reading" ? takeReading(lane, input, counts) : takeEvent(lane, input)
  // A signal behind the lane's clock may set a deadline that has passed: it must not wait for the next record.
  if (lane.nextDueMs <= core.clockMs) moveLane(lane, core.clockMs)
  return late
}

/** Usable samples that are newer than what is known are evaluated; gives those that are older. */
function takeReading(lane: Lane, input: Reading, counts: Counts): Entry | undefined {
  const { atMs, values, quality, untimed } = input
  const isBehind = atMs < lane.core.newestMs && isMissed(lane, input)
  const fresh: Feed[] = []
  let rest: string[] | undefined
  let late: Record<string, number> | undefined
  for (const signal in values) {
    const feed = lane.feeds.get(signal)
    if (feed !== undefined) {
      const { markMs } = feed.series
      const value = values[signal] ?? Number.NaN
      // As if it had never been sent: a good sample of the same time may still come.
      if (!isUsable(value, quality?.[signal])) counts.unusable++
      else if (atMs === markMs) counts.duplicates++
      else if (isBehind || atMs < markMs) late = { ...late, [signal]: value }
      else {
        counts.samples++
        fresh.push(feed)
        continue
      }
    }
    if (rest === undefined) rest = [signal]
    else rest.push(signal)
  }
  if (fresh.length > 0)
    judge(lane, entryOf(atMs, rest === undefined ? values : without(values, rest), untimed), fresh)
  return late === undefined ? undefined : entryOf(atMs, late, untimed)
}

type Samples = Entry & { readonly values: Record<string, number> }

function entryOf(atMs: number, values: Samples["values"], untimed: true | undefined): Samples {
  return untimed ? { atMs, values, untimed } : { atMs, values }
}

function without(values: Samples["values"], names: readonly string[]): Samples["values"] {
  const left: Record<string, number> = {}
  for (const name in values) if (!names.includes(name)) left[name] = values[name] ?? Number.NaN
  return left
}

/** Samples of one time, each newer than those of its signal before it. */
function judge(lane: Lane, entry: Samples, feeds: readonly Feed[]): void {
  const { atMs, values, untimed } = entry
  const readers: Watch[] = []
  lane.current = entry
  for (const { series, watches, readers: ofThis } of feeds) {
    const value = values[series.signal] ?? Number.NaN
    remember(series, atMs, value)
    for (const watch of watches) {
      if (watch.away || (untimed === true && watch.rule.kind.timedOnly === true)) continue
      watch.rule.kind.sample?.(watch, atMs, value)
    }
    for (const reader of ofThis) if (!readers.includes(reader)) readers.push(reader)
  }
  for (const watch of readers) if (!watch.away) watch.rule.kind.settled?.(watch, atMs)
  record(lane, entry)
}

/**
 * Some of it is older than what is known, or timers ran and events happened before it came: then all of it waits to be
 * put in its place.
 */
function isMissed(lane: Lane, { atMs, values }: Reading): boolean {
  if (!isKept(lane, atMs)) return false
  if (atMs < lane.core.happenedMs) return true
  for (const signal in values) if (atMs < (lane.feeds.get(signal)?.series.markMs ?? never)) return true
  return false
}

/** All that the lane has seen since this time can be looked at again, and is not being looked at again just now. */
function isKept({ rehearsal, trail }: Lane, atMs: number): boolean {
  return rehearsal === 0 && atMs >= trail.older.core.clockMs
}

function takeEvent(lane: Lane, told: AssetEvent): Entry | undefined {
  const { core } = lane
  const { component, state } = told.attributes
  const installed =
    told.code === eventCodes.componentInstalled && typeof component === "string" ? component : undefined
  const entered = told.code === eventCodes.state && typeof state === "string" ? state : undefined
  const hearers = lane.byCode.get(told.code)
  const matters = entered !== undefined || (installed !== undefined && lane.byComponent.has(installed))
  if (hearers === undefined && !matters) return undefined
  const { atMs } = told
  // Parsed, so that it is written the same before and after a restart.
  const event = assetEvent.parse(told)
  const entry = { atMs, event }
  const name = eventName(lane, event)
  const mark = core.events.find((one) => one.name === name)
  if ((atMs < core.newestMs && isKept(lane, atMs)) || (mark !== undefined && atMs <= mark.markMs))
    return entry
  if (mark === undefined) core.events.push({ name, markMs: atMs })
  else mark.markMs = atMs
  core.happenedMs = Math.max(core.happenedMs, atMs)
  lane.current = entry
  if (installed !== undefined) maintain(lane, event, installed)
  if (entered !== undefined) {
    core.assetState = entered
    for (const watch of lane.watches) enter(watch, entered, atMs)
  }
  for (const watch of hearers ?? []) if (!watch.away) watch.rule.kind.event?.(watch, event)
  record(lane, entry)
  return undefined
}

/**
 * What makes two events of one time the same: the code and, where the class has these, the component or signal that it
 * is about. Other names stay out, so that their number is bounded.
 */
export function eventName({ parts }: Lane, { code, attributes: { component, signal } }: AssetEvent): string {
  const of = [component, signal].find((one) => typeof one === "string" && parts.has(one))
  return `${code}|${of ?? ""}`
}

/** A component was installed: what was open about the old one is settled, and its wear is forgotten. */
function maintain(lane: Lane, event: AssetEvent, component: string): void {
  for (const watch of lane.byComponent.get(component) ?? []) {
    const { episode } = watch.state
    // The event may be told late: what was found after the work is about the new component.
    if (episode !== null && episode.openedAtMs > event.atMs) continue
    const reason = `${component} installed ${instant(event.atMs)}`
    end(watch, "maintenance", { atMs: event.atMs, value: null, limit: episode?.limit ?? null, reason })
    watch.state.endedMs = never
    watch.rule.kind.maintained(watch, event)
  }
}

/** What a person decided; `episodes` are those that are meant where it is about episodes. */
export function takeAction(lane: Lane, action: Action, episodes: readonly string[]): void {
  for (const watch of lane.watches) {
    const { episode } = watch.state
    if (action.action === "acknowledge") {
      if (episode !== null && episodes.includes(episode.id)) acknowledge(watch, action)
    } else if (watch.rule.spec.id !== action.rule) continue
    else if (action.action === "unshelve") unshelve(watch, action.atMs, action)
    else if (action.untilMs !== undefined && action.untilMs > lane.core.clockMs)
      shelve(watch, action.untilMs, action)
  }
  const { atMs } = action
  const written = telemetryRecord.options[2].parse(action)
  record(lane, { atMs, clockMs: lane.core.clockMs, action: written, episodes: [...episodes] })
}

/** Evaluates again what was evaluated once. */
export function takeEntry(lane: Lane, entry: Entry, counts: Counts): void {
  const { atMs, clockMs = atMs, values, untimed, event, action, episodes } = entry
  moveLane(lane, Math.max(clockMs, lane.core.clockMs))
  const named = { site: "", asset: lane.asset, atMs, arrivedMs: lane.core.knownMs }
  if (action !== undefined) takeAction(lane, action, episodes ?? [])
  else if (event !== undefined) takeRecord(lane, event, counts)
  else if (values !== undefined)
    takeRecord(lane, { kind: "reading", ...named, values, ...(untimed ? { untimed } : {}) }, counts)
}
