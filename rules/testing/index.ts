/** Rules without a server: cases as data, and a rule over a recording. */
export { type RecordingSpec, recordingSpec } from "./file.ts"
export { type CaseReport, testRules } from "./run.ts"
export type { Readers, Recorded } from "./trial.ts"
export { tryRule } from "./try.ts"
