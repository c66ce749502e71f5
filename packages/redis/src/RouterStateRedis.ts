/**
 * `RouterState` over Redis: every instance of a router that uses it shares one picture of what is used of each limit, of
 * circuits, benches, learned limits, latency and sessions. It swaps in for `RouterState.layerMemory`, and nothing else
 * changes:
 *
 * ```ts no-run
 * import { ProviderRegistry, RouterLive } from "@route-llm/core"
 * import { RouterStateRedis } from "@route-llm/redis"
 * import { Layer } from "effect"
 *
 * const Fleet = RouterLive.pipe(
 *   Layer.provideMerge(ProviderRegistry.layer),
 *   Layer.provide(RouterStateRedis.layer({ url: "redis://localhost:6379", namespace: "chat" }))
 * )
 * ```
 *
 * A request costs one round trip before its vendor is called; what comes after the answer is told to Redis in batches,
 * and nobody waits for it. Where Redis is away, `onStateFailure` says how requests go on; see `RouterStateRedisOptions`.
 *
 * Redis 6.2 or newer, or Valkey; `rediss://` too. For Sentinel and Cluster make the ioredis client yourself and use
 * `layerClient`. All keys of one namespace are in one slot.
 *
 * @since 0.1.0
 */
import { type InvalidConfig, RouterState } from "@route-llm/core"
import { Config, type ConfigError, Effect, Layer, type Redacted, type Scope } from "effect"
import { type Cluster, Redis } from "ioredis"
import { makeOverClient } from "./internal/makeOverClient.ts"
import { makeObserver } from "./internal/observing.ts"
import { decodeUrl, type OptionsInput } from "./internal/options.ts"

/**
 * How this instance uses Redis. Durations are `DurationInput`.
 *
 * - `namespace`: routers with one namespace share one picture; default `"default"`.
 * - `onStateFailure`: `"share"` (default), while Redis is away each instance goes on with its part of every limit;
 *   `"open"`, as though it were alone; `"closed"`, requests fail with `StateUnavailable`.
 * - `commandTimeout`: the longest a request waits for one answer of Redis; default 100 ms.
 * - `heartbeat`: how often an instance says that it is there; default 1 s. Less than `leaseTtl`.
 * - `leaseTtl`: after so long without a heartbeat it is dead, and its reservations end; default 10 s.
 * - `retryEvery`: how often Redis is asked again while it is away; default 250 ms.
 * - `settleIn`: how long Redis has to be back before it has the word again; default two heartbeats.
 * - `instances`: how many there are at least, as long as Redis has not told; default 1.
 * - `buckets`: of the window, 4 to 240; default 60. It over-counts by at most one of them in time.
 *
 * Instances that share a namespace should share `RouterOptions` and these as well. Those with another window or number
 * of buckets do not see each other.
 *
 * @since 0.1.0
 */
export interface RouterStateRedisOptions extends OptionsInput {}

/** How often a connection that broke is tried again, in ms. */
const reconnectMs = 250

const owned = (url: string): Effect.Effect<Redis, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const client = new Redis(url, {
        // What cannot be sent at once is decided without Redis.
        enableOfflineQueue: false,
        // What was sent to a connection that broke may have been carried out.
        autoResendUnfulfilledCommands: false,
        maxRetriesPerRequest: null,
        retryStrategy: (times) => Math.min(times * 50, reconnectMs)
      })
      // Whoever has to know hears of it from the command that fails.
      client.on("error", () => {})
      return client
    }),
    (client) => Effect.sync(() => client.disconnect())
  )

/**
 * Over a connection of its own, closed with the layer. It does not fail where Redis is not there: it begins without, after
 * at most a second. Fails on options that do not hold.
 *
 * @since 0.1.0
 */
export const layer = (
  options: RouterStateRedisOptions & { readonly url: string | Redacted.Redacted }
): Layer.Layer<RouterState, InvalidConfig> => {
  const { url: _, ...rest } = options
  const client = Effect.flatMap(decodeUrl(options), owned)
  return Layer.scoped(RouterState, Effect.flatMap(client, (owned) => makeOverClient(owned, rest)))
}

/**
 * What the instances of a namespace share, only looked at: it is none of them, so that none of their shares becomes
 * smaller. Status, explanations and events only; reserving and moving circuits die, and so does whatever Redis does not
 * answer. `buckets` are those of the instances, as `window` in `RouterOptions` is.
 *
 * @since 0.1.0
 */
export const layerObserver = (
  { url, ...options }:
    & Pick<RouterStateRedisOptions, "namespace" | "buckets" | "commandTimeout">
    & { readonly url: string | Redacted.Redacted }
): Layer.Layer<RouterState, InvalidConfig> =>
  Layer.scoped(
    RouterState,
    Effect.flatMap(
      Effect.flatMap(decodeUrl({ url, ...options }), owned),
      (client) => makeOverClient(client, { commandTimeout: "1 second", ...options }, "server", makeObserver)
    )
  )

/**
 * The same from configuration, each option or all of them.
 *
 * @since 0.1.0
 */
export const layerConfig = (
  options: Config.Config.Wrap<RouterStateRedisOptions & { readonly url: Redacted.Redacted }>
): Layer.Layer<RouterState, InvalidConfig | ConfigError.ConfigError> =>
  Layer.unwrapEffect(Effect.map(Config.unwrap(options), layer))

/**
 * Over your own ioredis client, a `Redis` (Sentinel too) or a `Cluster`, which is never closed here. One more connection
 * like it is made, to listen on, and closed with the layer.
 *
 * @since 0.1.0
 */
export const layerClient = (
  client: Redis | Cluster,
  options: RouterStateRedisOptions = {}
): Layer.Layer<RouterState, InvalidConfig> => Layer.scoped(RouterState, makeOverClient(client, options))
