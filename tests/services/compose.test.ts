import { execFile } from "node:child_process"
import { createHash } from "node:crypto"
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { beforeAll, describe, expect, onTestFinished, test } from "vitest"
import { z } from "zod"
import { readCompose, root } from "../../services/compose.ts"
import { cached, execute } from "../../services/install.ts"

const sources = join(root, "tests/compose/validate")
const file = join(root, "docker-compose.yml")

describe("docker-compose.yml, loaded as docker compose loads it", () => {
  let loader: string

  beforeAll(async () => {
    loader = join(await cached("compose", await versionOfSources(), build), "compose")
  })

  test("is a valid compose file, and says to docker compose what it says to services/", async () => {
    const { stdout } = await promisify(execFile)(loader, [file])
    const loaded = z
      .object({
        services: z.record(
          z.string(),
          z.object({
            image: z.string(),
            command: z.array(z.string()).nullish(),
            environment: z.record(z.string(), z.string()).nullish(),
          }),
        ),
      })
      .parse(JSON.parse(stdout)).services
    const { services } = readCompose()
    expect(Object.keys(loaded).sort()).toEqual(Object.keys(services).sort())
    for (const [name, { image, command, environment }] of Object.entries(services)) {
      expect(loaded[name]?.image).toBe(image)
      expect(loaded[name]?.command ?? []).toEqual(command)
      expect(loaded[name]?.environment ?? {}).toEqual(environment)
    }
  })

  test.each([
    ["a key that there is not", "restart:", "restrat:", "restrat"],
    ["a number of retries that is none", "retries: 3", "retries: three", "retries"],
    ["a dependency on nobody", "mosquitto: { condition", "mosquito: { condition", "mosquito"],
    ["a condition that there is not", "service_healthy", "service_well", "condition"],
    ["a secret that is not defined", "secrets: [influx-token,", "secrets: [influx-tokens,", "influx-tokens"],
    ["a volume that is not defined", "- kafka:/var", "- kafak:/var", "kafak"],
  ])("is refused with %s", async (_name, from, to, named) => {
    const directory = await mkdtemp(join(tmpdir(), "millwright-compose-"))
    onTestFinished(() => rm(directory, { recursive: true }))
    const broken = join(directory, "docker-compose.yml")
    const text = await readFile(file, "utf8")
    expect(text).toContain(from)
    await writeFile(broken, text.replace(from, to))
    await expect(promisify(execFile)(loader, [broken])).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining(named),
    })
  })
})

/** The loader of the compose specification itself, a Go module. */
async function build(directory: string): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), "millwright-compose-"))
  try {
    await cp(sources, work, { recursive: true })
    await execute("go", ["build", "-o", join(directory, "compose"), "."], { cwd: work })
  } finally {
    await rm(work, { recursive: true })
  }
}

async function versionOfSources(): Promise<string> {
  const hash = createHash("sha256")
  for (const name of ["go.mod", "go.sum", "main.go"]) hash.update(await readFile(join(sources, name)))
  return hash.digest("hex").slice(0, 16)
}
