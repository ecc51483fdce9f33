import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, test } from "vitest"
import { readRevision } from "../../core/catalogue.ts"
import { orderEventKinds } from "../../core/orders.ts"
import { parsePlant } from "../../core/plant.ts"
import { checkAutomations } from "../../workorders/automation-check.ts"
import { compileCondition } from "../../workorders/automation-condition.ts"
import { facts } from "../../workorders/automation-facts.ts"
import { matchOf } from "../../workorders/automation-match.ts"
import { openOrder } from "../../workorders/change.ts"
import { plantRevision } from "../revision.ts"
import { people } from "./office.ts"
import { at, finding, open } from "./requests.ts"

const source = people.replace(
  "class: pump, criticality: A }",
  "class: pump, criticality: A, attributes: { power: 55, medium: acid, spare: true } }",
)
const revision = readRevision(plantRevision(source))

/** Two hours after the request of an order on P-101. */
function matches(condition: string, more: Parameters<typeof open>[1] = {}): boolean | string {
  const { order } = openOrder(open(1, more), 12).event
  const happening = {
    kind: "created",
    actor: "system",
    note: "rule bearing-hot",
    atMs: at(2),
    order,
  } as const
  return matchOf({ if: condition })(happening, revision)
}

describe("a condition that holds", () => {
  test.each([
    'order.type == "predictive" && order.priority <= 3 && asset.class == "pump"',
    'order.number == "WO-000012" && order.component == "bearing" && order.template == ""',
    "order.priority == 3 && order.priority in [3, 4] && order.priority != 2",
    "order.ageHours == 2 && order.ageHours * 60 > 119 && order.hoursLeft > 97.5 && !order.overdue",
    "order.estimatedHours == 2.5 && order.hoursLeft / 24 < 5",
    'order.trigger == "rule" && order.rule == "bearing-hot" && order.ruleKind == "threshold" && order.plan == ""',
    'order.requester == "system" && order.requestedBy == "" && order.costCentre == ""',
    'order.findings == 1 && order.severity == "warning" && order.open && !order.shutdown',
    'order.assignees == [] && size(order.skills) == 0 && !("tina" in order.assignees)',
    '!order.skills.exists(skill, skill.startsWith("vib")) && order.skills.all(skill, skill == "x")',
    'order.title.contains("runs hot") && order.title.lowerAscii().startsWith("bearing")',
    'asset.attributes.power > 50 && asset.attributes.medium == "acid" && asset.attributes.spare == true',
    "has(asset.attributes.power) && !has(asset.attributes.weight)",
    'asset.id == order.asset && asset.site == "north" && asset.criticality == "A"',
    'event.kind == "created" && event.actor == "system" && event.note.endsWith("hot")',
  ])("%s", (condition) => {
    expect(matches(condition)).toBe(true)
  })
})

test("an order is judged by the worst that was found and not taken back", () => {
  const worse = finding(1, 1, { severity: "alarm" })
  expect(matches('order.severity == "alarm"', { findings: [finding(1, 0), worse] })).toBe(true)
  const takenBack = finding(1, 1, { severity: "alarm", kind: "withdrawn" })
  expect(matches('order.severity == ""', { findings: [finding(1, 0), takenBack] })).toBe(true)
})

test("an asset that has left the plant has nothing to ask for", () => {
  expect(matches('asset.class == "" && asset.id == "P-9"', { asset: "P-9" })).toBe(true)
})

describe("a condition that can't be told says where and why", () => {
  test.each([
    ["asset.attributes.weight > 5", 'line 1, column 18: there is no "weight": ask has(…) first'],
    [
      'order.priority < 9 &&\nasset.attributes.power > "x"',
      "line 2, column 1: number > text does not go together",
    ],
    ["1 / 0 == 1", "line 1, column 1: division by zero"],
  ])("%s", (condition, why) => {
    expect(matches(condition)).toBe(why)
  })
})

const functions =
  "has, size, contains, startsWith, endsWith, lowerAscii, upperAscii, exists, all, exists_one, int, double, string"

describe("what is wrong with a condition is told with its place", () => {
  test.each([
    ["order.prioritty == 1", "line 1, column 7: there is no order.prioritty: did you mean order.priority?"],
    [
      "asset.colour == 1",
      "line 1, column 7: there is no asset.colour: expected one of id, name, class, site, criticality, location, costCentre, attributes",
    ],
    ["has(event.who)", "line 1, column 11: there is no event.who: expected one of kind, actor, note"],
    ["ordr.priority == 1", 'line 1, column 1: there is no "ordr": expected one of order, event, asset'],
    ['order.priority == "1"', "line 1, column 1: number == text does not go together"],
    ["order.open &&\n  order.title > 3", "line 2, column 3: text > number does not go together"],
    ["order.assignees == 1", "line 1, column 1: list of texts == number does not go together"],
    ["order == 1", "line 1, column 1: order == number does not go together"],
    ["order.priority", "line 1, column 1: expected true or false as the result, got number"],
    ["order.title", "line 1, column 1: expected true or false as the result, got text"],
    [
      "asset.attributes.hot",
      "line 1, column 1: expected true or false as the result, got a value of any type: compare it, as in == true",
    ],
    ["order.priority <", "line 1, column 17: unexpected end"],
    ["order.title.size(1) > 1", "line 1, column 1: there is no 'text.size(number)'"],
    [
      'order.title.matches("(a+)+$")',
      `line 1, column 1: there is no matches here: expected one of ${functions}`,
    ],
    ["cel.bind(x, 1, x > 0)", `line 1, column 1: there is no bind here: expected one of ${functions}`],
    [
      "size(order.skills.map(x, x + x)) > 1",
      `line 1, column 6: there is no map here: expected one of ${functions}`,
    ],
    [
      "order.skills.exists(a, order.skills.all(b, a == b))",
      "line 1, column 24: all can't be within another loop",
    ],
    ['order["priority"] == 1', "line 1, column 1: write order.NAME, without brackets"],
    ['{"a": 1} == {"a": 2}', "line 1, column 1: a condition can't make maps"],
    [`order.title == "${"x".repeat(1000)}"`, "expected at most 1000 characters, got 1017"],
    ['order.title == "\uD800"', "line 1, column 17: half a character, which no text can have"],
    [`${"(".repeat(40)}order.open${")".repeat(40)}`, "line 1, column 33: Exceeded maxDepth (32)"],
  ])("%s", (condition, problem) => {
    expect(compileCondition(condition)).toEqual({ problem })
  })
})

const automation = (rest: string) => `${people}\nautomations:\n  - { id: one, ${rest} }\n`

test("a plant file with such a condition is refused", () => {
  const plant = parsePlant(automation('when: created, if: "order.prioritty == 1", then: [{ priority: 1 }]'))
  expect(checkAutomations(plant)).toEqual([
    'automation "one": if: line 1, column 7: there is no order.prioritty: did you mean order.priority?',
  ])
  expect(checkAutomations(parsePlant(automation("when: created, then: [{ priority: 1 }]")))).toEqual([])
})

describe("a plant file is refused with", () => {
  test.each([
    [
      "when: creatd, then: [{ priority: 1 }]",
      /one" *\]?\.when: expected an event of an order \(created, merged, /,
    ],
    ["when: notified, then: [{ priority: 1 }]", /when: expected an event of an order/],
    ["when: created, then: []", /then: /],
    [
      "when: created, then: [{}]",
      /then\[0\]: expected one of assign, priority, approval, notify, followUp, each as a step/,
    ],
    ["when: created, then: [{ priority: 1, approval: ask }]", /then\[0\]: expected one of assign, priority/],
    ["when: created, then: [{ priority: 9 }]", /then\[0\]\.priority: /],
    ["when: created, then: [{ close: now }]", /then\[0\]: .*"close"/],
    ["when: created, then: [{ assign: [tom] }]", /then\[0\]\.assign: there is no person "tom" in this file/],
    [
      "when: created, then: [{ notify: { to: boss, text: x } }]",
      /notify\.to: there is no role and no person "boss" in this file/,
    ],
    [
      'when: created, then: [{ notify: { to: sara, text: "{numbr}" } }]',
      /notify\.text: there is no \{numbr\} to fill in: expected one of \{number\}, \{title\}/,
    ],
    [
      "when: created, then: [{ followUp: { template: paint } }]",
      /followUp\.template: there is no template "paint" in this file/,
    ],
    [
      "when: created, then: [{ followUp: { priority: 2 } }]",
      /followUp: expected a template, a title, or both/,
    ],
    ["when: created, whenn: x, then: [{ priority: 1 }]", /"whenn"/],
  ])("%s", (rest, message) => {
    expect(() => parsePlant(automation(rest))).toThrow(message)
  })

  test("two automations of one name, and a person called like an automation", () => {
    const one = "{ id: one, when: created, then: [{ priority: 1 }] }"
    expect(() => parsePlant(`${people}\nautomations: [${one}, ${one}]\n`)).toThrow(
      'automations[1] "one".id: "one" is there twice',
    )
    const posing = "{ id: automation/one, name: X, roles: [admin] }"
    expect(() => parsePlant(people.replace("people:", `people:\n  - ${posing}`))).toThrow(
      "expected 1 to 128 letters",
    )
  })
})

test("docs/automations.md tells of every name that a condition can ask for, and every event but `notified`", () => {
  const text = readFileSync(join(import.meta.dirname, "../../docs/automations.md"), "utf8")
  const [, told = ""] = /^## If$(.*?)^Operators:/ms.exec(text) ?? []
  const names = Object.entries(facts).flatMap(([root, of]) =>
    Object.keys(of).map((name) => `${root}.${name}`),
  )
  const rows = told.split("\n").filter((line) => line.startsWith("| `"))
  const listed = rows.flatMap((row) =>
    [...(row.split("|")[1] ?? "").matchAll(/`(.+?)`/g)].map(([, name]) => name),
  )
  expect(listed.toSorted()).toEqual(names.toSorted())
  const [, when = ""] = /^## When$(.*?)^What an automation causes/ms.exec(text) ?? []
  const kinds = orderEventKinds.filter((kind) => kind !== "notified")
  expect([...when.matchAll(/`(.+?)`/g)].map(([, kind]) => kind).toSorted()).toEqual(kinds.toSorted())
})
