import type { Plant } from "./plant.ts"

type Names = { readonly asset: string; readonly component: string | null; readonly signal?: string | null }

/** Fills in {asset}, {component} and {signal}. What there is no name for stays as it is, where it will be noticed. */
export function fillIn(text: string, names: Names): string {
  return text.replace(
    /\{(asset|component|signal)\}/g,
    (placeholder, key: keyof Names) => names[key] ?? placeholder,
  )
}

export function timeZoneOf(plant: Plant, siteId: string): string {
  return plant.sites.find((site) => site.id === siteId)?.timeZone ?? "UTC"
}

const formats = new Map<string, Intl.DateTimeFormat>()

/** "2026-03-29 06:00", on the clocks of that time zone. */
export function localTime(atMs: number, timeZone: string): string {
  const known = formats.get(timeZone)
  // Of all locales Swedish writes dates as ISO 8601 does.
  const format =
    known ?? new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "short" })
  if (known === undefined) formats.set(timeZone, format)
  return format.format(atMs)
}

/** "2026-03-01 06:00 UTC", as all that is kept says a time that is no site's. */
export function instant(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 16).replace("T", " ")} UTC`
}
