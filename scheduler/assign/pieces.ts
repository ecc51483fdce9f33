import type { Job, Person, Task } from "./problem.ts"
import type { Way } from "./travel.ts"

const minute = 60_000

/** A task, or a piece of one that is longer than a shift. */
export type Piece = { readonly piece: number; readonly pieces: number; readonly ms: number }

/**
 * Cuts a task that is longer than any shift of those who may do it, less their way from and to home, into equal pieces.
 * They follow one another, and go to one person where that is possible.
 */
export function piecesOf(task: Task, job: Job, able: readonly Person[], way: Way): readonly Piece[] {
  const longestMs = Math.max(
    0,
    ...able.map((person) => longestOf(person) - way(person.home, job.place) - way(job.place, person.home)),
  )
  if (longestMs < minute || task.ms <= longestMs) return [{ piece: 1, pieces: 1, ms: task.ms }]
  const wholeMinutes = Math.floor(longestMs / minute) * minute
  const pieces = Math.ceil(task.ms / wholeMinutes)
  const eachMs = Math.ceil(task.ms / pieces / minute) * minute
  return Array.from({ length: pieces }, (_, at) => ({
    piece: at + 1,
    pieces,
    ms: at < pieces - 1 ? eachMs : task.ms - eachMs * (pieces - 1),
  }))
}

/** What is planned already does not count: the gaps of a full week are no reason to do work bit by bit. */
function longestOf({ longestMs, shifts }: Person): number {
  return longestMs ?? Math.max(0, ...shifts.map(({ startMs, endMs }) => endMs - startMs))
}
