/** Redis is away for so long that not every call is kept: everything that counts is told all the same. */
import { Effect, type Scope } from "effect"
import { describe, expect, it } from "vitest"
import { StoreFailure } from "../src/internal/Store.ts"
import { makeMembers } from "./member.ts"
import { redisServer } from "./rigs/redisServer.ts"
import { skips, suiteRig } from "./rigs/suite.ts"
import { spec, success } from "./stateSupport.ts"

const run = (effect: Effect.Effect<void, never, Scope.Scope>) => Effect.runPromise(Effect.scoped(effect))

const rounds = 45
/** In each round of one second. */
const calls = 1_000

describe.skipIf(skips("own"))("more calls than are kept", () => {
  const rig = suiteRig(redisServer(), ({ flush }) => flush)

  it("are all in the day and in the window, once Redis is back", () =>
    run(Effect.gen(function*() {
      const { member, move } = makeMembers(() => rig().client)
      const { back, beat, call, instance, state } = yield* member("one")
      const limited = [spec("a", { requests: 1e9, requestsPerDay: 1e9, tokensPerDay: 1e12 })]
      yield* beat
      const held = yield* call(limited)
      instance.onFailure(new StoreFailure({ reason: "timeout", detail: "it is not heard" }))
      yield* state.settle(held, success)
      let most = 0
      for (let round = 0; round < rounds; round++) {
        const open = yield* Effect.replicateEffect(call(limited), calls)
        // They end in another bucket than they began in.
        move(1_000)
        for (const reservation of open) yield* state.settle(reservation, success)
        most = Math.max(most, instance.batches.length)
      }
      expect(most).toBeLessThanOrEqual(20_300)
      yield* back("shared")
      expect(instance.phase).toBe("shared")
      const all = rounds * calls + 1
      const [seen] = yield* state.snapshot(limited)
      const used = (name: string) => seen?.limits.find(({ dimension }) => dimension === name)?.used
      expect(seen).toMatchObject({ inFlight: 0 })
      expect([used("requestsPerDay"), used("tokensPerDay")]).toEqual([all, 30 * all])
      expect([used("requests"), seen?.tokensUsed]).toEqual([all, 30 * all])
    })), 60_000)
})
