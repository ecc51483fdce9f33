/**
 * Reads the time of a payload. Epoch times are told apart by their size: each window holds 1973-03-03 to 2286-11-20,
 * and there is a gap of a factor of ten between windows, so no instant of one unit can be taken for another's.
 */
const epochWindows = [
  { from: 1e8, to: 1e10, toMs: 1e3 },
  { from: 1e11, to: 1e13, toMs: 1 },
  { from: 1e14, to: 1e16, toMs: 1e-3 },
  { from: 1e17, to: 1e19, toMs: 1e-6 },
] as const

const iso =
  /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,12}))?)?(?: ?(?:([Zz])|([+-])(\d\d)(?::?(\d\d))?))?)?$/
const decimal = /^\d{9,19}(\.\d{1,9})?$/

/** Milliseconds since 1970, or undefined for what is not a time after 1970. Fractions of a millisecond are rounded. */
export function readTime(value: unknown): number | undefined {
  if (typeof value === "number") return fromEpoch(value)
  if (typeof value === "string")
    return fromIso(value) ?? (decimal.test(value) ? fromEpoch(Number(value)) : undefined)
  return undefined
}

function fromEpoch(value: number): number | undefined {
  for (const { from, to, toMs } of epochWindows) {
    if (value >= from && value < to) return Math.round(value * toMs)
  }
  return undefined
}

function fromIso(text: string): number | undefined {
  const match = iso.exec(text)
  if (match === null) return undefined
  const [
    ,
    year,
    month,
    day,
    hour = 0,
    minute = 0,
    second = 0,
    fraction = "",
    ,
    sign,
    offsetHours = 0,
    offsetMinutes = 0,
  ] = match
  const dayStartMs = Date.UTC(Number(year), Number(month) - 1, Number(day))
  // Date.UTC carries 30 February over into March: such a day is a fault of the publisher, not a time.
  const date = new Date(dayStartMs)
  if (date.getUTCMonth() !== Number(month) - 1 || date.getUTCDate() !== Number(day)) return undefined
  // 60 is a leap second: the first instant of the next minute.
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return undefined
  if (Number(offsetHours) > 23 || Number(offsetMinutes) > 59) return undefined
  const offset = (Number(offsetHours) * 60 + Number(offsetMinutes)) * (sign === "-" ? -60_000 : 60_000)
  const sinceMidnight = ((Number(hour) * 60 + Number(minute)) * 60 + Number(second)) * 1000
  const atMs = dayStartMs + sinceMidnight - offset + Math.round(Number(`0.${fraction || 0}`) * 1000)
  return atMs > 0 ? atMs : undefined
}
