/** Room that is freed elsewhere just when a request is refused for want of it. */
import { Deferred, Effect, Fiber, type Scope } from "effect"
import { describe, expect, it } from "vitest"
import { makeOverClient } from "../src/internal/makeOverClient.ts"
import { makeRedisState } from "../src/internal/redisState.ts"
import { redisServer } from "./rigs/redisServer.ts"
import { skips, suiteRig } from "./rigs/suite.ts"
import { ask, single, success } from "./stateSupport.ts"

const run = (effect: Effect.Effect<void, unknown, Scope.Scope>) => Effect.runPromise(Effect.scoped(effect))

// Nothing but what is published says that something has been freed.
const silent = { namespace: "wakeup", commandTimeout: "5 seconds", heartbeat: "1 hour", leaseTtl: "2 hours" } as const

describe.skipIf(skips("own"))("who is refused", () => {
  const rig = suiteRig(redisServer(), ({ flush }) => flush)

  it("before others say that there is room, and is in line after it, is served by it", () =>
    run(Effect.gen(function*() {
      const answered = yield* Deferred.make<() => void>()
      const heard = yield* Deferred.make<void>()
      let keepsBack = false
      const one = yield* makeOverClient(rig().client, silent)
      const other = yield* makeOverClient(rig().client, silent, "server", (parts) =>
        makeRedisState({
          ...parts,
          subscribe: (hear) =>
            parts.subscribe((message) => {
              hear(message)
              if (message.includes(parts.id)) return
              Deferred.unsafeDone(heard, Effect.void)
            }),
          store: {
            ...parts.store,
            run: (script, keys, args, done) => {
              const isKept = keepsBack
              keepsBack = false
              parts.store.run(script, keys, args, (answer) => {
                if (isKept) Deferred.unsafeDone(answered, Effect.succeed(() => done(answer)))
                else done(answer)
              })
            }
          }
        }))
      const reserve = (state: typeof one, waitMs: number) =>
        Effect.uninterruptibleMask((restore) => state.reserve(ask(single, { waitMs }), restore))

      const first = yield* reserve(one, 0)
      if (first._tag !== "Granted") throw new Error("the first one has room")
      keepsBack = true
      const waits = yield* Effect.fork(reserve(other, 200_000))
      // Refused by Redis, and nobody here has read it yet.
      const read = yield* Deferred.await(answered)
      yield* one.settle(first.reservation, success)
      yield* Deferred.await(heard)
      read()
      expect(yield* Fiber.join(waits)).toMatchObject({ _tag: "Granted" })
    })))
})
