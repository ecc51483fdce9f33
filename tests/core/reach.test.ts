import { pino } from "pino"
import { expect, test } from "vitest"
import { anyTrouble, Reach } from "../../core/reach.ts"
import { ManualClock } from "../manual-clock.ts"

function setup(waits = true) {
  const clock = new ManualClock()
  const lines: { readonly level: number; readonly msg: string }[] = []
  const logger = pino({ level: "info" }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const reach = new Reach({ name: "Kafka", where: "k1:9092", clock, logger, waits, explain: anyTrouble })
  return { clock, reach, said: () => lines.map(({ msg }) => msg) }
}

const refused = Object.assign(new Error("connect"), { code: "ECONNREFUSED" })
const never = new AbortController().signal

test("a server that does not answer is told once for each reason, and once when it answers again", async () => {
  const { clock, reach, said } = setup()
  const answers = [refused, refused, new Error("bad password"), refused]
  const done = reach.until(async () => {
    const next = answers.shift()
    if (next !== undefined) throw next
    return "here"
  }, never)
  for (let waits = 0; waits < 4; waits++) await clock.advance(10_000)
  expect(await done).toBe("here")
  expect(said()).toEqual([
    expect.stringMatching(/^Kafka at k1:9092 can't be used: nothing listens there.*Start it.*Trying again$/),
    expect.stringMatching(/bad password/),
    expect.stringMatching(/nothing listens there/),
    "Kafka answers again",
  ])
  expect(reach.state).toBe("running")
})

test("its state is in words, for health", () => {
  const { reach } = setup()
  expect(reach.state).toBe("connecting")
  reach.failed(refused)
  expect(reach.state).toBe("not usable at k1:9092: nothing listens there (ECONNREFUSED)")
  expect(reach.isReached).toBe(false)
  reach.succeeded()
  expect(reach.isReached).toBe(true)
})

test("a command does not wait: it is told at once what, where and what to do", async () => {
  const { reach, said } = setup(false)
  await expect(reach.until(() => Promise.reject(refused), never)).rejects.toMatchObject({
    code: "SERVER_UNREACHABLE",
    message: expect.stringMatching(/^Kafka at k1:9092 .*Start it/),
  })
  expect(said()).toEqual([])
})

test("an error that is not the server's is thrown as it is", async () => {
  const { reach } = setup()
  const own = new Error("a bug")
  await expect(
    reach.until(
      () => Promise.reject(own),
      never,
      (error) => error !== own,
    ),
  ).rejects.toBe(own)
  expect(reach.state).toBe("connecting")
})

test("whoever stops ends the wait", async () => {
  const { clock, reach } = setup()
  const stop = new AbortController()
  const waiting = reach.until(() => Promise.reject(refused), stop.signal)
  const ended = expect(waiting).rejects.toMatchObject({ code: "SERVER_UNREACHABLE" })
  await clock.advance(1000)
  stop.abort()
  await clock.advance(10_000)
  await ended
})

test("a call that began before the newest answer and fails after it says nothing of now", async () => {
  const { clock, reach, said } = setup()
  let fail: (error: Error) => void = () => {}
  const first = new Promise<never>((_, reject) => {
    fail = reject
  })
  const works = [() => first, () => Promise.resolve("late")]
  const slow = reach.until(() => works.shift()?.() ?? Promise.resolve("late"), never)
  await reach.until(() => Promise.resolve(), never)
  fail(refused)
  await new Promise((resolve) => setImmediate(resolve))
  await clock.advance(10_000)
  expect(await slow).toBe("late")
  expect(said()).toEqual([])
})
