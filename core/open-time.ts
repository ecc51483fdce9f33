/** Times that are open for work, as spans in order, and where a due time goes that falls outside of them. */
import type { WindowSchedule } from "./plan-schedule.ts"
import type { WorkingTime } from "./plant-work.ts"
import { occurrencesOf } from "./schedule.ts"
import { type Span, workingPieces } from "./working-time.ts"

/**
 * What of a stretch is open: ascending, cut off at the stretch's ends, with a gap between any two. Nothing is worked out
 * before it is asked for, so a stretch may be long.
 */
export type Spans = (fromMs: number, toMs: number) => Iterable<Span>

/** The working time of a site or a crew; without a calendar all time. */
export function workingSpans(calendar: WorkingTime | undefined, timeZone: string): Spans {
  if (calendar === undefined) return (startMs, endMs) => (startMs < endMs ? [{ startMs, endMs }] : [])
  const pieces = workingPieces(calendar, timeZone)
  return (fromMs, toMs) => joined(pieces(fromMs, toMs))
}

export type TimeWindow = { readonly schedule: WindowSchedule; readonly lasts: number }

/** The time in which at least one of the windows is on; `lasts` in milliseconds from each beginning. */
export function windowSpans(windows: readonly TimeWindow[], timeZone: string): Spans {
  return (fromMs, toMs) => joined(inOrder(windows.map((one) => windowPieces(one, timeZone, fromMs, toMs))))
}

function* windowPieces(
  { schedule, lasts }: TimeWindow,
  timeZone: string,
  fromMs: number,
  toMs: number,
): Generator<Span> {
  const { from } = occurrencesOf(schedule, timeZone)
  // One that began before the stretch may go on into it.
  for (
    let startMs = from(fromMs - lasts + 1);
    startMs !== undefined && startMs < toMs;
    startMs = from(startMs + 1)
  )
    yield { startMs: Math.max(fromMs, startMs), endMs: Math.min(toMs, startMs + lasts) }
}

/** The open time that is not closed. */
export function without(open: Spans, closed: Spans): Spans {
  return function* remaining(fromMs, toMs) {
    const closing = closed(fromMs, toMs)[Symbol.iterator]()
    let next = closing.next()
    for (const { startMs, endMs } of open(fromMs, toMs)) {
      let atMs = startMs
      while (!next.done && next.value.startMs < endMs) {
        if (atMs < next.value.startMs) yield { startMs: atMs, endMs: next.value.startMs }
        atMs = Math.max(atMs, next.value.endMs)
        // What is closed for longer closes some of the following as well.
        if (next.value.endMs > endMs) break
        next = closing.next()
      }
      if (atMs < endMs) yield { startMs: atMs, endMs }
    }
  }
}

const day = 86_400_000
/** So far each way is looked for open time. */
const horizonMs = 400 * day
/** Looking back goes by stretches of this length, for spans come in ascending order alone. */
const stretchMs = 14 * day

export type MoveRule = "earlier" | "later" | "nearest" | "stay"

/**
 * Where a due time goes: to the beginning of the next open span, to the end of the last one, or to what is nearer, the
 * earlier where both are as near. In an open span or at either edge of it it stays, and also where nothing is open
 * within 400 days in that direction.
 */
export function moveInto(dueMs: number, open: Spans, rule: MoveRule): number {
  if (rule === "stay" || first(open(dueMs - 1, dueMs + 1)) !== undefined) return dueMs
  const earlierMs = rule === "later" ? undefined : lastEndBefore(dueMs, open)
  const laterMs = rule === "earlier" ? undefined : first(open(dueMs, dueMs + horizonMs))?.startMs
  if (earlierMs === undefined || laterMs === undefined) return earlierMs ?? laterMs ?? dueMs
  return dueMs - earlierMs <= laterMs - dueMs ? earlierMs : laterMs
}

function lastEndBefore(dueMs: number, open: Spans): number | undefined {
  const earliestMs = dueMs - horizonMs
  for (let toMs = dueMs; toMs > earliestMs; toMs -= stretchMs) {
    let lastMs: number | undefined
    for (const { endMs } of open(Math.max(earliestMs, toMs - stretchMs), toMs)) lastMs = endMs
    if (lastMs !== undefined) return lastMs
  }
  return undefined
}

function first(spans: Iterable<Span>): Span | undefined {
  for (const span of spans) return span
  return undefined
}

/** Spans that touch or overlap are one. */
function* joined(spans: Iterable<Span>): Generator<Span> {
  let last: Span | undefined
  for (const span of spans) {
    if (last !== undefined && span.startMs > last.endMs) {
      yield last
      last = span
    } else {
      last = last === undefined ? span : { startMs: last.startMs, endMs: Math.max(last.endMs, span.endMs) }
    }
  }
  if (last !== undefined) yield last
}

/** Several ascending sequences as one, by their beginnings. */
function* inOrder(sequences: readonly Iterator<Span>[]): Generator<Span> {
  const heads = sequences.flatMap((rest) => advanced(rest))
  while (heads.length > 0) {
    const soonest = heads.reduce((one, other) => (other.span.startMs < one.span.startMs ? other : one))
    yield soonest.span
    heads.splice(heads.indexOf(soonest), 1, ...advanced(soonest.rest))
  }
}

function advanced(rest: Iterator<Span>): { readonly span: Span; readonly rest: Iterator<Span> }[] {
  const next = rest.next()
  return next.done ? [] : [{ span: next.value, rest }]
}
