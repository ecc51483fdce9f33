const iso = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?))?(?: ?(Z|[+-]\d{2}:?\d{2}))?$/
const epoch = /^\d+(?:\.\d+)?$/

/**
 * A time as files write it, in ms: ISO 8601 with `T` or a space, or seconds (below 1e11) or milliseconds since 1970.
 * Without an offset of its own it is `offsetMinutes` ahead of UTC. Undefined for anything else, such as 30 February.
 */
export function readTime(text: string, offsetMinutes: number): number | undefined {
  if (epoch.test(text)) {
    const number = Number(text)
    return Math.round(number < 1e11 ? number * 1000 : number)
  }
  const [, date, time = "00:00", zone] = iso.exec(text) ?? []
  if (date === undefined) return undefined
  const localMs = Date.parse(`${date}T${time}Z`)
  // Date.parse reads 30 February as 2 March.
  if (Number.isNaN(localMs) || new Date(localMs).toISOString().slice(0, 10) !== date) return undefined
  return localMs - (zone === undefined ? offsetMinutes : zoneMinutes(zone)) * 60_000
}

/** "+02:00", "-0530" or "Z" in minutes ahead of UTC. */
function zoneMinutes(zone: string): number {
  if (zone === "Z") return 0
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2))
  return zone.startsWith("-") ? -minutes : minutes
}
