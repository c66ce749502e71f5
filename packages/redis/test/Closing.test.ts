/** Requests that come while the layer closes: nothing of theirs is left in Redis, where nobody would end it. */
import { Deferred, Effect, Exit, Fiber, Scope } from "effect"
import { describe, expect, it } from "vitest"
import { makeOverClient } from "../src/internal/makeOverClient.ts"
import { redisServer } from "./rigs/redisServer.ts"
import { skips, suiteRig } from "./rigs/suite.ts"
import { tapped } from "./rigs/tapped.ts"
import { ask, granted, reserveOn as reserve, spec } from "./stateSupport.ts"

const run = (effect: Effect.Effect<void, unknown, Scope.Scope>) => Effect.runPromise(Effect.scoped(effect))

const silent = { namespace: "closing", commandTimeout: "5 seconds", heartbeat: "1 hour", leaseTtl: "2 hours" } as const

describe.skipIf(skips("own"))("a layer that closes", () => {
  const rig = suiteRig(redisServer(), ({ flush }) => flush)

  const keys = (of: string) => Effect.promise(() => rig().client.keys(`*:${of}*`))

  it.each([0, 200_000])("asks for nobody any more: %i ms of time to wait", (waitMs) =>
    run(Effect.gen(function*() {
      const scope = yield* Scope.make()
      const state = yield* Scope.extend(makeOverClient(rig().client, silent), scope)
      const open = ask([spec("a")], { waitMs })
      // What is asked in one step of this process is sent at its end: by then it closes.
      const [asked, , late] = yield* Effect.all(
        [reserve(state, open), Scope.close(scope, Exit.void), reserve(state, open)],
        { concurrency: "unbounded" }
      )
      expect([asked, late]).toEqual([{ _tag: "Closed" }, { _tag: "Closed" }])
      expect(yield* reserve(state, open)).toEqual({ _tag: "Closed" })
      expect([...yield* keys("leases"), ...yield* keys("instances")]).toEqual([])
    })))

  it("does not ask the rest of a long list either", () =>
    run(Effect.gen(function*() {
      const many = ask(Array.from({ length: 17 }, (_, index) => spec(`p${index}`, { concurrent: 1 })))
      const refused = yield* Deferred.make<() => void>()
      const goodbye = yield* Deferred.make<void>()
      let isAsked = false
      let isLeaving = false
      let sent = 0
      const scope = yield* Scope.make()
      const one = yield* makeOverClient(rig().client, silent)
      const other = yield* Scope.extend(
        tapped(rig().client, silent, {
          sent: () => {
            if (!isLeaving) return
            sent++
            Deferred.unsafeDone(goodbye, Effect.void)
          },
          answered: (read) => {
            if (!isAsked) return read()
            isAsked = false
            Deferred.unsafeDone(refused, Effect.succeed(read))
          }
        }),
        scope
      )
      // The other one does not know that nobody has room.
      yield* Effect.forEach(many.providers, ({ name }) =>
        Effect.map(reserve(one, { ...many, forceProvider: name }), granted))
      isAsked = true
      const asked = yield* Effect.fork(reserve(other, many))
      const read = yield* Deferred.await(refused)
      isLeaving = true
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* Deferred.await(goodbye)
      read()
      expect(yield* Fiber.join(asked)).toEqual({ _tag: "Closed" })
      yield* Fiber.join(closing)
      expect(sent).toBe(1)
    })))
})
