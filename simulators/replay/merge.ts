/** Merges streams that are each in order of time into one. At equal times the stream named first goes first. */
export async function* mergeByTime<T extends { readonly atMs: number }>(
  streams: readonly AsyncGenerator<T>[],
): AsyncGenerator<T> {
  const heap: Head<T>[] = []
  try {
    for (const [rank, stream] of streams.entries()) {
      const first = await stream.next()
      if (!first.done) push(heap, { item: first.value, rank, stream })
    }
    for (let head = heap[0]; head; head = heap[0]) {
      yield head.item
      const next = await head.stream.next()
      if (next.done) pop(heap)
      else {
        heap[0] = { ...head, item: next.value }
        sink(heap)
      }
    }
  } finally {
    // Who stops early leaves no file open.
    await Promise.all(streams.map((stream) => stream.return(undefined)))
  }
}

type Head<T> = { readonly item: T; readonly rank: number; readonly stream: AsyncGenerator<T> }

function before<T extends { readonly atMs: number }>(a: Head<T>, b: Head<T>): boolean {
  return a.item.atMs < b.item.atMs || (a.item.atMs === b.item.atMs && a.rank < b.rank)
}

/** A binary heap: `heap[0]` is the earliest, and the children of `at` stand at 2·at + 1 and 2·at + 2. */
function push<T extends { readonly atMs: number }>(heap: Head<T>[], head: Head<T>): void {
  let at = heap.length
  heap.push(head)
  while (at > 0) {
    const above = (at - 1) >> 1
    const parent = heap[above]
    if (!parent || before(parent, head)) break
    heap[at] = parent
    heap[above] = head
    at = above
  }
}

function pop<T extends { readonly atMs: number }>(heap: Head<T>[]): void {
  const last = heap.pop()
  if (!last || heap.length === 0) return
  heap[0] = last
  sink(heap)
}

function sink<T extends { readonly atMs: number }>(heap: Head<T>[]): void {
  const top = heap[0]
  if (!top) return
  let at = 0
  for (;;) {
    const [left, right] = [heap[2 * at + 1], heap[2 * at + 2]]
    const below = right && left && before(right, left) ? 2 * at + 2 : 2 * at + 1
    const child = heap[below]
    if (!child || before(top, child)) return
    heap[at] = child
    heap[below] = top
    at = below
  }
}
