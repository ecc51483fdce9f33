/** Telemetry as lines of InfluxDB's line protocol, with times in milliseconds. */
import { type AssetEvent, partOf, type Reading } from "../../core/vocabulary.ts"
import { settle } from "./columns.ts"
import { bySeries } from "./grouping.ts"
import { lineTag } from "./influx-tags.ts"

/** What one request carries. */
export type Lines = { readonly text: string; readonly count: number }

/** The first and the last whole millisecond that InfluxDB's nanoseconds hold: 1677-09-21 to 2262-04-11. */
export const firstMs = -9_223_372_036_854
export const lastMs = 9_223_372_036_854

/** So many lines are quick to take for the server, and few enough for their text not to matter in memory. */
const linesAtOnce = 5000
const charactersAtOnce = 2_000_000
/** InfluxDB's own limits of a text field and of the tags of a line. */
const maxTextBytes = 1_048_576
const maxTagsBytes = 65_000

/** What InfluxDB can't hold, of one batch: counted, with the first reason. */
export class SetAside {
  count = 0
  first = ""

  add(count: number, reason: string): void {
    if (this.count === 0) this.first = reason
    this.count += count
  }
}

/**
 * A batch as requests of bounded size. What is in it twice is written once, as it came last: InfluxDB keeps no promise
 * for one time in one request, and none between requests that are under way together.
 */
export function* requestsOf(
  batch: readonly (Reading | AssetEvent)[],
  setAside: SetAside,
): Generator<Lines, void> {
  let lines: string[] = []
  let characters = 0
  for (const line of linesOf(batch, setAside)) {
    lines.push(line)
    characters += line.length
    if (lines.length < linesAtOnce && characters < charactersAtOnce) continue
    yield { text: lines.join("\n"), count: lines.length }
    lines = []
    characters = 0
  }
  if (lines.length > 0) yield { text: lines.join("\n"), count: lines.length }
}

function* linesOf(batch: readonly (Reading | AssetEvent)[], setAside: SetAside): Generator<string, void> {
  for (const { asset, signal, columns } of bySeries(batch.filter((one) => one.kind === "reading"))) {
    const { times, values, arrivals, qualities } = settle([columns])
    const series = `sample,asset=${lineTag(asset)},signal=${lineTag(signal)} value=`
    for (let at = 0; at < times.length; at++) {
      const value = values[at] as number
      const time = times[at] as number
      const arrived = arrivals[at] as number
      const fault = Number.isFinite(value) ? faultOfTimes(time, arrived) : `its value is ${value}`
      if (fault === undefined) {
        yield `${series}${float(value)},quality=${qualities[at]}i,arrived=${arrived}i ${time}`
      } else setAside.add(1, `signal "${signal}" of asset "${asset}" at ${time}: ${fault}`)
    }
  }
  for (const event of lastOfEach(batch.filter((one) => one.kind === "event")))
    yield* eventLine(event, setAside)
}

function* eventLine(event: AssetEvent, setAside: SetAside): Generator<string, void> {
  const { asset, code, site, atMs, arrivedMs } = event
  const part = partOf(event)
  // A tag can't be empty: an event about the asset as a whole has none.
  const tags = `asset=${lineTag(asset)},code=${lineTag(code)}${part === "" ? "" : `,part=${lineTag(part)}`}`
  const attributes = JSON.stringify(event.attributes)
  const fault =
    faultOfTimes(atMs, arrivedMs) ??
    tooLong("its attributes", attributes, maxTextBytes) ??
    tooLong("its code and part", tags, maxTagsBytes)
  if (fault !== undefined) {
    setAside.add(1, `event of asset "${asset}" at ${atMs}: ${fault}`)
    return
  }
  // Each field every time: InfluxDB merges fields, and one left out would keep the value of the event before.
  const fields = `site=${lineText(site)},attributes=${lineText(attributes)},arrived=${arrivedMs}i,untimed=${event.untimed === true}`
  yield `event,${tags} ${fields} ${atMs}`
}

function lastOfEach(events: readonly AssetEvent[]): Iterable<AssetEvent> {
  if (events.length < 2) return events
  const last = new Map<string, AssetEvent>()
  for (const event of events) {
    last.set(JSON.stringify([event.asset, event.code, partOf(event), event.atMs]), event)
  }
  return last.values()
}

function faultOfTimes(atMs: number, arrivedMs: number): string | undefined {
  if (!(Number.isSafeInteger(atMs) && atMs >= firstMs && atMs <= lastMs)) {
    return "its time is outside 1677-09-21 to 2262-04-11"
  }
  return Number.isSafeInteger(arrivedMs) ? undefined : `its arrival is ${arrivedMs}`
}

function tooLong(what: string, text: string, maxBytes: number): string | undefined {
  // A UTF-16 code unit is three bytes of UTF-8 at most.
  if (text.length * 3 <= maxBytes) return undefined
  const bytes = Buffer.byteLength(text)
  return bytes <= maxBytes ? undefined : `${what} are ${bytes} bytes, and InfluxDB takes ${maxBytes}`
}

/** The shortest text of a double that reads as the same one; minus zero has none of its own in JavaScript. */
function float(value: number): string {
  return Object.is(value, -0) ? "-0" : `${value}`
}

function lineText(text: string): string {
  return `"${text.replace(/["\\]/g, "\\$&")}"`
}
