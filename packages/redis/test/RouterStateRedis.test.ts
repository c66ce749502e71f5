import { ProviderRegistry, Router, RouterLive } from "@route-llm/core"
import { RouterStateRedis } from "@route-llm/redis"
import {
  Chunk,
  Config,
  ConfigProvider,
  Context,
  Effect,
  Exit,
  Fiber,
  Layer,
  Redacted,
  Schedule,
  type Scope,
  Stream
} from "effect"
import { inspect } from "node:util"
import { describe, expect, it } from "vitest"
import { answering } from "./rigs/instances.ts"
import { redisServer } from "./rigs/redisServer.ts"
import { skips, suiteRig } from "./rigs/suite.ts"

const run = <A>(effect: Effect.Effect<A, unknown, Scope.Scope>) => Effect.runPromise(Effect.scoped(effect))

/** The paths of what the layer says of these options; nothing is connected to. */
const refused = (options: object): Promise<ReadonlyArray<string>> =>
  run(Effect.map(
    Effect.flip(Layer.build(RouterStateRedis.layer({ url: "redis://127.0.0.1:1", ...options }))),
    ({ issues }) => [...new Set(issues.map(({ path }) => path))]
  ))

describe("the options", () => {
  it.each([
    [{ namespace: "a}b" }, "namespace"],
    [{ onStateFailure: "panic" }, "onStateFailure"],
    [{ commandTimeout: 0 }, "commandTimeout"],
    [{ buckets: 241 }, "buckets"],
    [{ instances: 0 }, "instances"],
    [{ leaseTTL: "1 second" }, "leaseTTL"],
    // Everyone would be dead most of the time.
    [{ heartbeat: "10 seconds" }, "heartbeat"],
    [{ heartbeat: "1 second", leaseTtl: "1 second" }, "heartbeat"],
    // Node sets such a timer to 1 ms.
    [{ commandTimeout: "25 days" }, "commandTimeout"],
    [{ heartbeat: "25 days", leaseTtl: "60 days" }, "heartbeat"],
    [{ retryEvery: 2 ** 31 }, "retryEvery"],
    [{ settleIn: Infinity }, "settleIn"]
  ])("%o: %s is refused by its path", async (options, path) => {
    expect(await refused(options)).toEqual([path])
  })

  it("all that is wrong is said at once", async () => {
    expect(await refused({ buckets: 1, heartbeat: -1 })).toEqual(["heartbeat", "buckets"])
  })

  it.each(["heartbeat", "retryEvery", "commandTimeout"])("%s may be as long as a timer", async (name) => {
    const longest = 2 ** 31 - 1
    expect(await refused({ [name]: longest, leaseTtl: longest + 1, buckets: 1 })).toEqual(["buckets"])
  })

  const secrets = [
    "redis://:hunter2@127.0.0.1:99999",
    "redis://:hunter2#@127.0.0.1:6379",
    "redis://me:hunter2%@127.0.0.1:6379",
    "redis://me:hunter2@127.0.0.1:6379/one",
    "http://me:hunter2@127.0.0.1:6379",
    "me:hunter2@127.0.0.1:6379"
  ]

  it.each(secrets)(
    "an address that nothing can connect to is refused by its path, and not shown: %s",
    (url) =>
      run(Effect.gen(function*() {
        const layers = [
          RouterStateRedis.layer({ url }),
          RouterStateRedis.layer({ url: Redacted.make(url) }),
          RouterStateRedis.layerObserver({ url }),
          RouterStateRedis.layerConfig({ url: Config.succeed(Redacted.make(url)) })
        ]
        for (const layer of layers) {
          const exit = yield* Effect.exit(Layer.build(layer))
          expect(exit).toMatchObject({ cause: { error: { _tag: "InvalidConfig", issues: [{ path: "url" }] } } })
          expect(inspect(exit, { depth: 20, showHidden: true })).not.toContain("hunter2")
        }
      }))
  )

  it("the address is one of the options", async () => {
    expect(await refused({ url: "redis://:secret@127.0.0.1:99999", buckets: 1 })).toEqual(["buckets", "url"])
  })
})

describe.skipIf(skips("own"))("the layer", () => {
  const rig = suiteRig(redisServer(), ({ flush, start }) => Effect.zipRight(start, flush))

  const layer = RouterStateRedis.layerConfig({
    url: Config.redacted("REDIS_URL"),
    namespace: Config.string("REDIS_NAMESPACE")
  })

  it("takes its options from configuration", () =>
    run(Effect.gen(function*() {
      const provider = ConfigProvider.fromMap(new Map([["REDIS_URL", rig().url], ["REDIS_NAMESPACE", "configured"]]))
      yield* Layer.build(Layer.provide(layer, Layer.setConfigProvider(provider)))
      const keys = yield* Effect.promise(() => rig().client.keys("*"))
      expect(keys).toContain("route-llm:v1:{configured}:60000x60:meta")
    })))

  it("says what configuration lacks", async () => {
    const nothing = Layer.setConfigProvider(ConfigProvider.fromMap(new Map()))
    const error = await run(Effect.flip(Layer.build(Layer.provide(layer, nothing))))
    expect(String(error)).toContain("REDIS_URL")
  })

  it("leaves its place when it is closed", () =>
    run(Effect.gen(function*() {
      const instances = Effect.promise(() => rig().client.zcard("route-llm:v1:{leaving}:60000x60:instances"))
      const there = yield* Effect.scoped(
        Effect.zipRight(
          Layer.build(RouterStateRedis.layer({ url: rig().url, namespace: "leaving" })),
          instances
        )
      )
      expect(there).toBe(1)
      expect(yield* instances).toBe(0)
    })))

  it("that only looks says once that Redis is away, and once that it is back", () =>
    run(Effect.gen(function*() {
      const Live = RouterLive.pipe(
        Layer.provide(ProviderRegistry.provide(Effect.succeed(answering("a")))),
        Layer.provide([ProviderRegistry.layer, RouterStateRedis.layerObserver({ url: rig().url, namespace: "seen" })])
      )
      const { events, report } = Context.get(yield* Layer.build(Live), Router)
      const heard = yield* Effect.fork(Stream.runCollect(Stream.take(events, 2)))
      const looks = Effect.forEach([1, 2, 3], () => Effect.exit(report), { concurrency: "unbounded" })
      expect((yield* looks).every(Exit.isSuccess)).toBe(true)
      yield* rig().stop
      expect([...yield* looks, ...yield* looks].some(Exit.isSuccess)).toBe(false)
      yield* rig().start
      yield* Effect.repeat(Effect.exit(report), { until: Exit.isSuccess, schedule: Schedule.spaced("50 millis") })
      expect(Chunk.toReadonlyArray(yield* Fiber.join(heard))).toMatchObject([
        { _tag: "StateFailed", operation: "snapshot", reason: "unreachable" },
        { _tag: "StateRecovered" }
      ])
    })))
})
