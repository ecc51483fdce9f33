/** A word that is meant may have one letter in so many wrong. */
const lettersPerSlip = 4
/** Or lack its end: MQTT_PASSWORD for MQTT_PASSWORD_FILE. */
const leastBeginning = 2 / 3

/** What may have been meant by `word`: a name that it is the beginning of, or that differs from it by some slips. */
export function nearest(word: string, names: readonly string[]): string | undefined {
  const begun = names.find((name) => name.startsWith(word) && word.length >= leastBeginning * name.length)
  if (begun !== undefined) return begun
  return names
    .map((name) => ({ name, slips: slipsBetween(word, name) }))
    .filter(({ slips }) => slips <= word.length / lettersPerSlip)
    .sort((a, b) => a.slips - b.slips)[0]?.name
}

/** How many letters to add, leave out or replace to get from one word to the other (Levenshtein, 1965). */
function slipsBetween(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, at) => at)
  for (const [at, letter] of [...one].entries()) {
    const next = [at + 1]
    for (let to = 1; to <= other.length; to++) {
      const replaced = (row[to - 1] ?? 0) + (letter === other[to - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[to] ?? 0) + 1, (next[to - 1] ?? 0) + 1))
    }
    row = next
  }
  return row.at(-1) ?? 0
}
