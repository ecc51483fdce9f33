import type { Place, Travel } from "./problem.ts"

const earthRadiusKm = 6371.0088
const minute = 60_000

/** Great-circle distance by the haversine formula (R. W. Sinnott, Sky & Telescope 68, 1984). */
function kilometresBetween(
  a: { readonly lat: number; readonly lon: number },
  b: { readonly lat: number; readonly lon: number },
): number {
  const radians = (degrees: number) => (degrees * Math.PI) / 180
  const half = (difference: number) => Math.sin(radians(difference) / 2) ** 2
  const chord =
    half(b.lat - a.lat) + Math.cos(radians(a.lat)) * Math.cos(radians(b.lat)) * half(b.lon - a.lon)
  return 2 * earthRadiusKm * Math.asin(Math.min(1, Math.sqrt(chord)))
}

export type Way = (from: Place | null, to: Place | null) => number

/** How long it takes between two places, in milliseconds: stated times as they are, computed ones in whole minutes, rounded up. */
export function wayOf({ kmPerHour, detour, between }: Travel): Way {
  const pair = (a: string, b: string) => (a < b ? `${a}\n${b}` : `${b}\n${a}`)
  const stated = new Map(between.map(({ from, to, ms }) => [pair(from, to), ms]))
  return (from, to) => {
    if (from === null || to === null || from.id === to.id) return 0
    const known = stated.get(pair(from.id, to.id))
    if (known !== undefined) return known
    if (from.lat === undefined || from.lon === undefined || to.lat === undefined || to.lon === undefined) {
      return 0
    }
    const km = kilometresBetween({ lat: from.lat, lon: from.lon }, { lat: to.lat, lon: to.lon })
    return Math.ceil((km * detour * 60) / kmPerHour) * minute
  }
}
