import assert from "node:assert/strict"
import type { Detection } from "../../core/vocabulary.ts"

/** What stands of an episode after all that was told of it. */
type Standing = Pick<Detection, "rule" | "signal" | "openedAtMs" | "severity"> & {
  /** `null` while it is open. */
  readonly endedMs: number | null
}

/**
 * Folds steps as whoever reads the detections does: an amendment takes the place of what was told, a withdrawal takes
 * the episode back. Fails where the steps don't fit together.
 */
export function fold() {
  const episodes = new Map<string, Standing>()
  const withdrawn = new Set<string>()
  const numbers = new Map<string, number>()
  return {
    take({ episode, sequence, kind, rule, signal, openedAtMs, atMs, severity }: Detection): void {
      const what = `${rule} ${kind} ${sequence} of ${episode}`
      assert.equal(sequence, (numbers.get(episode) ?? -1) + 1, `${what}: its number`)
      numbers.set(episode, sequence)
      const before = episodes.get(episode)
      assert.ok(!withdrawn.has(episode), `${what}, which was withdrawn`)
      assert.equal(before === undefined, kind === "opened", `${what}: only the first step opens it`)
      if (kind !== "opened" && kind !== "amended" && kind !== "withdrawn")
        assert.equal(before?.endedMs, null, `${what}, which has ended`)
      if (kind === "withdrawn") {
        episodes.delete(episode)
        withdrawn.add(episode)
        return
      }
      const endedMs = kind === "cleared" ? atMs : null
      assert.ok(atMs >= openedAtMs, `${what} before it opened`)
      episodes.set(episode, { rule, signal, openedAtMs, severity, endedMs })
    },
    open: (): readonly string[] =>
      [...episodes].filter(([, { endedMs }]) => endedMs === null).map(([episode]) => episode),
    /** In an order that does not depend on that of the steps. */
    standing: (): readonly string[] => [...episodes.values()].map((one) => JSON.stringify(one)).sort(),
  }
}

export function standingOf(steps: readonly Detection[]): readonly string[] {
  const folded = fold()
  for (const step of steps) folded.take(step)
  return folded.standing()
}
