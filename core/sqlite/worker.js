// Owns one SQLite file on its own thread, so that an fsync or a long read never blocks the event loop.
// Plain JavaScript, because a worker thread starts from the file itself: the same file serves tests, tsx and dist.
import { parentPort, workerData } from "node:worker_threads"
import Database from "better-sqlite3"

/** @typedef {import("./thread.ts").Request} Request */
/** @typedef {import("./thread.ts").Statement} Statement */

const port = /** @type {import("node:worker_threads").MessagePort} */ (parentPort)
const { path, readonly } = /** @type {{ path: string, readonly: boolean }} */ (workerData)

const database = open()

function open() {
  try {
    const opened = new Database(path, { readonly, timeout: 10_000 })
    if (!readonly) {
      opened.pragma("journal_mode = WAL")
      // FULL: a commit that was reported is on the disk, whatever happens to the power.
      opened.pragma("synchronous = FULL")
      opened.pragma("foreign_keys = ON")
    }
    opened.pragma("cache_size = -8000")
    return opened
  } catch (error) {
    // SQLite's own errors lose their message on the way to another thread.
    throw new Error(error instanceof Error ? error.message : String(error))
  }
}

/** @type {Map<string, import("better-sqlite3").Statement>} */
const prepared = new Map()

/** @param {string} sql */
function prepare(sql) {
  let statement = prepared.get(sql)
  if (statement === undefined) {
    // Kysely builds a new text for each shape of query; the bound keeps a stray shape from growing this for ever.
    if (prepared.size >= 500) prepared.clear()
    statement = database.prepare(sql)
    prepared.set(sql, statement)
  }
  return statement
}

/** @param {Statement} request */
function run({ sql, params = [], rows }) {
  const statement = prepare(sql)
  if (rows !== undefined) {
    let changes = 0
    for (const row of rows) changes += statement.run(row).changes
    return { rows: [], changes }
  }
  if (statement.reader) return { rows: statement.all(params), changes: 0 }
  const { changes } = statement.run(params)
  return { rows: [], changes }
}

const transaction = database.transaction((/** @type {readonly Statement[]} */ statements) =>
  statements.map(run),
)

port.on("message", (/** @type {Request} */ { id, statements, atomic, script, close }) => {
  try {
    if (script !== undefined) database.exec(script)
    const results = atomic ? transaction(statements) : statements.map(run)
    if (close) database.close()
    port.postMessage({ id, results })
  } catch (error) {
    const { message, code } = /** @type {Error & { code?: string }} */ (error)
    port.postMessage({ id, error: { message, code: code ?? "SQLITE_ERROR" } })
  }
})
