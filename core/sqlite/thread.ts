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
  private readonly worker: Worker
  private readonly waiting = new Map<number, Waiting>()
  private readonly path: string
  private nextId = 1
  private failure: Error | undefined

  private constructor(path: string, readonly: boolean) {
    this.path = path
    this.worker = new Worker(new URL("./worker.js", import.meta.url), {
      workerData: { path, readonly },
      // SQLite's memory is outside this heap; rows in flight are all that it has to hold.
      resourceLimits: { maxYoungGenerationSizeMb: 4 },
    })
    this.worker.on("message", (reply: Reply) => this.settle(reply))
    this.worker.on("error", (error: Error) => this.fail(error))
    this.worker.on("exit", () => this.fail(new Error("its thread has ended")))
  }

  static async open(path: string, { readonly = false } = {}): Promise<SqliteThread> {
    const thread = new SqliteThread(path, readonly)
    await new Promise<Result[]>((resolve, reject) => thread.waiting.set(0, { resolve, reject }))
    return thread
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
  async close(): Promise<void> {
    if (this.failure !== undefined) return
    const closed = this.send({ statements: [], atomic: false, close: true })
    this.failure = new MillwrightError("STORE_FAILED", `${this.path} is closed`)
    await closed
    await this.worker.terminate()
  }

  private send(request: Omit<Request, "id">, transfer: readonly ArrayBuffer[] = []): Promise<Result[]> {
    if (this.failure !== undefined) return Promise.reject(this.failure)
    const id = this.nextId++
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject })
      this.worker.postMessage({ ...request, id }, transfer)
    })
  }

  private settle({ id, results, error }: Reply): void {
    const waiting = this.waiting.get(id)
    this.waiting.delete(id)
    if (error === undefined) waiting?.resolve(results ?? [])
    else
      waiting?.reject(new MillwrightError("STORE_FAILED", `${this.path}: ${error.message} (${error.code})`))
  }

  private fail(cause: Error): void {
    this.failure ??= new MillwrightError("STORE_FAILED", `${this.path} can't be used: ${cause.message}`, {
      cause,
    })
    for (const waiting of this.waiting.values()) waiting.reject(this.failure)
    this.waiting.clear()
  }
}
