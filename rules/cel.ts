/**
 * Expressions of rules, in a part of CEL (the Common Expression Language, cel.dev): numbers, texts and truth values, and
 * what a rule knows of its asset. There are no loops, so an expression takes a bounded number of steps.
 */
import { type ASTNode, Environment, EvaluationError } from "@marcbachmann/cel-js"
import { formatDuration, parseDuration } from "../core/duration.ts"
import { type Statistic, statistics } from "./window.ts"

const longest = 1000
const longestWindowMs = 30 * 86_400_000
/** A window has 32 parts of whole milliseconds at least. */
const shortestWindowMs = 32

/** Something that changes: a signal's newest value, or a statistic of its window. */
export type Input = {
  readonly signal: string
  readonly window: { readonly lengthMs: number; readonly statistic: Statistic } | null
  /** Where in the source it is first named. */
  readonly at: number
}

/** An attribute of the asset. */
type Attribute = {
  readonly name: string
  readonly at: number
  /** The expression asks whether the asset has it: `has(asset.attributes.rated_kw)`. */
  readonly optional: boolean
}

const assetFields = ["id", "class", "site", "criticality"] as const
export type AssetField = (typeof assetFields)[number]

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

const numberFunctions = ["abs", "sqrt", "pow"]
const textFunctions = ["startsWith", "endsWith", "contains"]
const functionNames = ["value", ...Object.keys(statistics), ...numberFunctions, "has"]

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

class Refused extends Error {
  readonly at: number
  constructor(at: number, message: string) {
    super(message)
    this.at = at
  }
}

type Translation = {
  /** What is run: whole numbers as decimals, inputs as variables, division as a function that knows what 1 ÷ 0 is. */
  readonly text: string
  /** Where in the text, in order, begins what stands where in the source. */
  readonly spans: readonly { readonly from: number; readonly at: number }[]
  readonly inputs: readonly Input[]
  readonly fields: readonly AssetField[]
  readonly attributes: readonly Attribute[]
}

/**
 * Writes an expression anew from the parts that are known here, so that nothing else is ever run. In CEL `1 / 2` is 0 and
 * `load * 2` has no meaning for a decimal `load`; here every number is a decimal one.
 */
function translate(root: ASTNode): Translation {
  let text = ""
  const spans: { from: number; at: number }[] = []
  const inputs: Input[] = []
  const fields = new Set<AssetField>()
  const attributes = new Map<string, Attribute>()

  const put = (...parts: (string | ASTNode)[]) => {
    for (const part of parts) {
      if (typeof part === "string") text += part
      else write(part)
    }
  }

  function input(signal: string, window: Input["window"], at: number): void {
    const same = (one: Input) =>
      one.signal === signal &&
      one.window?.lengthMs === window?.lengthMs &&
      one.window?.statistic === window?.statistic
    if (!inputs.some(same)) inputs.push({ signal, window, at })
    put(`known(_${inputs.findIndex(same)})`)
  }

  function attribute(name: string, at: number, optional: boolean): void {
    const before = attributes.get(name)
    attributes.set(name, {
      name,
      at: before?.at ?? at,
      optional: optional || (before?.optional ?? false),
    })
  }

  function list(nodes: readonly ASTNode[]): void {
    nodes.forEach((node, at) => {
      put(at === 0 ? "" : ", ", node)
    })
  }

  function call(node: ASTNode, name: string, args: readonly ASTNode[]): void {
    if (name === "value") input(textOf(node, args[0], args.length === 1, `value("SIGNAL")`), null, node.start)
    else if (isStatistic(name)) {
      const shape = `${name}("SIGNAL", "1h")`
      const signal = textOf(node, args[0], args.length === 2, shape)
      const length = textOf(node, args[1], args.length === 2, shape)
      input(signal, { lengthMs: lengthOf(args[1] ?? node, length), statistic: name }, node.start)
    } else if (name === "has") {
      const [asked] = args
      const key = asked === undefined ? undefined : attributeOf(asked)
      if (asked?.op !== "." || key === undefined)
        throw new Refused(node.start, "expected has(asset.attributes.NAME)")
      attribute(key, asked.start, true)
      put(`has(asset_attributes.${key})`)
    } else if (numberFunctions.includes(name)) {
      put(`${name}(`)
      list(args)
      put(")")
    } else {
      throw new Refused(
        node.start,
        `there is no function ${name}; expected one of ${functionNames.join(", ")}`,
      )
    }
  }

  function field(node: ASTNode): void {
    const key = attributeOf(node)
    if (key !== undefined) {
      attribute(key, node.start, false)
      put(`asset_attributes[${JSON.stringify(key)}]`)
      return
    }
    if (node.op === "." && node.args[0].op === "id" && node.args[0].args === "asset") {
      const name = assetFields.find((one) => one === node.args[1])
      if (name !== undefined) {
        fields.add(name)
        put(`asset_${name}`)
        return
      }
    }
    throw new Refused(
      node.start,
      `expected asset.${assetFields.join(", asset.")} or asset.attributes.NAME; a signal whose name has a dot is value("NAME")`,
    )
  }

  function write(node: ASTNode): void {
    spans.push({ from: text.length, at: node.start })
    switch (node.op) {
      case "value":
        put(literal(node.start, node.args))
        return
      case "id":
        if (node.args === "asset") field(node)
        else input(node.args, null, node.start)
        return
      case ".":
      case "[]":
        field(node)
        return
      case "call":
        call(node, node.args[0], node.args[1])
        return
      case "rcall": {
        const [name, of, args] = node.args
        if (!textFunctions.includes(name))
          throw new Refused(
            node.start,
            `there is no .${name}(); expected one of .${textFunctions.join("(), .")}()`,
          )
        put("(", of, `).${name}(`)
        list(args)
        put(")")
        return
      }
      case "list":
        put("[")
        list(node.args)
        put("]")
        return
      case "!_":
        put("(!", node.args, ")")
        return
      case "-_":
        put("(-", node.args, ")")
        return
      case "?:":
        put("(", node.args[0], " ? ", node.args[1], " : ", node.args[2], ")")
        return
      case "/":
        put("over(", node.args[0], ", ", node.args[1], ")")
        return
      case "%":
      case "map":
      case ".?":
      case "[?]":
        throw new Refused(node.start, `expected no ${node.op === "map" ? "{…}" : node.op}`)
      default:
        put("(", node.args[0], ` ${node.op} `, node.args[1], ")")
    }
  }

  write(root)
  return { text, spans, inputs, fields: [...fields], attributes: [...attributes.values()] }
}

/** NAME of `asset.attributes.NAME` and `asset.attributes["NAME"]`. */
function attributeOf(node: ASTNode): string | undefined {
  if (node.op !== "." && node.op !== "[]") return undefined
  const [of, key] = node.args
  if (of.op !== "." || of.args[1] !== "attributes") return undefined
  const [asset] = of.args
  if (asset.op !== "id" || asset.args !== "asset") return undefined
  if (typeof key === "string") return key
  return key.op === "value" && typeof key.args === "string" ? key.args : undefined
}

function literal(at: number, value: unknown): string {
  if (typeof value === "boolean") return String(value)
  if (typeof value === "string") return JSON.stringify(value)
  if (typeof value !== "number" && typeof value !== "bigint")
    throw new Refused(at, "expected a number such as 4 or 7.1, a text, true or false")
  const number = Number(value)
  return Number.isInteger(number) && Math.abs(number) < 1e21 ? `${number}.0` : String(number)
}

function isStatistic(name: string): name is Statistic {
  return Object.hasOwn(statistics, name)
}

function textOf(call: ASTNode, argument: ASTNode | undefined, asMany: boolean, shape: string): string {
  if (!asMany || argument === undefined || argument.op !== "value" || typeof argument.args !== "string")
    throw new Refused(argument?.start ?? call.start, `expected ${shape}, names and times in quotes`)
  return argument.args
}

function lengthOf(argument: ASTNode, text: string): number {
  const lengthMs = parseDuration(text)
  if (lengthMs === undefined || lengthMs < shortestWindowMs || lengthMs > longestWindowMs) {
    throw new Refused(
      argument.start,
      `expected a window such as "15m" or "12h", at most ${formatDuration(longestWindowMs)}, got "${text}"`,
    )
  }
  return lengthMs
}
