import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pino } from "pino"
import { Registry } from "prom-client"
import { onTestFinished } from "vitest"
import { Catalogue } from "../../core/catalogue.ts"
import { EmbeddedLog } from "../../core/log/embedded.ts"
import { openDatabase } from "../database.ts"
import type { ManualClock } from "../manual-clock.ts"
import { announce, plantRevision } from "../revision.ts"
import { behind } from "../takeover.ts"

export const partitions = 4

/** A directory that goes when the test has ended. */
export function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), "rules-"))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return directory
}

/**
 * What a stage is given, over the files of a plant of this source; opened again over the same files it is as it was.
 * `isBehind`: following has yet to bring the plant's revisions.
 */
export async function openPlantFiles(
  directory: string,
  {
    source,
    clock,
    isBehind = false,
  }: { readonly source: string; readonly clock: ManualClock; readonly isBehind?: boolean },
) {
  const log = await EmbeddedLog.open(join(directory, "log.sqlite"), { partitions, clock, lingerMs: 0 })
  const database = await openDatabase(join(directory, "plant.sqlite"))
  const catalogue = new Catalogue(isBehind ? behind(log) : log)
  await catalogue.start()
  if (catalogue.newest() === undefined && !isBehind) await announce(log, catalogue, plantRevision(source))
  const warnings: string[] = []
  const logger = pino({ level: "warn" }, { write: (line) => warnings.push(line) })
  return {
    context: { log, database, catalogue, clock, logger, metrics: new Registry() },
    warnings,
    /** Closes the files after the stage that was on them. */
    async close(stage: { close(): Promise<void> }) {
      try {
        await stage.close()
      } finally {
        await catalogue.close()
        await log.close()
        await database.close()
      }
    },
  }
}
