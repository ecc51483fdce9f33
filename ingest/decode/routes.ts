import type { Plant, TopicPattern } from "../../core/plant.ts"
import { quoted } from "./outcome.ts"
import { type AssetSignals, type Assets, isName, type Refused, unusable } from "./signals.ts"

/** What a topic says before its payload is looked at. */
export type Route = {
  readonly payload: TopicPattern["payload"]
  /** The site of assets that the plant file doesn't have. */
  readonly site: string
  /** Undefined when the topic doesn't name the asset: then each object of the payload does. */
  readonly asset: AssetSignals | undefined
  readonly signal: string | undefined
}

type Level = { readonly kind: "text" | "name"; readonly text: string } | { readonly kind: "any" }
type Pattern = { readonly spec: TopicPattern; readonly levels: readonly Level[]; readonly openEnded: boolean }
type Names = { site?: string; asset?: string; signal?: string }

const levelNames: ReadonlySet<string> = new Set(["{site}", "{asset}", "{signal}"])
/** MQTT allows 64 KiB, and every kept name would hold on to the topic that it was cut from. */
const maxTopicLength = 1024

/** One line for each topic pattern of the plant that can't work. */
export function checkTopics(plant: Plant): string[] {
  return plant.ingest.topics.flatMap((spec, at) =>
    patternProblems(spec).map((problem) => `ingest.topics[${at}].pattern: "${spec.pattern}" ${problem}`),
  )
}

/**
 * What to subscribe to at a broker for the plant's patterns. A filter that another one covers is left out: its messages
 * would come twice. Those of patterns that overlap in part do: `v1/north/#` and `v1/{site}/{asset}/telemetry`.
 */
export function topicFilters(plant: Plant): readonly string[] {
  const filters = new Set(
    plant.ingest.topics.map(({ pattern }) =>
      pattern
        .split("/")
        .map((level) => (levelNames.has(level) ? "+" : level))
        .join("/"),
    ),
  )
  const all = [...filters]
  return all.filter((filter) => !all.some((other) => other !== filter && covers(other, filter)))
}

function covers(wide: string, narrow: string): boolean {
  const levels = narrow.split("/")
  const wideLevels = wide.split("/")
  for (const [at, level] of wideLevels.entries()) {
    const isWild = level === "#" || level === "+"
    // As in `match`: no wildcard stands for a first level with $.
    if (isWild && at === 0 && narrow.startsWith("$")) return false
    if (level === "#") return true
    const other = levels[at]
    if (other === undefined || other === "#") return false
    if (!isWild && other !== level) return false
  }
  return levels.length === wideLevels.length
}

/** Finds the route of a topic: the first pattern that matches decides. Routes are kept, up to `maxRoutes` of them. */
export function createRoutes(
  plant: Plant,
  assets: Assets,
  maxRoutes: number,
): { find(topic: string): Route | Refused } {
  const patterns = plant.ingest.topics.map(compile)
  const firstSite = plant.sites[0]?.id ?? plant.plant
  const kept = new Map<string, Route | Refused>()

  function resolve(topic: string): Route | Refused {
    const levels = topic.split("/")
    for (const pattern of patterns) {
      const names = match(pattern, levels)
      if (names !== undefined) return routeOf(pattern.spec, names)
    }
    return { reason: "unknown-topic", detail: `no pattern of ingest.topics matches ${quoted(topic)}` }
  }

  function routeOf(spec: TopicPattern, names: Names): Route | Refused {
    const signal = names.signal ?? spec.signal
    if (signal !== undefined && !isName(signal)) return unusable("signal", signal)
    const id = names.asset ?? spec.asset
    const asset = id === undefined ? undefined : assets.find(id)
    if (asset !== undefined && "reason" in asset) return asset
    const site = asset?.site ?? names.site ?? spec.site ?? firstSite
    if (!isName(site)) return unusable("site", site)
    return { payload: spec.payload, site, asset, signal }
  }

  return {
    find(topic) {
      const known = kept.get(topic)
      if (known !== undefined) return known
      if (topic.length > maxTopicLength) {
        return {
          reason: "too-large",
          detail: `a topic of ${topic.length} characters: at most ${maxTopicLength} are taken`,
        }
      }
      const route = resolve(topic)
      if (kept.size >= maxRoutes) kept.clear()
      kept.set(topic, route)
      return route
    },
  }
}

function patternProblems({ pattern, payload, signal }: TopicPattern): string[] {
  const levels = pattern.split("/")
  const odd = levels.filter(
    (level, at) =>
      !levelNames.has(level) &&
      level !== "+" &&
      !(level === "#" && at === levels.length - 1) &&
      /[{}+#]/.test(level),
  )
  const found = odd.map(
    (level) => `has a level "${level}": expected {site}, {asset}, {signal}, +, a last #, or plain text`,
  )
  if (payload === "value" && signal === undefined && !levels.includes("{signal}")) {
    found.push("takes bare values, so it needs a level {signal} or a fixed signal")
  }
  return found
}

function compile(spec: TopicPattern): Pattern {
  const levels = spec.pattern.split("/")
  const openEnded = levels.at(-1) === "#"
  return { spec, openEnded, levels: (openEnded ? levels.slice(0, -1) : levels).map(compileLevel) }
}

function compileLevel(level: string): Level {
  if (level === "+") return { kind: "any" }
  return levelNames.has(level) ? { kind: "name", text: level.slice(1, -1) } : { kind: "text", text: level }
}

/** The named levels of the topic, or undefined when it doesn't match. */
function match({ levels, openEnded }: Pattern, topic: readonly string[]): Names | undefined {
  if (openEnded ? topic.length < levels.length : topic.length !== levels.length) return undefined
  // MQTT 4.7.2: no wildcard matches a first level that begins with $, such as $SYS.
  if (topic[0]?.startsWith("$") && levels[0]?.kind !== "text") return undefined
  const names: Names = {}
  for (const [at, level] of levels.entries()) {
    const text = topic[at] ?? ""
    if (level.kind === "text" && level.text !== text) return undefined
    if (level.kind === "name") names[level.text as keyof Names] = text
  }
  return names
}
