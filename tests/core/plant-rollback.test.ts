import { expect, test } from "vitest"
import { parse } from "yaml"
import { plantHistory } from "../../core/plant-history.ts"
import { rollbackSource, withRuleOf } from "../../core/plant-rollback.ts"
import type { PlantRevision } from "../../core/topics.ts"

const current = `# Our plant
plant: test   # one of two
rules:
  # The pump's bearing.
  - id: high
    kind: threshold   # for now
    params: { above: 9 }

  # And its seal.
  - { id: low,   kind: threshold, params: { below: 1 } }  # keep
sites: [{ id: north }]
`
const old = `plant: test
rules:
- id: high
  kind: threshold
  params:
    # As the maker says.
    above: 7
  description: |
    Of two

      lines.
- { id: low, kind: threshold, params: { below: 2 } }
- id: gone
  kind: usage
sites: [{ id: north }]
`

test("only the rule's own text is changed; comments and layout stay", () => {
  expect(withRuleOf(current, old, "high", 1)).toBe(`# Our plant
plant: test   # one of two
rules:
  # The pump's bearing.
  - id: high
    kind: threshold
    params:
      # As the maker says.
      above: 7
    description: |
      Of two

        lines.

  # And its seal.
  - { id: low,   kind: threshold, params: { below: 1 } }  # keep
sites: [{ id: north }]
`)
  expect(withRuleOf(current, old, "low", 1)).toBe(
    current.replace(
      "{ id: low,   kind: threshold, params: { below: 1 } }",
      "{ id: low, kind: threshold, params: { below: 2 } }",
    ),
  )
})

test("a rule that was removed becomes the last one", () => {
  expect(withRuleOf(current, old, "gone", 1)).toBe(
    current.replace("# keep\n", "# keep\n  - id: gone\n    kind: usage\n"),
  )
  expect(parse(withRuleOf("plant: test\n", old, "gone", 1)).rules).toEqual([{ id: "gone", kind: "usage" }])
  expect(parse(withRuleOf("plant: test\nrules: []\n", old, "gone", 1)).rules).toEqual([
    { id: "gone", kind: "usage" },
  ])
})

test("a block goes into braces, and braces go where a block was", () => {
  const braces = "plant: test # a comment\nrules: [{ id: high, kind: other }, { id: low }]\n"
  const rolled = withRuleOf(braces, old, "high", 1)
  expect(rolled).toContain("# a comment")
  expect(parse(rolled)).toEqual({
    plant: "test",
    rules: [
      {
        id: "high",
        kind: "threshold",
        params: { above: 7 },
        description: "Of two\n\n  lines.\n",
      },
      { id: "low" },
    ],
  })
  expect(withRuleOf(old, current.replace("kind: threshold, ", ""), "low", 1)).toContain(
    "- { id: low,   params: { below: 1 } }\n- id: gone",
  )
})

test("a rule written with an alias is put in without it; one whose anchor others use is refused", () => {
  const shared = "limits: &limits { above: 7 }\nrules: [{ id: high, params: *limits }]\n"
  expect(parse(withRuleOf(current, shared, "high", 1)).rules[0]).toEqual({ id: "high", params: { above: 7 } })
  const anchored =
    "rules:\n  - { id: high, params: &limits { above: 7 } }\n  - { id: low, params: *limits }\n"
  expect(() => withRuleOf(anchored, old, "high", 1)).toThrow(/shares text with other parts/)
})

/** A register of these sources, revision 1 first. */
function registerOf(sources: readonly string[]) {
  const revisions = sources.map(
    (source, at): PlantRevision => ({
      revision: at + 1,
      plant: "test",
      source,
      changedIn: {},
      effectiveMs: at,
      author: "erika",
      reason: `reason ${at + 1}`,
      atMs: at,
    }),
  )
  return {
    newest: async () => revisions.at(-1),
    revision: async (number: number) => revisions[number - 1],
    revisions: async ({
      before = Number.POSITIVE_INFINITY,
      limit,
    }: {
      before?: number | undefined
      limit: number
    }) =>
      revisions
        .filter(({ revision }) => revision < before)
        .reverse()
        .slice(0, limit),
  }
}

const plantOf = (rules: string) => `plant: test
sites: [{ id: north }]
people: [{ id: erika, name: E, roles: [engineer] }, { id: jonas, name: J, roles: [technician] }]
rules: [${rules}]
`
const rule = (above: number) => `{ id: high, kind: threshold, params: { above: ${above} } }`

test("the history of a rule tells what changed in it, newest first", async () => {
  const register = registerOf([
    plantOf(""),
    plantOf(rule(7)),
    plantOf(`${rule(7)}, { id: other, kind: events }`),
    plantOf(rule(8)),
    plantOf(""),
  ])
  const told = async (query: { rule?: string; limit: number }) =>
    (await plantHistory(register, query)).map(({ revision, changes }) => [revision, ...changes])
  expect(await told({ rule: "high", limit: 9 })).toEqual([
    [5, "removed"],
    [4, "params.above: 7 -> 8"],
    [2, "added"],
  ])
  expect(await told({ rule: "high", limit: 1 })).toEqual([[5, "removed"]])
  expect(await told({ limit: 2 })).toEqual([
    [5, "- rule high"],
    [4, "~ rule high", "- rule other"],
  ])
  expect((await told({ limit: 9 })).at(-1)).toContain("+ site north")
})

test("of a list of levels only what changed in them is told", async () => {
  const levels = (above: number, more = "") =>
    plantOf(`{ id: high, params: { levels: [{ above: ${above} }, { above: 9 }${more}] } }`)
  const register = registerOf([levels(7), levels(8), levels(8, ", { above: 11 }")])
  const told = await plantHistory(register, { rule: "high", limit: 9 })
  expect(told.map(({ changes }) => changes)).toEqual([
    ['params.levels: [{"above":8},{"above":9}] -> [{"above":8},{"above":9},{"above":11}]'],
    ["params.levels[0].above: 7 -> 8"],
    ["added"],
  ])
})

test("a long history is read in pages", async () => {
  const register = registerOf(Array.from({ length: 130 }, (_, at) => plantOf(rule(at))))
  expect(await plantHistory(register, { rule: "high", limit: 1000 })).toHaveLength(130)
})

test("going back is refused where there is nothing to go back to, nothing to change, or no right to", async () => {
  const register = registerOf([
    plantOf(rule(7)),
    plantOf(rule(8)),
    plantOf(`${rule(7)}, { id: new, kind: events }`),
  ])
  const ask = (to: number, named?: string, actor = "erika") =>
    rollbackSource(register, { to, rule: named, actor })
  await expect(ask(9)).rejects.toMatchObject({
    code: "NOT_FOUND",
    message: expect.stringContaining("no revision 9: the newest is 3"),
  })
  await expect(ask(1, "new")).rejects.toMatchObject({
    code: "NOT_FOUND",
    message: expect.stringContaining('revision 1 has no rule "new"'),
  })
  await expect(ask(1, "high")).rejects.toMatchObject({
    code: "USAGE",
    message: 'nothing to change: the rule "high" is as it was in revision 1',
  })
  await expect(ask(2, "high", "jonas")).rejects.toMatchObject({ code: "NOT_ALLOWED" })
  await expect(rollbackSource(registerOf([]), { to: 1, actor: "erika" })).rejects.toMatchObject({
    code: "NOT_FOUND",
  })
  expect(await ask(2, "high")).toEqual({ base: 3, source: plantOf(`${rule(8)}, { id: new, kind: events }`) })
  expect(await ask(1)).toEqual({ base: 3, source: plantOf(rule(7)) })
})
