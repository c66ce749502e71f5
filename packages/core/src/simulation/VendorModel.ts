/**
 * A vendor as data: its limits and how it enforces them, its latency, what it tells, and its bad hours. What
 * `SimulatedVendor` behaves by.
 *
 * ```ts no-run
 * import { SimulatedVendor } from "@route-llm/core/simulation"
 *
 * const vendor = SimulatedVendor.make({
 *   name: "openai",
 *   limits: { requests: 500, tokens: 200_000 },
 *   counting: { chargesMaxTokens: true },
 *   latency: { firstTokenMs: 450, perTokenMs: 12, sigma: 0.35, tail: { share: 0.02, factor: 4 } },
 *   conditions: [
 *     { does: "fail", class: "overloaded", from: "10 minutes", until: "12 minutes" },
 *     { does: "fail", class: "rate_limit", from: "20 minutes", until: "21 minutes", share: 0.5 },
 *     { does: "slow", factor: 8, from: "30 minutes", until: "35 minutes" }
 *   ]
 * })
 * ```
 *
 * @since 0.1.0
 */
import { Schema } from "effect"
import { consequences, type FailureClass } from "../FailureClass.ts"
import { limit, share } from "../internal/configFields.ts"
import { Milliseconds, PositiveMilliseconds } from "../internal/duration.ts"

const fallback = <A, I>(schema: Schema.Schema<A, I>, value: A) => Schema.optionalWith(schema, { default: () => value })

const Positive = Schema.Positive.pipe(Schema.finite())
const NonNegative = Schema.NonNegative.pipe(Schema.finite())

/**
 * How long an answer takes: a lognormal time to the first token, a steady time for each token, and a tail of answers
 * that are several times slower.
 *
 * @since 0.1.0
 */
export const LatencyModel = Schema.Struct({
  /** The median time to the first token, in ms. */
  firstTokenMs: NonNegative,
  /** For each token of the answer, in ms. */
  perTokenMs: NonNegative,
  /** Standard deviation of the logarithm of the time to the first token; default 0, none. */
  sigma: fallback(NonNegative, 0),
  /** The share of answers that take `factor` times as long; default none. */
  tail: fallback(Schema.Struct({ share, factor: Positive }), { share: 0, factor: 1 })
})

/** @since 0.1.0 */
export type LatencyModel = typeof LatencyModel.Type

/** Of a vendor that is given none: a mid-sized model's order of magnitude, not a measurement. @since 0.1.0 */
export const usualLatency: LatencyModel = {
  firstTokenMs: 450,
  perTokenMs: 10,
  sigma: 0.35,
  tail: { share: 0.02, factor: 4 }
}

/**
 * The latency of one answer in ms. `normal` is a standard normal draw, `uniform` one in [0, 1).
 *
 * @since 0.1.0
 */
export const latencyMs = (
  { firstTokenMs, perTokenMs, sigma, tail }: LatencyModel,
  answer: { readonly outputTokens: number; readonly normal: number; readonly uniform: number }
): number =>
  (firstTokenMs * Math.exp(sigma * answer.normal) + perTokenMs * answer.outputTokens)
  * (answer.uniform < tail.share ? tail.factor : 1)

const isFailureClass = (input: unknown): input is FailureClass =>
  typeof input === "string" && Object.hasOwn(consequences, input)

/** Which requests a condition meets: those that arrive in this time, and of these a share. */
const when = { from: Milliseconds, until: Milliseconds, share: fallback(share, 1) }

/**
 * A bad hour. Where several hold, the first of the list that meets the request does.
 *
 * - `fail`: fails with this class: an outage is `overloaded` or `network`, a storm of 429s `rate_limit`. Only
 *   `truncated` is admitted first, and counts half of its answer.
 * - `slow`: answers take `factor` times as long: a brown-out.
 * - `hang`: is admitted, and never answers.
 *
 * @since 0.1.0
 */
export const Condition = Schema.Union(
  Schema.Struct({
    does: Schema.Literal("fail"),
    class: Schema.declare(isFailureClass, { description: "a class of failure such as \"overloaded\"" }),
    /** What the vendor asks for; default nothing. */
    retryAfter: Schema.optional(Milliseconds),
    ...when
  }),
  Schema.Struct({ does: Schema.Literal("slow"), factor: Positive, ...when }),
  Schema.Struct({ does: Schema.Literal("hang"), ...when })
)

/** @since 0.1.0 */
export type Condition = typeof Condition.Type

const Limits = Schema.Struct({
  requests: Schema.optional(limit),
  tokens: Schema.optional(limit),
  inputTokens: Schema.optional(limit),
  outputTokens: Schema.optional(limit),
  requestsPerDay: Schema.optional(limit),
  tokensPerDay: Schema.optional(limit),
  concurrent: Schema.optional(limit)
})

const CountingModel = Schema.Struct({
  chargesMaxTokens: fallback(Schema.Boolean, false),
  cacheRead: fallback(share, 1),
  cacheWrite: fallback(share, 1)
})

/** @since 0.1.0 */
export const VendorModel = Schema.Struct({
  name: Schema.NonEmptyString,
  /** What it calls its model; default `name-model`. */
  model: Schema.optional(Schema.NonEmptyString),
  /** What is enforced; default nothing. */
  limits: fallback(Limits, {}),
  /** What those who call it are told of its limits beforehand; default all of them. */
  declared: Schema.optional(Limits),
  /** The static term of the score; default 1. */
  weight: fallback(NonNegative, 1),
  /** What counts; an answer counts when it ends unless the vendor charges `maxTokens` on arrival. */
  counting: fallback(CountingModel, Schema.decodeSync(CountingModel)({})),
  /** `"rolling"` (default): no span of a window ever holds more than the limit. `"bucket"`: a bucket that refills evenly. */
  enforcement: fallback(Schema.Literal("rolling", "bucket"), "rolling" as const),
  /** The span of the limits that are not by the day; default 60 s. */
  window: fallback(PositiveMilliseconds, 60_000),
  /** Requests are enforced pro rata in spans of this length as well, as Azure and Mistral do; default not. */
  requestsEvery: Schema.optional(PositiveMilliseconds),
  /** Default `usualLatency`. */
  latency: fallback(LatencyModel, usualLatency),
  /** How long a request is on its way before it counts, and an answer on its way back, drawn evenly; default 20 to 80 ms. */
  transit: fallback(Schema.Struct({ min: Milliseconds, max: Milliseconds }), { min: 20, max: 80 }),
  /** When the answers' limit readings are taken: at the answer's `"completion"` (default), `"arrival"`, or not at all. */
  readings: fallback(Schema.Literal("completion", "arrival", "none"), "completion" as const),
  /** Its bad hours; default none. */
  conditions: fallback(Schema.Array(Condition), [])
})

/** A vendor as it is simulated: durations in ms, defaults filled in. @since 0.1.0 */
export type VendorModel = typeof VendorModel.Type

/** A vendor as it is written: durations as `DurationInput`, everything but the name optional. @since 0.1.0 */
export type VendorModelInput = typeof VendorModel.Encoded
