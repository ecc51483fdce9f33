import { z } from "zod"
import { MillwrightError } from "../../core/errors.ts"
import type { WorkOrder } from "../../core/orders.ts"
import { beforeTheEnd } from "../../core/orders.ts"
import type { Role } from "../../core/roles.ts"
import { attached, attachmentsAtMost } from "../attachments.ts"
import { base64 } from "../base64.ts"
import { isOwn, isRequesterOnly } from "../own-orders.ts"
import { type Context, command, refuse } from "./command.ts"

export const attachmentBytes = 10_000_000
const linksAtMost = 200

/** Contractors also before the order is theirs: a bid has its document. */
const everybodyAtWork: readonly Role[] = [
  "requester",
  "customer",
  "technician",
  "contractor",
  "storekeeper",
  "planner",
  "engineer",
  "supervisor",
  "admin",
]

/** A file's name: no path, nothing that a terminal would obey. */
const fileName = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[^/\\\p{Cc}\p{Bidi_Control}]+$/u, "expected a file's name without a path")

export const attach = command({
  summary: "add a file, such as a photo or a certificate; its hash is kept in the history",
  roles: everybodyAtWork,
  from: beforeTheEnd,
  input: z.strictObject({
    name: fileName.describe("what it is called in the order"),
    mediaType: z
      .string()
      .max(128)
      .regex(/^[\w.+-]+\/[\w.+-]+$/, "expected a media type such as image/jpeg")
      .describe("such as image/jpeg"),
    content: base64(attachmentBytes).describe("as base64, at most 10 MB"),
  }),
  // The order has its hash; what it says would make the history as large as all files together.
  kept: ({ name, mediaType }) => ({ name, mediaType }),
  run(order, input, context) {
    mustBeOwn(order, context)
    if (order.attachments.some(({ name }) => name === input.name))
      refuse(
        `${order.number} has an attachment "${input.name}" already, and none is replaced: give another name`,
      )
    if (order.attachments.length >= attachmentsAtMost)
      refuse(`${order.number} has ${attachmentsAtMost} attachments, the most there can be: link to others`)
    const { order: changed, note, effect } = attached(order, input, { by: context.actor, atMs: context.atMs })
    return { order: changed, event: "attached", note, effects: [effect] }
  },
})

export const link = command({
  summary: "add a link, such as to a document in a drive",
  roles: everybodyAtWork,
  from: beforeTheEnd,
  input: z.strictObject({
    title: z.string().trim().min(1).max(200).describe("what is there"),
    url: z
      .url({ protocol: /^https?$/, error: "expected an address with http or https" })
      .max(2000)
      .describe("http or https"),
  }),
  run(order, { title, url }, context) {
    mustBeOwn(order, context)
    if (order.links.some((one) => one.url === url)) refuse(`${order.number} has this link already: ${url}`)
    if (order.links.length >= linksAtMost)
      refuse(`${order.number} has ${linksAtMost} links, the most there can be`)
    const { actor, atMs } = context
    return {
      order: { ...order, links: [...order.links, { title, url, by: actor, atMs }] },
      event: "linked",
      note: `${title}: ${url}`,
    }
  },
})

function mustBeOwn(order: WorkOrder, { person }: Context): void {
  if (person === undefined || !isRequesterOnly(person) || isOwn(order, person)) return
  throw new MillwrightError(
    "NOT_ALLOWED",
    `${person.id} did not ask for ${order.number}, and may add to own orders only`,
  )
}
