import assert from "node:assert/strict"
import type { Detection } from "../../core/vocabulary.ts"

/** What stands of an episode after all that was told of it. */
export type Standing = {
  readonly rule: string
  readonly signal: string | null
  readonly openedAtMs: number
  /** `null` while it is open. */
  readonly endedMs: number | null
  readonly severity: string
}

/**
 * Folds steps as whoever reads the detections does: an amendment takes the place of what was told, a withdrawal takes
 * the episode back. Says so where the steps don't fit together.
 */
export function standingOf(steps: readonly Detection[]): Standing[] {
  const episodes = new Map<string, Standing>()
  const withdrawn = new Set<string>()
  const numbers = new Map<string, number>()
  for (const { episode, sequence, kind, rule, signal, openedAtMs, atMs, severity } of steps) {
    assert.equal(sequence, (numbers.get(episode) ?? -1) + 1, `${rule} ${kind}: its number`)
    numbers.set(episode, sequence)
    const before = episodes.get(episode)
    const isEnd = kind === "cleared" || kind === "withdrawn"
    assert.equal(before === undefined, kind === "opened", `${rule} ${kind} of what is or is not there`)
    if (kind !== "opened" && kind !== "amended" && kind !== "withdrawn")
      assert.equal(before?.endedMs, null, `${rule} ${kind} of what has ended`)
    assert.ok(!withdrawn.has(episode), `${rule} ${kind} of what was withdrawn`)
    if (kind === "withdrawn") {
      episodes.delete(episode)
      withdrawn.add(episode)
    } else episodes.set(episode, { rule, signal, openedAtMs, endedMs: isEnd ? atMs : null, severity })
  }
  return [...episodes.values()].sort(
    (a, b) =>
      a.rule.localeCompare(b.rule) ||
      a.openedAtMs - b.openedAtMs ||
      (a.endedMs ?? Number.POSITIVE_INFINITY) - (b.endedMs ?? Number.POSITIVE_INFINITY) ||
      a.severity.localeCompare(b.severity),
  )
}
