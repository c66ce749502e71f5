/**
 * The closed set of ways an attempt can fail, and what each does to the request and to the provider.
 * Adapters turn a vendor's signal into a class; from there on the router only reads this table.
 *
 * @since 0.1.0
 */
import { type Duration, Schema } from "effect"

/**
 * @since 0.1.0
 */
export const FailureClass = Schema.Literal(
  /** The vendor's momentary limit on requests or tokens. */
  "rate_limit",
  /** A spent budget, credit or daily quota: it does not come back in a minute. */
  "quota",
  /** The vendor has no capacity for anyone (503, 529). */
  "overloaded",
  /** The vendor failed (5xx) or answered what its format does not allow, or something before it answered. */
  "transient",
  /** No answer within the attempt's time. */
  "timeout",
  /** No connection, or one that broke. */
  "network",
  /** A key that is refused, or not allowed here. */
  "credential",
  /** The model is unknown, withdrawn or not deployed, or nothing at this address takes such calls. */
  "model_gone",
  /** The prompt does not fit the model's context window. */
  "context_too_long",
  /** The request is larger than this vendor takes at all, or asks for what it does not take, such as tools. */
  "request_too_large",
  /** The vendor's policy refused the content. */
  "content_policy",
  /** The request itself is wrong. */
  "caller_fault",
  /** The answer ended before its end. */
  "truncated",
  /** The caller gave up. */
  "cancelled"
)

/** @since 0.1.0 */
export type FailureClass = typeof FailureClass.Type

/**
 * What a failure of one class does.
 *
 * @since 0.1.0
 */
export interface Consequence {
  /**
   * What the route does:
   * - `fail`: it ends; every provider would say the same;
   * - `next`: it goes on with others, and never comes back to this provider;
   * - `larger`: likewise, and others with no larger `contextWindow` than this provider's are no candidates either;
   * - `retry`: it goes on with others, and this provider is a candidate again in the next round;
   * - `wait`: it goes on with others, and this provider is a candidate again once its bench has ended.
   */
  readonly request: "fail" | "next" | "larger" | "retry" | "wait"
  /** Whether it counts as the provider's failure. Callers' faults, cancellations and 429s never do. */
  readonly breaker: boolean
  /** How long the provider is set aside where the vendor named no time itself; absent: not at all. */
  readonly bench?: Duration.DurationInput
  /**
   * What the vendor has counted against its token window: `kept` where that is unknown, so that the ledger can only
   * over-count; `refunded` where it refused before doing any work. The request itself always stays counted.
   */
  readonly tokens: "kept" | "refunded"
}

/** @since 0.1.0 */
export type Consequences = { readonly [Class in FailureClass]: Consequence }

/**
 * Class → consequence, unless `RouterOptions.failures` says otherwise. Sources: the vendors' error references; Bifrost's failure classes; Envoy's rule that local
 * errors are kept apart from upstream errors.
 *
 * @since 0.1.0
 */
export const consequences: Consequences = {
  rate_limit: { request: "wait", breaker: false, bench: "5 seconds", tokens: "refunded" },
  quota: { request: "next", breaker: false, bench: "1 hour", tokens: "refunded" },
  overloaded: { request: "retry", breaker: true, tokens: "refunded" },
  transient: { request: "retry", breaker: true, tokens: "kept" },
  timeout: { request: "retry", breaker: true, tokens: "kept" },
  network: { request: "retry", breaker: true, tokens: "kept" },
  credential: { request: "next", breaker: false, bench: "5 minutes", tokens: "refunded" },
  model_gone: { request: "next", breaker: false, bench: "5 minutes", tokens: "refunded" },
  context_too_long: { request: "larger", breaker: false, tokens: "refunded" },
  request_too_large: { request: "next", breaker: false, tokens: "refunded" },
  content_policy: { request: "fail", breaker: false, tokens: "kept" },
  caller_fault: { request: "fail", breaker: false, tokens: "refunded" },
  truncated: { request: "retry", breaker: true, tokens: "kept" },
  cancelled: { request: "fail", breaker: false, tokens: "kept" }
}
