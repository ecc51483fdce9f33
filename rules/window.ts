import { z } from "zod"
import { never } from "./watch.ts"

/** A window moves on in steps of so many parts of its length. */
const buckets = 32
const hour = 3_600_000

/** What is kept of some samples: sums about their means, so that large values with small differences lose nothing. */
const moments = z.object({
  count: z.number(),
  /** The mean time after the first sample: times since 1970 would leave no digits for their differences. */
  meanMs: z.number(),
  mean: z.number(),
  /** Σ(t − t̄)², ms². */
  squaresMs: z.number(),
  /** Σ(x − x̄)². */
  squares: z.number(),
  /** Σ(t − t̄)(x − x̄), in ms times the unit. */
  products: z.number(),
  min: z.number(),
  max: z.number(),
  firstMs: z.number(),
  first: z.number(),
  lastMs: z.number(),
  last: z.number(),
})
export type Moments = z.infer<typeof moments>

/**
 * The samples of one signal over the last so many milliseconds, as plain JSON of bounded size. It is cut into 32 parts
 * at multiples of a 32nd of its length since 1970. A window that is read at `t` holds the part that `t` is in and the 31
 * before it: all samples younger than 31/32 of the length, and none that is as old as the length.
 */
export const window = z.object({
  /** The newest part, counted from 1970; `never`: there is none. */
  bucket: z.number(),
  open: moments.nullable(),
  /** The parts before it that have samples, oldest first. */
  closed: z.array(z.object({ bucket: z.number(), moments })).max(buckets - 1),
  /** All of `closed` together. */
  rest: moments.nullable(),
})
export type Window = z.infer<typeof window>

export function emptyWindow(): Window {
  return { bucket: never, open: null, closed: [], rest: null }
}

/** Takes a sample that is not older than the one before it. */
export function push(into: Window, lengthMs: number, atMs: number, value: number): void {
  const bucket = bucketOf(lengthMs, atMs)
  if (bucket === into.bucket && into.open !== null) {
    add(into.open, atMs, value)
    return
  }
  if (into.open !== null) into.closed.push({ bucket: into.bucket, moments: into.open })
  into.closed = into.closed.filter((one) => one.bucket > bucket - buckets)
  into.rest = together(into.closed)
  into.bucket = bucket
  into.open = of(atMs, value)
}

/** When the newest sample was taken; `never`: there is none. */
export function newestMs({ open }: Window): number {
  return open === null ? never : open.lastMs
}

/** What the window holds at this time, undefined for nothing. A sample newer than that counts as of that time. */
export function read(from: Window, lengthMs: number, atMs: number): Moments | undefined {
  const { open, closed } = from
  if (open === null) return undefined
  const oldest = bucketOf(lengthMs, atMs) - buckets + 1
  if (from.bucket < oldest) return undefined
  // Since its newest sample the window may have moved on past some of its parts.
  const whole = closed[0] === undefined || closed[0].bucket >= oldest
  const rest = whole ? from.rest : together(closed.filter(({ bucket }) => bucket >= oldest))
  return rest === null ? open : merged(rest, open)
}

export const statistics = {
  mean: ({ mean }) => mean,
  min: ({ min }) => min,
  max: ({ max }) => max,
  /** The sample standard deviation, √(Σ(x − x̄)² ÷ (n − 1)). */
  std: ({ count, squares }) => (count < 2 ? Number.NaN : Math.sqrt(squares / (count - 1))),
  /** The slope of the least-squares line, Σ(t − t̄)(x − x̄) ÷ Σ(t − t̄)², per hour. */
  slope: ({ products, squaresMs }) => (squaresMs > 0 ? (products / squaresMs) * hour : Number.NaN),
  /** The newest sample less the oldest. */
  delta: ({ first, last }) => last - first,
  count: ({ count }) => count,
} satisfies Record<string, (moments: Moments) => number>
/** NaN where there are too few samples for it. */
export type Statistic = keyof typeof statistics

function bucketOf(lengthMs: number, atMs: number): number {
  return Math.floor(atMs / (lengthMs / buckets))
}

function of(atMs: number, value: number): Moments {
  return {
    count: 1,
    meanMs: 0,
    mean: value,
    squaresMs: 0,
    squares: 0,
    products: 0,
    min: value,
    max: value,
    firstMs: atMs,
    first: value,
    lastMs: atMs,
    last: value,
  }
}

/** Welford, "Note on a method for calculating corrected sums of squares and products", Technometrics 4 (1962). */
function add(to: Moments, atMs: number, value: number): void {
  to.count += 1
  const afterMs = atMs - to.firstMs
  const offMs = afterMs - to.meanMs
  const off = value - to.mean
  to.meanMs += offMs / to.count
  to.mean += off / to.count
  to.squaresMs += offMs * (afterMs - to.meanMs)
  to.squares += off * (value - to.mean)
  to.products += offMs * (value - to.mean)
  if (value < to.min) to.min = value
  if (value > to.max) to.max = value
  to.lastMs = atMs
  to.last = value
}

/** Chan, Golub & LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances" (1979). */
function merged(older: Moments, newer: Moments): Moments {
  const count = older.count + newer.count
  const share = newer.count / count
  const weight = older.count * share
  const offMs = newer.firstMs - older.firstMs + newer.meanMs - older.meanMs
  const off = newer.mean - older.mean
  return {
    count,
    meanMs: older.meanMs + offMs * share,
    mean: older.mean + off * share,
    squaresMs: older.squaresMs + newer.squaresMs + offMs * offMs * weight,
    squares: older.squares + newer.squares + off * off * weight,
    products: older.products + newer.products + offMs * off * weight,
    min: Math.min(older.min, newer.min),
    max: Math.max(older.max, newer.max),
    firstMs: older.firstMs,
    first: older.first,
    lastMs: newer.lastMs,
    last: newer.last,
  }
}

function together(parts: Window["closed"]): Moments | null {
  return parts.reduce<Moments | null>(
    (all, part) => (all === null ? part.moments : merged(all, part.moments)),
    null,
  )
}
