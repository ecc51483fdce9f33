import { z } from "zod"

const unitsMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const
const pattern = /^(\d+(?:\.\d+)?)(ms|s|m|h|d|w)$/

const longestMs = 36_500 * unitsMs.d

/** "15s", "10m", "24h", "30d" in whole milliseconds; undefined for anything else, and beyond a hundred years. */
export function parseDuration(text: string): number | undefined {
  const [, amount, unit] = pattern.exec(text) ?? []
  if (amount === undefined || unit === undefined) return undefined
  // Times are whole milliseconds: what is added to them must be too.
  const ms = Math.round(Number(amount) * unitsMs[unit as keyof typeof unitsMs])
  return ms <= longestMs ? ms : undefined
}

/** A duration as people write it ("90s", "12h", "30d"), read as milliseconds. */
export const duration = z.string({ error: ({ input }) => expected(input) }).transform((text, context) => {
  const ms = parseDuration(text)
  if (ms !== undefined) return ms
  context.addIssue({ code: "custom", message: expected(text) })
  return z.NEVER
})

function expected(input: unknown): string {
  const got = input === undefined ? "nothing" : JSON.stringify(input)
  return `expected a duration such as 90s, 15m, 12h or 30d, got ${got}`
}

/** Milliseconds as the largest unit that reads well: 5400000 is "1.5 h". */
export function formatDuration(ms: number): string {
  const [unit, size] =
    ms >= 2 * unitsMs.d
      ? (["d", unitsMs.d] as const)
      : ms >= unitsMs.h
        ? (["h", unitsMs.h] as const)
        : ms >= unitsMs.m
          ? (["min", unitsMs.m] as const)
          : (["s", unitsMs.s] as const)
  return `${Math.round((ms / size) * 10) / 10} ${unit}`
}
