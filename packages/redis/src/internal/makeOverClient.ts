import { type InvalidConfig, RouterOptions, type RouterStateService } from "@route-llm/core"
import { Effect, type Scope } from "effect"
import { Cluster } from "ioredis"
import { randomUUID } from "node:crypto"
import { makeKeys } from "./keys.ts"
import { decodeOptions, type OptionsInput } from "./options.ts"
import { makeRedisState } from "./redisState.ts"
import type { TimeSource } from "./scripts.ts"
import { makeStore, type RedisClient } from "./Store.ts"

/** A connection beside the client's, since one that listens can do nothing else. */
const listener = (client: RedisClient): RedisClient =>
  client instanceof Cluster
    ? client.duplicate()
    : client.duplicate({ enableOfflineQueue: true, maxRetriesPerRequest: null, lazyConnect: false })

/** How long the layer waits until it listens; it goes on without. */
const subscribeMs = 1_000

const subscribeTo = (client: RedisClient, channel: string) => (heard: (message: string) => void) =>
  Effect.flatMap(
    Effect.acquireRelease(
      Effect.sync(() => {
        const connection = listener(client)
        connection.on("error", () => {})
        connection.on("message", (_channel: string, message: string) => heard(message))
        return connection
      }),
      (connection) => Effect.sync(() => connection.disconnect())
    ),
    (connection) =>
      Effect.async<void>((resume) => {
        const go = () => resume(Effect.void)
        const timer = setTimeout(go, subscribeMs)
        connection.subscribe(`${prefixOf(client)}${channel}`).then(go, go).finally(() => clearTimeout(timer))
      })
  )

/** What ioredis puts before each key, but not before a channel. */
const prefixOf = (client: RedisClient): string => client.options.keyPrefix ?? ""

/** The database it is in now; a Cluster has one only. */
const databaseOf = (client: RedisClient): number =>
  client instanceof Cluster ? 0 : client.condition?.select ?? client.options.db ?? 0

/** `time`: only tests have it in their hand. `make`: an instance, or who only looks on. */
export const makeOverClient = (
  client: RedisClient,
  input: OptionsInput,
  time: TimeSource = "server",
  make: typeof makeRedisState = makeRedisState
): Effect.Effect<RouterStateService, InvalidConfig, Scope.Scope> =>
  Effect.gen(function*() {
    const options = yield* decodeOptions(input)
    const { window } = yield* RouterOptions
    const { buckets, namespace } = options
    const keys = makeKeys({ namespace, windowMs: window, buckets, db: databaseOf(client) })
    const store = makeStore(client, options.commandTimeout)
    yield* Effect.acquireRelease(
      Effect.sync(() => client.on("close", store.giveUp)),
      () => Effect.sync(() => client.off("close", store.giveUp))
    )
    return yield* make({
      id: randomUUID(),
      store,
      keys,
      options,
      time,
      subscribe: subscribeTo(client, keys.meta)
    })
  })
