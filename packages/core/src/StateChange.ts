/**
 * What a state tells of itself while it works.
 *
 * @since 0.1.0
 */
import type { FailureClass } from "./FailureClass.ts"
import type { Dimension } from "./RateLimit.ts"
import type { StateFailure, StateFailurePolicy } from "./RouterEvent.ts"
import type { CircuitState } from "./Status.ts"

/**
 * Something about a provider, or about the state itself, that changed for the requests to come.
 *
 * @since 0.1.0
 */
export type StateChange =
  | {
    readonly _tag: "CircuitMoved"
    readonly provider: string
    readonly from: CircuitState
    readonly to: CircuitState
    readonly atMs: number
  }
  | {
    readonly _tag: "Benched"
    readonly provider: string
    readonly because: FailureClass
    readonly forMs: number
    readonly atMs: number
  }
  | {
    /** A limit in force is another one from now on: the vendor told it, or refused. */
    readonly _tag: "LimitLearned"
    readonly provider: string
    readonly dimension: Dimension
    readonly limit: number
    readonly atMs: number
  }
  | {
    /** The shared store is away. From now on this instance goes on by itself, as `policy` says. */
    readonly _tag: "StateFailed"
    readonly reason: StateFailure
    /** The store's own words. */
    readonly message: string
    readonly policy: StateFailurePolicy
    readonly atMs: number
  }
  | {
    /** The shared store is back, and knows what this instance did meanwhile. */
    readonly _tag: "StateRecovered"
    readonly afterMs: number
    readonly atMs: number
  }
