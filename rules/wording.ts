/** A value as people read it: four digits where they matter, whole numbers whole. */
export function quantity(value: number, unit: string | null): string {
  const shown = Math.abs(value) >= 1000 ? Math.round(value) : Number(value.toPrecision(4))
  return unit === null ? `${shown}` : `${shown} ${unit}`
}

/** 2026-03-01 06:00 UTC. */
export function instant(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 16).replace("T", " ")} UTC`
}
