/**
 * A master, its replica, and the sentinel that puts the one in the other's place.
 */
import { Effect, Schedule, type Scope } from "effect"
import { connect, type RedisServer, redisServer, sentinelServer } from "./redisServer.ts"

export interface RedisSentinel {
  /** What `new Redis({ sentinels, name })` of ioredis takes. */
  readonly sentinels: ReadonlyArray<{ readonly host: string; readonly port: number }>
  readonly name: string
  /** As they were when the rig was made. */
  readonly master: RedisServer
  readonly replica: RedisServer
  /** Does this to the master, and waits until the sentinel has put another server in its place. */
  readonly afterwards: (broken: Effect.Effect<void>) => Effect.Effect<void>
}

const name = "main"

/** After this long without a word from it the master is taken to be down. */
const downAfterMs = 500

const polled = Schedule.spaced("50 millis")

/** A replica that has not synchronized yet is no candidate for the master's place. */
const isLinked = ({ client }: RedisServer): Effect.Effect<void> =>
  Effect.promise(() => client.info("replication")).pipe(
    Effect.repeat({ until: (info) => info.includes("master_link_status:up"), schedule: polled }),
    Effect.asVoid
  )

/** A sentinel learns of replicas from the master, every ten seconds and when it is new. */
const knowsReplica = ({ client }: RedisServer): Effect.Effect<void> =>
  Effect.promise(() => client.call("SENTINEL", "REPLICAS", name)).pipe(
    Effect.repeat({ until: (replicas) => Array.isArray(replicas) && replicas.length > 0, schedule: polled }),
    Effect.asVoid
  )

export const redisSentinel: Effect.Effect<RedisSentinel, never, Scope.Scope> = Effect.gen(function*() {
  const master = yield* redisServer()
  const replica = yield* redisServer(["--replicaof", "127.0.0.1", String(master.port)])
  yield* isLinked(replica)
  const sentinel = yield* sentinelServer([
    `sentinel monitor ${name} 127.0.0.1 ${master.port} 1`,
    `sentinel down-after-milliseconds ${name} ${downAfterMs}`,
    `sentinel failover-timeout ${name} 3000`
  ])
  yield* knowsReplica(sentinel)
  return {
    sentinels: [{ host: "127.0.0.1", port: sentinel.port }],
    name,
    master,
    replica,
    afterwards: (broken) =>
      Effect.scoped(Effect.gen(function*() {
        const listener = yield* connect(sentinel.url)
        const heard = new Promise<void>((resolve) => listener.on("message", () => resolve()))
        yield* Effect.promise(() => listener.subscribe("+switch-master"))
        yield* broken
        yield* Effect.promise(() => heard)
      }))
  }
})
