import type { Detection } from "../../core/vocabulary.ts"

/** What rules tell of a pump's vibration. */
export function detectionOf(sequence: number, overrides: Partial<Detection> = {}): Detection {
  return {
    kind: "raised",
    episode: "00000000-0000-5000-9000-000000000001",
    sequence,
    site: "north",
    asset: "P-101",
    component: null,
    rule: "vibration",
    ruleKind: "threshold",
    revision: 1,
    severity: "alarm",
    openedAtMs: 0,
    atMs: sequence,
    signal: "vibration",
    value: 8,
    limit: 7,
    unit: null,
    reason: "",
    evidence: { statistic: "value", fromMs: 0, toMs: 0, samples: [], events: [], parameters: "" },
    ...overrides,
  }
}
