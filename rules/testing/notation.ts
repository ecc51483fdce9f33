/**
 * How cases are written: samples, events and what people do as lines of text, and detections as lines of text.
 * docs/rule-testing.md explains it to who writes them.
 *
 *   00:10 vibration=7.4 power=12            a reading: `HH:MM[:SS]` of the first day
 *   d2 00:10 vibration=7.4                  two days later; or a date: 2026-03-04 00:10
 *   00:10 vibration=~7.4                    of bad quality
 *   00:10 vibration=7.4 untimed             the publisher gave no time of its own
 *   00:10 vibration=7.4 arrives 00:30       it comes twenty minutes late
 *   00:00 every 1m vibration=0+1x10 5x3 _x2 power=3x13   series side by side: 0 to 10, four times 5, twice nothing
 *   00:00 to d2 00:00 every 1h power=5,6    until then (exclusive), the values in turn
 *   00:10 on P2 vibration=3                 of another asset than the case's
 *   00:10 !error4 component=bearing         an event with its attributes
 *   00:10 @acknowledge high                 a person; also `@shelve high until 08:00` and `@unshelve high`
 *   00:10 tick                              the clock reaches this time
 */
import { parseDuration } from "../../core/duration.ts"
import type { Action, AssetEvent, Detection, Reading, Scalar, Tick } from "../../core/vocabulary.ts"
import { steps as kinds, severities } from "../../core/vocabulary.ts"

/** One line of a case, with its number in the file. */
export type Line = { readonly number: number; readonly text: string }

/** What lines are about. */
export type Place = {
  /** Midnight (UTC) of the first day. */
  readonly startMs: number
  /** The asset of lines that name none; undefined where each must. */
  readonly asset: string | undefined
  /** The site of an asset, and the signals that it has. Undefined for an asset that is not there. */
  readonly assetOf: (id: string) => { readonly site: string; readonly signals: readonly string[] } | undefined
  /** The ids of the rules that there are. */
  readonly rules: readonly string[]
  /** Times are written as dates: what was recorded has days of its own. */
  readonly isDated?: boolean
}

/** A record, when it arrives, and the line that it comes from. An `acknowledge` has its rule, and no episode yet. */
export type Input = {
  readonly arrivesMs: number
  readonly line: number
  readonly record: Reading | AssetEvent | Tick | Action
}

/** A line that can't be read: what was expected, and what stands there. */
export class LineError extends Error {
  readonly line: number

  constructor(line: number, message: string) {
    super(message)
    this.line = line
  }
}

/** More than any case needs, and still little memory. */
const mostRecords = 1_000_000
const day = 86_400_000

/** The lines of a text that say something; `firstLine` is the number of its first one in the file. */
export function linesOf(text: string, firstLine = 1): Line[] {
  return text
    .split("\n")
    .map((line, at) => ({ number: firstLine + at, text: line.replace(/(^|\s)#.*$/, "").trim() }))
    .filter((line) => line.text !== "")
}

/**
 * Records in the order in which they arrive. Lines arrive in the order in which they stand, a line whose time is
 * earlier than that of the line before it being late; a series goes on beside the lines below it.
 * `onWrong` hears of each line that can't be read; by default the first one is thrown.
 */
export function readInput(
  lines: readonly Line[],
  place: Place,
  onWrong: (error: LineError) => void = (error) => {
    throw error
  },
): Input[] {
  const inputs: Input[] = []
  let reachedMs = Number.NEGATIVE_INFINITY
  for (const line of lines) {
    try {
      const { records, arrivesMs } = readLine(line.text, place)
      const firstMs = records[0]?.atMs ?? reachedMs
      if (inputs.length + records.length > mostRecords) throw tooMany()
      for (const record of records) {
        const atMs = arrivesMs ?? Math.max(reachedMs, record.atMs)
        inputs.push({
          arrivesMs: atMs,
          line: line.number,
          record: record.kind === "tick" ? record : { ...record, arrivedMs: atMs },
        })
      }
      if (arrivesMs === undefined) reachedMs = Math.max(reachedMs, firstMs)
    } catch (error) {
      if (error instanceof LineError || !(error instanceof Unreadable)) throw error
      onWrong(new LineError(line.number, `${error.message}, in "${line.text}"`))
    }
  }
  return inputs.sort((a, b) => a.arrivesMs - b.arrivesMs)
}

class Unreadable extends Error {}

function tooMany(): Unreadable {
  return new Unreadable(`expected at most ${mostRecords} records in one case`)
}

const time = /^(?:(\d{4}-\d\d-\d\d) |d(\d+) )?(\d\d):(\d\d)(?::(\d\d))?(?: |$)/

function readTime(text: string, startMs: number): { readonly atMs: number; readonly rest: string } {
  const [whole, date, days = "0", hours, minutes, seconds = "0"] = time.exec(text) ?? []
  const firstMs = date === undefined ? startMs + Number(days) * day : Date.parse(`${date}T00:00Z`)
  const ofDay = Number(hours) * 3_600_000 + Number(minutes) * 60_000 + Number(seconds) * 1000
  const isOnClock = ofDay <= day && Number(minutes) < 60 && Number(seconds) < 60
  if (whole === undefined || !Number.isFinite(firstMs) || !isOnClock)
    throw new Unreadable("expected a time, such as 06:00, 06:00:30, d2 06:00 or 2026-03-04 06:00")
  return { atMs: firstMs + ofDay, rest: text.slice(whole.length).trim() }
}

type Read = { readonly records: readonly Input["record"][]; readonly arrivesMs?: number }

function readLine(text: string, place: Place): Read {
  const { atMs, rest } = readTime(text, place.startMs)
  if (rest === "tick") return { records: [{ kind: "tick", atMs }] }
  if (/^(to|every)\b/.test(rest)) return { records: readSeries(rest, atMs, place) }
  const late = rest.lastIndexOf(" arrives ")
  if (late === -1) return { records: [readRecord(rest, atMs, place)] }
  const arrival = readTime(rest.slice(late + " arrives ".length), place.startMs)
  if (arrival.rest !== "") throw new Unreadable(`expected nothing after the arrival, got "${arrival.rest}"`)
  if (arrival.atMs < atMs) throw new Unreadable("expected an arrival that is not before the time itself")
  return { records: [readRecord(rest.slice(0, late), atMs, place)], arrivesMs: arrival.atMs }
}

/** Words apart by spaces; "in quotes" a word may hold some. */
function wordsOf(text: string): string[] {
  return [...text.matchAll(/(?:"[^"]*"|[^\s"])+/g)].map(([word]) => word.replaceAll('"', ""))
}

type About = { readonly site: string; readonly asset: string }

/** Takes `on ASSET` off the words. */
function takeAsset(words: string[], place: Place): About & { readonly signals: readonly string[] } {
  const named = words[0] === "on" ? words.splice(0, 2)[1] : place.asset
  if (named === undefined)
    throw new Unreadable('expected "on ASSET", since neither the case nor the plant says which one is meant')
  const asset = place.assetOf(named)
  if (asset === undefined) throw new Unreadable(`there is no asset "${named}"`)
  return { site: asset.site, asset: named, signals: asset.signals }
}

function readRecord(text: string, atMs: number, place: Place): Reading | AssetEvent | Action {
  const words = wordsOf(text)
  const { signals, ...about } = takeAsset(words, place)
  const base = { ...about, atMs, arrivedMs: atMs }
  const first = words[0] ?? ""
  if (first.startsWith("@")) return readAction(words, base, place)
  if (first.startsWith("!")) {
    return {
      kind: "event",
      ...base,
      code: first.slice(1),
      attributes: Object.fromEntries(words.slice(1).map(readAttribute)),
    }
  }
  const isUntimed = words.at(-1) === "untimed" && words.pop() !== undefined
  const columns = readColumns(words, signals)
  if (columns.some(({ values }) => values.length > 1))
    throw new Unreadable('expected one value of each signal, or "every 1m" before several')
  const reading = readingAt(columns, 0, base, isUntimed)
  if (reading === undefined) throw new Unreadable("expected signal=value, !event, @action or tick")
  return reading
}

type Base = About & { readonly atMs: number; readonly arrivedMs: number }

function readAction(words: readonly string[], base: Base, place: Place): Action {
  const [verb = "", rule, until, ...when] = words
  if (rule !== undefined) checkRule(rule, place)
  const action = { kind: "action", ...base, actor: "tester", reason: "as the case says" } as const
  if (verb === "@acknowledge" && until === undefined)
    return { ...action, action: "acknowledge", ...(rule === undefined ? {} : { rule }) }
  if (verb === "@unshelve" && rule !== undefined && until === undefined)
    return { ...action, action: "unshelve", rule }
  if (verb === "@shelve" && rule !== undefined && until === "until") {
    const { atMs: untilMs, rest } = readTime(when.join(" "), place.startMs)
    if (rest === "" && untilMs > base.atMs) return { ...action, action: "shelve", rule, untilMs }
  }
  throw new Unreadable(
    "expected @acknowledge, @acknowledge RULE, @shelve RULE until TIME (later) or @unshelve RULE",
  )
}

function checkRule(rule: string, { rules }: Place): void {
  if (!rules.includes(rule))
    throw new Unreadable(`there is no rule "${rule}": expected one of ${rules.join(", ") || "none"}`)
}

function readSeries(text: string, fromMs: number, place: Place): Reading[] {
  let rest = text
  let untilMs: number | undefined
  if (rest.startsWith("to ")) {
    const until = readTime(rest.slice(3), place.startMs)
    untilMs = until.atMs
    rest = until.rest
  }
  const [, every = "", what = ""] = /^every (\S+) (.*)$/.exec(rest) ?? []
  const stepMs = parseDuration(every)
  if (stepMs === undefined || stepMs <= 0) throw new Unreadable('expected "every 1m signal=values"')
  const words = wordsOf(what)
  const { signals, ...about } = takeAsset(words, place)
  if (/^[!@]/.test(words[0] ?? "")) throw new Unreadable("expected signals: an event or action happens once")
  const isUntimed = words.at(-1) === "untimed" && words.pop() !== undefined
  const columns = readColumns(words, signals)
  const longest = Math.max(0, ...columns.map(({ values }) => values.length))
  const count = untilMs === undefined ? longest : Math.ceil((untilMs - fromMs) / stepMs)
  if (count > mostRecords) throw tooMany()
  if (count < 1) throw new Unreadable("expected an end after the beginning, and values")
  const isCycle = untilMs !== undefined
  return Array.from({ length: count }, (_, at) => {
    const atMs = fromMs + at * stepMs
    return readingAt(columns, at, { ...about, atMs, arrivedMs: atMs }, isUntimed, isCycle)
  }).filter((reading) => reading !== undefined)
}

type Value = { readonly value: number; readonly isBad: boolean }
type Column = { readonly signal: string; readonly values: (Value | undefined)[] }

/** `a=1,2 3x4 b=5`: what has no name goes on with the signal before it. */
function readColumns(words: readonly string[], signals: readonly string[]): Column[] {
  const columns: Column[] = []
  for (const word of words) {
    const equals = word.indexOf("=")
    if (equals !== -1) {
      const signal = word.slice(0, equals)
      if (!signals.includes(signal))
        throw new Unreadable(
          `there is no signal "${signal}": expected one of ${signals.join(", ") || "none"}`,
        )
      if (columns.some((column) => column.signal === signal))
        throw new Unreadable(`expected ${signal} once in a line`)
      columns.push({ signal, values: [] })
    }
    const values = columns.at(-1)?.values
    if (values === undefined)
      throw new Unreadable(`expected signal=value, !event, @action or tick, got "${word}"`)
    for (const item of word.slice(equals + 1).split(",")) {
      if (item === "" && equals === -1) continue
      for (const value of readItem(item)) values.push(value)
      if (values.length > mostRecords) throw tooMany()
    }
  }
  return columns
}

const number = String.raw`[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?`
const step = String.raw`[+-](?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?`
const item = new RegExp(`^(~?)(${number})(?:(${step})?x(\\d+))?$`)

/** `5`, `~5`, `5x3` (four times), `0+1x10` (0 to 10, as promtool counts), `_` and `_x3` (nothing, three times). */
function readItem(text: string): (Value | undefined)[] {
  const [, missing] = /^_(?:x(\d+))?$/.exec(text) ?? []
  if (text === "_" || missing !== undefined) return repeat(Number(missing ?? 1), () => undefined)
  const [whole, bad, first = "", rise = "0", more = "0"] = item.exec(text) ?? []
  if (whole === undefined)
    throw new Unreadable(`expected a value such as 7.4, ~7.4, 5x3, 0+1x10 or _x2, got "${text}"`)
  const values = repeat(Number(more) + 1, (at) => ({
    // 0+0.1x10 is 0.3 for whoever wrote it, and not 0.30000000000000004.
    value: at === 0 ? Number(first) : Number((Number(first) + at * Number(rise)).toPrecision(12)),
    isBad: bad === "~",
  }))
  if (values.some(({ value }) => !Number.isFinite(value)))
    throw new Unreadable(`"${text}" leaves the range of numbers`)
  return values
}

function repeat<T>(count: number, of: (at: number) => T): T[] {
  if (count > mostRecords) throw tooMany()
  return Array.from({ length: count }, (_, at) => of(at))
}

function readingAt(
  columns: readonly Column[],
  turn: number,
  base: Base,
  isUntimed: boolean,
  isCycle = false,
): Reading | undefined {
  const values: Record<string, number> = {}
  const quality: Record<string, "bad"> = {}
  for (const column of columns) {
    const one = column.values[isCycle ? turn % column.values.length : turn]
    if (one === undefined) continue
    values[column.signal] = one.value
    if (one.isBad) quality[column.signal] = "bad"
  }
  if (Object.keys(values).length === 0) return undefined
  return {
    kind: "reading",
    ...base,
    values,
    ...(Object.keys(quality).length > 0 ? { quality } : {}),
    ...(isUntimed ? { untimed: true as const } : {}),
  }
}

function readAttribute(word: string): [string, Scalar] {
  const equals = word.indexOf("=")
  if (equals < 1) throw new Unreadable(`expected attribute=value, got "${word}"`)
  const value = word.slice(equals + 1)
  return [word.slice(0, equals), value !== "" && Number.isFinite(Number(value)) ? Number(value) : value]
}

/** A detection as a case expects it. */
export type Expected = {
  readonly line: number
  readonly text: string
  readonly atMs: number
  readonly asset: string
  readonly rule: string
  readonly kind: Detection["kind"]
  readonly severity: Detection["severity"]
  /** What stands in parentheses. */
  readonly mark: string
  /** Left out: any. */
  readonly reason: string | undefined
}

const found = new RegExp(
  `^(?:on ("[^"]*"|\\S+) )?(.+?) (${kinds.join("|")}) (${severities.join("|")})(?: \\(([^)]*)\\))?(?:: (.*))?$`,
)

/** `00:20 rule opened alarm: reason`, the reason being optional. Throws `LineError`. */
export function readExpected({ number: line, text }: Line, place: Place): Expected {
  try {
    const { atMs, rest } = readTime(text, place.startMs)
    const [whole, named, rule = "", kind, severity, mark = "", reason] = found.exec(rest) ?? []
    if (whole === undefined)
      throw new Unreadable(
        `expected "TIME RULE STEP SEVERITY: REASON", with a step of ${kinds.join(", ")} and a severity of ${severities.join(", ")}`,
      )
    checkRule(rule, place)
    const { asset } = takeAsset(named === undefined ? [] : ["on", named.replaceAll('"', "")], place)
    return {
      line,
      text,
      atMs,
      asset,
      rule,
      kind: kind as Detection["kind"],
      severity: severity as Detection["severity"],
      mark,
      reason,
    }
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error
    throw new LineError(line, `${error.message}, in "${text}"`)
  }
}

/** Why it ended, where that is not the condition, and whether nobody was told. */
function markOf({ cause, quiet }: Detection): string {
  return [cause === "condition" ? undefined : cause, quiet].filter((one) => one !== undefined).join(", ")
}

export function isExpected(detection: Detection, expected: Expected): boolean {
  return (
    detection.atMs === expected.atMs &&
    detection.asset === expected.asset &&
    detection.rule === expected.rule &&
    detection.kind === expected.kind &&
    detection.severity === expected.severity &&
    markOf(detection) === expected.mark &&
    (expected.reason === undefined || detection.reason === expected.reason)
  )
}

/** A detection as cases write it: `00:20 rule opened alarm: reason`. */
export function writeDetection(detection: Detection, place: Place): string {
  const { atMs, rule, kind, severity, reason, asset } = detection
  const mark = markOf(detection)
  const named = asset.includes(" ") ? `"${asset}"` : asset
  const on = asset === place.asset ? "" : `on ${named} `
  return `${writeTime(atMs, place)} ${on}${rule} ${kind} ${severity}${mark === "" ? "" : ` (${mark})`}: ${reason}`
}

/** `06:00`, `d2 06:00` or, where days are dates, `2026-03-04 06:00`. */
function writeTime(atMs: number, { startMs, isDated = false }: Place): string {
  const text = new Date(atMs).toISOString()
  const clock = text.slice(11, 19).replace(/:00$/, "")
  if (isDated || atMs < startMs) return `${text.slice(0, 10)} ${clock}`
  const days = Math.floor((atMs - startMs) / day)
  return days > 0 ? `d${days} ${clock}` : clock
}
