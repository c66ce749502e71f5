/** What is left behind in Redis is ended: by whom it belongs to, or by the others. */
import { fields } from "@route-llm/core/kernel"
import { Effect, type Scope } from "effect"
import { describe, expect, it } from "vitest"
import { makeMembers, memberKeys } from "./member.ts"
import { redisServer } from "./rigs/redisServer.ts"
import { skips, suiteRig } from "./rigs/suite.ts"
import { spec } from "./stateSupport.ts"

const run = (effect: Effect.Effect<void, never, Scope.Scope>) => Effect.runPromise(Effect.scoped(effect))

describe.skipIf(skips("own"))("a lease", () => {
  const rig = suiteRig(redisServer(), ({ flush }) => flush)
  const members = () => makeMembers(() => rig().client)

  /** How many calls Redis takes to be under way. */
  const inFlight = (name: string) =>
    Effect.promise(async () => {
      const row = await rig().client.getBuffer(memberKeys.provider(spec(name)))
      return row?.readDoubleLE(fields.inFlightRequests * 8)
    })

  it("that its own instance knows nothing of is ended, however many there are and whosever it is", () =>
    run(Effect.gen(function*() {
      const { beat, call, instance } = yield* members().member("one")
      yield* beat
      const [gone, here] = [[spec("gone")], [spec("here")]]
      yield* call(gone)
      yield* Effect.replicateEffect(call(here), 20)
      expect([yield* inFlight("gone"), yield* inFlight("here")]).toEqual([1, 20])
      // As though their answers had been lost.
      instance.leases.clear()
      yield* beat
      yield* beat
      // Behind what that one has found.
      yield* beat
      expect([yield* inFlight("gone"), yield* inFlight("here")]).toEqual([0, 0])
    })))
})
