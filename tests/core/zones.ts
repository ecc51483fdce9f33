/** Time zones whose clocks are changed, by an hour or by half of one, and the instants around those changes. */
import fc from "fast-check"

const minute = 60_000

const timeZones = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"] as const
export const timeZone = fc.constantFrom(...timeZones)

/** Changes of 2026 in one of these zones, and a time without any. */
const changes = [
  "2026-03-29T01:00Z",
  "2026-10-25T01:00Z",
  "2026-03-08T07:00Z",
  "2026-11-01T06:00Z",
  "2026-04-04T15:00Z",
  "2026-10-03T15:30Z",
  "2026-06-15T12:00Z",
].map((text) => Date.parse(text))

/** Whole minutes within two days of a change. */
export const instant = fc
  .tuple(fc.constantFrom(...changes), fc.integer({ min: -2880, max: 2880 }))
  .map(([ms, minutes]) => ms + minutes * minute)
