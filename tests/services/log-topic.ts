import { z } from "zod"
import type { Topic } from "../../core/topics.ts"

export type Value = { readonly n: number }

export function valueTopic(name: string, overrides: Partial<Topic<Value>> = {}): Topic<Value> {
  return {
    name,
    schema: z.object({ n: z.number() }),
    retention: { ms: 86_400_000, bytes: 1e9 },
    compacted: false,
    patient: true,
    ...overrides,
  }
}
