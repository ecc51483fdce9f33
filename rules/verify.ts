import { readRevision } from "../core/catalogue.ts"
import type { PlantRegister } from "../core/plant-register.ts"
import type { TelemetryStore } from "../core/telemetry.ts"
import type { Finding, Sample } from "../core/vocabulary.ts"
import { prepareTrial, type Verdict } from "./verdict.ts"

/** A finding with what recomputing it came to. */
export type Verified = Verdict &
  Pick<Finding, "episode" | "sequence" | "kind" | "rule" | "atMs" | "revision"> & { readonly found: string }

/**
 * Recomputes findings from the stored telemetry and the plant's revisions. What is asked of the store are the samples
 * that decided, at most a few hundred.
 */
export async function verifyFindings(
  asset: string,
  findings: readonly Finding[],
  { store, plant }: { readonly store: TelemetryStore; readonly plant: Pick<PlantRegister, "revision"> },
): Promise<readonly Verified[]> {
  const verified: Verified[] = []
  for (const finding of findings) {
    if (finding.evidence.replay === undefined && isOnlyTold(finding)) continue
    const verdict = await verify({ ...finding, asset }, store, plant)
    const { episode, sequence, kind, rule, atMs, revision, reason: found } = finding
    verified.push({ ...verdict, episode, sequence, kind, rule, atMs, revision, found })
  }
  return verified
}

/** Ends and acknowledgements decide nothing that an order rests on. */
function isOnlyTold({ kind }: Finding): boolean {
  return !["opened", "raised", "lowered", "amended"].includes(kind)
}

async function verify(
  finding: Finding & { readonly asset: string },
  store: TelemetryStore,
  plant: Pick<PlantRegister, "revision">,
): Promise<Verdict> {
  const { asset, evidence } = finding
  const record = evidence.replay === undefined ? undefined : await plant.revision(evidence.replay.revision)
  const trial = prepareTrial(finding, record === undefined ? undefined : readRevision(record))
  if ("verdict" in trial) return trial
  const span = { fromMs: trial.fromMs, toMs: trial.toMs + 1 }
  const samples: Sample[] = []
  for (const signal of trial.signals) {
    for await (const sample of store.range({ asset, signal }, span)) samples.push(sample)
  }
  return trial.judge(samples, await store.events(asset, span))
}
