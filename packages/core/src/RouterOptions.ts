/**
 * Every knob of routing, with unit and default. A `Context.Reference`: without a layer the defaults hold.
 *
 * ```ts no-run
 * import { RouterLive, RouterOptions } from "@route-llm/core"
 * import { Layer } from "effect"
 *
 * const Live = RouterLive.pipe(
 *   Layer.provide(RouterOptions.layer({ window: "30 seconds", highPriorityReservePct: 10 }))
 * )
 * ```
 *
 * @since 0.1.0
 */
import { Context, Effect, Layer, Schedule, Schema } from "effect"
import { OnSaturated } from "./ChatRequest.ts"
import { Milliseconds, PositiveMilliseconds, PositiveOrInfinite } from "./internal/duration.ts"
import { FailureTable } from "./internal/failureTable.ts"
import { toInvalidConfig } from "./internal/schemaIssues.ts"
import { fit, formula, type Policy } from "./Policy.ts"
import { backoff, type Rounds } from "./Rounds.ts"
import type { InvalidConfig } from "./RouterError.ts"

/**
 * The weights of the score's three terms: `score = capacity·w + latency·w + static·w`. They need not add up to 1.
 *
 * @since 0.1.0
 */
export const ScoreWeights = Schema.Struct({
  capacity: Schema.NonNegative.pipe(Schema.finite()),
  latency: Schema.NonNegative.pipe(Schema.finite()),
  static: Schema.NonNegative.pipe(Schema.finite())
})

/** @since 0.1.0 */
export type ScoreWeights = typeof ScoreWeights.Type

const fallback = <A, I>(schema: Schema.Schema<A, I>, value: A) => Schema.optionalWith(schema, { default: () => value })

const Positive = Schema.Positive.pipe(Schema.finite())
const Count = Schema.Int.pipe(Schema.positive())

const Breaker = Schema.Struct({
  /** Consecutive failures that open the circuit; default 5. */
  failureThreshold: fallback(Count, 5),
  /** How long an opened circuit lets nothing through; default 30 s. Doubles with each probe that fails. */
  cooldown: fallback(PositiveMilliseconds, 30_000),
  /** The longest a growing cooldown gets; default 5 min. */
  maxCooldown: fallback(PositiveMilliseconds, 300_000),
  /** The share of failures that opens the circuit too, among `minimumCalls`; above 0 to 1, default 0.5. */
  errorRatio: fallback(Schema.Positive.pipe(Schema.lessThanOrEqualTo(1)), 0.5),
  /** Calls, as they fade, below which their share of failures says nothing; default 20. */
  minimumCalls: fallback(Count, 20),
  /** In this time a call comes to count half in that share; default 30 s. */
  halfLife: fallback(PositiveMilliseconds, 30_000),
  /**
   * A circuit that has just closed lets one call through at a time, and one more for each that succeeds, for this long;
   * default 30 s. 0: all at once.
   */
  ramp: fallback(Milliseconds, 30_000),
  /**
   * While no provider is in service, the one that should be back first gets one call in this time all the same; default
   * 1 s. Where a vendor said itself when it is back it is not called before. `Infinity`: never.
   */
  lastResort: fallback(PositiveOrInfinite, 1_000)
})

const Streaming = Schema.Struct({
  /** The longest wait for the first content of one attempt; default as for any attempt. */
  firstChunk: Schema.optional(PositiveMilliseconds),
  /**
   * The longest pause of a vendor in the middle of an answer; default 30 s. What an SDK keeps to itself, such as
   * Anthropic's pings, is a pause.
   */
  idle: fallback(PositiveOrInfinite, 30_000),
  /** The longest a vendor may take for one answer, from its first content on; default 10 min. */
  total: fallback(PositiveOrInfinite, 600_000),
  /** The longest pause of a reader, after which the call is given up; default 5 min. */
  reader: fallback(PositiveOrInfinite, 300_000),
  /**
   * The fewest characters a second that a vendor may send, taken over `idle`, at most 30 s; default 0, no floor. A
   * trickle defeats every other limit.
   */
  minCharactersPerSecond: fallback(Schema.NonNegative.pipe(Schema.finite()), 0)
})

const Budget = Schema.Struct({
  /** Further calls that each answer pays for; default 0.2: a fifth on top of what succeeds. */
  ratio: fallback(Schema.NonNegative.pipe(Schema.finite()), 0.2),
  /** Further calls saved up at most, and there from the start; default 10. */
  burst: fallback(Schema.NonNegative, 10)
})

const Latency = Schema.Struct({
  /** Weight of the newest sample in the moving average, 0 to 1; default 0.2. */
  alpha: fallback(Schema.Positive.pipe(Schema.lessThanOrEqualTo(1)), 0.2),
  /** What a provider without samples is taken for; default 500 ms. */
  prior: fallback(Milliseconds, 500),
  /** At this latency the score's term reaches 0; default 3 s. */
  ceiling: fallback(PositiveMilliseconds, 3_000),
  /** An idle provider's average moves half-way back to the prior in this time; default 60 s. */
  halfLife: fallback(PositiveMilliseconds, 60_000)
})

const Affinity = Schema.Struct({
  /** A pin ends after this time without a request of its session; default 1 h. */
  ttl: fallback(PositiveMilliseconds, 3_600_000),
  /** Sessions remembered at most, the least recently used forgotten first; default 10,000. */
  maxSessions: fallback(Count, 10_000)
})

const Waiting = Schema.Struct({
  /** What a request does while no candidate has room: `"wait"` in line (default), or `"fail"` at once. */
  onSaturated: fallback(OnSaturated, "wait" as const),
  /**
   * Who goes first within a lane: the one who came first (default), or the one who came last, which keeps the median
   * wait low in overload at the price of the oldest.
   */
  order: fallback(Schema.Literal("fifo", "lifo"), "fifo" as const),
  /** The most requests in line; with one more the last of the lowest lane fails with `QueueFull`. Default 10,000. */
  maxWaiting: fallback(Schema.Int.pipe(Schema.nonNegative()), 10_000),
  /** The longest wait before an attempt; default none: the route's `timeout` bounds it. */
  maxWait: fallback(Milliseconds, Number.POSITIVE_INFINITY),
  /** A request that came this much earlier goes before one of the next higher lane; default 30 s. With `fifo`. */
  ageing: fallback(Milliseconds, 30_000),
  /**
   * From this wait on room is kept for the first in line, so that smaller ones no longer pass it, and before where it
   * would else be late; default 30 s, `Infinity`: never. Sooner is fairer to large requests and serves fewer in all.
   * With `fifo`.
   */
  keepAfter: fallback(Milliseconds, 30_000)
})

const isPolicy = (input: unknown): input is Policy => typeof input === "function"

/** A policy of the user's own must not cost a request: what throws is no number. */
const guarded = (policy: Policy): Policy => (candidate, lane) => {
  try {
    return policy(candidate, lane)
  } catch {
    return Number.NaN
  }
}

const policies = { formula, fit }

const known: ReadonlyArray<Policy> = [formula, fit]

const PolicyOption = Schema.transform(
  Schema.Union(Schema.Literal("formula", "fit"), Schema.declare(isPolicy, { description: "a policy function" })),
  Schema.declare(isPolicy),
  {
    strict: true,
    decode: (given) => typeof given === "string" ? policies[given] : known.includes(given) ? given : guarded(given),
    encode: (policy) => policy
  }
)

const RoundsOption = Schema.declare((input: unknown): input is Rounds => Schedule.isSchedule(input), {
  description: "a Schedule"
})

const Weights = Schema.Struct({
  normal: fallback(ScoreWeights, { capacity: 0.5, latency: 0.3, static: 0.2 }),
  high: fallback(ScoreWeights, { capacity: 0.5, latency: 0.4, static: 0.1 }),
  low: fallback(ScoreWeights, { capacity: 0.3, latency: 0.1, static: 0.6 })
})

const Settings = Schema.Struct({
  /** The span that limits refer to; default 60 s. */
  window: fallback(PositiveMilliseconds, 60_000),
  /** Buckets a window is kept in, 4 to 6,000: it over-counts by at most one of them in time; default 600. */
  buckets: fallback(Schema.Int.pipe(Schema.between(4, 6_000)), 600),
  /**
   * How long a request may be on its way before the vendor counts it; default 500 ms. A request holds its place in the
   * window from the reservation until this time after it, or its completion if that is sooner, plus the window.
   */
  transit: fallback(Milliseconds, 500),
  /** How candidates are ordered: `"formula"` (default), `"fit"`, or a function of your own. */
  policy: fallback(PolicyOption, formula),
  waiting: fallback(Waiting, Schema.decodeSync(Waiting)({})),
  /** Per lane. */
  weights: fallback(Weights, Schema.decodeSync(Weights)({})),
  latency: fallback(Latency, Schema.decodeSync(Latency)({})),
  breaker: fallback(Breaker, Schema.decodeSync(Breaker)({})),
  affinity: fallback(Affinity, Schema.decodeSync(Affinity)({})),
  /** Share of each window that only the high lane may use, 0 to 100; default 0. */
  highPriorityReservePct: fallback(Schema.Number.pipe(Schema.between(0, 100), Schema.lessThan(100)), 0),
  /** How far ahead running dry is predicted; default 120 s. 0 turns prediction off. */
  lookAhead: fallback(Milliseconds, 120_000),
  /** The expected output of a provider that has not answered yet; default 256 tokens. */
  outputPriorTokens: fallback(Positive, 256),
  /** The budget of a route whose request names none; default 60 s. */
  timeout: fallback(PositiveMilliseconds, 60_000),
  /**
   * The longest one attempt may take. Default: half of what is left of the route's time while there is another provider
   * to go to, all of it for the last.
   */
  attemptTimeout: Schema.optional(PositiveMilliseconds),
  /** The most calls of a route whose request names no number; default 10. 1: no fallback. */
  maxAttempts: fallback(Count, 10),
  /** Of answers that are streamed. Their `timeout` ends with the first content. */
  stream: fallback(Streaming, Schema.decodeSync(Streaming)({})),
  /** What happens once every candidate has failed; default `backoff`: the next round after a pause. */
  rounds: fallback(RoundsOption, backoff),
  /** What bounds the calls of further rounds, so that retries never become the load. */
  retryBudget: fallback(Budget, Schema.decodeSync(Budget)({})),
  /**
   * One span a request and one a call, by OpenTelemetry's `gen_ai.*` conventions, into whatever tracer there is; default
   * false, which costs nothing. See `RouterMetrics` for what is measured either way.
   */
  tracing: fallback(Schema.Boolean, false),
  /** Rows over `consequences`: what a failure of one class does, field by field. */
  failures: fallback(FailureTable, Schema.decodeSync(FailureTable)({}))
})

/** The options as the router uses them: durations in ms, defaults filled in. @since 0.1.0 */
export type RouterSettings = typeof Settings.Type

/** The options as they are written: durations as `DurationInput`, everything optional. @since 0.1.0 */
export type RouterOptionsInput = typeof Settings.Encoded

const decode = Schema.decodeUnknownEither(Settings, { errors: "all", onExcessProperty: "error" })

/**
 * @since 0.1.0
 */
export class RouterOptions extends Context.Reference<RouterOptions>()("@route-llm/core/RouterOptions", {
  defaultValue: (): RouterSettings => Schema.decodeSync(Settings)({})
}) {
  /** Decodes options; fails with every field that does not hold. */
  static readonly make = (options: RouterOptionsInput): Effect.Effect<RouterSettings, InvalidConfig> =>
    Effect.mapError(decode(options), (error) => toInvalidConfig("RouterOptions", error))

  static readonly layer = (options: RouterOptionsInput): Layer.Layer<never, InvalidConfig> =>
    Layer.effect(this, this.make(options))
}
