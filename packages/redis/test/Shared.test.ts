/** Two instances on one Redis: each sees what the other does, in its turn. */
import {
  RouterOptions,
  type RouterOptionsInput,
  RouterState,
  type RouterStateService,
  type StateChange
} from "@route-llm/core"
import { RouterStateRedis } from "@route-llm/redis"
import { Context, Effect, Fiber, Layer, Queue, type Scope, Stream } from "effect"
import { Redis } from "ioredis"
import { describe, expect, it } from "vitest"
import { redisServer } from "./rigs/redisServer.ts"
import { skips, suiteRig } from "./rigs/suite.ts"
import {
  ask,
  callOn as call,
  failed,
  reserveOn as reserve,
  spec,
  success,
  untilInLineOn as untilInLine
} from "./stateSupport.ts"

const heardBy = (state: RouterStateService) =>
  Effect.gen(function*() {
    const heard = yield* Queue.unbounded<StateChange>()
    yield* state.changes.pipe(Stream.runForEach((change) => Queue.offer(heard, change)), Effect.forkScoped)
    yield* Effect.yieldNow()
    return heard
  })

const run = (effect: Effect.Effect<void, never, Scope.Scope>) => Effect.runPromise(Effect.scoped(effect))

describe.skipIf(skips("own"))("two instances", () => {
  const rig = suiteRig(redisServer(), ({ flush, start }) => Effect.zipRight(start, flush))

  // A machine that is busy must not look like a Redis that is away.
  const patient = { commandTimeout: "5 seconds", heartbeat: "100 millis", leaseTtl: "1 second" } as const

  const instance = (
    options: RouterOptionsInput = {},
    namespace = "shared",
    state: Partial<RouterStateRedis.RouterStateRedisOptions> = {}
  ) =>
    Effect.map(
      Layer.build(
        RouterStateRedis.layer({ url: rig().url, namespace, ...patient, ...state }).pipe(
          Layer.provide(RouterOptions.layer(options)),
          Layer.orDie
        )
      ),
      Context.get(RouterState)
    )

  it("share every limit, and say the same", () =>
    run(Effect.gen(function*() {
      const [one, other] = [yield* instance(), yield* instance()]
      const limited = [spec("a", { requests: 3 })]
      yield* one.settle(yield* call(one, ask(limited)), success)
      yield* one.snapshot(limited)
      yield* call(other, ask(limited))
      yield* call(one, ask(limited))
      expect(yield* reserve(other, ask(limited))).toMatchObject({ _tag: "Refused", refusals: [{ reason: "full" }] })
      const [here, there] = [yield* one.snapshot(limited), yield* other.snapshot(limited)]
      expect(here[0]).toMatchObject({ requestsUsed: 3, inFlight: 2 })
      expect(there[0]).toMatchObject({ requestsUsed: 3, inFlight: 2 })
    })))

  it("with two namespaces share nothing", () =>
    run(Effect.gen(function*() {
      const [one, other] = [yield* instance(), yield* instance({}, "elsewhere")]
      const limited = [spec("a", { requests: 1 })]
      yield* call(one, ask(limited))
      expect(yield* reserve(other, ask(limited))).toMatchObject({ _tag: "Granted" })
    })))

  it("wake each other: who waits at one is served by what ends at the other", () =>
    run(Effect.gen(function*() {
      // Nothing but what is published says so.
      const silent = instance({}, "shared", { heartbeat: "1 hour", leaseTtl: "2 hours" })
      const [one, other] = [yield* silent, yield* silent]
      const single = [spec("a", { concurrent: 1 })]
      const reservation = yield* call(one, ask(single))
      const waits = yield* Effect.fork(reserve(other, ask(single, { waitMs: 20_000 })))
      yield* untilInLine(other, 1)
      yield* one.settle(reservation, success)
      expect(yield* Fiber.join(waits)).toMatchObject({ _tag: "Granted" })
      yield* untilInLine(other, 0)
    })))

  it(
    "take who waits along, to their own line when Redis goes and back when it returns",
    () =>
      run(Effect.gen(function*() {
        const one = yield* instance({}, "shared", { retryEvery: "20 millis", settleIn: "50 millis" })
        const heard = yield* heardBy(one)
        const single = [spec("a", { concurrent: 1 })]
        const first = yield* call(one, ask(single))
        const second = yield* Effect.fork(call(one, ask(single, { waitMs: 20_000 })))
        const third = yield* Effect.zipRight(
          untilInLine(one, 1),
          Effect.fork(call(one, ask(single, { waitMs: 20_000 })))
        )
        yield* untilInLine(one, 2)
        yield* rig().stop
        expect(yield* Queue.take(heard)).toMatchObject({ _tag: "StateFailed", reason: "unreachable" })
        yield* one.settle(first, success)
        const reservation = yield* Fiber.join(second)
        yield* rig().start
        expect(yield* Queue.take(heard)).toMatchObject({ _tag: "StateRecovered" })
        yield* untilInLine(one, 1)
        yield* one.settle(reservation, success)
        yield* Fiber.join(third)
        expect((yield* one.snapshot(single))[0]).toMatchObject({ requestsUsed: 3, inFlight: 1 })
      })),
    20_000
  )

  it("go on at once when Redis dies while it is asked", () =>
    run(Effect.gen(function*() {
      // Nothing but the request itself finds out.
      const one = yield* instance({}, "shared", { heartbeat: "1 hour", leaseTtl: "2 hours" })
      const heard = yield* heardBy(one)
      yield* rig().freeze
      const asked = yield* Effect.fork(call(one, ask([spec("a")])))
      yield* Effect.yieldNow()
      yield* rig().stop
      expect(yield* Queue.take(heard)).toMatchObject({ _tag: "StateFailed", reason: "unreachable" })
      expect(yield* Fiber.join(asked)).toMatchObject({ provider: "a" })
    })))

  it("let one probe through between them", () =>
    run(Effect.gen(function*() {
      const options = { breaker: { failureThreshold: 2, lastResort: Infinity } }
      const [one, other] = [yield* instance(options), yield* instance(options)]
      const open = [spec("a")]
      const first = yield* call(one, ask(open))
      const second = yield* call(other, ask(open))
      yield* one.settle(first, failed)
      yield* one.snapshot(open)
      yield* other.settle(second, failed)
      expect((yield* other.snapshot(open))[0]).toMatchObject({ circuit: "open" })
      // Its cooldown is Redis' time, and ended by hand. The probe keeps others away for a whole one.
      yield* one.force(open, "a", { _tag: "Open", forMs: 0 })
      yield* other.snapshot(open)
      const asked = yield* Effect.all(
        Array.from({ length: 40 }, (_, index) => reserve(index % 2 === 0 ? one : other, ask(open))),
        { concurrency: "unbounded" }
      )
      expect(asked.filter(({ _tag }) => _tag === "Granted")).toHaveLength(1)
    })))

  it("hear of each other's circuits, benches and limits", () =>
    run(Effect.gen(function*() {
      const [one, other] = [yield* instance({ breaker: { failureThreshold: 1 } }), yield* instance()]
      const heard = yield* heardBy(other)
      const open = [spec("a")]
      yield* one.settle(yield* call(one, ask(open)), {
        ...failed,
        retryAfterMs: 2_000,
        limits: [{ dimension: "tokens", limit: 5_000 }]
      })
      expect(yield* Queue.take(heard)).toMatchObject({ _tag: "LimitLearned", dimension: "tokens", limit: 5_000 })
      expect(yield* Queue.take(heard)).toMatchObject({ _tag: "CircuitMoved", to: "open" })
      expect(yield* Queue.take(heard)).toMatchObject({ _tag: "Benched", because: "transient", forMs: 2_000 })
    })))

  it("keep a session with its provider", () =>
    run(Effect.gen(function*() {
      const [one, other] = [yield* instance(), yield* instance()]
      const equal = [spec("a"), { ...spec("b"), weight: 3 }]
      const session = { sessionId: "someone@example.com" }
      yield* one.settle(yield* call(one, ask(equal, { ...session, forceProvider: "a" })), success)
      yield* one.snapshot(equal)
      expect((yield* call(other, ask(equal, session))).provider).toBe("a")
      const keys = yield* Effect.promise(() => rig().client.keys("*"))
      expect(keys.filter((key) => key.includes("someone"))).toEqual([])
    })))

  it("leave no key without a time to live, and none outside their slot", () =>
    run(Effect.gen(function*() {
      const one = yield* instance()
      const limited = [spec("a", { requests: 1 })]
      yield* one.settle(yield* call(one, ask(limited, { sessionId: "s" })), success)
      yield* one.snapshot(limited)
      yield* Effect.fork(reserve(one, ask(limited, { waitMs: 20_000, timeLeftMs: 90_000 })))
      const { client } = rig()
      const keys = yield* Effect.promise(() => client.keys("*"))
      expect(keys.length).toBeGreaterThanOrEqual(5)
      for (const key of keys) {
        expect(key).toMatch(/^route-llm:v1:\{shared\}:60000x60:/)
        expect(yield* Effect.promise(() => client.pttl(key))).toBeGreaterThan(0)
      }
    })))

  it("work over clients of your own, with a prefix and with pipelines, and leave them open", () =>
    run(Effect.gen(function*() {
      const own = () =>
        Effect.acquireRelease(
          Effect.sync(() => new Redis(rig().url, { keyPrefix: "app:", enableAutoPipelining: true })),
          (client) => Effect.sync(() => client.disconnect())
        )
      const over = (client: Redis) =>
        Layer.build(RouterStateRedis.layerClient(client, { namespace: "own", ...patient }).pipe(Layer.orDie)).pipe(
          Effect.map(Context.get(RouterState))
        )
      const [mine, yours] = [yield* own(), yield* own()]
      const single = [spec("a", { concurrent: 1 })]
      yield* Effect.scoped(Effect.gen(function*() {
        const [one, other] = [yield* over(mine), yield* over(yours)]
        const reservation = yield* call(one, ask(single))
        const waits = yield* Effect.fork(reserve(other, ask(single, { waitMs: 20_000 })))
        yield* untilInLine(other, 1)
        yield* one.settle(reservation, success)
        expect(yield* Fiber.join(waits)).toMatchObject({ _tag: "Granted" })
      }))
      expect(yield* Effect.promise(() => mine.ping())).toBe("PONG")
      const keys = yield* Effect.promise(() => rig().client.keys("*"))
      expect(keys.filter((key) => !key.startsWith("app:route-llm:v1:{own}:"))).toEqual([])
    })))

  it("another layout beside them is left alone", () =>
    run(Effect.gen(function*() {
      const [one, other] = [yield* instance(), yield* instance({ window: "30 seconds" })]
      const limited = [spec("a", { requests: 1 })]
      yield* call(one, ask(limited))
      yield* call(other, ask(limited))
      expect((yield* one.snapshot(limited))[0]).toMatchObject({ requestsUsed: 1 })
    })))
})
