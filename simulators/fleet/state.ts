import { open, readFile, rename } from "node:fs/promises"
import { z } from "zod"
import { MillwrightError, messageOf } from "../../core/errors.ts"
import { problems } from "../../core/plant.ts"
import { machineState } from "../machines/machine.ts"

/** Where a simulation stands; `seed` and `wear` are there because it can't go on under others. */
const fleetState = z.strictObject({
  seed: z.number(),
  wear: z.number(),
  machines: z.record(z.string(), z.strictObject({ sampledMs: z.number(), state: machineState })),
})
export type FleetState = z.infer<typeof fleetState>

/** Undefined where there is no file yet. Throws `CONFIG_INVALID` for a file that is none of ours. */
export async function readFleetState(file: string): Promise<FleetState | undefined> {
  let text: string
  try {
    text = await readFile(file, "utf8")
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined
    throw error
  }
  const unusable = (why: string) =>
    new MillwrightError(
      "CONFIG_INVALID",
      `${file} is no state of a simulation: ${why}. Delete it to begin anew`,
    )
  let content: unknown
  try {
    content = JSON.parse(text)
  } catch (error) {
    throw unusable(messageOf(error))
  }
  const result = fleetState.safeParse(content)
  if (!result.success) throw unusable(problems(result.error)[0] ?? "unknown shape")
  return result.data
}

/** A new file takes the old one's place once it is on disk: a crash leaves the one or the other, never half of one. */
export async function writeFleetState(file: string, state: FleetState): Promise<void> {
  const fresh = `${file}.new`
  const handle = await open(fresh, "w")
  try {
    await handle.writeFile(JSON.stringify(state))
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(fresh, file)
}
