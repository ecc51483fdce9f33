import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { expect, inject, onTestFinished, test } from "vitest"
import { ordersOfFiveWeeks, pdmData } from "../journey/pdm-orders.ts"
import { ownStores } from "./stores.ts"

const expectation = join(import.meta.dirname, "../journey/azure-pdm.orders.json")

test("the replay of the Azure PdM sample gives on servers the orders that it gives on files, by id and content", async () => {
  const stores = await ownStores(inject("servers"))
  onTestFinished(() => stores.dispose())
  const found = await ordersOfFiveWeeks(pdmData(), stores.overrides)
  expect(found).toEqual(JSON.parse(await readFile(expectation, "utf8")))
})
