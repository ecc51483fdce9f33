/** What is attached to orders: who attached it and its hash are in the order, the content is kept by the hash. */
import { createHash } from "node:crypto"
import type { Database } from "../core/db/database.ts"
import { MillwrightError } from "../core/errors.ts"
import type { Attachment, WorkOrder } from "../core/orders.ts"
import { bytesOf } from "./base64.ts"
import type { Effect } from "./commands/command.ts"
import { selectOrder } from "./queries.ts"
import { fromRow } from "./rows.ts"
import type { WorkOrderTables } from "./tables.ts"

/** As `core/orders.ts` bounds them. */
export const attachmentsAtMost = 200

type Given = {
  readonly name: string
  readonly mediaType: string
  /** As base64. */
  readonly content: string
}

/** The order with this attached, what the history says of it, and the content to keep. */
export function attached(
  order: WorkOrder,
  { name, mediaType, content }: Given,
  { by, atMs }: { readonly by: string; readonly atMs: number },
): { readonly order: WorkOrder; readonly note: string; readonly effect: Effect } {
  const sha256 = hashOf(content)
  const attachment: Attachment = { name, mediaType, bytes: bytesOf(content), sha256, by, atMs }
  return {
    order: { ...order, attachments: [...order.attachments, attachment] },
    note: `${name}, ${mediaType}, ${attachment.bytes} bytes, SHA-256 ${sha256}`,
    effect: { kind: "content", sha256, content },
  }
}

export type AttachmentQueries = {
  /** With its content as base64. Rejects with `NOT_FOUND`, and `NOT_VERIFIED` where the content is not what was attached. */
  attachment(idOrNumber: string, name: string): Promise<Attachment & { readonly content: string }>
}

export function attachmentQueries(database: Database): AttachmentQueries {
  return {
    async attachment(idOrNumber, name) {
      const db = database.tables<WorkOrderTables>()
      const row = await selectOrder(db, idOrNumber).executeTakeFirst()
      if (row === undefined) throw new MillwrightError("NOT_FOUND", `there is no work order ${idOrNumber}`)
      const { number, attachments } = fromRow(row).order
      const attachment = attachments.find((one) => one.name === name)
      if (attachment === undefined) throw noAttachment(number, name, attachments)
      const kept = await db
        .selectFrom("attachment_content")
        .select("content")
        .where("sha256", "=", attachment.sha256)
        .executeTakeFirst()
      if (kept === undefined)
        throw notVerified(`the content of ${name} of ${number} is not in the store any more`)
      const found = hashOf(kept.content)
      if (found !== attachment.sha256)
        throw notVerified(
          `${name} of ${number} is not what was attached: its SHA-256 was ${attachment.sha256} and now is ${found}`,
        )
      return { ...attachment, content: kept.content }
    },
  }
}

function noAttachment(number: string, name: string, all: readonly Attachment[]): MillwrightError {
  const others = all.length === 0 ? "it has none" : `it has ${all.map((one) => one.name).join(", ")}`
  return new MillwrightError("NOT_FOUND", `${number} has no attachment "${name}": ${others}`)
}

function notVerified(why: string): MillwrightError {
  return new MillwrightError(
    "NOT_VERIFIED",
    `${why}. Somebody changed the store: look for the file in a backup`,
  )
}

function hashOf(content: string): string {
  return createHash("sha256").update(Buffer.from(content, "base64")).digest("hex")
}
