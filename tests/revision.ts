import type { Catalogue } from "../core/catalogue.ts"
import type { Log } from "../core/log/log.ts"
import { type PlantRevision, topics } from "../core/topics.ts"

/** A revision of a plant as the log and the register have it. */
export function plantRevision(source: string, overrides: Partial<PlantRevision> = {}): PlantRevision {
  return {
    revision: 1,
    plant: "test",
    source,
    changedIn: {},
    effectiveMs: 0,
    author: "test",
    reason: "test",
    atMs: 0,
    ...overrides,
  }
}

/** Resolves when the catalogue has it. */
export async function announce(log: Log, catalogue: Catalogue, revision: PlantRevision): Promise<void> {
  await log.append(topics.catalogue, [{ key: revision.plant, value: revision }])
  await catalogue.knows(revision.revision)
}
