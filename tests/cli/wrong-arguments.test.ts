import { join } from "node:path"
import type { Command } from "commander"
import { expect, test } from "vitest"
import { program } from "../../cli/program.ts"
import { runCommand, servePlant } from "./setup.ts"

test.each([
  ["orders list --limit 0", "expected a whole number, at least 1"],
  ["orders list --limit some", "expected a whole number, at least 1"],
  ["orders list --priority 9", "expected a whole number from 1 to 5"],
  ["dead-letters list --limit 0", "expected a whole number, at least 1"],
  ["dead-letters replay --limit 0", "expected a whole number, at least 1"],
  ["audit --limit 0", "expected a whole number, at least 1"],
  ["rollback --reason x --to 0", "expected a whole number, at least 1"],
  ["replay a.csv --utc-offset north", "expected a whole number of minutes"],
  ["replay a.csv --in-flight 0", "expected a whole number, at least 1"],
  ["replay a.csv --telemetry-topic mill/{aset}/data", "{aset} is neither {site} nor {asset}"],
  ["replay a.csv --events-topic mill/{asset}/{code}", "{code} is neither {site} nor {asset}"],
  ["simulate --machines 0", "expected a whole number, at least 1"],
  ["simulate --per-gateway 0", "expected a whole number, at least 1"],
])("millwright %s says what was expected, and where help is", async (words, expected) => {
  const { error, failure } = await runCommand(words.split(" "))
  expect(failure).toMatchObject({ code: "commander.invalidArgument" })
  expect(error).toContain(expected)
})

test("help that a mistake points to is that of the command", async () => {
  expect((await runCommand(["orders", "show"])).error).toContain("(millwright orders show --help tells more)")
  expect((await runCommand(["ordes"])).error).toContain("(millwright --help tells more)")
})

test("defaults are told once, in the words that the option takes", () => {
  const root = program({ env: {}, signal: new AbortController().signal })
  for (const name of ["samples", "replay"]) {
    const help = root.commands.find((one: Command) => one.name() === name)?.helpInformation() ?? ""
    expect(help).not.toMatch(/default: (null|\d{5,})|\(default: [^)]*\)\s+\(default/)
  }
})

test("what a server refuses is told in one line", async () => {
  const { directory } = await servePlant(plant)
  const { failure } = await run(directory, "orders list --limit 501")
  expect(failure).toMatchObject({
    code: "USAGE",
    message: "orders.list: limit: Too big: expected number to be <=500",
  })
})

const plant = `
plant: test
sites: [{ id: hall-3 }]
classes: [{ id: pump, signals: { vibration: { unit: mm/s } } }]
assets: [{ id: P-101, site: hall-3, class: pump }]
rules: [{ id: high, kind: threshold, signal: vibration, params: { above: 7 } }]
`

test("a name that the plant does not have is refused, not answered with nothing", async () => {
  const { directory } = await servePlant(plant)
  const noAsset = 'there is no asset "P-999" in the plant'
  const refused = [
    ["orders list --asset P-999", noAsset],
    ["orders list --site hall-9", 'there is no site "hall-9" in the plant: expected one of hall-3'],
    ["detections list --asset P-999", noAsset],
    ["detections list --rule hgih", 'there is no rule "hgih" in the plant: expected one of high'],
    ["samples P-999 vibration", noAsset],
    ["samples P-101 speed", 'P-101 has no signal "speed": expected one of vibration'],
  ] as const
  for (const [words, message] of refused) {
    expect((await run(directory, words)).failure, words).toMatchObject({ code: "NOT_FOUND", message })
  }
  expect((await run(directory, "orders list --asset P-101")).out).toBe("no such work orders\n")
  expect((await run(directory, "orders list")).out).toBe("no work orders yet\n")
  expect((await run(directory, "samples P-101 vibration")).out).toContain("no samples of vibration of P-101")
})

test("status of a plant without orders has no empty table", async () => {
  const { directory } = await servePlant(plant)
  expect((await run(directory, "status")).out).toMatch(/\n\nno work orders yet\n$/)
})

test("a file that can't be written is named", async () => {
  const { directory } = await servePlant(plant)
  const file = join(directory, "none", "plant.yaml")
  expect((await run(directory, `export ${file}`)).failure).toMatchObject({
    code: "USAGE",
    message: expect.stringMatching(/^the plant file can't be written: ENOENT.*plant\.yaml/),
  })
})

const run = (directory: string, words: string) => runCommand([...words.split(" "), "--directory", directory])
