/**
 * What a state tells of itself while it works.
 *
 * @since 0.1.0
 */
import type { FailureClass } from "./FailureClass.ts"
import type { Dimension } from "./RateLimit.ts"

type Circuit = "closed" | "open" | "half_open"

/**
 * Something about a provider, or about the state itself, that changed for the requests to come.
 *
 * @since 0.1.0
 */
export type StateChange =
  | {
    readonly _tag: "CircuitMoved"
    readonly provider: string
    readonly from: Circuit
    readonly to: Circuit
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
    /**
     * The shared store does not answer (`timeout`, `unreachable`), answers with an error (`refused`), or has lost what it
     * held (`lost`). From now on this instance goes on by itself, as `policy` says.
     */
    readonly _tag: "StateFailed"
    readonly reason: "timeout" | "unreachable" | "refused" | "lost"
    /** The store's own words. */
    readonly message: string
    readonly policy: "share" | "open" | "closed"
    readonly atMs: number
  }
  | {
    /** The shared store is back, and knows what this instance did meanwhile. */
    readonly _tag: "StateRecovered"
    readonly afterMs: number
    readonly atMs: number
  }
