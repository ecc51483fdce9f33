import type { Command } from "commander"
import { systemClock } from "../../core/clock.ts"
import { formatDuration } from "../../core/duration.ts"
import { localTime } from "../../core/wording.ts"
import { confirm } from "../confirm.ts"
import type { InputOf, ResultOf } from "../operations.ts"
import { counted, print, table, when } from "../output.ts"
import { progressLine } from "../progress.ts"
import {
  answer,
  asker,
  asksForJson,
  durationOption,
  positiveNumber,
  type Surroundings,
  wholeNumberFrom,
} from "../shared.ts"

const day = 86_400_000
const hour = 3_600_000

export function addSchedule(program: Command, surroundings: Surroundings): void {
  const schedule = program
    .command("schedule")
    .description("people's time: who could do an order, a week for a crew, orders worth one way")

  schedule
    .command("suggest <order>")
    .description("who could do an order and when, the best first, each with the reasons")
    .option("--limit <n>", "at most so many people", wholeNumberFrom(1, 1000), 5)
    .addHelpText("after", "\nExample:\n  millwright schedule suggest WO-000003")
    .action(async (order: string, { limit }: { limit: number }, command: Command) => {
      answer(
        command,
        await asker(command, surroundings)("schedule.suggest", { order, limit }),
        showSuggestions,
      )
    })

  schedule
    .command("auto")
    .description(
      "plan a week for a crew: approved orders get people and times; shows it, and asks before it does",
    )
    .requiredOption("--crew <crew>", "whose week")
    .option("--week <week>", "such as 2026-W48 (default: this one, from now on)")
    .option("--seed <n>", "another one may find another plan", wholeNumberFrom(0, 2_147_483_647), 1)
    .option("--time-limit <duration>", "at most so long", durationOption, 30_000)
    .option(
      "--ahead <duration>",
      "leave orders that are due longer than this after the week",
      durationOption,
      14 * day,
    )
    .option("--replan", "also orders that have people or times already, unless they are sent out")
    .option("--dry-run", "only show")
    .option("--yes", "don't ask")
    .addHelpText("after", "\nExample:\n  millwright schedule auto --crew mechanics --week 2026-W48 --as paul")
    .action(async (options: AutoOptions, command: Command) => auto(options, command, surroundings))

  schedule
    .command("visits")
    .description("orders that are worth one way: due at about the same time, at about the same place")
    .option("--site <site>", "only at this site")
    .option("--within <duration>", "due within so long of each other (default: 3d)", durationOption)
    .option("--near <duration>", "at most so far away (default: 15m)", durationOption)
    .option("--hours <n>", "at most so much work in one visit (default: 8)", positiveNumber)
    .action(async (options: VisitOptions, command: Command) => {
      const { site, within: withinMs, near: nearMs, hours: mostHours } = options
      const found = await asker(command, surroundings)("schedule.visits", {
        site,
        withinMs,
        nearMs,
        mostHours,
      })
      answer(command, found, showVisits)
    })

  schedule
    .command("week")
    .description("what a crew has to do in a week, by person and day, with the hours that they have")
    .requiredOption("--crew <crew>", "whose week")
    .option("--week <week>", "such as 2026-W48 (default: this one)")
    .action(async ({ crew, week }: { crew: string; week?: string }, command: Command) => {
      answer(command, await asker(command, surroundings)("schedule.week", { crew, week }), (found) => {
        print(`${found.crew}, ${found.week}, times in ${found.timeZone}`)
        showPeople(found, ({ state }) => state)
        showUntimed(found)
      })
    })
}

function showSuggestions({
  number,
  title,
  timeZone,
  about,
  people,
  left,
}: ResultOf<"schedule.suggest">): void {
  print(`${number}  ${title}`)
  print(`times in ${timeZone}, from now on for a week`)
  for (const one of about) print(`  ${one}`)
  if (people.length === 0) print("\nnobody is in a crew: name it as the crew of people in the plant file")
  const able = people.filter(({ tasks }) => tasks.length > 0)
  able.forEach(({ person, name, why }, at) => {
    print(`\n${at + 1}. ${person} (${name})`)
    for (const one of why) print(`   ${one}`)
  })
  const others = people.filter(({ tasks }) => tasks.length === 0)
  if (others.length > 0) print("\nNot qualified:")
  for (const { person, name, why } of others) print(`  ${person} (${name}): ${why.join("; ")}`)
  if (left > 0) print(`\n${counted(left, "other")} after these: raise --limit`)
}

type AutoOptions = {
  readonly crew: string
  readonly week?: string
  readonly seed: number
  readonly timeLimit: number
  readonly ahead: number
  readonly replan?: boolean
  readonly dryRun?: boolean
  readonly yes?: boolean
}

type VisitOptions = {
  readonly site?: string
  readonly within?: number
  readonly near?: number
  readonly hours?: number
}

type Auto = ResultOf<"schedule.auto">
type Week = Pick<Auto, "people" | "timeZone">

async function auto(options: AutoOptions, command: Command, surroundings: Surroundings): Promise<void> {
  const { crew, week, seed, timeLimit: timeLimitMs, ahead: aheadMs, replan, dryRun, yes } = options
  const ask = asker(command, surroundings)
  const isJson = asksForJson(command)
  const input = { crew, week, seed, timeLimitMs, aheadMs, replan }
  const found = await (isJson ? ask("schedule.auto", input) : withProgress(input, surroundings, ask))
  if (!isJson) showAuto(found)
  if (found.orders.length === 0 || dryRun === true) return answer(command, found, () => {})
  if (yes !== true) await confirm(`Give ${counted(found.orders.length, "order")} these people and times?`)
  const { plan, orders } = found
  const applied = await ask("schedule.apply", { plan, orders: [...orders] })
  answer(command, { ...found, ...applied }, () => showApplied(applied))
}

/** Planning goes on in the server; here it is shown how long it takes. */
async function withProgress(
  input: InputOf<"schedule.auto">,
  { signal }: Surroundings,
  ask: ReturnType<typeof asker>,
): Promise<Auto> {
  const beganMs = systemClock.now()
  let headline: string | undefined
  const line = progressLine(systemClock, signal, () => {
    const seconds = Math.round((systemClock.now() - beganMs) / 1000)
    return (
      headline ?? `planning for ${input.crew}: ${seconds} s of at most ${formatDuration(input.timeLimitMs)}`
    )
  })
  try {
    const found = await ask("schedule.auto", input)
    headline = headlineOf(found)
    return found
  } catch (error) {
    headline = "no plan was made"
    throw error
  } finally {
    await line.close()
  }
}

function headlineOf({ crew, week, timeZone, orders, looked }: Auto): string {
  return `${crew}, ${week}, times in ${timeZone}: ${orders.length} of ${counted(looked, "order")} planned`
}

function showAuto(found: Auto): void {
  if (found.looked === 0) {
    print("no order is approved, at the crew's site and due soon enough: nothing to plan")
    showUntimed(found)
    return
  }
  const isNew = new Set(found.orders.map(({ order }) => order))
  showPeople(found, ({ order, state }) => (isNew.has(order) ? "new" : state))
  showLeft(found)
  showUntimed(found)
  showVisitsApart(found)
  showScore(found)
}

type Entry = Week["people"][number]["entries"][number]

function showPeople({ people, timeZone }: Week, stateOf: (entry: Entry) => string): void {
  if (people.length === 0) print("\nnobody is in this crew: name it as the crew of people in the plant file")
  for (const { person, name, capacityMs, plannedMs, absences, entries } of people) {
    const share = capacityMs === 0 ? "" : ` (${Math.round((100 * plannedMs) / capacityMs)} %)`
    print(`\n${person} (${name}): ${inHours(plannedMs)} of ${inHours(capacityMs)} h${share}`)
    for (const { from, to, reason } of absences)
      print(`  away ${from === to ? from : `${from} to ${to}`}${reason === undefined ? "" : `: ${reason}`}`)
    if (entries.length === 0) continue
    print(
      indented(
        table(entries, [
          { title: "DAY", of: ({ startMs }) => dayOf(startMs, timeZone) },
          {
            title: "TIME",
            of: ({ startMs, endMs }) => `${timeOf(startMs, timeZone)}-${timeOf(endMs, timeZone)}`,
          },
          { title: "ORDER", of: ({ number }) => number },
          { title: "STATE", of: stateOf },
          { title: "TASK", of: ({ task }) => task ?? "all" },
          { title: "ASSET", of: ({ asset }) => asset },
          { title: "WHERE", of: ({ location }) => location ?? "-" },
          { title: "TITLE", of: ({ title }) => title },
        ]),
      ),
    )
  }
}

function showLeft({ left, more }: Auto): void {
  if (left.length > 0) {
    print("\nNot planned:")
    print(
      indented(
        table(left, [
          { title: "ORDER", of: ({ number }) => number },
          { title: "PRIO", of: ({ priority }) => priority },
          { title: "DUE", of: ({ dueMs }) => when(dueMs) },
          { title: "TITLE", of: ({ title }) => title },
          { title: "WHY", of: ({ why }) => why },
        ]),
      ),
    )
  }
  if (more) print("\nThere are more orders, less urgent than these, which were not looked at")
}

function showUntimed({ untimed }: Pick<Auto, "untimed">): void {
  if (untimed.length === 0) return
  print("\nAssigned without a time, so in nobody's week (orders plan, or schedule auto --replan):")
  for (const { number, title, assignees } of untimed) print(`  ${number}  ${assignees.join(", ")}  ${title}`)
}

/** Those that are planned for different days: a planner may know better. */
function showVisitsApart({ visits, timeZone }: Auto): void {
  for (const { orders, why } of visits) {
    const days = orders.map(({ startMs }) => dayOf(startMs, timeZone))
    if (new Set(days).size === 1) continue
    const each = orders.map(({ number }, at) => `${number} ${days[at]}`)
    print(`\nOn different days, though worth one way (${why}): ${each.join(", ")}`)
  }
}

/** The points beside those of a plan made by hand: docs/auto-schedule.md says what they are. */
function showScore({ score, greedyScore, greedyOrders, orders, solver }: Auto): void {
  if (orders.length === 0 && greedyOrders === 0) return
  const points = (value: number) => String(Math.round(value))
  print()
  print(
    table(
      [
        { plan: "this plan", count: orders.length, ...score },
        { plan: "by hand (greedy)", count: greedyOrders, ...greedyScore },
      ],
      [
        { title: "SCORE", of: ({ plan }) => plan },
        { title: "ORDERS", of: ({ count }) => count },
        { title: "PLANNED", of: ({ planned }) => points(planned) },
        { title: "LATE", of: ({ late }) => points(late) },
        { title: "EARLY", of: ({ early }) => points(early) },
        { title: "TRAVEL", of: ({ travel }) => points(travel) },
        { title: "LOAD", of: ({ load }) => points(load) },
        { title: "HANDOVER", of: ({ handover }) => points(handover) },
        { title: "TOTAL", of: ({ total }) => points(total) },
      ],
    ),
  )
  if (solver.failed !== null)
    print(`\nthe solver could not be used, so this is what a search found: ${solver.failed}`)
  if (solver.timeLimitHit) print("\nthe time limit was reached: with --time-limit more may be found")
}

function showApplied({ results }: ResultOf<"schedule.apply">): void {
  const [done, not] = [true, false].map((is) => results.filter((one) => one.done === is))
  print(`\n${counted(done?.length ?? 0, "order")} planned`)
  for (const { number, code, note } of not ?? []) print(`  not ${number}: ${code} ${note}`)
}

function showVisits({ visits, more }: ResultOf<"schedule.visits">): void {
  const several = visits.filter(({ calls }) => calls.length > 1)
  if (several.length === 0)
    print("no orders are worth one way: none are due near each other in time and place")
  for (const { calls, hours, why } of several) {
    print(`${counted(calls.length, "order")}, ${inHours(hours * hour)} h: ${why}`)
    for (const { number, asset, dueMs } of calls) print(`  ${number}  ${asset}  due ${when(dueMs)}`)
  }
  const alone = visits.length - several.length
  if (several.length > 0 && alone > 0) print(`${counted(alone, "order")} alone`)
  if (more) print("there are more orders, less urgent than these, which were not looked at")
}

function indented(text: string): string {
  return text.replace(/^/gm, "  ")
}

/** "Mon 2026-11-30" */
function dayOf(ms: number, timeZone: string): string {
  const weekday = new Intl.DateTimeFormat("en-GB", { timeZone, weekday: "short" }).format(ms)
  return `${weekday} ${localTime(ms, timeZone).slice(0, 10)}`
}

function timeOf(ms: number, timeZone: string): string {
  return localTime(ms, timeZone).slice(11)
}

function inHours(ms: number): string {
  return String(Math.round((ms / hour) * 10) / 10)
}
