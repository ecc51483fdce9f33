import type { Series } from "../../core/telemetry.ts"
import type { Reading } from "../../core/vocabulary.ts"
import { badQuality, type Columns, emptyColumns, goodQuality, part, uncertainQuality } from "./columns.ts"

/** The samples of one series in one batch, in the order in which they were written. */
type Group = Series & { readonly columns: Columns }

type Place = Series & { count: number; next: number }

/** Sorts the samples of a batch by series, in two passes over it and with one allocation for all columns. */
export function bySeries(readings: readonly Reading[]): readonly Group[] {
  const places: Place[] = []
  const order: Place[] = []
  const byAsset = new Map<string, Map<string, Place>>()
  for (const { asset, values } of readings) {
    let bySignal = byAsset.get(asset)
    if (bySignal === undefined) {
      bySignal = new Map()
      byAsset.set(asset, bySignal)
    }
    for (const signal in values) {
      let place = bySignal.get(signal)
      if (place === undefined) {
        place = { asset, signal, count: 0, next: 0 }
        bySignal.set(signal, place)
        places.push(place)
      }
      place.count++
      order.push(place)
    }
  }
  let end = 0
  for (const place of places) {
    place.next = end
    end += place.count
  }
  const all = emptyColumns(order.length)
  let sample = 0
  for (const { atMs, arrivedMs, values, quality } of readings) {
    for (const signal in values) {
      const place = order[sample++] as Place
      const at = place.next++
      all.times[at] = atMs
      all.values[at] = values[signal] as number
      all.arrivals[at] = arrivedMs
      if (quality !== undefined) all.qualities[at] = qualityNumber(quality[signal])
    }
  }
  return places.map(({ asset, signal, count, next }) => ({
    asset,
    signal,
    columns: part(all, next - count, next),
  }))
}

function qualityNumber(quality: string | undefined): number {
  return quality === "bad" ? badQuality : quality === "uncertain" ? uncertainQuality : goodQuality
}
