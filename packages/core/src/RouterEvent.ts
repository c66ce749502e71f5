/**
 * What a router tells about itself while it works. Each event is JSON as it stands, and travels as such. None holds a
 * key, a prompt or an answer.
 *
 * @since 0.1.0
 */
import { Context, Schema } from "effect"
import { Priority } from "./ChatRequest.ts"
import { RouteReason } from "./Explanation.ts"
import { FailureClass } from "./FailureClass.ts"
import { Dimension } from "./RateLimit.ts"
import { CircuitState } from "./Status.ts"

const { Finite } = Schema
const Count = Schema.NonNegativeInt

/** What every event has beside its own fields. */
const event = <Tag extends string, Fields extends Schema.Struct.Fields>(tag: Tag, fields: Fields) =>
  Schema.TaggedStruct(tag, {
    ...fields,
    /** Milliseconds since 1970, when it happened. */
    timestamp: Finite
  }).annotations({ identifier: tag })

/** What every event of one request has. */
const ofRequest = { sessionId: Schema.optional(Schema.String), priority: Priority }

/**
 * One attempt of one route has ended, in success or failure.
 *
 * @since 0.1.0
 */
export const RouteEvent = event("RouteEvent", {
  outcome: Schema.Union(Schema.Literal("success"), FailureClass),
  provider: Schema.String,
  model: Schema.String,
  /** Why this provider. */
  reason: RouteReason,
  /** Of an attempt after the first: the one before it, and how that failed. */
  fallbackFrom: Schema.optional(Schema.Struct({ provider: Schema.String, class: FailureClass })),
  /** As the vendor reported; the estimate where it reported none; 0 where a failed attempt's use is unknown. */
  inputTokens: Finite,
  outputTokens: Finite,
  latencyMs: Finite,
  /** Of an answer that was streamed and had begun. */
  firstTokenMs: Schema.optional(Finite),
  /** In line, before this attempt. */
  waitedMs: Finite,
  /** Of the provider after this attempt: share of the scarcest limit that is free, 0 to 100. */
  headroomPct: Finite,
  /** Of the provider after this attempt. */
  circuitOpen: Schema.Boolean,
  /** 1 for the first attempt of a route. */
  attemptNumber: Count,
  ...ofRequest
})

/** @since 0.1.0 */
export interface RouteEvent extends Schema.Schema.Type<typeof RouteEvent> {}

/**
 * A route goes on after an attempt that failed, which may be with the same provider. Told when the next call begins.
 *
 * @since 0.1.0
 */
export const FellBack = event("FellBack", {
  from: Schema.String,
  because: FailureClass,
  to: Schema.String,
  /** Of the attempt that begins. */
  attemptNumber: Count,
  ...ofRequest
})

/** @since 0.1.0 */
export interface FellBack extends Schema.Schema.Type<typeof FellBack> {}

/**
 * How a route can end: with an answer, with one of its errors, or given up by its caller.
 *
 * @since 0.1.0
 */
export const RouteOutcome = Schema.Literal(
  "success",
  "cancelled",
  "InvalidRequest",
  "UnknownProvider",
  "NoProvidersConfigured",
  "TokenLimitExceeded",
  "NoCapacity",
  "QueueFull",
  "AllProvidersFailed",
  "DeadlineExceeded",
  "StateUnavailable",
  "RouterClosed",
  "StreamInterrupted"
)

/** @since 0.1.0 */
export type RouteOutcome = typeof RouteOutcome.Type

/**
 * One route, with all its attempts, has ended.
 *
 * @since 0.1.0
 */
export const RouteEnded = event("RouteEnded", {
  outcome: RouteOutcome,
  /** Who answered. */
  provider: Schema.optional(Schema.String),
  /** Calls made. */
  attempts: Count,
  /** Of the whole route, waiting included. */
  latencyMs: Finite,
  /** In line, before the attempts that were made. */
  waitedMs: Finite,
  ...ofRequest
})

/** @since 0.1.0 */
export interface RouteEnded extends Schema.Schema.Type<typeof RouteEnded> {}

/** A provider's circuit is in another state. @since 0.1.0 */
export const CircuitMoved = event("CircuitMoved", {
  provider: Schema.String,
  from: CircuitState,
  to: CircuitState
})

/** @since 0.1.0 */
export interface CircuitMoved extends Schema.Schema.Type<typeof CircuitMoved> {}

/** A provider is set aside; `forMs` is absent where that has no end. @since 0.1.0 */
export const Benched = event("Benched", {
  provider: Schema.String,
  because: FailureClass,
  forMs: Schema.optional(Finite)
})

/** @since 0.1.0 */
export interface Benched extends Schema.Schema.Type<typeof Benched> {}

/** A limit in force is another one from now on: the vendor told it, or refused. @since 0.1.0 */
export const LimitLearned = event("LimitLearned", {
  provider: Schema.String,
  dimension: Dimension,
  limit: Finite
})

/** @since 0.1.0 */
export interface LimitLearned extends Schema.Schema.Type<typeof LimitLearned> {}

/**
 * Why a store failed: it does not answer (`timeout`, `unreachable`), answers with an error (`refused`), has lost what it
 * held (`lost`), or is broken otherwise (`fault`).
 *
 * @since 0.1.0
 */
export const StateFailure = Schema.Literal("timeout", "unreachable", "refused", "lost", "fault")

/** @since 0.1.0 */
export type StateFailure = typeof StateFailure.Type

/**
 * What happens to requests while the store is away: each instance goes on with its part of every limit, each goes on as
 * though it were alone, or they fail.
 *
 * @since 0.1.0
 */
export const StateFailurePolicy = Schema.Literal("share", "open", "closed")

/** @since 0.1.0 */
export type StateFailurePolicy = typeof StateFailurePolicy.Type

/** The store behind the router failed. @since 0.1.0 */
export const StateFailed = event("StateFailed", {
  /** What it was asked for, where one request found out; a look at it (`snapshot`) is told once, until one succeeds. */
  operation: Schema.optional(Schema.Literal("reserve", "settle", "snapshot", "explain")),
  reason: StateFailure,
  /** The store's own words, without credentials. */
  message: Schema.String,
  /** Of a shared store that is away from now on: how this instance goes on by itself. */
  policy: Schema.optional(StateFailurePolicy)
})

/** @since 0.1.0 */
export interface StateFailed extends Schema.Schema.Type<typeof StateFailed> {}

/** The shared store is back, and knows what this instance did meanwhile; or it can be looked at again. @since 0.1.0 */
export const StateRecovered = event("StateRecovered", {
  /** Since it failed. */
  afterMs: Finite
})

/** @since 0.1.0 */
export interface StateRecovered extends Schema.Schema.Type<typeof StateRecovered> {}

/**
 * The events of a router's `events`. What changes in the state (circuits, benches, limits) is heard a moment later than what
 * happens to requests.
 *
 * @since 0.1.0
 */
export const RouterEvent = Schema.Union(
  RouteEvent,
  FellBack,
  RouteEnded,
  CircuitMoved,
  Benched,
  LimitLearned,
  StateFailed,
  StateRecovered
).annotations({ identifier: "RouterEvent" })

/** @since 0.1.0 */
export type RouterEvent = typeof RouterEvent.Type

/**
 * Called with each `RouteEvent`, in the caller's fiber, before the answer is handed over. What it throws changes
 * nothing. Without a layer nobody listens.
 *
 * @since 0.1.0
 */
export class RouteListener extends Context.Reference<RouteListener>()("@route-llm/core/RouteListener", {
  defaultValue: () => (_event: RouteEvent): void => {}
}) {}
