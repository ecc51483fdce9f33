import { stringify } from "yaml"
import { type Revision, readRevision } from "../../core/catalogue.ts"
import type { PlantClock } from "../../core/service.ts"
import { assetState } from "../../rules/asset.ts"
import { createEngine, type Engine } from "../../rules/engine.ts"
import { type Counts, noCounts } from "../../rules/lane.ts"
import { rulebooks } from "../../rules/rulebook.ts"
import { plantRevision } from "../revision.ts"

export const startMs = Date.UTC(2026, 0, 1)

export type Signals = Record<string, { unit?: string; kind?: "gauge" | "meter"; description?: string }>

/** A plant file of one machine class, with these rules. */
export function plantSource(signals: Signals, rules: readonly unknown[], assets: readonly string[] = ["P1"]) {
  return stringify({
    plant: "test",
    sites: [{ id: "north" }],
    classes: [{ id: "machine", signals, components: ["bearing", "seal", "engine"] }],
    assets: assets.map((id) => ({ id, site: "north", class: "machine" })),
    rules: rules.map((rule) => ({ for: { class: "machine" }, ...(rule as object) })),
  })
}

export function revisionOf(source: string, number = 1, effectiveMs = 0): Revision {
  return readRevision(plantRevision(source, { revision: number, effectiveMs }))
}

/** An engine over revisions held in memory, as the catalogue would tell them. */
export function engineOf(
  revisions: readonly Revision[],
  plantClock: PlantClock = "event",
): { engine: Engine; counts: Counts } {
  const counts = noCounts()
  const engine = createEngine({
    plantClock,
    revisions: {
      at: (ms) => revisions.findLast(({ effectiveMs }) => effectiveMs <= ms),
      after: (number) => revisions.find((revision) => revision.number > number),
    },
    rulebook: rulebooks((_, problems) => {
      throw new Error(problems.join("\n"))
    }),
    counts,
  })
  return { engine, counts }
}

/** A copy of everything that the engine keeps, as a database would give it back. */
export function stateOf(engine: Engine): string {
  return JSON.stringify([...engine.assets()])
}

/** A fresh engine that goes on where this one is, as after a restart. */
export function resumed(engine: Engine, fresh: Engine): Engine {
  for (const state of assetState.array().parse(JSON.parse(stateOf(engine)))) fresh.restore(state)
  return fresh
}
