const quarter = 900_000

type Zone = { readonly format: Intl.DateTimeFormat; quarter: number; offsetMs: number }
const zones = new Map<string, Zone>()

/**
 * How far the local time of an IANA time zone is ahead of UTC, in ms. Clocks change at quarters of an hour, so the
 * answer is kept for one: asking again and again is cheap, and the answer does not depend on what was asked before.
 */
export function utcOffsetMs(timeZone: string, atMs: number): number {
  let zone = zones.get(timeZone)
  if (zone === undefined) {
    const format = new Intl.DateTimeFormat("en-US", { timeZone, timeZoneName: "longOffset" })
    zone = { format, quarter: Number.NaN, offsetMs: 0 }
    zones.set(timeZone, zone)
  }
  const now = Math.floor(atMs / quarter)
  if (now !== zone.quarter) {
    zone.offsetMs = readOffset(zone.format, now * quarter)
    zone.quarter = now
  }
  return zone.offsetMs
}

function readOffset(format: Intl.DateTimeFormat, atMs: number): number {
  const text = format.formatToParts(atMs).find(({ type }) => type === "timeZoneName")?.value ?? ""
  // "GMT" is UTC itself; local mean times of long ago also have seconds.
  const [whole, sign, hours = "0", minutes = "0", seconds = "0"] =
    /^GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/.exec(text) ?? []
  if (whole === undefined) throw new RangeError(`expected an offset such as GMT+01:00, got "${text}"`)
  const ms = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000
  return sign === "-" ? -ms : ms
}
