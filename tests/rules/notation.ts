import { parseDuration } from "../../core/duration.ts"
import type { AssetEvent, Detection, Reading, Scalar, Tick } from "../../core/vocabulary.ts"
import { startMs } from "./setup.ts"

/*
 * How the cases are written. A time is `HH:MM[:SS]` of the first day, or `dN HH:MM` N days later.
 *
 *   00:10 vibration=7.4 power=12          a reading (a `~` before a value: bad quality; `untimed` at the end)
 *   00:10 !error4 component=bearing       an event with its attributes
 *   00:10 tick                            the clock reaches this time
 *   00:00 to d2 00:00 every 1h power=5,6  readings from, to (exclusive), the values in turn
 *   09:00 on P2 vibration=3               of another asset than P1
 */
export type Input = Reading | AssetEvent | Tick

export function readInput(text: string): Input[] {
  return linesOf(text).flatMap(readLine)
}

export function linesOf(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.replace(/\s+#.*$/, "").trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
}

const time = /^(?:d(\d+) )?(\d\d):(\d\d)(?::(\d\d))?(?: |$)/
const day = 86_400_000

function readTime(line: string): { atMs: number; rest: string } {
  const [whole, days = "0", hours, minutes, seconds = "0"] = time.exec(line) ?? []
  if (whole === undefined) throw new Error(`expected a time, such as 06:00 or d2 06:00, in "${line}"`)
  const ofDay = Number(hours) * 3_600_000 + Number(minutes) * 60_000 + Number(seconds) * 1000
  return { atMs: startMs + Number(days) * day + ofDay, rest: line.slice(whole.length) }
}

function readLine(line: string): Input[] {
  const { atMs, rest } = readTime(line)
  if (rest === "tick") return [{ kind: "tick", atMs }]
  if (!rest.startsWith("to ")) return [readRecord(rest, atMs, 0)]
  const until = readTime(rest.slice(3))
  const [, every = "", what = ""] = /^every (\S+) (.*)$/.exec(until.rest) ?? []
  const stepMs = parseDuration(every)
  if (stepMs === undefined) throw new Error(`expected "every 1h signal=value" in "${line}"`)
  const count = Math.ceil((until.atMs - atMs) / stepMs)
  return Array.from({ length: count }, (_, at) => readRecord(what, atMs + at * stepMs, at))
}

function readRecord(text: string, atMs: number, turn: number): Reading | AssetEvent {
  const words = text.split(" ")
  const asset = words[0] === "on" ? (words.splice(0, 2)[1] ?? "") : "P1"
  const base = { site: "north", asset, atMs, arrivedMs: atMs }
  if (words[0]?.startsWith("!")) {
    const attributes = Object.fromEntries(words.slice(1).map(readAttribute))
    return { kind: "event", ...base, code: words[0].slice(1), attributes }
  }
  const untimed = words.at(-1) === "untimed" && words.pop() !== undefined
  const values: Record<string, number> = {}
  const quality: Record<string, "bad"> = {}
  for (const word of words) {
    const [signal = "", list = ""] = word.split("=")
    const choices = list.split(",")
    const shown = choices[turn % choices.length] ?? ""
    if (shown.startsWith("~")) quality[signal] = "bad"
    values[signal] = Number(shown.replace("~", ""))
    if (!Number.isFinite(values[signal])) throw new Error(`expected signal=value, got "${word}"`)
  }
  return {
    kind: "reading",
    ...base,
    values,
    ...(Object.keys(quality).length > 0 ? { quality } : {}),
    ...(untimed ? { untimed: true as const } : {}),
  }
}

function readAttribute(word: string): [string, Scalar] {
  const [key = "", value = ""] = word.split("=")
  return [key, value !== "" && Number.isFinite(Number(value)) ? Number(value) : value]
}

/** A detection as the cases write it: `00:20 rule opened alarm: reason`. */
export function writeDetection({ atMs, rule, kind, severity, cause, reason, asset }: Detection): string {
  const days = Math.floor((atMs - startMs) / day)
  const clock = new Date(atMs).toISOString().slice(11, 19).replace(/:00$/, "")
  const on = asset === "P1" ? "" : `on ${asset} `
  const because = cause === undefined || cause === "condition" ? "" : ` (${cause})`
  return `${days > 0 ? `d${days} ` : ""}${clock} ${on}${rule} ${kind} ${severity}${because}: ${reason}`
}
