import { randomBytes } from "node:crypto"
import { existsSync } from "node:fs"
import { readFile, writeFile } from "node:fs/promises"

/** What the file says; a new one gets a random secret that nobody else may read. */
export async function secret(path: string): Promise<string> {
  if (existsSync(path)) return (await readFile(path, "utf8")).trim()
  // In letters that need no quoting in a URL or a shell.
  const value = randomBytes(32).toString("base64url")
  await writeFile(path, `${value}\n`, { mode: 0o600 })
  return value
}
