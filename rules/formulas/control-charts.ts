/**
 * Exponentially weighted moving average: z_t = λ x_t + (1 − λ) z_{t−1}, z_0 the target. Roberts, "Control Chart Tests
 * Based on Geometric Moving Averages" (Technometrics 1, 1959); NIST/SEMATECH e-Handbook of Statistical Methods, 6.3.2.4.
 */
export function ewmaStep(before: number, value: number, lambda: number): number {
  return lambda * value + (1 - lambda) * before
}

/**
 * The standard deviation of z_t in standard deviations of x: √(λ ÷ (2 − λ) · (1 − (1 − λ)^(2t))).
 *
 * @param rest (1 − λ)^(2t), which goes to 0 as the average settles
 */
export function ewmaSpread(lambda: number, rest: number): number {
  return Math.sqrt((lambda / (2 - lambda)) * (1 - rest))
}

/**
 * One side of a tabular cumulative sum: S_t = max(0, S_{t−1} + deviation − k), all in one unit; the deviation is
 * x − target for the upper sum and target − x for the lower. Page, "Continuous Inspection Schemes" (Biometrika 41,
 * 1954); NIST/SEMATECH e-Handbook of Statistical Methods, 6.3.2.3.
 */
export function cusumStep(before: number, deviation: number, k: number): number {
  return Math.max(0, before + deviation - k)
}

/**
 * How far the mean has moved, going by a sum that has run for so many points since it was 0: k + S ÷ N, in the sum's
 * unit. Montgomery, "Introduction to Statistical Quality Control", on the tabular CUSUM.
 */
export function shiftEstimate(sum: number, points: number, k: number): number {
  return k + sum / Math.max(points, 1)
}
