/**
 * A provider: a registered destination, that is a client, a model, limits and a weight under one name. Core knows no
 * vendor; `@route-llm/providers` makes providers from the vendors' SDK clients, and anything with a `chat` can be one.
 *
 * @since 0.1.0
 */
import { Data } from "effect"
import type { Effect, Scope } from "effect"
import type { ChatRequest } from "./ChatRequest.ts"
import type { ProviderResponse, Usage } from "./ChatResponse.ts"
import type { FailureClass } from "./FailureClass.ts"
import type { Counting, LimitReading, Limits } from "./RateLimit.ts"
import type { ProviderStream } from "./StreamPart.ts"

/**
 * What admission needs to know of a provider. It travels with each reservation, so a state store keeps no
 * configuration of its own.
 *
 * @since 0.1.0
 */
export interface ProviderSpec {
  /** Unique within one router. */
  readonly name: string
  readonly model: string
  readonly limits: Limits
  /** The static term of the score, ≥ 0; 1 unless told. */
  readonly weight: number
  readonly counting: Counting
  /**
   * Tokens the model takes at most, input and output together. It decides only who comes after a provider that found a
   * request too long for its own; absent: not known.
   */
  readonly contextWindow?: number | undefined
}

/**
 * @since 0.1.0
 */
export interface Provider extends ProviderSpec {
  /**
   * One call to the vendor, without retries. Interruption aborts the call on the wire. A failure of any kind is a
   * `ProviderFailure`, classified; a defect is taken for a `transient` failure of this attempt.
   */
  readonly chat: (request: ChatRequest) => Effect.Effect<ProviderResponse, ProviderFailure>
  /**
   * The same call, answered in parts. It succeeds once the vendor has begun to answer; closing the scope aborts the call
   * on the wire, wherever it is. Absent: the router streams the answer of `chat` as one part.
   */
  readonly stream?: ((request: ChatRequest) => Effect.Effect<ProviderStream, ProviderFailure, Scope.Scope>) | undefined
}

/**
 * Why one attempt failed.
 *
 * @since 0.1.0
 */
export class ProviderFailure extends Data.TaggedError("ProviderFailure")<{
  readonly class: FailureClass
  /** The vendor's words, with keys redacted and without the request's content. */
  readonly message: string
  readonly status?: number | undefined
  /** The vendor's error code or type, such as `rate_limit_exceeded`. */
  readonly code?: string | undefined
  /** How long the vendor asks to be left alone. */
  readonly retryAfterMs?: number | undefined
  /** What the vendor said of its limits beside the error. */
  readonly limits?: ReadonlyArray<LimitReading> | undefined
  /** What the attempt is known to have used nevertheless. */
  readonly usage?: Usage | undefined
  readonly cause?: unknown
}> {}
