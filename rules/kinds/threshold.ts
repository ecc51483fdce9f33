import { z } from "zod"
import { duration } from "../../core/duration.ts"
import { type Severity, severity } from "../../core/vocabulary.ts"
import type { RuleKind, Watch } from "../watch.ts"
import {
  backFrom,
  freshLevels,
  type Level,
  type LevelMemory,
  levelMachine,
  levelMemory,
  reAlarmAfter,
} from "./levels.ts"

const limit = {
  above: z.number().optional(),
  below: z.number().optional(),
  outside: z.tuple([z.number(), z.number()]).optional(),
}
const level = z.strictObject({
  severity,
  ...limit,
  deadBand: z.number().nonnegative().optional(),
  onDelay: duration.optional(),
  offDelay: duration.optional(),
})
type Written = Omit<Partial<z.infer<typeof level>>, "severity"> & { readonly severity?: Severity | undefined }

/** One limit (`above`, `below` or `outside`) with the rule's severity, or `levels` with a severity each. */
const params = z
  .strictObject({
    ...limit,
    levels: z.array(level).min(1).max(8).optional(),
    deadBand: z.number().nonnegative().default(0),
    onDelay: duration.default(0),
    offDelay: duration.default(0),
    reAlarmAfter,
  })
  .transform(({ levels, deadBand, onDelay, offDelay, reAlarmAfter, ...single }, context) => {
    const say = (path: (string | number)[], message: string) =>
      context.addIssue({ code: "custom", path, message })
    const stated = limits(single)
    if (levels === undefined ? stated !== 1 : stated !== 0) {
      say([], "expected either levels or exactly one of above, below, outside")
    }
    const written: readonly Written[] = levels ?? [single]
    const read = written.map((one, at): Level => {
      const path = levels === undefined ? [] : ["levels", at]
      if (levels !== undefined && limits(one) !== 1)
        say(path, "expected exactly one of above, below, outside")
      const [low, high] = one.outside ?? [one.below ?? -Infinity, one.above ?? Infinity]
      const band = one.deadBand ?? deadBand
      if (low >= high || high - low < 2 * band) {
        say(path, `outside: expected low < high, at least two dead bands apart, got [${low}, ${high}]`)
      }
      return {
        severity: one.severity,
        low,
        high,
        ...backFrom(low, high, band),
        onDelay: one.onDelay ?? onDelay,
        offDelay: one.offDelay ?? offDelay,
      }
    })
    return { levels: read, reAlarmAfter }
  })

function limits({ above, below, outside }: Written): number {
  return [above, below, outside].filter((one) => one !== undefined).length
}

type Params = z.infer<typeof params>
type ThresholdWatch = Watch<Params, LevelMemory>

const machine = levelMachine<ThresholdWatch>({
  levelsOf: (watch) => watch.rule.params.levels,
  now: ({ rule }, shown) => `${rule.subject} ${shown}`,
  beyond: (_, __, breach) => ` ${breach}`,
  back: (_, __, limit) => `is back within its limit${limit === "" ? "" : ` of ${limit}`}`,
})

/** A value beyond a limit, or beyond several of different severity: levels.ts tells when a level is on. */
export const threshold: RuleKind<Params, LevelMemory> = {
  params,
  memory: levelMemory,
  signal: "any",

  severities: ({ levels }, own) => levels.map(({ severity = own }) => severity),
  fresh: ({ levels }) => freshLevels(levels.length),
  // Under other limits and delays the next sample judges the active levels anew.
  shape: ({ levels }) => levels.map(({ severity }) => severity ?? null),

  ...machine,
}
