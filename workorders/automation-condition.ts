/**
 * Conditions of automations, in a part of CEL (the Common Expression Language, cel.dev). Only what can't grow or go on
 * without bound is let in: no patterns, no lists made from lists, no loop within a loop.
 */
import { type ASTNode, Environment, EvaluationError } from "@marcbachmann/cel-js"
import { nearest } from "../core/nearest.ts"
import { facts, type Root, type valuesOf } from "./automation-facts.ts"

const longest = 1000

/** What is wrong with a condition, and where. */
export type Problem = { readonly problem: string }

export type Condition = {
  /** Whether it holds; a text says why that can't be told, such as of an attribute that the asset does not have. */
  holds(values: ReturnType<typeof valuesOf>): boolean | string
}

const functions = ["has", "size", "contains", "startsWith", "endsWith", "lowerAscii", "upperAscii"] as const
const conversions = ["int", "double", "string"] as const
const loops = ["exists", "all", "exists_one"] as const
const known: readonly string[] = [...functions, ...loops, ...conversions]

const environment = new Environment({
  limits: { maxAstNodes: 200, maxDepth: 32, maxListElements: 100, maxMapEntries: 1, maxCallArguments: 4 },
})
for (const [root, fields] of Object.entries(facts)) {
  const schema = Object.fromEntries(Object.entries(fields).map(([name, { type }]) => [name, type]))
  environment.registerVariable({ name: root, schema })
}
// CEL compares whole numbers with others only for which is more: `order.ageHours == 24` is meant all the same.
environment.registerOperator("double == int", (a: number, b: bigint) => a === Number(b))
for (const [one, other] of [
  ["double", "int"],
  ["int", "double"],
]) {
  const add = (sign: string, of: (a: number, b: number) => number) =>
    environment.registerOperator(
      `${one} ${sign} ${other}: double`,
      (a: number | bigint, b: number | bigint) => of(Number(a), Number(b)),
    )
  add("+", (a, b) => a + b)
  add("-", (a, b) => a - b)
  add("*", (a, b) => a * b)
  add("/", (a, b) => a / b)
}

/** Reads and checks a condition. */
export function compileCondition(source: string): Condition | Problem {
  if (source.length > longest)
    return { problem: `expected at most ${longest} characters, got ${source.length}` }
  const half = source.search(/\p{Surrogate}/u)
  if (half !== -1) return problemAt(source, half, "half a character, which no text can have")
  let parsed: ReturnType<Environment["parse"]>
  try {
    parsed = environment.parse(source)
  } catch (error) {
    return problemIn(source, error)
  }
  const refused = refusedIn(parsed.ast, false)
  if (refused !== undefined) return problemAt(source, refused.at, refused.why)
  const { valid, type, error } = parsed.check()
  if (!valid) return problemIn(source, error)
  if (type !== "bool") {
    const got = type === "dyn" ? "a value of any type: compare it, as in == true" : inWords(type ?? "")
    return problemAt(source, 0, `expected true or false as the result, got ${got}`)
  }
  return {
    holds(values) {
      try {
        return parsed(values) === true
      } catch (thrown) {
        if (thrown instanceof EvaluationError) return problemIn(source, thrown).problem
        throw thrown
      }
    },
  }
}

type Refused = { readonly at: number; readonly why: string }

/** What CEL would take and a condition may not have, or what only looks like it could be there. */
function refusedIn(node: ASTNode, isLooping: boolean): Refused | undefined {
  const inner = (one: ASTNode) => refusedIn(one, isLooping)
  switch (node.op) {
    case "value":
    case "id":
      return undefined
    case ".":
      return unknownField(node.args[0], node.args[1]) ?? inner(node.args[0])
    case "[]":
      return rootOf(node.args[0]) === undefined
        ? first(node.args, inner)
        : { at: node.range.start, why: `write ${rootOf(node.args[0])}.NAME, without brackets` }
    case "call":
      return refusedCall(node, node.args[0], isLooping) ?? first(node.args[1], inner)
    case "rcall": {
      const [name, receiver, given] = node.args
      const isLoop = loops.some((one) => one === name)
      return (
        refusedCall(node, name, isLooping) ??
        inner(receiver) ??
        first(given, (one) => refusedIn(one, isLooping || isLoop))
      )
    }
    case "list":
      return first(node.args, inner)
    case "map":
      return { at: node.range.start, why: "a condition can't make maps" }
    case "!_":
    case "-_":
      return inner(node.args)
    default:
      return first(node.args, inner)
  }
}

function first(nodes: readonly (ASTNode | string)[], find: (node: ASTNode) => Refused | undefined) {
  for (const one of nodes) {
    const found = typeof one === "string" ? undefined : find(one)
    if (found !== undefined) return found
  }
  return undefined
}

function refusedCall(
  { range: { start: at } }: ASTNode,
  name: string,
  isLooping: boolean,
): Refused | undefined {
  if (!known.includes(name))
    return { at, why: `there is no ${name} here: expected one of ${known.join(", ")}` }
  if (isLooping && loops.some((one) => one === name))
    return { at, why: `${name} can't be within another loop` }
  return undefined
}

function rootOf(node: ASTNode): Root | undefined {
  if (node.op !== "id") return undefined
  return Object.hasOwn(facts, node.args) ? (node.args as Root) : undefined
}

function unknownField(of: ASTNode, field: string): Refused | undefined {
  const root = rootOf(of)
  if (root === undefined || Object.hasOwn(facts[root], field)) return undefined
  const names = Object.keys(facts[root])
  const meant = nearest(field, names)
  const instead =
    meant === undefined ? `expected one of ${names.join(", ")}` : `did you mean ${root}.${meant}?`
  return { at: of.range.end + 1, why: `there is no ${root}.${field}: ${instead}` }
}

/** The library's errors say where, by `range`. */
function problemIn(source: string, error: unknown): Problem {
  if (!(error instanceof Error)) throw error
  const range = "range" in error ? (error.range as { start: number } | undefined) : undefined
  const summary = "summary" in error ? String(error.summary) : error.message
  return problemAt(source, range?.start ?? 0, inWords(summary))
}

function problemAt(source: string, at: number, why: string): Problem {
  const before = source.slice(0, at).split("\n")
  return { problem: `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}: ${why}` }
}

/** Types by the names that people use. */
function inWords(text: string): string {
  return text
    .replace(/dyn<([^<>]*)>/g, "$1")
    .replace(/^Unknown variable: (.*)$/, `there is no "$1": expected one of ${Object.keys(facts).join(", ")}`)
    .replace(/^No such key: (.*)$/, 'there is no "$1": ask has(…) first')
    .replace(/^no such overload: (.*)$/, "$1 does not go together")
    .replace(/^found no matching overload for/, "there is no")
    .replace(/\blist<string>/g, "list of texts")
    .replace(/\bmap<string, dyn>|\$(order|event|asset)\b/g, (_found, root?: string) => root ?? "map")
    .replace(/\b(double|int)\b/g, "number")
    .replace(/\bstring\b/g, "text")
    .replace(/\bbool\b/g, "true or false")
    .replace("Unexpected token: EOF", "unexpected end")
}
