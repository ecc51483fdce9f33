/** Points that a slope is taken over, at most: it looks at every pair of them. */
export const mostPoints = 32

/** Per unit of time. */
export type Slope = {
  readonly slope: number
  /** What the slope lies between, with the confidence asked for. */
  readonly low: number
  readonly high: number
}

/**
 * The median of the slopes between all pairs of points, which up to 29 % of wild points don't move: Theil (1950),
 * Sen, "Estimates of the Regression Coefficient Based on Kendall's Tau" (JASA 63, 1968). The bounds are by Sen's
 * normal approximation as in Gilbert, "Statistical Methods for Environmental Pollution Monitoring" (1987), 16.5:
 * among N ordered slopes of n points those at (N − C) ÷ 2 and (N + C) ÷ 2 + 1, rounded outwards, where
 * C = z · √(n (n − 1) (2n + 5) ÷ 18). It takes the points as independent.
 *
 * @param times strictly rising
 * @param z the normal quantile of the confidence, two-sided: 1.645 for 90 %
 */
export function theilSen(times: readonly number[], values: readonly number[], z: number): Slope {
  const points = times.length
  const pairs = (points * (points - 1)) / 2
  if (points < 2) throw new RangeError("a slope needs two points")
  const slopes = new Float64Array(pairs)
  let next = 0
  for (let one = 1; one < points; one++) {
    for (let other = 0; other < one; other++) {
      slopes[next++] = ((values[one] ?? 0) - (values[other] ?? 0)) / ((times[one] ?? 0) - (times[other] ?? 0))
    }
  }
  slopes.sort()
  const ranked = (rank: number) => slopes[Math.min(Math.max(rank, 1), pairs) - 1] ?? 0
  const width = z * Math.sqrt((points * (points - 1) * (2 * points + 5)) / 18)
  return {
    slope: (ranked(Math.floor((pairs + 1) / 2)) + ranked(Math.ceil((pairs + 1) / 2))) / 2,
    low: ranked(Math.floor((pairs - width) / 2)),
    high: ranked(Math.ceil((pairs + width) / 2) + 1),
  }
}

/** Where the line of this slope is at a time: through the median of what the points leave over it. */
export function levelAt(
  times: readonly number[],
  values: readonly number[],
  slope: number,
  time: number,
): number {
  const rests = times.map((one, at) => (values[at] ?? 0) + slope * (time - one)).sort((a, b) => a - b)
  const half = rests.length / 2
  return ((rests[Math.ceil(half) - 1] ?? 0) + (rests[Math.floor(half)] ?? 0)) / 2
}
