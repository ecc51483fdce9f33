import { readdirSync, readFileSync } from "node:fs"
import { describe, expect, test } from "vitest"
import { parse } from "yaml"
import { z } from "zod"
import type { OrderRequest } from "../../core/orders.ts"
import type { PlanNote } from "../../scheduler/note.ts"
import { caseInput, reader, time } from "./case-input.ts"
import { announced, inWords, requestsOf, revisionsOf, schedulerOf } from "./setup.ts"

const content = z.record(z.string(), z.unknown()) as z.ZodType<
  Parameters<typeof announced>[0][number]["plant"]
>

const timeline = z.strictObject({
  case: z.string(),
  clock: z.enum(["event", "wall"]).default("event"),
  /** One plant, in effect from the beginning, or several revisions. */
  plant: content.optional(),
  revisions: z.array(z.strictObject({ effective: time, plant: content })).default([]),
  input: z.array(caseInput),
  requests: z.array(z.string()),
  /** The history of the plans, and what the orders say to whoever does the work. */
  notes: z.array(z.string()).optional(),
  descriptions: z.array(z.string()).optional(),
})

const folder = new URL("./cases/", import.meta.url)

for (const file of readdirSync(folder)) {
  describe(file, () => {
    const cases = z
      .array(timeline)
      .min(1)
      .parse(parse(readFileSync(new URL(file, folder), "utf8")))
    for (const { case: name, clock, plant, revisions, input, requests, ...more } of cases) {
      test(name, () => {
        const contents = revisions.map(({ effective, plant }) => ({ effectiveMs: effective, plant }))
        const first = plant === undefined ? [] : [{ effectiveMs: 0, plant }]
        const noted: PlanNote[] = []
        const note = (one: PlanNote) => noted.push(one)
        const scheduler = schedulerOf(revisionsOf(announced([...first, ...contents])), { clock, note })
        const read = reader()
        const asked: OrderRequest[] = []
        for (const one of input) asked.push(...requestsOf(scheduler, [read(one, asked)], clock))
        expect(inWords(asked)).toEqual(requests)
        if (more.notes !== undefined) expect(noted.map(noteInWords)).toEqual(more.notes)
        if (more.descriptions !== undefined)
          expect(asked.flatMap((one) => (one.kind === "open" ? one.description : []))).toEqual(
            more.descriptions,
          )
      })
    }
  })
}

function noteInWords({ atMs, plan, what, note }: PlanNote): string {
  return `${new Date(atMs).toISOString().replace(/(:00)?\.000Z$/, "Z")} ${plan} ${what}: ${note}`
}
