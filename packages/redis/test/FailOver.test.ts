/** The masters change: by Sentinel after one has died, in a Cluster because a slot moves. */
import { RouterStateRedis } from "@route-llm/redis"
import { Effect, type Scope } from "effect"
import { Cluster, Redis } from "ioredis"
import { describe, expect, it } from "vitest"
import { redisCluster } from "./rigs/cluster.ts"
import { answering, startInstance } from "./rigs/instances.ts"
import { chats, during, excess, expectCounted, isAnswered, quick, recovered } from "./rigs/outage.ts"
import { redisSentinel } from "./rigs/sentinel.ts"
import { skips, suiteRig } from "./rigs/suite.ts"

const run = (effect: Effect.Effect<void, never, Scope.Scope>) => Effect.runPromise(Effect.scoped(effect))

/** Errors of a connection to a server that has died are what the test is about. */
const owned = <Client extends Redis | Cluster>(make: () => Client): Effect.Effect<Client, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const client = make()
      client.on("error", () => {})
      return client
    }),
    (client) => Effect.sync(() => client.disconnect())
  )

const startOn = (client: Redis | Cluster, called: Effect.Effect<unknown>) =>
  startInstance(RouterStateRedis.layerClient(client, { namespace: "moved", ...quick }), [answering("a", { called })])

describe.skipIf(skips("own"))("Sentinel", () => {
  const rig = suiteRig(redisSentinel, ({ master }) => master.flush)

  it(
    "puts a replica in the master's place: no request waits longer than the command timeout",
    () =>
      run(Effect.gen(function*() {
        let calls = 0
        const called = Effect.sync(() => void calls++)
        const { afterwards, master, name, sentinels } = rig()
        const make = () => new Redis({ sentinels: [...sentinels], name })
        const instance = yield* startOn(yield* owned(make), called)
        const before = yield* during(instance, Effect.sleep("1 second"))
        const meanwhile = yield* during(instance, Effect.zipRight(afterwards(master.stop), recovered(instance)))
        expect(excess("Sentinel's failover", before, meanwhile)).toEqual([])
        yield* expectCounted(instance, yield* startOn(yield* owned(make), called), () => calls)
      })),
    30_000
  )
})

describe.skipIf(skips("own"))("a Cluster", () => {
  const rig = suiteRig(redisCluster, ({ flush }) => flush)

  it("moves the router's slot: requests go on, and are all counted", () =>
    run(Effect.gen(function*() {
      let calls = 0
      const called = Effect.sync(() => void calls++)
      const make = () => new Cluster([...rig().startupNodes])
      const instance = yield* startOn(yield* owned(make), called)
      yield* chats(instance, 5)
      const { finish, moveKeys } = yield* rig().migrate("{moved}")
      const ended = [
        ...yield* chats(instance, 5),
        ...yield* Effect.zipRight(moveKeys, chats(instance, 5)),
        ...yield* Effect.zipRight(finish, chats(instance, 5))
      ]
      expect(ended.filter((one) => !isAnswered(one))).toEqual([])
      if (instance.events.some(({ _tag }) => _tag === "StateFailed")) yield* recovered(instance)
      yield* expectCounted(instance, yield* startOn(yield* owned(make), called), () => calls)
    })), 30_000)
})
