/** A user of Redis who may do what the README says, and nothing else. */
import { RouterOptions, RouterState, type StateChange } from "@route-llm/core"
import { RouterStateRedis } from "@route-llm/redis"
import { Context, Effect, Fiber, Layer, Queue, type Scope, Stream } from "effect"
import { readFileSync } from "node:fs"
import { describe, expect, it } from "vitest"
import { redisServer } from "./rigs/redisServer.ts"
import { skips, suiteRig } from "./rigs/suite.ts"
import { ask, call, failed, join, settle, single, snapshot, spec, success, untilInLine } from "./stateSupport.ts"

const readme = readFileSync(new URL("../../../README.md", import.meta.url), "utf8")

/** As it is written there. */
const setUser = /^ACL SETUSER router on >password .*$/m.exec(readme)?.[0].split(" ") ?? []

const run = (effect: Effect.Effect<void, unknown, Scope.Scope>) => Effect.runPromise(Effect.scoped(effect))

describe.skipIf(skips("own"))("a user with the rights in the README", () => {
  const rig = suiteRig(redisServer(), ({ flush }) => flush)

  const acl = (...args: ReadonlyArray<string>) => Effect.promise(() => rig().client.call("ACL", ...args))

  const urlOf = (db: number) => `${rig().url.replace("//", "//router:password@")}/${db}`

  const state = (db: number) =>
    RouterStateRedis.layer({ url: urlOf(db), namespace: "rights", commandTimeout: "5 seconds" }).pipe(
      Layer.provide(RouterOptions.layer({ breaker: { failureThreshold: 1, lastResort: Infinity } })),
      Layer.build,
      Effect.map(Context.get(RouterState))
    )

  it.each([0, 1])("is enough for all that a router does, in database %i", (db) =>
    run(Effect.gen(function*() {
      const [, ...args] = setUser
      yield* acl(...args)
      yield* acl("LOG", "RESET")
      yield* Effect.scoped(Effect.gen(function*() {
        const [one, other] = [yield* state(db), yield* state(db)]
        const by = (state: typeof one) => Effect.provideService(RouterState, state)
        const heard = yield* Queue.unbounded<StateChange>()
        yield* other.changes.pipe(Stream.runForEach((change) => Queue.offer(heard, change)), Effect.forkScoped)
        yield* Effect.yieldNow()

        const session = { sessionId: "s" }
        const first = yield* by(one)(call(ask(single, session)))
        const waits = yield* by(other)(join(ask(single, { waitMs: 20_000 }), 1))
        yield* by(one)(settle(first, success))
        const decision = yield* Fiber.join(waits)
        expect(decision).toMatchObject({ _tag: "Granted" })
        if (decision._tag !== "Granted") return
        yield* by(other)(untilInLine(0))
        yield* by(other)(settle(decision.reservation, success))

        const broken = [spec("b")]
        yield* by(one)(settle(yield* by(one)(call(ask(broken))), { ...failed, retryAfterMs: 1_000 }))
        // Heard from Redis, which tells it before the answer.
        yield* by(one)(snapshot(broken))
        expect(yield* Queue.take(heard)).toMatchObject({ _tag: "CircuitMoved", provider: "b" })
        expect(yield* Queue.take(heard)).toMatchObject({ _tag: "Benched", provider: "b" })
        expect(yield* one.force(broken, "b", { _tag: "Closed" })).toBe(true)
        expect(yield* Effect.all([one.away ?? Effect.void, other.away ?? Effect.void])).toEqual([undefined, undefined])
      }))
      const Watching = RouterStateRedis.layerObserver({ url: urlOf(db), namespace: "rights" })
      const watching = Context.get(yield* Layer.build(Watching), RouterState)
      const seen = yield* watching.snapshot(single)
      expect(seen).toMatchObject([{ requestsUsed: 2, inFlight: 0 }])
      expect(yield* acl("LOG")).toEqual([])
    })))
})
