/** A meter that counts on across resets, replaced meters and wrong readings, and how much it runs a day. */
import { z } from "zod"
import { dailyUse, type Forecast, forecastDue, leastIntervals } from "./daily-use.ts"

const hour = 3_600_000
const day = 86_400_000
/** A fall of less than this share of the reading is jitter, as of a mileage from GPS; a larger one is a break. */
const jitter = 0.1
/** How near its end a meter must have been, and how near its beginning it must be, to have rolled over. */
const edge = 0.1

/** No time: unlike null and infinity it survives JSON as a number. */
export const never = Number.MIN_SAFE_INTEGER

export const meterMemory = z.object({
  /** When the newest believed reading was taken; never: none yet. */
  lastMs: z.number(),
  last: z.number(),
  /** A reading that does not follow from the last: believed if the next one follows from it. */
  suspectMs: z.number(),
  suspect: z.number(),
  /** Added to a reading, this goes on counting across resets and replaced meters. */
  offset: z.number(),
  /** How the meter ran: from the first reading of one day (UTC) to that of a later one, oldest first. */
  spans: z.array(z.number()),
  amounts: z.array(z.number()),
  /** Where the stretch began that is not over: the time, and the reading with its offset. */
  fromMs: z.number(),
  from: z.number(),
  /** What was learned from it; 0 days: nothing yet. */
  perDay: z.number(),
  spread: z.number(),
  days: z.number(),
})
export type MeterMemory = z.infer<typeof meterMemory>

/** What a meter can't do: rise faster than this, or count beyond its digits. */
export type MeterLimits = {
  readonly maxPerHour?: number | undefined
  readonly rollsOverAt?: number | undefined
}

export function newMeter(): MeterMemory {
  return {
    lastMs: never,
    last: 0,
    suspectMs: never,
    suspect: 0,
    offset: 0,
    spans: [],
    amounts: [],
    fromMs: never,
    from: 0,
    perDay: 0,
    spread: 0,
    days: 0,
  }
}

/** Takes a reading; false where it is kept apart until another follows from it. */
export function readMeter(memory: MeterMemory, limits: MeterLimits, atMs: number, value: number): boolean {
  if (memory.lastMs === never) memory.last = value
  else if (!follows(limits, memory.last, memory.lastMs, value, atMs)) {
    const believed =
      memory.suspectMs !== never && follows(limits, memory.suspect, memory.suspectMs, value, atMs)
    if (!believed) {
      memory.suspect = value
      memory.suspectMs = atMs
      return false
    }
    memory.offset += rolledOver(memory, limits) ?? memory.last - memory.suspect
    memory.last = memory.suspect
  }
  memory.suspectMs = never
  memory.lastMs = atMs
  if (value > memory.last) memory.last = value
  return true
}

/** Another meter goes on where this one was. False where it is told of too late: the readings since then are its own. */
export function replaceMeter(memory: MeterMemory, atMs: number, value: number): boolean {
  if (memory.lastMs === never || atMs < memory.lastMs) return false
  memory.offset += memory.last - value
  memory.last = value
  memory.lastMs = atMs
  memory.suspectMs = never
  return true
}

/** What the meter would read had it never been reset or replaced. */
export function totalOf({ last, offset }: MeterMemory): number {
  return last + offset
}

/** Once a day: how much the meter ran since the stretch began. Keeps about `historyMs` of it. */
export function learnUse(memory: MeterMemory, atMs: number, historyMs: number): void {
  const { fromMs, spans, amounts } = memory
  const span = atMs - fromMs
  if (fromMs !== never && (span < day / 2 || Math.floor(atMs / day) === Math.floor(fromMs / day))) return
  const now = totalOf(memory)
  if (fromMs !== never) {
    spans.push(span)
    amounts.push(now - memory.from)
    // A meter that is read once a month still has a history, if a long one.
    let whole = spans.reduce((total, one) => total + one, 0)
    while (spans.length > leastIntervals && whole - (spans[0] ?? 0) >= historyMs) {
      whole -= spans.shift() ?? 0
      amounts.shift()
    }
    const use = dailyUse(memory)
    memory.perDay = use?.perDay ?? 0
    memory.spread = use?.spread ?? 0
    memory.days = use?.days ?? 0
  }
  memory.fromMs = atMs
  memory.from = now
}

/** When it will have run another `remaining` units; undefined while its daily use is not known. */
export function forecastOf(memory: MeterMemory, remaining: number): Forecast | undefined {
  return memory.days === 0 ? undefined : forecastDue(memory, remaining, memory.lastMs)
}

/** Whether a meter that read `before` can read `value` now. */
function follows(
  { maxPerHour }: MeterLimits,
  before: number,
  beforeMs: number,
  value: number,
  atMs: number,
): boolean {
  if (value < before) return before - value < jitter * Math.abs(before)
  return maxPerHour === undefined || value - before <= (maxPerHour * (atMs - beforeMs)) / hour
}

/** How far a meter with so many digits went on past its end; undefined if it did not roll over. */
function rolledOver(
  { last, lastMs, suspect, suspectMs }: MeterMemory,
  { rollsOverAt, maxPerHour }: MeterLimits,
): number | undefined {
  if (rollsOverAt === undefined) return undefined
  if (last < rollsOverAt * (1 - edge) || last > rollsOverAt || suspect > rollsOverAt * edge) return undefined
  const run = suspect + rollsOverAt - last
  if (maxPerHour !== undefined && run > (maxPerHour * (suspectMs - lastMs)) / hour) return undefined
  return rollsOverAt
}
