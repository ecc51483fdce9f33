/** Requests of people without an account, who have the code on an asset; and how all who asked are told of progress. */
import { createHash } from "node:crypto"
import type { Kysely, Transaction } from "kysely"
import { v5 as uuidv5 } from "uuid"
import type { Revision } from "../core/catalogue.ts"
import type { Database } from "../core/db/database.ts"
import { MillwrightError } from "../core/errors.ts"
import { noJob } from "../core/job.ts"
import type { OpenOrder, WorkOrder } from "../core/orders.ts"
import { type Asset, timeAllowed } from "../core/plant.ts"
import type { Severity } from "../core/vocabulary.ts"
import { localTime, timeZoneOf } from "../core/wording.ts"
import { hashOfCode } from "./asset-codes.ts"
import { attached } from "./attachments.ts"
import { system } from "./change.ts"
import { inEffect } from "./in-effect.ts"
import { intakeQueue, takeRequests } from "./intake.ts"
import { isOwn, isRequesterOnly } from "./own-orders.ts"
import { type Progress, progressOf } from "./progress.ts"
import { type PublicRequest, pictureKind } from "./public-form.ts"
import { selectOrder } from "./queries.ts"
import { usualUrgency } from "./requests-by-people.ts"
import { fromRow } from "./rows.ts"
import type { WorkOrderTables } from "./tables.ts"
import { load, write } from "./writing.ts"

type Trx = Transaction<WorkOrderTables>

/** Drawn once at random. */
const namespace = "c58d3a3e-43b5-4d7b-a7a6-0d2c7a1f9e64"
const hourMs = 3_600_000

type PublicAnswer = {
  /** Who has it may ask how the request goes. */
  readonly token: string
  readonly asset: string
  readonly repeated: boolean
}

export type PublicRequests = {
  /**
   * `atMs` is now by the plant's clock, `arrivedMs` by the wall's, which limits go by. Rejects with `NOT_ALLOWED` for a
   * code that is not in use, and `TOO_MANY_REQUESTS`.
   */
  ask(
    request: PublicRequest,
    now: { readonly atMs: number; readonly arrivedMs: number },
  ): Promise<PublicAnswer>
  /** By the token of a public request, or by the number of an order of one's own. */
  progress(tokenOrOrder: string, actor: string): Promise<Progress>
}

export function createPublicRequests(options: {
  readonly database: Database
  newest(): Revision | undefined
  /** Of the log. */
  readonly partitions: number
}): PublicRequests {
  const { database, newest, partitions } = options
  return {
    async ask(request, { atMs, arrivedMs }) {
      const revision = inEffect(newest)
      const { perCode, perSite } = revision.plant.publicRequests
      if (perCode === 0 || perSite === 0)
        throw new MillwrightError("NOT_ALLOWED", "this plant takes no requests without an account")
      const token = tokenOf(request)
      return database.transaction<WorkOrderTables, PublicAnswer>(async (trx) => {
        const { asset, key } = await placeOf(trx, request.code, revision)
        const order = orderOf(token)
        const answer = { token, asset: asset.id }
        if (await isThere(trx, order)) return { ...answer, repeated: true }
        const timeZone = timeZoneOf(revision.plant, asset.site)
        await count(trx, { key, limit: perCode, of: "this code", arrivedMs, timeZone })
        await count(trx, { key: `site ${asset.site}`, limit: perSite, of: "this site", arrivedMs, timeZone })
        await takeRequests(trx, [requestOf(request, { order, asset, atMs, revision })], partitions, revision)
        if (request.photo !== undefined)
          await attachPhoto(trx, order, request.photo, { atMs, partitions, revision })
        return { ...answer, repeated: false }
      }, intakeQueue)
    },

    async progress(tokenOrOrder, actor) {
      const revision = inEffect(newest)
      const db = database.tables<WorkOrderTables>()
      const isToken = tokenPattern.test(tokenOrOrder)
      const row = await selectOrder(db, isToken ? orderOf(tokenOrOrder) : tokenOrOrder).executeTakeFirst()
      const order = row && fromRow(row).order
      if (order === undefined || !(isToken || mayAsk(order, revision, actor)))
        throw new MillwrightError(
          "NOT_FOUND",
          `there is no request "${tokenOrOrder}"${isToken ? "" : ` of "${actor}"`}: give the token that it was answered with, or the number of an order of your own`,
        )
      return progressOf(order, await goesOnIn(db, order), timeZoneOf(revision.plant, order.site))
    },
  }
}

/** The order that deals with it: of a duplicate the first, which may be a duplicate of another one by now. */
async function goesOnIn(db: Kysely<WorkOrderTables>, order: WorkOrder): Promise<WorkOrder> {
  if (order.duplicateOf === null) return order
  const next = await selectOrder(db, order.duplicateOf).executeTakeFirstOrThrow()
  return goesOnIn(db, fromRow(next).order)
}

const tokenPattern = /^[\w-]{32}$/

/** From what only the sender knows, so that sent again it has the same answer, and the order tells nobody. */
function tokenOf({ code, id }: PublicRequest): string {
  return createHash("sha256")
    .update(JSON.stringify([code, id]))
    .digest()
    .subarray(0, 24)
    .toString("base64url")
}

function orderOf(token: string): string {
  return uuidv5(token, namespace)
}

async function isThere(trx: Trx, order: string): Promise<boolean> {
  const found = await trx.selectFrom("work_order").select("id").where("id", "=", order).executeTakeFirst()
  return found !== undefined
}

/** Whoever tries codes learns nothing from the answer. */
async function placeOf(
  trx: Trx,
  code: string,
  { assets }: Revision,
): Promise<{ readonly asset: Asset; readonly key: string }> {
  const hash = hashOfCode(code)
  const known = await trx
    .selectFrom("asset_code")
    .select("asset")
    .where("hash", "=", hash)
    .where("revoked_ms", "is", null)
    .executeTakeFirst()
  const asset = known && assets.get(known.asset)
  if (asset !== undefined) return { asset, key: `code ${hash}` }
  throw new MillwrightError("NOT_ALLOWED", "this code is not in use: ask at the plant for the one in use")
}

type Counting = {
  readonly key: string
  readonly limit: number
  readonly of: string
  readonly arrivedMs: number
  readonly timeZone: string
}

/** In the transaction of the request itself: neither a crash nor a restart gives anybody more. */
async function count(trx: Trx, { key, limit, of, arrivedMs, timeZone }: Counting): Promise<void> {
  const hour = Math.floor(arrivedMs / hourMs)
  await trx.deleteFrom("request_count").where("key", "=", key).where("hour", "<", hour).execute()
  const known = await trx
    .selectFrom("request_count")
    .select("count")
    .where("key", "=", key)
    .where("hour", "=", hour)
    .executeTakeFirst()
  const before = known?.count ?? 0
  if (before >= limit) {
    const nextMs = (hour + 1) * hourMs
    const minutes = Math.ceil((nextMs - arrivedMs) / 60_000)
    throw new MillwrightError(
      "TOO_MANY_REQUESTS",
      `${before} requests came for ${of} within the hour, and no more are taken: come again at ${localTime(nextMs, timeZone)} (${timeZone}), in ${minutes} min, or call the plant if it can't wait`,
    )
  }
  await trx
    .insertInto("request_count")
    .values({ key, hour, count: 1 })
    .onConflict((conflict) => conflict.columns(["key", "hour"]).doUpdateSet({ count: before + 1 }))
    .execute()
}

/** What the requester's word is worth; that a machine has to be stopped at once is for others to say. */
const severityOf: Readonly<Record<PublicRequest["urgency"], Severity>> = {
  low: "watch",
  normal: "warning",
  high: "alarm",
}

const titleLength = 100

type Asked = {
  readonly order: string
  readonly asset: Asset
  readonly atMs: number
  readonly revision: Revision
}

function requestOf(
  { issue, urgency, name, contact }: PublicRequest,
  { order, asset, atMs, revision: { plant } }: Asked,
): OpenOrder {
  const [firstLine = issue] = issue.split("\n")
  const usual = usualUrgency(
    plant,
    severityOf[urgency],
    asset.criticality,
    `urgency ${urgency}, says ${name}`,
  )
  return {
    kind: "open",
    order,
    type: "reactive",
    site: asset.site,
    asset: asset.id,
    component: null,
    mergeKey: `asked|${order}`,
    title: firstLine.length <= titleLength ? firstLine : `${firstLine.slice(0, titleLength - 1)}…`,
    description: issue,
    template: null,
    job: noJob,
    ...usual,
    atMs,
    dueMs: atMs + timeAllowed(plant, usual.priority),
    trigger: { kind: "public" },
    findings: [],
    costCentre: asset.costCentre ?? null,
    origin: {
      requester: { kind: "public", id: null, name, contact: contact ?? null },
      fields: { urgency },
      customer: null,
      salesOrder: null,
      parent: null,
    },
  }
}

async function attachPhoto(
  trx: Trx,
  id: string,
  content: string,
  {
    atMs,
    partitions,
    revision,
  }: { readonly atMs: number; readonly partitions: number; readonly revision: Revision },
): Promise<void> {
  const kept = await load(trx, id)
  if (kept === undefined) throw new Error(`there is no order ${id}`)
  const kind = pictureKind(content) ?? "jpeg"
  const photo = { name: `photo.${kind === "jpeg" ? "jpg" : "png"}`, mediaType: `image/${kind}`, content }
  const { order, note, effect } = attached(kept.order, photo, { by: system, atMs })
  const step = { order, event: "attached", note: `with the request: ${note}`, effects: [effect] } as const
  await write(trx, kept, step, { what: "request", actor: system, atMs, detail: {}, partitions, revision })
}

/** Who works in the plant may ask about every order; a requester or customer about their own. */
function mayAsk(order: WorkOrder, { plant: { people } }: Revision, actor: string): boolean {
  if (people.length === 0) return true
  const person = people.find(({ id }) => id === actor)
  return person !== undefined && (!isRequesterOnly(person) || isOwn(order, person))
}
