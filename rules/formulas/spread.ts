import { median, medianAbsoluteDeviation, quantileSorted } from "simple-statistics"

/** Makes the median absolute deviation estimate the standard deviation of normal data: 1 ÷ 0.6745. */
const ofDeviations = 1.4826
/** The interquartile range of normal data in standard deviations. */
const ofQuartiles = 1.349

/** The middle of at least one value, in their unit; few odd ones don't move it. */
export function centreOf(values: readonly number[]): number {
  return median([...values])
}

/**
 * 1.4826 × the median absolute deviation, in the values' unit: the denominator of the modified z-score of
 * Iglewicz & Hoaglin, "How to Detect and Handle Outliers" (ASQC, 1993). 0 when more than half of them are equal.
 */
export function deviationSpread(values: readonly number[]): number {
  return ofDeviations * medianAbsoluteDeviation([...values])
}

/**
 * (upper quartile − lower quartile) ÷ 1.349, in the values' unit: the normalised interquartile range of ISO 13528.
 * A quartile that falls between two values is interpolated linearly (Hyndman & Fan 1996, type 7). 0 when the middle half is equal.
 */
export function quartileSpread(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return (quantileSorted(sorted, 0.75) - quantileSorted(sorted, 0.25)) / ofQuartiles
}
