import { isDeepStrictEqual } from "node:util"
import { parse } from "yaml"
import { messageOf } from "./errors.ts"
import { parsePlant } from "./plant.ts"
import { differences, type PlantRegister } from "./plant-register.ts"
import type { PlantRevision } from "./topics.ts"

/** One revision: who made it, why, and what it changed. */
export type HistoryEntry = Pick<PlantRevision, "revision" | "atMs" | "effectiveMs" | "author" | "reason"> & {
  /** "~ rule pump-vibration"; of a single rule what changed in it: "params.above: 7.1 -> 6.5". */
  readonly changes: readonly string[]
  /** The same on one line, by number where they are many: "added 2 sites, 40 assets". */
  readonly summary: string
}

type Difference = ReturnType<typeof differences>[number]
type Changes = Pick<HistoryEntry, "changes" | "summary">

const pageSize = 50
/** With more of one kind nobody reads their names on one line. */
const mostNamed = 5
const signs = { added: "+", changed: "~", removed: "-" } as const

/** The newest revisions, newest first; with `rule` those that changed it. */
export async function plantHistory(
  register: Pick<PlantRegister, "revisions">,
  { rule, limit }: { readonly rule?: string | undefined; readonly limit: number },
): Promise<readonly HistoryEntry[]> {
  const entries: HistoryEntry[] = []
  let newer: PlantRevision | undefined
  const add = (before: PlantRevision | undefined): void => {
    if (newer === undefined) return
    const { revision, atMs, effectiveMs, author, reason } = newer
    const changed = rule === undefined ? plantChanges(before, newer) : ruleChanges(before, newer, rule)
    if (changed.changes.length > 0) entries.push({ revision, atMs, effectiveMs, author, reason, ...changed })
  }
  for (;;) {
    const page = await register.revisions({ before: newer?.revision, limit: pageSize })
    for (const one of page) {
      add(one)
      newer = one
      if (entries.length >= limit) return entries
    }
    if (page.length < pageSize) break
  }
  add(undefined)
  return entries
}

function plantChanges(before: PlantRevision | undefined, after: PlantRevision): Changes {
  try {
    const found = differences(before && parsePlant(before.source), parsePlant(after.source))
    return { changes: found.map(named), summary: summaryOf(found) }
  } catch (error) {
    return allOf([`can't be compared by this version: ${messageOf(error).split("\n")[0]}`])
  }
}

function named({ change, what, id }: Difference): string {
  return `${signs[change]} ${what} ${id}`
}

function allOf(changes: readonly string[]): Changes {
  return { changes, summary: changes.join("; ") }
}

/** What was added, changed and removed: each by name, unless there are too many of some kind. */
function summaryOf(found: readonly Difference[]): string {
  const parts = Object.keys(signs).flatMap((sign) => {
    const same = found.filter(({ change }) => change === sign)
    const counts = new Map<string, number>()
    for (const { what } of same) counts.set(what, (counts.get(what) ?? 0) + 1)
    if ([...counts.values()].every((count) => count <= mostNamed)) return same.map(named)
    const told = [...counts].map(([what, count]) => `${count} ${count === 1 ? what : pluralOf(what)}`)
    return [`${sign} ${told.join(", ")}`]
  })
  return parts.join("; ")
}

function pluralOf(what: string): string {
  return { class: "classes", person: "people" }[what] ?? `${what}s`
}

/** As it is written, so that a revision from before this version's parameters can be compared as well. */
function ruleChanges(before: PlantRevision | undefined, after: PlantRevision, rule: string): Changes {
  const [was, is] = [before && writtenRule(before.source, rule), writtenRule(after.source, rule)]
  if (was === undefined) return allOf(is === undefined ? [] : ["added"])
  return allOf(is === undefined ? ["removed"] : valueChanges(was, is, ""))
}

type Written = Readonly<Record<string, unknown>>

/** A rule as a plant file states it. */
export function writtenRule(source: string, rule: string): Written | undefined {
  const content: unknown = parse(source)
  const rules = isRecord(content) && Array.isArray(content.rules) ? content.rules : []
  return rules.filter(isRecord).find(({ id }) => id === rule)
}

function isRecord(value: unknown): value is Written {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}

function valueChanges(was: unknown, is: unknown, path: string): string[] {
  if (isDeepStrictEqual(was, is)) return []
  if (Array.isArray(was) && Array.isArray(is) && was.length === is.length && was.every(isRecord))
    return was.flatMap((one, at) => valueChanges(one, is[at], `${path}[${at}]`))
  if (!isRecord(was) || !isRecord(is)) return [`${path}: ${written(was)} -> ${written(is)}`]
  const keys = [...new Set([...Object.keys(was), ...Object.keys(is)])]
  return keys.flatMap((key) => valueChanges(was[key], is[key], path === "" ? key : `${path}.${key}`))
}

function written(value: unknown): string {
  const text = value === undefined ? "(none)" : typeof value === "string" ? value : JSON.stringify(value)
  return text.length > 120 ? `${text.slice(0, 119)}…` : text
}
