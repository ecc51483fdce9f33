import { readFileSync } from "node:fs"
import { MillwrightError, messageOf } from "./errors.ts"

/** A secret from a file, as orchestrators mount them; `key` is the setting that names the file. Throws `CONFIG_INVALID`. */
export function readSecret(key: string, path: string | undefined): string | undefined {
  if (path === undefined) return undefined
  let text: string
  try {
    text = readFileSync(path, "utf8").trim()
  } catch (cause) {
    const todo = "name a file with the secret that this user may read"
    throw new MillwrightError(
      "CONFIG_INVALID",
      `${key}: the file ${path} can't be read (${messageOf(cause)}): ${todo}`,
      { cause },
    )
  }
  if (text === "") throw new MillwrightError("CONFIG_INVALID", `${key}: the file ${path} is empty`)
  return text
}
