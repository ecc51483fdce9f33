/** The chain of an order's history: each entry has the hash of the one before, so that no change goes unnoticed. */
import { createHash } from "node:crypto"
import type { OrderEvent, WorkOrder } from "../core/orders.ts"

/** One entry of an order's history, as it is kept for ever. */
export type Entry = Omit<OrderEvent, "order"> & {
  /** What was asked for, as JSON: the input of a command, or the request of the pipeline. */
  readonly detail: string
  /** SHA-256 of the whole order after it. */
  readonly state: string
  /** The hash of the entry before it; empty for the first. */
  readonly previous: string
  readonly hash: string
}

/** Adds an event to the chain that ends with the hash `previous`. */
export function entryOf(event: OrderEvent, detail: unknown, previous: string): Entry {
  const { order, ...rest } = event
  const open = { ...rest, detail: canonical(detail), state: hashOfOrder(order), previous }
  return { ...open, hash: hashOfEntry(order.id, open) }
}

export function hashOfEntry(
  order: string,
  { sequence, atMs, actor, kind, note, detail, state, previous }: Omit<Entry, "hash">,
): string {
  return sha256(canonical([order, sequence, atMs, actor, kind, note, detail, state, previous]))
}

export function hashOfOrder(order: WorkOrder): string {
  return sha256(canonical(order))
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex")
}

/** JSON with the keys of every object in order: what says the same is written the same. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, one: unknown) =>
    typeof one === "object" && one !== null && !Array.isArray(one)
      ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1)))
      : one,
  )
}
