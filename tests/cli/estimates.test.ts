import { expect, test } from "vitest"
import { bottling } from "./bottling.ts"
import { linesOf } from "./setup.ts"

test("what services of pumps took is what the next one is expected to take", {
  timeout: 120_000,
}, async () => {
  const { at, says, refused } = await bottling("2026-03-02T06:00Z")
  const estimateOf = async (order: string) =>
    linesOf(await says(`orders show ${order} --as paul`))
      .find((line) => line.trim().startsWith("estimate"))
      ?.trim()
  expect(await refused("orders estimates --template pump-servise --as paul")).toMatch(
    /^NOT_FOUND: there is no template "pump-servise" in the plant: it has pump-repair, pump-service, /,
  )
  const asked = async (n: number) => {
    await says(`orders new --asset P-102 --template pump-service --title 'Service ${n}' --as paul`)
    return String(n)
  }
  const first = await asked(1)
  expect(await estimateOf(first)).toMatch(/^estimate {3}2 h \(as stated\)/)
  for (const [at0, minutes] of [120, 150, 180, 210, 240].entries()) {
    const order = at0 === 0 ? first : await asked(at0 + 1)
    const day = `2026-03-${String(at0 + 3).padStart(2, "0")}`
    await at(`${day}T06:00Z`)
    await says(`orders submit ${order} --as paul`)
    await says(`orders assign ${order} --to tina --as paul`)
    await says(`orders dispatch ${order} --as paul`)
    await says(`orders acknowledge ${order} --as tina`)
    await says(`orders start ${order} --as tina`)
    await says(`orders start-labour ${order} --as tina`)
    await at(new Date(Date.parse(`${day}T06:00Z`) + minutes * 60_000).toISOString())
    await says(`orders task ${order} --task grease align tighten --as tina`)
    await says(`orders check ${order} --check offset --value 0.01 --as tina`)
    await says(`orders check ${order} --check guard --value yes --as tina`)
    await says(`orders complete ${order} --as tina`)
  }
  expect(await estimateOf(await asked(6))).toMatch(
    /^estimate {3}3 h \(median of 5 orders, 80 % between 2\.2 and 3\.8 h\)/,
  )
  expect(linesOf(await says("orders estimates --template pump-service --as paul"))).toEqual([
    "TEMPLATE      CLASS  ORDERS  PLANNED  MEDIAN  80 % BETWEEN",
    "pump-service  all    5       2 h      3 h     2.2 and 3.8 h",
    "pump-service  pump   5       2 h      3 h     2.2 and 3.8 h",
  ])
  expect(linesOf(await says("orders estimates --as paul"))).toContainEqual(
    expect.stringMatching(/^pump-repair +all +0 +3 h +- +-$/),
  )
})
