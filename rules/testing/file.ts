import { isNode, isScalar, LineCounter, type Node, parseDocument } from "yaml"
import { z } from "zod"
import { MillwrightError } from "../../core/errors.ts"
import { problems } from "../../core/plant.ts"
import { name } from "../../core/vocabulary.ts"

/** Where recorded samples are and in which columns: as `millwright replay` reads them. */
export const recordingSpec = z.strictObject({
  /** CSV with a line of column names, relative to the file that names it. */
  file: z.string(),
  /** `long`: a row is one sample; `wide`: one asset at one time; `events`: one event. By default what the columns look like. */
  layout: z.enum(["long", "wide", "events"]).optional(),
  /** Column of the time: ISO 8601, or seconds or milliseconds since 1970. */
  time: z.string().default("time"),
  /** The asset's id; columns in braces are filled in: "{pump}". By default the column `asset`, if there is one. */
  asset: z.string().optional(),
  /** Wide: the columns that are signals; by default those that the plant's classes declare. */
  signals: z.array(z.string()).optional(),
  /** Long: the columns of the signal's name and of its value. */
  signal: z.string().default("signal"),
  value: z.string().default("value"),
  /** Events: the code. */
  code: z.string().default("{code}"),
  /** How far times without an offset are ahead of UTC, minutes. */
  utcOffset: z.number().default(0),
  /** Rows that can't be read are left out and counted; otherwise the first one ends the run. */
  skipBadRows: z.boolean().default(false),
})
export type RecordingSpec = z.infer<typeof recordingSpec>

const ruleContent = z.record(z.string(), z.unknown())

const testCase = z.strictObject({
  name: z.string("expected a sentence that says what the case shows").min(1, "expected a sentence, got none"),
  /** Beside a plant file the ids of the rules that are looked at (default: all); otherwise the rules themselves. */
  rules: z.union([z.array(z.string()), z.array(ruleContent)]).optional(),
  /** Which asset lines without `on ASSET` are about. */
  asset: name.optional(),
  /** The first day of the times in `input` and `detections`. */
  start: z.iso.date("expected a date such as 2026-03-04, in quotes or not").optional(),
  /** Recorded samples, which arrive before lines of the same time. */
  csv: z.union([z.string().transform((file) => recordingSpec.parse({ file })), recordingSpec]).optional(),
  input: z.string().default(""),
  detections: z.string().default(""),
  /** What became of the samples. Those that are named are compared. */
  counts: z
    .strictObject({
      samples: z.number(),
      duplicates: z.number(),
      late: z.number(),
      tooLate: z.number(),
      unusable: z.number(),
    })
    .partial()
    .optional(),
})
export type TestCase = z.infer<typeof testCase>

const testFile = z
  .strictObject({
    /** A plant file, relative to this one. */
    plant: z.string().optional(),
    /** Instead: one class `machine` with these signals, as a plant file declares them, … */
    signals: z.record(z.string(), z.unknown()).optional(),
    /** … these components (default: those that rules name), … */
    components: z.array(z.string()).optional(),
    /** … the asset P1 and these besides, with what a plant file says of an asset, … */
    assets: z.record(z.string(), z.record(z.string(), z.unknown())).optional(),
    /** … at the site `north` in this time zone, … */
    timeZone: z.string().optional(),
    maintenanceWindows: z.array(z.unknown()).optional(),
    /** … and these rules, where a case has none of its own. */
    rules: z.array(ruleContent).optional(),
    cases: z.array(testCase, "expected a list of cases").min(1, "expected at least one case"),
  })
  .superRefine((file, context) => {
    const say = (path: string[], message: string) => context.addIssue({ code: "custom", path, message })
    if (file.plant === undefined && file.signals === undefined)
      say([], 'expected either "plant", a plant file, or "signals" of one machine')
    if (file.plant === undefined) return
    for (const key of ["signals", "components", "assets", "timeZone", "maintenanceWindows", "rules"] as const)
      if (file[key] !== undefined)
        say([key], "is in the plant file already: leave it out, or leave out plant")
  })
type TestFile = z.infer<typeof testFile>

/** A test file, and where in it something stands. */
export type Located = {
  readonly file: TestFile
  /** The line of what this path leads to, or of what would hold it. */
  lineOf(path: readonly PropertyKey[]): number
  /** The number of the first line of a text of several lines. */
  textLineOf(path: readonly PropertyKey[]): number
}

/** What is wrong with a test file, each with its line. */
export function unusable(
  found: readonly { readonly line: number; readonly text: string }[],
): MillwrightError {
  const lines = found.map(({ line, text }) => `line ${line}: ${text}`)
  return new MillwrightError("USAGE", lines.join("\n"))
}

/** Reads a test file. Throws `USAGE` with a line for each problem. */
export function readTestFile(text: string): Located {
  const counter = new LineCounter()
  const document = parseDocument(text, { lineCounter: counter })
  const line = (offset: number) => counter.linePos(offset).line
  if (document.errors.length > 0) {
    const told = document.errors.map(({ pos, message }) => ({
      line: line(pos[0]),
      text: `not YAML: ${message.split("\n")[0]?.replace(/ at line .*$/, "")}`,
    }))
    throw unusable(told)
  }

  function nodeAt(path: readonly PropertyKey[]): Node | undefined {
    for (let length = path.length; length > 0; length--) {
      const node = document.getIn(path.slice(0, length), true)
      if (isNode(node)) return node
    }
    return undefined
  }
  const lineOf = (path: readonly PropertyKey[]) => line(nodeAt(path)?.range?.[0] ?? 0)

  const result = testFile.safeParse(document.toJS())
  if (!result.success) {
    const told = result.error.issues.map((issue) => {
      const key = issue.code === "unrecognized_keys" ? issue.keys.slice(0, 1) : []
      return {
        line: lineOf([...issue.path, ...key]),
        text: problems(new z.ZodError([issue])).join("; "),
      }
    })
    throw unusable(told)
  }
  return {
    file: result.data,
    lineOf,
    textLineOf(path) {
      const node = nodeAt(path)
      const isBlock = isScalar(node) && (node.type === "BLOCK_LITERAL" || node.type === "BLOCK_FOLDED")
      return lineOf(path) + (isBlock ? 1 : 0)
    },
  }
}
