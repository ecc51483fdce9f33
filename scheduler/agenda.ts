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

/** A heap in which what was replaced stays until it comes to the top, or until it would be most of it. */
export function createAgenda<E extends Entry>(): Agenda<E> {
  let heap: E[] = []
  const known = new Map<string, E>()

  function rise(entry: E): void {
    let at = heap.length
    heap.push(entry)
    while (at > 0) {
      const above = (at - 1) >> 1
      const other = heap[above]
      if (other === undefined || soonerFirst(other, entry) <= 0) break
      heap[at] = other
      at = above
    }
    heap[at] = entry
  }

  function dropFirst(): void {
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let at = 0
    for (;;) {
      const left = 2 * at + 1
      const [one, other] = [heap[left], heap[left + 1]]
      if (one === undefined) break
      const isOther = other !== undefined && soonerFirst(other, one) < 0
      const next = isOther ? other : one
      if (soonerFirst(last, next) <= 0) break
      heap[at] = next
      at = isOther ? left + 1 : left
    }
    heap[at] = last
  }

  return {
    set(key, entry) {
      if (entry === undefined) known.delete(key)
      else {
        known.set(key, entry)
        if (heap.length > 2 * known.size + 100) {
          heap = [...known.values()].toSorted(soonerFirst)
          return
        }
        rise(entry)
      }
    },
    get: (key) => known.get(key),
    first() {
      for (let first = heap[0]; first !== undefined; first = heap[0]) {
        if (known.get(first.key) === first) return first
        dropFirst()
      }
      return undefined
    },
    clear() {
      heap = []
      known.clear()
    },
  }
}

/** The key settles what time and weight do not, so that the order never depends on how the agenda came about. */
export function soonerFirst(a: Entry, b: Entry): number {
  return a.atMs - b.atMs || b.weight - a.weight || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)
}
