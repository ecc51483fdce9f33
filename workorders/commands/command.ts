/** What a command is: who may do what to an order in which state, and what becomes of it. */
import type { z } from "zod"
import type { Revision } from "../../core/catalogue.ts"
import { MillwrightError } from "../../core/errors.ts"
import type { OpenOrder, OrderEvent, OrderState, WorkOrder } from "../../core/orders.ts"
import type { Asset, Person } from "../../core/plant.ts"
import type { Role } from "../../core/roles.ts"
import type { BudgetUseRow, StockLevelRow } from "../tables.ts"

/** What a decision may go by besides the order itself: the store as it is in this transaction. */
export type Context = {
  /** Now, by the plant's clock. */
  readonly atMs: number
  readonly actor: string
  /** Undefined in a plant without people: there whoever has the files may do everything. */
  readonly person: Person | undefined
  readonly revision: Revision
  /** Undefined when it has left the plant. */
  readonly asset: Asset | undefined
  /** The levels of the parts that the order or the input names. */
  readonly stock: readonly StockLevelRow[]
  /** What the order's cost centre has used of the year's budget. */
  readonly budget: BudgetUseRow | undefined
  /** Another open order for the same need. */
  readonly sameNeed: string | undefined
  /** An order that `reads` named, by the id or number that it was named by. */
  other(idOrNumber: string): WorkOrder | undefined
  /** An id made from the order, this change of it, and what it is for: the same when the command is sent again. */
  idFor(what: string): string
}

/** What changes beside the order, in the same transaction. */
export type Effect =
  | { readonly kind: "open"; readonly request: OpenOrder }
  /** `onHand` and `reserved` are added to the level; a level that would fall below what it may be is refused. */
  | {
      readonly kind: "stock"
      readonly part: string
      readonly store: string
      readonly onHand: number
      readonly reserved: number
    }
  | {
      readonly kind: "budget"
      readonly costCentre: string
      readonly year: number
      readonly committed: number
      readonly spent: number
    }
  /** The content, as base64, of an attachment. */
  | { readonly kind: "content"; readonly sha256: string; readonly content: string }

export type Step = {
  readonly order: WorkOrder
  readonly event: OrderEvent["kind"]
  /** One line for the history: what, and why. */
  readonly note: string
  readonly effects?: readonly Effect[]
}

export type Command<I extends z.ZodType> = {
  /** One line of help. */
  readonly summary: string
  /** One of these roles is needed. */
  readonly roles: readonly Role[]
  /** Of these roles only those to whom the order, or a task of it, is assigned. */
  readonly assigned?: readonly Role[]
  /** The states in which it is possible. */
  readonly from: readonly OrderState[]
  /** The states to which it may lead; left out: the order stays in its state. */
  readonly to?: readonly OrderState[]
  readonly input: I
  /** What the history keeps of the input; left out: all of it. */
  kept?(input: z.output<I>): unknown
  /** The ids or numbers of other orders that it goes by. */
  reads?(input: z.output<I>): readonly string[]
  /** Throws `NOT_POSSIBLE` for what the order, the plant or the store do not allow. */
  run(order: WorkOrder, input: z.output<I>, context: Context): Step
}

/** Lets the compiler tell the input's type inside `run`. */
export function command<I extends z.ZodType>(one: Command<I>): Command<I> {
  return one
}

export function refuse(why: string): never {
  throw new MillwrightError("NOT_POSSIBLE", why)
}

/** What was done, with what was said of it. */
export function withNote(what: string, note: string): string {
  return note === "" ? what : `${what}: ${note}`
}
