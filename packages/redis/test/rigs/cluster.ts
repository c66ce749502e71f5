/**
 * A Redis Cluster of three masters on loopback ports.
 */
import { Effect, Schedule, type Scope } from "effect"
import { Cluster } from "ioredis"
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { cliBinary, type RedisServer, redisServer } from "./redisServer.ts"

export interface RedisCluster {
  readonly nodes: ReadonlyArray<RedisServer>
  /** What `new Cluster(…)` of ioredis takes. */
  readonly startupNodes: ReadonlyArray<{ readonly host: string; readonly port: number }>
  /** The test's own connection. */
  readonly client: Cluster
  readonly flush: Effect.Effect<void>
  /**
   * Begins to move the slot of this key to another master: what is asked for in it and is not there any more answers
   * ASK. `finish` ends it: the old master answers MOVED from then on.
   */
  readonly migrate: (key: string) => Effect.Effect<Migration>
}

export interface Migration {
  /** Moves the keys that the slot has now. */
  readonly moveKeys: Effect.Effect<void>
  readonly finish: Effect.Effect<void>
}

const clusterArgs = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"]

/** The tool has waited for its own view only; each node has one. */
const isUp = ({ client }: RedisServer): Effect.Effect<void> =>
  Effect.promise(() => client.cluster("INFO")).pipe(
    Effect.repeat({
      until: (info) => info.includes("cluster_state:ok"),
      schedule: Schedule.spaced("50 millis")
    }),
    Effect.asVoid
  )

const idOf = (node: RedisServer): Promise<string> => node.client.cluster("MYID")

const begin = async (nodes: ReadonlyArray<RedisServer>, key: string): Promise<Migration> => {
  const slot = await nodes[0]!.client.cluster("KEYSLOT", key)
  const ranges = await nodes[0]!.client.cluster("SLOTS")
  const [, , [, owningPort] = []] = ranges.find(([from, to]) => from <= slot && slot <= to) ?? []
  const source = nodes.find(({ port }) => port === owningPort)
  const target = nodes.find((node) => node !== source)
  if (source === undefined || target === undefined) throw new Error(`no node owns slot ${slot} of ${key}`)
  const [sourceId, targetId] = await Promise.all([idOf(source), idOf(target)])
  await target.client.cluster("SETSLOT", slot, "IMPORTING", sourceId)
  await source.client.cluster("SETSLOT", slot, "MIGRATING", targetId)
  return {
    moveKeys: Effect.promise(async () => {
      const keys = await source.client.cluster("GETKEYSINSLOT", slot, 1_000)
      if (keys.length > 0) {
        await source.client.migrate("127.0.0.1", target.port, "", 0, 5_000, "REPLACE", "KEYS", ...keys)
      }
    }),
    finish: Effect.promise(async () => {
      for (const node of [target, source, ...nodes.filter((each) => each !== target && each !== source)]) {
        await node.client.cluster("SETSLOT", slot, "NODE", targetId)
      }
    })
  }
}

export const redisCluster: Effect.Effect<RedisCluster, never, Scope.Scope> = Effect.gen(function*() {
  const nodes = yield* Effect.all([1, 2, 3].map(() => redisServer(clusterArgs)), { concurrency: 3 })
  const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`)
  const create = ["--cluster", "create", ...addresses, "--cluster-replicas", "0", "--cluster-yes"]
  yield* Effect.promise(() => promisify(execFile)(cliBinary ?? "redis-cli", create))
  yield* Effect.forEach(nodes, isUp, { concurrency: "unbounded" })
  const startupNodes = nodes.map(({ port }) => ({ host: "127.0.0.1", port }))
  const client = yield* Effect.acquireRelease(
    Effect.sync(() => new Cluster([...startupNodes])),
    (cluster) => Effect.sync(() => cluster.disconnect())
  )
  return {
    nodes,
    startupNodes,
    client,
    flush: Effect.promise(() => Promise.all(nodes.map((node) => node.client.flushall()))),
    migrate: (key) => Effect.promise(() => begin(nodes, key))
  }
})
