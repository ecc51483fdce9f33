/** Where people's commands are taken: checked, carried out and written down, all in one transaction. */
import type { Transaction } from "kysely"
import { v5 as uuidv5 } from "uuid"
import { z } from "zod"
import type { Revision } from "../core/catalogue.ts"
import type { Database } from "../core/db/database.ts"
import { MillwrightError } from "../core/errors.ts"
import { type WorkOrder, workOrder } from "../core/orders.ts"
import { problems } from "../core/plant.ts"
import { authorise } from "../core/plant-register.ts"
import type { Role } from "../core/roles.ts"
import { canonical } from "./chain.ts"
import type { KeptOrder } from "./change.ts"
import { byTheClock } from "./clockwork.ts"
import type { Command, Context } from "./commands/command.ts"
import { budgetOf, stockOf } from "./effects.ts"
import { inEffect } from "./in-effect.ts"
import { intakeQueue } from "./intake.ts"
import { type CommandName, commands, possibleIn } from "./life-cycle.ts"
import { formatNumber } from "./number.ts"
import type { WorkOrderTables } from "./tables.ts"
import { selectDue } from "./timers.ts"
import { assignedTo } from "./workers.ts"
import { type Done, happen, happenIn, load, write } from "./writing.ts"

/** Drawn once at random. */
const namespace = "a0c9d7c1-0a4f-4d0b-8a55-0c4f8e2c1f6d"

type Trx = Transaction<WorkOrderTables>

type Ask = Asked & { readonly command: CommandName }

type Asked = {
  /** By id or number. */
  readonly order: string
  /** Its name, as the history keeps it. */
  readonly command: string
  readonly input: unknown
  /** The version that the sender has seen; another one is refused with `ORDER_CHANGED`. */
  readonly version?: number | undefined
  /** Made by the sender: sent again, the same command is not done again. */
  readonly id?: string | undefined
}

export type Asker = {
  readonly actor: string
  /** Now, by the plant's clock. */
  readonly atMs: number
}

export type Desk = {
  /**
   * Rejects with `NOT_FOUND`, `USAGE` for an input that does not fit, `NOT_ALLOWED` for who may not, `NOT_POSSIBLE` for
   * what the order's state or the plant's rules refuse, and `ORDER_CHANGED`.
   */
  perform(ask: Ask, asker: Asker): Promise<Done>
  /**
   * Carries out what is due to orders by now, by the plant's clock, each as of its own deadline and in a transaction of
   * its own, until nothing is due or `signal` aborts. Resolves with how much that was. May run in several processes.
   */
  tick(nowMs: number, signal?: AbortSignal): Promise<number>
}

/** Orders that are selected at once: bounds the memory of a tick after a long standstill. */
const perRound = 100

export type DeskOptions = {
  readonly database: Database
  /** The plant's newest revision, once one was applied. */
  newest(): Revision | undefined
  /** Of the log. */
  readonly partitions: number
}

export function createDesk(options: DeskOptions): Desk {
  const { database, newest } = options
  return {
    perform: (ask, asker) =>
      carryOut(options, ask, asker, { command: commands[ask.command], mayDo: checkRight }),

    async tick(nowMs, signal) {
      const revision = newest()
      const isStopped = () => signal?.aborted === true
      let count = 0
      let last: Parameters<typeof selectDue>[3]
      while (revision !== undefined && !isStopped()) {
        const due = await selectDue(database.tables(), nowMs, perRound, last).execute()
        for (const { id } of due) {
          // More than one deadline may have passed.
          while (!isStopped() && (await happen(options, id, nowMs, revision))) count += 1
        }
        last = due.at(-1)
        if (due.length < perRound) break
      }
      return count
    },
  }
}

/** A command, and who may give it: throws `NOT_ALLOWED`. */
export type Governed = { readonly command: Command<z.ZodType>; readonly mayDo: typeof checkRight }

export async function carryOut(
  options: DeskOptions,
  ask: Asked,
  asker: Asker,
  governed: Governed,
): Promise<Done> {
  const { database, newest, partitions } = options
  const checked = { ...ask, input: inputOf(ask, governed) }
  const revision = inEffect(newest)
  for (;;) {
    const done = await database.transaction<WorkOrderTables, Done | undefined>(
      (trx) => perform(trx, checked, asker, governed, revision, partitions),
      intakeQueue,
    )
    if (done !== undefined) return done
    while (await happen(options, ask.order, asker.atMs, revision));
  }
}

/** The same within a transaction, of which nothing may stay when it is refused. */
export async function carryOutIn(
  trx: Trx,
  { newest, partitions }: DeskOptions,
  ask: Asked,
  asker: Asker,
  governed: Governed,
): Promise<Done> {
  const checked = { ...ask, input: inputOf(ask, governed) }
  const revision = inEffect(newest)
  for (;;) {
    const done = await perform(trx, checked, asker, governed, revision, partitions)
    if (done !== undefined) return done
    while (await happenIn(trx, ask.order, asker.atMs, revision, partitions));
  }
}

function inputOf({ command: name, input }: Asked, { command }: Governed): unknown {
  const parsed = command.input.safeParse(input)
  if (parsed.success) return parsed.data
  throw new MillwrightError("USAGE", `${name}: ${z.prettifyError(parsed.error)}`)
}

/** Undefined when first something is due to the order by the clock: no deadline is missed for a late look at it. */
async function perform(
  trx: Trx,
  ask: Asked,
  asker: Asker,
  { command, mayDo }: Governed,
  revision: Revision,
  partitions: number,
): Promise<Done | undefined> {
  const kept = await load(trx, ask.order)
  if (kept === undefined) throw new MillwrightError("NOT_FOUND", `there is no work order ${ask.order}`)
  const { order } = kept
  const detail = { command: ask.command, input: command.kept?.(ask.input) ?? ask.input }
  const before = await doneBefore(trx, ask, asker, order, canonical(detail))
  if (before !== undefined) return before
  if (byTheClock(order, asker.atMs, revision) !== undefined) return undefined
  mayDo(command, order, revision, asker.actor)
  if (ask.version !== undefined && ask.version !== order.version)
    throw await conflict(trx, order, ask.version)
  if (!command.from.includes(order.state)) throw illegal(order, ask.command, command)
  const step = command.run(order, ask.input, await contextFor(trx, ask, asker, command, kept, revision))
  if (step.order.state !== order.state && !(command.to ?? []).includes(step.order.state))
    throw new Error(`${ask.command} led from ${order.state} to ${step.order.state}, which it may not`)
  checkBounds(step.order)
  return write(trx, kept, step, { ...asker, what: ask.command, detail, id: ask.id, partitions, revision })
}

/** What was answered when the command came first; the order is as it is now. */
async function doneBefore(
  trx: Trx,
  { id }: Asked,
  { actor }: Asker,
  order: WorkOrder,
  detail: string,
): Promise<Done | undefined> {
  if (id === undefined) return undefined
  const known = await trx.selectFrom("order_command").selectAll().where("id", "=", id).executeTakeFirst()
  if (known === undefined) return undefined
  const usedFor = (what: string) =>
    new MillwrightError("USAGE", `the command id ${id} was used for ${what}: make a new one`)
  if (known.order_id !== order.id) throw usedFor("another order")
  const entry = await trx
    .selectFrom("order_history")
    .select(["actor", "detail", "note"])
    .where("order_id", "=", order.id)
    .where("sequence", "=", known.sequence)
    .executeTakeFirstOrThrow()
  if (entry.actor !== actor) throw usedFor("somebody else's command")
  if (entry.detail !== detail) throw usedFor(`another command to ${order.number}`)
  return { order, note: entry.note, repeated: true }
}

async function conflict(trx: Trx, order: WorkOrder, seen: number): Promise<MillwrightError> {
  const since = await trx
    .selectFrom("order_history")
    .select(["actor", "kind", "note"])
    .where("order_id", "=", order.id)
    .where("sequence", ">", seen)
    .orderBy("sequence")
    .execute()
  const changes = since.map(({ actor, kind, note }) => `${kind} by ${actor} (${note})`).join("; ")
  return new MillwrightError(
    "ORDER_CHANGED",
    `${order.number} is at version ${order.version}, not ${seen}: ${changes || "it never was at that version"}. Nothing was done: look at it again`,
  )
}

/** An order is one document, so it holds so many notes, parts and so on: one more could not be read again. */
function checkBounds(order: WorkOrder): void {
  const fits = workOrder.safeParse(order)
  if (!fits.success)
    throw new MillwrightError(
      "NOT_POSSIBLE",
      `${order.number} can't hold that: ${problems(fits.error).join("; ")}. Go on with a follow-up order`,
    )
}

/** Throws `NOT_ALLOWED`. In a plant without people whoever has the files may do everything. */
function checkRight(
  { roles, assigned = [] }: Pick<Command<z.ZodType>, "roles" | "assigned">,
  order: WorkOrder,
  { plant }: Revision,
  actor: string,
): void {
  authorise(plant, actor, roles)
  const held: readonly Role[] = plant.people.find(({ id }) => id === actor)?.roles ?? []
  const able = held.filter((role) => roles.includes(role))
  if (able.length === 0 || able.some((role) => !assigned.includes(role))) return
  const own = assignedTo(order)
  if (own.includes(actor)) return
  throw new MillwrightError(
    "NOT_ALLOWED",
    `${order.number} is not assigned to "${actor}" but to ${own.join(", ") || "nobody yet"}`,
  )
}

function illegal(order: WorkOrder, wanted: string, { from }: Command<z.ZodType>): MillwrightError {
  const possible = possibleIn(order.state)
  return new MillwrightError(
    "NOT_POSSIBLE",
    `${order.number} is ${order.state}, and "${wanted}" is for orders that are ${from.join(", ")}. ` +
      (possible.length === 0
        ? "Nothing more can be done to it"
        : `What can be done to it now: ${possible.join(", ")}`),
  )
}

async function contextFor(
  trx: Trx,
  { input }: Asked,
  { actor, atMs }: Asker,
  command: Command<z.ZodType>,
  { order }: KeptOrder,
  revision: Revision,
): Promise<Context> {
  const others = new Map<string, WorkOrder>()
  for (const one of command.reads?.(input) ?? []) {
    const found = await load(trx, one)
    if (found !== undefined) others.set(one, found.order)
  }
  const sameNeed = await trx
    .selectFrom("work_order")
    .select("number")
    .where((row) => row("open", "=", row.lit(1)))
    .where("merge_key", "=", order.mergeKey)
    .where("id", "!=", order.id)
    .executeTakeFirst()
  return {
    atMs,
    actor,
    person: revision.plant.people.find(({ id }) => id === actor),
    revision,
    asset: revision.assets.get(order.asset),
    stock: await stockOf(trx, order, input),
    budget: await budgetOf(trx, order.costCentre, atMs),
    sameNeed: sameNeed && formatNumber(sameNeed.number),
    other: (idOrNumber) => others.get(idOrNumber),
    idFor: (what) => uuidv5(JSON.stringify([order.id, order.version, what]), namespace),
  }
}
