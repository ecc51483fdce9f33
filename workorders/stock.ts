/** What stock an order sets aside, takes and gives back: pure, on the levels as the store has them. */

import { nearest } from "../core/nearest.ts"
import type { Work, WorkOrder } from "../core/orders.ts"
import type { Plant } from "../core/plant.ts"
import { type Context, type Effect, refuse } from "./commands/command.ts"
import type { StockLevelRow } from "./tables.ts"

export type StockEffect = Extract<Effect, { kind: "stock" }>
type Reserved = Work["reserved"][number]
type Levels = Pick<Context, "stock" | "revision">
type Portion = { readonly store: string; readonly quantity: number }

/** Sums of kilograms and litres are kept to the millionth, or 0.1 + 0.2 would be more than 0.3. */
export function rounded(quantity: number): number {
  return Math.round(quantity * 1e6) / 1e6
}

/** Throws `NOT_POSSIBLE` for a part that the plant does not have. */
export function partOf({ parts }: Plant, part: string) {
  return parts.find(({ id }) => id === part) ?? unknown("part", part, parts)
}

/** Throws `NOT_POSSIBLE` for a store that the plant does not have. */
export function storeOf({ stores }: Plant, store: string) {
  return stores.find(({ id }) => id === store) ?? unknown("store", store, stores)
}

function unknown(what: "part" | "store", id: string, known: readonly { readonly id: string }[]): never {
  const names = known.map((one) => one.id)
  const meant = nearest(id, names)
  const expected = names.slice(0, 20).join(", ") + (names.length > 20 ? " …" : "")
  refuse(
    `there is no ${what} "${id}" in the plant: ` +
      (meant !== undefined
        ? `did you mean ${meant}?`
        : names.length > 0
          ? `expected one of ${expected}`
          : `the plant file lists none under ${what}s`),
  )
}

/** Neither set aside nor used: what can be taken. */
export function freeOf({ on_hand, reserved }: Pick<StockLevelRow, "on_hand" | "reserved">): number {
  return rounded(on_hand - reserved)
}

/** Whether there is so little of it that more is to be ordered. */
export function isLow(plant: Plant, part: string, store: string, free: number): boolean {
  const reorderAt = reorderPoint(plant, part, store)
  return reorderAt !== null && free <= reorderAt
}

export function reorderPoint({ parts }: Plant, part: string, store: string): number | null {
  const at = parts.find(({ id }) => id === part)?.reorderAt ?? {}
  return Object.hasOwn(at, store) ? (at[store] ?? null) : null
}

/**
 * Sets aside what the order's materials lack, as far as there is some: the whole in the store that the material names
 * or else the first of the site that has enough, else what the site's stores have. A shortage is told, not refused.
 */
export function reserveMaterials(
  order: WorkOrder,
  context: Levels,
): { readonly work: Work; readonly effects: readonly Effect[]; readonly told: readonly string[] } {
  const reserved = [...order.work.reserved]
  const effects: StockEffect[] = []
  const short: string[] = []
  const has = new Map<string, number>()
  for (const { part, quantity, store } of order.job.materials) {
    const before = has.get(part) ?? heldOf(order, part)
    const wanted = rounded(Math.max(0, quantity - before))
    has.set(part, rounded(Math.max(0, before - quantity)))
    const stores = storesFor(order, context, store)
    const found = portions(part, wanted, stores, context, effects)
    for (const portion of found) {
      reserved.push({ part, ...portion })
      effects.push({ kind: "stock", part, store: portion.store, onHand: 0, reserved: portion.quantity })
    }
    const missing = rounded(wanted - sum(found))
    if (missing > 0) short.push(`${missing} ${part}${store === undefined ? "" : ` in ${store}`}`)
  }
  const done = effects.map(({ part, store, reserved: quantity }) => `${quantity} ${part} in ${store}`)
  return {
    work: { ...order.work, reserved: together(reserved) },
    effects,
    told: [
      ...(done.length === 0 ? [] : [`set aside ${done.join(", ")}`]),
      ...(short.length === 0 ? [] : [`short of ${short.join(", ")}`]),
      ...lowAfter(effects, context),
    ],
  }
}

/** The effects of taking so much: what was set aside for the order first, then what is free. */
export function takeFor(
  order: WorkOrder,
  {
    part,
    quantity,
    store,
  }: { readonly part: string; readonly quantity: number; readonly store?: string | undefined },
  context: Levels,
): {
  readonly taken: readonly Portion[]
  readonly reserved: readonly Reserved[]
  readonly effects: readonly StockEffect[]
  readonly missing: number
} {
  const reserved: Reserved[] = []
  const effects: StockEffect[] = []
  let wanted = quantity
  for (const one of order.work.reserved) {
    const fits = one.part === part && (store === undefined || one.store === store)
    const taken = fits ? Math.min(wanted, one.quantity) : 0
    wanted = rounded(wanted - taken)
    if (taken > 0) effects.push({ kind: "stock", part, store: one.store, onHand: -taken, reserved: -taken })
    if (one.quantity > taken) reserved.push({ ...one, quantity: rounded(one.quantity - taken) })
  }
  const found = portions(part, wanted, storesFor(order, context, store), context, [])
  for (const portion of found)
    effects.push({ kind: "stock", part, store: portion.store, onHand: -portion.quantity, reserved: 0 })
  const taken = effects.map((one) => ({ store: one.store, quantity: -one.onHand }))
  return { taken, reserved, effects, missing: rounded(wanted - sum(found)) }
}

/** Gives back what is still set aside for an order; of one part, or of all. */
export function releaseStock(
  order: WorkOrder,
  part?: string,
): { readonly order: WorkOrder; readonly effects: readonly Effect[] } {
  const isReleased = (one: Reserved) => part === undefined || one.part === part
  const { reserved } = order.work
  return {
    order: { ...order, work: { ...order.work, reserved: reserved.filter((one) => !isReleased(one)) } },
    effects: reserved
      .filter(isReleased)
      .map(({ part, store, quantity }) => ({ kind: "stock", part, store, onHand: 0, reserved: -quantity })),
  }
}

/** A line for each level that these effects bring to its reorder point or below. */
export function lowAfter(effects: readonly StockEffect[], { stock, revision }: Levels): readonly string[] {
  const places = new Map(effects.map((one) => [`${one.part}|${one.store}`, one]))
  return [...places.values()].flatMap(({ part, store }) => {
    const before = freeOf(levelOf(stock, part, store))
    const after = freeIn(part, store, stock, effects)
    const { plant } = revision
    if (!isLow(plant, part, store, after) || isLow(plant, part, store, before)) return []
    return [
      `order more of ${part}: ${after} free in ${store}, reorder point ${reorderPoint(plant, part, store)}`,
    ]
  })
}

/** Set aside for the order, or used on it. */
function heldOf({ work }: WorkOrder, part: string): number {
  return rounded(
    [...work.reserved, ...work.parts].reduce((all, one) => all + (one.part === part ? one.quantity : 0), 0),
  )
}

/** The one named, or those of the order's site in the order of the plant file. */
function storesFor({ site }: WorkOrder, { revision }: Levels, store: string | undefined): readonly string[] {
  if (store !== undefined) return [store]
  return revision.plant.stores.filter((one) => one.site === site).map(({ id }) => id)
}

/** Where so much can be had: in one store, or else from one after the other as far as it goes. */
function portions(
  part: string,
  wanted: number,
  stores: readonly string[],
  { stock }: Levels,
  effects: readonly StockEffect[],
): readonly Portion[] {
  if (wanted <= 0) return []
  const free = stores.map((store) => ({ store, free: freeIn(part, store, stock, effects) }))
  const whole = free.find((one) => one.free >= wanted)
  if (whole !== undefined) return [{ store: whole.store, quantity: wanted }]
  let left = wanted
  return free.flatMap(({ store, free }) => {
    const quantity = rounded(Math.min(left, Math.max(0, free)))
    left = rounded(left - quantity)
    return quantity > 0 ? [{ store, quantity }] : []
  })
}

function freeIn(
  part: string,
  store: string,
  stock: readonly StockLevelRow[],
  effects: readonly StockEffect[],
): number {
  const changes = effects.filter((one) => one.part === part && one.store === store)
  const level = levelOf(stock, part, store)
  return rounded(changes.reduce((free, one) => free + one.onHand - one.reserved, freeOf(level)))
}

export function levelOf(stock: readonly StockLevelRow[], part: string, store: string): StockLevelRow {
  const level = stock.find((one) => one.part === part && one.store === store)
  return level ?? { part, store, on_hand: 0, reserved: 0 }
}

/** One entry for each part and store. */
function together(reserved: readonly Reserved[]): Reserved[] {
  const places = new Map<string, Reserved>()
  for (const one of reserved) {
    const place = `${one.part}|${one.store}`
    const quantity = rounded((places.get(place)?.quantity ?? 0) + one.quantity)
    places.set(place, { ...one, quantity })
  }
  return [...places.values()]
}

function sum(portions: readonly Portion[]): number {
  return portions.reduce((all, { quantity }) => all + quantity, 0)
}
