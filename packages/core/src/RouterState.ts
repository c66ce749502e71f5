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
import type { Dimension, LimitReading } from "./RateLimit.ts"
import type { StateChange } from "./StateChange.ts"

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
  /** Providers that are no candidates of this route: called already, or out of the question after what others said. */
  readonly tried: ReadonlyArray<string>
  /** Breaks ties: uniform in [0, 1). */
  readonly draw: number
  /** How long it may wait in line while no candidate has room; 0: not at all. */
  readonly waitMs: number
  /** What is left of the route's time. The wait ends early enough for a call to be made in it. */
  readonly timeLeftMs: number
  /** The answer is streamed: what counts for it is the time to the first token. */
  readonly streams?: boolean | undefined
  /** `false`: no provider that is out of service, even if all are; see `RouterOptions.breaker.lastResort`. */
  readonly lastResort?: boolean | undefined
}

/**
 * - `full`: a limit has no room for this request in its lane;
 * - `too_large`: it would not fit if nothing else were counted;
 * - `circuit_open`, `probing`: the breaker is open, or half-open with its one probe under way;
 * - `ramping`: the circuit has just closed, and as many calls are under way as may be yet;
 * - `benched`: set aside until a known time;
 * - `kept`: its room is kept for a request that has waited too long;
 * - `tried`: this route has called it already, or what others said rules it out;
 * - `not_forced`: another provider was forced.
 *
 * @since 0.1.0
 */
export type RefusalReason =
  | "full"
  | "too_large"
  | "circuit_open"
  | "probing"
  | "ramping"
  | "benched"
  | "kept"
  | "tried"
  | "not_forced"

/**
 * Why a provider was not a candidate, and in how many ms that ends as far as the ledger can tell (`Infinity`: not by
 * waiting).
 *
 * @since 0.1.0
 */
export interface Refusal {
  readonly provider: string
  readonly reason: RefusalReason
  readonly retryAfterMs: number
  /** With `full` and `too_large`: of which limit, how much is needed, and how much the lane may use. */
  readonly dimension?: Dimension
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
  /** What the vendor should have counted once this call has arrived, by dimension; absent where it tells nothing. */
  readonly countable?: ReadonlyArray<{ readonly own: number; readonly taken: number }> | undefined
  /** Which life of the breaker it belongs to: a result of an earlier life never moves it. */
  readonly epoch: number
  readonly sessionId?: string | undefined
  /** The provider was not in service, and none was: an answer ends its bench. */
  readonly lastResort?: boolean | undefined
  readonly streams?: boolean | undefined
}

/**
 * One limit of one provider, declared or learned.
 *
 * @since 0.1.0
 */
export interface LimitState {
  readonly dimension: Dimension
  /** Counted, reserved, and what others are taken to use with the same key. */
  readonly used: number
  readonly limit: number
  /** The limit in force was told by the vendor or met, not declared. */
  readonly learned: boolean
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
  /** Every limit that is known. */
  readonly limits: ReadonlyArray<LimitState>
  /** Share of the scarcest limit that is free, 0 to 1. */
  readonly headroom: number
  readonly inFlight: number
  /** Moving averages: of whole calls, and to the first token of streamed ones. */
  readonly latencyMs: number
  readonly firstTokenMs: number
  readonly circuit: "closed" | "open" | "half_open"
  /** While the circuit is open: how long until it lets a probe through; absent where it waits for `forceClose`. */
  readonly circuitRetryAfterMs?: number | undefined
  readonly benched?: { readonly forMs: number; readonly because: FailureClass } | undefined
  /** How long until it runs dry at the present rate, within the look-ahead. */
  readonly dryInMs?: number | undefined
}

/**
 * `QueueFull`: it would have to wait, and `waiting` others do, which is the most there may be.
 *
 * @since 0.1.0
 */
export type Decision =
  | { readonly _tag: "Granted"; readonly reservation: Reservation }
  | { readonly _tag: "Refused"; readonly refusals: ReadonlyArray<Refusal> }
  | { readonly _tag: "QueueFull"; readonly waiting: number }

/**
 * How an attempt ended. Without `usage` the reservation stays as it was estimated, or is refunded, as the class says.
 * `Unused`: the provider was never called, and everything is given back.
 *
 * @since 0.1.0
 */
export type Settlement =
  | {
    readonly _tag: "Success"
    readonly usage?: Usage | undefined
    readonly latencyMs: number
    /** Of an answer that was streamed and had begun. */
    readonly firstTokenMs?: number | undefined
    readonly limits?: ReadonlyArray<LimitReading> | undefined
  }
  | {
    readonly _tag: "Failure"
    readonly class: FailureClass
    /** What the vendor answered with; absent: it did not answer. */
    readonly status?: number | undefined
    readonly usage?: Usage | undefined
    readonly latencyMs: number
    /** Of an answer that was streamed and had begun. */
    readonly firstTokenMs?: number | undefined
    readonly retryAfterMs?: number | undefined
    readonly limits?: ReadonlyArray<LimitReading> | undefined
  }
  | { readonly _tag: "Unused" }

/**
 * A circuit moved by hand: open for so long, or closed, which also ends a bench.
 *
 * @since 0.1.0
 */
export type ForcedCircuit = { readonly _tag: "Open"; readonly forMs: number } | { readonly _tag: "Closed" }

/**
 * The provider as it is known after a settlement.
 *
 * @since 0.1.0
 */
export type Settled = Pick<ProviderState, "headroom" | "circuit">

/**
 * What `Effect.uninterruptibleMask` hands out.
 *
 * @since 0.1.0
 */
export type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/**
 * @since 0.1.0
 */
export interface RouterStateService {
  /**
   * It answers without asking anyone outside this process. Else the router bounds each operation in time, and an answer
   * waits for `settle` no longer than a second.
   */
  readonly isLocal: boolean
  /**
   * Ranks the candidates and gives the reservation to the best that has room, in one atomic step. Where none has, the
   * request waits in line for up to `waitMs`: by lane, then by arrival, woken by time and by whatever frees room.
   * Refusals are values: one per provider, with its reason and time. A request whose time cannot come is refused at
   * once.
   *
   * Call it in a region that cannot be interrupted, so that no grant is lost on its way; `restore` is what makes the
   * wait, and only the wait, interruptible again. Interruption leaves the line, and gives back what was granted in the
   * same moment.
   */
  readonly reserve: (demand: Demand, restore: Restore) => Effect.Effect<Decision>
  /**
   * Corrects the reservation by what happened, and answers with the provider as it is known after. Never delays the
   * caller for a shared store, never fails.
   */
  readonly settle: (reservation: Reservation, settlement: Settlement) => Effect.Effect<Settled | undefined>
  /** Every provider as it stands. The list is the one that requests in line choose from until there is a newer one. */
  readonly snapshot: (providers: ReadonlyArray<ProviderSpec>) => Effect.Effect<ReadonlyArray<ProviderState>>
  /** Moves a provider's circuit by hand; `false` where the list has none of that name. */
  readonly force: (
    providers: ReadonlyArray<ProviderSpec>,
    name: string,
    circuit: ForcedCircuit
  ) => Effect.Effect<boolean>
  /** Requests in line. */
  readonly waiting: Effect.Effect<Readonly<Record<Priority, number>>>
  /**
   * Breaker moves, benches and learned limits, of a shared store also those of other instances, and failures of the
   * store; from now on. A slow reader loses the oldest.
   */
  readonly changes: Stream.Stream<StateChange>
}

/**
 * @since 0.1.0
 */
export class RouterState extends Context.Tag("@route-llm/core/RouterState")<RouterState, RouterStateService>() {
  /**
   * One process's own ledger. Reads `RouterOptions` once, when the layer is built; when it closes, those who wait are
   * refused.
   */
  static readonly layerMemory: Layer.Layer<RouterState> = Layer.scoped(this, makeMemoryState)
}
