import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import fc from "fast-check"
import pino from "pino"
import { afterEach, beforeEach, expect, test } from "vitest"
import { MillwrightError } from "../../core/errors.ts"
import { SqliteThread } from "../../core/sqlite/thread.ts"
import type { Series, Span, TelemetryStore } from "../../core/telemetry.ts"
import type { Quality, Reading, Sample } from "../../core/vocabulary.ts"
import { openSqliteTelemetry } from "../../ingest/historian/sqlite-store.ts"
import { reading, samples } from "../contract/telemetry-store.ts"

const logger = pino({ level: "silent" })
const level: Series = { asset: "tank-1", signal: "level" }
const always: Span = { fromMs: Number.NEGATIVE_INFINITY, toMs: Number.POSITIVE_INFINITY }

let directory: string
let files = 0
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "millwright-telemetry-"))
})
afterEach(() => rm(directory, { recursive: true }))

const nextFile = () => join(directory, `telemetry-${files++}.db`)

async function blocksIn(path: string) {
  const database = SqliteThread.reader(path)
  const rows = await database.all(
    `SELECT series, 1 AS packed, from_ms, to_ms, count FROM packed_block
     UNION ALL SELECT series, 0, from_ms, to_ms, length(data) / 25 FROM fresh_block ORDER BY series, from_ms`,
  )
  await database.close()
  return rows.map(({ series, packed, from_ms, to_ms, count }) => ({
    series: Number(series),
    isPacked: packed === 1,
    fromMs: Number(from_ms),
    toMs: Number(to_ms),
    count: Number(count),
  }))
}

/** Opens and closes until opening finds nothing left to pack. */
async function packWhole(
  path: string,
  options: { blockSamples: number; freshBlocks: number },
): Promise<void> {
  for (;;) {
    const store = await openSqliteTelemetry(path, { logger, ...options })
    await store.close()
    const fresh = (await blocksIn(path)).filter(({ isPacked }) => !isPacked)
    if (fresh.length < options.freshBlocks) return
  }
}

type Written = {
  readonly signal: string
  readonly atMs: number
  readonly value: number
  readonly quality: Quality
}
type Step =
  | { readonly kind: "write"; readonly samples: readonly Written[] }
  | { readonly kind: "forget"; readonly atMs: number }
  | { readonly kind: "reopen" }

const signals = ["level", "flow", "pressure"]
const anyWritten = fc.record({
  signal: fc.constantFrom(...signals),
  atMs: fc.oneof(
    { weight: 9, arbitrary: fc.integer({ min: -30, max: 30 }) },
    { weight: 1, arbitrary: fc.maxSafeInteger() },
  ),
  value: fc.double({ noNaN: true, noDefaultInfinity: true }),
  quality: fc.constantFrom<Quality>("good", "uncertain", "bad"),
})
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({
      kind: fc.constant("write" as const),
      samples: fc.array(anyWritten, { maxLength: 20 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("forget" as const), atMs: fc.integer({ min: -30, max: 30 }) }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "reopen" as const }) },
)

function readingOf({ signal, atMs, value, quality }: Written): Reading {
  return reading("tank-1", atMs, { [signal]: value }, { [signal]: quality })
}

test("whatever is written, packed, forgotten and reopened in whatever order, it reads as a map by time", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyStep, { minLength: 5, maxLength: 40 }),
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 1, max: 4 }),
      async (steps, blockSamples, freshBlocks) => {
        const path = nextFile()
        const open = () => openSqliteTelemetry(path, { logger, blockSamples, freshBlocks })
        const models = new Map(signals.map((signal) => [signal, new Map<number, Sample>()]))
        let store = await open()
        const check = async () => {
          for (const [signal, model] of models) {
            const series = { asset: "tank-1", signal }
            const expected = [...model.values()].sort((a, b) => a.atMs - b.atMs)
            expect(await samples(store, series, always)).toEqual(expected)
            expect(await samples(store, series, { fromMs: -7, toMs: 9 })).toEqual(
              expected.filter(({ atMs }) => atMs >= -7 && atMs < 9),
            )
            expect(await store.last(series)).toEqual(expected.at(-1))
          }
        }
        for (const step of steps) {
          if (step.kind === "write") {
            await store.write(step.samples.map(readingOf))
            for (const { signal, ...sample } of step.samples) {
              const arrivedMs = sample.atMs + 20
              models.get(signal)?.set(sample.atMs, { asset: "tank-1", signal, ...sample, arrivedMs })
            }
          } else if (step.kind === "forget") {
            await store.forgetBefore(step.atMs)
            for (const model of models.values()) {
              for (const atMs of model.keys()) if (atMs < step.atMs) model.delete(atMs)
            }
          } else {
            await store.close()
            store = await open()
          }
          await check()
        }
        await store.close()
        const packed = (await blocksIn(path)).filter(({ isPacked }) => isPacked)
        packed.forEach(({ series, fromMs, count }, at) => {
          expect(count).toBeLessThanOrEqual(blockSamples)
          const before = packed[at - 1]
          if (before?.series === series) expect(fromMs).toBeGreaterThan(before.toMs)
        })
      },
    ),
    // Not shrunk: each run opens files and threads, and the seed finds it again.
    { numRuns: 12, endOnFailure: true },
  )
})

test("single samples end up in blocks at least half full, also where they come backwards", async () => {
  const options = { blockSamples: 32, freshBlocks: 8 }
  for (const direction of [1, -1]) {
    const path = nextFile()
    const store = await openSqliteTelemetry(path, { logger, ...options })
    for (let at = 0; at < 320; at++) await store.write([reading("tank-1", direction * at, { level: at })])
    expect(await samples(store, level, always)).toHaveLength(320)
    await store.close()
    await packWhole(path, options)
    const packed = (await blocksIn(path)).filter(({ isPacked }) => isPacked)
    const small = packed.filter(({ count }) => count < 16)
    expect(packed.length).toBeGreaterThan(8)
    expect(small.length).toBeLessThanOrEqual(1)
  }
})

test("a long history is read in bounded stretches that leave nothing out", async () => {
  const path = nextFile()
  const store = await openSqliteTelemetry(path, { logger, blockSamples: 8, freshBlocks: 1000 })
  const batch = Array.from({ length: 1000 }, (_, at) => reading("tank-1", at, { level: at }))
  await store.write(batch)
  // Forty blocks that all cover the same span: more than one stretch takes at once.
  for (let from = 0; from < 40; from++) {
    await store.write([
      reading("tank-1", from, { level: -from }),
      reading("tank-1", 900 + from, { level: -from }),
    ])
  }
  const found = await samples(store, level, always)
  expect(found.map(({ atMs }) => atMs)).toEqual(batch.map(({ atMs }) => atMs))
  expect(found.filter(({ value }) => value < 0)).toHaveLength(78)
  await store.close()
})

test("the mean of very large values is not infinite", async () => {
  const store = await openSqliteTelemetry(nextFile(), { logger })
  const values = [Number.MAX_VALUE, Number.MAX_VALUE, -Number.MAX_VALUE, -Number.MAX_VALUE]
  await store.write(values.map((value, at) => reading("tank-1", at, { level: value })))
  const [bucket] = await store.downsample(level, always, 1000)
  expect(Math.abs(Number(bucket?.mean)) / Number.MAX_VALUE).toBeLessThan(1e-12)
  await store.close()
})

test("a bucket begins at the multiple before it also where a quotient would be rounded", async () => {
  const store = await openSqliteTelemetry(nextFile(), { logger })
  const atMs = Number.MAX_SAFE_INTEGER - 2
  await store.write([reading("tank-1", atMs, { level: 1 }), reading("tank-1", -1, { level: 1 })])
  const buckets = await store.downsample(level, always, 10)
  expect(buckets.map(({ fromMs }) => fromMs)).toEqual([-10, atMs - (atMs % 10)])
  await store.close()
})

test("a read that has begun goes on while everything that it reads is packed", async () => {
  const store: TelemetryStore = await openSqliteTelemetry(nextFile(), {
    logger,
    blockSamples: 8,
    freshBlocks: 70,
  })
  for (let at = 0; at < 60; at++) {
    await store.write(
      Array.from({ length: 4 }, (_, index) => reading("tank-1", 4 * at + index, { level: at })),
    )
  }
  const found: number[] = []
  for await (const { atMs } of store.range(level, { fromMs: 0, toMs: 240 })) {
    found.push(atMs)
    if (atMs % 20 === 0) await store.write([reading("tank-1", 1000 + atMs, { level: 0 })])
  }
  expect(found).toEqual(Array.from({ length: 240 }, (_, at) => at))
  await store.close()
})

test("a file that can't be opened is told with STORE_FAILED", async () => {
  const opening = openSqliteTelemetry(join(directory, "nowhere", "telemetry.db"), { logger })
  await expect(opening).rejects.toBeInstanceOf(MillwrightError)
  await expect(opening).rejects.toMatchObject({ code: "STORE_FAILED" })
})
