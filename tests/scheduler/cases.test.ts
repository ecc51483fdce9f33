import { readdirSync, readFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import { parse } from "yaml"
import { z } from "zod"
import { type DetectionRecord, detection, severity } from "../../core/vocabulary.ts"
import { announced, detectionOf, inWords, requestsOf, revisionsOf, schedulerOf } from "./setup.ts"

const time = z.string().transform((text) => Date.parse(text))
const content = z.record(z.string(), z.unknown()) as z.ZodType<
  Parameters<typeof announced>[0][number]["plant"]
>

const step = z.strictObject({
  at: time,
  episode: z.string(),
  step: detection.shape.kind,
  severity: severity.default("warning"),
  cause: detection.shape.cause,
  asset: z.string().optional(),
  component: z.string().nullable().optional(),
  rule: z.string().optional(),
  ruleKind: z.string().optional(),
  reason: z.string().optional(),
  signal: z.string().optional(),
  quiet: detection.shape.quiet,
  /** When the meter, or the value, is forecast to be at the limit. */
  forecast: time.optional(),
  value: z.number().optional(),
  limit: z.number().optional(),
})

const replaced = z.strictObject({ at: time, replaced: z.string(), asset: z.string().default("P-101") })

const timeline = z.strictObject({
  case: z.string(),
  clock: z.enum(["event", "wall"]).default("event"),
  /** One plant, in effect from the beginning, or several revisions. */
  plant: content.optional(),
  revisions: z.array(z.strictObject({ effective: time, plant: content })).default([]),
  input: z.array(z.union([z.strictObject({ tick: time }), replaced, step])),
  requests: z.array(z.string()),
})
type Timeline = z.infer<typeof timeline>

function records({ input }: Timeline): DetectionRecord[] {
  const sequences = new Map<string, number>()
  return input.map((one) => {
    if ("tick" in one) return { kind: "tick", atMs: one.tick }
    if ("replaced" in one) {
      return { kind: "maintained", site: "works", asset: one.asset, component: one.replaced, atMs: one.at }
    }
    const { at, step: kind, forecast: dueMs, ...rest } = one
    const sequence = sequences.get(one.episode) ?? 0
    sequences.set(one.episode, sequence + 1)
    const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined))
    const forecast =
      dueMs === undefined ? {} : { forecast: { dueMs, earliestMs: dueMs, latestMs: dueMs, perDay: 1 } }
    return detectionOf({ episode: one.episode, ...given, ...forecast, kind, sequence, atMs: at })
  })
}

const folder = new URL("./cases/", import.meta.url)

for (const file of readdirSync(folder)) {
  describe(file, () => {
    const cases = z
      .array(timeline)
      .min(1)
      .parse(parse(readFileSync(new URL(file, folder), "utf8")))
    for (const one of cases) {
      test(one.case, () => {
        const contents = one.revisions.map(({ effective, plant }) => ({ effectiveMs: effective, plant }))
        const first = one.plant === undefined ? [] : [{ effectiveMs: 0, plant: one.plant }]
        const scheduler = schedulerOf(revisionsOf(announced([...first, ...contents])), { clock: one.clock })
        expect(inWords(requestsOf(scheduler, records(one), one.clock))).toEqual(one.requests)
      })
    }
  })
}
