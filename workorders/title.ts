import { z } from "zod"

/** What an order is called: a line of its own in lists, and in a column of its own, which takes no control characters. */
export const title = z
  .string()
  .trim()
  .min(1)
  .max(300)
  .regex(/^\P{Cc}+$/u, "expected one line without control characters")
