/** FNV-1a over UTF-16 code units: the same key has the same partition on every adapter and every machine. */
export function partitionOf(key: string, partitions: number): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < key.length; at++) {
    hash ^= key.charCodeAt(at)
    hash = Math.imul(hash, 0x01000193)
  }
  return (hash >>> 0) % partitions
}
