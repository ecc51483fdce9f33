/** Why an order has no place in a plan: the first of these that is true, as a planner would want to hear it. */
import { localTime } from "../../core/wording.ts"
import { earliestSpot, putEarliest } from "./greedy.ts"
import type { Job, Person, Task } from "./problem.ts"
import { qualification } from "./qualified.ts"
import { Roster } from "./roster.ts"
import { hoursInWords, listed } from "./words.ts"
import { type Unit, type Work, type WorkJob, workOf } from "./work.ts"

/** Orders that would have a place if nobody had anything else to do. */
export function hopefulOf(work: Work): ReadonlySet<number> {
  const hopeful = new Set<number>()
  const empty = new Roster(work)
  for (const job of work.jobs.keys()) {
    if (!putEarliest(empty, job)) continue
    hopeful.add(job)
    empty.remove(job)
  }
  return hopeful
}

/** `roster` is the plan that it has no place in. */
export function whyLeft(
  number: number,
  roster: Roster,
  hopeful: ReadonlySet<number>,
  timeZone: string,
): string {
  const { work } = roster
  const one = work.jobs[number]
  if (one === undefined) return "it is not in this week"
  if (!hopeful.has(number)) return whyNever(one, work, timeZone)
  const missing = firstWithoutRoom(number, roster)
  if (missing === undefined) {
    return `there is room for it, but the way to it costs more than it is worth at priority ${one.job.priority}`
  }
  return `no time is left: ${taskInWords(missing, one)} needs ${hoursInWords(missing.ms)} in one go ${of(missing, work)}${when(one)}`
}

function whyNever(one: WorkJob, work: Work, timeZone: string): string {
  const { job } = one
  const { week } = work
  const { parts } = job
  const time = (ms: number) => localTime(ms, timeZone)
  if (!parts.available && parts.fromMs === null) return `waits for parts: ${parts.why}`
  if (!parts.available && (parts.fromMs ?? 0) >= week.toMs) {
    return `waits for parts, expected ${time(parts.fromMs ?? 0)}: ${parts.why}`
  }
  if (job.earliestMs >= week.toMs) return `may not begin before ${time(job.earliestMs)}`
  const units = one.units.flatMap((unit) => work.units[unit] ?? [])
  for (const unit of units) if (unit.able.length === 0) return whyNobody(unit.task, one, week.people)
  for (const unit of units) {
    if (unit.able.every(({ person }) => work.people[person]?.days.length === 0)) {
      return `nobody who may do ${taskInWords(unit, one)} (${namesOf(unit, work)}) has any free working time this week`
    }
  }
  if (one.windows.length === 0) return `its asset may not be worked on this week${afterParts(job, time)}`
  const longest = units.reduce((a, b) => (b.ms > a.ms ? b : a))
  const openMs = Math.max(...one.windows.map(({ startMs, endMs }) => endMs - startMs))
  if (openMs < longest.ms) {
    return `the window is too short: ${taskInWords(longest, one)} needs ${hoursInWords(longest.ms)}, its asset may be worked on for at most ${hoursInWords(openMs)} in one go${afterParts(job, time)}`
  }
  const blocking = whatBlocks(one, work)
  if (blocking.expiry !== undefined) return blocking.expiry(time)
  const room = firstWithoutRoom(work.jobs.indexOf(one), new Roster(work)) ?? longest
  const inARow = room.after.length > 0 ? "its tasks do not fit into the week one after another: " : ""
  const theWay = job.place === null ? "" : ", the way besides,"
  const open = blocking.windows ? " while its asset may be worked on" : ""
  return `${inARow}nobody who may do ${taskInWords(room, one)} is free for ${hoursInWords(room.ms)} in one go${theWay}${open}${afterParts(job, time)}`
}

/** What would have to be different: qualifications that ended later, or an asset that may be worked on at any time. */
function whatBlocks(one: WorkJob, work: Work) {
  const fits = (job: Job, people: readonly Person[]) => {
    const other = workOf({ ...work.week, people: [...people], jobs: [job] })
    const roster = new Roster(other)
    return putEarliest(roster, 0)
  }
  const { people } = work.week
  const lasting = people.map((person) => ({
    ...person,
    skills: person.skills.map(({ skill }) => ({ skill, untilMs: null })),
  }))
  if (fits(one.job, lasting)) {
    const first = people
      .flatMap((person) =>
        person.skills.flatMap(({ skill, untilMs }) =>
          untilMs !== null && untilMs < work.week.toMs && needs(one.job, skill)
            ? [{ person: person.id, skill, untilMs }]
            : [],
        ),
      )
      .toSorted((a, b) => b.untilMs - a.untilMs)[0]
    if (first !== undefined) {
      const expiry = (time: (ms: number) => string) =>
        `"${first.skill}" expires: nobody who holds it, of them ${first.person} the longest, until ${time(first.untilMs)}, is free in time`
      return { expiry, windows: false }
    }
  }
  return {
    expiry: undefined,
    windows: one.job.windows !== null && fits({ ...one.job, windows: null }, people),
  }
}

function needs({ tasks }: Job, skill: string): boolean {
  return tasks.some((task) => task.skills.includes(skill) || task.qualifications.includes(skill))
}

function whyNobody(task: Task, one: WorkJob, people: readonly Person[]): string {
  const what = one.job.tasks.length > 1 ? `task ${task.id}` : "it"
  if (task.person !== null) {
    const named = people.find(({ id }) => id === task.person)
    if (named === undefined) return `${task.person}, who was named for ${what}, is not in this plan`
    const lacks = qualification(named, task).lacks.map((skill) => `"${skill}"`)
    return `${task.person}, who was named for ${what}, lacks ${listed(lacks)}`
  }
  const craft = task.craft
  const ofCraft = people.filter((person) => craft === null || person.craft === craft)
  if (craft !== null && ofCraft.length === 0) return `nobody in this plan has the craft "${craft}"`
  const skills = [...new Set([...task.qualifications, ...task.skills])]
  const held = (skill: string, all: readonly Person[]) =>
    all.some((person) => person.skills.some((own) => own.skill === skill))
  const nobodys = skills.filter((skill) => !held(skill, people))
  if (nobodys.length > 0) return `nobody in this plan holds ${listed(nobodys.map((one) => `"${one}"`))}`
  const wanted = listed(skills.map((skill) => `"${skill}"`))
  return craft === null
    ? `nobody in this plan holds ${wanted} together`
    : `nobody with the craft "${craft}" holds ${wanted}${skills.length > 1 ? " together" : ""}`
}

/** The task at which the order fails when it is put in as early as it goes. */
function firstWithoutRoom(number: number, roster: Roster): Unit | undefined {
  let failed: number | undefined
  const earliest = earliestSpot(roster, false)
  const fits = roster.put(number, (unit, fromMs) => {
    const spot = earliest(unit, fromMs)
    if (spot === undefined) failed = unit
    return spot
  })
  if (fits) roster.remove(number)
  return failed === undefined ? undefined : roster.work.units[failed]
}

function taskInWords({ task, piece, pieces }: Unit, { job }: WorkJob): string {
  const ofTask = pieces > 1 ? `piece ${piece} of ${pieces} of ` : ""
  return job.tasks.length > 1 ? `${ofTask}task ${task.id}` : `${ofTask}the work`
}

function of(unit: Unit, work: Work): string {
  return unit.task.person === null
    ? `of ${namesOf(unit, work)}`
    : `of ${unit.task.person}, who was named for it`
}

function namesOf({ able }: Unit, { people }: Work): string {
  if (able.length > 3) return `one of ${able.length} people who may do it`
  return listed(
    able.map(({ person }) => people[person]?.person.id ?? ""),
    "or",
  )
}

function when({ job }: WorkJob): string {
  return job.windows === null ? "" : ", while its asset may be worked on"
}

function afterParts({ parts }: Job, time: (ms: number) => string): string {
  return parts.available || parts.fromMs === null
    ? ""
    : ` once its parts are there (${time(parts.fromMs)}: ${parts.why})`
}
