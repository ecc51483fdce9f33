import type { Revision } from "../core/catalogue.ts"
import { MillwrightError } from "../core/errors.ts"

/** Throws `NOT_FOUND` before the first plant file. */
export function inEffect(newest: () => Revision | undefined): Revision {
  const revision = newest()
  if (revision !== undefined) return revision
  throw new MillwrightError("NOT_FOUND", "no plant file was applied yet: millwright apply FILE")
}
