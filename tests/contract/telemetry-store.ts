import fc from "fast-check"
import { afterEach, beforeEach, describe, expect, test } from "vitest"
import type { Series, Span, TelemetryStore } from "../../core/telemetry.ts"
import type { AssetEvent, Quality, Reading, Sample } from "../../core/vocabulary.ts"

/** One history that can be opened, closed and opened again. */
export type Place = { open(): Promise<TelemetryStore>; remove(): Promise<void> }

const startMs = Date.UTC(2026, 0, 1)
const minute = 60_000
const temperature: Series = { asset: "pump-1", signal: "temperature" }
const always: Span = { fromMs: Date.UTC(1900, 0, 1), toMs: Date.UTC(2200, 0, 1) }

export function reading(
  asset: string,
  atMs: number,
  values: Readonly<Record<string, number>>,
  quality?: Readonly<Record<string, Quality>>,
): Reading {
  const base = { kind: "reading", site: "plant", asset, atMs, arrivedMs: atMs + 20, values } as const
  return quality === undefined ? base : { ...base, quality }
}

function temperatureAt(atMs: number, value: number, quality?: Quality): Reading {
  return reading("pump-1", atMs, { temperature: value }, quality && { temperature: quality })
}

function event(code: string, atMs: number, attributes: AssetEvent["attributes"] = {}): AssetEvent {
  return { kind: "event", site: "plant", asset: "pump-1", code, atMs, arrivedMs: atMs + 20, attributes }
}

export async function samples(store: TelemetryStore, series: Series, span: Span = always): Promise<Sample[]> {
  const found: Sample[] = []
  for await (const sample of store.range(series, span)) found.push(sample)
  return found
}

const valuesOf = (found: readonly Sample[]) => found.map(({ value }) => value)
const timesOf = (found: readonly Sample[]) => found.map(({ atMs }) => atMs)

/** What every telemetry store promises; `place` gives an empty one. */
export function telemetryStoreContract(name: string, place: () => Promise<Place>): void {
  describe(`the telemetry store ${name}`, () => {
    let at: Place
    let store: TelemetryStore

    beforeEach(async () => {
      at = await place()
      store = await at.open()
    })
    afterEach(async () => {
      await store.close()
      await at.remove()
    })

    test("gives back a sample with its value, quality and arrival", async () => {
      await store.write([
        temperatureAt(startMs, 21.5),
        temperatureAt(startMs + 1, 22.5, "uncertain"),
        temperatureAt(startMs + 2, 23.5, "bad"),
      ])
      expect(await samples(store, temperature)).toEqual([
        { ...temperature, atMs: startMs, value: 21.5, quality: "good", arrivedMs: startMs + 20 },
        { ...temperature, atMs: startMs + 1, value: 22.5, quality: "uncertain", arrivedMs: startMs + 21 },
        { ...temperature, atMs: startMs + 2, value: 23.5, quality: "bad", arrivedMs: startMs + 22 },
      ])
    })

    test("keeps every bit of a value, however large or small", async () => {
      const values = [0, 0.1, -1e-300, 5e-324, Number.MAX_VALUE, -Number.MAX_VALUE, 2 ** 53 + 2, Math.PI]
      await store.write(values.map((value, index) => temperatureAt(startMs + index, value)))
      expect(valuesOf(await samples(store, temperature))).toEqual(values)
    })

    test("keeps times before 1970", async () => {
      const times = [Date.UTC(1932, 5, 1), -1, 0, 1]
      await store.write(times.map((time) => temperatureAt(time, time / 1000)))
      expect(timesOf(await samples(store, temperature))).toEqual(times)
    })

    test("takes signals with the names of an object's own properties", async () => {
      const signals = ["constructor", "toString", "1"]
      await store.write([
        reading("pump-1", startMs, Object.fromEntries(signals.map((signal) => [signal, 7])), { "1": "bad" }),
      ])
      for (const signal of signals) {
        const quality = signal === "1" ? "bad" : "good"
        expect(await samples(store, { asset: "pump-1", signal })).toMatchObject([{ value: 7, quality }])
      }
    })

    test("gives samples in order of time, whatever the order in which they were written", async () => {
      const order = [7, 2, 9, 4, 0, 5, 3, 8, 1, 6]
      await store.write(order.slice(0, 6).map((index) => temperatureAt(startMs + index, index)))
      await store.write(order.slice(6).map((index) => temperatureAt(startMs + index, index)))
      expect(valuesOf(await samples(store, temperature))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    })

    test("reads a sample that was written again as one", async () => {
      const batch = [temperatureAt(startMs, 1), event("error1", startMs, { shift: 2 })]
      await store.write(batch)
      await store.write([...batch, ...batch])
      expect(await samples(store, temperature)).toHaveLength(1)
      expect(await store.events("pump-1", always)).toEqual([event("error1", startMs, { shift: 2 })])
    })

    test("reads the value written last", async () => {
      await store.write([temperatureAt(startMs, 1), temperatureAt(startMs + 1, 1)])
      await store.write([temperatureAt(startMs, 3), temperatureAt(startMs, 2, "uncertain")])
      expect(await samples(store, temperature)).toMatchObject([
        { value: 2, quality: "uncertain" },
        { value: 1, quality: "good" },
      ])
      expect(await store.downsample(temperature, always, minute)).toMatchObject([
        { count: 2, min: 1, max: 2 },
      ])
    })

    test("a span begins inclusive and ends exclusive", async () => {
      await store.write([0, 1, 2, 3].map((index) => temperatureAt(startMs + index, index)))
      await store.write([0, 1, 2, 3].map((index) => event("error1", startMs + index)))
      const span = { fromMs: startMs + 1, toMs: startMs + 3 }
      expect(valuesOf(await samples(store, temperature, span))).toEqual([1, 2])
      expect(await store.downsample(temperature, span, minute)).toMatchObject([{ count: 2, min: 1, max: 2 }])
      expect((await store.events("pump-1", span)).map(({ atMs }) => atMs)).toEqual([startMs + 1, startMs + 2])
      expect(await samples(store, temperature, { fromMs: startMs + 1, toMs: startMs + 1 })).toEqual([])
    })

    test("answers with nothing where there is nothing", async () => {
      await store.write([])
      expect(await samples(store, temperature)).toEqual([])
      expect(await store.last(temperature)).toBeUndefined()
      expect(await store.downsample(temperature, always, minute)).toEqual([])
      expect(await store.events("pump-1", always)).toEqual([])
      expect(await store.series()).toEqual([])
    })

    test("the last sample is the newest in time, not the one written last", async () => {
      await store.write([temperatureAt(startMs, 1), temperatureAt(startMs + minute, 2)])
      await store.write([temperatureAt(startMs + 1, 3)])
      expect(await store.last(temperature)).toMatchObject({ atMs: startMs + minute, value: 2 })
      await store.write([temperatureAt(startMs + minute, 4)])
      expect(await store.last(temperature)).toMatchObject({ atMs: startMs + minute, value: 4 })
    })

    test("keeps many series apart", async () => {
      const assets = Array.from({ length: 60 }, (_, index) => `truck-${String(index).padStart(2, "0")}`)
      const signals = ["a", "b", "c", "d"]
      await store.write(
        [0, 1, 2].flatMap((step) =>
          assets.map((asset, index) =>
            reading(asset, startMs + step, { a: index, b: index + 0.1, c: step, d: index * step }),
          ),
        ),
      )
      expect(await store.series()).toEqual(
        assets.flatMap((asset) => signals.map((signal) => ({ asset, signal }))),
      )
      for (const index of [0, 17, 59]) {
        const asset = assets[index] ?? ""
        expect(valuesOf(await samples(store, { asset, signal: "b" }))).toEqual(Array(3).fill(index + 0.1))
        expect(valuesOf(await samples(store, { asset, signal: "d" }))).toEqual([0, index, 2 * index])
      }
    })

    test("keeps events of one code and time apart by the component that they are about", async () => {
      const installed = ["bearing", "seal"].map((component) =>
        event("component-installed", startMs, { component }),
      )
      await store.write(installed)
      await store.write(installed)
      expect(await store.events("pump-1", always)).toEqual(installed)
    })

    test("gives back events by asset and in order of time, with their attributes", async () => {
      const installed = event("component-installed", startMs + 5, {
        component: "bearing",
        meter: 12.5,
        spare: true,
      })
      const other: AssetEvent = { ...event("error1", startMs + 1), asset: "pump-2" }
      await store.write([installed, event("error1", startMs + 1), other, event("error2", startMs + 3)])
      await store.write([event("error2", startMs + 3, { shift: "late" })])
      expect(await store.events("pump-1", always)).toEqual([
        event("error1", startMs + 1),
        event("error2", startMs + 3, { shift: "late" }),
        installed,
      ])
    })

    test("a bucket counts good and uncertain samples, not bad ones", async () => {
      await store.write([
        temperatureAt(startMs, 1),
        temperatureAt(startMs + 1, 4, "uncertain"),
        temperatureAt(startMs + 2, 1000, "bad"),
        temperatureAt(startMs + minute, 1000, "bad"),
      ])
      expect(await store.downsample(temperature, always, minute)).toEqual([
        { fromMs: startMs, count: 2, min: 1, max: 4, mean: 2.5 },
      ])
    })

    test("downsampling agrees with counting by hand", async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.uniqueArray(
            fc.record({
              atMs: fc.integer({ min: -5000, max: 5000 }),
              value: fc.integer({ min: -100, max: 100 }),
            }),
            { selector: ({ atMs }) => atMs, maxLength: 60 },
          ),
          fc.integer({ min: 1, max: 3000 }),
          fc.integer({ min: -6000, max: 6000 }),
          fc.nat({ max: 8000 }),
          fc.uuid(),
          async (written, bucketMs, fromMs, length, asset) => {
            const series = { asset, signal: "level" }
            const span = { fromMs, toMs: fromMs + length }
            await store.write(written.map(({ atMs, value }) => reading(asset, atMs, { level: value })))
            const expected = new Map<number, number[]>()
            for (const { atMs, value } of written.toSorted((a, b) => a.atMs - b.atMs)) {
              if (atMs < span.fromMs || atMs >= span.toMs) continue
              const bucket = Math.floor(atMs / bucketMs) * bucketMs
              expected.set(bucket, [...(expected.get(bucket) ?? []), value])
            }
            const found = await store.downsample(series, span, bucketMs)
            expect(found.map(({ fromMs, count, min, max }) => ({ fromMs, count, min, max }))).toEqual(
              [...expected].map(([fromMs, values]) => ({
                fromMs: fromMs + 0,
                count: values.length,
                min: Math.min(...values),
                max: Math.max(...values),
              })),
            )
            found.forEach(({ fromMs, mean }) => {
              const values = expected.get(fromMs) ?? []
              expect(mean).toBeCloseTo(values.reduce((sum, value) => sum + value, 0) / values.length, 9)
            })
          },
        ),
        { numRuns: 30 },
      )
    })

    test("forgets what is before a time, and nothing at or after it", async () => {
      await store.write([0, 1, 2, 3, 4].map((index) => temperatureAt(startMs + index, index)))
      await store.write([0, 1, 2].map((index) => event("error1", startMs + index)))
      await store.write([reading("pump-2", startMs, { level: 1 })])
      await store.forgetBefore(startMs + 2)
      expect(valuesOf(await samples(store, temperature))).toEqual([2, 3, 4])
      expect(await store.downsample(temperature, always, minute)).toMatchObject([{ count: 3, min: 2 }])
      expect((await store.events("pump-1", always)).map(({ atMs }) => atMs)).toEqual([startMs + 2])
      expect(await store.series()).toEqual([temperature])
      expect(await store.last({ asset: "pump-2", signal: "level" })).toBeUndefined()
    })

    test("what was forgotten can be written again", async () => {
      await store.write([temperatureAt(startMs, 1), temperatureAt(startMs + 2, 3)])
      await store.forgetBefore(startMs + 1)
      await store.write([temperatureAt(startMs, 5)])
      expect(valuesOf(await samples(store, temperature))).toEqual([5, 3])
    })

    test("everything is still there after opening again", async () => {
      await store.write([temperatureAt(startMs, 1), event("error1", startMs)])
      await store.close()
      store = await at.open()
      await store.write([temperatureAt(startMs + 1, 2), reading("pump-1", startMs, { level: 9 })])
      expect(valuesOf(await samples(store, temperature))).toEqual([1, 2])
      expect(await store.events("pump-1", always)).toEqual([event("error1", startMs)])
      expect(await store.series()).toEqual([{ asset: "pump-1", signal: "level" }, temperature])
    })

    test("a closed store refuses with STORE_FAILED, and can be closed again", async () => {
      await store.write([temperatureAt(startMs, 1)])
      await store.close()
      await store.close()
      const failed = { code: "STORE_FAILED" }
      await expect(store.write([temperatureAt(startMs, 1)])).rejects.toMatchObject(failed)
      await expect(samples(store, temperature)).rejects.toMatchObject(failed)
      await expect(samples(store, { asset: "nobody", signal: "x" })).rejects.toMatchObject(failed)
      await expect(store.last(temperature)).rejects.toMatchObject(failed)
      await expect(store.downsample(temperature, always, minute)).rejects.toMatchObject(failed)
      await expect(store.events("pump-1", always)).rejects.toMatchObject(failed)
      await expect(store.series()).rejects.toMatchObject(failed)
      await expect(store.forgetBefore(startMs)).rejects.toMatchObject(failed)
    })

    test("closing waits for the writes under way", async () => {
      const written = [0, 1, 2].map((index) => store.write([temperatureAt(startMs + index, index)]))
      await Promise.all([...written, store.close()])
      store = await at.open()
      expect(valuesOf(await samples(store, temperature))).toEqual([0, 1, 2])
    })

    test("a read beside writes has everything that was written when it began, once and in order", async () => {
      let written = 0
      let isDone = false
      const write = async () => {
        while (written < 3000) {
          const batch = Array.from({ length: 30 }, (_, index) =>
            temperatureAt(startMs + written + index, written + index),
          )
          await store.write(batch)
          written += batch.length
        }
        isDone = true
      }
      const read = async () => {
        while (!isDone) {
          const before = written
          const found = valuesOf(await samples(store, temperature))
          expect(found).toEqual(found.map((_, index) => index))
          expect(found.length).toBeGreaterThanOrEqual(before)
        }
      }
      await Promise.all([write(), read(), read()])
      expect(await samples(store, temperature)).toHaveLength(3000)
    })
  })
}
