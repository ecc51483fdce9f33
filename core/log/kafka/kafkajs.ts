import { createRequire } from "node:module"
import { readRecord, writeRecord } from "./wire.ts"

type RequestQueue = {
  readonly pending: readonly unknown[]
  scheduleCheckPendingRequests(): void
}

const load = createRequire(import.meta.url)
/** kafkajs does not offer these, so they are asked for by their paths: its version is pinned, and tests hold what we rely on. */
const paths = {
  queue: "kafkajs/src/network/requestQueue/index.js",
  record: "kafkajs/src/protocol/recordBatch/record/v0/index.js",
  recordDecoder: "kafkajs/src/protocol/recordBatch/record/v0/decoder.js",
} as const

let isMended = false

/** Three changes to kafkajs 2.2.4, for what they save: docs/decisions/0012-kafka.md has the figures. */
export function mendKafkajs(): void {
  if (isMended) return
  isMended = true
  restWhileNothingWaits()
  // kafkajs loads what encodes and decodes with the first request of a kind, and then finds ours.
  replace(paths.record, writeRecord)
  replace(paths.recordDecoder, readRecord)
}

/**
 * After every answer kafkajs looks for requests that wait their turn, and then each millisecond for ever, on every
 * connection, also where none waits. (Node 24 warns of its negative delay.) Here it looks again while there is one.
 */
function restWhileNothingWaits(): void {
  const { prototype } = load(paths.queue) as { readonly prototype: RequestQueue }
  const schedule = prototype.scheduleCheckPendingRequests
  if (typeof schedule !== "function") throw unexpected(paths.queue)
  prototype.scheduleCheckPendingRequests = function restingCheck() {
    if (this.pending.length > 0) schedule.call(this)
  }
}

function replace(path: string, ours: unknown): void {
  if (typeof load(path) !== "function") throw unexpected(path)
  const cached = load.cache[load.resolve(path)]
  if (cached === undefined) throw unexpected(path)
  cached.exports = ours
}

function unexpected(path: string): Error {
  return new Error(`${path} is not what it was in kafkajs 2.2.4: look whether the change is still needed`)
}
