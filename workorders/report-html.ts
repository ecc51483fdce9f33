/** A report as one HTML page, to read and to print: nothing is loaded from elsewhere, and nothing in it can run. */
import type { WorkOrder } from "../core/orders.ts"
import { own } from "./readiness.ts"
import type { ReportRecord } from "./report.ts"
import { decidersOf, iso, workersOf } from "./report-words.ts"

export type ReportHeading = {
  /** What it is about: "P-101", or a site and period. */
  readonly about: string
  readonly plant: string
  readonly currency: string
  readonly madeMs: number
  readonly madeBy: string
}

/** Markup that was escaped: only `html` makes it. */
type Html = { readonly html: string }
type Part = Html | string | number | null | undefined | readonly Part[]

/** Whatever is put in is text, unless it is markup made in the same way. */
function html(texts: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return { html: texts.map((text, at) => text + written(parts[at])).join("") }
}

function written(part: Part): string {
  if (part === null || part === undefined) return ""
  if (typeof part === "string" || typeof part === "number") return escaped(String(part))
  return isHtml(part) ? part.html : part.map(written).join("")
}

function isHtml(part: Html | readonly Part[]): part is Html {
  return !Array.isArray(part)
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
}

/** Characters that turn the direction of writing could show a text as another one: they are shown as their code. */
function escaped(text: string): string {
  return text
    .replace(/[&<>"']/g, (character) => entities[character] ?? character)
    .replace(/[\p{Cc}\p{Bidi_Control}]/gu, (character) =>
      character === "\n" || character === "\t"
        ? character
        : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
    )
}

const style = `
body { font: 10pt/1.4 system-ui, sans-serif; color: #111; margin: 2em auto; max-width: 60em; padding: 0 1em }
h1 { font-size: 16pt } h2 { font-size: 13pt; margin: 0 } h3 { font-size: 10pt; margin: 1em 0 .3em }
section { border-top: 2px solid #111; padding: 1em 0; margin-top: 2em }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1em 1em; margin: .5em 0 }
dt { color: #555 } dd { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; border-bottom: 1px solid #ccc; padding: .2em .6em .2em 0; overflow-wrap: anywhere }
th { color: #555; font-weight: normal } small { font: 7pt monospace; color: #555 }
.flaws { border: 2px solid #b00; padding: .5em 1em; color: #b00 } .sound { color: #060 }
@page { margin: 15mm } @media print { body { margin: 0; max-width: none } section { break-before: page; border: 0; margin: 0 } tr { break-inside: avoid } thead { display: table-header-group } }
`

export function htmlHead({ about, plant, madeMs, madeBy }: ReportHeading): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
${html`<title>Work orders: ${about}</title>`.html}
<style>${style}</style>
</head>
<body>
${
  html`<h1>Work orders: ${about}</h1>
<p>Plant ${plant}. Made by ${madeBy} at ${iso(madeMs)}. All times are UTC. Each entry of a history has a SHA-256 hash
over itself and the hash before it: keep this report, and later histories can be held against it.</p>`.html
}
`
}

export function htmlFoot({ orders, flawed }: { readonly orders: number; readonly flawed: number }): string {
  const sound = `Verified orders: ${orders - flawed} of ${orders}.`
  const result =
    flawed === 0
      ? html`<p class="sound">${sound} Nothing was changed since it was written.</p>`
      : html`<p class="flaws">${sound} Each of the others says what is not as it was written.</p>`
  return `<section>\n${result.html}\n</section>\n</body>\n</html>\n`
}

export function htmlRecord({ number, order, history, flaws }: ReportRecord, currency: string): string {
  const verified =
    flaws.length === 0
      ? html`<p class="sound">History verified: ${history.length} entries, the newest as the order is now.</p>`
      : html`<div class="flaws"><p>The history could not be verified:</p><ul>${flaws.map(
          ({ sequence, what }) =>
            html`<li>${sequence === null ? "The order" : `Entry ${sequence}`} ${what}</li>`,
        )}</ul></div>`
  return `${
    html`<section>
<h2>${number} ${order?.title}</h2>
${verified}
${order === null ? null : content(order, currency)}
<h3>History</h3>
${table(
  ["", "Time", "Who", "What", "Note", "Hash"],
  history.map(({ sequence, atMs, actor, kind, note, hash }) => [
    sequence,
    iso(atMs),
    actor,
    kind,
    note,
    html`<small>${hash}</small>`,
  ]),
)}
</section>`.html
  }\n`
}

function content(order: WorkOrder, currency: string): Html {
  const { closing, requester, trigger } = order
  const { finding, verdict, verified, signOff, warranty, cost } = closing
  const codes =
    finding && [finding.problem, finding.mechanism, finding.cause, finding.remedy].map((code) => code ?? "-")
  return html`${list([
    ["Type, state", `${order.type}, ${order.state}, version ${order.version}`],
    ["Where", [order.site, order.asset, order.component].filter((one) => one !== null).join(" / ")],
    ["Description", order.description],
    [
      "Asked for",
      `${iso(order.requestedMs)} by ${requester.name}${trigger.kind === "rule" ? ` (rule ${trigger.rule}, revision ${trigger.revision})` : trigger.kind === "plan" ? ` (plan ${trigger.plan})` : ""}`,
    ],
    ["Customer", [order.customer, order.salesOrder].filter((one) => one !== null).join(", ")],
    [
      "Obligation",
      order.job.obligation && `${order.job.obligation.authority}: ${order.job.obligation.regulation}`,
    ],
    ["Priority, due", `${order.priority} (${order.priorityReason}), ${iso(order.dueMs)}`],
    ["Approved by", decidersOf(order).join(", ")],
    ["Done by", workersOf(order).join(", ")],
    ["Finished", iso(order.finishedMs)],
    [
      "Problem, mechanism, cause, remedy",
      codes && `${codes.join(", ")}${note(finding?.note)} (${finding?.by})`,
    ],
    ["Verdict", verdict && `${verdict.verdict}${note(verdict.note)} (${verdict.by})`],
    ["Verified by", verified && `${verified.by} at ${iso(verified.atMs)}${note(verified.comment)}`],
    [
      "Signed off by",
      signOff &&
        `${signOff.by} at ${iso(signOff.atMs)}, satisfaction ${signOff.satisfaction} of 5${note(signOff.comment)}`,
    ],
    [
      "Warranty",
      warranty && `${warranty.claimed ? "claimed" : "not claimed"}; ${warranty.why} (${warranty.by})`,
    ],
    [
      "Cost",
      cost &&
        `${cost.total.toFixed(2)} ${currency}: labour ${cost.labour.toFixed(2)}, parts ${cost.parts.toFixed(2)}, services ${cost.services.toFixed(2)}`,
    ],
  ])}
${part(
  "Findings",
  ["Time", "Rule", "What"],
  order.findings.map(({ atMs, rule, revision, kind, reason }) => [
    iso(atMs),
    `${rule} (revision ${revision})`,
    `${kind}: ${reason}`,
  ]),
)}
${part(
  "Checks",
  ["Check", "Answer", "Passed", "Who", "Time"],
  order.job.checklist.flatMap(({ id, text }) => {
    const answer = own(order.work.checks, id)
    return answer === undefined
      ? []
      : [
          [
            text,
            String(answer.value),
            answer.passed === null ? "-" : answer.passed ? "yes" : "no",
            answer.by,
            iso(answer.atMs),
          ],
        ]
  }),
)}
${part(
  "Labour",
  ["Who", "What", "From", "To"],
  order.work.labour.map(({ person, kind, startMs, endMs }) => [person, kind, iso(startMs), iso(endMs)]),
)}
${part(
  "Parts used",
  ["Part", "Quantity", "Unit cost", "Who", "Time"],
  order.work.parts.map((one) => [
    `${one.part} from ${one.store}`,
    one.quantity,
    one.unitCost,
    one.by,
    iso(one.atMs),
  ]),
)}
${part(
  "Attachments",
  ["Name", "Bytes", "SHA-256", "Who", "Time"],
  order.attachments.map((one) => [
    one.name,
    one.bytes,
    html`<small>${one.sha256}</small>`,
    one.by,
    iso(one.atMs),
  ]),
)}`
}

function note(text: string | undefined): string {
  return text === undefined || text === "" ? "" : `: ${text}`
}

/** Only what there is. */
function list(rows: readonly (readonly [string, string | null])[]): Html {
  const known = rows.filter(([, text]) => text !== null && text !== "")
  return html`<dl>${known.map(([title, text]) => html`<dt>${title}</dt><dd>${text}</dd>\n`)}</dl>`
}

function part(title: string, titles: readonly string[], rows: readonly (readonly Part[])[]): Html | null {
  return rows.length === 0 ? null : html`<h3>${title}</h3>\n${table(titles, rows)}\n`
}

function table(titles: readonly string[], rows: readonly (readonly Part[])[]): Html {
  return html`<table><thead><tr>${titles.map((title) => html`<th>${title}</th>`)}</tr></thead><tbody>
${rows.map((row) => html`<tr>${row.map((cell) => html`<td>${cell}</td>`)}</tr>\n`)}</tbody></table>`
}
