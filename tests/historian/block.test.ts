import fc from "fast-check"
import { expect, test } from "vitest"
import {
  bytesPerSample,
  freshBlock,
  packedBlock,
  readFresh,
  readPacked,
} from "../../ingest/historian/block.ts"
import { type Columns, emptyColumns } from "../../ingest/historian/columns.ts"

const anyTime = fc.oneof(fc.integer(), fc.maxSafeInteger())
const anySample = fc.record({
  time: anyTime,
  value: fc.double({ noNaN: true }),
  arrival: anyTime,
  quality: fc.integer({ min: 0, max: 2 }),
})

const anyColumns = fc.array(anySample, { minLength: 1, maxLength: 50 }).map((samples) => {
  const columns = emptyColumns(samples.length)
  samples
    .toSorted((a, b) => a.time - b.time)
    .forEach(({ time, value, arrival, quality }, at) => {
      columns.times[at] = time
      columns.values[at] = value
      columns.arrivals[at] = arrival
      columns.qualities[at] = quality
    })
  return columns
})

/** Down to the last bit, the sign of zero included. */
function expectSame(found: Columns, columns: Columns): void {
  expect([...found.times]).toEqual([...columns.times])
  expect([...found.arrivals]).toEqual([...columns.arrivals])
  expect([...found.qualities]).toEqual([...columns.qualities])
  expect(found.values.every((value, at) => Object.is(value, columns.values[at]))).toBe(true)
}

test("a packed block reads back as it was, at any distance of its times", async () => {
  await fc.assert(
    fc.asyncProperty(anyColumns, async (columns) => {
      expectSame(readPacked(await packedBlock(columns)), columns)
    }),
  )
})

test("a fresh block reads back as it was, wherever it lies in memory", () => {
  fc.assert(
    fc.property(anyColumns, fc.nat({ max: 9 }), (columns, offset) => {
      const memory = new ArrayBuffer(offset + columns.times.length * bytesPerSample)
      expectSame(readFresh(freshBlock(columns, memory, offset)), columns)
    }),
  )
})

test("regular samples of a slow signal pack into less than 9 bytes each", async () => {
  const columns = emptyColumns(1024)
  for (let at = 0; at < 1024; at++) {
    columns.times[at] = 1_767_225_600_000 + 1000 * at
    columns.values[at] = Math.round(100 * Math.sin(at / 50)) / 10
    columns.arrivals[at] = 1_767_225_600_020 + 1000 * at + (at % 5)
  }
  expect((await packedBlock(columns)).byteLength / 1024).toBeLessThan(9)
})
