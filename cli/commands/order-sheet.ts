/** One order in full, as a planner, a technician or an auditor reads it: only the parts that there are. */
import type { Check } from "../../core/job.ts"
import type { Trigger, WorkOrder } from "../../core/orders.ts"
import type { Evidence } from "../../core/vocabulary.ts"
import { inHours } from "../../workorders/estimates.ts"
import { money } from "../../workorders/money.ts"
import { own } from "../../workorders/readiness.ts"
import type { ResultOf } from "../operations.ts"
import { figure, print, printable, when } from "../output.ts"

export function showOrder(shown: ResultOf<"orders.show">): void {
  const { order, history, findingCount, related, currency } = shown
  const named: Named = (id) => related.find((one) => one.id === id)?.number ?? id
  const paid: Paid = (amount) => money(amount, { currency }).trim()
  print(`${order.number}  ${printable(order.title)}\n`)
  facts(headOf(order, named, costOf(shown, paid)))
  if (order.description !== "") print(`\n${indented(order.description)}`)
  section(
    "Fields",
    Object.entries(order.fields).map(([key, value]) => `${key}: ${inWords(value)}`),
  )
  section("Approval", approvalOf(order, paid))
  section("Bids", bidsOf(order, paid))
  section("What it takes", needsOf(order, paid))
  section("Tasks", tasksOf(order))
  section("Checklist", checklistOf(order, named))
  section("Permits", permitsOf(order))
  section("Parts", partsOf(order, paid))
  section("Labour", labourOf(order, paid))
  section("Attempts", attemptsOf(order))
  section(
    "Meter readings",
    order.work.readings.map(
      ({ signal, value, by, atMs }) => `${when(atMs)}  ${signal} ${figure(value)}, by ${by}`,
    ),
  )
  section(
    "Standstill",
    order.work.downtime.map(({ startMs, endMs, by }) => `${span(startMs, endMs)}, by ${by}`),
  )
  section(
    "On hold",
    order.work.holds.map(
      ({ startMs, endMs, reason, note, by }) => `${span(startMs, endMs)}  ${reason}${tail(note)}, by ${by}`,
    ),
  )
  section(
    "Notes",
    order.work.notes.map(({ text, by, atMs }) => `${when(atMs)}  ${by}: ${text}`),
  )
  section("Closing", closingOf(order, paid))
  section("Times promised", slaOf(order))
  section(
    "Due date moved",
    order.postponed.map(
      ({ fromMs, toMs, reason, by }) => `${when(fromMs)} to ${when(toMs)} by ${by}${tail(reason)}`,
    ),
  )
  section(
    "Attachments",
    order.attachments.map(
      ({ name, mediaType, bytes, sha256, by, atMs }) =>
        `${when(atMs)}  ${name} (${mediaType}, ${bytes} bytes) by ${by}, SHA-256 ${sha256}`,
    ),
  )
  section(
    "Links",
    order.links.map(({ title, url, by }) => `${title}: ${url} (by ${by})`),
  )
  section(
    "Follow-ups",
    related
      .filter(({ id }) => order.followUps.includes(id))
      .map(({ number, state, title }) => `${number}  ${state}: ${title}`),
  )
  showFindings(order, findingCount)
  print("\nHistory")
  for (const { atMs, actor, kind, note } of history)
    print(`  ${when(atMs)}  ${actor}  ${kind}: ${printable(note)}`)
}

/** An order's number by its id. */
type Named = (id: string) => string
/** An amount in the plant's currency. */
type Paid = (amount: number) => string

type Fact = readonly [title: string, text: string]

function facts(all: readonly Fact[]): void {
  for (const [title, text] of all) print(`  ${title.padEnd(10)} ${printable(text)}`)
}

function section(title: string, lines: readonly string[]): void {
  if (lines.length === 0) return
  print(`\n${title}`)
  for (const line of lines) print(`  ${printable(line)}`)
}

function indented(text: string): string {
  return text
    .split("\n")
    .map((line) => (line === "" ? "" : `  ${printable(line)}`))
    .join("\n")
}

function inWords(value: string | number | boolean): string {
  return typeof value === "boolean" ? (value ? "yes" : "no") : String(value)
}

/** The facts that there are. */
function some(all: readonly (readonly [string, string | null | undefined])[]): readonly Fact[] {
  return all.flatMap(([title, text]): Fact[] =>
    text === null || text === undefined || text === "" ? [] : [[title, text]],
  )
}

const tail = (note: string) => (note === "" ? "" : `: ${note}`)

const span = (startMs: number, endMs: number | null) =>
  `${when(startMs)} to ${endMs === null ? "now" : when(endMs)}`

/** Hours as people write them: 1.5 h. */
const hours = (ms: number) => `${Number((ms / 3_600_000).toFixed(2))} h`

/** What is expected of it: how long it takes, and what it is to cost. */
function costOf({ order, estimate, cost }: ResultOf<"orders.show">, paid: Paid): readonly Fact[] {
  const { closing } = order
  const { expected, soFar } = cost
  const spent = soFar.labour + soFar.parts
  const price = expected === null || expected.total === 0 ? "" : `, ${paid(expected.total)}`
  return [
    ["estimate", `${inHours(estimate.hours)} h (${estimate.reason})${price}`],
    ...some([
      ["spent", closing.cost === null && spent > 0 ? `${paid(spent)} on labour and parts so far` : null],
    ]),
  ]
}

function headOf(order: WorkOrder, named: Named, costs: readonly Fact[]): readonly Fact[] {
  const { requester, planned, job } = order
  return [
    ["type", `${order.type}, ${order.state}`],
    ["asset", `${order.asset}${order.component === null ? "" : `, ${order.component}`} at ${order.site}`],
    ["priority", `${order.priority} (${order.priorityReason})`],
    [
      "requested",
      `${when(order.requestedMs)}${requester.kind === "system" ? "" : ` by ${requesterOf(order)}`}`,
    ],
    ["due", when(order.dueMs)],
    ["finished", when(order.finishedMs)],
    ["trigger", describeTrigger(order.trigger)],
    ...costs,
    ...some([
      ["template", order.template],
      ["customer", order.customer],
      ["sales order", order.salesOrder],
      ["pays", order.costCentre],
      ["planned", planned && span(planned.startMs, planned.finishMs)],
      ["assigned", order.assignees.join(", ")],
      ["obligation", job.obligation && `${job.obligation.authority}, ${job.obligation.regulation}`],
      [
        "procedure",
        job.sop &&
          `${job.sop.document}, revision ${job.sop.revision}${job.sop.url === undefined ? "" : `, ${job.sop.url}`}`,
      ],
      ["raised by", order.parent && named(order.parent)],
      ["goes on in", order.duplicateOf && named(order.duplicateOf)],
    ]),
  ]
}

function requesterOf({ requester: { kind, id, name, contact } }: WorkOrder): string {
  const who =
    kind === "public" ? `${name}, without an account` : id === null || id === name ? name : `${name} (${id})`
  return contact === null ? who : `${who}, ${contact}`
}

function approvalOf({ approval }: WorkOrder, paid: Paid): readonly string[] {
  if (approval === null) return []
  const { askedBy, askedMs, expiresMs, cost, levels, decisions } = approval
  const until = expiresMs === null ? "" : `, stands until ${when(expiresMs)}`
  return [
    `asked for by ${askedBy} ${when(askedMs)} at an estimated cost of ${paid(cost)}${until}`,
    ...levels.map(({ by, why }, level) => {
      const wanted = typeof by === "string" ? by : by.join(" or ")
      const decided = decisions.find((one) => one.level === level)
      if (decided === undefined) return `${level + 1}. ${wanted} (${why}): open`
      const inPlaceOf = decided.onBehalfOf === null ? "" : ` for ${decided.onBehalfOf}`
      return `${level + 1}. ${wanted} (${why}): ${decided.decision} by ${decided.by}${inPlaceOf} ${when(decided.atMs)}${tail(decided.comment)}`
    }),
  ]
}

function bidsOf({ bids }: WorkOrder, paid: Paid): readonly string[] {
  return bids
    .toSorted((a, b) => a.amount - b.amount)
    .map(
      ({ contractor, amount, hours: needed, state, note, document }) =>
        `${contractor}: ${paid(amount)}${needed === null ? "" : ` for ${needed} h`}, ${state}${document === null ? "" : `, see ${document}`}${tail(note)}`,
    )
}

function needsOf({ job }: WorkOrder, paid: Paid): readonly string[] {
  const lists: readonly Fact[] = some([
    ["skills", job.skills.join(", ")],
    ["qualifications", job.qualifications.join(", ")],
    ["tools", job.tools.join(", ")],
    ["documents", job.documents.join(", ")],
    ["phases", job.phases.join(", then ")],
    ["services", job.services === 0 ? null : paid(job.services)],
    ["safety", job.safety === "critical" ? "critical" : null],
    ["shutdown", job.shutdown ? "the asset must stand still" : null],
    ["verification", job.verification ? "by somebody else than who did it" : null],
    ["sign-off", job.signOff ? "by the customer" : null],
  ])
  return lists.map(([title, text]) => `${title}: ${text}`)
}

function tasksOf({ job, work }: WorkOrder): readonly string[] {
  return job.tasks.map(({ id, title, hours: needed, craft, after, phase, assignee }) => {
    const done = own(work.tasks, id)
    const more = some([
      ["phase", phase],
      ["hours", needed === undefined ? null : String(needed)],
      ["craft", craft],
      ["after", after.join(", ")],
      ["by", assignee],
    ]).map(([what, text]) => `${what} ${text}`)
    const details = more.length === 0 ? "" : ` (${more.join("; ")})`
    const state =
      done === undefined ? "" : `  ${done.state} by ${done.by} ${when(done.atMs)}${tail(done.note)}`
    return `${id}. ${title}${details}${state}`
  })
}

function checklistOf({ job, work }: WorkOrder, named: Named): readonly string[] {
  return job.checklist.map((one) => {
    const answer = own(work.checks, one.id)
    const wanted = `${one.id}. ${one.text}${limitsOf(one)}${one.required ? "" : " (may be left out)"}`
    if (answer === undefined) return `${wanted}: open`
    const passed = answer.passed === null ? "" : answer.passed ? ", passed" : ", failed"
    const value = inWords(answer.value)
    const raised = answer.raised === null ? "" : `, raised ${named(answer.raised)}`
    return `${wanted}: ${value}${passed}, by ${answer.by} ${when(answer.atMs)}${raised}`
  })
}

function limitsOf({ answer }: Check): string {
  if (answer.kind !== "number") return ""
  const { min, max, unit = "" } = answer
  const limits = [
    min === undefined ? [] : `at least ${min}`,
    max === undefined ? [] : `at most ${max}`,
  ].flat()
  return limits.length === 0 && unit === "" ? "" : ` (${[limits.join(", "), unit].filter(Boolean).join(" ")})`
}

function permitsOf({ job, work }: WorkOrder): readonly string[] {
  const asked = job.permits.map(({ kind }) => kind)
  return [...new Set([...asked, ...Object.keys(work.permits)])].map((kind) => {
    const permit = own(work.permits, kind)
    const text = job.permits.find((one) => one.kind === kind)?.text
    const wanted = `${kind}${text === undefined ? "" : ` (${text})`}`
    if (permit === undefined) return `${wanted}: not granted`
    const returned =
      permit.returnedMs === null ? "still out" : `returned by ${permit.returnedBy} ${when(permit.returnedMs)}`
    return `${wanted}: ${permit.number}, granted by ${permit.by} ${when(permit.grantedMs)}, ${returned}`
  })
}

function partsOf({ job, work }: WorkOrder, paid: Paid): readonly string[] {
  return [
    ...job.materials.map(
      ({ part, quantity, store }) =>
        `needed: ${quantity} of ${part}${store === undefined ? "" : ` from ${store}`}`,
    ),
    ...work.reserved.map(({ part, quantity, store }) => `reserved: ${quantity} of ${part} in ${store}`),
    ...work.parts.map(
      ({ part, quantity, store, unitCost, by, atMs }) =>
        `used: ${quantity} of ${part} from ${store} at ${paid(unitCost)}, by ${by} ${when(atMs)}`,
    ),
  ]
}

function labourOf({ work: { labour } }: WorkOrder, paid: Paid): readonly string[] {
  const byTime = labour.toSorted((a, b) => a.startMs - b.startMs)
  return byTime.map(({ person, craft, kind, rate, startMs, endMs }) => {
    const took = endMs === null ? "running" : hours(endMs - startMs)
    return `${span(startMs, endMs)}  ${person}${craft === null ? "" : `, ${craft}`}: ${kind}, ${took} at ${paid(rate)}`
  })
}

function attemptsOf({ work: { attempts } }: WorkOrder): readonly string[] {
  return attempts.map(
    ({ startMs, endMs, outcome, note }, at) =>
      `${at + 1}. ${span(startMs, endMs)}: ${outcome ?? "no outcome yet"}${tail(note)}`,
  )
}

function closingOf(
  { closing: { finding, verdict, verified, signOff, warranty, cost } }: WorkOrder,
  paid: Paid,
): readonly string[] {
  const found =
    finding &&
    [finding.problem, finding.mechanism, finding.cause, finding.remedy].map((code) => code ?? "-").join(", ")
  return some([
    [
      "finding",
      finding && `${found}${tail(finding.note)} (problem, mechanism, cause, remedy; by ${finding.by})`,
    ],
    ["verdict", verdict && `${verdict.verdict}${tail(verdict.note)}, by ${verdict.by}`],
    ["verified", verified && `by ${verified.by} ${when(verified.atMs)}${tail(verified.comment)}`],
    [
      "signed off",
      signOff &&
        `by ${signOff.by} ${when(signOff.atMs)}, satisfaction ${signOff.satisfaction} of 5${tail(signOff.comment)}`,
    ],
    [
      "warranty",
      warranty && `${warranty.claimed ? "claimed" : "not claimed"}, by ${warranty.by} (${warranty.why})`,
    ],
    [
      "cost",
      cost &&
        `${paid(cost.total)} (labour ${paid(cost.labour)}, parts ${paid(cost.parts)}, services ${paid(cost.services)})`,
    ],
  ]).map(([title, text]) => `${title}: ${text}`)
}

function slaOf({ sla }: WorkOrder): readonly string[] {
  if (sla === null) return []
  const taken = sla.respondedMs === null ? "" : `, taken on ${when(sla.respondedMs)}`
  return [
    `to be taken on by ${when(sla.respondByMs)}${taken}`,
    `to be done by ${when(sla.completeByMs)}`,
    ...sla.escalations.map(
      ({ of, step, to, atMs }) => `${when(atMs)}  late ${of}, step ${step + 1}: told ${to}`,
    ),
  ]
}

function showFindings({ findings }: WorkOrder, findingCount: number): void {
  if (findings.length === 0) return
  print(`\nFindings (${findingCount})`)
  for (const { atMs, kind, severity, reason, value, evidence } of findings) {
    print(`  ${when(atMs)}  ${kind}, ${severity}: ${printable(reason)}`)
    // A step that judged nothing, such as the end by a new component, rests on no samples.
    if (value !== null || evidence.replay !== undefined)
      print(`  ${" ".repeat(16)}  ${printable(describeEvidence(evidence))}`)
  }
}

/** The newest that decided, each signal's values and each code's times side by side. */
function describeEvidence({ statistic, samples, events }: Evidence): string {
  const bySignal = sideBySide(samples.slice(-4), ({ signal, value }) => [signal, figure(value)])
  const byCode = sideBySide(events.slice(-4), ({ code, atMs }) => [code, when(atMs)])
  const grounds = [...bySignal, ...byCode].join("; ")
  return grounds === "" ? statistic : `${statistic}: ${grounds}`
}

function sideBySide<T>(all: readonly T[], told: (one: T) => readonly [string, string]): string[] {
  const texts = new Map<string, string>()
  for (const [name, text] of all.map(told)) {
    const before = texts.get(name)
    texts.set(name, before === undefined ? text : `${before}, ${text}`)
  }
  return [...texts].map(([name, text]) => `${name} ${text}`)
}

function describeTrigger(trigger: Trigger): string {
  switch (trigger.kind) {
    case "plan":
      return `plan ${trigger.plan} (revision ${trigger.revision}), occurrence due ${when(trigger.dueMs)}`
    case "rule":
      return `rule ${trigger.rule} (${trigger.ruleKind}, revision ${trigger.revision}), episode ${trigger.episode}`
    case "person":
      return `asked for by ${trigger.by}`
    case "public":
      return "asked for at the asset"
    case "order":
      return `work on ${trigger.number}${trigger.check === null ? "" : `, check ${trigger.check} failed`}`
  }
}
