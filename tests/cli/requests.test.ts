import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { expect, test } from "vitest"
import { linesOf, runCommand, servePlant } from "./setup.ts"

const bottling = join(import.meta.dirname, "../../examples/orders/plant.yaml")
const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

/** The bottling plant of the examples, and its commands, each by a person. */
async function plant() {
  const { directory } = await servePlant(await readFile(bottling, "utf8"))
  const run = (who: string, ...words: string[]) =>
    runCommand([...words, "--directory", directory, "--as", who])
  return {
    directory,
    /** What a command prints that does not fail. */
    async say(who: string, ...words: string[]): Promise<string> {
      const { out, failure } = await run(who, ...words)
      if (failure !== undefined) throw failure
      return out
    },
    /** How a command fails. */
    async fails(who: string, ...words: string[]) {
      return (await run(who, ...words)).failure
    },
  }
}

test("orders new makes an order of a template, once for an id, and tells of what may be the same", async () => {
  const { say, fails } = await plant()
  const repair = ["orders", "new", "--asset", "P-101", "--template", "pump-repair"]
  const fields = ["--field", "noise=yes", "--field", "leak=jet"]
  const id = ["--id", "7d0c1f8e-53a2-4a0e-8b40-3b0a6e1f2c01"]
  expect(await fails("rita", ...repair, "--field", "noise=loud")).toMatchObject({
    code: "USAGE",
    message: expect.stringContaining('"noise" (Does it make a noise?): expected yes or no, got "loud"'),
  })
  expect(await say("rita", ...repair, ...fields, ...id)).toContain("WO-000001 is requested: Repair P-101\n")
  expect(await say("rita", ...repair, ...fields, ...id)).toContain("(asked for before)")
  const free = ["orders", "new", "--asset", "P-101", "--title", "It whistles", "--due", "2999-01-01T06:00Z"]
  expect(linesOf(await say("tina", ...free))).toEqual([
    "WO-000002 is requested: It whistles",
    "priority 3 (asked for by a person, counts as warning on an asset of criticality A), due 2999-01-01 06:00",
    "Perhaps the same:",
    "  WO-000001  requested  -  Repair P-101",
  ])
  expect(await fails("stan", ...free)).toMatchObject({ code: "NOT_ALLOWED" })
})

test("an order shows who asked, what it takes and what was attached, and leaves out what there is not", async () => {
  const { directory, say } = await plant()
  const fields = ["--field", "noise=no", "--field", "leak=drops"]
  await say("rita", "orders", "new", "--asset", "P-101", "--template", "pump-repair", ...fields)
  const photo = join(directory, "leak.png")
  await writeFile(photo, Buffer.from(png, "base64"))
  await say("rita", "orders", "attach", "1", "--file", photo)
  await say("ella", "orders", "link", "1", "--title", "Drawing", "--url", "https://drive.example/12")
  await say("paul", "orders", "edit", "1", "--priority", "2", "--reason", "it gets worse")
  const shown = linesOf(await say("ada", "orders", "show", "1")).map((line) => line.trim())
  expect(shown[0]).toBe("WO-000001  Repair P-101")
  for (const line of [
    expect.stringMatching(/^requested {2}.* by Rita Lang \(rita\)$/),
    "priority   2 (it gets worse)",
    "noise: no",
    "leak: drops",
    "skills: pumps",
    "mend. Mend it (hours 1.5; craft mechanic; after find)",
    "vibration. Vibration after the start (at most 4.5 mm/s): open",
    "lock-out (Lock and tag the drive at the local isolator): not granted",
    expect.stringMatching(/^\d.* leak.png \(image\/png, 70 bytes\) by rita, SHA-256 [0-9a-f]{64}$/),
    "Drawing: https://drive.example/12 (by ella)",
    expect.stringMatching(/^\d.* paul {2}edited: priority 2 instead of 3; it gets worse$/),
  ]) {
    expect(shown).toContainEqual(line)
  }
  for (const absent of ["Bids", "Labour", "Closing", "Approval", "Follow-ups", "Findings"]) {
    expect(shown.filter((line) => line.startsWith(absent))).toEqual([])
  }
})

test("a file is attached and comes back the same, and one that is too large or not there is refused", async () => {
  const { directory, say, fails } = await plant()
  await say("rita", "orders", "new", "--asset", "P-101", "--title", "Hot")
  const [file, back] = [join(directory, "report.pdf"), join(directory, "back.pdf")]
  await writeFile(file, "%PDF of the report")
  expect(await say("tina", "orders", "attach", "1", "--file", file)).toMatch(
    /^WO-000001 \(version 2\): report.pdf, application\/pdf, 18 bytes, SHA-256 [0-9a-f]{64}\n$/,
  )
  expect(await fails("tina", "orders", "attach", "1", "--file", file)).toMatchObject({ code: "NOT_POSSIBLE" })
  const read = ["orders", "attachment", "1", "report.pdf", "--out"]
  expect(await say("ada", ...read, back)).toContain("18 bytes as attached")
  expect(await readFile(back, "utf8")).toBe("%PDF of the report")
  expect(await fails("ada", ...read, directory)).toMatchObject({ code: "USAGE" })
  await writeFile(file, Buffer.alloc(10_000_001))
  expect(await fails("tina", "orders", "attach", "1", "--name", "b", "--file", file)).toMatchObject({
    code: "USAGE",
    message: expect.stringContaining("has 10000001 bytes: at most 10 MB are taken"),
  })
  expect(await fails("tina", "orders", "attach", "1", "--file", join(directory, "none"))).toMatchObject({
    code: "USAGE",
    message: expect.stringContaining("can't be read"),
  })
})

test("a code is made, is used without an account, tells how it goes, and is revoked", async () => {
  const { directory, say, fails } = await plant()
  const [code = "", told] = linesOf(await say("sara", "codes", "make", "P-101"))
  expect(code).toMatch(/^[\w-]{24}$/)
  const [, id = ""] = /^code (\w+) for P-101/.exec(told ?? "") ?? []
  expect(await say("sara", "codes", "list")).toContain(id)
  expect(await say("sara", "codes", "list")).not.toContain(code)
  const photo = join(directory, "floor.png")
  await writeFile(photo, Buffer.from(png, "base64"))
  const send = ["requests", "send", "--code", code, "--issue", "Water on the floor", "--name", "Jo"]
  const [received, how = ""] = linesOf(await say("", ...send, "--urgency", "high", "--photo", photo))
  expect(received).toBe("received, for P-101")
  const token = how.split(" ").at(-1) ?? ""
  const ask = () => say("", "requests", "progress", token)
  expect(await ask()).toMatch(/^WO-000001 for P-101, asked for .*: received\n$/)
  await say("paul", "orders", "triage", "1")
  expect(await ask()).toContain(": being looked at\n")
  const shown = await say("paul", "orders", "show", "1")
  expect(shown).toContain("by Jo, without an account")
  expect(shown).toContain("photo.png (image/png")
  expect(await say("sara", "codes", "revoke", id.slice(0, 6))).toContain("is not taken any more")
  expect(await fails("", ...send)).toMatchObject({ code: "NOT_ALLOWED" })
  expect(await fails("cora", "requests", "progress", "1")).toMatchObject({ code: "NOT_FOUND" })
  expect(await say("paul", "audit")).toContain("code.revoke")
})

test("an order that was worked on shows who agreed, who did what, what it took, and how it ended", async () => {
  const { say } = await plant()
  const orders = (who: string, ...words: string[]) => say(who, "orders", ...words)
  const fields = ["--field", "noise=no", "--field", "leak=drops"]
  await orders("rita", "new", "--asset", "P-101", "--template", "pump-repair", ...fields)
  await orders("paul", "edit", "1", "--services", "600")
  await orders("paul", "submit", "1")
  await orders("sara", "approve", "1", "--comment", "before the season")
  await orders("paul", "plan", "1", "--start", "2999-01-01T06:00Z", "--finish", "2999-01-01T10:00Z")
  await orders("paul", "assign", "1", "--to", "tina")
  await orders("paul", "dispatch", "1")
  await orders("tina", "acknowledge", "1")
  await orders("ella", "grant-permit", "1", "--permit", "lock-out", "--number", "LO-7")
  await orders("tina", "start", "1")
  await orders("tina", "start-labour", "1")
  await orders("tina", "task", "1", "--task", "isolate", "find", "mend")
  await orders("tina", "check", "1", "--check", "dry", "--value", "no")
  await orders("tina", "check", "1", "--check", "vibration", "--value", "2.5")
  await orders("tina", "return-permit", "1", "--permit", "lock-out")
  await orders("tina", "complete", "1", "--note", "new gasket")
  await orders("paul", "finding", "1", "--problem", "PUMP-LEAK")
  const shown = linesOf(await orders("ada", "show", "1")).map((line) => line.trim())
  for (const line of [
    "assigned   tina",
    "planned    2999-01-01 06:00 to 2999-01-01 10:00",
    expect.stringMatching(/^1\. supervisor \(.*\): approved by sara .*: before the season$/),
    expect.stringMatching(/^mend\. Mend it .* done by tina /),
    expect.stringMatching(/^dry\. No leak at operating pressure: no, failed, by tina .*, raised WO-000002$/),
    expect.stringMatching(/^lock-out .*: LO-7, granted by ella .*, returned by tina /),
    expect.stringMatching(/ {2}tina, mechanic: work, 0 h at 58\.00 EUR$/),
    expect.stringMatching(/^1\. .*: fixed$/),
    expect.stringMatching(/^finding: PUMP-LEAK, /),
    expect.stringMatching(/^to be taken on by .*, taken on /),
    "WO-000002  requested: P-101 leaks again after its repair",
  ]) {
    expect(shown).toContainEqual(line)
  }
})
