/**
 * The router as people look at it: one row a provider, who waits, and sums. All of it is JSON as it stands: what is not
 * known, and what has no end, is absent. No key, prompt or answer is in it.
 *
 * @since 0.1.0
 */
import { Schema } from "effect"
import { FailureClass } from "./FailureClass.ts"
import { Dimension } from "./RateLimit.ts"

const { Finite } = Schema
const Count = Schema.NonNegativeInt

/**
 * How much of a limit is used; `learned` where the limit in force was not declared but told by the vendor or met.
 *
 * @since 0.1.0
 */
export const LimitStatus = Schema.Struct({
  used: Finite,
  limit: Finite,
  learned: Schema.Boolean
}).annotations({ identifier: "LimitStatus" })

/** @since 0.1.0 */
export interface LimitStatus extends Schema.Schema.Type<typeof LimitStatus> {}

/** @since 0.1.0 */
export const CircuitState = Schema.Literal("closed", "open", "half_open")

/** @since 0.1.0 */
export type CircuitState = typeof CircuitState.Type

/**
 * One provider. Limits that are not known are absent; percentages are 0 to 100.
 *
 * @since 0.1.0
 */
export const ProviderStatus = Schema.Struct({
  model: Schema.String,
  /** Requests in the window, those under way included. */
  rpmUsed: Finite,
  rpmLimit: Schema.optional(Finite),
  /** Tokens in the window, those reserved included. */
  tpmUsed: Finite,
  tpmLimit: Schema.optional(Finite),
  /** Of the scarcest limit. */
  headroomPct: Finite,
  circuitOpen: Schema.Boolean,
  circuit: CircuitState,
  /** While the circuit is open: until it lets a probe through; absent where it waits for `forceClose`. */
  circuitRetryAfterMs: Schema.optional(Finite),
  /** While it is benched: for how long still; absent beside `benchedBecause` where that has no end. */
  benchedForMs: Schema.optional(Finite),
  benchedBecause: Schema.optional(FailureClass),
  avgLatencyMs: Finite,
  /** To the first token of streamed answers. */
  avgFirstTokenMs: Finite,
  /** `true`: nothing was measured yet, and `avgLatencyMs` is what every provider is taken for until then. */
  latencyIsPrior: Schema.optional(Schema.Boolean),
  /** The same of `avgFirstTokenMs`. */
  firstTokenIsPrior: Schema.optional(Schema.Boolean),
  inFlight: Finite,
  /** Every limit that is known, by dimension. */
  limits: Schema.partial(Schema.Record({ key: Dimension, value: LimitStatus })),
  /** When it runs dry at the present rate, if within the look-ahead. */
  dryInMs: Schema.optional(Finite),
  /** How its newest call that failed did, and how long ago. Cancelled calls are no failures. */
  lastError: Schema.optional(Schema.Struct({ class: FailureClass, agoMs: Finite }))
}).annotations({ identifier: "ProviderStatus" })

/** @since 0.1.0 */
export interface ProviderStatus extends Schema.Schema.Type<typeof ProviderStatus> {}

/** By provider name. @since 0.1.0 */
export const RouterStatus = Schema.Record({ key: Schema.String, value: ProviderStatus })

/** @since 0.1.0 */
export type RouterStatus = typeof RouterStatus.Type

/**
 * Sums since the router started, of this process. `requests` is `served + failed + cancelled` and what is under way.
 *
 * @since 0.1.0
 */
export const Tally = Schema.Struct({
  requests: Count,
  served: Count,
  failed: Count,
  /** Given up by the caller. */
  cancelled: Count,
  /** Calls made after another one of the same route had failed. */
  fallbacks: Count,
  /** As the vendors reported, of every attempt; the estimate where one reported none. */
  inputTokens: Finite,
  outputTokens: Finite
})

/** @since 0.1.0 */
export interface Tally extends Schema.Schema.Type<typeof Tally> {}

/**
 * The shared store behind the router is away, and this instance goes on without it: limits in the report are its part of
 * them (`share`), or the whole of them as though it were alone (`open`). Where requests fail meanwhile, so does the
 * report.
 *
 * @since 0.1.0
 */
export const StateAway = Schema.Struct({
  away: Schema.Literal(true),
  policy: Schema.Literal("share", "open"),
  /** For how long it has been away. */
  sinceMs: Finite
}).annotations({ identifier: "StateAway" })

/** @since 0.1.0 */
export interface StateAway extends Schema.Schema.Type<typeof StateAway> {}

/**
 * The whole picture at one moment.
 *
 * @since 0.1.0
 */
export const StatusReport = Schema.Struct({
  /** Of this form. */
  version: Schema.Literal(1),
  /** Milliseconds since 1970. */
  timestamp: Finite,
  /** When the router was made. */
  startedAt: Finite,
  /** In the order of the list. */
  providers: Schema.Array(
    Schema.Struct({ name: Schema.String, ...ProviderStatus.fields }).annotations({ identifier: "NamedProviderStatus" })
  ),
  /** Requests in line, by lane. */
  waiting: Schema.Struct({ high: Count, normal: Count, low: Count }),
  /** Absent while all is well, and where no store is shared. */
  state: Schema.optional(StateAway),
  /** Of this process, but for `inFlight`, `rpmUsed` and `tpmUsed`, which are the sums over `providers`. */
  totals: Schema.Struct({ ...Tally.fields, inFlight: Finite, rpmUsed: Finite, tpmUsed: Finite })
}).annotations({ identifier: "StatusReport" })

/** @since 0.1.0 */
export interface StatusReport extends Schema.Schema.Type<typeof StatusReport> {}
