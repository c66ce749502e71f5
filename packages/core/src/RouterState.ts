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
import type { Explanation, RefusalReason, RouteReason } from "./Explanation.ts"
import type { FailureClass } from "./FailureClass.ts"
import { makeMemoryState } from "./internal/memoryState.ts"
import type { ProviderSpec } from "./Provider.ts"
import type { Dimension, LimitReading } from "./RateLimit.ts"
import type { StateChange } from "./StateChange.ts"
import type { CircuitState, StateAway } from "./Status.ts"

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
  /** The decision is wanted as a table, beside its result. */
  readonly explain?: boolean | undefined
}

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
  /** Another candidate is in service, or will be in the first half of the request's time, and not too small for it. */
  readonly hasAlternative: boolean
  /** Why this provider; absent where the driver does not tell. */
  readonly reason?: RouteReason | undefined
  /** The decision, where the demand asked for it and the driver tells it. */
  readonly explanation?: Explanation | undefined
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
  /** Nothing was measured yet: they are what `RouterOptions.latency.prior` takes every provider for. */
  readonly latencyIsPrior?: boolean | undefined
  readonly firstTokenIsPrior?: boolean | undefined
  readonly circuit: CircuitState
  /** While the circuit is open: how long until it lets a probe through; absent where it waits for `forceClose`. */
  readonly circuitRetryAfterMs?: number | undefined
  readonly benched?: { readonly forMs: number; readonly because: FailureClass } | undefined
  /** How long until it runs dry at the present rate, within the look-ahead. */
  readonly dryInMs?: number | undefined
  /** How its newest call that failed did; cancelled ones are no failures. */
  readonly lastError?: { readonly class: FailureClass; readonly agoMs: number } | undefined
}

/**
 * `QueueFull`: it would have to wait, and `waiting` others do that go before it, which is the most there may be; also said
 * to one in line that a higher lane takes the place of. `Closed`: the state is released, and nobody is served any more.
 *
 * @since 0.1.0
 */
export type Decision =
  | { readonly _tag: "Granted"; readonly reservation: Reservation }
  | { readonly _tag: "Refused"; readonly refusals: ReadonlyArray<Refusal> }
  | { readonly _tag: "QueueFull"; readonly waiting: number }
  | { readonly _tag: "Closed" }

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
 * What cannot be done dies. The router tells why by the defect's `reason`, where that is a `StateFailure`.
 *
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
   * wait, and only the wait, interruptible again, and what it takes is told as the time waited. Interruption leaves the
   * line, and gives back what was granted in the same moment.
   */
  readonly reserve: (demand: Demand, restore: Restore) => Effect.Effect<Decision>
  /**
   * Corrects the reservation by what happened, and answers with the provider as it is known after. Never delays the
   * caller for a shared store, never fails.
   */
  readonly settle: (reservation: Reservation, settlement: Settlement) => Effect.Effect<Settled | undefined>
  /** Every provider as it stands. The list is the one that requests in line choose from until there is a newer one. */
  readonly snapshot: (providers: ReadonlyArray<ProviderSpec>) => Effect.Effect<ReadonlyArray<ProviderState>>
  /** The decision that the demand would meet now, the line left aside; nothing is taken. */
  readonly explain: (demand: Demand) => Effect.Effect<Explanation>
  /** Moves a provider's circuit by hand; `false` where the list has none of that name. */
  readonly force: (
    providers: ReadonlyArray<ProviderSpec>,
    name: string,
    circuit: ForcedCircuit
  ) => Effect.Effect<boolean>
  /**
   * Of a shared store: whether this instance goes on without it at present, and how. A state that has this tells of its
   * failures by `changes`; of one that does not, the router tells them when it looks.
   */
  readonly away?: Effect.Effect<StateAway | undefined> | undefined
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
