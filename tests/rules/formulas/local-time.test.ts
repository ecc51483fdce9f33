import { expect, test } from "vitest"
import { utcOffsetMs } from "../../../rules/formulas/local-time.ts"

const hour = 3_600_000
const at = (text: string) => Date.parse(text)

test("the offset follows the clock changes of the zone", () => {
  expect(utcOffsetMs("UTC", at("2026-07-01T00:00:00Z"))).toBe(0)
  expect(utcOffsetMs("Europe/Berlin", at("2026-03-29T00:59:59Z"))).toBe(hour)
  expect(utcOffsetMs("Europe/Berlin", at("2026-03-29T01:00:00Z"))).toBe(2 * hour)
  expect(utcOffsetMs("America/St_Johns", at("2026-01-01T00:00:00Z"))).toBe(-3.5 * hour)
  expect(utcOffsetMs("Asia/Kathmandu", at("2026-01-01T00:00:00Z"))).toBe(5.75 * hour)
})

test("a change at half past the hour, by half an hour, is followed too", () => {
  expect(utcOffsetMs("Australia/Lord_Howe", at("2026-10-03T15:29:59Z"))).toBe(10.5 * hour)
  expect(utcOffsetMs("Australia/Lord_Howe", at("2026-10-03T15:30:00Z"))).toBe(11 * hour)
})
