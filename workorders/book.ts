import type { OrderEvent, OrderRequest } from "../core/vocabulary.ts"
import {
  amendOrder,
  type Change,
  isOpen,
  type KeptOrder,
  mergeInto,
  openOrder,
  settleOrder,
} from "./change.ts"

/** What became of a request. `unknown`: it is about an order that the store never saw asked for. */
export type Outcome = "opened" | "merged" | "amended" | "completed" | "repeated" | "unknown"

/** The orders that a batch of requests is about, as the store has them. */
export type Page = {
  readonly orders: readonly KeptOrder[]
  /** From ids that were merged to the order that has them. */
  readonly aliases: ReadonlyMap<string, string>
  readonly lastNumber: number
}

/** A page being written on: takes requests in their order, and knows what the store has to be told after them. */
export class OrderBook {
  readonly merged = new Map<string, string>()
  readonly events: OrderEvent[] = []
  lastNumber: number
  private readonly created = new Set<string>()
  private readonly updated = new Set<string>()
  private readonly orders = new Map<string, KeptOrder>()
  private readonly aliases: Map<string, string>
  private readonly openByNeed = new Map<string, string>()

  constructor({ orders, aliases, lastNumber }: Page) {
    this.aliases = new Map(aliases)
    this.lastNumber = lastNumber
    for (const kept of orders) this.keep(kept)
  }

  take(request: OrderRequest): Outcome {
    const known = this.find(request.order)
    switch (request.kind) {
      case "open": {
        if (known !== undefined) return "repeated"
        const open = this.openFor(request.mergeKey)
        if (open === undefined) {
          this.lastNumber += 1
          this.created.add(request.order)
          return this.write(openOrder(request, this.lastNumber), "opened")
        }
        this.aliases.set(request.order, open.order.id)
        this.merged.set(request.order, open.order.id)
        return this.write(mergeInto(open, request), "merged")
      }
      case "amend":
        return known === undefined ? "unknown" : this.write(amendOrder(known, request), "amended")
      case "settle":
        return known === undefined ? "unknown" : this.write(settleOrder(known, request), "completed")
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

  /** The order asked for under this id, also where it was merged into another. */
  private find(id: string): KeptOrder | undefined {
    return this.orders.get(this.aliases.get(id) ?? id)
  }

  private openFor(need: string): KeptOrder | undefined {
    const id = this.openByNeed.get(need)
    return id === undefined ? undefined : this.orders.get(id)
  }

  private write(change: Change | undefined, outcome: Outcome): Outcome {
    if (change === undefined) return "repeated"
    const { id } = change.kept.order
    this.keep(change.kept)
    this.events.push(change.event)
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
