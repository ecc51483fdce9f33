import { Worker } from "node:worker_threads"
import { MillwrightError } from "../errors.ts"

export type SqlValue = string | number | bigint | null | Uint8Array
export type SqlRow = Readonly<Record<string, SqlValue>>

/** One statement with its parameters, or run once for each of `rows`. */
export type Statement = {
  readonly sql: string
  readonly params?: readonly SqlValue[]
  readonly rows?: readonly (readonly SqlValue[])[]
}

export type Result = { readonly rows: readonly SqlRow[]; readonly changes: number }

export type Request = {
  readonly id: number
  readonly statements: readonly Statement[]
  readonly atomic: boolean
  readonly script?: string
  readonly close?: boolean
}

type Reply = { id: number; results?: Result[]; error?: { message: string; code: string } }
type Waiting = { resolve(results: Result[]): void; reject(error: Error): void }

/**
 * A SQLite file on a thread of its own. Requests run in the order in which they were made.
 * A statement that fails rejects with code `STORE_FAILED` and, within `transaction`, leaves nothing behind.
 */
export class SqliteThread {
  private readonly path: string
  private readonly readonly: boolean
  private readonly waiting = new Map<number, Waiting>()
  private worker: Worker | undefined
  private nextId = 1
  private failure: Error | undefined
  private closed: Promise<void> | undefined

  private constructor(path: string, readonly: boolean) {
    this.path = path
    this.readonly = readonly
  }

  /** Opens or makes the file. Rejects with `STORE_FAILED` when it can't be used. */
  static async open(path: string): Promise<SqliteThread> {
    const thread = new SqliteThread(path, false)
    await thread.send({ statements: [], atomic: false })
    return thread
  }

  /** Reads a file that another thread writes. Its own thread, some 15 MB, begins with the first question. */
  static reader(path: string): SqliteThread {
    return new SqliteThread(path, true)
  }

  /** Runs DDL or pragmas. */
  async script(sql: string): Promise<void> {
    await this.send({ statements: [], atomic: false, script: sql })
  }

  /** All statements or none; resolves when they are on the disk. `transfer` hands buffers over instead of copying them. */
  transaction(
    statements: readonly Statement[],
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<readonly Result[]> {
    return this.send({ statements, atomic: true }, transfer)
  }

  async run(sql: string, params: readonly SqlValue[] = []): Promise<Result> {
    const [result] = await this.send({ statements: [{ sql, params }], atomic: false })
    return result ?? { rows: [], changes: 0 }
  }

  async all(sql: string, params: readonly SqlValue[] = []): Promise<readonly SqlRow[]> {
    return (await this.run(sql, params)).rows
  }

  /** Waits for what was asked before, then closes the file. */
  close(): Promise<void> {
    this.closed ??= this.end()
    return this.closed
  }

  private async end(): Promise<void> {
    const closing =
      this.worker === undefined || this.failure !== undefined
        ? undefined
        : this.send({ statements: [], atomic: false, close: true })
    this.failure ??= new MillwrightError("STORE_FAILED", `${this.path} is closed`)
    await closing
    await this.worker?.terminate()
  }

  private async send(request: Omit<Request, "id">, transfer: readonly ArrayBuffer[] = []): Promise<Result[]> {
    if (this.failure !== undefined) return Promise.reject(this.failure)
    this.worker ??= this.start()
    const id = this.nextId++
    // Before anybody waits, since a value that no thread can be sent is refused here.
    this.worker.postMessage({ ...request, id }, transfer)
    return new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }))
  }

  private start(): Worker {
    const worker = new Worker(new URL("./worker.js", import.meta.url), {
      workerData: { path: this.path, readonly: this.readonly },
      // SQLite's memory is outside this heap; rows in flight are all that it has to hold.
      resourceLimits: { maxYoungGenerationSizeMb: 4 },
    })
    worker.on("message", (reply: Reply) => this.settle(reply))
    worker.on("error", (error: Error) => this.fail(error))
    worker.on("exit", () => this.fail(new Error("its thread has ended")))
    return worker
  }

  private settle({ id, results, error }: Reply): void {
    const waiting = this.waiting.get(id)
    this.waiting.delete(id)
    if (error === undefined) waiting?.resolve(results ?? [])
    else waiting?.reject(this.failed(error))
  }

  private failed({ message, code }: NonNullable<Reply["error"]>): MillwrightError {
    const what = isDamage(message) ? unusable(this.path, message) : `${this.path}: ${message} (${code})`
    return new MillwrightError("STORE_FAILED", what)
  }

  private fail(cause: Error): void {
    this.failure ??= new MillwrightError("STORE_FAILED", unusable(this.path, cause.message), { cause })
    for (const waiting of this.waiting.values()) waiting.reject(this.failure)
    this.waiting.clear()
  }
}

function isDamage(message: string): boolean {
  return message.includes("not a database") || message.includes("malformed")
}

function unusable(path: string, message: string): string {
  const what = `${path} can't be used: ${message}`
  return isDamage(message) ? `${what}. It is damaged: put a backup in its place` : what
}
