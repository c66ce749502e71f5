import type { InvalidConfig } from "@route-llm/core"
import { Milliseconds, PositiveMilliseconds, toInvalidConfig } from "@route-llm/core/kernel"
import { Effect, Redacted, Schema } from "effect"

const fallback = <A, I>(schema: Schema.Schema<A, I>, value: A) =>
  Schema.optionalWith(schema, { default: () => value, exact: true })

const Count = Schema.Int.pipe(Schema.positive())

/** A timer that is set for longer goes off at once. */
const longestTimerMs = 2 ** 31 - 1

const Timer = PositiveMilliseconds.pipe(
  Schema.lessThanOrEqualTo(longestTimerMs, { message: () => "at most 2147483647 ms, which is 24 days" })
)

/** What all layers take. */
const Fields = Schema.Struct({
  /** Routers with one namespace share one picture; default `"default"`. Letters, digits and `. _ : -`. */
  namespace: fallback(Schema.String.pipe(Schema.pattern(/^[\w.:-]{1,128}$/)), "default"),
  /**
   * What happens to requests while Redis is away: `"share"` (default), each instance goes on with its part of every
   * limit; `"open"`, each goes on as though it were alone; `"closed"`, they fail with `StateUnavailable`.
   */
  onStateFailure: fallback(Schema.Literal("share", "open", "closed"), "share" as const),
  /** The longest a request waits for one answer of Redis; default 100 ms. */
  commandTimeout: fallback(Timer, 100),
  /** How often an instance says that it is there; default 1 s. */
  heartbeat: fallback(Timer, 1_000),
  /** After so long without a heartbeat an instance is dead, and its reservations end; default 10 s. Some heartbeats long. */
  leaseTtl: fallback(PositiveMilliseconds, 10_000),
  /** How often Redis is asked again while it is away; default 250 ms. */
  retryEvery: fallback(Timer, 250),
  /**
   * How long Redis has to be back before it has the word again, in which all instances tell it what they did meanwhile;
   * default 2 heartbeats.
   */
  settleIn: Schema.optionalWith(Milliseconds.pipe(Schema.finite()), { exact: true }),
  /** How many instances there are at least, for shares while Redis has not told yet; default 1. */
  instances: fallback(Count, 1),
  /** Buckets of the window, 4 to 240: it over-counts by at most one of them in time; default 60, that is 3 kB a provider. */
  buckets: fallback(Schema.Int.pipe(Schema.between(4, 240)), 60)
})

/** Without a heartbeat within `leaseTtl` everyone would be dead most of the time. */
const Options = Fields.pipe(Schema.filter(({ heartbeat, leaseTtl }) =>
  heartbeat < leaseTtl
  || { path: ["heartbeat"], message: `less than leaseTtl (${leaseTtl} ms), after which an instance is dead` }
))

/** What ioredis would not throw at, with the address and its password in what it throws, and could connect to. */
const isAddress = (input: unknown): input is string | Redacted.Redacted => {
  const text = Redacted.isRedacted(input) ? Redacted.value(input) : input
  if (typeof text !== "string") return false
  if (/^\/[^/]/.test(text)) return true
  if (!/^rediss?:\/\//.test(text) || !URL.canParse(text)) return false
  const { password, pathname, username } = new URL(text)
  return /^(\/\d*)?$/.test(pathname) && [username, password].every(isDecodable)
}

const isDecodable = (text: string): boolean => {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

/** Its issue says what is allowed and never what was found, which has a password in it. */
const Address = Schema.declare(isAddress, {
  message: () =>
    "an address such as redis://user:password@host:6379/0, rediss://… or the path of a socket, user and password "
    + "percent-encoded"
})

const Owned = Schema.extend(Options, Schema.Struct({ url: Address }))

export type OptionsInput = typeof Options.Encoded

export type Settings = typeof Options.Type

const strict = { errors: "all", onExcessProperty: "error" } as const
const decode = Schema.decodeUnknownEither(Options, strict)
const decodeOwned = Schema.decodeUnknownEither(Owned, strict)

/** Decodes options; fails with every field that does not hold. */
export const decodeOptions = (options: OptionsInput): Effect.Effect<Settings, InvalidConfig> =>
  Effect.mapError(decode(options), (error) => toInvalidConfig("RouterStateRedis", error))

/** The address among these options, where all of them hold. */
export const decodeUrl = (
  options: OptionsInput & { readonly url: string | Redacted.Redacted }
): Effect.Effect<string, InvalidConfig> =>
  Effect.mapBoth(decodeOwned(options), {
    onFailure: (error) => toInvalidConfig("RouterStateRedis", error),
    onSuccess: ({ url }) => typeof url === "string" ? url : Redacted.value(url)
  })
