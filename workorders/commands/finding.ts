/** What is said of an order when the work is done: what was wrong, whether the rule was right, who pays, who is content. */
import { z } from "zod"
import type { Revision } from "../../core/catalogue.ts"
import {
  type CodeList,
  codeLists,
  codesLike,
  type FailureCodeLists,
  failureCodesFor,
  findCode,
} from "../../core/failure-codes.ts"
import { type OrderState, verdicts, type WorkOrder } from "../../core/orders.ts"
import type { Person } from "../../core/plant.ts"
import { localTime, timeZoneOf } from "../../core/wording.ts"
import { type Context, command, refuse } from "./command.ts"

const note = z.string().max(2000).default("")
const code = z.string().min(1).max(128)

/** From the first look inside on, until nothing more is to be said. */
const whileKnown: readonly OrderState[] = ["in-progress", "on-hold", "reopened", "completed", "verified"]

export const finding = command({
  summary:
    "say what was wrong and what helped, in codes; said again, it takes the place of what was said before",
  roles: ["technician", "contractor", "engineer", "planner", "supervisor", "admin"],
  assigned: ["technician", "contractor"],
  from: whileKnown,
  input: z.strictObject({
    problem: code.describe('what was wrong, as a code such as VIB; "?" is refused with a list of all codes'),
    mechanism: code.describe("what happened to the part, such as WEA").optional(),
    cause: code.describe("why it came to that, such as TEAR").optional(),
    remedy: code.describe("what helped, such as REPL").optional(),
    note,
  }),
  run(order, input, context) {
    const { actor, atMs, revision, asset } = context
    const lists = failureCodesFor(revision.plant, asset?.class)
    const problem = codeIn(lists, "problems", input.problem)
    const mechanism = input.mechanism === undefined ? null : codeIn(lists, "mechanisms", input.mechanism)
    const cause = input.cause === undefined ? null : codeIn(lists, "causes", input.cause)
    const remedy = input.remedy === undefined ? null : codeIn(lists, "remedies", input.remedy)
    const stated = {
      problem: problem.code,
      mechanism: mechanism?.code ?? null,
      cause: cause?.code ?? null,
      remedy: remedy?.code ?? null,
    }
    const said = [problem, mechanism, cause, remedy].flatMap((one) =>
      one === null ? [] : [`${one.code} (${one.text})`],
    )
    const { covered, why } = coverOf(order, context)
    const advice =
      covered && order.closing.warranty === null ? [`${why}: say with "warranty" whether to claim`] : []
    return {
      order: {
        ...order,
        closing: { ...order.closing, finding: { ...stated, note: input.note, by: actor, atMs } },
      },
      event: "finding",
      note: [said.join(", "), ...(input.note === "" ? [] : [input.note]), ...advice].join("; "),
    }
  },
})

/** Throws with the codes that may have been meant. */
function codeIn(lists: FailureCodeLists, list: CodeList, wanted: string): FailureCodeLists[CodeList][number] {
  const codes = lists[list]
  const found = findCode(codes, wanted)
  if (found !== undefined) return found
  const near = codesLike(codes, wanted)
  const shown = near.map(({ code, text }) => `${code} (${text})`).join(", ")
  return refuse(
    `"${wanted}" is no code of a ${codeLists[list]} here. ${near.length === codes.length ? "There are" : "Did you mean"}: ${shown}`,
  )
}

export const verdict = command({
  summary: "say whether what the rule had found was there",
  roles: ["technician", "contractor", "engineer", "planner", "supervisor", "admin"],
  assigned: ["technician", "contractor"],
  from: whileKnown,
  input: z.strictObject({
    verdict: z
      .enum(verdicts)
      .describe("confirmed; false-alarm: nothing was wrong; other-fault: something else was; undetermined"),
    note,
  }),
  run(order, { verdict, note: said }, { actor, atMs }) {
    if (order.trigger.kind !== "rule" && order.findings.length === 0)
      refuse(`no rule found anything for ${order.number}, so there is nothing to judge: state a finding only`)
    return {
      order: {
        ...order,
        closing: { ...order.closing, verdict: { verdict, note: said, by: actor, atMs } },
      },
      event: "verdict",
      note: said === "" ? verdict : `${verdict}: ${said}`,
    }
  },
})

export const warranty = command({
  summary: "say whether the repair is claimed from who gives the warranty",
  roles: ["technician", "engineer", "planner", "supervisor", "admin"],
  assigned: ["technician"],
  from: whileKnown,
  input: z.strictObject({
    claim: z.enum(["yes", "no"]).default("yes"),
    note,
  }),
  run(order, { claim, note: said }, context) {
    const { covered, why } = coverOf(order, context)
    const { actor: by, atMs } = context
    const claimed = claim === "yes"
    return {
      order: { ...order, closing: { ...order.closing, warranty: { claimed, covered, why, by, atMs } } },
      event: "warranty",
      note: [claimed ? "claimed" : "not claimed", why, ...(said === "" ? [] : [said])].join("; "),
    }
  },
})

/** Whether the asset was under warranty on the day, at its site, when the need was seen. */
function coverOf(
  { asset, site, findings, requestedMs }: WorkOrder,
  { asset: known, revision }: Pick<Context, "asset" | "revision">,
): { covered: boolean; why: string } {
  const terms = known?.warranty
  if (terms === undefined) return { covered: false, why: `${asset} has no warranty in the plant file` }
  const seenMs = Math.min(requestedMs, ...findings.map(({ openedAtMs }) => openedAtMs))
  const day = localTime(seenMs, timeZoneOf(revision.plant, site)).slice(0, 10)
  const until = `warranty by ${terms.by} until ${terms.until}`
  return day <= terms.until
    ? { covered: true, why: `covered: seen on ${day}, ${until}` }
    : { covered: false, why: `not covered: seen on ${day}, after the ${until}` }
}

export const signOff = command({
  summary: "say, as who asked for the work, that it is done and how content you are",
  roles: ["requester", "customer", "technician", "storekeeper", "planner", "engineer", "supervisor", "admin"],
  from: ["completed", "verified"],
  input: z.strictObject({
    satisfaction: z.int().min(1).max(5).describe("from 1, the least, to 5, the most"),
    comment: note,
  }),
  run(order, { satisfaction, comment }, { actor, atMs, person, revision }) {
    if (person !== undefined) mustSign(order, person, revision)
    return {
      order: { ...order, closing: { ...order.closing, signOff: { by: actor, satisfaction, comment, atMs } } },
      event: "signed-off",
      note: `${satisfaction} of 5${comment === "" ? "" : `: ${comment}`}`,
    }
  },
})

/** Throws `NOT_POSSIBLE` for somebody whose word it is not. */
function mustSign(order: WorkOrder, person: Person, { plant }: Revision): void {
  const { whose, signers } = signersOf(order, plant.people)
  if (signers.some(({ id }) => id === person.id)) return
  refuse(
    `${order.number} is signed off by ${whose}: ${signers.map(({ id }) => id).join(", ") || "there is nobody"}`,
  )
}

/** The customer, whoever inside the plant asked for them; else the requester; else who answers for the work. */
function signersOf({ customer, requester }: WorkOrder, people: readonly Person[]) {
  const ofCustomer = people.filter((one) => customer !== null && one.customer === customer)
  const asked = ofCustomer.length > 0 ? ofCustomer : people.filter(({ id }) => id === requester.id)
  if (asked.length > 0) return { whose: "who asked for it", signers: asked }
  return {
    whose: "a supervisor or admin, as nobody who asked has an account",
    signers: people.filter(({ roles }) => roles.some((role) => role === "supervisor" || role === "admin")),
  }
}
