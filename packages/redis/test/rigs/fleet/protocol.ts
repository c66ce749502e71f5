/**
 * What the processes of a fleet say to each other: the test, the vendors, and the workers. All of it is JSON.
 */
import type { FailureClass, Limits } from "@route-llm/core"

/** One request of the fleet: it names what it costs, so that nobody has to guess. */
export interface Asked {
  /** The worker and a number: one of its kind. */
  readonly id: string
  readonly inputTokens: number
  readonly outputTokens: number
  /** How long the vendor takes. */
  readonly latencyMs: number
}

/** What is sent to a vendor. All times are in ms since 1970, by the clock that all processes and Redis have in common. */
export interface Call extends Asked {
  /** When its capacity was reserved. */
  readonly reservedAtMs: number
}

export interface VendorSpec {
  readonly name: string
  /** Of one window. The vendor enforces nothing; it counts. */
  readonly limits: Limits
}

/** What one vendor saw of one call. */
export interface Arrival extends Call {
  readonly vendor: string
  readonly arrivedMs: number
  /** When it was answered, or its caller was gone; absent while it is under way. */
  readonly endedMs?: number
  readonly answered: boolean
}

export type VendorsSay =
  | { readonly _tag: "Ready"; readonly url: string }
  /** After every change, while somebody watches. */
  | { readonly _tag: "Counted"; readonly arrived: number; readonly answered: number; readonly ended: number }
  | { readonly _tag: "Seen"; readonly arrivals: ReadonlyArray<Arrival> }

export type VendorsHear = { readonly _tag: "Watch" } | { readonly _tag: "Tell" }

export interface WorkerOptions {
  readonly name: string
  readonly redisUrl: string
  readonly namespace: string
  readonly vendorsUrl: string
  readonly vendors: ReadonlyArray<VendorSpec>
  readonly windowMs: number
  readonly transitMs: number
  /** What `RouterStateRedis.layer` takes beside `url` and `namespace`. */
  readonly state: Readonly<Record<string, string | number>>
  readonly seed: number
}

export type WorkerHears =
  /** So many callers, each with a request under way or in line almost always, until `Stop`. */
  | { readonly _tag: "Load"; readonly callers: number; readonly timeoutMs: number }
  | { readonly _tag: "Stop" }
  | { readonly _tag: "Ask"; readonly asked: Asked; readonly timeoutMs: number }

/** How one request ended: the provider that answered, or the error's tag. */
export type Ended =
  | { readonly _tag: "Answered"; readonly id: string; readonly provider: string }
  | {
    readonly _tag: "Failed"
    readonly id: string
    readonly error: string
    readonly message: string
    /** How its calls ended, if it came to any. */
    readonly calls: ReadonlyArray<FailureClass>
  }

/** A caller has given up a call: its vendor hears of that a little later. */
export interface GivenUp {
  readonly id: string
  readonly vendor: string
  readonly atMs: number
}

export type WorkerSays =
  | { readonly _tag: "Ready" }
  /** To `Ask`. */
  | { readonly _tag: "Ended"; readonly ended: Ended }
  /** To `Stop`, once nothing is under way: every request that it has started is in `ended`. */
  | {
    readonly _tag: "Report"
    readonly started: number
    readonly ended: ReadonlyArray<Ended>
    readonly givenUp: ReadonlyArray<GivenUp>
    /** How often it has gone on without Redis. */
    readonly outages: number
  }

export const epochMs = (): number => performance.timeOrigin + performance.now()
