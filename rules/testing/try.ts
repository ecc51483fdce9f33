import { MillwrightError } from "../../core/errors.ts"
import { matches, parsePlant } from "../../core/plant.ts"
import type { Detection } from "../../core/vocabulary.ts"
import type { Counts } from "../lane.ts"
import type { RecordingSpec } from "./file.ts"
import { noRowText } from "./run.ts"
import { noUse, openTrial, type Readers, recordOf, ruleProblems, type Use } from "./trial.ts"

type TryRequest = {
  /** The text of a plant file. */
  readonly source: string
  readonly rule: string
  readonly recording: RecordingSpec
  /** Only this asset; also the one meant where the file has no column of assets. */
  readonly asset: string | undefined
}

/** Counted are the samples of signals that some rule of the plant watches. */
type TryReport = Readonly<Counts> & {
  readonly detections: readonly Detection[]
  readonly use: Use
  /** Rows of several assets were all taken for one, by how many samples have a time that was there already. */
  readonly seemsSeveral: boolean
  readonly episodes: number
  readonly assets: number
  /** Episodes in 30 days of one asset, by the recording's span; undefined for less than a day. */
  readonly perMonth: number | undefined
}

const day = 86_400_000
/** Now and then a historian gives a sample twice; a file with a tenth of them is more likely about another asset too. */
const repeatedShare = 0.1

/**
 * Runs a rule of a plant file, with the rules that it goes by, over recorded samples. Throws `PLANT_INVALID`,
 * `NOT_FOUND` for a rule or asset that is not there, `USAGE` for a recording that says nothing of the rule's assets.
 */
export async function tryRule(
  { source, rule: id, recording, asset: only }: TryRequest,
  readers: Pick<Readers, "recording">,
): Promise<TryReport> {
  const plant = parsePlant(source)
  const problems = ruleProblems(plant)
  if (problems.length > 0)
    throw new MillwrightError("PLANT_INVALID", `the plant file has problems:\n  ${problems.join("\n  ")}`)
  const rule = plant.rules.find((one) => one.id === id)
  if (rule === undefined)
    throw new MillwrightError(
      "NOT_FOUND",
      `there is no rule "${id}" in the plant file: expected one of ${plant.rules.map((one) => one.id).join(", ")}`,
    )
  const candidates = plant.assets.filter((one) => matches(rule.for, one))
  if (only !== undefined && !candidates.some((one) => one.id === only))
    throw new MillwrightError(
      "NOT_FOUND",
      `the rule "${id}" is not for an asset "${only}": it is for ${candidates.map((one) => one.id).join(", ") || "none"}`,
    )

  const { engine, revision, counts } = openTrial(source)
  const classes = new Set(candidates.map((one) => one.class))
  const signals = plant.classes
    .filter((one) => classes.has(one.id))
    .flatMap((one) => Object.keys(one.signals))
  const meant = only ?? (candidates.length === 1 ? candidates[0]?.id : undefined)
  const use = noUse()
  const detections: Detection[] = []
  const seen = new Set<string>()
  const told = { asset: meant, signals: [...new Set(signals)] }
  for await (const recorded of readers.recording(recording, told)) {
    const record = recordOf(recorded, revision, only, use)
    if (record === undefined) continue
    seen.add(record.asset)
    for (const detection of engine.apply(record)) if (detection.rule === id) detections.push(detection)
  }
  if (use.firstMs === undefined) throw new MillwrightError("USAGE", `${recording.file}: ${noRowText(use)}`)
  const episodes = detections.filter(({ kind }) => kind === "opened").length
  const spanMs = (use.lastMs ?? use.firstMs) - use.firstMs
  const { samples, duplicates } = counts
  return {
    ...counts,
    detections,
    use,
    seemsSeveral: seen.size === 1 && duplicates > repeatedShare * (samples + duplicates),
    episodes,
    assets: seen.size,
    perMonth: spanMs < day ? undefined : (episodes / spanMs / seen.size) * 30 * day,
  }
}
