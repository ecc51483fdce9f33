import type { Job, Person, Task, Week } from "./problem.ts"
import { qualification } from "./qualified.ts"
import type { Way } from "./travel.ts"

const minute = 60_000

/** A task, or a piece of one that is longer than a shift. */
export type Piece = { readonly piece: number; readonly pieces: number; readonly ms: number }

/**
 * Cuts a task that is longer than any shift of those who may do it, less their way from and to home, into equal pieces.
 * They follow one another, and go to one person where that is possible.
 */
export function piecesOf(task: Task, job: Job, week: Week, way: Way): readonly Piece[] {
  const longestMs = Math.max(
    0,
    ...week.people
      .filter((person) => mayDo(person, task))
      .flatMap((person) => {
        const there = way(person.home, job.place) + way(job.place, person.home)
        return person.shifts.map(({ startMs, endMs }) => endMs - startMs - there)
      }),
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

function mayDo(person: Person, task: Task): boolean {
  if (task.person !== null && task.person !== person.id) return false
  const { lacks, wrongCraft } = qualification(person, task)
  return lacks.length === 0 && !wrongCraft
}
