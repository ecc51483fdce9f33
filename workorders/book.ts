import type { Revision } from "../core/catalogue.ts"
import type { AmendOrder, CreditOrder, OpenOrder, OrderRequest, SettleOrder } from "../core/orders.ts"
import {
  amendOrder,
  type Change,
  creditOrder,
  isCreditedBy,
  isMetBy,
  isOpen,
  type KeepTargets,
  type KeptOrder,
  mergeInto,
  openOrder,
  settleOrder,
} from "./change.ts"
import { numberIn } from "./number.ts"
import { withSla } from "./sla.ts"

/**
 * What became of a request. `noted`: a replacement, or work done otherwise, that no open order waited for. `unknown`: about an order that the
 * store never saw asked for.
 */
export type Outcome =
  | "opened"
  | "merged"
  | "amended"
  | "completed"
  | "credited"
  | "noted"
  | "repeated"
  | "unknown"

/** The newest that was told of a component's replacement. */
export type Replacement = Pick<SettleOrder, "asset" | "component" | "atMs">

/** The orders that a batch of requests is about, as the store has them. */
export type Page = {
  readonly orders: readonly KeptOrder[]
  /** From ids that were merged to the order that has them. */
  readonly aliases: ReadonlyMap<string, string>
  readonly replacements: readonly Replacement[]
  readonly lastNumber: number
  /** Whose targets the orders get; undefined before a plant file was applied. */
  readonly revision: Revision | undefined
}

/** A page being written on: takes requests in their order, and knows what the store has to be told after them. */
export class OrderBook {
  readonly merged = new Map<string, string>()
  /** By place; each newer than what the store has. */
  readonly replaced = new Map<string, Replacement>()
  readonly changes: Change[] = []
  lastNumber: number
  private readonly created = new Set<string>()
  private readonly updated = new Set<string>()
  private readonly orders = new Map<string, KeptOrder>()
  private readonly aliases: Map<string, string>
  private readonly replacedMs: Map<string, number>
  private readonly openByNeed = new Map<string, string>()
  private readonly keepTargets: KeepTargets

  constructor({ orders, aliases, replacements, lastNumber, revision }: Page) {
    this.keepTargets = (before, order, atMs) => withSla(before, order, atMs, revision)
    this.aliases = new Map(aliases)
    this.replacedMs = new Map(replacements.map((one) => [placeOf(one), one.atMs]))
    this.lastNumber = lastNumber
    for (const kept of orders) this.keep(kept)
  }

  take(request: OrderRequest): Outcome {
    switch (request.kind) {
      case "open":
        return this.open(request)
      case "amend":
        return this.amend(request)
      case "settle":
        return this.settle(request)
      case "credit":
        return this.credit(request)
    }
  }

  createdOrders(): readonly KeptOrder[] {
    return this.all(this.created)
  }

  updatedOrders(): readonly KeptOrder[] {
    return this.all(this.updated)
  }

  private all(ids: ReadonlySet<string>): readonly KeptOrder[] {
    return [...this.orders.values()].filter(({ order }) => ids.has(order.id))
  }

  private open(request: OpenOrder): Outcome {
    if (this.find(request.order) !== undefined) return "repeated"
    const open = this.openFor(request.mergeKey)
    if (open === undefined) {
      this.lastNumber += 1
      this.created.add(request.order)
      return this.write(openOrder(request, this.lastNumber, this.keepTargets), "opened")
    }
    this.aliases.set(request.order, open.order.id)
    this.merged.set(request.order, open.order.id)
    return this.write(mergeInto(open, request, this.keepTargets), "merged")
  }

  private amend(request: AmendOrder): Outcome {
    const known = this.find(request.order)
    return known === undefined
      ? "unknown"
      : this.write(amendOrder(known, request, this.keepTargets), "amended")
  }

  /** A replacement is taken once: told again, it must not settle a late finding's order that was opened in between. */
  private settle(request: SettleOrder): Outcome {
    const { asset, component, atMs } = request
    const place = placeOf(request)
    if (atMs <= (this.replacedMs.get(place) ?? Number.NEGATIVE_INFINITY)) return "repeated"
    this.replacedMs.set(place, atMs)
    this.replaced.set(place, { asset, component, atMs })
    const met = [...this.orders.values()].filter((kept) => isMetBy(kept, request)).toSorted(byNumber)
    for (const kept of met) this.write(settleOrder(kept, request, this.keepTargets), "completed")
    return met.length > 0 ? "completed" : "noted"
  }

  /** Told again, it finds no open order of before. */
  private credit(request: CreditOrder): Outcome {
    const met = [...this.orders.values()].filter((kept) => isCreditedBy(kept, request)).toSorted(byNumber)
    for (const kept of met) this.write(creditOrder(kept, request, this.keepTargets), "credited")
    return met.length > 0 ? "credited" : "noted"
  }

  /** The order asked for under this id, also where it was merged into another. */
  private find(id: string): KeptOrder | undefined {
    return this.orders.get(this.aliases.get(id) ?? id)
  }

  private openFor(need: string): KeptOrder | undefined {
    const id = this.openByNeed.get(need)
    return id === undefined ? undefined : this.orders.get(id)
  }

  /** Writes what became of an order. */
  write(change: Change | undefined, outcome: Outcome): Outcome {
    if (change === undefined) return "repeated"
    const { id } = change.kept.order
    this.keep(change.kept)
    this.changes.push(change)
    if (!this.created.has(id)) this.updated.add(id)
    return outcome
  }

  private keep(kept: KeptOrder): void {
    const { id, mergeKey } = kept.order
    this.orders.set(id, kept)
    if (isOpen(kept.order)) this.openByNeed.set(mergeKey, id)
    else if (this.openByNeed.get(mergeKey) === id) this.openByNeed.delete(mergeKey)
  }
}

/** "|" is part of no name. */
function placeOf({ asset, component }: Replacement): string {
  return `${asset}|${component}`
}

function byNumber(a: KeptOrder, b: KeptOrder): number {
  return numberIn(a.order.number) - numberIn(b.order.number)
}
