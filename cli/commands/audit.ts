import { open, rename, rm } from "node:fs/promises"
import { type Command, Option } from "commander"
import { MillwrightError, messageOf } from "../../core/errors.ts"
import type { Flaw } from "../../workorders/audit-check.ts"
import { csvHead, csvRecord } from "../../workorders/report-csv.ts"
import { htmlFoot, htmlHead, htmlRecord } from "../../workorders/report-html.ts"
import type { ResultOf } from "../operations.ts"
import { timeOf } from "../options-of.ts"
import { counted, print, shortened, table, when } from "../output.ts"
import { answer, asker, type Surroundings, wholeNumberFrom } from "../shared.ts"

export function addAudit(program: Command, surroundings: Surroundings): void {
  const audit = program
    .command("audit")
    .description("who changed what in the plant, and whether the orders' histories are as they were written")

  audit
    .command("list", { isDefault: true })
    .description("who changed what in the plant, newest first")
    .option("--limit <n>", "the newest so many", wholeNumberFrom(1), 50)
    .action(async (_options, command: Command) => {
      const { limit } = command.opts()
      answer(command, await asker(command, surroundings)("audit.list", { limit }), showChanges)
    })

  audit
    .command("verify")
    .description("check that no order, and nothing in any order's history, was changed since it was written")
    .option("--order <order>", "only this one")
    .addHelpText(
      "after",
      `
Each entry of a history has a hash over itself and the hash before it; the newest one also covers the order as it is.
What is found is listed with where it is, and the command fails.

For: auditor, planner, engineer, supervisor, admin

Example:
  millwright audit verify --as ada`,
    )
    .action(async (options: { order?: string }, command: Command) => {
      const checked = await verify(asker(command, surroundings), options.order)
      answer(command, checked, showChecked)
      const { flaws } = checked
      if (flaws === 0) return
      throw new MillwrightError(
        "NOT_VERIFIED",
        `${counted(flaws, "finding")} in ${counted(checked.orders, "order")}: somebody changed the store past Millwright. Compare with a backup or an older report`,
      )
    })

  audit
    .command("report")
    .description("write all orders of an asset, a site or a period to a file, with their whole histories")
    .option("--asset <asset>", "only on this asset")
    .option("--site <site>", "only of this site")
    .option("--from <time>", "only what was open, or ended, at this time or later", timeOf)
    .option("--to <time>", "only what was asked for before this time", timeOf)
    .addOption(
      new Option("--format <format>", "to read and print, or for a spreadsheet")
        .choices(["html", "csv"])
        .default("html"),
    )
    .requiredOption("--out <file>", "where it is written to; what is there is replaced")
    .addHelpText(
      "after",
      `
For: auditor, planner, engineer, supervisor, admin

Examples:
  millwright audit report --asset P-101 --out P-101.html --as ada
  millwright audit report --from 2026-01-01T00:00Z --to 2026-04-01T00:00Z --format csv --out quarter.csv --as ada`,
    )
    .action(async (options: ReportOptions, command: Command) => {
      const written = await report(asker(command, surroundings), options)
      answer(command, written, ({ file, orders, flawed }) => {
        print(`${counted(orders, "order")} written to ${file}`)
        if (flawed > 0) print(`! ${counted(flawed, "order")} could not be verified: the report says why`)
      })
    })
}

type Ask = ReturnType<typeof asker>

/** Listed as they are; beyond these they are only counted. */
const shownAtMost = 1000

async function verify(ask: Ask, order: string | undefined) {
  const sum = { orders: 0, entries: 0, attachments: 0, flaws: 0 }
  const shown: Flaw[] = []
  let after: string | null | undefined
  while (after !== null) {
    const page: ResultOf<"audit.verify"> = await ask("audit.verify", { order, after })
    sum.orders += page.orders
    sum.entries += page.entries
    sum.attachments += page.attachments
    sum.flaws += page.flaws.length
    shown.push(...page.flaws.slice(0, shownAtMost - shown.length))
    after = page.next
  }
  return { ...sum, shown }
}

function showChecked({
  orders,
  entries,
  attachments,
  flaws,
  shown,
}: Awaited<ReturnType<typeof verify>>): void {
  if (shown.length > 0)
    print(
      table(shown, [
        { title: "ORDER", of: ({ order }) => order },
        { title: "ENTRY", of: ({ sequence }) => sequence ?? "-" },
        { title: "FOUND", of: ({ what }) => what },
      ]),
    )
  if (flaws > shown.length) print(`and ${flaws - shown.length} more`)
  const seen = `${counted(orders, "order")}, ${entries} entries, ${counted(attachments, "attachment")}`
  print(flaws === 0 ? `verified: ${seen}` : `checked: ${seen}`)
}

type ReportOptions = {
  readonly asset?: string
  readonly site?: string
  readonly from?: number
  readonly to?: number
  readonly format: "html" | "csv"
  readonly out: string
}

/** Page by page into a file beside, which takes its place when it is whole. */
async function report(ask: Ask, { asset, site, from, to, format, out }: ReportOptions) {
  const filter = { asset, site, fromMs: from, toMs: to }
  const about = [
    [asset, site].filter((one) => one !== undefined).join(", ") || "all orders",
    ...(from === undefined ? [] : [`from ${when(from)}`]),
    ...(to === undefined ? [] : [`to ${when(to)}`]),
  ].join(" ")
  const counts = { orders: 0, flawed: 0 }
  const first = await ask("audit.report", filter)
  const part = `${out}.part`
  const file = await open(part, "w").catch(unwritable)
  try {
    await file.write(format === "csv" ? csvHead() : htmlHead({ about, ...first }))
    for (let page = first; ; page = await ask("audit.report", { ...filter, after: page.next })) {
      for (const record of page.records) {
        counts.orders += 1
        if (record.flaws.length > 0) counts.flawed += 1
        await file.write(format === "csv" ? csvRecord(record) : htmlRecord(record, first.currency))
      }
      if (page.next === null) break
    }
    if (format === "html") await file.write(htmlFoot(counts))
    await file.close()
    await rename(part, out).catch(unwritable)
  } catch (error) {
    await file.close()
    await rm(part, { force: true })
    throw error
  }
  return { file: out, ...counts }
}

function unwritable(cause: unknown): never {
  throw new MillwrightError("USAGE", `the report can't be written: ${messageOf(cause)}`, { cause })
}

function showChanges(rows: ResultOf<"audit.list">): void {
  if (rows.length === 0) print("nothing was changed yet")
  else
    print(
      table(rows, [
        { title: "TIME", of: ({ atMs }) => when(atMs) },
        { title: "WHO", of: ({ actor }) => actor },
        { title: "WHAT", of: ({ action }) => action },
        { title: "ON", of: ({ subject }) => subject },
        { title: "DETAIL", of: ({ detail }) => shortened(detail, 100) },
      ]),
    )
}
