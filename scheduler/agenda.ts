/** What is to happen when, kept in order, so that looking costs nothing until something is due. */

export type Entry = {
  readonly key: string
  readonly atMs: number
  /** Of entries of one time, those with the greater weight come first. */
  readonly weight: number
}

export type Agenda<E extends Entry> = {
  /** The entry of this key takes the place of the one before; undefined takes it away. */
  set(key: string, entry: E | undefined): void
  get(key: string): E | undefined
  first(): E | undefined
  clear(): void
}

export function createAgenda<E extends Entry>(): Agenda<E> {
  /** Latest first: the next one is at the end. */
  const entries: E[] = []
  const known = new Map<string, E>()

  /** Where an entry is, or would be. */
  function placeOf(entry: E): number {
    let [low, high] = [0, entries.length]
    while (low < high) {
      const middle = (low + high) >> 1
      const other = entries[middle]
      if (other !== undefined && laterFirst(other, entry) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  return {
    set(key, entry) {
      const before = known.get(key)
      if (before !== undefined) entries.splice(placeOf(before), 1)
      if (entry === undefined) known.delete(key)
      else {
        known.set(key, entry)
        entries.splice(placeOf(entry), 0, entry)
      }
    },
    get: (key) => known.get(key),
    first: () => entries.at(-1),
    clear() {
      entries.length = 0
      known.clear()
    },
  }
}

/** The key settles what time and weight do not, so that the order never depends on how the agenda came about. */
export function laterFirst(a: Entry, b: Entry): number {
  return b.atMs - a.atMs || a.weight - b.weight || (a.key < b.key ? 1 : a.key > b.key ? -1 : 0)
}
