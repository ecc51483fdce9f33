import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pino } from "pino"
import { afterAll, afterEach, expect, test } from "vitest"
import { parse, stringify } from "yaml"
import type { AssetEvent, Detection, Reading, Severity, TelemetryRecord } from "../../core/vocabulary.ts"
import { severities } from "../../core/vocabulary.ts"
import { openSqliteTelemetry } from "../../ingest/historian/sqlite-store.ts"
import { laneCore } from "../../rules/memory.ts"
import { verifyFindings } from "../../rules/verify.ts"
import { plantRevision } from "../revision.ts"
import { everyCase } from "./every-case.ts"

const directory = mkdtempSync(join(tmpdir(), "rules-verified-"))
const store = await openSqliteTelemetry(join(directory, "telemetry.sqlite"), {
  logger: pino({ level: "silent" }),
})
afterEach(() => store.forgetBefore(Number.MAX_SAFE_INTEGER))
afterAll(async () => {
  await store.close()
  rmSync(directory, { recursive: true })
})

type Stored = Reading | AssetEvent
const isStored = (record: TelemetryRecord): record is Stored =>
  record.kind === "reading" || record.kind === "event"

/** Whether something was told again otherwise: the store keeps what came last, the rules went by what came first. */
function isRetold(records: readonly TelemetryRecord[]): boolean {
  const seen = new Map<string, string>()
  return records.some((record) => {
    if (record.kind !== "reading") return false
    return Object.entries(record.values).some(([signal, value]) => {
      const key = `${record.asset} ${signal} ${record.atMs}`
      const told = `${value} ${record.quality?.[signal]}`
      const before = seen.get(key) ?? told
      seen.set(key, before)
      return before !== told
    })
  })
}

const named = (await everyCase())
  .filter(({ records }) => !isRetold(records))
  .filter(({ found }) => found.some(({ evidence }) => evidence.replay !== undefined))
  .map((one) => [one.name, one] as const)

async function verdicts(source: string, findings: readonly Detection[]): Promise<string[]> {
  const plant = { revision: async () => plantRevision(source, { effectiveMs: Number.MIN_SAFE_INTEGER }) }
  const told: string[] = []
  for (const finding of findings) {
    const verified = await verifyFindings(finding.asset, [finding], { store, plant })
    told.push(
      ...verified.map(({ verdict, reason }) => (verdict === "same" ? verdict : `${verdict}: ${reason}`)),
    )
  }
  return told
}

const all = (findings: readonly unknown[], verdict: unknown) => findings.map(() => verdict)

/** The same plant, but each rule has another severity. */
function otherwise(source: string): string {
  const plant: { rules: { severity?: Severity }[] } = parse(source)
  const rules = plant.rules.map((rule) => ({
    ...rule,
    severity: severities[(severities.indexOf(rule.severity ?? "warning") + 1) % severities.length],
  }))
  return stringify({ ...plant, rules })
}

test.each(named)("its findings are recomputed from the store: %s", async (_, { source, records, found }) => {
  const stored = records.filter(isStored)
  await store.write(stored)
  const findings = found.filter(({ evidence }) => evidence.replay !== undefined)
  expect(await verdicts(source, findings)).toEqual(all(findings, "same"))
})

test.each(named)(
  "a sample that is changed afterwards is noticed: %s",
  async (_, { source, records, found }) => {
    const stored = records.filter(isStored)
    await store.write(stored)
    for (const finding of found) {
      const decided = newestSample(finding)
      if (decided === undefined) continue
      const { signal, atMs, value } = decided
      const original = stored.find(
        (one) =>
          one.kind === "reading" &&
          one.asset === finding.asset &&
          one.atMs === atMs &&
          one.values[signal] === value,
      )
      if (original?.kind !== "reading") continue
      await store.write([{ ...original, values: { ...original.values, [signal]: value + 1 } }])
      expect(await verdicts(source, [finding])).toEqual([expect.stringMatching(/^(different|unavailable): /)])
      await store.write([original])
      expect(await verdicts(source, [finding])).toEqual(["same"])
    }
  },
)

/** The newest sample that counts as evidence and is not in the rule's memory already. */
function newestSample({ evidence: { samples, replay } }: Detection) {
  const core = laneCore.safeParse(replay?.state)
  if (!core.success) return undefined
  return samples.findLast(({ signal, atMs }) =>
    core.data.series.some((one) => one.signal === signal && one.markMs < atMs),
  )
}

test.each(named)(
  "without telemetry nothing is confirmed, nor by other rules: %s",
  async (_, { source, records, found }) => {
    // Where nothing came since the memory was copied, it is the memory alone that decided.
    const findings = found.filter(({ evidence }) => (evidence.replay?.records ?? 0) > 0)
    expect(await verdicts(source, findings)).toEqual(all(findings, expect.stringMatching(/^unavailable: /)))
    await store.write(records.filter(isStored))
    expect(await verdicts(otherwise(source), findings)).toEqual(
      all(findings, expect.stringMatching(/^different: .* has other parameters/)),
    )
  },
)
