import type { z } from "zod"
import type { App } from "../app.ts"

/** Something that can be asked of a plant's server: what it takes, and what is done for whom. */
export function operation<I extends z.ZodType, O>(
  input: I,
  run: (app: App, input: z.infer<I>, actor: string) => O,
) {
  return { input, run }
}
