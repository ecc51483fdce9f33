import { describe, expect, test } from "vitest"
import type { Asset } from "../../../core/plant.ts"
import {
  alarmLimit,
  groupOf,
  significantChange,
  supportOf,
  tripLimit,
  zones,
} from "../../../rules/kinds/iso-zones.ts"

test("the zones are those of ISO 20816-3:2022 for velocity, mm/s RMS", () => {
  expect(zones).toEqual({
    1: { rigid: { ab: 2.3, bc: 4.5, cd: 7.1 }, flexible: { ab: 3.5, bc: 7.1, cd: 11 } },
    2: { rigid: { ab: 1.4, bc: 2.8, cd: 4.5 }, flexible: { ab: 2.3, bc: 4.5, cd: 7.1 } },
  })
})

// The example of the article "How programmable logic controllers are used in vibration monitoring of a rotating
// machine" (Newark), which follows DIN ISO 10816-3: usual 0.8 mm/s, upper limit of zone B 4.5 mm/s.
test("the alarm limit is that of a published example: 0.8 mm/s + 0.25 × 4.5 mm/s = 1.925 mm/s", () => {
  expect(alarmLimit(zones[1].rigid, 0.8)).toBe(1.925)
  expect(significantChange(zones[1].rigid)).toBe(1.125)
})

test("alarm and trip stay at most at 1.25 times B/C and C/D", () => {
  expect(alarmLimit(zones[1].rigid, 4.5)).toBe(5.625)
  expect(alarmLimit(zones[1].rigid, 6)).toBe(5.625)
  expect(tripLimit(zones[1].rigid)).toBe(8.875)
  expect(tripLimit(zones[2].rigid)).toBe(5.625)
})

describe("the group", () => {
  const asset = (attributes: Asset["attributes"]): Asset => ({
    id: "P1",
    site: "north",
    class: "pump",
    criticality: "B",
    attributes,
  })
  test.each<[Asset["attributes"], ReturnType<typeof groupOf>]>([
    [{ power_kw: 301 }, 1],
    [{ power_kw: 300 }, 2],
    [{ power_kw: 15 }, 2],
    [{ shaft_height_mm: 315 }, 1],
    [{ shaft_height_mm: 314 }, 2],
    [{ shaft_height_mm: 160 }, 2],
    [{ power_kw: 200, shaft_height_mm: 355 }, 1],
    [{ power_kw: 14 }, "it has power_kw 14, and ISO 20816-3 begins at 15 kW or a shaft height of 160 mm"],
    [{ power_kw: "75 kW" }, 'its attribute power_kw is "75 kW", expected a number'],
    [{}, "it has neither an attribute power_kw nor shaft_height_mm"],
  ])("of %j is %j", (attributes, group) => {
    expect(groupOf(asset(attributes))).toBe(group)
  })

  test("comes with the support, rigid or flexible", () => {
    expect(supportOf(asset({ support: "rigid" }))).toBe("rigid")
    expect(supportOf(asset({ support: "soft" }))).toBe(
      'its attribute support is "soft", expected rigid or flexible',
    )
    expect(supportOf(asset({}))).toBe("it has no attribute support")
  })
})
