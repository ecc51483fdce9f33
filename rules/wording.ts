/** A value as people read it: four digits where they matter, whole numbers whole. */
export function quantity(value: number, unit: string | null): string {
  const shown = Math.abs(value) >= 1000 ? Math.round(value) : Number(value.toPrecision(4))
  return unit === null ? `${shown}` : `${shown} ${unit}`
}

/** A value beside one that it is compared with: in as many digits as it takes to see that they differ. */
export function quantityBeside(value: number, other: number, unit: string | null): string {
  const plain = quantity(value, unit)
  if (value === other || plain !== quantity(other, unit)) return plain
  for (let digits = 5; digits <= 15; digits++) {
    const shown = Number(value.toPrecision(digits))
    if (shown !== Number(other.toPrecision(digits))) return unit === null ? `${shown}` : `${shown} ${unit}`
  }
  return plain
}
