import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import pino from "pino"
import { openSqliteTelemetry } from "../../ingest/historian/sqlite-store.ts"
import { telemetryStoreContract } from "./telemetry-store.ts"

const logger = pino({ level: "silent" })

async function place(options: { blockSamples?: number; freshBlocks?: number } = {}) {
  const directory = await mkdtemp(join(tmpdir(), "millwright-telemetry-"))
  return {
    open: () => openSqliteTelemetry(join(directory, "telemetry.db"), { logger, ...options }),
    remove: () => rm(directory, { recursive: true }),
  }
}

telemetryStoreContract("in a SQLite file", () => place())
telemetryStoreContract("in a SQLite file that packs all the time", () =>
  place({ blockSamples: 4, freshBlocks: 1 }),
)
