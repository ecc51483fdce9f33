/** Spans of time that may still go on: clocks, holds, downtime. */

export type Span = { readonly startMs: number; readonly endMs: number | null }

/** All of them ended, the running ones now. A clock that was set back makes none shorter than nothing. */
export function ended<T extends Span>(spans: readonly T[], atMs: number): T[] {
  return spans.map((one) => (one.endMs === null ? { ...one, endMs: Math.max(one.startMs, atMs) } : one))
}

/** The first that shares time with this one; spans that only touch do not. */
export function overlapping<T extends Span>(spans: readonly T[], { startMs, endMs }: Span): T | undefined {
  return spans.find((one) => one.startMs < (endMs ?? Infinity) && startMs < (one.endMs ?? Infinity))
}

/** "2026-03-01T06:00Z to 2026-03-01T07:30Z", for notes and refusals. */
export function spanText({ startMs, endMs }: Span): string {
  return `${minute(startMs)} to ${endMs === null ? "now" : minute(endMs)}`
}

/** To the minute, in UTC, as the command line takes it. */
export function minute(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16)}Z`
}
