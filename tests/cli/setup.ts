import { rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { onTestFinished, vi } from "vitest"
import { serveControl } from "../../cli/control.ts"
import { program } from "../../cli/program.ts"
import { type Pipeline, scratchDirectory, startPipeline } from "../pipeline.ts"

/** A server of this plant that commands can ask, until the test has ended. */
export async function servePlant(
  source: string,
): Promise<{ readonly directory: string; readonly pipeline: Pipeline }> {
  const directory = await scratchDirectory()
  const plant = join(directory, "plant.yaml")
  await writeFile(plant, source)
  const pipeline = await startPipeline({ directory, plant })
  const control = await serveControl(pipeline.app)
  onTestFinished(async () => {
    await control.close()
    await pipeline.close()
    await rm(directory, { recursive: true })
  })
  return { directory, pipeline }
}

type Ran = { readonly out: string; readonly error: string; readonly failure: unknown }

/** Runs a command in this process; what it prints, and how it fails. */
export async function runCommand(words: readonly string[]): Promise<Ran> {
  let [out, error] = ["", ""]
  const stdout = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    out += text
    return true
  })
  const stderr = vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    error += text
    return true
  })
  try {
    const { signal } = new AbortController()
    const failure = await program({ env: {}, signal })
      .parseAsync([...words], { from: "user" })
      .then(
        () => undefined,
        (thrown: unknown) => thrown,
      )
    return { out, error, failure }
  } finally {
    stdout.mockRestore()
    stderr.mockRestore()
  }
}

/** What a command prints that does not fail; the last word may have spaces. */
export async function answer(directory: string, words: string, last?: string): Promise<string> {
  const given = [...words.split(" "), ...(last === undefined ? [] : [last])]
  const { out, failure } = await runCommand([...given, "--directory", directory])
  if (failure !== undefined) throw failure
  return out
}

export const linesOf = (text: string) => text.split("\n").filter((line) => line !== "")
