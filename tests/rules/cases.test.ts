import { readdirSync, readFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import { parse } from "yaml"
import { z } from "zod"
import { type Detection, detection } from "../../core/vocabulary.ts"
import { linesOf, readInput, writeDetection } from "./notation.ts"
import { engineOf, plantSource, revisionOf } from "./setup.ts"

const signals = z.record(
  z.string(),
  z.strictObject({
    unit: z.string().optional(),
    kind: z.enum(["gauge", "meter"]).optional(),
    description: z.string().optional(),
  }),
)
const file = z.strictObject({
  signals,
  cases: z.array(
    z.strictObject({
      name: z.string(),
      rules: z.array(z.record(z.string(), z.unknown())),
      input: z.string(),
      detections: z.string().default(""),
      counts: z.record(z.string(), z.number()).optional(),
    }),
  ),
})

const folder = new URL("./cases/", import.meta.url)

for (const name of readdirSync(folder)) {
  describe(name.replace(".yaml", ""), () => {
    const { signals, cases } = file.parse(parse(readFileSync(new URL(name, folder), "utf8")))
    for (const one of cases) {
      test(one.name, () => {
        const plant = plantSource(signals as Parameters<typeof plantSource>[0], one.rules)
        const { engine, counts } = engineOf([revisionOf(plant)])
        const found: Detection[] = readInput(one.input).flatMap((input) =>
          input.kind === "tick" ? engine.advance(input.atMs) : engine.apply(input),
        )
        expect(found.map(writeDetection)).toEqual(linesOf(one.detections))
        if (one.counts !== undefined) expect(counts).toMatchObject(one.counts)
        for (const step of found) expect(detection.parse(step)).toEqual(step)
        for (const { episode } of found) {
          const sequence = found.filter((step) => step.episode === episode).map((step) => step.sequence)
          expect(sequence).toEqual(sequence.map((_, at) => at))
        }
      })
    }
  })
}
