import type { InvalidConfig } from "@route-llm/core"
import { Milliseconds, PositiveMilliseconds, toInvalidConfig } from "@route-llm/core/kernel"
import { Effect, Schema } from "effect"

const fallback = <A, I>(schema: Schema.Schema<A, I>, value: A) =>
  Schema.optionalWith(schema, { default: () => value, exact: true })

const Count = Schema.Int.pipe(Schema.positive())

/** What all layers take. */
const Options = Schema.Struct({
  /** Routers with one namespace share one picture; default `"default"`. Letters, digits and `. _ : -`. */
  namespace: fallback(Schema.String.pipe(Schema.pattern(/^[\w.:-]{1,128}$/)), "default"),
  /**
   * What happens to requests while Redis is away: `"share"` (default), each instance goes on with its part of every
   * limit; `"open"`, each goes on as though it were alone; `"closed"`, they fail with `StateUnavailable`.
   */
  onStateFailure: fallback(Schema.Literal("share", "open", "closed"), "share" as const),
  /** The longest a request waits for one answer of Redis; default 100 ms. */
  commandTimeout: fallback(PositiveMilliseconds, 100),
  /** How often an instance says that it is there; default 1 s. */
  heartbeat: fallback(PositiveMilliseconds, 1_000),
  /** After so long without a heartbeat an instance is dead, and its reservations end; default 10 s. */
  leaseTtl: fallback(PositiveMilliseconds, 10_000),
  /** How often Redis is asked again while it is away; default 250 ms. */
  retryEvery: fallback(PositiveMilliseconds, 250),
  /**
   * How long Redis has to be back before it has the word again, in which all instances tell it what they did meanwhile;
   * default 2 heartbeats.
   */
  settleIn: Schema.optionalWith(Milliseconds, { exact: true }),
  /** How many instances there are at least, for shares while Redis has not told yet; default 1. */
  instances: fallback(Count, 1),
  /** Buckets of the window, 4 to 240: it over-counts by at most one of them in time; default 60, that is 3 kB a provider. */
  buckets: fallback(Schema.Int.pipe(Schema.between(4, 240)), 60)
})

export type OptionsInput = typeof Options.Encoded

export type Settings = typeof Options.Type

const decode = Schema.decodeUnknownEither(Options, { errors: "all", onExcessProperty: "error" })

/** Decodes options; fails with every field that does not hold. */
export const decodeOptions = (options: OptionsInput): Effect.Effect<Settings, InvalidConfig> =>
  Effect.mapError(decode(options), (error) => toInvalidConfig("RouterStateRedis", error))
