import { expect, test } from "vitest"
import { answer, linesOf, runCommand, servePlant } from "./setup.ts"

const plant = `
plant: test
sites: [{ id: north }]
classes: [{ id: pump }]
assets: [{ id: P-101, site: north, class: pump }]
people:
  - { id: stan, name: Stan, roles: [storekeeper] }
  - { id: rita, name: Rita, roles: [requester] }
  - { id: adam, name: Adam, roles: [admin] }
stores: [{ id: main, site: north }, { id: van, site: north }]
parts: [{ id: seal, reorderAt: { main: 2 } }]
`

test("a storekeeper receives, moves and counts parts, and sees what there is and what came and went", async () => {
  const { directory } = await servePlant(plant)
  const stan = (words: string, last?: string) => answer(directory, `--as stan stock ${words}`, last)
  expect(linesOf(await stan("receive --part seal --store main --quantity 5.5 --note", "note 4711"))).toEqual([
    "received 5.5 seal in main: note 4711",
    "main has 5.5 now: 0 set aside, 5.5 free",
  ])
  expect(linesOf(await stan("move --part seal --from main --to van --quantity 4"))).toEqual([
    "moved 4 seal from main to van; order more of seal: 1.5 free in main, reorder point 2",
    "main has 1.5 now: 0 set aside, 1.5 free",
    "van has 4 now: 0 set aside, 4 free",
  ])
  await stan("count --part seal --store van --quantity 3 --reason", "one was cracked")
  expect(linesOf(await stan("list"))).toEqual([
    "PART  STORE  SITE   ON HAND  SET ASIDE  FREE  REORDER AT",
    "seal  main   north  1.5      0          1.5   2: order more",
    "seal  van    north  3        0          3     -",
  ])
  expect(JSON.parse(await stan("list --low --json"))).toMatchObject({
    levels: [{ store: "main", low: true }],
    left: 0,
  })
  expect(linesOf(await stan("history --store van")).map((line) => line.replace(/^\S+ \S+ +/, ""))).toEqual([
    expect.stringContaining("WHO"),
    "stan  seal  van    -1       0          counted 3 seal in van, 4 by the book: one was cracked",
    "stan  seal  van    +4       0          moved 4 seal from main to van",
  ])
  expect(linesOf(await stan("list --store van --low"))).toEqual(["no such stock"])
})

test("who may not, and what can't be, is refused with what to do", async () => {
  const { directory } = await servePlant(plant)
  const refused = async (words: string) => {
    const { failure } = await runCommand([...words.split(" "), "--directory", directory])
    return failure
  }
  const receive = "stock receive --store main --quantity"
  expect(await refused(`${receive} 1 --part seal --as rita`)).toMatchObject({ code: "NOT_ALLOWED" })
  expect(await refused(`${receive} 1 --part seel --as stan`)).toMatchObject({
    code: "NOT_POSSIBLE",
    message: 'there is no part "seel" in the plant: did you mean seal?',
  })
  expect(await refused(`${receive} 0 --part seal --as stan`)).toMatchObject({
    code: "USAGE",
    message: "stock.receive: quantity: expected more than 0",
  })
})
