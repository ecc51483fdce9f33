import type { Asset } from "../../core/plant.ts"

export type Group = 1 | 2
export type Support = "rigid" | "flexible"

/** Where the zones of vibration severity meet, mm/s RMS. */
export type Zones = { readonly ab: number; readonly bc: number; readonly cd: number }

/** Broadband vibration velocity on non-rotating parts, mm/s RMS: ISO 20816-3:2022, zone boundaries by group and support. */
export const zones: Readonly<Record<Group, Readonly<Record<Support, Zones>>>> = {
  1: { rigid: { ab: 2.3, bc: 4.5, cd: 7.1 }, flexible: { ab: 3.5, bc: 7.1, cd: 11 } },
  2: { rigid: { ab: 1.4, bc: 2.8, cd: 4.5 }, flexible: { ab: 2.3, bc: 4.5, cd: 7.1 } },
}

/** A change by more than this, up or down, is significant: 25 % of the boundary between zones B and C. */
export function significantChange({ bc }: Zones): number {
  return bc / 4
}

/** The standard's ALARM: a significant change above the baseline, and at most 1.25 × the boundary B/C. In mm/s RMS. */
export function alarmLimit(between: Zones, baseline: number): number {
  return Math.min(baseline + significantChange(between), 1.25 * between.bc)
}

/** The highest TRIP that the standard leaves room for: 1.25 × the boundary C/D. In mm/s RMS. */
export function tripLimit({ cd }: Zones): number {
  return 1.25 * cd
}

/**
 * The group that an asset's attributes tell: above 300 kW (`power_kw`) or from a shaft height of 315 mm
 * (`shaft_height_mm`) it is 1; from 15 kW or 160 mm it is 2; a smaller machine is in none. A text says what is missing.
 */
export function groupOf({ attributes }: Asset): Group | string {
  const { power_kw: power, shaft_height_mm: height } = attributes
  for (const [name, value] of Object.entries({ power_kw: power, shaft_height_mm: height })) {
    if (value !== undefined && typeof value !== "number")
      return `its attribute ${name} is "${value}", expected a number`
  }
  if (Number(power) > 300 || Number(height) >= 315) return 1
  if (Number(power) >= 15 || Number(height) >= 160) return 2
  if (power === undefined && height === undefined)
    return "it has neither an attribute power_kw nor shaft_height_mm"
  const stated = [
    ...(power === undefined ? [] : [`power_kw ${power}`]),
    ...(height === undefined ? [] : [`shaft_height_mm ${height}`]),
  ]
  return `it has ${stated.join(" and ")}, and ISO 20816-3 begins at 15 kW or a shaft height of 160 mm`
}

/** The support that an asset's attribute `support` tells, or a text that says what is wrong with it. */
export function supportOf({ attributes: { support } }: Asset): Support | string {
  if (support === "rigid" || support === "flexible") return support
  return support === undefined
    ? "it has no attribute support"
    : `its attribute support is "${support}", expected rigid or flexible`
}
