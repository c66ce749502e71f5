/** Room that is freed elsewhere just when a request is refused for want of it. */
import { Deferred, Effect, Fiber, type Scope } from "effect"
import { describe, expect, it } from "vitest"
import { makeOverClient } from "../src/internal/makeOverClient.ts"
import { redisServer } from "./rigs/redisServer.ts"
import { skips, suiteRig } from "./rigs/suite.ts"
import { tapped } from "./rigs/tapped.ts"
import { ask, granted, reserveOn, single, success } from "./stateSupport.ts"

const run = (effect: Effect.Effect<void, unknown, Scope.Scope>) => Effect.runPromise(Effect.scoped(effect))

// Nothing but what is published says that something has been freed.
const silent = { namespace: "wakeup", commandTimeout: "5 seconds", heartbeat: "1 hour", leaseTtl: "2 hours" } as const

describe.skipIf(skips("own"))("who is refused", () => {
  const rig = suiteRig(redisServer(), ({ flush }) => flush)

  it("before others say that there is room, and is in line after it, is served by it", () =>
    run(Effect.gen(function*() {
      const refused = yield* Deferred.make<() => void>()
      const heard = yield* Deferred.make<void>()
      let isAsked = false
      const one = yield* makeOverClient(rig().client, silent)
      const other = yield* tapped(rig().client, silent, {
        heard: () => Deferred.unsafeDone(heard, Effect.void),
        answered: (read) => {
          if (!isAsked) return read()
          isAsked = false
          Deferred.unsafeDone(refused, Effect.succeed(read))
        }
      })
      const reserve = (state: typeof one, waitMs: number) => reserveOn(state, ask(single, { waitMs }))

      const reservation = granted(yield* reserve(one, 0))
      isAsked = true
      const waits = yield* Effect.fork(reserve(other, 200_000))
      // Redis has refused it, and nobody here has read that yet.
      const read = yield* Deferred.await(refused)
      yield* one.settle(reservation, success)
      yield* Deferred.await(heard)
      read()
      expect(yield* Fiber.join(waits)).toMatchObject({ _tag: "Granted" })
    })))
})
