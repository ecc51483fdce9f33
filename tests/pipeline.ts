import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Logger, pino } from "pino"
import { type App, openApp, stageNames } from "../app.ts"
import { type Clock, systemClock } from "../core/clock.ts"
import { loadSettings } from "../core/config.ts"

export type Pipeline = {
  readonly app: App
  readonly url: string
  /** Resolves when so many messages came in: the plant's own broker acknowledges them before. */
  taken(messages: number): Promise<void>
  /** Resolves when every stage has dealt with all that there is. */
  settled(): Promise<void>
  close(): Promise<void>
}

export async function scratchDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), "millwright-"))
}

/** The whole pipeline in this process, on the embedded adapters where no overrides say otherwise, in a directory of its own. */
export async function startPipeline(options: {
  readonly plant?: string
  readonly plantClock?: "wall" | "event"
  readonly directory?: string
  readonly overrides?: Readonly<Record<string, unknown>>
  readonly clock?: Clock
  readonly logger?: Logger
}): Promise<Pipeline> {
  const directory = options.directory ?? (await scratchDirectory())
  const settings = loadSettings({
    env: {},
    overrides: {
      directory,
      "mqtt.port": 0,
      "http.port": 0,
      plantClock: options.plantClock ?? "event",
      "rules.checkpoint": "200ms",
      ...options.overrides,
    },
  })
  const logger = options.logger ?? pino({ level: "silent" })
  const app = await openApp({ settings, clock: options.clock ?? systemClock, logger, stages: stageNames })
  if (options.plant !== undefined) {
    const source = await readFile(options.plant, "utf8")
    await app.plant.apply({ source, actor: "engineer", reason: "test", nowMs: 0, effectiveMs: 0 })
  }
  await app.start()
  return {
    app,
    url: settings.mqtt.url ?? `mqtt://127.0.0.1:${app.ingest.port}`,
    async taken(messages) {
      const metric = app.metrics.getSingleMetric("millwright_messages_total")
      const count = async () => (await metric?.get())?.values[0]?.value ?? 0
      while ((await count()) < messages) await systemClock.sleep(20)
    },
    async settled() {
      // Each stage commits after what it passed on is durable, so a moment without lag is the end of everything.
      while ((await app.log.lags()).some(({ uncommitted }) => uncommitted > 0)) await systemClock.sleep(20)
    },
    async close() {
      await app.close()
      if (options.directory === undefined) await rm(directory, { recursive: true })
    },
  }
}
