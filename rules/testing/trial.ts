import { type Revision, readRevision } from "../../core/catalogue.ts"
import type { Plant } from "../../core/plant.ts"
import type { AssetEvent, Reading } from "../../core/vocabulary.ts"
import { createEngine, type Engine } from "../engine.ts"
import { type Counts, noCounts } from "../lane.ts"
import { problemsOf, rulebooks } from "../rulebook.ts"
import type { RecordingSpec } from "./file.ts"

/** What one row of a recording says. */
export type Recorded = { readonly asset: string; readonly atMs: number } & (
  | { readonly kind: "reading"; readonly values: Readonly<Record<string, number>> }
  | {
      readonly kind: "event"
      readonly code: string
      readonly attributes: AssetEvent["attributes"]
    }
)

/** How files are read; the command line knows where they are. */
export type Readers = {
  /** The text of a plant file. */
  plant(path: string): Promise<string>
  /** Rows in order of time; `asset` is meant where the file has none, and `signals` are those that may be read. */
  recording(
    spec: RecordingSpec,
    meant: { readonly asset: string | undefined; readonly signals: readonly string[] },
  ): AsyncIterable<Recorded>
}

/** Rules of one plant over samples of its assets, without a server, in event time. */
export type Trial = { readonly revision: Revision; readonly engine: Engine; readonly counts: Counts }

/** What is wrong with the rules, each text naming its rule. */
export function ruleProblems(plant: Plant): string[] {
  return plant.rules.flatMap((rule) => problemsOf(rule, plant))
}

/** `source` is a plant file that has been checked. */
export function openTrial(source: string): Trial {
  const revision = readRevision({
    revision: 1,
    plant: "test",
    source,
    changedIn: {},
    effectiveMs: Number.MIN_SAFE_INTEGER,
    author: "test",
    reason: "test",
    atMs: 0,
  })
  const counts = noCounts()
  const engine = createEngine({
    plantClock: "event",
    revisions: { at: () => revision, after: (number) => (number < revision.number ? revision : undefined) },
    rulebook: rulebooks((_, problems) => {
      throw new TypeError(problems.join("\n"))
    }),
    counts,
  })
  return { revision, engine, counts }
}

/** How much of a recording was of use. */
export type Use = {
  rows: number
  /** Rows of assets that are not in the plant, or not meant. */
  strangers: number
  /** Values outside what their class admits; on a live plant they would be dead letters. */
  outside: number
  /** Names of signals in it that the asset's class does not declare, the first ten. */
  unknown: string[]
  firstMs: number | undefined
  lastMs: number | undefined
}

const mostUnknown = 10

export function noUse(): Use {
  return { rows: 0, strangers: 0, outside: 0, unknown: [], firstMs: undefined, lastMs: undefined }
}

/** The record that a row stands for; undefined where nothing of it is for this plant, or for the one asset meant. */
export function recordOf(
  recorded: Recorded,
  { assets, plant }: Revision,
  only: string | undefined,
  use: Use,
): Reading | AssetEvent | undefined {
  use.rows++
  const asset = assets.get(recorded.asset)
  if (asset === undefined || (only !== undefined && asset.id !== only)) {
    use.strangers++
    return undefined
  }
  const { atMs } = recorded
  use.firstMs = Math.min(use.firstMs ?? atMs, atMs)
  use.lastMs = Math.max(use.lastMs ?? atMs, atMs)
  const base = { site: asset.site, asset: asset.id, atMs, arrivedMs: atMs }
  if (recorded.kind === "event")
    return { kind: "event", ...base, code: recorded.code, attributes: recorded.attributes }
  const signals = plant.classes.find(({ id }) => id === asset.class)?.signals ?? {}
  const values: Record<string, number> = {}
  for (const [signal, value] of Object.entries(recorded.values)) {
    if (!Object.hasOwn(signals, signal)) {
      if (use.unknown.length < mostUnknown && !use.unknown.includes(signal)) use.unknown.push(signal)
      continue
    }
    const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = signals[signal] ?? {}
    if (value < min || value > max) use.outside++
    else values[signal] = value
  }
  return { kind: "reading", ...base, values }
}
