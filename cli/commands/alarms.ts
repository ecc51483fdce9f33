import { type Command, Option } from "commander"
import { formatDuration } from "../../core/duration.ts"
import { severities } from "../../core/vocabulary.ts"
import type { ResultOf } from "../operations.ts"
import { counted, figure, print, printable, table, when } from "../output.ts"
import { answer, asker, durationOption, type Surroundings, wholeNumberFrom } from "../shared.ts"

type Alarm = ResultOf<"alarms.list">["alarms"][number]

/** The server gives no more at a time. */
const most = 500

export function addAlarms(program: Command, surroundings: Surroundings): void {
  const alarms = program.command("alarms").description("what an operator has to know, and has seen")

  alarms
    .command("list")
    .description("list alarms, newest first, with floods and what is shelved")
    .option("--site <site>", "only at this site")
    .addOption(new Option("--state <state>", "open ones, or all").choices(["open", "all"]).default("open"))
    .option("--asset <asset>", "only of this asset")
    .addOption(new Option("--severity <severity>", "only of this severity").choices(severities))
    .option("--limit <n>", "at most so many", wholeNumberFrom(1), 50)
    .action(async (_options, command: Command) => {
      const { site, state, asset, severity, limit } = command.opts()
      const ask = asker(command, surroundings)
      // One more than is shown tells whether there are more.
      const asked = Math.min(limit + 1, most)
      const found = await ask("alarms.list", { site, state, asset, severity, limit: asked })
      const alarms = found.alarms.slice(0, limit)
      answer(command, { ...found, alarms }, (shown) => {
        showList(shown)
        if (found.alarms.length > limit || found.alarms.length === most)
          print(
            `\nthe newest ${alarms.length}; there may be more: --limit (at most ${most}), --site, --asset, --severity`,
          )
      })
    })

  alarms
    .command("show <alarm>")
    .description("show one alarm, with all that is part of the same incident")
    .action(async (alarm: string, _options, command: Command) => {
      answer(command, await asker(command, surroundings)("alarms.show", { alarm }), showOne)
    })

  alarms
    .command("acknowledge <alarm>")
    .description("say that an alarm, or all of an incident, was seen and by whom")
    .requiredOption("--reason <text>", "what you saw or will do, for the audit trail")
    .addHelpText(
      "after",
      "\nExample:\n  millwright alarms acknowledge 3f2a91c4 --reason 'on my way' --as jonas",
    )
    .action(async (alarm: string, { reason }: { reason: string }, command: Command) => {
      const done = await asker(command, surroundings)("alarms.acknowledge", { alarm, reason })
      answer(command, done, ({ asset, episodes }) => {
        if (episodes.length === 0) print("it was acknowledged before")
        else print(`acknowledged: ${episodes.length} of ${printable(asset)}`)
      })
    })

  alarms
    .command("shelve <rule>")
    .description("tell nobody of a rule on one asset for a while; it goes on watching")
    .requiredOption("--asset <asset>", "on which asset")
    .requiredOption("--for <duration>", "for how long, at most 30d", durationOption)
    .requiredOption("--reason <text>", "why, for the audit trail")
    .addHelpText(
      "after",
      "\nExample:\n  millwright alarms shelve bearing-vibration --asset P-101 --for 8h --reason 'sensor is loose' --as erika",
    )
    .action(
      async (rule: string, options: { asset: string; for: number; reason: string }, command: Command) => {
        const { asset, reason } = options
        const ask = asker(command, surroundings)
        const done = await ask("alarms.shelve", { rule, asset, reason, forMs: options.for })
        answer(command, done, ({ untilMs }) => print(`shelved until ${when(untilMs)}`))
      },
    )

  alarms
    .command("unshelve <rule>")
    .description("tell of it again")
    .requiredOption("--asset <asset>", "on which asset")
    .option("--reason <text>", "why, for the audit trail", "unshelved from the command line")
    .action(async (rule: string, { asset, reason }: { asset: string; reason: string }, command: Command) => {
      const done = await asker(command, surroundings)("alarms.unshelve", { rule, asset, reason })
      answer(command, done, ({ wasShelved }) =>
        print(wasShelved ? "not shelved any more" : "it was not shelved"),
      )
    })

  alarms
    .command("report")
    .description("how the alarms of each site perform, against the figures of ISA-18.2")
    .option("--site <site>", "only this site")
    .addOption(
      new Option("--last <duration>", "of so long until now")
        .argParser(durationOption)
        .default(7 * 86_400_000, "7d"),
    )
    .action(async (_options, command: Command) => {
      const { site, last } = command.opts()
      const figures = await asker(command, surroundings)("alarms.report", { site, lastMs: last })
      answer(command, figures, (reports) => showReport(reports, last))
    })
}

function showList({ alarms, floods, shelved }: ResultOf<"alarms.list">): void {
  for (const { site, sinceMs, waiting } of floods) {
    print(`! ${site}: alarm flood since ${when(sinceMs)}, ${waiting} wait for the next digest`)
  }
  if (alarms.length === 0) print("no alarms")
  else
    print(
      table(alarms, [
        { title: "ID", of: ({ episode }) => episode.slice(0, 8) },
        { title: "INCIDENT", of: ({ incident }) => incident.slice(0, 8) },
        { title: "OPENED", of: ({ openedMs }) => when(openedMs) },
        { title: "SEVERITY", of: ({ severity }) => severity },
        { title: "STATE", of: stateOf },
        { title: "ASSET", of: ({ asset }) => asset },
        { title: "RULE", of: ({ rule }) => rule },
        { title: "REASON", of: ({ reason }) => reason },
      ]),
    )
  if (shelved.length === 0) return
  print()
  print(
    table(shelved, [
      { title: "SHELVED", of: ({ rule }) => rule },
      { title: "ASSET", of: ({ asset }) => asset },
      { title: "UNTIL", of: ({ untilMs }) => when(untilMs) },
      { title: "BY", of: ({ by }) => by },
      { title: "WHY", of: ({ reason }) => reason },
    ]),
  )
}

function stateOf({ state, acknowledgedMs, quiet }: Alarm): string {
  if (state !== "open") return state
  return `${acknowledgedMs === null ? "open" : "acknowledged"}${quiet ? ", shelved" : ""}`
}

function showOne({ episode, incident, alarms }: ResultOf<"alarms.show">): void {
  const [first] = alarms
  if (first === undefined) return
  const { asset, component, site } = first
  print(printable(`${asset}${component === null ? "" : `, ${component}`} at ${site}`))
  print(`incident ${incident}`)
  for (const alarm of alarms) {
    const mark = alarm.episode === episode ? " (asked for)" : ""
    print(`\n${alarm.episode}  ${printable(alarm.rule)}${mark}`)
    const lines: readonly (readonly [string, string])[] = [
      ["state", `${stateOf(alarm)}, ${alarm.severity}`],
      ["opened", when(alarm.openedMs)],
      ["ended", when(alarm.endedMs)],
      ["value", measured(alarm)],
      ["reason", alarm.reason],
      ["told", alarm.told === null ? "not by itself" : alarm.told === "digest" ? "in a digest" : "singly"],
      ["seen", seenOf(alarm)],
      ...alarm.acknowledgedBefore.map(
        ({ severity, atMs, by, note }) => ["", `as ${severity} ${seen(atMs, by, note)}`] as const,
      ),
    ]
    for (const [title, text] of lines) print(`  ${title.padEnd(8)} ${printable(text)}`)
  }
}

function measured({ value, limit, unit }: Alarm): string {
  const inUnit = (number: number) => `${figure(number)}${unit === null ? "" : ` ${unit}`}`
  if (value === null) return "-"
  return limit === null ? inUnit(value) : `${inUnit(value)}, limit ${inUnit(limit)}`
}

function seenOf({ acknowledgedMs, acknowledgedBy, acknowledgedNote }: Alarm): string {
  return acknowledgedMs === null ? "-" : seen(acknowledgedMs, acknowledgedBy, acknowledgedNote)
}

function seen(atMs: number, by: string | null, note: string | null): string {
  return `${when(atMs)} by ${by ?? "-"}${note === null ? "" : `: ${note}`}`
}

function showReport(reports: ResultOf<"alarms.report">, askedMs: number): void {
  if (reports.length === 0) print("no plant file was applied yet: millwright apply FILE")
  reports.forEach((report, at) => {
    if (at > 0) print()
    const span = formatDuration(report.toMs - report.fromMs)
    const since = report.isYounger
      ? `, since its first record; asked for were ${formatDuration(askedMs)}`
      : ""
    print(
      `${report.site}: ${counted(report.alarms, "alarm")} in ${span} until ${when(report.toMs)}${since}\n`,
    )
    print(
      table(report.judged, [
        { title: "FIGURE", of: (one) => one.figure },
        { title: "VALUE", of: ({ value, unit }) => `${figure(value)}${unit === "" ? "" : ` ${unit}`}` },
        { title: "TARGET", of: ({ target }) => target },
        { title: "VERDICT", of: ({ verdict }) => verdict ?? "too little to say" },
      ]),
    )
    if (report.top.length === 0) return
    print()
    print(
      table(report.top, [
        { title: "MOST FREQUENT", of: ({ rule }) => rule },
        { title: "ASSET", of: ({ asset }) => asset },
        { title: "ALARMS", of: ({ count }) => count },
      ]),
    )
  })
}
