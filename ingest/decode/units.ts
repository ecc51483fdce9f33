import Qty from "js-quantities"
import type { Plant } from "../../core/plant.ts"

/** From a payload's unit to the signal's own. */
type Convert = (value: number) => number

/** What people write, beside the words of js-quantities: docs/payloads.md lists them. */
const spellings: Readonly<Record<string, readonly string[]>> = {
  // The scales. js-quantities' own degC, degF and K are differences of temperatures.
  tempC: ["C", "°C", "℃", "degC", "deg C", "deg_C", "celsius", "Celsius", "centigrade"],
  tempF: ["F", "°F", "℉", "degF", "deg F", "deg_F", "fahrenheit", "Fahrenheit"],
  tempK: ["K", "°K", "degK", "kelvin", "Kelvin"],
  "gal/min": ["gpm", "GPM"],
  "l/min": ["lpm", "LPM"],
  "ft^3/min": ["cfm", "CFM"],
  "in/s": ["ips"],
  rpm: ["RPM", "r/min", "rev/min"],
  "N*m": ["Nm"],
  "kN*m": ["kNm"],
  bar: ["Bar", "BAR"],
  psi: ["PSI"],
  kPa: ["KPA"],
  hp: ["HP"],
  kW: ["KW"],
  h: ["Hours"],
  deg: ["°"],
  "%": ["pct"],
}
const meanings: ReadonlyMap<string, string> = new Map(
  Object.entries(spellings).flatMap(([meaning, spelt]) => spelt.map((text) => [text, meaning] as const)),
)

/** Names that also mean something else, taken where the first meaning doesn't fit: `g` beside m/s^2 is an acceleration. */
const otherMeanings: ReadonlyMap<string, string> = new Map([
  ["C", "C"],
  ["F", "F"],
  ["g", "gee"],
])

/** js-quantities keeps every unit that it has parsed for ever, and a unit is text from outside. */
const maxConversions = 1000
const maxUnitLength = 32

/** More than any sensor has. With all digits 500 °F would be 260.00000000000006 °C, and above a limit of 260. */
const keptDigits = 12

/** Conversions of one plant, each found once. */
export type Units = {
  /** Undefined when one of the two is unknown or they measure different things. */
  converter(from: string, to: string): Convert | undefined
}

export function createUnits(): Units {
  const byTarget = new Map<string, Map<string, Convert | undefined>>()
  let kept = 0
  return {
    converter(from, to) {
      const known = byTarget.get(to)
      if (known?.has(from)) return known.get(from)
      if (from.length > maxUnitLength || kept >= maxConversions) return undefined
      kept += 1
      const convert = findConversion(from, to)
      if (known === undefined) byTarget.set(to, new Map([[from, convert]]))
      else known.set(from, convert)
      return convert
    },
  }
}

/** One line for each unit of the plant that can't be converted: such a signal takes only payloads in the very same unit. */
export function checkUnits(plant: Plant): string[] {
  return plant.classes.flatMap((assetClass) =>
    Object.entries(assetClass.signals)
      .filter(([, { unit }]) => unit !== undefined && !candidates(unit).some((one) => conversion(one, one)))
      .map(
        ([signal, { unit }]) =>
          `classes.${assetClass.id}.signals.${signal}.unit: "${unit}" is not a unit that Millwright can convert; only payloads that say exactly "${unit}", or no unit, will be accepted`,
      ),
  )
}

function findConversion(from: string, to: string): Convert | undefined {
  for (const source of candidates(from)) {
    for (const target of candidates(to)) {
      const convert = conversion(source, target)
      if (convert !== undefined) return convert
    }
  }
  return undefined
}

function candidates(unit: string): readonly string[] {
  const text = unit.trim()
  // "5 bar" is a quantity, not a unit; "1/min" is one.
  if (/^[-+.\d]/.test(text) && !/^1(\/|$)/.test(text)) return []
  const other = otherMeanings.get(text)
  const first = meanings.get(text) ?? withPowers(text)
  return other === undefined ? [first] : [first, other]
}

/** m3/h and m³/h are m^3/h. */
function withPowers(unit: string): string {
  return unit.replaceAll("²", "^2").replaceAll("³", "^3").replaceAll("·", "*").replace(powers, "$1^$2")
}

const powers = /(?<![A-Za-z])(m|dm|cm|mm|ft|in)([23])(?!\d)/g

function isTemperature(unit: string): boolean {
  return unit.startsWith("temp")
}

function conversion(from: string, to: string): Convert | undefined {
  // The library would take 5 mK, a difference, for a point on the scale.
  if (isTemperature(from) !== isTemperature(to)) return undefined
  try {
    const convert = Qty.swiftConverter(from, to)
    if (!Number.isFinite(convert(1))) return undefined
    const exact = isTemperature(from) ? throughTwoPoints(convert) : convert
    return (value) => Number(exact(value).toPrecision(keptDigits))
  } catch {
    // Whatever the library throws at text from outside means the same: there is no conversion. The caller names both units.
    return undefined
  }
}

/** The library makes two objects for each temperature; the scales are straight lines, so two points give the same. */
function throughTwoPoints(convert: Qty.Converter): Convert {
  const offset = convert(0)
  const scale = (convert(1000) - offset) / 1000
  return (value) => value * scale + offset
}
