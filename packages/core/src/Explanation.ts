/**
 * Why a request goes where it goes: the router's decision as a table, one row a provider. All of it is JSON as it
 * stands: what has no end is absent.
 *
 * @since 0.1.0
 */
import { Schema } from "effect"
import { Priority } from "./ChatRequest.ts"
import { FailureClass } from "./FailureClass.ts"
import { Dimension } from "./RateLimit.ts"

const { Finite } = Schema

/**
 * Why this provider:
 *
 * - `ranked`: the best of those that could take the request;
 * - `only`: no other provider was a candidate of this route any more;
 * - `session`: the one that its session is pinned to;
 * - `forced`: the request named it;
 * - `last_resort`: no provider is in service, and this one should be back first.
 *
 * @since 0.1.0
 */
export const RouteReason = Schema.Literal("ranked", "only", "session", "forced", "last_resort")

/** @since 0.1.0 */
export type RouteReason = typeof RouteReason.Type

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
export const RefusalReason = Schema.Literal(
  "full",
  "too_large",
  "circuit_open",
  "probing",
  "ramping",
  "benched",
  "kept",
  "tried",
  "not_forced"
)

/** @since 0.1.0 */
export type RefusalReason = typeof RefusalReason.Type

/**
 * One provider in the decision.
 *
 * @since 0.1.0
 */
export const ExplainedCandidate = Schema.Struct({
  provider: Schema.String,
  model: Schema.String,
  /** What the policy says of it, higher is better, whether or not it may take the request; absent where it is no number. */
  score: Schema.optional(Finite),
  /** The terms of the formula, weighted as the lane weighs them; with the default policy their sum is `score`. */
  terms: Schema.Struct({ capacity: Finite, latency: Finite, static: Finite }),
  /** It would run dry within the look-ahead: it comes after those that would not, except for the high lane. */
  atRisk: Schema.Boolean,
  /** What the request would take there, as far as it is known. */
  needs: Schema.Struct({ inputTokens: Finite, outputTokens: Finite }),
  /** Why it may not take the request; absent where it may. */
  refusal: Schema.optional(Schema.Struct({
    reason: RefusalReason,
    /** Until that ends, as far as the ledger can tell; absent: not by waiting. */
    retryAfterMs: Schema.optional(Finite),
    /** With `full` and `too_large`: of which limit, how much is needed, and how much the lane may use. */
    dimension: Schema.optional(Dimension),
    needed: Schema.optional(Finite),
    limit: Schema.optional(Finite)
  }))
}).annotations({ identifier: "ExplainedCandidate" })

/** @since 0.1.0 */
export interface ExplainedCandidate extends Schema.Schema.Type<typeof ExplainedCandidate> {}

/**
 * The decision, as it is or would be made at one moment.
 *
 * @since 0.1.0
 */
export const Explanation = Schema.Struct({
  /** The estimate of the request's input, before each provider's learned ratio. */
  inputTokens: Finite,
  lane: Priority,
  /** `formula`, `fit`, or `custom`. */
  policy: Schema.Literal("formula", "fit", "custom"),
  /** The provider it goes to; absent where none may take it now. Between equal ones a draw decides. */
  chosen: Schema.optional(Schema.String),
  reason: Schema.optional(RouteReason),
  /** In the order of the list. */
  candidates: Schema.Array(ExplainedCandidate),
  /** Where nothing is chosen: until one may take it, as far as the ledger can tell; absent: not by waiting. */
  waitMs: Schema.optional(Finite)
}).annotations({ identifier: "Explanation" })

/** @since 0.1.0 */
export interface Explanation extends Schema.Schema.Type<typeof Explanation> {}

/**
 * One attempt of a route, with the decision that led to it.
 *
 * @since 0.1.0
 */
export const ExplainedAttempt = Schema.Struct({
  provider: Schema.String,
  reason: RouteReason,
  outcome: Schema.Union(Schema.Literal("success"), FailureClass),
  latencyMs: Finite,
  /** In line, before this attempt. */
  waitedMs: Finite,
  /** Absent where the state behind the router tells none. */
  explanation: Schema.optional(Explanation)
}).annotations({ identifier: "ExplainedAttempt" })

/** @since 0.1.0 */
export interface ExplainedAttempt extends Schema.Schema.Type<typeof ExplainedAttempt> {}

/**
 * What a request with `explain: true` carries in its answer.
 *
 * @since 0.1.0
 */
export const RouteTrace = Schema.Struct({ attempts: Schema.Array(ExplainedAttempt) })
  .annotations({ identifier: "RouteTrace" })

/** @since 0.1.0 */
export interface RouteTrace extends Schema.Schema.Type<typeof RouteTrace> {}
