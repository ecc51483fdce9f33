import type { AssetEvent, Reading, Sample } from "./vocabulary.ts"

export type Bucket = {
  readonly fromMs: number
  readonly count: number
  readonly min: number
  readonly max: number
  readonly mean: number
}

export type Series = { readonly asset: string; readonly signal: string }

/** From inclusive, to exclusive, in event time. */
export type Span = { readonly fromMs: number; readonly toMs: number }

/**
 * The plant's history. A sample is named by (asset, signal, time): written again it reads as one, and where the
 * value differs the one written last is read. Events are named by (asset, code, time) and the part
 * of the asset that they are about (`partOf`): two components may be changed at one time.
 */
export interface TelemetryStore {
  /** Resolves when durable. Rejects with `STORE_FAILED`; writing the same again is safe. */
  write(batch: readonly (Reading | AssetEvent)[]): Promise<void>
  /** Samples in order of time. */
  range(series: Series, span: Span): AsyncIterable<Sample>
  last(series: Series): Promise<Sample | undefined>
  /** One bucket for each `bucketMs` that has samples, aligned to multiples of it; samples of bad quality don't count. */
  downsample(series: Series, span: Span, bucketMs: number): Promise<readonly Bucket[]>
  events(asset: string, span: Span): Promise<readonly AssetEvent[]>
  series(): Promise<readonly Series[]>
  /** Forgets samples and events before this time. */
  forgetBefore(atMs: number): Promise<void>
  close(): Promise<void>
}
