/** The rigs themselves: what a suite relies on when it breaks a server. */
import { Effect, Fiber, Stream } from "effect"
import { Redis } from "ioredis"
import { describe, expect, it } from "vitest"
import { redisCluster } from "./cluster.ts"
import { redisServer } from "./redisServer.ts"
import { redisSentinel } from "./sentinel.ts"
import { skips, suiteRig } from "./suite.ts"

const run = <A>(effect: Effect.Effect<A>) => Effect.runPromise(effect)

describe.skipIf(skips("own"))("a server", () => {
  const rig = suiteRig(redisServer(), ({ flush }) => flush)

  it("comes back on its port, empty, after it was killed", () => {
    const { client, pid, restart } = rig()
    return run(Effect.gen(function*() {
      const before = yield* pid
      yield* Effect.promise(() => client.set("key", "value"))
      yield* restart
      expect(yield* pid).not.toBe(before)
      expect(yield* Effect.promise(() => client.get("key"))).toBeNull()
    }))
  })

  it("answers nothing while it is frozen, and then everything", () => {
    const { client, freeze, thaw } = rig()
    return run(Effect.gen(function*() {
      yield* freeze
      const answer = yield* Effect.fork(Effect.promise(() => client.ping()))
      expect(yield* Effect.timeoutOption(Fiber.join(answer), "200 millis")).toMatchObject({ _tag: "None" })
      yield* thaw
      expect(yield* Effect.promise(() => client.ping())).toBe("PONG")
    }))
  })

  it("tells every command it takes, those of scripts as theirs", () => {
    const { client, monitor } = rig()
    return run(Effect.scoped(Effect.gen(function*() {
      const commands = yield* monitor
      yield* Effect.promise(() => client.eval("redis.call('INCR', KEYS[1])", 1, "key"))
      const taken = yield* Stream.runCollect(Stream.take(commands, 2))
      expect([...taken].map(({ name, source }) => [name, source === "lua"])).toEqual([["EVAL", false], ["INCR", true]])
    })))
  })
})

describe.skipIf(skips("own"))("a cluster", () => {
  const rig = suiteRig(redisCluster, ({ flush }) => flush)

  it("has three masters that share the slots", () => {
    const { client, nodes } = rig()
    return run(Effect.gen(function*() {
      const keys = Array.from({ length: 30 }, (_, index) => `key-${index}`)
      yield* Effect.promise(() => Promise.all(keys.map((key) => client.set(key, key))))
      const sizes = yield* Effect.promise(() => Promise.all(nodes.map((node) => node.client.dbsize())))
      expect(sizes.reduce((sum, size) => sum + size)).toBe(keys.length)
      expect(Math.min(...sizes)).toBeGreaterThan(0)
    }))
  })

  // Who asks the wrong node is told by ASK first and by MOVED at last; a cluster's client follows both.
  it("moves a slot while it is asked for", () => {
    const { client, migrate, nodes } = rig()
    return run(Effect.gen(function*() {
      const key = "{moved}:key"
      yield* Effect.promise(() => client.set(key, "here"))
      const told = Effect.promise(() =>
        Promise.all(nodes.map((node) => node.client.get(key).catch((error: Error) => error.message.split(" ")[0])))
      )
      const before = yield* told
      expect([...before].sort()).toEqual(["MOVED", "MOVED", "here"])
      const { finish, moveKeys } = yield* migrate(key)
      yield* moveKeys
      expect([...yield* told].sort()).toEqual(["ASK", "MOVED", "MOVED"])
      expect(yield* Effect.promise(() => client.get(key))).toBe("here")
      yield* finish
      const after = yield* told
      expect([...after].sort()).toEqual(["MOVED", "MOVED", "here"])
      expect(after).not.toEqual(before)
      expect(yield* Effect.promise(() => client.get(key))).toBe("here")
    }))
  })
})

describe.skipIf(skips("own"))("a sentinel", () => {
  const rig = suiteRig(redisSentinel, ({ master }) => master.flush)

  it("puts the replica in the master's place", () => {
    const { afterwards, master, name, replica, sentinels } = rig()
    return run(Effect.scoped(Effect.gen(function*() {
      const client = yield* Effect.acquireRelease(
        Effect.sync(() => new Redis({ sentinels: [...sentinels], name, maxRetriesPerRequest: null })),
        (made) => Effect.sync(() => made.disconnect())
      )
      client.on("error", () => {})
      yield* Effect.promise(() => client.set("key", "kept"))
      yield* Effect.promise(() => client.wait(1, 5_000))
      yield* afterwards(master.stop)
      expect(yield* Effect.promise(() => client.get("key"))).toBe("kept")
      const [role] = yield* Effect.promise(() => replica.client.role())
      expect(role).toBe("master")
    })))
  }, 20_000)
})
