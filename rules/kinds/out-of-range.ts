import { z } from "zod"
import { duration } from "../../core/duration.ts"
import type { RuleKind, Watch } from "../watch.ts"
import {
  backFrom,
  decimal,
  freshLevels,
  type Level,
  type LevelMemory,
  levelMachine,
  levelMemory,
  reAlarmAfter,
} from "./levels.ts"
import { unitProblems } from "./units.ts"

/**
 * NAMUR NE 43, in mA on a loop of 4–20 mA: 3.8 to 20.5 is a measurement, and at or below 3.6 or at or above 21 the
 * transmitter says that it has failed, or its cable is broken or shorted.
 */
export const ne43 = { failsAt: [3.6, 21], measures: [3.8, 20.5], live: [4, 20] } as const

/** What a current is in the signal's unit, when 4 and 20 mA are these values. */
export function scaled(milliamperes: number, [atZero, atFull]: readonly [number, number]): number {
  const [zero, full] = ne43.live
  return decimal(atZero + ((milliamperes - zero) / (full - zero)) * (atFull - atZero))
}

const params = z
  .strictObject({
    low: z.number().optional(),
    high: z.number().optional(),
    deadBand: z.number().nonnegative().optional(),
    standard: z.literal("namur-ne43").optional(),
    span: z.tuple([z.number(), z.number()]).optional(),
    onDelay: duration.default(0),
    offDelay: duration.default(0),
    reAlarmAfter,
  })
  .transform(({ low, high, deadBand, standard, span, onDelay, offDelay, reAlarmAfter }, context) => {
    const say = (path: string[], message: string) => context.addIssue({ code: "custom", path, message })
    const delays = { onDelay, offDelay }
    if (standard !== undefined) {
      const [atZero, atFull] = span ?? ne43.live
      if (low !== undefined || high !== undefined || deadBand !== undefined)
        say([], "expected either standard or low, high and deadBand, got both")
      if (atZero >= atFull)
        say(["span"], `expected the value at 4 mA below the one at 20 mA, got [${atZero}, ${atFull}]`)
      const unit = span === undefined ? "mA" : undefined
      return { levels: [byNe43([atZero, atFull], delays)], unit, reAlarmAfter }
    }
    const [least, most, band] = [low ?? -Infinity, high ?? Infinity, deadBand ?? 0]
    if (span !== undefined) say(["span"], "expected standard: namur-ne43 with it, got none")
    if (low === undefined && high === undefined)
      say([], "expected low, high or standard: namur-ne43, got none of them")
    if (most - least < 2 * band || most <= least)
      say([], `expected low < high, at least two dead bands apart, got ${least} and ${most}`)
    const level: Level = {
      severity: undefined,
      low: least,
      high: most,
      ...backFrom(least, most, band),
      ...delays,
    }
    return { levels: [level], unit: undefined, reAlarmAfter }
  })
type Params = z.infer<typeof params>
type RangeWatch = Watch<Params, LevelMemory>

function byNe43(span: readonly [number, number], delays: Pick<Level, "onDelay" | "offDelay">): Level {
  return {
    severity: undefined,
    low: scaled(ne43.failsAt[0], span),
    high: scaled(ne43.failsAt[1], span),
    backLow: scaled(ne43.measures[0], span),
    backHigh: scaled(ne43.measures[1], span),
    inclusive: true,
    ...delays,
  }
}

const machine = levelMachine<RangeWatch>({
  levelsOf: (watch) => watch.rule.params.levels,
  now: ({ rule }, shown) => `sensor ${rule.subject} reads ${shown}`,
  beyond: (_, __, breach) => `, ${breach}: it has failed, or its cable has`,
  back: () => "and measures again",
  joint: " and ",
})

/**
 * A sensor whose values lie outside what it can measure, or that signals its own failure that way. Rules that read the
 * signal look away while it lasts.
 */
export const outOfRange: RuleKind<Params, LevelMemory> = {
  params,
  memory: levelMemory,
  signal: "any",
  ofSensor: true,

  fresh: ({ levels }) => freshLevels(levels.length),
  // Under other limits and delays the next sample judges anew.
  shape: () => null,
  check: ({ unit }, spec, plant) => (unit === undefined ? [] : unitProblems(unit, spec, plant)),

  ...machine,
}
