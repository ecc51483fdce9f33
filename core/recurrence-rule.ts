/** The text of a recurrence rule: RFC 5545, section 3.3.10, without what is below an hour. */

/** A rule without its end, which is kept apart: `endless` is as RFC 5545 writes it. */
export type RecurrenceRule = {
  readonly endless: string
  readonly frequency: Frequency
  readonly interval: number
  readonly count?: number
  readonly until?: Until
}

/** As if the site's clock were UTC; with `utc`, it is a time in UTC. */
type Until = { readonly clockMs: number; readonly utc: boolean }

const frequencies = ["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY"] as const
export type Frequency = (typeof frequencies)[number]

const day = 86_400_000
/** The last occurrence is found by counting. */
const mostCounted = 10_000

type Part = { readonly pattern: RegExp; readonly from?: number; readonly to?: number; readonly such: string }

const between = (from: number, to: number): Part => ({
  pattern: /^\d+(,\d+)*$/,
  from,
  to,
  such: `whole numbers from ${from} to ${to}`,
})
/** Negative ones count from the end. */
const fromEitherEnd = (to: number): Part => ({
  pattern: /^[+-]?\d+(,[+-]?\d+)*$/,
  from: 1,
  to,
  such: `whole numbers from 1 to ${to}, or -1 to -${to} from the end`,
})
const one = (to: number): Part => ({ pattern: /^\d+$/, from: 1, to, such: `a whole number from 1 to ${to}` })

const weekday = "(MO|TU|WE|TH|FR|SA|SU)"
const parts: Readonly<Record<string, Part>> = {
  FREQ: { pattern: /^[A-Z]+$/, such: frequencies.join(", ") },
  INTERVAL: one(10_000),
  COUNT: one(mostCounted),
  UNTIL: {
    pattern: /^\d{8}(T\d{6}Z?)?$/,
    such: "a time such as 20271231T225959Z, or a day such as 20271231",
  },
  // Several seconds would be several orders in a minute.
  BYSECOND: { pattern: /^\d+$/, from: 0, to: 59, such: "one whole number from 0 to 59" },
  BYMINUTE: between(0, 59),
  BYHOUR: between(0, 23),
  BYDAY: {
    pattern: new RegExp(`^([+-]?[1-9]\\d?)?${weekday}(,([+-]?[1-9]\\d?)?${weekday})*$`),
    such: "weekdays such as MO,TU, or with a number such as 1MO or -1FR",
  },
  BYMONTHDAY: fromEitherEnd(31),
  BYYEARDAY: fromEitherEnd(366),
  BYWEEKNO: fromEitherEnd(53),
  BYMONTH: between(1, 12),
  BYSETPOS: fromEitherEnd(366),
  WKST: { pattern: new RegExp(`^${weekday}$`), such: "a weekday such as MO" },
}

/** Throws an error that says what is wrong with the rule. */
export function readRecurrence(text: string): RecurrenceRule {
  const read = new Map<string, string>()
  for (const stated of text.toUpperCase().split(";")) {
    const [name = "", value = "", ...rest] = stated.split("=")
    const part = Object.hasOwn(parts, name) ? parts[name] : undefined
    if (part === undefined || rest.length > 0)
      throw new Error(
        `"${stated}" is not a part of a recurrence rule, which are ${Object.keys(parts).join(", ")}`,
      )
    if (read.has(name)) throw new Error(`${name} is there twice`)
    if (!fits(value, part)) throw new Error(`${name}: expected ${part.such}, got "${value}"`)
    read.set(name, value)
  }
  const frequency = frequencyOf(read.get("FREQ"))
  checkTogether(read, frequency)
  const [count, until] = [read.get("COUNT"), read.get("UNTIL")]
  return {
    frequency,
    interval: Number(read.get("INTERVAL") ?? 1),
    endless: [...read]
      .filter(([name]) => name !== "COUNT" && name !== "UNTIL")
      .map((part) => part.join("="))
      .join(";"),
    ...(count !== undefined && { count: Number(count) }),
    ...(until !== undefined && { until: untilOf(until) }),
  }
}

function fits(value: string, { pattern, from, to }: Part): boolean {
  if (!pattern.test(value)) return false
  if (from === undefined || to === undefined) return true
  return value.split(",").every((number) => {
    const size = Math.abs(Number(number))
    return from <= size && size <= to
  })
}

function frequencyOf(text: string | undefined): Frequency {
  const known = frequencies.find((one) => one === text)
  if (known !== undefined) return known
  if (text === "MINUTELY" || text === "SECONDLY")
    throw new Error(`FREQ=${text} is too often for planned work: HOURLY is the most`)
  throw new Error(
    `FREQ: expected ${frequencies.join(", ")}, got ${text === undefined ? "nothing" : `"${text}"`}`,
  )
}

/** What the RFC says must not stand together: it has no meaning, and programs disagree about it. */
function checkTogether(read: ReadonlyMap<string, string>, frequency: Frequency): void {
  const only = (name: string, ...allowed: readonly Frequency[]) => {
    if (read.has(name) && !allowed.includes(frequency))
      throw new Error(`${name} has no meaning with FREQ=${frequency}, only with ${allowed.join(", ")}`)
  }
  if (read.has("COUNT") && read.has("UNTIL"))
    throw new Error("COUNT and UNTIL: expected one of them, got both")
  only("BYWEEKNO", "YEARLY")
  only("BYYEARDAY", "YEARLY", "HOURLY")
  only("BYMONTHDAY", "YEARLY", "MONTHLY", "DAILY", "HOURLY")
  if (/\d/.test(read.get("BYDAY") ?? "")) {
    if (frequency !== "MONTHLY" && frequency !== "YEARLY")
      throw new Error(`BYDAY with numbers has no meaning with FREQ=${frequency}, only with MONTHLY, YEARLY`)
    if (read.has("BYWEEKNO")) throw new Error("BYDAY with numbers has no meaning with BYWEEKNO")
  }
  const others = [...read.keys()].some((name) => name.startsWith("BY") && name !== "BYSETPOS")
  if (read.has("BYSETPOS") && !others)
    throw new Error("BYSETPOS has no meaning without another part such as BYDAY")
}

/** A day counts to its end. */
function untilOf(text: string): Until {
  const [year, month, date, hour, minute, second] = [0, 4, 6, 9, 11, 13].map((at, index) =>
    text.slice(at, at + (index === 0 ? 4 : 2)),
  )
  const isDay = text.length === 8
  const iso = `${year}-${month}-${date}T${isDay ? "00:00:00" : `${hour}:${minute}:${second}`}.000Z`
  const clockMs = Date.parse(iso)
  // Date.parse takes the 31st of February for the 2nd or 3rd of March.
  if (Number.isNaN(clockMs) || new Date(clockMs).toISOString() !== iso)
    throw new Error(`UNTIL: there is no such time as "${text}"`)
  return { clockMs: isDay ? clockMs + day - 1 : clockMs, utc: text.endsWith("Z") }
}
