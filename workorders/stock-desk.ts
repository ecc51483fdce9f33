/** What storekeepers do with stock beside any order: receive, count, move, and look what is there. */
import type { Kysely, Transaction } from "kysely"
import { z } from "zod"
import type { Revision } from "../core/catalogue.ts"
import type { Database } from "../core/db/database.ts"
import { MillwrightError } from "../core/errors.ts"
import type { Plant } from "../core/plant.ts"
import { authorise } from "../core/plant-register.ts"
import type { Role } from "../core/roles.ts"
import { name } from "../core/vocabulary.ts"
import { refuse, withNote } from "./commands/command.ts"
import type { Asker } from "./desk.ts"
import { applyEffects } from "./effects.ts"
import { inEffect } from "./in-effect.ts"
import { intakeQueue } from "./intake.ts"
import {
  freeOf,
  isLow,
  levelOf,
  lowAfter,
  partOf,
  reorderPoint,
  rounded,
  type StockEffect,
  storeOf,
} from "./stock.ts"
import type { StockLevelRow, WorkOrderTables } from "./tables.ts"

type Trx = Transaction<WorkOrderTables>

const most = 1_000_000
const quantity = z.number().min(1e-6, "expected more than 0").max(most).transform(rounded)
const note = z.string().max(2000).default("")
const id = z
  .uuid()
  .optional()
  .describe("an id of your own for this command: sent again, it is not done again")
const onlyOf = {
  part: name.optional().describe("only of this part"),
  store: name.optional().describe("only in this store"),
}
const limit = z.number().int().min(1).max(10_000)

export const stockInputs = {
  list: z.strictObject({
    ...onlyOf,
    site: name.optional().describe("only in the stores of this site"),
    low: z.boolean().default(false).describe("only what has come to its reorder point"),
    limit: limit.default(500).describe("at most so many (default: 500)"),
  }),
  history: z.strictObject({ ...onlyOf, limit: limit.default(50).describe("at most so many (default: 50)") }),
  receive: z.strictObject({
    part: name,
    store: name.describe("where it is put"),
    quantity,
    note: note.describe("such as the number of the delivery note"),
    id,
  }),
  count: z.strictObject({
    part: name,
    store: name,
    quantity: z
      .number()
      .nonnegative()
      .max(most)
      .transform(rounded)
      .describe("all that there is, with what is set aside for orders"),
    reason: z.string().min(1).max(2000).describe("why it was counted, or what explains the difference"),
    id,
  }),
  move: z.strictObject({
    part: name,
    from: name.describe("the store that it is taken from"),
    to: name.describe("the store that it is put into"),
    quantity,
    note,
    id,
  }),
}
type Input<K extends keyof typeof stockInputs> = z.output<(typeof stockInputs)[K]>

type StockLevel = {
  readonly part: string
  readonly store: string
  /** Null for a store that has left the plant. */
  readonly site: string | null
  readonly onHand: number
  /** Set aside for orders. */
  readonly reserved: number
  readonly free: number
  readonly reorderAt: number | null
  /** As little is free as its reorder point says, or less. */
  readonly low: boolean
}

type StockMove = {
  readonly atMs: number
  readonly actor: string
  readonly part: string
  readonly store: string
  /** By how much each changed. */
  readonly onHand: number
  readonly reserved: number
  readonly note: string
}

type Moved = { readonly levels: readonly StockLevel[]; readonly note: string; readonly repeated: boolean }

/** Rejects with `NOT_ALLOWED` for who may not, and `NOT_POSSIBLE` for what the plant or the stock do not allow. */
export type StockDesk = {
  receive(input: Input<"receive">, asker: Asker): Promise<Moved>
  count(input: Input<"count">, asker: Asker): Promise<Moved>
  move(input: Input<"move">, asker: Asker): Promise<Moved>
  /** `left`: how many more there are than the limit. */
  list(
    filter: Input<"list">,
    actor: string,
  ): Promise<{ readonly levels: readonly StockLevel[]; readonly left: number }>
  /** Newest first. */
  history(filter: Input<"history">, actor: string): Promise<readonly StockMove[]>
}

const keepers: readonly Role[] = ["storekeeper", "planner", "supervisor", "admin"]
const readers: readonly Role[] = [...keepers, "technician", "contractor", "engineer", "auditor"]

type Change = {
  /** In words: how a command that is sent again is known from another one. */
  readonly what: string
  readonly part: string
  readonly stores: readonly string[]
  /** What whoever did it says of it. */
  readonly said: string
  readonly id: string | undefined
  /** What becomes of the part's levels; `before`: what was found there. */
  decide(stock: readonly StockLevelRow[]): {
    readonly effects: readonly StockEffect[]
    readonly before?: string
  }
}

export function createStockDesk(options: {
  readonly database: Database
  /** The plant's newest revision, once one was applied. */
  newest(): Revision | undefined
}): StockDesk {
  const { database, newest } = options
  function change({ what, part, stores, said, id, decide }: Change, asker: Asker): Promise<Moved> {
    const revision = inEffect(newest)
    const { plant } = revision
    authorise(plant, asker.actor, keepers)
    partOf(plant, part)
    for (const store of stores) storeOf(plant, store)
    const shownIn = (stock: readonly StockLevelRow[]) =>
      stores.map((store) => shown(levelOf(stock, part, store), plant))
    return database.transaction<WorkOrderTables, Moved>(async (trx) => {
      const stock = await selectLevels(trx, { part }).execute()
      const known = await doneBefore(trx, what, id)
      if (known !== undefined) return { levels: shownIn(stock), note: known, repeated: true }
      const { effects, before = "" } = decide(stock)
      const note = withNote(`${what}${before}`, said)
      await applyEffects(trx, effects, { order: null, ...asker, note, command: id })
      const levels = shownIn(await selectLevels(trx, { part }).execute())
      return { levels, note: [note, ...lowAfter(effects, { stock, revision })].join("; "), repeated: false }
    }, intakeQueue)
  }

  return {
    async receive({ part, store, quantity, note, id }, asker) {
      const effects: StockEffect[] = [{ kind: "stock", part, store, onHand: quantity, reserved: 0 }]
      const what = `received ${quantity} ${part} in ${store}`
      return change({ what, part, stores: [store], said: note, id, decide: () => ({ effects }) }, asker)
    },

    async count({ part, store, quantity, reason, id }, asker) {
      return change(
        {
          what: `counted ${quantity} ${part} in ${store}`,
          part,
          stores: [store],
          said: reason,
          id,
          decide(stock) {
            const { on_hand, reserved } = levelOf(stock, part, store)
            if (quantity < reserved)
              refuse(
                `${reserved} ${part} in ${store} are set aside for orders, so ${quantity} can't be all: release some first (millwright orders release)`,
              )
            const found = rounded(quantity - on_hand)
            return {
              effects: [{ kind: "stock", part, store, onHand: found, reserved: 0 }],
              before: `, ${on_hand} by the book`,
            }
          },
        },
        asker,
      )
    },

    async move({ part, from, to, quantity, note, id }, asker) {
      if (from === to) refuse(`${from} is both where it comes from and where it goes: name two stores`)
      return change(
        {
          what: `moved ${quantity} ${part} from ${from} to ${to}`,
          part,
          stores: [from, to],
          said: note,
          id,
          decide(stock) {
            const level = levelOf(stock, part, from)
            if (quantity > freeOf(level))
              refuse(
                `${from} has ${freeOf(level)} ${part} free and ${level.reserved} set aside for orders: ${quantity} can't be moved`,
              )
            return {
              effects: [
                { kind: "stock", part, store: from, onHand: -quantity, reserved: 0 },
                { kind: "stock", part, store: to, onHand: quantity, reserved: 0 },
              ],
            }
          },
        },
        asker,
      )
    },

    async list({ part, store, site, low, limit }, actor) {
      const { plant } = inEffect(newest)
      authorise(plant, actor, readers)
      if (part !== undefined) partOf(plant, part)
      if (store !== undefined) storeOf(plant, store)
      const stock = await selectLevels(database.tables<WorkOrderTables>(), { part, store }).execute()
      const levels = [...stock, ...withoutLevel(plant, stock)]
        .filter((one) => (part ?? one.part) === one.part && (store ?? one.store) === one.store)
        .map((one) => shown(one, plant))
        .filter((one) => (site ?? one.site) === one.site && (one.low || !low))
        .toSorted((a, b) => compare(a.part, b.part) || compare(a.store, b.store))
      return { levels: levels.slice(0, limit), left: Math.max(0, levels.length - limit) }
    },

    async history({ part, store, limit }, actor) {
      authorise(inEffect(newest).plant, actor, readers)
      let query = database
        .tables<WorkOrderTables>()
        .selectFrom("stock_move")
        .select(["at_ms as atMs", "actor", "part", "store", "on_hand as onHand", "reserved", "note"])
        .orderBy("id", "desc")
        .limit(limit)
      if (part !== undefined) query = query.where("part", "=", part)
      if (store !== undefined) query = query.where("store", "=", store)
      return query.execute()
    },
  }
}

function selectLevels(
  db: Kysely<WorkOrderTables>,
  { part, store }: { readonly part?: string | undefined; readonly store?: string | undefined },
) {
  let query = db.selectFrom("stock_level").selectAll()
  if (part !== undefined) query = query.where("part", "=", part)
  return store === undefined ? query : query.where("store", "=", store)
}

/** The note of the command that came first under this id. */
async function doneBefore(trx: Trx, what: string, id: string | undefined): Promise<string | undefined> {
  if (id === undefined) return undefined
  const known = await trx
    .selectFrom("stock_move")
    .select("note")
    .where("command", "=", id)
    .orderBy("id")
    .executeTakeFirst()
  if (known !== undefined && !known.note.startsWith(what))
    throw new MillwrightError("USAGE", `the command id ${id} was used before (${known.note}): make a new one`)
  return known?.note
}

/** What the plant wants to have in its stores and never had. */
function withoutLevel({ parts }: Plant, stock: readonly StockLevelRow[]): readonly StockLevelRow[] {
  const there = new Set(stock.map(placeOf))
  return parts
    .flatMap(({ id, reorderAt }) => Object.keys(reorderAt).map((store) => levelOf([], id, store)))
    .filter((one) => !there.has(placeOf(one)))
}

/** "|" is part of no name. */
function placeOf({ part, store }: StockLevelRow): string {
  return `${part}|${store}`
}

function shown(level: StockLevelRow, plant: Plant): StockLevel {
  const { part, store, on_hand: onHand, reserved } = level
  const free = freeOf(level)
  return {
    part,
    store,
    site: plant.stores.find(({ id }) => id === store)?.site ?? null,
    onHand,
    reserved,
    free,
    reorderAt: reorderPoint(plant, part, store),
    low: isLow(plant, part, store, free),
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
