/**
 * What the router remembers between requests: the ledger of each provider's window, latency, circuit breaker, bench
 * and session pins, behind three operations. `reserve` looks and takes in one atomic step, so that no two callers are
 * ever granted the same capacity; a driver for a shared store needs one round trip for it.
 *
 * @since 0.1.0
 */
import { Context, type Effect, Layer, type Stream } from "effect"
import type { Priority } from "./ChatRequest.ts"
import type { Usage } from "./ChatResponse.ts"
import type { FailureClass } from "./FailureClass.ts"
import { makeMemoryState } from "./internal/memoryState.ts"
import type { ProviderSpec } from "./Provider.ts"

/**
 * What one attempt asks of the ledger.
 *
 * @since 0.1.0
 */
export interface Demand {
  /** The same array as long as no provider came or went: the driver may key its own structures by it. */
  readonly providers: ReadonlyArray<ProviderSpec>
  readonly lane: Priority
  /** The estimate, before the provider's learned ratio. */
  readonly inputTokens: number
  readonly maxTokens?: number | undefined
  readonly sessionId?: string | undefined
  readonly forceProvider?: string | undefined
  /** Providers this route has called already. */
  readonly tried: ReadonlyArray<string>
  /** Breaks ties: uniform in [0, 1). */
  readonly draw: number
}

/**
 * - `requests_full`, `tokens_full`: the window has no room for this request in its lane;
 * - `too_large`: it would not fit into an empty window;
 * - `circuit_open`, `probing`: the breaker is open, or half-open with its one probe under way;
 * - `benched`: set aside until a known time;
 * - `tried`: this route has called it already;
 * - `not_forced`: another provider was forced.
 *
 * @since 0.1.0
 */
export type RefusalReason =
  | "requests_full"
  | "tokens_full"
  | "too_large"
  | "circuit_open"
  | "probing"
  | "benched"
  | "tried"
  | "not_forced"

/**
 * Why a provider was not a candidate, and in how many ms that ends at the earliest (`Infinity`: not by waiting).
 *
 * @since 0.1.0
 */
export interface Refusal {
  readonly provider: string
  readonly reason: RefusalReason
  readonly retryAfterMs: number
  /** With `requests_full`, `tokens_full`, `too_large`: what is needed of which limit. */
  readonly needed?: number
  readonly limit?: number
}

/**
 * Capacity taken before the call. It is settled exactly once; settling it again does nothing.
 *
 * @since 0.1.0
 */
export interface Reservation {
  readonly provider: string
  readonly inputTokens: number
  readonly outputTokens: number
  /** The input estimate before the learned ratio, which settling corrects. */
  readonly estimatedInputTokens: number
  /** The vendor has charged `outputTokens` on arrival, whatever the answer takes. */
  readonly outputCharged: boolean
  readonly reservedAtMs: number
  /** Which life of the breaker it belongs to: a result of an earlier life never moves it. */
  readonly epoch: number
  readonly sessionId?: string | undefined
}

/**
 * One provider as the ledger sees it.
 *
 * @since 0.1.0
 */
export interface ProviderState {
  readonly name: string
  readonly model: string
  /** Reserved and used in the window. */
  readonly requestsUsed: number
  readonly requestLimit: number
  readonly tokensUsed: number
  readonly tokenLimit: number
  /** Share of the scarcer window that is free, 0 to 1. */
  readonly headroom: number
  readonly inFlight: number
  readonly latencyMs: number
  readonly circuit: "closed" | "open" | "half_open"
  /** While the circuit is open: how long until it lets a probe through. */
  readonly circuitRetryAfterMs?: number | undefined
  readonly benched?: { readonly forMs: number; readonly because: FailureClass } | undefined
  /** How long until it runs dry at the present rate, within the look-ahead. */
  readonly dryInMs?: number | undefined
}

/**
 * @since 0.1.0
 */
export type Decision =
  | { readonly _tag: "Granted"; readonly reservation: Reservation }
  | { readonly _tag: "Refused"; readonly refusals: ReadonlyArray<Refusal> }

/**
 * How an attempt ended. Without `usage` the reservation stays as it was estimated, or is refunded, as the class says.
 *
 * @since 0.1.0
 */
export type Settlement =
  | { readonly _tag: "Success"; readonly usage?: Usage | undefined; readonly latencyMs: number }
  | {
    readonly _tag: "Failure"
    readonly class: FailureClass
    readonly usage?: Usage | undefined
    readonly latencyMs: number
    readonly retryAfterMs?: number | undefined
  }

/**
 * Something about a provider that changed for the requests to come.
 *
 * @since 0.1.0
 */
export type StateChange =
  | {
    readonly _tag: "CircuitMoved"
    readonly provider: string
    readonly from: ProviderState["circuit"]
    readonly to: ProviderState["circuit"]
    readonly atMs: number
  }
  | {
    readonly _tag: "Benched"
    readonly provider: string
    readonly because: FailureClass
    readonly forMs: number
    readonly atMs: number
  }

/**
 * @since 0.1.0
 */
export interface RouterStateService {
  /**
   * Ranks the candidates and gives the reservation to the first that fits, in one atomic step. Refusals are values:
   * one per provider, with its reason and earliest time.
   */
  readonly reserve: (demand: Demand) => Effect.Effect<Decision>
  /**
   * Corrects the reservation by what happened, and answers with the provider as it is known after. Never delays the
   * caller for a shared store, never fails.
   */
  readonly settle: (reservation: Reservation, settlement: Settlement) => Effect.Effect<ProviderState | undefined>
  /** Every provider, without changing anything. */
  readonly snapshot: (providers: ReadonlyArray<ProviderSpec>) => Effect.Effect<ReadonlyArray<ProviderState>>
  /** Breaker moves and benches, from now on; a slow reader loses the oldest. */
  readonly changes: Stream.Stream<StateChange>
}

/**
 * @since 0.1.0
 */
export class RouterState extends Context.Tag("@route-llm/core/RouterState")<RouterState, RouterStateService>() {
  /** One process's own ledger. Reads `RouterOptions` once, when the layer is built. */
  static readonly layerMemory: Layer.Layer<RouterState> = Layer.effect(this, makeMemoryState)
}
