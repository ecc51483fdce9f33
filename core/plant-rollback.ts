import { isDeepStrictEqual } from "node:util"
import { type Document, isMap, isSeq, type Node, parse, parseDocument } from "yaml"
import { MillwrightError } from "./errors.ts"
import { parsePlant } from "./plant.ts"
import { writtenRule } from "./plant-history.ts"
import { appliers, authorise, type PlantRegister } from "./plant-register.ts"

export type RollbackRequest = {
  /** The revision to go back to. */
  readonly to: number
  /** Only this rule; left out: the whole plant file. */
  readonly rule?: string | undefined
  readonly actor: string
}

/**
 * The plant file with which things are as they were in an earlier revision, and the revision in force to which it is
 * to be applied. Throws `NOT_FOUND` for a revision that is not there or lacks the rule, `NOT_ALLOWED`, and `USAGE`
 * where nothing would change.
 */
export async function rollbackSource(
  register: Pick<PlantRegister, "newest" | "revision">,
  { to, rule, actor }: RollbackRequest,
): Promise<{ readonly source: string; readonly base: number }> {
  const current = await register.newest()
  if (current === undefined)
    throw new MillwrightError("NOT_FOUND", "no plant file was applied yet: millwright apply FILE")
  authorise(parsePlant(current.source), actor, appliers)
  const old = await register.revision(to)
  if (old === undefined)
    throw new MillwrightError(
      "NOT_FOUND",
      `there is no revision ${to}: the newest is ${current.revision}; millwright rules history shows all`,
    )
  const source = rule === undefined ? old.source : withRuleOf(current.source, old.source, rule, to)
  if (isDeepStrictEqual(parse(source), parse(current.source)))
    throw new MillwrightError(
      "USAGE",
      `nothing to change: ${rule === undefined ? "the plant file" : `the rule "${rule}"`} is as it was in revision ${to}`,
    )
  return { source, base: current.revision }
}

/**
 * A plant file with one rule as another file has it; all else stays as it is, comments and layout too. A rule that is
 * not there any more becomes the last one. `revision` is the other file's, for the message.
 */
export function withRuleOf(current: string, old: string, rule: string, revision: number): string {
  const written = writtenRule(old, rule)
  if (written === undefined)
    throw new MillwrightError(
      "NOT_FOUND",
      `revision ${revision} has no rule "${rule}": millwright rules history ${rule} shows which have`,
    )
  const wanted = withRule(parse(current), rule, written)
  const attempts = [
    () => splice(current, old, rule),
    () => edit(current, rule, () => ruleAt(parseDocument(old), rule)?.node),
    () => edit(current, rule, (document) => document.createNode(written)),
  ]
  for (const attempt of attempts) {
    const source = attempt()
    if (source !== undefined && says(source, wanted)) return source
  }
  throw new MillwrightError(
    "USAGE",
    `the rule "${rule}" shares text with other parts of the plant file (YAML anchors): millwright export it, put the rule in by hand, and apply it`,
  )
}

type Content = { readonly rules?: readonly { readonly id: unknown }[] }

function withRule(content: unknown, rule: string, written: object): unknown {
  const { rules = [], ...rest } = content as Content
  const isThere = rules.some(({ id }) => id === rule)
  return {
    ...rest,
    rules: isThere ? rules.map((one) => (one.id === rule ? written : one)) : [...rules, written],
  }
}

/** The text is YAML that says this; text in which an alias has lost its anchor is none. */
function says(source: string, wanted: unknown): boolean {
  const document = parseDocument(source)
  if (document.errors.length > 0) return false
  try {
    return isDeepStrictEqual(document.toJS(), wanted)
  } catch (error) {
    if (error instanceof ReferenceError) return false
    throw error
  }
}

type Found = { readonly node: Node; readonly at: number }

function ruleAt(document: Document.Parsed, rule: string): Found | undefined {
  const rules = document.get("rules", true)
  if (!isSeq(rules)) return undefined
  const at = rules.items.findIndex((one) => isMap(one) && one.get("id") === rule)
  const node = rules.items[at]
  return isMap(node) ? { node, at } : undefined
}

/** Puts the rule's own text in the place of the one that is there, or below the last one. */
function splice(current: string, old: string, rule: string): string | undefined {
  const from = ruleAt(parseDocument(old), rule)?.node.range
  if (!from) return undefined
  const text = old.slice(from[0], from[1]).trimEnd()
  const document = parseDocument(current)
  const there = ruleAt(document, rule)?.node.range
  if (there) {
    const [start, end] = there
    const line = current.slice(start, end).endsWith("\n") ? "\n" : ""
    const moved = indented(text, columnOf(old, from[0]), columnOf(current, start))
    return `${current.slice(0, start)}${moved}${line}${current.slice(end)}`
  }
  const rules = document.get("rules", true)
  const last = isSeq(rules) && rules.flow !== true ? rules.items.at(-1) : undefined
  if (!isMap(last) || !last.range || !isSeq(rules) || !rules.range) return undefined
  const column = columnOf(current, rules.range[0])
  const moved = indented(text, columnOf(old, from[0]), column + 2)
  const after = last.range[1]
  const isBelow = current[after - 1] === "\n"
  const lineEnd = current.indexOf("\n", after)
  const end = isBelow ? after : lineEnd === -1 ? current.length : lineEnd + 1
  const before = current.slice(0, end)
  return `${before}${before.endsWith("\n") ? "" : "\n"}${" ".repeat(column)}- ${moved}\n${current.slice(end)}`
}

function columnOf(text: string, at: number): number {
  return at - (text.lastIndexOf("\n", at - 1) + 1)
}

/** Lines after the first are moved with it. */
function indented(text: string, from: number, to: number): string {
  const [first = "", ...rest] = text.split("\n")
  const moved = rest.map((line) => {
    if (line.trim() === "") return line
    return to >= from ? " ".repeat(to - from) + line : line.replace(new RegExp(`^ {0,${from - to}}`), "")
  })
  return [first, ...moved].join("\n")
}

/** Where the texts don't fit together (a block into braces) the file is written anew, with its comments. */
function edit(
  current: string,
  rule: string,
  make: (document: Document.Parsed) => Node | undefined,
): string | undefined {
  const document = parseDocument(current)
  const node = make(document)
  if (node === undefined) return undefined
  const there = ruleAt(document, rule)
  if (there !== undefined) document.setIn(["rules", there.at], node)
  else if (isSeq(document.get("rules", true))) document.addIn(["rules"], node)
  else document.set("rules", document.createNode([node]))
  try {
    return document.toString({ lineWidth: 0 })
  } catch (error) {
    // An alias whose anchor went with the rule that was replaced.
    if (error instanceof Error && error.message.includes("alias")) return undefined
    throw error
  }
}
