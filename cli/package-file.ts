import { existsSync } from "node:fs"
import { dirname, join } from "node:path"

/** A file that comes with the package, whether this runs from the sources or from dist. */
export function packageFile(path: string): string {
  let directory = import.meta.dirname
  while (!existsSync(join(directory, "package.json"))) directory = dirname(directory)
  return join(directory, path)
}
