import type { ASTNode } from "@marcbachmann/cel-js"
import { formatDuration, parseDuration } from "../core/duration.ts"
import { type Statistic, statistics } from "./window.ts"

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
export type Attribute = {
  readonly name: string
  readonly at: number
  /** The expression asks whether the asset has it: `has(asset.attributes.rated_kw)`. */
  readonly optional: boolean
}

export const assetFields = ["id", "class", "site", "criticality"] as const
export type AssetField = (typeof assetFields)[number]

const numberFunctions = ["abs", "sqrt", "pow"]
const textFunctions = ["startsWith", "endsWith", "contains"]
const functionNames = ["value", ...Object.keys(statistics), ...numberFunctions, "has"]

/** What an expression may not say, and where it does. */
export class Refused extends Error {
  readonly at: number
  constructor(at: number, message: string) {
    super(message)
    this.at = at
  }
}

export type Translation = {
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
export function translate(root: ASTNode): Translation {
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
