/** Work orders as they travel and are kept: requests for them, the orders themselves, and what happened to them. */
import { z } from "zod"
import { job } from "./job.ts"
import { finding, name, orderType, priority, timeMs } from "./vocabulary.ts"

/** What made an order. `order`: work on another order showed the need, such as a failed check. */
const trigger = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("rule"),
    rule: name,
    ruleKind: z.string(),
    revision: z.number().int().positive(),
    episode: z.uuid(),
  }),
  z.object({
    kind: z.literal("plan"),
    plan: name,
    revision: z.number().int().positive(),
    /** As the plan has it, before it was moved into working time. */
    dueMs: timeMs,
    /** Which of the plan's triggers came first, and what it is counted from. */
    because: z.string(),
  }),
  z.object({ kind: z.literal("person"), by: z.string() }),
  /** Somebody without an account, standing before the machine. */
  z.object({ kind: z.literal("public") }),
  z.object({ kind: z.literal("order"), order: z.uuid(), number: z.string(), check: z.string().nullable() }),
])
export type Trigger = z.infer<typeof trigger>

/** Who wants the work done, and is told how it goes. */
const requester = z.object({
  kind: z.enum(["system", "person", "customer", "public"]),
  /** Of a person or customer of the plant file. */
  id: z.string().nullable(),
  name: z.string(),
  /** An address or number, as they gave it. */
  contact: z.string().nullable(),
})

export type Requester = z.infer<typeof requester>

const fields = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]))

/** Where an order comes from that rules and plans did not ask for. */
const origin = z.object({
  requester,
  /** What its template asks for beside what every request has. */
  fields,
  /** Of an installation: for whom, and by which order of theirs. */
  customer: z.string().nullable(),
  salesOrder: z.string().nullable(),
  /** The order whose work raised it. */
  parent: z.uuid().nullable(),
})
export type Origin = z.infer<typeof origin>

/** Asks for an order. `order` is made from what caused it, so a repeat asks for the same one. */
const openOrder = z.object({
  kind: z.literal("open"),
  order: z.uuid(),
  type: orderType,
  site: name,
  asset: name,
  component: name.nullable(),
  /** Two requests with one key concern one need: while an order for it is open, the second is merged into it. */
  mergeKey: z.string(),
  title: z.string(),
  description: z.string(),
  template: name.nullable(),
  job,
  priority,
  priorityReason: z.string(),
  /** Event time: when the need was seen, and until when it should be met. */
  atMs: timeMs,
  dueMs: timeMs,
  trigger,
  findings: z.array(finding),
  costCentre: z.string().nullable(),
  /** Left out: nobody but the pipeline itself asks for it. */
  origin: origin.optional(),
})
export type OpenOrder = z.infer<typeof openOrder>

/** A later step of the episode behind an order: kept as a finding; the priority only ever rises. */
const amendOrder = z.object({
  kind: z.literal("amend"),
  order: z.uuid(),
  asset: name,
  priority,
  priorityReason: z.string(),
  dueMs: timeMs,
  atMs: timeMs,
  finding,
})
export type AmendOrder = z.infer<typeof amendOrder>

/** The plant itself recorded work (a component was installed) that meets what rules had asked for until then. */
const settleOrder = z.object({
  kind: z.literal("settle"),
  asset: name,
  component: name,
  atMs: timeMs,
  reason: z.string(),
})
export type SettleOrder = z.infer<typeof settleOrder>

/** The work of a plan was done without its own order: those that ask for it and were not begun end. */
const creditOrder = z.object({
  kind: z.literal("credit"),
  asset: name,
  plan: name,
  /** By which order, where it was one. */
  by: z.uuid().nullable(),
  /** Orders asked for until then are met. */
  atMs: timeMs,
  reason: z.string(),
})
export type CreditOrder = z.infer<typeof creditOrder>

export const orderRequest = z.discriminatedUnion("kind", [openOrder, amendOrder, settleOrder, creditOrder])
export type OrderRequest = z.infer<typeof orderRequest>

/** In the order in which most orders pass through them: docs/work-orders.md draws the steps between. */
export const orderStates = [
  "requested",
  "triaged",
  "awaiting-approval",
  "approved",
  "rejected",
  "planned",
  "assigned",
  "dispatched",
  "acknowledged",
  "in-progress",
  "on-hold",
  "completed",
  "verified",
  "reopened",
  "closed",
  "cancelled",
] as const
export const orderState = z.enum(orderStates)
export type OrderState = z.infer<typeof orderState>

/** Its time is somebody's: from the plan until the work is done. */
export const takesTime: readonly OrderState[] = [
  "planned",
  "assigned",
  "dispatched",
  "acknowledged",
  "in-progress",
  "on-hold",
  "reopened",
]

/** From the approval on until the work is done. */
export const agreed: readonly OrderState[] = ["approved", ...takesTime]

/** Every state in which there is still something to be done about the order. */
export const beforeTheEnd = orderStates.filter((state) => state !== "closed" && state !== "cancelled")

/** A person's id, or `system`. */
const person = z.string()
const count = z.number().int().nonnegative()
const amount = z.number().nonnegative()
/** Bounds an order, which every one of its events carries whole. */
const many = 1000

const decision = z.object({
  level: count,
  by: person,
  /** Whose delegate decided. */
  onBehalfOf: person.nullable(),
  decision: z.enum(["approved", "rejected"]),
  comment: z.string(),
  atMs: timeMs,
})

/** The levels that the plant's approval rules asked for, as they stood when approval was asked for. */
const approval = z.object({
  askedBy: person,
  askedMs: timeMs,
  expiresMs: timeMs.nullable(),
  /** The estimated cost that the levels go by. */
  cost: amount,
  /** The budget did not cover it: an admin says why it is to be done all the same. */
  overBudget: z.boolean(),
  levels: z.array(
    z.object({
      rule: z.string(),
      /** A role, or people by their ids: any one of them decides for the level. */
      by: z.union([z.string(), z.array(person)]),
      why: z.string(),
    }),
  ),
  decisions: z.array(decision),
  /** What full approval took of a budget, until the order is closed or cancelled, or the approval taken back. */
  committed: z.object({ costCentre: z.string(), year: z.number().int(), amount }).nullable(),
})
export type Approval = z.infer<typeof approval>

const bid = z.object({
  id: z.uuid(),
  contractor: z.string(),
  amount,
  hours: amount.nullable(),
  note: z.string(),
  /** The name of an attachment. */
  document: z.string().nullable(),
  state: z.enum(["offered", "accepted", "declined"]),
  by: person,
  atMs: timeMs,
})
export type Bid = z.infer<typeof bid>

const holdReasons = ["parts", "access", "safety", "weather"] as const
export const holdReason = z.enum(holdReasons)

/** What was done, and what it took. */
const work = z.object({
  labour: z
    .array(
      z.object({
        person,
        craft: z.string().nullable(),
        /** Of an hour, in the plant's currency, as it was then. */
        rate: amount,
        kind: z.enum(["work", "travel", "waiting"]),
        attempt: count,
        startMs: timeMs,
        /** Null while the clock runs. */
        endMs: timeMs.nullable(),
      }),
    )
    .max(many),
  attempts: z
    .array(
      z.object({
        startMs: timeMs,
        endMs: timeMs.nullable(),
        outcome: z.enum(["fixed", "partly", "not-fixed"]).nullable(),
        note: z.string(),
      }),
    )
    .max(many),
  parts: z
    .array(
      z.object({
        part: z.string(),
        store: z.string(),
        quantity: amount,
        unitCost: amount,
        by: person,
        atMs: timeMs,
      }),
    )
    .max(many),
  /** What is set aside for it in the stores. */
  reserved: z.array(z.object({ part: z.string(), store: z.string(), quantity: amount })).max(many),
  tasks: z.record(
    z.string(),
    z.object({ state: z.enum(["done", "skipped"]), by: person, atMs: timeMs, note: z.string() }),
  ),
  checks: z.record(
    z.string(),
    z.object({
      value: z.union([z.string(), z.number(), z.boolean()]),
      /** Null where an answer can't fail. */
      passed: z.boolean().nullable(),
      by: person,
      atMs: timeMs,
      /** The order that the failed answer raised. */
      raised: z.uuid().nullable(),
    }),
  ),
  permits: z.record(
    z.string(),
    z.object({
      number: z.string(),
      by: person,
      grantedMs: timeMs,
      returnedMs: timeMs.nullable(),
      returnedBy: person.nullable(),
    }),
  ),
  readings: z.array(z.object({ signal: z.string(), value: z.number(), by: person, atMs: timeMs })).max(many),
  /** When the asset stood still for it or by the fault: not the same as the time of repair. */
  downtime: z.array(z.object({ startMs: timeMs, endMs: timeMs.nullable(), by: person })).max(many),
  holds: z
    .array(
      z.object({
        reason: holdReason,
        note: z.string(),
        by: person,
        startMs: timeMs,
        endMs: timeMs.nullable(),
      }),
    )
    .max(many),
  notes: z.array(z.object({ text: z.string(), by: person, atMs: timeMs })).max(many),
})
export type Work = z.infer<typeof work>

export const noWork: Work = {
  labour: [],
  attempts: [],
  parts: [],
  reserved: [],
  tasks: {},
  checks: {},
  permits: {},
  readings: [],
  downtime: [],
  holds: [],
  notes: [],
}

const cost = z.object({ labour: amount, parts: amount, services: amount, total: amount })
export type Cost = z.infer<typeof cost>

export const verdicts = ["confirmed", "false-alarm", "other-fault", "undetermined"] as const

/** What was found and decided at the end; each part is null until it is. */
const closing = z.object({
  /** Who said that the work is done; null also where the plant itself told so. */
  completed: z.object({ by: person, atMs: timeMs }).nullable(),
  /** By the lists of the asset's class; ISO 14224 calls them failure mode, mechanism, cause, and maintenance activity. */
  finding: z
    .object({
      problem: z.string(),
      mechanism: z.string().nullable(),
      cause: z.string().nullable(),
      remedy: z.string().nullable(),
      note: z.string(),
      by: person,
      atMs: timeMs,
    })
    .nullable(),
  /** Whether what rules had found was there. */
  verdict: z.object({ verdict: z.enum(verdicts), note: z.string(), by: person, atMs: timeMs }).nullable(),
  verified: z.object({ by: person, comment: z.string(), atMs: timeMs }).nullable(),
  /** `satisfaction`: 1 is the least, 5 the most. */
  signOff: z
    .object({ by: person, satisfaction: z.number().int().min(1).max(5), comment: z.string(), atMs: timeMs })
    .nullable(),
  warranty: z
    .object({ claimed: z.boolean(), covered: z.boolean(), why: z.string(), by: person, atMs: timeMs })
    .nullable(),
  cost: cost.nullable(),
})
export type Closing = z.infer<typeof closing>

export const notClosed: Closing = {
  completed: null,
  finding: null,
  verdict: null,
  verified: null,
  signOff: null,
  warranty: null,
  cost: null,
}

/** Who is to be at it when: at a task or, with null, at the order as a whole. */
const slot = z.object({ task: z.string().nullable(), person, startMs: timeMs, finishMs: timeMs })
export type Slot = z.infer<typeof slot>

const escalationStep = { of: z.enum(["response", "completion"]), step: count, to: z.string() }

/** Until when somebody must have taken the order on, and have done it; who was told that it is late. */
const sla = z.object({
  /** When these targets were set: with the order, its newest priority, or when it was opened again. */
  setMs: timeMs,
  respondByMs: timeMs,
  completeByMs: timeMs,
  respondedMs: timeMs.nullable(),
  /** Who is told of it and when, as the plant had it when the targets were set; in the order of time. */
  steps: z.array(z.object({ ...escalationStep, dueMs: timeMs })),
  /** Steps taken so far. */
  escalations: z.array(z.object({ ...escalationStep, atMs: timeMs })),
  /** When the next step is due; null when there is none. */
  nextMs: timeMs.nullable(),
})
export type Sla = z.infer<typeof sla>

const attachment = z.object({
  name: z.string(),
  mediaType: z.string(),
  bytes: count,
  /** Of the content, in hexadecimal. */
  sha256: z.string(),
  by: person,
  atMs: timeMs,
})
export type Attachment = z.infer<typeof attachment>

/** An order as the store holds it and others see it. */
export const workOrder = z.object({
  id: z.uuid(),
  number: z.string(),
  type: orderType,
  state: orderState,
  site: name,
  asset: name,
  component: name.nullable(),
  mergeKey: z.string(),
  title: z.string(),
  description: z.string(),
  template: name.nullable(),
  job,
  priority,
  priorityReason: z.string(),
  /** By how many levels its waiting has raised the priority; left out: by none so far. */
  aged: z.number().int().min(1).max(4).optional(),
  requestedMs: timeMs,
  dueMs: timeMs,
  finishedMs: timeMs.nullable(),
  trigger,
  findings: z.array(finding),
  ...origin.shape,
  costCentre: z.string().nullable(),
  approval: approval.nullable(),
  bids: z.array(bid).max(100),
  planned: z
    .object({ startMs: timeMs, finishMs: timeMs, slots: z.array(slot).max(many).default([]) })
    .nullable(),
  /** Each time that its due date was moved. */
  postponed: z
    .array(z.object({ fromMs: timeMs, toMs: timeMs, reason: z.string(), by: person, atMs: timeMs }))
    .max(many),
  assignees: z.array(person).max(100),
  work,
  closing,
  sla: sla.nullable(),
  attachments: z.array(attachment).max(200),
  links: z.array(z.object({ title: z.string(), url: z.url(), by: person, atMs: timeMs })).max(200),
  duplicateOf: z.uuid().nullable(),
  followUps: z.array(z.uuid()).max(200),
  version: z.number().int().positive(),
})
export type WorkOrder = z.infer<typeof workOrder>

/** What can happen to an order. The first three come from the pipeline, the others from people and the clock. */
export const orderEventKinds = [
  "created",
  "merged",
  "amended",
  "triaged",
  "duplicate",
  "submitted",
  "approved",
  "rejected",
  "approval-expired",
  "bid",
  "edited",
  "postponed",
  "planned",
  "assigned",
  "dispatched",
  "acknowledged",
  "declined",
  "started",
  "held",
  "resumed",
  "labour",
  "task",
  "check",
  "part",
  "permit",
  "reading",
  "downtime",
  "note",
  "attached",
  "linked",
  "follow-up",
  "completed",
  "finding",
  "verdict",
  "warranty",
  "verified",
  "reopened",
  "signed-off",
  "closed",
  "cancelled",
  "escalated",
  "aged",
  "notified",
] as const

/** What happened to an order. `sequence` counts per order from 1; `actor` is a person's id or `system`. */
export const orderEvent = z.object({
  kind: z.enum(orderEventKinds),
  sequence: z.number().int().positive(),
  atMs: timeMs,
  actor: z.string(),
  note: z.string(),
  order: workOrder,
})
export type OrderEvent = z.infer<typeof orderEvent>
