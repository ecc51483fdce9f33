import type { Detection } from "../../core/vocabulary.ts"
import { type Expected, isExpected, type Place, writeDetection } from "./notation.ts"

/** A line of a comparison: as expected, expected and not found, or found and not expected. */
export type Difference = { readonly sign: " " | "-" | "+"; readonly text: string }

/** Beyond so many pairs the lines are compared one by one, in their order: a table of all would take too long. */
const mostPairs = 4_000_000

/**
 * What was expected beside what was found, in order, with as much in common as can be: the longest common subsequence
 * (Hunt & McIlroy, 1976).
 */
export function compare(
  expected: readonly Expected[],
  found: readonly Detection[],
  place: Place,
): readonly Difference[] {
  const same = (at: number, other: number): boolean => {
    const [line, detection] = [expected[at], found[other]]
    return line !== undefined && detection !== undefined && isExpected(detection, line)
  }
  const missing = (at: number): Difference => ({ sign: "-", text: expected[at]?.text ?? "" })
  const written = (at: number, sign: " " | "+"): Difference => {
    const detection = found[at]
    return { sign, text: detection === undefined ? "" : writeDetection(detection, place) }
  }
  const lines: Difference[] = []
  const longest =
    expected.length * found.length <= mostPairs ? common(expected.length, found.length, same) : undefined
  const isLonger = (at: number, other: number) =>
    longest === undefined ? false : (longest[at + 1]?.[other] ?? 0) >= (longest[at]?.[other + 1] ?? 0)
  let [at, other] = [0, 0]
  while (at < expected.length || other < found.length) {
    if (same(at, other)) {
      lines.push(written(other, " "))
      at++
      other++
    } else if (longest === undefined && at < expected.length && other < found.length) {
      lines.push(missing(at++), written(other++, "+"))
    } else if (at < expected.length && (other >= found.length || isLonger(at, other))) {
      lines.push(missing(at++))
    } else {
      lines.push(written(other++, "+"))
    }
  }
  return lines
}

/** For each pair of positions how much the rests have in common. */
function common(
  rows: number,
  columns: number,
  same: (row: number, column: number) => boolean,
): Uint32Array[] {
  const table = Array.from({ length: rows + 1 }, () => new Uint32Array(columns + 1))
  for (let row = rows - 1; row >= 0; row--) {
    const [here, below] = [table[row], table[row + 1]]
    if (here === undefined || below === undefined) continue
    for (let column = columns - 1; column >= 0; column--) {
      here[column] = same(row, column)
        ? (below[column + 1] ?? 0) + 1
        : Math.max(below[column] ?? 0, here[column + 1] ?? 0)
    }
  }
  return table
}
