import { createHash } from "node:crypto"
import { expect, test } from "vitest"
import { attachmentQueries } from "../../workorders/attachments.ts"
import type { WorkOrderTables } from "../../workorders/tables.ts"
import { office, people } from "./office.ts"

const text = "bearing, outer ring, pitted"
const content = Buffer.from(text).toString("base64")
const sha256 = createHash("sha256").update(text).digest("hex")
const file = { name: "bearing.txt", mediaType: "text/plain", content }

test("what is attached comes back as it was, and the order and its history have its hash", async () => {
  const { order, perform, queries, database } = await office()
  await order(1)
  const { order: after, note } = await perform("tina", "1", "attach", file)
  expect(after.attachments).toMatchObject([
    { name: "bearing.txt", mediaType: "text/plain", bytes: text.length, sha256, by: "tina" },
  ])
  expect(note).toBe(`bearing.txt, text/plain, ${text.length} bytes, SHA-256 ${sha256}`)
  const read = await attachmentQueries(database).attachment("1", "bearing.txt")
  expect(Buffer.from(read.content, "base64").toString()).toBe(text)
  expect((await queries.get("1")).history.at(-1)).toMatchObject({ kind: "attached", actor: "tina" })
})

test("the content is in the store once, and not in the history", async () => {
  const { order, perform, database } = await office()
  await order(1)
  await perform("tina", "1", "attach", file)
  await perform("tina", "1", "attach", { ...file, name: "again.txt" })
  const db = database.tables<WorkOrderTables>()
  expect(await db.selectFrom("attachment_content").selectAll().execute()).toEqual([{ sha256, content }])
  const history = await db.selectFrom("order_history").selectAll().execute()
  expect(JSON.stringify(history)).not.toContain(content)
})

test("content that somebody changed in the store, or took out of it, is told", async () => {
  const { order, perform, database } = await office()
  await order(1)
  await perform("tina", "1", "attach", file)
  const db = database.tables<WorkOrderTables>()
  const { attachment } = attachmentQueries(database)
  await db
    .updateTable("attachment_content")
    .set({ content: Buffer.from("all well").toString("base64") })
    .execute()
  await expect(attachment("1", "bearing.txt")).rejects.toMatchObject({
    code: "NOT_VERIFIED",
    message: expect.stringMatching(
      `bearing.txt of WO-000001 is not what was attached: its SHA-256 was ${sha256} and now is`,
    ),
  })
  await db.deleteFrom("attachment_content").execute()
  await expect(attachment("1", "bearing.txt")).rejects.toThrow("is not in the store any more")
})

test("what is not there is said so, with what is", async () => {
  const { order, perform, database } = await office()
  await order(1)
  const { attachment } = attachmentQueries(database)
  await expect(attachment("1", "a")).rejects.toMatchObject({
    code: "NOT_FOUND",
    message: 'WO-000001 has no attachment "a": it has none',
  })
  await perform("tina", "1", "attach", file)
  await expect(attachment("1", "a")).rejects.toThrow("it has bearing.txt")
  await expect(attachment("9", "a")).rejects.toThrow("there is no work order 9")
})

test("nothing is replaced: the same name again is refused", async () => {
  const { order, perform } = await office()
  await order(1)
  await perform("tina", "1", "attach", file)
  await expect(perform("tina", "1", "attach", file)).rejects.toMatchObject({
    code: "NOT_POSSIBLE",
    message: 'WO-000001 has an attachment "bearing.txt" already, and none is replaced: give another name',
  })
})

test("the 201st attachment of an order is refused", async () => {
  const { order, perform } = await office()
  await order(1)
  for (let n = 1; n <= 200; n++) await perform("tina", "1", "attach", { ...file, name: `${n}.txt` })
  await expect(perform("tina", "1", "attach", file)).rejects.toThrow("200 attachments, the most there can be")
})

test("a file of 10 MB is taken, and one byte more is refused", async () => {
  const { order, perform, database } = await office()
  await order(1)
  const whole = Buffer.alloc(10_000_000, 7)
  await perform("tina", "1", "attach", { ...file, content: whole.toString("base64") })
  const read = await attachmentQueries(database).attachment("1", "bearing.txt")
  expect(Buffer.from(read.content, "base64").equals(whole)).toBe(true)
  const larger = Buffer.alloc(10_000_001, 7).toString("base64")
  await expect(perform("tina", "1", "attach", { ...file, name: "b", content: larger })).rejects.toMatchObject(
    {
      code: "USAGE",
      message: expect.stringContaining("expected at most 10 MB"),
    },
  )
})

test.each([
  [{ ...file, name: "../etc/passwd" }, "a file's name without a path"],
  [{ ...file, name: "a\u001b[2J" }, "a file's name without a path"],
  [{ ...file, mediaType: "text" }, "expected a media type"],
  [{ ...file, content: "not base64!" }, "expected base64"],
])("%j is refused", async (input, message) => {
  const { order, perform } = await office()
  await order(1)
  await expect(perform("tina", "1", "attach", input)).rejects.toMatchObject({
    code: "USAGE",
    message: expect.stringContaining(message),
  })
})

test("a link is to the web, and there once", async () => {
  const { order, perform } = await office()
  await order(1)
  const link = { title: "Drawing 12", url: "https://drive.example/d/12" }
  const { order: after, note } = await perform("ella", "1", "link", link)
  expect(after.links).toMatchObject([{ ...link, by: "ella" }])
  expect(note).toBe("Drawing 12: https://drive.example/d/12")
  await expect(perform("ella", "1", "link", link)).rejects.toThrow("has this link already")
  for (const url of ["javascript:alert(1)", "file:///etc/passwd", "drive/12"]) {
    await expect(perform("ella", "1", "link", { title: "a", url })).rejects.toMatchObject({ code: "USAGE" })
  }
})

test("requesters and customers add to their own orders only", async () => {
  const plant = `${people.replace("roles: [customer]", "roles: [customer], customer: acme")}
customers: [{ id: acme, name: Acme }]
`
  const { order, perform } = await office(plant)
  const requester = { kind: "person", id: "rita", name: "Rita", contact: null } as const
  await order(1, { origin: { requester, fields: {}, customer: "acme", salesOrder: null, parent: null } })
  await order(2)
  for (const actor of ["rita", "cora"]) {
    await perform(actor, "1", "attach", { ...file, name: `${actor}.txt` })
    await expect(perform(actor, "2", "attach", file)).rejects.toMatchObject({
      code: "NOT_ALLOWED",
      message: `${actor} did not ask for WO-000002, and may add to own orders only`,
    })
    const link = { title: "a", url: "https://a.example" }
    await expect(perform(actor, "2", "link", link)).rejects.toMatchObject({ code: "NOT_ALLOWED" })
  }
  await expect(perform("ada", "1", "attach", file)).rejects.toMatchObject({ code: "NOT_ALLOWED" })
})
