import type { Revision } from "../core/catalogue.ts"
import { MillwrightError } from "../core/errors.ts"
import {
  type Action,
  type AssetEvent,
  assetEvent,
  type Detection,
  eventCodes,
  type Reading,
  telemetryRecord,
} from "../core/vocabulary.ts"
import { acknowledge, end, shelve, unshelve } from "./episode.ts"
import type { LaneCore } from "./memory.ts"
import { isUsable, remember, type Series } from "./series.ts"
import { enter, isAway, look, type Windows, windowsOf } from "./suspension.ts"
import { type Entry, note, record, replayOf, startTrail, type Trail, type TrailKeeper } from "./trail.ts"
import { type LaneOf, never, noDeadline, type Rule, type Watch } from "./watch.ts"
import { instant } from "./wording.ts"

/** A signal, who judges its samples, and who looks at it together with others. */
type Feed = { readonly series: Series; readonly watches: Watch[]; readonly readers: Watch[] }

/**
 * The rules of one lateness on one asset. They see one order of records and one clock, which stays behind the asset's
 * own by the lateness.
 */
export type Lane = LaneOf &
  TrailKeeper & {
    readonly outbox: Detection[]
    readonly asset: string
    readonly latenessMs: number
    core: LaneCore
    revision: Revision
    rules: readonly Rule[]
    watches: readonly Watch[]
    feeds: ReadonlyMap<string, Feed>
    byCode: ReadonlyMap<string, readonly Watch[]>
    byComponent: ReadonlyMap<string, readonly Watch[]>
    /** The components and signals of the asset's class. */
    parts: ReadonlySet<string>
    windows: Windows
    windowChangesMs: number
  }

/** What became of the samples and events that somebody watches. */
export type Counts = {
  samples: number
  duplicates: number
  /** Earlier than what was known, and looked at once more together with it. */
  late: number
  /** So late that what came since is not kept any more. */
  tooLate: number
  unusable: number
}

export type Place = {
  readonly asset: string
  readonly latenessMs: number
  readonly revision: Revision
  /** Those of this lateness. */
  readonly rules: readonly Rule[]
}

export function freshCore(clockMs: number): LaneCore {
  return {
    clockMs,
    newestMs: clockMs,
    knownMs: clockMs,
    happenedMs: clockMs,
    assetState: null,
    series: [],
    events: [],
    watches: [],
  }
}

/** Sets a lane up under the revision that its state was made with. */
export function openLane(place: Place, core: LaneCore, saved?: Trail): Lane {
  const { asset, latenessMs, revision } = place
  const lane: Lane = {
    asset,
    latenessMs,
    core,
    revision,
    rules: [],
    watches: [],
    feeds: new Map(),
    byCode: new Map(),
    byComponent: new Map(),
    parts: new Set(),
    windows: { isIn: () => false, changesAfter: () => noDeadline },
    windowChangesMs: noDeadline,
    inWindow: false,
    nextDueMs: noDeadline,
    outbox: [],
    trail: saved ?? startTrail(freshCore(core.clockMs)),
    noted: 0,
    current: undefined,
    rehearsal: 0,
    replayOf: (watch, atMs) => (lane.rehearsal > 0 ? undefined : replayOf(lane, watch, atMs)),
  }
  arrange(lane, place)
  if (saved === undefined) lane.trail = startTrail(core)
  return lane
}

/**
 * A new revision takes effect at this time of the lane: a watch whose rule decides as before, or may keep its state,
 * keeps it; any other begins anew. What came before can't be looked at again.
 */
export function reviseLane(lane: Lane, place: Place, atMs: number): void {
  for (const watch of lane.watches) {
    if (place.rules.some((rule) => continues(rule, watch.state))) continue
    const reason = `the rule ${watch.rule.spec.id} changed`
    end(watch, "rule-changed", { atMs, value: null, limit: watch.state.episode?.limit ?? null, reason })
  }
  arrange(lane, place)
  note(lane)
  lane.trail = startTrail(lane.core)
}

/** The state is of this rule, and it decides as before or may keep what it has. */
function continues(rule: Rule, state: Watch["state"]): boolean {
  if (state.rule !== rule.spec.id || state.signal !== (rule.spec.signal ?? null)) return false
  if (state.parameters === rule.parameters) return true
  return rule.spec.onChange === "keep" && state.shape === rule.shape
}

function arrange(lane: Lane, { revision, rules }: Place): void {
  const { core } = lane
  const site = revision.assets.get(lane.asset)?.site ?? ""
  const feeds = new Map<string, Feed>()
  const byCode = new Map<string, Watch[]>()
  const byComponent = new Map<string, Watch[]>()
  const feedOf = (signal: string): Feed => {
    const feed = feeds.get(signal) ?? { series: seriesOf(core, signal), watches: [], readers: [] }
    feeds.set(signal, feed)
    return feed
  }
  const watches = rules.map((rule): Watch => {
    const { kind, params, spec } = rule
    const { signal, component } = spec
    const others = (kind.reads?.(params) ?? []).map((one) => [one, feedOf(one)] as const)
    const own = signal === undefined ? undefined : feedOf(signal)
    const watch: Watch = {
      rule,
      site,
      asset: lane.asset,
      state: stateOf(core, rule),
      series: own?.series ?? seriesOf(core, ""),
      others: new Map(others.map(([name, { series }]) => [name, series])),
      members: [],
      followers: [],
      sensors: [],
      guarded: [],
      away: false,
      lane,
    }
    // Sensors are judged first: a sample that shows the sensor to be broken must not decide about the machine.
    if (kind.sample !== undefined) own?.watches[kind.ofSensor === true ? "unshift" : "push"](watch)
    // What judges one signal alone has judged it sample by sample.
    if (kind.settled !== undefined && (kind.sample === undefined || others.length > 0)) {
      for (const feed of new Set([own, ...others.map(([, feed]) => feed)])) feed?.readers.push(watch)
    }
    for (const code of kind.codes?.(params) ?? []) add(byCode, code, watch)
    if (component !== undefined) add(byComponent, component, watch)
    return watch
  })
  for (const watch of watches) join(watch, watches)
  const parts = partsOf(revision, lane.asset)
  Object.assign(lane, { revision, rules, watches, feeds, byCode, byComponent, parts })
  core.series = [...feeds.values()].map((feed) => feed.series)
  core.watches = watches.map((watch) => watch.state)
  lane.windows = windowsOf(revision, lane.asset)
  setWindow(lane)
  lane.nextDueMs = earliest(lane)
  for (const watch of watches) watch.away = isAway(watch)
}

function partsOf({ plant, assets }: Revision, asset: string): ReadonlySet<string> {
  const itsClass = plant.classes.find(({ id }) => id === assets.get(asset)?.class)
  return new Set([...(itsClass?.components ?? []), ...Object.keys(itsClass?.signals ?? {})])
}

/** Whether planned work is going on at the time of the lane; before it has one there is none. */
function setWindow(lane: Lane): void {
  const { windows, core } = lane
  const hasBegun = core.clockMs > Number.MIN_SAFE_INTEGER
  lane.inWindow = hasBegun && windows.isIn(core.clockMs)
  lane.windowChangesMs = hasBegun ? windows.changesAfter(core.clockMs) : noDeadline
}

/** Connects a watch with those it goes by. */
function join(watch: Watch, all: readonly Watch[]): void {
  const { kind, params, spec } = watch.rule
  const wanted = kind.members?.(params) ?? []
  watch.members.push(...all.filter(({ rule }) => wanted.includes(rule.spec.id)))
  for (const member of watch.members) member.followers.push(watch)
  if (kind.ofSensor === true || kind.always === true) return
  const reads = [spec.signal, ...(kind.reads?.(params) ?? [])]
  watch.sensors.push(
    ...all.filter(({ rule }) => rule.kind.ofSensor === true && reads.includes(rule.spec.signal)),
  )
  for (const sensor of watch.sensors) sensor.guarded.push(watch)
}

function add(index: Map<string, Watch[]>, key: string, watch: Watch): void {
  const there = index.get(key)
  if (there === undefined) index.set(key, [watch])
  else there.push(watch)
}

function seriesOf(core: LaneCore, signal: string): Series {
  const there = core.series.find((one) => one.signal === signal)
  return there ?? { signal, markMs: never, value: 0, atMs: [], values: [], next: 0 }
}

function stateOf(core: LaneCore, rule: Rule): Watch["state"] {
  const { id, signal = null, suspend } = rule.spec
  const before = core.watches.find((one) => one.rule === id && one.signal === signal)
  if (before === undefined || !continues(rule, before)) {
    return {
      rule: id,
      signal,
      parameters: rule.parameters,
      shape: rule.shape,
      // Goes on counting, so that an episode of the changed rule never has the id of an earlier one.
      opened: before?.opened ?? 0,
      episode: null,
      endedMs: never,
      dueMs: noDeadline,
      awayUntilMs: core.assetState !== null && suspend.states.includes(core.assetState) ? noDeadline : never,
      shelvedUntilMs: before?.shelvedUntilMs ?? never,
      memory: rule.kind.fresh(rule.params),
    }
  }
  return Object.assign(before, { parameters: rule.parameters, shape: rule.shape })
}

/** Throws `STORE_FAILED` unless saved memory is what these rules can go on from. */
export function checkMemory(core: LaneCore, asset: string, rules: readonly Rule[]): void {
  for (const { kind, spec } of rules) {
    const state = core.watches.find((one) => one.rule === spec.id && one.signal === (spec.signal ?? null))
    const memory = state === undefined ? undefined : kind.memory.safeParse(state.memory)
    if (memory === undefined || memory.success) continue
    throw new MillwrightError(
      "STORE_FAILED",
      `the saved state of rule ${spec.id} on ${asset} can't be read: ${memory.error.message}`,
      { cause: memory.error },
    )
  }
}

function earliest({ watches, windowChangesMs }: Lane): number {
  let soonest = windowChangesMs
  for (const { state } of watches) {
    soonest = Math.min(soonest, state.dueMs)
    if (state.awayUntilMs !== never) soonest = Math.min(soonest, state.awayUntilMs)
    if (state.shelvedUntilMs !== never) soonest = Math.min(soonest, state.shelvedUntilMs)
  }
  return soonest
}

/** Whether a timer of the lane is due; told exactly, so that it does not depend on when somebody asked before. */
export function isLaneDueBy(lane: Lane, clockMs: number): boolean {
  if (lane.nextDueMs > clockMs) return false
  lane.nextDueMs = earliest(lane)
  return lane.nextDueMs <= clockMs
}

/** Moves the lane's clock: all that is due at or before this time happens, each at its own time. */
export function moveLane(lane: Lane, clockMs: number): void {
  const { core } = lane
  if (core.clockMs === Number.MIN_SAFE_INTEGER && clockMs > core.clockMs) {
    core.clockMs = clockMs
    setWindow(lane)
    lane.nextDueMs = earliest(lane)
    for (const watch of lane.watches) watch.away = isAway(watch)
  }
  while (lane.nextDueMs <= clockMs) {
    const atMs = earliest(lane)
    lane.nextDueMs = atMs
    if (atMs > clockMs) break
    happenAt(lane, atMs)
  }
  if (clockMs > core.clockMs) core.clockMs = clockMs
}

/** The first of what is due at this time; the loop comes back for the others. */
function happenAt(lane: Lane, atMs: number): void {
  lane.core.happenedMs = Math.max(lane.core.happenedMs, atMs)
  if (lane.windowChangesMs <= atMs) {
    lane.inWindow = lane.windows.isIn(atMs)
    lane.windowChangesMs = lane.windows.changesAfter(atMs)
    for (const watch of lane.watches) look(watch, atMs)
    return
  }
  for (const watch of lane.watches) {
    const { state } = watch
    if (state.awayUntilMs !== never && state.awayUntilMs <= atMs) {
      state.awayUntilMs = never
      look(watch, atMs)
    } else if (state.shelvedUntilMs !== never && state.shelvedUntilMs <= atMs) {
      unshelve(watch, atMs)
    } else if (state.dueMs <= atMs) {
      state.dueMs = noDeadline
      watch.rule.kind.fire?.(watch, atMs)
    } else {
      continue
    }
    return
  }
}

/** Evaluates a record; gives the part of it that came late: of a time of which the lane already knows more. */
export function takeRecord(lane: Lane, input: Reading | AssetEvent, counts: Counts): Entry | undefined {
  const { core } = lane
  if (input.arrivedMs > core.knownMs) core.knownMs = input.arrivedMs
  if (input.atMs > core.newestMs) core.newestMs = input.atMs
  lane.current = input
  const late = input.kind === "reading" ? read(lane, input, counts) : happen(lane, input)
  lane.current = undefined
  // A signal behind the lane's clock may set a deadline that has passed: it must not wait for the next record.
  if (lane.nextDueMs <= core.clockMs) moveLane(lane, core.clockMs)
  return late
}

/** Usable samples that are newer than what is known are evaluated; gives the others. */
function read(lane: Lane, input: Reading, counts: Counts): Entry | undefined {
  const { atMs, values, quality, untimed } = input
  const isBehind = atMs < lane.core.newestMs && isMissed(lane, input)
  let late: Record<string, number> | undefined
  let readers: readonly Watch[] = []
  let kept = true
  let used = false
  for (const signal in values) {
    const feed = lane.feeds.get(signal)
    if (feed === undefined) {
      kept = false
      continue
    }
    const { series, watches } = feed
    const value = values[signal] ?? Number.NaN
    // As if it had never been sent: a good sample of the same time may still come.
    if (!isUsable(value, quality?.[signal])) {
      counts.unusable++
      kept = false
      continue
    }
    if (atMs <= series.markMs) {
      kept = false
      if (atMs === series.markMs) counts.duplicates++
      else late = { ...late, [signal]: value }
      continue
    }
    if (isBehind) {
      late = { ...late, [signal]: value }
      kept = false
      continue
    }
    series.markMs = atMs
    used = true
    counts.samples++
    remember(series, atMs, value)
    for (const watch of watches) {
      if (watch.away || (untimed === true && watch.rule.kind.timedOnly === true)) continue
      watch.rule.kind.sample?.(watch, atMs, value)
    }
    if (feed.readers.length > 0) {
      readers = readers.length === 0 ? feed.readers : [...new Set([...readers, ...feed.readers])]
    }
  }
  for (const watch of readers) if (!watch.away) watch.rule.kind.settled?.(watch, atMs)
  if (used) {
    const given = kept ? values : usableOf(lane, input)
    record(lane, { atMs, values: given, ...(untimed ? { untimed } : {}) })
  }
  return late === undefined ? undefined : { atMs, values: late, ...(untimed ? { untimed } : {}) }
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

/** The samples of a reading that were evaluated just now. */
function usableOf({ feeds }: Lane, { atMs, values, quality }: Reading): Record<string, number> {
  const usable: Record<string, number> = {}
  for (const signal in values) {
    const value = values[signal]
    if (
      value !== undefined &&
      feeds.get(signal)?.series.markMs === atMs &&
      isUsable(value, quality?.[signal])
    )
      usable[signal] = value
  }
  return usable
}

function happen(lane: Lane, event: AssetEvent): Entry | undefined {
  const { core } = lane
  const { component, state } = event.attributes
  const installed =
    event.code === eventCodes.componentInstalled && typeof component === "string" ? component : undefined
  const entered = event.code === eventCodes.state && typeof state === "string" ? state : undefined
  const hearers = lane.byCode.get(event.code)
  const matters = entered !== undefined || (installed !== undefined && lane.byComponent.has(installed))
  if (hearers === undefined && !matters) return undefined
  const { atMs } = event
  const name = eventName(lane, event)
  const mark = core.events.find((one) => one.name === name)
  if ((atMs < core.newestMs && isKept(lane, atMs)) || (mark !== undefined && atMs <= mark.markMs))
    return { atMs, event: assetEvent.parse(event) }
  if (mark === undefined) core.events.push({ name, markMs: atMs })
  else mark.markMs = atMs
  core.happenedMs = Math.max(core.happenedMs, atMs)
  if (installed !== undefined) maintain(lane, event, installed)
  if (entered !== undefined) {
    core.assetState = entered
    for (const watch of lane.watches) enter(watch, entered, atMs)
  }
  for (const watch of hearers ?? []) if (!watch.away) watch.rule.kind.event?.(watch, event)
  // Parsed, so that it is written the same before and after a restart.
  record(lane, { atMs, event: assetEvent.parse(event) })
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

/** What the lane found since it was last asked. */
export function drain(lane: Lane): readonly Detection[] {
  note(lane)
  lane.noted = 0
  return lane.outbox.splice(0)
}
