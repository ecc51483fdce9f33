import { spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { expect, test } from "vitest"
import type { Consumer } from "../../core/log/log.ts"
import { errorAt, requests } from "./log-proxy.ts"
import {
  administer,
  byKey,
  listening,
  openLog,
  openThrough,
  options,
  Recorder,
  shared,
  until,
  upTo,
  values,
} from "./log-setup.ts"
import { type Value, valueTopic } from "./log-topic.ts"

const turn = () => new Promise((resolve) => setImmediate(resolve))

test("a sharing-out that Kafka announces and never makes leaves nobody without partitions", async () => {
  const { proxy, log } = await openThrough()
  const topic = valueTopic("announced")
  const recorder = new Recorder()
  await log.subscribe(topic, "readers", recorder)
  await log.append(topic, values(0, 20))
  await until(() => recorder.seen.length === 20)
  const rebalanceInProgress = 27
  let announced = 0
  proxy.change((request, answer) => {
    if (request === requests.heartbeat && announced++ === 0) answer.writeInt16BE(rebalanceInProgress, errorAt)
  })
  await until(() => recorder.owned.size === 0)
  await log.append(topic, values(20, 40))
  await until(() => recorder.seen.length === 40)
  expect(recorder.numbers).toEqual(upTo(40))
})

test("a member whose broker no longer has its group looks for the one that has, and keeps its partitions", async () => {
  const { lines, logger } = listening()
  const { proxy, log } = await openThrough({ logger })
  const topic = valueTopic("moved")
  const recorder = new Recorder()
  await log.subscribe(topic, "readers", recorder)
  const notCoordinator = 16
  const ofGroups: readonly number[] = [requests.findCoordinator, requests.joinGroup, requests.heartbeat]
  const asked: number[] = []
  const beats = () => asked.filter((request) => request === requests.heartbeat).length
  proxy.change((request, answer) => {
    if (!ofGroups.includes(request)) return
    asked.push(request)
    if (request === requests.heartbeat && beats() <= 2) answer.writeInt16BE(notCoordinator, errorAt)
  })
  await until(() => beats() === 4)
  const { heartbeat, findCoordinator } = requests
  expect(asked).toEqual([heartbeat, findCoordinator, heartbeat, findCoordinator, heartbeat, heartbeat])
  await log.append(topic, values(0, 20))
  await until(() => recorder.seen.length === 20)
  expect(recorder.owned.size).toBe(8)
  expect(lines).toEqual([])
})

test("a group that Kafka does not let in is told once, with what to do, and shown until it does", async () => {
  const { lines, logger } = listening()
  const { proxy, log } = await openThrough({ logger })
  const topic = valueTopic("forbidden")
  await log.append(topic, values(0, 20))
  const groupAuthorizationFailed = 30
  let refusals = 0
  proxy.change((request, answer) => {
    if (request !== requests.joinGroup || refusals === 2) return
    refusals++
    answer.writeInt16BE(groupAuthorizationFailed, errorAt)
  })
  const recorder = new Recorder()
  const subscribing = log.subscribe(topic, "readers", recorder)
  await until(() => log.reach.state !== "running")
  expect(log.reach.state).toMatch(/refuses group test-\w+\.readers\.forbidden .* may not join its groups/)
  // What is appended is taken all the same.
  expect(log.reach.isReached).toBe(true)
  await log.append(topic, values(20, 30))
  await subscribing
  expect(log.reach.state).toBe("running")
  await until(() => recorder.seen.length === 30)
  expect(lines.map(({ level, msg }) => [level, msg])).toEqual([
    [50, expect.stringMatching(/refuses group .*Give kafka.user the rights .*Trying again$/)],
    [30, expect.stringMatching(/^Kafka takes group .* again$/)],
  ])
})

test("a member has saved what it gives up before another one loads it", async () => {
  const { prefix } = options()
  const topic = valueTopic("handed")
  const [first, second] = [await openLog({ prefix }), await openLog({ prefix })]
  const owners = new Map<number, string>()
  const overlaps: number[] = []
  const member = (name: string): Consumer<Value> => ({
    load: async (partition) => {
      if (owners.has(partition)) overlaps.push(partition)
      owners.set(partition, name)
      return 0
    },
    process: async () => {},
    revoked: async (partitions) => {
      // Saving takes a while, in which the others wait.
      for (let turns = 0; turns < 1000; turns++) await turn()
      for (const partition of partitions) owners.delete(partition)
    },
  })
  const share = (name: string) => [...owners.values()].filter((owner) => owner === name).length
  const one = await first.subscribe(topic, "readers", member("one"))
  const two = await second.subscribe(topic, "readers", member("two"))
  await until(() => share("one") === 4 && share("two") === 4)
  await two.close()
  await until(() => share("one") === 8)
  await one.close()
  expect(overlaps).toEqual([])
})

test("the partitions of a process that is killed go to the others", async () => {
  const { prefix } = options()
  const topic = valueTopic("shared")
  const log = await openLog({ prefix })
  await log.append(topic, values(0, 80))
  const script = fileURLToPath(new URL("log-member.ts", import.meta.url))
  const child = spawn(process.execPath, ["--import", "tsx", script, shared, prefix, topic.name, "readers"], {
    stdio: ["ignore", "pipe", "inherit"],
  })
  let said = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text
  })
  await until(() => said.includes("joined"))
  const recorder = new Recorder()
  await log.subscribe(topic, "readers", recorder)
  await until(() => recorder.owned.size === 4)
  child.kill("SIGKILL")
  await once(child, "exit")
  await log.append(topic, values(80, 120))
  await until(() => recorder.owned.size === 8)
  await until(() => new Set(recorder.numbers).size === 120)
  for (const numbers of byKey(recorder.seen)) expect(numbers).toEqual([...numbers].sort((a, b) => a - b))
})

test("lags tell how far every group is, in whichever process its members are", async () => {
  const { prefix } = options()
  const [here, there] = [await openLog({ prefix }), await openLog({ prefix })]
  const topic = valueTopic("watched.closely")
  await here.append(topic, values(0, 50))
  const recorder = new Recorder()
  const subscription = await here.subscribe(topic, "some.readers", recorder)
  await until(() => recorder.seen.length === 50)
  await until(async () => (await there.lags()).length === 1)
  expect(await here.lags()).toEqual([
    { topic: topic.name, group: "some.readers", behind: 0, uncommitted: 50 },
  ])
  for (const [partition, position] of recorder.positions) subscription.commit(partition, position)
  await until(async () => (await there.lags())[0]?.uncommitted === 0)
  expect(await there.lags()).toEqual([
    { topic: topic.name, group: "some.readers", behind: 0, uncommitted: 0 },
  ])
  await expect(there.declareDead(topic, "some.readers")).rejects.toMatchObject({ code: "USAGE" })
  await subscription.close()
  await there.declareDead(topic, "some.readers")
  await there.declareDead(topic, "some.readers")
  expect(await there.lags()).toEqual([])
})

test("reading leaves no group behind, also when it is broken off", async () => {
  const { prefix } = options()
  const log = await openLog({ prefix })
  const topic = valueTopic("read")
  await log.append(topic, values(0, 1000))
  for await (const { value } of log.read(topic)) if (value.n >= 0) break
  const follower = await log.follow(topic, () => {})
  await follower.close()
  const { groups } = await administer((admin) => admin.listGroups())
  expect(groups.filter(({ groupId }) => groupId.startsWith(prefix))).toEqual([])
})
