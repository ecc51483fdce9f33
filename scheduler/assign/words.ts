/** How people read the numbers of a plan. */
const hour = 3_600_000
const minute = 60_000

/** "40 min", "3 h", "2 h 30 min". */
export function hoursInWords(ms: number): string {
  const whole = Math.floor(ms / hour)
  const minutes = Math.round((ms - whole * hour) / minute)
  if (minutes === 60) return `${whole + 1} h`
  if (whole === 0) return `${minutes} min`
  return minutes === 0 ? `${whole} h` : `${whole} h ${minutes} min`
}

/** "a", "a and b", "a, b and c". */
export function listed(all: readonly string[], and = "and"): string {
  if (all.length < 2) return all.join("")
  return `${all.slice(0, -1).join(", ")} ${and} ${all.at(-1)}`
}
