import type { Revision } from "../core/catalogue.ts"
import { MillwrightError } from "../core/errors.ts"
import type { Detection } from "../core/vocabulary.ts"
import { end } from "./episode.ts"
import { setClock, type Timekeeper } from "./lane-clock.ts"
import type { LaneCore } from "./memory.ts"
import type { Series } from "./series.ts"
import { awayIn, look, type Windows, windowsOf } from "./suspension.ts"
import { note, replayOf, startTrail, type Trail, type TrailKeeper } from "./trail.ts"
import { isOf, never, noDeadline, type Rule, type Watch } from "./watch.ts"

/** A signal, who judges its samples, and who looks at it together with others. */
export type Feed = { readonly series: Series; readonly watches: Watch[]; readonly readers: Watch[] }

/**
 * The rules of one lateness on one asset. They see one order of records and one clock, which stays behind the asset's
 * own by the lateness.
 */
export type Lane = Timekeeper &
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

export function noCounts(): Counts {
  return { samples: 0, duplicates: 0, late: 0, tooLate: 0, unusable: 0 }
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
  const wasAway = new Map(lane.watches.map(({ state, away }) => [state, away]))
  arrange(lane, place)
  // For those that go on, the states and windows of the new revision begin or end now.
  for (const watch of lane.watches) {
    watch.away = wasAway.get(watch.state) ?? watch.away
    look(watch, atMs)
  }
  note(lane)
  lane.trail = startTrail(lane.core)
}

/** The state is of this rule, and it decides as before or may keep what it has. */
function continues(rule: Rule, state: Watch["state"]): boolean {
  if (!isOf(rule, state)) return false
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
  setClock(lane)
}

function partsOf({ plant, assets }: Revision, asset: string): ReadonlySet<string> {
  const itsClass = plant.classes.find(({ id }) => id === assets.get(asset)?.class)
  return new Set([...(itsClass?.components ?? []), ...Object.keys(itsClass?.signals ?? {})])
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
  const { spec, parameters, shape } = rule
  const before = core.watches.find((one) => isOf(rule, one))
  if (before === undefined || !continues(rule, before)) {
    return {
      rule: spec.id,
      signal: spec.signal ?? null,
      parameters,
      shape,
      // Goes on counting, so that an episode of the changed rule never has the id of an earlier one.
      opened: before?.opened ?? 0,
      episode: null,
      endedMs: never,
      dueMs: noDeadline,
      awayUntilMs: awayIn(core.assetState, rule, never),
      shelvedUntilMs: before?.shelvedUntilMs ?? never,
      memory: rule.kind.fresh(rule.params),
    }
  }
  const awayUntilMs = awayIn(core.assetState, rule, before.awayUntilMs)
  return Object.assign(before, { parameters, shape, awayUntilMs })
}

/** Throws `STORE_FAILED` unless saved memory is what these rules can go on from. */
export function checkMemory(core: LaneCore, asset: string, rules: readonly Rule[]): void {
  for (const rule of rules) {
    const state = core.watches.find((one) => isOf(rule, one))
    const memory = state === undefined ? undefined : rule.kind.memory.safeParse(state.memory)
    if (memory === undefined || memory.success) continue
    throw new MillwrightError(
      "STORE_FAILED",
      `the saved state of rule ${rule.spec.id} on ${asset} can't be read: ${memory.error.message}`,
      { cause: memory.error },
    )
  }
}

/** What the lane found since it was last asked. */
export function drain(lane: Lane): readonly Detection[] {
  note(lane)
  lane.noted = 0
  return lane.outbox.splice(0)
}
