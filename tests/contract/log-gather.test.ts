import { expect, test } from "vitest"
import { Gatherer } from "../../core/log/kafka/gather.ts"

const turn = () => new Promise((resolve) => setImmediate(resolve))

test("what comes together is dealt with together; what comes meanwhile is dealt with next, and waited for", async () => {
  const dealt: (readonly string[])[] = []
  const ends: (() => void)[] = []
  const gatherer = new Gatherer<string>((gathered) => {
    dealt.push(gathered)
    return new Promise((resolve) => ends.push(resolve))
  })
  const settled: string[] = []
  const add = (one: string) => gatherer.add(one).then(() => settled.push(one))
  const first = [add("a"), add("b")]
  while (dealt.length < 1) await turn()
  // As another broker's answer does while the first is in hand.
  const second = add("c")
  await turn()
  expect(dealt).toEqual([["a", "b"]])
  ends[0]?.()
  await Promise.all(first)
  expect(settled).toEqual(["a", "b"])
  while (dealt.length < 2) await turn()
  expect(dealt[1]).toEqual(["c"])
  expect(settled).toEqual(["a", "b"])
  expect(gatherer.isBusy).toBe(true)
  ends[1]?.()
  await second
  expect(settled).toEqual(["a", "b", "c"])
  await turn()
  expect(gatherer.isBusy).toBe(false)
})

test("a failure concerns those who took part, and what comes later is dealt with all the same", async () => {
  const dealt: (readonly string[])[] = []
  const gatherer = new Gatherer<string>(async (gathered) => {
    dealt.push(gathered)
    if (gathered.includes("bad")) throw new Error("a bad one")
  })
  await expect(Promise.all([gatherer.add("bad"), gatherer.add("with it")])).rejects.toThrow("a bad one")
  await gatherer.add("good")
  expect(dealt).toEqual([["bad", "with it"], ["good"]])
})
