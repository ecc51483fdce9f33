const prefix = "WO-"

/** What people call an order by: 12 is WO-000012. */
export function formatNumber(number: number): string {
  return `${prefix}${String(number).padStart(6, "0")}`
}

/** "WO-000012", "wo-12" and "12" are 12; undefined for anything else. */
export function parseNumber(text: string): number | undefined {
  const [, digits] = /^(?:WO-)?(\d{1,15})$/i.exec(text.trim()) ?? []
  return digits === undefined ? undefined : Number(digits)
}

/** Takes back what `formatNumber` did. */
export function numberIn(formatted: string): number {
  return Number(formatted.slice(prefix.length))
}
