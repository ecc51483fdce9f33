import { Counter, Gauge, Histogram, type Registry } from "prom-client"

export type HistorianMetrics = ReturnType<typeof historianMetrics>

/** `setAside`: how many samples and events the store could not hold so far. */
export function historianMetrics(registry: Registry, setAside: () => number) {
  const registers = [registry]
  return {
    samples: new Counter({
      name: "millwright_historian_samples_total",
      help: "Samples written to the telemetry store",
      registers,
    }),
    setAside: new Counter({
      name: "millwright_historian_set_aside_total",
      help: "Samples and events that the telemetry store can't hold, and that were left out",
      registers,
      collect() {
        this.reset()
        this.inc(setAside())
      },
    }),
    writeSeconds: new Histogram({
      name: "millwright_historian_write_seconds",
      help: "Time to write one batch and its positions, retries included",
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60],
      registers,
    }),
    batchSamples: new Histogram({
      name: "millwright_historian_batch_samples",
      help: "Samples in one batch",
      buckets: [1, 10, 100, 1000, 5000, 10_000, 25_000, 50_000],
      registers,
    }),
    lagSeconds: new Gauge({
      name: "millwright_historian_lag_seconds",
      help: "Age of the oldest record of the last batch when it was durable in the store",
      registers,
    }),
  }
}
