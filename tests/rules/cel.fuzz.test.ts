import fc from "fast-check"
import { expect, test } from "vitest"
import { compile, type Facts, type Problem, type Program, placeOf } from "../../rules/cel.ts"

const facts: Facts = {
  id: "P1",
  class: "pump",
  site: "north",
  criticality: "A",
  attributes: { rated_kw: 75, name: "pump one", critical: true, "odd name": -0 },
}
const odd = [0, -0, 1, -1, 4.5, 1e150, -1e150, 5e-324, Number.NaN]

/** Compiles; what is refused must be refused at a place in it, and what is not must give an answer for any values. */
function tryOut(source: string): Program | Problem {
  const made: (Program | Problem)[] = []
  for (const wanted of ["bool", "number"] as const) {
    const one = compile(source, wanted)
    made.push(one)
    if (!("run" in one)) {
      expect(one.message).not.toBe("")
      expect(one.at).toBeGreaterThanOrEqual(0)
      expect(one.at).toBeLessThanOrEqual(source.length)
      expect(placeOf(source, one.at)).toMatch(/^line \d+, column \d+$/)
      continue
    }
    for (const [at] of odd.entries()) {
      const values = one.inputs.map((_, number) => odd[(at + number) % odd.length] ?? 0)
      for (const given of [facts, { attributes: {} }]) {
        const result = one.run(values, given)
        if (result === undefined) continue
        expect(typeof result).toBe(wanted === "bool" ? "boolean" : "number")
        if (typeof result === "number") expect(Number.isFinite(result)).toBe(true)
      }
    }
  }
  return made.find((one) => "run" in one) ?? (made[0] as Problem)
}

const tokens =
  `vibration load asset asset.id asset.attributes asset.attributes.rated_kw asset.attributes["odd name"] has( ( ) [ ] { }
  , . : ? + - * / % < <= > >= == != && || ! in true false null 0 1 0.0 1e3 1e400 0x1F 7u 99999999999999999999 "a" 'b' "1h"
  """x""" r"\\d" b"b" value("vibration") mean("load","1h") slope("load","1d") std("load","0h") mean( abs( sqrt( pow( known(
  over( _0 size( matches( .startsWith("p") .contains( .map( .all( x, dyn( double( type( ä € \u{1f600} \\ \\u \ud800 " ' // \n \t
  __proto__ constructor toString`
    .split(/[ \n]+/)
    .filter((one) => one !== "")
    .concat(" ", "\n", "\u2028")

test("any soup of tokens is refused at a place in it, or can be run on any values", () => {
  let usable = 0
  const soup = fc.array(fc.constantFrom(...tokens), { minLength: 1, maxLength: 9 })
  fc.assert(
    fc.property(soup, fc.constantFrom("", " "), (parts, between) => {
      if ("run" in tryOut(parts.join(between))) usable++
    }),
    { numRuns: 10_000 },
  )
  expect(usable).toBeGreaterThan(50)
})

test("half a character is refused where it stands", () => {
  expect(tryOut("'\ud800'")).toMatchObject({ at: 1 })
  expect(tryOut('asset.id == "\udc00x"')).toMatchObject({ at: 13 })
})

test("any text at all is refused at a place in it, or can be run", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ unit: "binary", maxLength: 40 }), fc.string({ maxLength: 40 })),
      (source) => {
        tryOut(source)
      },
    ),
    { numRuns: 3000 },
  )
})

const { number: numeric } = fc.letrec<{ number: string; truth: string }>((tie) => ({
  number: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom(
      "vibration",
      "load",
      "0",
      "2.5",
      "1e308",
      "-3",
      "asset.attributes.rated_kw",
      'delta("load", "1h")',
    ),
    fc
      .tuple(tie("number"), fc.constantFrom("+", "-", "*", "/"), tie("number"))
      .map(([a, sign, b]) => `(${a} ${sign} ${b})`),
    fc.tuple(fc.constantFrom("abs", "sqrt"), tie("number")).map(([name, of]) => `${name}(${of})`),
    fc.tuple(tie("number"), tie("number")).map(([a, b]) => `pow(${a}, ${b})`),
    fc.tuple(tie("truth"), tie("number"), tie("number")).map(([a, b, c]) => `(${a} ? ${b} : ${c})`),
  ),
  truth: fc.oneof(
    fc.constantFrom(
      "true",
      "asset.attributes.critical == true",
      '(asset.id in ["P1", "P2"])',
      "has(asset.attributes.none)",
    ),
    fc
      .tuple(tie("number"), fc.constantFrom("<", ">=", "==", "!="), tie("number"))
      .map((parts) => `(${parts.join(" ")})`),
    fc.tuple(tie("truth"), fc.constantFrom("&&", "||"), tie("truth")).map((parts) => `(${parts.join(" ")})`),
    tie("truth").map((one) => `!${one}`),
  ),
}))

test("an expression of the right types is taken, and gives a finite number or none", () => {
  fc.assert(
    fc.property(numeric, (source) => {
      const made = tryOut(source)
      if (!("run" in made)) expect(made.message).toMatch(/characters|nodes|depth/i)
    }),
    { numRuns: 2000 },
  )
})

test.each([
  "(".repeat(400),
  `${"(".repeat(400)}1${")".repeat(400)}`,
  `${"!".repeat(900)}true`,
  `${"-".repeat(900)}load`,
  `${"abs(".repeat(200)}load${")".repeat(200)}`,
  `load${" + load".repeat(140)}`,
  `load > 1${" && load > 1".repeat(80)}`,
  `${"true ? ".repeat(100)}1${" : 1".repeat(100)}`,
  `load > ${"9".repeat(900)}`,
  `load > 0.${"9".repeat(900)}`,
  `asset.id == "${"x".repeat(950)}"`,
  `asset.id == "${"\\\\".repeat(400)}"`,
  `${"[".repeat(300)}${"]".repeat(300)}`,
  `load in [${"1,".repeat(200)}1]`,
  `asset${".id".repeat(300)}`,
  "a".repeat(1001),
])("a long or deep expression is refused or run like any other (%#)", (source) => {
  tryOut(source)
})
