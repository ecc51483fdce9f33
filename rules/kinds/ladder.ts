import { compareSeverity, type Severity } from "../../core/vocabulary.ts"

/** A limit on a score; the rule's own severity where it states none. */
export type Rung = { readonly severity: Severity | undefined; readonly limit: number }

/** Limits by size, each more severe one higher; what is wrong with them goes to `say`. */
export function ladder(rungs: readonly Rung[], name: string, say: (message: string) => void): Rung[] {
  const sorted = rungs.toSorted((a, b) => a.limit - b.limit)
  sorted.forEach((one, at) => {
    const lower = sorted[at - 1]
    if (one.severity === undefined || lower?.severity === undefined) return
    if (compareSeverity(one.severity, lower.severity) <= 0 || one.limit === lower.limit)
      say(`expected a higher ${name} for each more severe level, got ${one.severity} at ${one.limit}`)
  })
  return sorted
}

/** How many limits are exceeded: one is reached at its limit, and left below `back` × its limit. */
export function rungsReached(rungs: readonly Rung[], back: number, before: number, score: number): number {
  // A changed rule may have fewer.
  let active = Math.min(before, rungs.length)
  for (let above = rungs[active]; above !== undefined && score >= above.limit; above = rungs[active]) active++
  if (active > before) return active
  for (let top = rungs[active - 1]; top !== undefined && score < top.limit * back; top = rungs[active - 1])
    active--
  return active
}
