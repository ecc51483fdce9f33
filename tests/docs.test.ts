import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import type { Command } from "commander"
import { describe, expect, test } from "vitest"
import { parse } from "yaml"
import { z } from "zod"
import { plantSchema } from "../cli/commands/schema.ts"
import { program } from "../cli/program.ts"
import { loadSettings, settings } from "../core/config.ts"
import { errorCodes } from "../core/errors.ts"
import { orderStates } from "../core/orders.ts"
import { topics } from "../core/topics.ts"
import { deadLetterReasons } from "../core/vocabulary.ts"
import { ruleKinds } from "../rules/kinds.ts"
import { commands as orderCommands } from "../workorders/life-cycle.ts"
import { startPipeline } from "./pipeline.ts"

const root = resolve(import.meta.dirname, "..")
const read = (path: string) => readFileSync(join(root, path), "utf8")

/** The cells of every row of a document's tables. */
function rows(path: string): string[][] {
  return read(path)
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) => line.split("|").slice(1, -1))
    .map((cells) => cells.map((cell) => cell.trim().replaceAll("`", "")))
}

describe("docs/errors.md", () => {
  test("explains every code and no other", () => {
    const explained = rows("docs/errors.md").filter(([code = ""]) => /^[A-Z_]+$/.test(code))
    expect(explained.map(([code]) => code)).toEqual(Object.keys(errorCodes))
    for (const [, means, todo] of explained) expect([means, todo]).not.toContain("")
  })
})

describe("docs/operations.md", () => {
  const listed = rows("docs/operations.md").filter(([, variable = ""]) => variable.startsWith("MILLWRIGHT_"))

  test("lists every setting and no other", () => {
    expect(listed.map(([key]) => key)).toEqual(keysOf(z.toJSONSchema(settings, { io: "input" })))
  })

  test("gives each setting its variable and its default", () => {
    const defaults = loadSettings({ env: {} })
    for (const [key = "", variable = "", byDefault = ""] of listed) {
      if (byDefault === "–") {
        expect(valueAt(defaults, key), key).toBeUndefined()
        expect(() => loadSettings({ env: { [variable]: "a" } }), variable).not.toThrow("no such setting")
      } else {
        const another = loadSettings({ env: {}, overrides: { [key]: other(byDefault) } })
        expect(valueAt(another, key), key).not.toEqual(valueAt(defaults, key))
        expect(loadSettings({ env: { [variable]: byDefault } }), variable).toEqual(defaults)
      }
    }
  })

  test("names every metric and no other", async () => {
    const pipeline = await startPipeline({})
    const registered = pipeline.app.metrics.getMetricsAsArray().map(({ name }) => name)
    await pipeline.close()
    const named = new Set(read("docs/operations.md").match(/\bmillwright_[a-z_]+\b/g))
    expect([...named].sort()).toEqual(registered.filter((name) => name.startsWith("millwright_")).sort())
  })

  test("tells how long each topic is kept", () => {
    const kept = Object.values(topics).map(({ name, retention: { ms, bytes } }) => [
      name,
      ms / 86_400_000,
      bytes / 1_048_576,
    ])
    const names = kept.map(([name]) => name)
    const told = rows("docs/operations.md").filter(
      ([name, days = ""]) => names.includes(name ?? "") && /^\d/.test(days),
    )
    expect(told.map(([name, days = "", size]) => [name, Number.parseInt(days, 10), Number(size)])).toEqual(
      kept,
    )
  })
})

test("docs/cli.md shows every command", () => {
  const shown = [...read("docs/cli.md").matchAll(/^## (millwright .*)$/gm)].map(([, command]) => command)
  const root = program({ env: {}, signal: new AbortController().signal })
  // The steps of an order are in a table of their own.
  const steps = Object.keys(orderCommands).filter((name) => name !== "attach")
  const others = root.commands
    .flatMap((command) => leaves(command, "millwright"))
    .filter((command) => !steps.some((name) => command === `millwright orders ${name}`))
  expect(shown.toSorted()).toEqual(others.toSorted())
})

test("docs/work-orders.md lists every step of an order, who may take it, and when", () => {
  const states: readonly string[] = orderStates.filter((state) => !["closed", "cancelled"].includes(state))
  const listed = rows("docs/work-orders.md").filter(([name = ""]) => Object.hasOwn(orderCommands, name))
  const told = Object.entries(orderCommands).map(([name, { summary, roles, from }]) => {
    const not = states.filter((state) => !from.some((one) => one === state))
    const all = not.length === 0 ? "not yet closed" : `not yet closed; not ${not.join(", ")}`
    return [name, summary, roles.join(", "), not.length < from.length ? all : from.join(", ")]
  })
  expect(listed).toEqual(told)
})

test("every kind of rule, and no other, has its page, its line in docs/rule-kinds.md and its example", () => {
  const listed = [...read("docs/rule-kinds.md").matchAll(/^\| \[(.+?)\]\(rules\/\1\.md\)/gm)].map(
    ([, kind]) => kind,
  )
  const kinds = Object.keys(ruleKinds).toSorted()
  expect(listed.toSorted()).toEqual(kinds)
  expect(readdirSync(join(root, "docs/rules")).toSorted()).toEqual(kinds.map((kind) => `${kind}.md`))
  const examples = readdirSync(join(root, "examples/rules"))
  for (const kind of kinds) expect(examples).toContain(`${kind}.yaml`)
})

test("docs/payloads.md tells when each reason for a dead letter is given", () => {
  const text = read("docs/payloads.md")
  for (const reason of deadLetterReasons) expect(text).toContain(`\`${reason}\``)
})

describe("docs/plant.schema.json", () => {
  test("is what `millwright schema` prints (npm run schema writes it)", () => {
    expect(JSON.parse(read("docs/plant.schema.json"))).toEqual(plantSchema())
  })

  test("admits the examples, and no parameter that a rule's kind doesn't have", () => {
    // zod reads patterns without the flag `u` that \p{L} needs; whether names fit is not in question here.
    const schema = JSON.parse(read("docs/plant.schema.json"), (key, value) =>
      key === "pattern" ? undefined : value,
    )
    const { allOf, ...rule }: { allOf: KindSchema[] } = schema.properties.rules.items
    const paramsOf = new Map(allOf.map((one) => [one.if.properties.kind.const, one.then.properties.params]))
    for (const example of readdirSync(join(root, "examples"))) {
      if (!existsSync(join(root, `examples/${example}/plant.yaml`))) continue
      const { rules } = parse(read(`examples/${example}/plant.yaml`)) as { rules: Rule[] }
      for (const one of rules) {
        z.fromJSONSchema(rule).parse(one)
        const params = z.fromJSONSchema(paramsOf.get(one.kind) ?? {})
        expect(params.safeParse(one.params).error, one.id).toBeUndefined()
        expect(params.safeParse({ ...one.params, abov: 1 }).success, one.id).toBe(false)
      }
    }
  })
})

type Rule = { readonly id: string; readonly kind: string; readonly params: object }
type Schema = Parameters<typeof z.fromJSONSchema>[0]
type KindSchema = {
  readonly if: { readonly properties: { readonly kind: { readonly const: string } } }
  readonly then: { readonly properties: { readonly params: Schema } }
}

describe("links between documents", () => {
  const documents = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", ...markdownIn("docs")]

  test.each(documents)("%s names files and chapters that are there", (document) => {
    for (const [, link = ""] of read(document).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(link)) continue
      const [path = "", chapter] = link.split("#")
      const file = path === "" ? document : join(dirname(document), path)
      expect(existsSync(join(root, file)), `${document}: ${link}`).toBe(true)
      if (chapter !== undefined) expect(chaptersOf(read(file)), `${document}: ${link}`).toContain(chapter)
    }
  })
})

type Described = { readonly type?: unknown; readonly properties?: Readonly<Record<string, unknown>> }

function keysOf({ properties = {} }: Described, before = ""): string[] {
  return Object.entries(properties).flatMap(([key, inner]) =>
    (inner as Described).type === "object"
      ? keysOf(inner as Described, `${before}${key}.`)
      : `${before}${key}`,
  )
}

function valueAt(from: unknown, key: string): unknown {
  return key.split(".").reduce((value, part) => (value as Record<string, unknown>)[part], from)
}

/** A value that is as good, but not this one: so that a default that is not read would be noticed. */
function other(value: string): string {
  const choices: Record<string, string> = {
    wall: "event",
    info: "warn",
    "127.0.0.1": "localhost",
    ".millwright": "other",
    "millwright.": "other.",
    millwright: "other",
    false: "true",
    "scram-sha-512": "plain",
  }
  return choices[value] ?? value.replace(/^\d+/, (number) => String(Number(number) + 1))
}

function leaves(command: Command, before: string): string[] {
  const path = `${before} ${command.name()}`
  if (command.commands.length === 0) return command.name() === "help" ? [] : [path]
  return command.commands.flatMap((inner) => leaves(inner, path))
}

function markdownIn(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".md"))
    .map((path) => join(folder, path))
}

/** As code hosts make anchors of headings. */
function chaptersOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  )
}
