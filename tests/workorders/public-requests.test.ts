import { join } from "node:path"
import { expect, test } from "vitest"
import { Audit } from "../../core/audit.ts"
import { createAssetCodes } from "../../workorders/asset-codes.ts"
import { attachmentQueries } from "../../workorders/attachments.ts"
import { publicRequest } from "../../workorders/public-form.ts"
import { createPublicRequests } from "../../workorders/public-requests.ts"
import type { WorkOrderTables } from "../../workorders/tables.ts"
import { office, people } from "./office.ts"
import { at, scratch } from "./requests.ts"

const plant = `${people.replace("roles: [customer]", "roles: [customer], customer: acme")}
customers: [{ id: acme, name: Acme }]
publicRequests: { perCode: 3, perSite: 4 }
`
const code = "a-code-that-nobody-guesses"
/** The start of a real picture of one pixel. */
const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

const idOf = (n: number) => `7d0c1f8e-53a2-4a0e-8b40-${String(n).padStart(12, "0")}`

/** An office with the form behind the code on P-101; its wall clock goes as the plant's. */
async function reception(source = plant, path = ":memory:") {
  const there = await office(source, path)
  const { database, clock } = there
  await new Audit(database).migrate()
  const options = { database, newest: () => there.revision, partitions: 4 }
  const codes = createAssetCodes(options)
  const requests = createPublicRequests(options)
  const known = await codes.list({ actor: "paul" })
  if (known.length === 0) await codes.make("P-101", code, { actor: "paul", atMs: clock.atMs })
  return {
    ...there,
    codes,
    progress: requests.progress,
    async ask(n: number, more: object = {}) {
      const form = { code, issue: "Water below the pump", name: "Jo Visitor", id: idOf(n), ...more }
      return requests.ask(publicRequest.parse(form), { atMs: clock.atMs, arrivedMs: clock.atMs })
    },
  }
}

test("whoever has the code on an asset asks for work there, without an account", async () => {
  const { ask, get } = await reception()
  const issue = "Water below the pump\nIt drips since yesterday."
  const answer = await ask(1, { issue, urgency: "high", contact: "0171 55" })
  expect(answer).toEqual({ token: expect.stringMatching(/^[\w-]{32}$/), asset: "P-101", repeated: false })
  expect(await get("1")).toMatchObject({
    type: "reactive",
    asset: "P-101",
    title: "Water below the pump",
    description: issue,
    priority: 2,
    priorityReason: "urgency high, says Jo Visitor, counts as alarm on an asset of criticality A",
    trigger: { kind: "public" },
    requester: { kind: "public", id: null, name: "Jo Visitor", contact: "0171 55" },
    fields: { urgency: "high" },
  })
})

test("a photo is attached with its hash", async () => {
  const { ask, get, database, queries } = await reception()
  await ask(1, { photo: png })
  const { attachments } = await get("1")
  expect(attachments).toMatchObject([{ name: "photo.png", mediaType: "image/png", by: "system" }])
  const read = await attachmentQueries(database).attachment("1", "photo.png")
  expect(read.content).toBe(png)
  const { history } = await queries.get("1")
  expect(history.map(({ kind }) => kind)).toEqual(["created", "attached"])
})

test.each([
  ["neither JPEG nor PNG", Buffer.from("GIF89a").toString("base64"), "expected a picture in JPEG or PNG"],
  ["not base64", "/9j/???", "expected base64"],
  ["too large", `/9j/${"A".repeat(2_666_668)}`, "expected at most 2 MB"],
])("a photo that is %s is refused", (_what, photo, message) => {
  const form = { code, issue: "Water", name: "Jo", id: idOf(1), photo }
  expect(publicRequest.safeParse(form).error?.issues[0]?.message).toBe(message)
})

test("a code that was never made, was revoked, or whose asset is gone is refused with the same words", async () => {
  const { ask, codes, apply } = await reception()
  const wrong = await ask(1, { code: "another" }).catch((error: unknown) => error)
  expect(wrong).toMatchObject({ code: "NOT_ALLOWED" })
  apply(plant.replaceAll("P-101", "P-100"))
  expect(await ask(2).catch((error: unknown) => error)).toEqual(wrong)
  apply(plant)
  const [made] = await codes.list({ actor: "ada" })
  const revoked = await codes.revoke(made?.id.slice(0, 6) ?? "", { actor: "sara", atMs: at(1) })
  expect(revoked).toMatchObject({ asset: "P-101", before: false, revokedMs: at(1) })
  expect(await ask(3).catch((error: unknown) => error)).toEqual(wrong)
  expect(await codes.revoke(made?.id ?? "", { actor: "sara", atMs: at(2) })).toMatchObject({ before: true })
})

test("of a code only the hash is kept, and who made and revoked it is in the audit trail", async () => {
  const { database, codes } = await reception()
  const [{ id = "" } = {}] = await codes.list({ actor: "paul" })
  await codes.revoke(id, { actor: "sara", atMs: at(1) })
  const kept = await database.tables<WorkOrderTables>().selectFrom("asset_code").selectAll().execute()
  expect(JSON.stringify(kept)).not.toContain(code)
  expect(await new Audit(database).list(10)).toMatchObject([
    { actor: "sara", action: "code.revoke", subject: "P-101", detail: id },
    { actor: "paul", action: "code.make", subject: "P-101", detail: id },
  ])
})

test("codes are for those who run the plant, on assets that are there", async () => {
  const { codes } = await reception()
  const by = (actor: string) => ({ actor, atMs: at(0) })
  await expect(codes.make("P-101", "b", by("rita"))).rejects.toMatchObject({ code: "NOT_ALLOWED" })
  await expect(codes.list(by("rita"))).rejects.toMatchObject({ code: "NOT_ALLOWED" })
  await expect(codes.make("P-109", "b", by("paul"))).rejects.toMatchObject({ code: "NOT_FOUND" })
  await expect(codes.revoke("zzzz", by("paul"))).rejects.toMatchObject({ code: "NOT_FOUND" })
  await expect(codes.revoke("", by("paul"))).rejects.toMatchObject({ code: "NOT_FOUND" })
})

test("no more than so many an hour are taken by one code, also after a restart, and again from the next hour on", async () => {
  const path = join(await scratch(), "orders.sqlite")
  const { ask, clock } = await reception(plant, path)
  clock.atMs = at(10.5)
  for (const n of [1, 2, 3]) await ask(n)
  const refused = {
    code: "TOO_MANY_REQUESTS",
    message:
      "3 requests came for this code within the hour, and no more are taken: come again at 2026-01-01 12:00 (Europe/Berlin), in 30 min, or call the plant if it can't wait",
  }
  await expect(ask(4)).rejects.toMatchObject(refused)
  const again = await reception(plant, path)
  again.clock.atMs = at(10.5)
  await expect(again.ask(4)).rejects.toMatchObject(refused)
  again.clock.atMs = at(11)
  expect(await again.ask(4)).toMatchObject({ repeated: false })
})

test("the codes of a site together have a limit too", async () => {
  const { ask, codes, queries } = await reception()
  await codes.make("P-102", "second", { actor: "paul", atMs: at(0) })
  for (const n of [1, 2]) await ask(n)
  for (const n of [3, 4]) await ask(n, { code: "second" })
  await expect(ask(5, { code: "second" })).rejects.toThrow("4 requests came for this site")
  await expect(ask(6)).rejects.toThrow("4 requests came for this site")
  expect((await queries.list()).orders).toHaveLength(4)
})

test("requests at the same instant share the limit", async () => {
  const { ask, queries } = await reception()
  const sent = await Promise.allSettled([1, 2, 3, 4, 5, 6, 7].map((n) => ask(n)))
  expect(sent.filter(({ status }) => status === "fulfilled")).toHaveLength(3)
  expect((await queries.list()).orders).toHaveLength(3)
})

test("sent again, a request is answered as before and does not count", async () => {
  const { ask, queries } = await reception()
  const first = await ask(1)
  for (const _ of [1, 2, 3, 4]) expect(await ask(1)).toEqual({ ...first, repeated: true })
  await ask(2)
  await ask(3)
  expect((await queries.list()).orders).toHaveLength(3)
})

test.each(["perCode", "perSite"])("%s of 0 switches the form off", async (limit) => {
  const { ask } = await reception(plant.replace(/publicRequests: .*/, `publicRequests: { ${limit}: 0 }`))
  await expect(ask(1)).rejects.toMatchObject({
    code: "NOT_ALLOWED",
    message: "this plant takes no requests without an account",
  })
})

test("the token tells how it goes, in plain words and nothing else", async () => {
  const { ask, progress, perform, clock } = await reception()
  const { token } = await ask(1)
  const heard: string[] = []
  const hear = async () => heard.push((await progress(token, "")).says)
  await hear()
  for (const [who, command, input] of [
    ["paul", "triage", { note: "the visitor again" }],
    ["paul", "submit", {}],
    ["paul", "plan", { startMs: at(31), finishMs: at(33) }],
    ["paul", "assign", { to: ["tina"] }],
    ["paul", "dispatch", {}],
    ["tina", "acknowledge", {}],
    ["tina", "start", {}],
    ["tina", "hold", { reason: "parts" }],
  ] as const) {
    clock.atMs += 60_000
    await perform(who, "1", command, input)
    await hear()
  }
  const planned = "planned for 2026-01-02 08:00 (Europe/Berlin)"
  expect(heard).toEqual([
    "received",
    "being looked at",
    "approved",
    ...[planned, planned, planned, planned],
    "being worked on",
    "being worked on",
  ])
  expect(Object.keys(await progress(token, ""))).toEqual([
    "number",
    "asset",
    "requestedMs",
    "stage",
    "says",
    "plannedMs",
    "doneMs",
  ])
})

test("of a duplicate the order that goes on is told", async () => {
  const { ask, order, perform, progress } = await reception()
  const { token } = await ask(1)
  await order(2)
  await perform("paul", "1", "duplicate", { of: "2" })
  expect(await progress(token, "")).toMatchObject({ number: "WO-000001", says: "received" })
  await perform("paul", "2", "triage")
  expect(await progress(token, "")).toMatchObject({ says: "being looked at" })
  await perform("paul", "2", "cancel", { reason: "a secret of the plant" })
  expect((await progress(token, "")).says).toBe("will not be done: ask at the plant for the reason")
})

test("with an account one asks about orders of one's own, and who works there about all", async () => {
  const { order, progress } = await reception()
  const requester = { kind: "person", id: "rita", name: "Rita", contact: null } as const
  const origin = { requester, fields: {}, customer: "acme", salesOrder: null, parent: null }
  await order(1, { origin })
  await order(2)
  for (const actor of ["rita", "cora", "tina", "ada"]) {
    expect(await progress("WO-000001", actor)).toMatchObject({ says: "received" })
  }
  for (const actor of ["rita", "cora", "nobody", ""]) {
    await expect(progress("2", actor)).rejects.toMatchObject({ code: "NOT_FOUND" })
  }
  await expect(progress("x".repeat(32), "adam")).rejects.toMatchObject({ code: "NOT_FOUND" })
})

test("who asked for a duplicate of a duplicate hears of the order that goes on", async () => {
  const { ask, perform, progress } = await reception()
  const { token } = await ask(1)
  await ask(2)
  await ask(3)
  await perform("paul", "1", "duplicate", { of: "2" })
  await perform("paul", "2", "duplicate", { of: "3" })
  await perform("paul", "3", "triage")
  expect(await progress(token, "nobody")).toMatchObject({ number: "WO-000001", stage: "looked-at" })
})
