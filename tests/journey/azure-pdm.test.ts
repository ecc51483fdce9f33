import { existsSync } from "node:fs"
import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { expect, test } from "vitest"
import { ordersOfFiveWeeks, pdmData } from "./pdm-orders.ts"

const data = pdmData()
const expectation = join(import.meta.dirname, "azure-pdm.orders.json")
const isThere = existsSync(data)
if (!isThere)
  console.warn(`${data} is not there: the replay of the Azure PdM sample is skipped (MILLWRIGHT_DATA)`)

test.runIf(isThere)(
  "five weeks of ten machines, replayed over MQTT, give the orders that they always gave",
  async () => {
    const found = await ordersOfFiveWeeks(data, {})
    if (process.env.UPDATE_EXPECTATION)
      await writeFile(expectation, `${JSON.stringify(found, undefined, 2)}\n`)
    expect(found).toEqual(JSON.parse(await readFile(expectation, "utf8")))
  },
)
