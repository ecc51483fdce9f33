import { createHash } from "node:crypto"
import { chmodSync, lstatSync, mkdirSync, rmSync } from "node:fs"
import { createServer, request, type Server } from "node:http"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { text } from "node:stream/consumers"
import { type App, openApp } from "../app.ts"
import { systemClock } from "../core/clock.ts"
import { isShared, type Settings } from "../core/config.ts"
import { holdsPlant } from "../core/directory.ts"
import { type ErrorCode, errorCodes, MillwrightError, messageOf } from "../core/errors.ts"
import { quietLogger } from "./logger.ts"
import { type InputOf, type OperationName, operations, perform, type ResultOf } from "./operations.ts"

type Answer = {
  readonly result?: unknown
  readonly error?: { readonly code: string; readonly message: string }
}

/** Long paths don't fit the system's limit for sockets (104 bytes on macOS): those get a name of their own. */
function socketPath(directory: string): string {
  const path = resolve(directory, "control.sock")
  if (Buffer.byteLength(path) < 100) return path
  const short = createHash("sha256").update(path).digest("hex").slice(0, 16)
  return join(ownTemporaryDirectory(), `${short}.sock`)
}

/** Everybody may write to the system's directory for temporary files: what is ours there is in a directory of our own. */
function ownTemporaryDirectory(): string {
  const uid = process.getuid?.()
  const path = join(tmpdir(), `millwright-${uid ?? "user"}`)
  mkdirSync(path, { recursive: true, mode: 0o700 })
  const found = lstatSync(path)
  const isOurs = uid === undefined || (found.uid === uid && (found.mode & 0o077) === 0)
  if (found.isDirectory() && isOurs) return path
  throw new MillwrightError(
    "DIRECTORY_UNUSABLE",
    `${path} is not this user's alone, so another could answer there: remove it, or give the data directory a shorter path`,
  )
}

export type Control = { close(): Promise<void> }

/** Answers the CLI of the same user: the socket's rights are who may ask. */
export async function serveControl(app: App): Promise<Control> {
  const path = socketPath(app.settings.directory)
  // Left by a process that was killed: the directory is ours now, so nobody listens there.
  rmSync(path, { force: true })
  const server: Server = createServer((incoming, outgoing) => {
    answer(app, incoming.url?.slice(1) ?? "", text(incoming)).then(
      (reply) => {
        outgoing.setHeader("content-type", "application/json").end(JSON.stringify(reply))
      },
      (error: unknown) => outgoing.destroy(error as Error),
    )
  })
  await new Promise<void>((opened, failed) => {
    server.once("error", failed)
    server.listen(path, opened)
  })
  chmodSync(path, 0o600)
  return {
    close: () =>
      new Promise((closed) => {
        server.close(() => closed())
        server.closeIdleConnections()
      }),
  }
}

async function answer(app: App, name: string, body: Promise<string>): Promise<Answer> {
  try {
    if (!Object.hasOwn(operations, name))
      throw new MillwrightError("USAGE", `there is no operation "${name}"`)
    const { input, actor } = JSON.parse(await body) as { input: unknown; actor: string }
    return { result: await perform(app, name as OperationName, input, actor) }
  } catch (error) {
    const code = error instanceof MillwrightError ? error.code : "UNEXPECTED"
    return { error: { code, message: messageOf(error) } }
  }
}

/** A plant's first file may be applied before the first start; all else is asked of a plant that is there. */
const firstOperations: ReadonlySet<OperationName> = new Set(["plant.compare", "plant.apply"])

/**
 * Asks the running server; where none runs, or where all is kept by servers such as PostgreSQL, opens the stores, asks,
 * and closes them again.
 */
export async function ask<K extends OperationName>(
  settings: Settings,
  actor: string,
  name: K,
  input: InputOf<K>,
): Promise<ResultOf<K>> {
  const asked = isShared(settings) ? undefined : await askServer(settings.directory, actor, name, input)
  if (asked !== undefined) return asked.result as ResultOf<K>
  if (!isShared(settings) && !firstOperations.has(name) && !holdsPlant(settings.directory)) {
    const where = resolve(settings.directory)
    throw new MillwrightError(
      "NOT_FOUND",
      `there is no plant in ${where}: run "millwright start" first, or name its directory with --directory`,
    )
  }
  const app = await openApp({ settings, clock: systemClock, logger: quietLogger() })
  try {
    return await perform(app, name, input, actor)
  } finally {
    await app.close()
  }
}

/** Undefined where no server listens. */
function askServer(
  directory: string,
  actor: string,
  name: string,
  input: unknown,
): Promise<{ readonly result: unknown } | undefined> {
  return new Promise((done, failed) => {
    const outgoing = request(
      { socketPath: socketPath(directory), path: `/${name}`, method: "POST" },
      (incoming) => {
        text(incoming)
          .then((body) => {
            const { result, error } = JSON.parse(body) as Answer
            if (error === undefined) done({ result })
            else
              failed(
                Object.hasOwn(errorCodes, error.code)
                  ? new MillwrightError(error.code as ErrorCode, error.message)
                  : new Error(error.message),
              )
          })
          .catch(failed)
      },
    )
    outgoing.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT" || error.code === "ECONNREFUSED") done(undefined)
      else failed(error)
    })
    outgoing.end(JSON.stringify({ input, actor }))
  })
}
