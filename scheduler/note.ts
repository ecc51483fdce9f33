/** The history of a plan on an asset: what was asked for, counted, credited or left out, and why. */
import { z } from "zod"
import { name, timeMs } from "../core/vocabulary.ts"

export const planNote = z.object({
  plan: name,
  asset: name,
  atMs: timeMs,
  what: z.enum([
    "began",
    "changed",
    "asked",
    "covered",
    "uncovered",
    "done",
    "dropped",
    "reopened",
    "credited",
    "not-credited",
    "out-of-service",
    "returned",
    "replaced",
  ]),
  note: z.string(),
  /** The order that it is about. */
  order: z.string().nullable(),
})
export type PlanNote = z.infer<typeof planNote>
