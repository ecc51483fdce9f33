import type { Logger } from "pino"
import type { Registry } from "prom-client"
import type { Catalogue } from "./catalogue.ts"
import type { Clock } from "./clock.ts"
import type { Database } from "./db/database.ts"
import type { Log } from "./log/log.ts"

/** Constructors only assemble; `start` opens; `close` waits for what is in flight. */
export interface Service {
  start(): Promise<void>
  close(): Promise<void>
  /** Rejects when the service can't go on by itself; resolves after `close`. */
  readonly done: Promise<void>
}

/** A part of the pipeline between topics of the log, with tables of its own. */
export interface Stage extends Service {
  /** Brings its tables up to date. What it may be asked without running can be asked from here on. */
  prepare(): Promise<void>
}

/** Where "now" comes from: the wall, or the newest event time seen (replays, simulations, backtests). */
export type PlantClock = "wall" | "event"

/** What every stage is handed. */
export type StageContext = {
  readonly log: Log
  readonly database: Database
  readonly catalogue: Catalogue
  readonly clock: Clock
  readonly plantClock: PlantClock
  readonly logger: Logger
  readonly metrics: Registry
}
