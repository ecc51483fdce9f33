import type { AssetClass, Plant, SignalSpec } from "../../core/plant.ts"
import { namePattern } from "../../core/vocabulary.ts"
import { type FaultReason, quoted } from "./outcome.ts"

/** What is checked of each value. Bounds are always there, so one comparison also catches infinities. */
export type Signal = {
  readonly name: string
  readonly unit: string | undefined
  readonly min: number
  readonly max: number
}

/** An asset as its messages are read. `declared` is shared by all assets of a class. */
export type AssetSignals = {
  readonly id: string
  /** The plant's site for it; undefined for an asset that the plant file doesn't have. */
  readonly site: string | undefined
  readonly declared: ReadonlyMap<string, Signal>
  /** Signals that came without being declared. */
  readonly discovered: Map<string, Signal>
  /** Keys that may hold the time, in order of preference. */
  readonly timeKeys: readonly string[]
}

export type SignalLimits = {
  readonly maxDiscoveredAssets: number
  readonly maxDiscoveredSignalsPerAsset: number
  readonly maxDiscoveredSignals: number
}

/** By asset the signals that came without being declared; assets that the plant file doesn't have are in it without any. */
export type Discovered = ReadonlyMap<string, readonly string[]>

export type Refused = { readonly reason: FaultReason; readonly detail: string }

/** Assets and signals of a plant, and the ones that its file doesn't have, up to the limits. */
export type Assets = {
  find(id: string): AssetSignals | Refused
  /** The signal of this name, discovered if need be. */
  discover(asset: AssetSignals, signal: string): Signal | Refused
  discovered(): Discovered
}

const timeKeys = ["ts", "time", "timestamp", "t"] as const

/** Keys beside the signals that say something of the message: never taken for a signal unless the class declares it. */
const aboutKeys: ReadonlySet<string> = new Set([
  ...timeKeys,
  ...["id", "seq", "messageId", "msgId", "name", "type", "tags"],
  ...["site", "asset", "device", "deviceId", "gateway", "host"],
  ...["quality", "unit"],
])

export function isAboutMessage(key: string): boolean {
  return aboutKeys.has(key)
}

/** What was discovered before counts towards the limits, and stays known even beyond them. */
export function createAssets(plant: Plant, limits: SignalLimits, before: Discovered): Assets {
  const classes = new Map(plant.classes.map((one) => [one.id, readClass(one)]))
  const unknownClass: ClassSignals = { declared: new Map(), timeKeys }
  const assets = new Map<string, AssetSignals>()
  for (const { id, site, class: of } of plant.assets) {
    assets.set(id, { id, site, ...(classes.get(of) ?? unknownClass), discovered: new Map() })
  }
  const maxAssets = assets.size + limits.maxDiscoveredAssets
  let discoveredSignals = 0

  function add(id: string): AssetSignals {
    const asset = { id, site: undefined, ...unknownClass, discovered: new Map() }
    assets.set(id, asset)
    return asset
  }

  function addSignal(asset: AssetSignals, name: string): Signal {
    const signal = readSignal(name, undefined)
    asset.discovered.set(name, signal)
    discoveredSignals += 1
    return signal
  }

  for (const [id, signals] of before) {
    const asset = assets.get(id) ?? (plant.ingest.unknownAssets === "discover" ? add(id) : undefined)
    for (const name of signals) if (asset?.declared.has(name) === false) addSignal(asset, name)
  }

  return {
    find(id) {
      const known = assets.get(id)
      if (known !== undefined) return known
      if (plant.ingest.unknownAssets === "refuse") {
        return { reason: "unknown-asset", detail: `asset ${quoted(id)} is not in the plant file` }
      }
      if (!isName(id)) return unusable("asset", id)
      if (assets.size >= maxAssets) {
        const limit = limits.maxDiscoveredAssets
        return {
          reason: "too-many-assets",
          detail: `asset ${quoted(id)} would be beyond ${limit} unknown assets`,
        }
      }
      return add(id)
    },
    discover(asset, signal) {
      if (!isName(signal)) return unusable("signal", signal)
      if (asset.discovered.size >= limits.maxDiscoveredSignalsPerAsset) {
        return tooManySignals(signal, limits.maxDiscoveredSignalsPerAsset, "this asset")
      }
      if (discoveredSignals >= limits.maxDiscoveredSignals) {
        return tooManySignals(signal, limits.maxDiscoveredSignals, "all assets")
      }
      return addSignal(asset, signal)
    },
    discovered() {
      const found = [...assets.values()].filter(
        ({ site, discovered }) => site === undefined || discovered.size > 0,
      )
      return new Map(found.map(({ id, discovered }) => [id, [...discovered.keys()]]))
    },
  }
}

function tooManySignals(signal: string, limit: number, of: string): Refused {
  const detail = `signal ${quoted(signal)} would be beyond ${limit} undeclared signals of ${of}`
  return { reason: "too-many-signals", detail }
}

export function isName(text: string): boolean {
  return namePattern.test(text)
}

export function unusable(what: "site" | "asset" | "signal" | "component", text: string): Refused {
  return {
    reason: "unusable-name",
    detail: `${what} ${quoted(text)}: expected 1 to 128 letters, digits, spaces or . _ : @ - with a letter or digit first`,
  }
}

type ClassSignals = Pick<AssetSignals, "declared" | "timeKeys">

/** A class that declares a signal `t` or `time` has that signal, not that key for the time. */
function readClass({ signals }: AssetClass): ClassSignals {
  const declared = new Map(Object.entries(signals).map(([id, spec]) => [id, readSignal(id, spec)]))
  return { declared, timeKeys: timeKeys.filter((key) => !declared.has(key)) }
}

function readSignal(id: string, spec: SignalSpec | undefined): Signal {
  return {
    name: id,
    unit: spec?.unit,
    min: spec?.min ?? -Number.MAX_VALUE,
    max: spec?.max ?? Number.MAX_VALUE,
  }
}
