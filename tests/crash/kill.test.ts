import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { onTestFinished, test } from "vitest"
import { loadSettings } from "../../core/config.ts"
import { keyOf, uniform } from "../../simulators/machines/noise.ts"
import { type Content, readContent } from "./content.ts"
import { createLoad, type Load } from "./load.ts"
import { type Moment, runLoad } from "./run.ts"
import { expectSame, summaryOf } from "./same.ts"

const isLong = process.env.MILLWRIGHT_LONG === "1"
const seed = Number(process.env.MILLWRIGHT_SEED ?? 1)
const kills = isLong ? 20 : 3
const days = isLong ? 60 : 12
/** How long a server takes until it answers, more or less: kills "in a start" fall within it. */
const startMs = 1500
/** Each is written by another part: appends, checkpoints of all stages, samples. */
const files = ["log.sqlite-wal", "database.sqlite-wal", "telemetry.sqlite-wal"] as const

test(`killed ${kills} times with -9 at random moments, a plant ends with the content of an undisturbed one`, {
  timeout: isLong ? 1_200_000 : 120_000,
}, async () => {
  const load = createLoad(seed, days)
  const expected = await contentAfter(load, [])
  const moments = momentsOf(load)
  const content = await contentAfter(load, moments)
  console.log(`seed ${seed}: ${moments.length} kills; ${summaryOf(load, content)}`)

  expectSame(content, expected, load)
})

async function contentAfter(load: Load, moments: readonly Moment[]): Promise<Content> {
  const directory = mkdtempSync(join(tmpdir(), "crash-"))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  await runLoad(directory, load, moments)
  return readContent(loadSettings({ env: {}, overrides: { directory, partitions: 8 } }))
}

/** Kills in order of what is acknowledged by then; each third one meets the start after the one before. */
function momentsOf({ gateways }: Load): Moment[] {
  const messages = gateways.reduce((sum, one) => sum + one.length, 0)
  const random = (name: string, at: number) => uniform(keyOf(seed, name), at)
  return Array.from({ length: kills }, (_, at): Moment => {
    if (at % 3 === 1) return { kind: "start", afterMs: startMs * random("start", at) }
    const share = (at + random("share", at)) / kills
    const file = files[Math.floor(random("file", at) * files.length)] ?? files[0]
    return { kind: "write", acknowledged: Math.floor(0.9 * share * messages), file }
  })
}
