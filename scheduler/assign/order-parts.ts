/** Whether what an order takes from the stores is there. */
import type { Revision } from "../../core/catalogue.ts"
import type { WorkOrder } from "../../core/orders.ts"
import type { Job } from "./problem.ts"

/** What a store has of a part that is set aside for nobody. */
export type FreeStock = { readonly part: string; readonly store: string; readonly free: number }

/**
 * Of what is free each order may count on what those before it leave: give the most urgent first. One that lacks
 * something keeps nothing from the others. What is set aside for an order, or used on it, is its own.
 */
export function partsOf(
  orders: readonly WorkOrder[],
  stock: readonly FreeStock[],
  { plant }: Pick<Revision, "plant">,
): ReadonlyMap<string, Job["parts"]> {
  const left = new Map(stock.map(({ part, store, free }) => [placeOf(part, store), free]))
  return new Map(
    orders.map((order): [string, Job["parts"]] => {
      const stores = plant.stores.filter(({ site }) => site === order.site).map(({ id }) => id)
      const after = new Map(left)
      const lines = needsOf(order).map(({ part, quantity, wanted, store }) => {
        const missing = take(part, wanted, store === undefined ? stores : [store], after)
        return { missing, said: `${part} ${rounded(quantity - missing)} of ${quantity} there` }
      })
      const available = lines.every(({ missing }) => missing === 0)
      if (available) for (const [place, free] of after) left.set(place, free)
      const why = lines.map(({ said }) => said).join(", ") || "none needed"
      return [order.id, { available, fromMs: null, why }]
    }),
  )
}

/** Its materials, with what of each is still wanted. */
function needsOf({ job, work }: WorkOrder) {
  const has = new Map<string, number>()
  for (const { part, quantity } of [...work.reserved, ...work.parts])
    has.set(part, rounded((has.get(part) ?? 0) + quantity))
  return job.materials.map((material) => {
    const before = has.get(material.part) ?? 0
    has.set(material.part, rounded(Math.max(0, before - material.quantity)))
    return { ...material, wanted: rounded(Math.max(0, material.quantity - before)) }
  })
}

/** Takes what there is, and gives what is missing. */
function take(part: string, wanted: number, stores: readonly string[], left: Map<string, number>): number {
  return stores.reduce((missing, store) => {
    const free = left.get(placeOf(part, store)) ?? 0
    const taken = Math.min(free, missing)
    left.set(placeOf(part, store), rounded(free - taken))
    return rounded(missing - taken)
  }, wanted)
}

/** "|" is part of no name. */
function placeOf(part: string, store: string): string {
  return `${part}|${store}`
}

/** Kilograms and litres are kept to the millionth, as the stores do. */
function rounded(quantity: number): number {
  return Math.round(quantity * 1e6) / 1e6
}
