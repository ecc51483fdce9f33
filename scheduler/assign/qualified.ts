import type { Person, Task } from "./problem.ts"

/**
 * What somebody lacks for a task, and until when they may do it. Of craft and skills a planner who names somebody may
 * think otherwise; a qualification is the law's or the insurer's.
 */
export function qualification(
  person: Person,
  task: Pick<Task, "craft" | "skills" | "qualifications" | "person">,
): { readonly lacks: readonly string[]; readonly wrongCraft: boolean; readonly untilMs: number } {
  const named = task.person === person.id
  const needed = named ? task.qualifications : [...new Set([...task.qualifications, ...task.skills])]
  const lacks: string[] = []
  let untilMs = Number.POSITIVE_INFINITY
  for (const skill of needed) {
    const validMs = heldUntil(person, skill)
    if (validMs === undefined) lacks.push(skill)
    else untilMs = Math.min(untilMs, validMs)
  }
  return { lacks, wrongCraft: !named && task.craft !== null && task.craft !== person.craft, untilMs }
}

/** Of a skill that is listed twice the longer validity counts; undefined: they never had it. */
export function heldUntil(person: Person, skill: string): number | undefined {
  const valid = person.skills
    .filter((one) => one.skill === skill)
    .map(({ untilMs }) => untilMs ?? Number.POSITIVE_INFINITY)
  return valid.length === 0 ? undefined : Math.max(...valid)
}
