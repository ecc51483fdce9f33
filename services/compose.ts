/** docker-compose.yml, as far as it is needed to run the same without Docker. */
import { readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { parse } from "yaml"
import { z } from "zod"

export const root = resolve(import.meta.dirname, "..")

const service = z.object({
  image: z.string(),
  command: z.array(z.string()).default([]),
  environment: z.record(z.string(), z.string()).default({}),
  secrets: z.array(z.string()).default([]),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
  healthcheck: z.object({ test: z.array(z.string()).optional(), disable: z.boolean().optional() }).optional(),
  profiles: z.array(z.string()).default([]),
  ports: z.array(z.string()).default([]),
})
export type ComposeService = z.infer<typeof service>

const compose = z.object({
  services: z.record(z.string(), service),
  secrets: z.record(z.string(), z.object({ file: z.string() })),
})
export type Compose = z.infer<typeof compose>

/** Reads a compose file of this repository's shape. Throws where it has another. */
export function readCompose(path = join(root, "docker-compose.yml")): Compose {
  return compose.parse(parse(readFileSync(path, "utf8"), { merge: true }))
}

export function composeService(name: string): ComposeService {
  const found = readCompose().services[name]
  if (found === undefined) throw new Error(`docker-compose.yml has no service "${name}"`)
  return found
}

/** The version in the image's tag: docker-compose.yml alone tells which versions of the servers are used. */
export function imageVersion(name: string): string {
  const { image } = composeService(name)
  const version = /:(\d+(\.\d+)*)$/.exec(image)?.[1]
  if (version === undefined)
    throw new Error(`docker-compose.yml: expected a version as the tag of the image "${image}"`)
  return version
}
