import type { Quality } from "../../core/vocabulary.ts"

const words: Readonly<Record<string, Quality>> = {
  good: "good",
  uncertain: "uncertain",
  bad: "bad",
}

/**
 * "good", "uncertain" or "bad" in any case; a boolean (true is good); an OPC DA quality byte, whose two highest bits
 * tell (OPC DA 3.00, 6.8); or an OPC UA status code from 2^30 on, whose two highest of 32 bits tell (OPC 10000-4, 7.39).
 * 0 is read as OPC DA's "bad". Nothing said is good; undefined for anything else.
 */
export function readQuality(value: unknown): Quality | undefined {
  switch (typeof value) {
    case "undefined":
      return "good"
    case "boolean":
      return value ? "good" : "bad"
    case "string":
      return Object.hasOwn(words, value.toLowerCase()) ? words[value.toLowerCase()] : undefined
    case "number":
      return fromCode(value)
    default:
      return value === null ? "good" : undefined
  }
}

function fromCode(code: number): Quality | undefined {
  if (!Number.isInteger(code) || code < 0) return undefined
  if (code < 0x40) return "bad"
  if (code < 0x80) return "uncertain"
  if (code >= 0xc0 && code < 0x100) return "good"
  if (code >= 0x4000_0000 && code < 0x8000_0000) return "uncertain"
  if (code >= 0x8000_0000 && code < 0xc000_0000) return "bad"
  return undefined
}
