/**
 * Seeded noise without a state: the same key and number have the same value, whoever asks, in whatever order.
 * That is why a simulation that was stopped goes on bit for bit, and why step sizes don't change a fate.
 */

/** A key of its own for each seed and name (FNV-1a, then mixed). */
export function keyOf(seed: number, name: string): number {
  let hash = mix(seed ^ 0x811c9dc5)
  for (let at = 0; at < name.length; at++) hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193)
  return mix(hash)
}

/** Even in (0, 1), never 0, so that its logarithm is finite. `n` is an integer below 2^53, such as a time in ms. */
export function uniform(key: number, n: number): number {
  return (bits(key, n) + 0.5) / 2 ** 32
}

/** Normal with mean 0 and deviation 1 (Box and Muller 1958). */
export function gaussian(key: number, n: number): number {
  const angle = 2 * Math.PI * uniform(key ^ 0x5bd1e995, n)
  return Math.sqrt(-2 * Math.log(uniform(key, n))) * Math.cos(angle)
}

function bits(key: number, n: number): number {
  const low = mix(key ^ Math.imul(n | 0, 0x9e3779b1))
  return mix(low ^ Math.imul(Math.floor(n / 2 ** 32), 0x85ebca77)) >>> 0
}

/** The finaliser of MurmurHash3 (Appleby), 32 bit. */
function mix(hash: number): number {
  let h = hash | 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}
