/**
 * A router's configuration as data: what a JSON or YAML file, the environment or an object literal says. It names
 * vendors and keys, but knows no SDK and no runtime; `route-llm` turns it into providers. For providers made from your
 * own clients register those instead, and for knobs that are not here use `RouterOptions`.
 *
 * ```ts
 * import { decodeRouterConfig } from "@route-llm/core"
 * import { Either } from "effect"
 *
 * const config = decodeRouterConfig({ providers: [{ name: "openai", rpmLimt: 500 }] })
 * Either.mapLeft(config, (error) => error.message)
 * // 1 problem in the configuration (object):
 * //   providers[0].rpmLimt: unknown key, did you mean "rpmLimit"?
 * ```
 *
 * @since 0.1.0
 */
import { Array as Arr, Either, identity, Order, Schema } from "effect"
import { OnSaturated } from "./ChatRequest.ts"
import { apiKey, baseUrl, count, flag, limit, redisUrl, seconds, share, text, weight } from "./internal/configFields.ts"
import { allows, problemsOf } from "./internal/configIssues.ts"
import { renderPath } from "./internal/schemaIssues.ts"
import { type ConfigIssue, InvalidConfig } from "./RouterError.ts"
import type { RouterOptionsInput } from "./RouterOptions.ts"

const CountingConfig = allows(
  Schema.Struct({
    /** The vendor charges `maxTokens` against its token window on arrival. */
    chargesMaxTokens: Schema.optional(flag),
    /** Share of a token read from the prompt cache that counts. */
    cacheRead: Schema.optional(share),
    /** Share of a token written to the prompt cache that counts. */
    cacheWrite: Schema.optional(share)
  }),
  "what counts by name: { charges_max_tokens, cache_read, cache_write }"
)

/**
 * One provider, from its vendor's adapter. What is absent is not declared: a limit is then learned or unlimited, a
 * model or key is the adapter's or SDK's default.
 *
 * @since 0.1.0
 */
export const ProviderConfig = allows(
  Schema.Struct({
    /** Unique in the router. */
    name: text("a name"),
    /** Redacted once decoded; without it the SDK looks for its own variable. */
    apiKey: Schema.optional(apiKey),
    model: Schema.optional(text("a model's name")),
    /** Requests a window. */
    rpmLimit: Schema.optional(limit),
    /** Tokens a window, input and output together. */
    tpmLimit: Schema.optional(limit),
    /** Tokens of input a window. */
    inputTpmLimit: Schema.optional(limit),
    /** Tokens of output a window. */
    outputTpmLimit: Schema.optional(limit),
    /** Requests in 24 hours. */
    rpdLimit: Schema.optional(limit),
    /** Tokens in 24 hours. */
    tpdLimit: Schema.optional(limit),
    /** Requests under way at one time. */
    concurrencyLimit: Schema.optional(limit),
    /** Tokens the model takes at most: a request too long for another goes on to those that take more. */
    contextWindow: Schema.optional(limit),
    /** The static term of the score; default 1. */
    weight: Schema.optional(weight),
    /** `false` leaves the provider out; default true. */
    enabled: Schema.optional(flag),
    /** Where the vendor's API is, for a proxy or an OpenAI-compatible server. */
    baseUrl: Schema.optional(baseUrl),
    /** Which adapter calls it; default: the one named as the provider is. */
    adapter: Schema.optional(text("an adapter's name")),
    /** What the vendor counts; default: as the adapter knows. */
    counting: Schema.optional(CountingConfig)
  }),
  "a provider such as { name: \"openai\" }"
)

/** @since 0.1.0 */
export type ProviderConfig = typeof ProviderConfig.Type

const WeightSet = allows(
  Schema.Struct({ capacity: weight, latency: weight, static: weight }),
  "weights by term: { capacity, latency, static }"
)

const WeightsByLane = Schema.Struct({
  normal: Schema.optional(WeightSet),
  high: Schema.optional(WeightSet),
  low: Schema.optional(WeightSet)
})

const CircuitBreaker = allows(
  Schema.Struct({
    /** Consecutive failures that open a provider's circuit; default 5. */
    failureThreshold: Schema.optional(count),
    /** How long an opened circuit lets nothing through; default 30. Doubles with each probe that fails. */
    cooldownSeconds: Schema.optional(seconds),
    /** The longest a growing cooldown gets; default 300. */
    maxCooldownSeconds: Schema.optional(seconds),
    /** The share of failures that opens it too, among `minimumCalls`; default 0.5. */
    errorRatio: Schema.optional(
      allows(Schema.Positive.pipe(Schema.lessThanOrEqualTo(1)), "a share above 0, at most 1")
    ),
    /** Calls below which their share of failures says nothing; default 20. */
    minimumCalls: Schema.optional(count),
    /** How long a circuit that has closed lets through only as many more as succeed; default 30. */
    rampSeconds: Schema.optional(seconds),
    /** `false`: no call while no provider is in service; default true, one a second. */
    lastResort: Schema.optional(flag)
  }),
  "the circuit breaker's settings by name"
)

const WaitingConfig = allows(
  Schema.Struct({
    /** What a request does while no provider has room; default `wait`. */
    onSaturated: Schema.optional(allows(OnSaturated, "wait or fail")),
    /** Who goes first within a lane; default `fifo`. */
    order: Schema.optional(allows(Schema.Literal("fifo", "lifo"), "fifo or lifo")),
    /** The most requests in line; default 10,000. */
    maxWaiting: Schema.optional(allows(Schema.Int.pipe(Schema.nonNegative()), "a whole number ≥ 0")),
    /** The longest wait; default: the request's own timeout. */
    maxWaitSeconds: Schema.optional(seconds),
    /** A request that came this much earlier goes before one of the next higher lane; default 30. */
    ageingSeconds: Schema.optional(seconds),
    /** From this wait on room is kept for the first in line; default 30. */
    keepAfterSeconds: Schema.optional(seconds)
  }),
  "the waiting line's settings by name"
)

/**
 * The whole configuration. The schema checks each field for itself; `decodeRouterConfig` also what holds between them,
 * and reports in words that may be logged.
 *
 * @since 0.1.0
 */
export const RouterConfig = allows(
  Schema.Struct({
    /** May be empty where the providers are registered later. */
    providers: allows(Schema.Array(ProviderConfig), "a list of providers"),
    /** Where the fleet shares its state; without it each process has its own. Redacted once decoded. */
    redisUrl: Schema.optional(redisUrl),
    /** The span that limits refer to; default 60. */
    windowSeconds: Schema.optional(seconds),
    /** The score's weights: one set for the normal lane, or one for each lane that differs from the default. */
    weights: Schema.optional(allows(
      Schema.Union(WeightSet, WeightsByLane),
      "{ capacity, latency, static }, or such weights by lane: { normal, high, low }"
    )),
    circuitBreaker: Schema.optional(CircuitBreaker),
    waiting: Schema.optional(WaitingConfig),
    /** How candidates are ordered; default `formula`. */
    policy: Schema.optional(allows(Schema.Literal("formula", "fit"), "formula or fit")),
    /** The budget of a whole route; default 60. */
    timeoutSeconds: Schema.optional(seconds),
    /** The longest one attempt may take; default half of what is left while there is another provider. */
    attemptTimeoutSeconds: Schema.optional(seconds),
    /** The most calls for one request; default 10. */
    maxAttempts: Schema.optional(count),
    /** Share of each window that only the high lane may use, 0 to below 100; default 0. */
    highPriorityReservePct: Schema.optional(
      allows(Schema.Finite.pipe(Schema.greaterThanOrEqualTo(0), Schema.lessThan(100)), "a percentage, 0 ≤ it < 100")
    )
  }),
  "a configuration such as { providers: [{ name: \"openai\" }] }"
)

/** @since 0.1.0 */
export type RouterConfig = typeof RouterConfig.Type

/** A configuration as it is written: keys and addresses may be plain text. @since 0.1.0 */
export type RouterConfigInput = typeof RouterConfig.Encoded

/**
 * One thing that is wrong, by its path in the object that is decoded. A `missing` field is not there; of an `unknown`
 * one the key is wrong, not the value.
 *
 * @since 0.1.0
 */
export interface ConfigProblem {
  readonly path: ReadonlyArray<PropertyKey>
  readonly kind: "invalid" | "missing" | "unknown"
  readonly issue: string
}

/**
 * Where a configuration was written, so that its problems are reported in the writer's terms. Absent: as an object.
 *
 * @since 0.1.0
 */
export interface ConfigSource {
  /** What the error calls it: a file's name, `"environment"`; default `"object"`. */
  readonly source?: string | undefined
  /** What the path is there, and where it stands; default the path itself, nowhere. */
  readonly locate?: (problem: ConfigProblem) => {
    readonly path: ReadonlyArray<PropertyKey>
    readonly line?: number | undefined
    readonly column?: number | undefined
  }
  /** How a known key is spelled there; default as it is. */
  readonly spell?: (key: string) => string
  /** What reading it has found already. It stands for whatever else is wrong at its path. */
  readonly problems?: ReadonlyArray<ConfigProblem>
  /** What else has to hold of a configuration that decodes; default nothing. */
  readonly check?: ((config: RouterConfig) => ReadonlyArray<ConfigProblem>) | undefined
}

const decode = Schema.decodeUnknownEither(RouterConfig, { errors: "all", onExcessProperty: "error" })

const nameOf = (provider: unknown): unknown =>
  typeof provider === "object" && provider !== null && "name" in provider ? provider.name : undefined

/** Looks at the undecoded input, so that it speaks up beside the fields' problems. */
const duplicateNames = (input: unknown): ReadonlyArray<ConfigProblem> => {
  const providers: unknown = typeof input === "object" && input !== null && "providers" in input ? input.providers : []
  const names = Array.isArray(providers) ? providers.map(nameOf) : []
  return names.flatMap((name, i) => {
    const first = names.indexOf(name)
    return typeof name !== "string" || first === i ? [] : [{
      path: ["providers", i, "name"],
      kind: "invalid" as const,
      issue: `expected a name of its own, found the name of providers[${first}]`
    }]
  })
}

// A key pasted where a setting's name belongs is not printed either.
const printable = (key: PropertyKey): PropertyKey =>
  typeof key === "string" && key.length > 32 ? `<a key of ${key.length} characters>` : key

const byPosition = Order.combine<ConfigIssue>(
  Order.mapInput(Order.number, ({ line }) => line ?? 0),
  Order.mapInput(Order.number, ({ column }) => column ?? 0)
)

/**
 * Checks a configuration. Every problem is reported at once, with the path of the field, what it allows and what was
 * found; no key or address is ever part of it.
 *
 * @since 0.1.0
 */
export const decodeRouterConfig = (
  input: unknown,
  { check = () => [], locate = identity, problems = [], source = "object", spell = identity }: ConfigSource = {}
): Either.Either<RouterConfig, InvalidConfig> => {
  const decoded = decode(input)
  const reported = new Set(problems.map(({ path }) => renderPath(path)))
  const fields = Either.match(decoded, { onLeft: ({ issue }) => problemsOf(issue, spell), onRight: check })
  const found = [...fields, ...duplicateNames(input)]
  const issues = [...problems, ...found.filter(({ path }) => !reported.has(renderPath(path)))].map(
    (problem): ConfigIssue => {
      const { column, line, path } = locate(problem)
      return { path: renderPath(path.map(printable)) || "(root)", issue: problem.issue, line, column }
    }
  ).sort(byPosition)
  return Arr.isNonEmptyReadonlyArray(issues)
    ? Either.left(new InvalidConfig({ source, issues }))
    : Either.right(Either.getOrThrow(decoded))
}

const toMs = (seconds: number | undefined) => seconds === undefined ? undefined : seconds * 1_000

/**
 * The part of a configuration that the router itself reads. What the configuration leaves open keeps the default of
 * `RouterOptions`.
 *
 * @since 0.1.0
 */
export const toRouterOptions = (config: RouterConfig): RouterOptionsInput => {
  const { circuitBreaker = {}, highPriorityReservePct, maxAttempts, policy, waiting = {}, weights } = config
  const { ageingSeconds, keepAfterSeconds, maxWaitSeconds, ...line } = waiting
  const { cooldownSeconds, lastResort, maxCooldownSeconds, rampSeconds, ...breaker } = circuitBreaker
  return {
    window: toMs(config.windowSeconds),
    weights: weights !== undefined && "capacity" in weights ? { normal: weights } : weights,
    breaker: {
      ...breaker,
      cooldown: toMs(cooldownSeconds),
      maxCooldown: toMs(maxCooldownSeconds),
      ramp: toMs(rampSeconds),
      lastResort: lastResort === false ? Number.POSITIVE_INFINITY : undefined
    },
    waiting: {
      ...line,
      maxWait: toMs(maxWaitSeconds),
      ageing: toMs(ageingSeconds),
      keepAfter: toMs(keepAfterSeconds)
    },
    policy,
    timeout: toMs(config.timeoutSeconds),
    attemptTimeout: toMs(config.attemptTimeoutSeconds),
    maxAttempts,
    highPriorityReservePct
  }
}
