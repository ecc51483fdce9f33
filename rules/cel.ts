/**
 * Expressions of rules, in a part of CEL (the Common Expression Language, cel.dev): numbers, texts and truth values, and
 * what a rule knows of its asset. There are no loops, so an expression takes a bounded number of steps.
 */
import { Environment, EvaluationError } from "@marcbachmann/cel-js"
import { formatDuration } from "../core/duration.ts"
import {
  type AssetField,
  type Attribute,
  assetFields,
  type Input,
  Refused,
  type Translation,
  translate,
} from "./cel-text.ts"

export type { Input } from "./cel-text.ts"

const longest = 1000

/** What expressions may ask of the asset: only what they do ask, so that nothing else changes the rule. */
export type Facts = { readonly [field in AssetField]?: string } & {
  readonly attributes: Readonly<Record<string, string | number | boolean>>
}

export type Program = {
  readonly inputs: readonly Input[]
  readonly fields: readonly AssetField[]
  readonly attributes: readonly Attribute[]
  /**
   * The expression's value with these inputs, in their order, NaN where one is unknown. Undefined when that leaves it
   * unknown: `a || b` is known as soon as one of them is true, whatever the other.
   */
  run(values: readonly number[], facts: Facts): boolean | number | undefined
}

/** What is wrong with an expression, and where. */
export type Problem = { readonly at: number; readonly message: string }

/** "line 1, column 14", both counted from 1. */
export function placeOf(source: string, at: number): string {
  const before = source.slice(0, at).split("\n")
  return `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`
}

/** "vibration", or "mean of vibration over 1 h". */
export function wordsFor({ signal, window }: Pick<Input, "signal" | "window">): string {
  const label = signal.replaceAll("_", " ")
  return window === null ? label : `${window.statistic} of ${label} over ${formatDuration(window.lengthMs)}`
}

/** Thrown by what can't be known, and caught where the expression is run: not an error, so its stack is of no use. */
const unknown = new EvaluationError("unknown")

function known(value: number): number {
  if (Number.isNaN(value)) throw unknown
  return value
}

/** What is not a number (0 ÷ 0, the root of −1) or beyond all numbers (1 ÷ 0) is as good as not known. */
function finite(value: number): number {
  if (!Number.isFinite(value)) throw unknown
  return value
}

const syntax = new Environment({
  limits: { maxAstNodes: 200, maxDepth: 32, maxListElements: 50, maxMapEntries: 1, maxCallArguments: 4 },
})
const typed = new Environment()
  .registerFunction("known(double): double", known)
  .registerFunction("over(double, double): double", (a: number, b: number) => finite(a / b))
  .registerFunction("abs(double): double", (a: number) => Math.abs(a))
  .registerFunction("sqrt(double): double", (a: number) => finite(Math.sqrt(a)))
  .registerFunction("pow(double, double): double", (a: number, b: number) => finite(a ** b))
  .registerVariable("asset_attributes", "map<string, dyn>")
for (const field of assetFields) typed.registerVariable(`asset_${field}`, "string")

const programs = new Map<string, Program | Problem>()
const mostPrograms = 2000

/** Reads and checks an expression that must give a truth value or a number. The names of signals are not looked up. */
export function compile(source: string, wanted: "bool" | "number"): Program | Problem {
  const key = `${wanted} ${source}`
  const there = programs.get(key)
  if (there !== undefined) return there
  const made = compileAnew(source, wanted)
  const [oldest] = programs.keys()
  if (programs.size >= mostPrograms && oldest !== undefined) programs.delete(oldest)
  programs.set(key, made)
  return made
}

function compileAnew(source: string, wanted: "bool" | "number"): Program | Problem {
  if (source.length > longest)
    return { at: 0, message: `expected at most ${longest} characters, got ${source.length}` }
  const half = source.search(/\p{Surrogate}/u)
  if (half !== -1) return { at: half, message: "half a character, which no text can have" }
  let translation: Translation
  try {
    translation = translate(syntax.parse(source).ast)
  } catch (error) {
    if (error instanceof Refused) return { at: error.at, message: error.message }
    return problemIn(error)
  }
  const { text, spans, inputs, fields, attributes } = translation
  const environment = typed.clone()
  const names = inputs.map((_, at) => `_${at}`)
  for (const name of names) environment.registerVariable(name, "double")
  const parsed = environment.parse(text)
  const checked = parsed.check()
  if (!checked.valid) {
    const { at, message } = problemIn(checked.error)
    return { at: spans.findLast(({ from }) => from <= at)?.at ?? 0, message }
  }
  const type = wanted === "bool" ? "bool" : "double"
  // An attribute alone may hold a number; as a truth value it is written `asset.attributes.critical == true`.
  if (checked.type !== type && !(wanted === "number" && checked.type === "dyn")) {
    const got = checked.type === "dyn" ? "an attribute of any type" : inWords(checked.type ?? "")
    return {
      at: 0,
      message: `expected ${wanted === "bool" ? "true or false" : "a number"} as the result, got ${got}`,
    }
  }
  const context: Record<string, unknown> = {}
  return {
    inputs,
    fields,
    attributes,
    run(values, facts) {
      for (let at = 0; at < names.length; at++) context[names[at] ?? ""] = values[at]
      for (const field of fields) context[`asset_${field}`] = facts[field]
      context.asset_attributes = facts.attributes
      try {
        const result: unknown = parsed(context)
        if (typeof result === "boolean") return result
        return typeof result === "number" && Number.isFinite(result) ? result : undefined
      } catch (error) {
        // A missing attribute, or one of another type than it is used as: the rule can't tell.
        if (error instanceof EvaluationError) return undefined
        throw error
      }
    },
  }
}

/** The library's errors say where, by `range`. */
function problemIn(error: unknown): Problem {
  if (!(error instanceof Error)) throw error
  const range = "range" in error ? (error.range as { start: number } | undefined) : undefined
  const summary = "summary" in error ? String(error.summary) : error.message
  return { at: range?.start ?? 0, message: inWords(summary) }
}

/** Types by the names that people use, and division by its sign. */
function inWords(text: string): string {
  return text
    .replace(/'over\((.*), (.*)\)'/, "'$1 / $2'")
    .replaceAll("dyn<", "<")
    .replace(/\bdouble\b/g, "number")
    .replace(/\bstring\b/g, "text")
    .replace(/\bbool\b/g, "true or false")
    .replace(/^(no such overload:|found no matching overload for)/, "there is no")
    .replace("Unexpected token: EOF", "unexpected end")
}
