import type { OrderEvent, OrderState } from "../core/orders.ts"
import type { OrderType } from "../core/vocabulary.ts"

/** What is asked for has a column; what is only shown is JSON text: `details`, `findings`. */
export type OrderRow = {
  readonly id: string
  /** 12 is shown as WO-000012. */
  readonly number: number
  readonly type: OrderType
  readonly state: OrderState
  /** 1 while the need still stands: the states between requested and finished. */
  readonly open: 0 | 1
  readonly site: string
  readonly asset: string
  readonly component: string | null
  readonly merge_key: string
  readonly title: string
  readonly priority: number
  readonly requested_ms: number
  readonly due_ms: number
  readonly finished_ms: number | null
  readonly cost_centre: string | null
  /** When something happens to it by itself. */
  readonly timer_ms: number | null
  /** By how many levels its waiting has raised the priority; null where nothing waits for somebody to begin. */
  readonly aged: number | null
  readonly template: string | null
  /** What a finished order of a template tells of such work. */
  readonly worked_ms: number | null
  readonly version: number
  /** The hash of the newest entry of its history. */
  readonly head: string
  readonly details: string
  readonly findings: string
  /** All that ever came; `findings` keeps fewer. */
  readonly finding_count: number
  /** JSON: the newest sequence taken from each episode, which is how a repeat is known. */
  readonly episodes: string
}

export type StockLevelRow = {
  readonly part: string
  readonly store: string
  readonly on_hand: number
  /** Set aside for orders; never more than there is. */
  readonly reserved: number
}

export type BudgetUseRow = {
  readonly cost_centre: string
  readonly year: number
  /** Expected of orders that were approved. */
  readonly committed: number
  /** Of orders that were closed. */
  readonly spent: number
}

export type AutomationRunRow = {
  readonly automation: string
  readonly order_id: string
  /** Of the order's event. */
  readonly sequence: number
  readonly event: string
  /** Of the plant file. */
  readonly revision: number
  readonly at_ms: number
  readonly outcome: RunOutcome
  /** JSON: what became of each step so far. */
  readonly steps: string
  /** Why the condition could not be told; empty where it could. */
  readonly problem: string
}

/** `running`: begun, and not all of its steps done; what is left is done as soon as the event is read again. */
export type RunOutcome = "running" | "done" | "not-possible" | "condition-error"

export type WorkOrderTables = {
  work_order: OrderRow
  /** Ids that were asked for and merged into another order. */
  order_alias: { readonly id: string; readonly order_id: string }
  /** The newest replacement of each component that was told: what is told again settles nothing. */
  component_replacement: { readonly asset: string; readonly component: string; readonly at_ms: number }
  order_history: {
    readonly order_id: string
    readonly sequence: number
    readonly at_ms: number
    readonly actor: string
    readonly kind: OrderEvent["kind"]
    readonly note: string
    readonly detail: string
    readonly state: string
    readonly previous: string
    readonly hash: string
  }
  /** Who has what to do: the people that an order, or a task of it, is assigned to. */
  order_person: {
    readonly order_id: string
    readonly person: string
    readonly open: 0 | 1
    readonly number: number
  }
  /** Commands by the ids that their senders gave them: what is sent again is not done again. */
  order_command: {
    readonly id: string
    readonly order_id: string
    readonly sequence: number
    readonly at_ms: number
  }
  /** The content of attachments, as base64, by its SHA-256. */
  attachment_content: { readonly sha256: string; readonly content: string }
  stock_level: StockLevelRow
  /** All that ever changed a level. */
  stock_move: {
    readonly id: number
    readonly at_ms: number
    readonly actor: string
    readonly part: string
    readonly store: string
    readonly on_hand: number
    readonly reserved: number
    readonly order_id: string | null
    /** The id that the sender gave a command of the stores, if any: sent again, it is not done again. */
    readonly command: string | null
    readonly note: string
  }
  /** In the plant's currency, by calendar year. */
  budget_use: BudgetUseRow
  /** What a QR code on an asset says, as SHA-256: who has it may ask for work there. */
  asset_code: {
    readonly hash: string
    readonly asset: string
    readonly made_by: string
    readonly made_ms: number
    readonly revoked_ms: number | null
  }
  /** Public requests of an hour, by code and by site. */
  request_count: { readonly key: string; readonly hour: number; readonly count: number }
  /** What automations did, by the event that set them off. */
  automation_run: AutomationRunRow
  /** Events that are still to be published, in the order of their ids, by the owner of the asset's partition. */
  order_outbox: { readonly id: number; readonly partition: number; readonly event: string }
  /** The last number given out. Raised in the transaction that uses it, so numbers have no gaps. */
  order_sequence: { readonly name: "order" | "event"; readonly last: number }
}
