import { expect, test } from "vitest"
import { bottling } from "./bottling.ts"

test("what is late is told in lists and on the board, until somebody has taken it on", async () => {
  const { at, says } = await bottling("2026-03-02T06:00Z")
  await says("orders new --asset P-101 --title Drips --priority 2 --as rita")
  expect(await says("orders list --as sara")).not.toContain("LATE")
  await at("2026-03-02T08:30Z")
  for (const look of ["list", "board"]) {
    expect(await says(`orders ${look} --as sara`)).toMatch(/ LATE .*\n.*WO-000001 .* not taken on /)
  }
  for (const step of ["submit 1", "assign 1 --to tina", "dispatch 1", "acknowledge 1"])
    await says(`orders ${step} --as sara`)
  expect(await says("orders board --as sara")).not.toContain("LATE")
  await at("2026-03-03T15:00Z")
  expect(await says("orders board --as sara")).toMatch(/WO-000001 .* not done /)
})

test("budgets are for those who plan, approve and audit", async () => {
  const { says, refused } = await bottling("2026-03-02T06:00Z")
  expect(await says("budgets --year 2027 --as ada")).toBe(
    [
      "YEAR  COST CENTRE  BUDGET         COMMITTED  SPENT     LEFT",
      "2027  filling      60,000.00 EUR  0.00 EUR   0.00 EUR  60,000.00 EUR",
      "2027  utilities    40,000.00 EUR  0.00 EUR   0.00 EUR  40,000.00 EUR\n",
    ].join("\n"),
  )
  expect(await refused("budgets --as rita")).toContain('NOT_ALLOWED: "rita" may not do this')
  expect(await refused("budgets --year 2031 --as ada")).toBe(
    "NOT_FOUND: there is no budget of 2031, and nothing was spent in it",
  )
  // A cost centre without a budget is counted all the same.
  await says("orders new --asset P-101 --title Paint --cost-centre paint --as paul")
  await says("orders edit 1 --services 300 --as paul")
  await says("orders submit 1 --as paul")
  expect(await says("budgets --year 2026 --as ada")).toMatch(
    /\n2026 {2}paint +- +300\.00 EUR +0\.00 EUR +-\n/,
  )
})

test("the help of a command says what it needs, from whom, and when", async () => {
  const { run } = await bottling("2026-03-02T06:00Z")
  const help = async (command: string) => (await run(`orders ${command} --help`)).out.replace(/\s+/g, " ")
  expect(await help("plan")).toContain(
    "--start <time> when it is to begin, such as 2026-03-01T06:00Z (needed)",
  )
  expect(await help("check")).toContain(
    "For: technician, contractor (where it is assigned to them), supervisor, admin Possible when the order is: in-progress",
  )
})
