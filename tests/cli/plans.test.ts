import { connectAsync } from "mqtt"
import { expect, onTestFinished, test } from "vitest"
import { answer, linesOf, runCommand, servePlant } from "./setup.ts"

const hour = 3_600_000
const day = 24 * hour
const startMs = Date.UTC(2026, 2, 2, 6)

const plant = `
plant: works
sites: [{ id: works, timeZone: Europe/Berlin }]
classes: [{ id: pump, components: [bearing], signals: { hours: { unit: h, kind: meter } } }]
assets: [{ id: P-101, site: works, class: pump }]
people:
  - { id: ada, name: Ada, roles: [admin, engineer] }
  - { id: pia, name: Pia, roles: [planner] }
  - { id: tom, name: Tom, roles: [technician], craft: fitter, crew: early }
crafts: [{ id: fitter }]
crews: [{ id: early, site: works, hours: { mon: [["06:00", "14:00"]], tue: [["06:00", "14:00"]] } }]
templates:
  - { id: small-service, title: "Small service of {asset}", tasks: [{ title: Oil, hours: 1, craft: fitter }] }
  - { id: big-service, title: "Big service of {asset}", tasks: [{ title: Overhaul, hours: 6, craft: fitter }] }
  - { id: grease, title: "Grease {asset}", estimatedHours: 0.5 }
plans:
  - { id: service-500, for: { class: pump }, template: small-service, triggers: [{ meter: hours, every: 500 }] }
  - id: service-1000
    for: { class: pump }
    template: big-service
    triggers: [{ meter: hours, every: 1000 }]
    contains: [service-500]
  - { id: grease, for: { class: pump }, template: grease, schedule: { every: 30d }, mode: floating, start: due }
`

async function served() {
  const { directory, pipeline } = await servePlant(plant)
  const gateway = await connectAsync(pipeline.url)
  onTestFinished(() => gateway.endAsync())
  let sent = 0
  return {
    says: (words: string, last?: string) => answer(directory, words, last),
    fails: async (words: string) => {
      const { failure } = await runCommand([...words.split(" "), "--directory", directory])
      return failure instanceof Error ? failure.message : "it did not fail"
    },
    /** The meter reads so much so many days after the start. */
    async reads(days: number, hours: number) {
      const time = new Date(startMs + days * day).toISOString()
      await gateway.publishAsync("v1/works/P-101/telemetry", JSON.stringify({ time, values: { hours } }), {
        qos: 1,
      })
      sent += 1
    },
    async settled() {
      await pipeline.taken(sent)
      await pipeline.settled()
    },
  }
}

/** When each plan is due, as `plans list` tells it. */
async function standing({ says }: Awaited<ReturnType<typeof served>>) {
  const { plans } = JSON.parse(await says("plans list --json"))
  return Object.fromEntries(
    (plans as { plan: string; because: string; meter: { reading: number } | null }[]).map(
      ({ plan, because, meter }) => [plan, meter === null ? because : `${because} at ${meter.reading}`],
    ),
  )
}

test("nested services, a floating plan, credit and forecast through the command line", async () => {
  const works = await served()
  const { says, fails, reads, settled } = works
  for (let at = 0; at <= 40; at++) await reads(at, 100 + 10 * at)
  await settled()
  // 500 h are reached on the last of these days; the grease plan is due where it begins.
  expect(linesOf(await says("orders list")).filter((line) => line.includes("P-101"))).toHaveLength(2)
  expect(await standing(works)).toEqual({
    "service-500": "hours every 500, counted from 500, when it was due at 1000",
    "service-1000": "hours every 1000, counted from 0, where the plan began at 1000",
    grease: "waits until its order is done",
  })

  for (const step of ["triage", "submit", "assign --to tom", "dispatch"])
    await says(
      `orders ${step.replace(" ", ` ${await greaseOrder()} `)}${step.includes(" ") ? "" : ` ${await greaseOrder()}`} --as pia`,
    )
  async function greaseOrder() {
    const { orders } = JSON.parse(await says("orders list --json"))
    return (orders as { number: string; template: string }[]).find(({ template }) => template === "grease")
      ?.number
  }
  for (const step of ["acknowledge", "start", "complete"])
    await says(`orders ${step} ${await greaseOrder()} --as tom`)
  await settled()
  await reads(41, 510)
  await settled()
  expect((await standing(works)).grease).toMatch(
    /^every 30 d, counted from 2026-04-1\d .*, when it was done$/,
  )

  expect(await fails("plans credit --plan grease --asset P-101 --reason seen --as tom")).toContain(
    '"tom" may not do this',
  )
  expect(await fails("plans credit --plan greese --asset P-101 --reason seen --as pia")).toContain(
    'there is no plan "greese" in the plant: expected one of service-500, service-1000, grease',
  )
  await says("plans credit --plan service-1000 --asset P-101 --as pia --reason", "done by the maker")
  expect(await says("audit --as ada")).toContain("plans.credit")
  await settled()
  // At 510 h the service at 1,000 h is nearer than the beginning, so it is met.
  expect(await says("plans history --plan service-1000")).toContain(
    "credited  pia: done by the maker: the next time is met",
  )
  expect((await standing(works))["service-1000"]).toBe(
    "hours every 1000, counted from 1000, when other work did it at 2000",
  )

  const forecast = JSON.parse(await says("plans forecast --months 6 --json"))
  expect(forecast.weeks.length).toBeGreaterThan(3)
  expect(await says("plans forecast --months 6 --orders")).toContain("Grease P-101")
  expect(await says("plans forecast --months 6")).toContain("CREWS HAVE")
})
