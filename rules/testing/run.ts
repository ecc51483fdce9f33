import { stringify } from "yaml"
import { z } from "zod"
import { MillwrightError } from "../../core/errors.ts"
import { parsePlant, plant as plantSchema, problems } from "../../core/plant.ts"
import { type Action, compareSeverity, type Detection } from "../../core/vocabulary.ts"
import { compare, type Difference } from "./compare.ts"
import { type Located, readTestFile, type TestCase, unusable } from "./file.ts"
import {
  type Expected,
  type Input,
  LineError,
  linesOf,
  type Place,
  readExpected,
  readInput,
} from "./notation.ts"
import { noUse, openTrial, type Readers, recordOf, ruleProblems, type Trial, type Use } from "./trial.ts"

export type CaseReport = {
  readonly name: string
  /** Where it begins in its file. */
  readonly line: number
  readonly isOk: boolean
  /** Detections as expected and as found. */
  readonly lines: readonly Difference[]
  /** Counts that are not as expected. */
  readonly counts: readonly { readonly name: string; readonly expected: number; readonly found: number }[]
  readonly found: readonly Detection[]
}

type TestReport = { readonly cases: readonly CaseReport[] }

const day = 86_400_000
const usualStart = "2026-01-01"
const usualAsset = "P1"
const usualSite = "north"
const usualClass = "machine"

/**
 * Runs the cases of a test file (docs/rule-testing.md) through the rules engine, each from the beginning, in event
 * time. Throws `USAGE`, with a line for each problem, for a file that can't be used.
 */
export async function testRules(
  text: string,
  readers: Readers,
  open: (source: string) => Trial = openTrial,
): Promise<TestReport> {
  const located = readTestFile(text)
  const { file } = located
  const source = file.plant === undefined ? undefined : await readPlant(file.plant, located, readers)
  const sources = file.cases.map((_, at) => source ?? machineSource(located, at))
  const cases: CaseReport[] = []
  const wrong: string[] = []
  for (const [at, one] of file.cases.entries()) {
    try {
      const trial = open(sources[at] ?? "")
      if (source !== undefined) checkNames(one, at, trial, located)
      cases.push(await runCase(one, at, trial, located, readers))
    } catch (error) {
      if (!(error instanceof MillwrightError) || error.code !== "USAGE") throw error
      wrong.push(error.message)
    }
  }
  if (wrong.length > 0) throw new MillwrightError("USAGE", wrong.join("\n"))
  return { cases }
}

async function readPlant(path: string, { lineOf }: Located, readers: Readers): Promise<string> {
  const line = lineOf(["plant"])
  try {
    const source = await readers.plant(path)
    const found = ruleProblems(parsePlant(source))
    if (found.length > 0) throw unusable(found.map((text) => ({ line, text: `${path}: ${text}` })))
    return source
  } catch (error) {
    if (!(error instanceof MillwrightError) || error.code === "USAGE") throw error
    throw unusable([{ line, text: `${path}: ${error.message}` }])
  }
}

/** A plant of one class, as a case without a plant file has it. */
function machineSource({ file, lineOf }: Located, at: number): string {
  const own = file.cases[at]?.rules
  const rules = own ?? file.rules ?? []
  const path = own === undefined ? ["rules"] : ["cases", at, "rules"]
  const named = rules.flatMap((rule) => (typeof rule === "object" ? [rule.component] : []))
  const assets = { [usualAsset]: {}, ...file.assets }
  const content = {
    plant: "test",
    sites: [{ id: usualSite, ...(file.timeZone === undefined ? {} : { timeZone: file.timeZone }) }],
    classes: [
      {
        id: usualClass,
        signals: file.signals,
        components: file.components ?? [...new Set(named.filter((one) => one !== undefined))],
      },
    ],
    assets: Object.entries(assets).map(([id, one]) => ({ id, site: usualSite, class: usualClass, ...one })),
    maintenanceWindows: file.maintenanceWindows ?? [],
    rules: rules.map((rule) => (typeof rule === "object" ? { for: { class: usualClass }, ...rule } : rule)),
  }
  const read = plantSchema.safeParse(content)
  if (!read.success) {
    const told = read.error.issues.map((issue) => {
      const place = placeOf(issue.path, path, Object.keys(assets))
      return { line: lineOf(place), text: problems(new z.ZodError([{ ...issue, path: place }])).join("; ") }
    })
    throw unusable(told)
  }
  const lines = new Map(read.data.rules.map(({ id }, index) => [`rule "${id}":`, lineOf([...path, index])]))
  const found = ruleProblems(read.data).map((text) => ({
    line: [...lines].find(([start]) => text.startsWith(start))?.[1] ?? lineOf(path),
    text,
  }))
  if (found.length > 0) throw unusable(found)
  return stringify(content)
}

/** Where in the test file that stands which is wrong in the plant made of it. */
function placeOf(
  path: readonly PropertyKey[],
  rules: readonly PropertyKey[],
  assets: readonly string[],
): PropertyKey[] {
  const [list, index, ...rest] = path
  if (list === "rules") return index === undefined ? [...rules] : [...rules, index, ...rest]
  if (list === "classes") return rest
  if (list === "assets") return ["assets", assets[Number(index)] ?? "", ...rest]
  if (list === "sites") return ["timeZone"]
  return [...path]
}

/** A case beside a plant file names rules and an asset that are there. */
function checkNames(one: TestCase, at: number, { revision }: Trial, { lineOf }: Located): void {
  const known = revision.plant.rules.map(({ id }) => id)
  const found = (one.rules ?? []).flatMap((rule, index) => {
    if (typeof rule === "string" && known.includes(rule)) return []
    const text =
      typeof rule === "string"
        ? `there is no rule "${rule}" in the plant: expected one of ${known.join(", ")}`
        : "expected the id of a rule of the plant file"
    return [{ line: lineOf(["cases", at, "rules", index]), text }]
  })
  if (one.asset !== undefined && !revision.assets.has(one.asset))
    found.push({
      line: lineOf(["cases", at, "asset"]),
      text: `there is no asset "${one.asset}" in the plant`,
    })
  if (found.length > 0) throw unusable(found)
}

async function runCase(
  one: TestCase,
  at: number,
  trial: Trial,
  located: Located,
  readers: Readers,
): Promise<CaseReport> {
  const path = ["cases", at]
  try {
    return await judge(one, path, trial, located, readers)
  } catch (error) {
    if (error instanceof LineError) throw unusable([{ line: error.line, text: error.message }])
    if (!(error instanceof MillwrightError) || one.csv === undefined) throw error
    if (error.code !== "USAGE" && error.code !== "PAYLOAD_INVALID") throw error
    throw unusable([{ line: located.lineOf([...path, "csv"]), text: error.message }])
  }
}

async function judge(
  one: TestCase,
  path: readonly PropertyKey[],
  { revision, engine, counts }: Trial,
  { file, textLineOf, lineOf }: Located,
  readers: Readers,
): Promise<CaseReport> {
  const [only] = revision.assets.size === 1 ? revision.assets.keys() : []
  const asset = one.asset ?? (file.plant === undefined ? usualAsset : only)
  const signalsOf = (id: string) =>
    Object.keys(revision.plant.classes.find((each) => each.id === id)?.signals ?? {})
  const use = noUse()
  const recorded = recordedInputs(one, asset, revision, use, readers)
  const first = await recorded.next()
  const firstMs = first.done === true ? undefined : first.value.arrivesMs
  const startMs =
    one.start === undefined && firstMs !== undefined
      ? Math.floor(firstMs / day) * day
      : Date.parse(`${one.start ?? usualStart}T00:00Z`)
  const place: Place = {
    startMs,
    asset,
    isDated: one.csv !== undefined,
    rules: revision.plant.rules.map(({ id }) => id),
    assetOf(id) {
      const known = revision.assets.get(id)
      if (known !== undefined) return { site: known.site, signals: signalsOf(known.class) }
      // Beside one machine any other is a stranger, and a case may be about that.
      return file.plant === undefined ? { site: usualSite, signals: signalsOf(usualClass) } : undefined
    },
  }
  const wrong: LineError[] = []
  const written = readInput(linesOf(one.input, textLineOf([...path, "input"])), place, (error) => {
    wrong.push(error)
  })
  const expected: Expected[] = []
  for (const line of linesOf(one.detections, textLineOf([...path, "detections"]))) {
    try {
      expected.push(readExpected(line, place))
    } catch (error) {
      if (!(error instanceof LineError)) throw error
      wrong.push(error)
    }
  }
  if (wrong.length > 0) throw unusable(wrong.map(({ line, message }) => ({ line, text: message })))

  const wanted = one.rules?.filter((rule) => typeof rule === "string") ?? []
  const found: Detection[] = []
  const open = new Map<string, Detection>()
  const take = (detections: readonly Detection[]) => {
    for (const detection of detections) {
      if (detection.kind === "cleared" || detection.kind === "withdrawn") open.delete(detection.episode)
      else open.set(detection.episode, detection)
      if (wanted.length === 0 || wanted.includes(detection.rule)) found.push(detection)
    }
  }
  for await (const { record, line } of merged(first, recorded, written)) {
    if (record.kind === "tick") take(engine.advance(record.atMs))
    else if (record.kind === "action") take(engine.apply(acknowledging(record, line, [...open.values()])))
    else take(engine.apply(record))
  }
  if (one.csv !== undefined && use.firstMs === undefined)
    throw unusable([{ line: lineOf([...path, "csv"]), text: noRowText(use) }])

  const lines = compare(expected, found, place)
  const seen: Readonly<Record<string, number>> = counts
  const others = Object.entries(one.counts ?? {})
    .map(([name, count = 0]) => ({ name, expected: count, found: seen[name] ?? 0 }))
    .filter((count) => count.expected !== count.found)
  return {
    name: one.name,
    line: lineOf(path),
    isOk: others.length === 0 && lines.every(({ sign }) => sign === " "),
    lines,
    counts: others,
    found,
  }
}

export function noRowText({ rows, strangers }: Use): string {
  return rows === 0
    ? "the recording has no rows"
    : `none of its ${rows} rows is about an asset that is meant (${strangers} are about others): check the asset column`
}

async function* recordedInputs(
  { csv, asset: only }: TestCase,
  asset: string | undefined,
  revision: Trial["revision"],
  use: Use,
  readers: Readers,
): AsyncGenerator<Input> {
  if (csv === undefined) return
  const signals = [...new Set(revision.plant.classes.flatMap((one) => Object.keys(one.signals)))]
  for await (const recorded of readers.recording(csv, { asset, signals })) {
    const record = recordOf(recorded, revision, only, use)
    if (record !== undefined) yield { arrivesMs: record.arrivedMs, line: 0, record }
  }
}

/** The recording and the lines in order of arrival; at equal times what was recorded goes first. */
async function* merged(
  first: IteratorResult<Input>,
  recorded: AsyncGenerator<Input>,
  written: readonly Input[],
): AsyncGenerator<Input> {
  let at = 0
  for (let next = first; next.done !== true; next = await recorded.next()) {
    for (
      let line = written[at];
      line !== undefined && line.arrivesMs < next.value.arrivesMs;
      line = written[++at]
    )
      yield line
    yield next.value
  }
  yield* written.slice(at)
}

/** Says which episode a person means: that of the rule named, or else the worst that is open, with its incident. */
function acknowledging(action: Action, line: number, open: readonly Detection[]): Action {
  if (action.action !== "acknowledge" || action.episode !== undefined) return action
  const { rule, ...rest } = action
  const meant = open
    .filter((one) => one.asset === action.asset && (rule === undefined || one.rule === rule))
    .sort((a, b) => compareSeverity(b.severity, a.severity))[0]
  if (meant === undefined)
    throw new LineError(line, `nothing is open on ${action.asset} that could be acknowledged`)
  return { ...rest, episode: rule === undefined ? (meant.incident ?? meant.episode) : meant.episode }
}
