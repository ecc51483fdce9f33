import { readFile } from "node:fs/promises"
import { resolve } from "node:path"
import { parse } from "yaml"
import { z } from "zod"
import { MillwrightError, messageOf } from "../../core/errors.ts"
import type { ReplaySource } from "./sources.ts"

const common = { file: z.string(), time: z.string(), asset: z.string() }

const replayMap = z.strictObject({
  files: z
    .array(
      z.discriminatedUnion("kind", [
        z.strictObject({ kind: z.literal("wide"), ...common, signals: z.array(z.string()).exactOptional() }),
        z.strictObject({ kind: z.literal("long"), ...common, signal: z.string(), value: z.string() }),
        z.strictObject({
          kind: z.literal("events"),
          ...common,
          code: z.string(),
          attributes: z.record(z.string(), z.string()).exactOptional(),
        }),
      ]),
    )
    .min(1),
})

/** Reads a YAML file that tells what stands in which recording; its files lie in `directory`. Throws `USAGE`. */
export async function readReplayMap(path: string, directory: string): Promise<readonly ReplaySource[]> {
  let content: unknown
  try {
    content = parse(await readFile(path, "utf8"))
  } catch (cause) {
    throw new MillwrightError("USAGE", `the map ${path} can't be read: ${messageOf(cause)}`, { cause })
  }
  const result = replayMap.safeParse(content)
  if (result.success)
    return result.data.files.map((source) => ({ ...source, file: resolve(directory, source.file) }))
  throw new MillwrightError("USAGE", `the map ${path} has problems:\n${z.prettifyError(result.error)}`)
}
