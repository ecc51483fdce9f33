import { z } from "zod"
import type { Revision } from "../core/catalogue.ts"
import { MillwrightError } from "../core/errors.ts"
import { type AssetEvent, timeMs } from "../core/vocabulary.ts"
import { end } from "./episode.ts"
import type { Rulebook } from "./rulebook.ts"
import { type Series, series } from "./series.ts"
import { never, noDeadline, type Rule, type Timers, type Watch, watchState } from "./watch.ts"
import { instant } from "./wording.ts"

/** All that the engine keeps of one asset, as plain JSON. */
export const assetState = z.object({
  asset: z.string(),
  revision: z.number().int().positive(),
  /** The plant's clock as this asset knows it: revisions take effect by it. */
  plantMs: timeMs,
  /** The time of the asset's own data: timers run by it. */
  clockMs: timeMs,
  /** The record with the newest time: the asset's time goes on from it while nothing comes (clock `wall`). */
  newest: z.object({ atMs: timeMs, arrivedMs: timeMs }),
  series: z.array(series),
  /** For each kind of event that is heard the time of the newest. */
  events: z.array(z.object({ name: z.string(), markMs: timeMs })),
  watches: z.array(watchState),
})
export type AssetState = z.infer<typeof assetState>

/** A signal, who judges its samples, and who looks at it together with others. */
type Feed = { readonly series: Series; readonly watches: Watch[]; readonly readers: Watch[] }

/** An asset with its watches, indexed by what drives them. */
export type WatchedAsset = Timers & {
  readonly state: AssetState
  /** Not yet saved. */
  changed: boolean
  revision: Revision
  watches: readonly Watch[]
  feeds: ReadonlyMap<string, Feed>
  byCode: ReadonlyMap<string, readonly Watch[]>
  byComponent: ReadonlyMap<string, readonly Watch[]>
}

type Outbox = Watch["outbox"]

export function freshState(asset: string, revision: number, atMs: number, arrivedMs: number): AssetState {
  return {
    asset,
    revision,
    plantMs: Number.MIN_SAFE_INTEGER,
    clockMs: Number.MIN_SAFE_INTEGER,
    newest: { atMs, arrivedMs },
    series: [],
    events: [],
    watches: [],
  }
}

/** Sets an asset up under the revision that its state was made with. */
export function open(
  state: AssetState,
  revision: Revision,
  rulebook: Rulebook,
  outbox: Outbox,
): WatchedAsset {
  const asset: WatchedAsset = {
    state,
    changed: false,
    revision,
    nextDueMs: noDeadline,
    watches: [],
    feeds: new Map(),
    byCode: new Map(),
    byComponent: new Map(),
  }
  arrange(asset, revision, rulebook, outbox)
  return asset
}

/** A new revision takes effect: a watch whose rule decides as before keeps its state, any other begins anew. */
export function revise(
  asset: WatchedAsset,
  revision: Revision,
  rulebook: Rulebook,
  outbox: Outbox,
  atMs: number,
): void {
  const plantAsset = revision.assets.get(asset.state.asset)
  const rules = plantAsset === undefined ? [] : rulebook.rulesFor(plantAsset)
  for (const watch of asset.watches) {
    const same = rules.some((rule) => continues(rule, watch.state))
    const limit = watch.state.episode?.limit ?? null
    if (!same)
      end(watch, "rule-changed", {
        atMs,
        value: null,
        limit,
        reason: `the rule ${watch.rule.spec.id} changed`,
      })
  }
  arrange(asset, revision, rulebook, outbox)
}

/** The state is of this rule, and it decides as before or may keep what it has. */
function continues(rule: Rule, state: Watch["state"]): boolean {
  if (state.rule !== rule.spec.id || state.signal !== (rule.spec.signal ?? null)) return false
  if (state.parameters === rule.parameters) return true
  return rule.spec.onChange === "keep" && state.shape === rule.shape
}

function arrange(asset: WatchedAsset, revision: Revision, rulebook: Rulebook, outbox: Outbox): void {
  const { state } = asset
  const plantAsset = revision.assets.get(state.asset)
  const rules = plantAsset === undefined ? [] : rulebook.rulesFor(plantAsset)
  const feeds = new Map<string, Feed>()
  const byCode = new Map<string, Watch[]>()
  const byComponent = new Map<string, Watch[]>()
  const feedOf = (signal: string): Feed => {
    const feed = feeds.get(signal) ?? { series: seriesOf(state, signal), watches: [], readers: [] }
    feeds.set(signal, feed)
    return feed
  }
  const watches = rules.map((rule): Watch => {
    const { kind, params } = rule
    const { signal, component } = rule.spec
    const others = (kind.reads?.(params) ?? []).map((one) => [one, feedOf(one)] as const)
    const own = signal === undefined ? undefined : feedOf(signal)
    const watch: Watch = {
      rule,
      site: plantAsset?.site ?? "",
      asset: state.asset,
      state: stateOf(state, rule),
      series: own?.series ?? seriesOf(state, ""),
      others: new Map(others.map(([name, { series }]) => [name, series])),
      members: [],
      followers: [],
      outbox,
      timers: asset,
    }
    // Sensors are judged first: a sample that shows the sensor to be broken must not decide about the machine.
    if (kind.sample !== undefined) own?.watches[kind.ofSensor === true ? "unshift" : "push"](watch)
    if (kind.settled !== undefined) {
      for (const feed of new Set([own, ...others.map(([, feed]) => feed)])) feed?.readers.push(watch)
    }
    for (const code of kind.codes?.(params) ?? []) add(byCode, code, watch)
    if (component !== undefined) add(byComponent, component, watch)
    return watch
  })
  for (const watch of watches) {
    const wanted = watch.rule.kind.members?.(watch.rule.params) ?? []
    watch.members.push(...watches.filter(({ rule }) => wanted.includes(rule.spec.id)))
    for (const member of watch.members) member.followers.push(watch)
  }
  state.revision = revision.number
  state.series = [...feeds.values()].map((feed) => feed.series)
  state.watches = watches.map((watch) => watch.state)
  asset.revision = revision
  asset.watches = watches
  asset.feeds = feeds
  asset.byCode = byCode
  asset.byComponent = byComponent
  asset.nextDueMs = Math.min(noDeadline, ...watches.map((watch) => watch.state.dueMs))
}

function add(index: Map<string, Watch[]>, key: string, watch: Watch): void {
  const there = index.get(key)
  if (there === undefined) index.set(key, [watch])
  else there.push(watch)
}

function seriesOf(state: AssetState, signal: string): Series {
  const there = state.series.find((one) => one.signal === signal)
  return there ?? { signal, markMs: never, value: 0, atMs: [], values: [], next: 0 }
}

function stateOf(asset: AssetState, rule: Rule): Watch["state"] {
  const { id, signal = null } = rule.spec
  const before = asset.watches.find((one) => one.rule === id && one.signal === signal)
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
      memory: rule.kind.fresh(rule.params),
    }
  }
  const memory = rule.kind.memory.safeParse(before.memory)
  if (!memory.success) {
    throw new MillwrightError(
      "STORE_FAILED",
      `the saved state of rule ${rule.spec.id} on ${asset.asset} can't be read: ${memory.error.message}`,
      { cause: memory.error },
    )
  }
  return { ...before, parameters: rule.parameters, shape: rule.shape, memory: memory.data }
}

/** Runs the timers that are due at or before this time of the asset's clock, each at its own time. */
export function runTimers(asset: WatchedAsset, untilMs: number): void {
  while (asset.nextDueMs <= untilMs) {
    let due: Watch | undefined
    for (const watch of asset.watches) {
      if (watch.state.dueMs < (due?.state.dueMs ?? noDeadline)) due = watch
    }
    asset.nextDueMs = due?.state.dueMs ?? noDeadline
    if (due === undefined || asset.nextDueMs > untilMs) return
    const atMs = due.state.dueMs
    due.state.dueMs = noDeadline
    due.rule.kind.fire?.(due, atMs)
  }
}

/** A component was installed: what was open about the old one is settled, and its wear is forgotten. */
export function maintain(asset: WatchedAsset, event: AssetEvent, component: string): void {
  for (const watch of asset.byComponent.get(component) ?? []) {
    const { episode } = watch.state
    // The event may be told late: what was found after the work is about the new component.
    if (episode !== null && episode.openedAtMs > event.atMs) continue
    const reason = `${component} installed ${instant(event.atMs)}`
    end(watch, "maintenance", { atMs: event.atMs, value: null, limit: episode?.limit ?? null, reason })
    watch.state.endedMs = never
    watch.rule.kind.maintained(watch, event)
  }
}
