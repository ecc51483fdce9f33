/** Which assets something is for. */
import { z } from "zod"
import { name } from "./vocabulary.ts"

const list = <T extends z.ZodType>(item: T) => z.union([item.transform((one) => [one]), z.array(item)])

/** All that match every key given. */
export const selector = z
  .strictObject({ class: list(name).optional(), asset: list(name).optional(), site: list(name).optional() })
  .default({})
export type Selector = z.infer<typeof selector>
