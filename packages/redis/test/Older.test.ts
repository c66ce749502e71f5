/** Redis is back with less than it had said: from a file that is older, or as a replica that had not heard of it yet. */
import { RouterStateRedis } from "@route-llm/redis"
import { Effect, type Scope } from "effect"
import { describe, expect, it } from "vitest"
import { makeMembers, memberKeys } from "./member.ts"
import { answering, startInstance } from "./rigs/instances.ts"
import { chats, isAnswered, patient, recovered } from "./rigs/outage.ts"
import { redisServer } from "./rigs/redisServer.ts"
import { skips, suiteRig } from "./rigs/suite.ts"
import { spec, success } from "./stateSupport.ts"

const run = (effect: Effect.Effect<void, never, Scope.Scope>) => Effect.runPromise(Effect.scoped(effect))

describe.skipIf(skips("own"))("an older state", () => {
  const rig = suiteRig(redisServer(), ({ flush, start }) => Effect.zipRight(start, flush))

  it("is told by all what they have used, also by those that it has never known", () =>
    run(Effect.gen(function*() {
      let calls = 0
      const limit = 30
      const provider = answering("a", { limits: { requests: limit }, called: Effect.sync(() => void calls++) })
      const state = RouterStateRedis.layer({ url: rig().url, namespace: "older", ...patient })
      const options = { waiting: { onSaturated: "fail" } } as const
      const first = yield* startInstance(state, [provider], options)
      yield* first.router.status
      // Read when it starts again.
      yield* Effect.promise(() => rig().client.call("SAVE"))
      const second = yield* startInstance(state, [provider], options)
      yield* chats(second, 4)
      yield* chats(first, 4)
      yield* Effect.forEach([first, second], ({ router }) => router.status)
      yield* rig().restart
      yield* Effect.forEach([first, second], recovered)
      const ended = yield* Effect.forEach([first, second], (instance) => chats(instance, limit))
      expect(ended.flat().filter(isAnswered).length).toBeGreaterThan(0)
      expect(calls).toBe(limit)
    })), 20_000)

  it("begins anew, once, with what everybody has used and what is under way", () =>
    run(Effect.gen(function*() {
      const { client } = rig()
      const { member } = makeMembers(() => client)
      const [one, other] = [yield* member("one"), yield* member("other")]
      const here = [spec("here", { concurrent: 10 })]
      for (const { beat, call, state } of [one, other]) {
        yield* beat
        yield* state.settle(yield* call(here), success)
        yield* state.settle(yield* call(here), success)
        yield* call(here)
        yield* state.snapshot(here)
      }
      yield* one.beat
      const { born } = one.instance
      const leases = memberKeys.leases("one")
      const told = yield* Effect.promise(() => client.hget(leases, "#"))
      yield* Effect.promise(() => client.hset(leases, "#", Number(told) - 1))
      expect(yield* one.beat).toMatchObject({ reason: "lost" })
      one.instance.onFailure((yield* one.beat)!)
      expect(one.told).toMatchObject([{ _tag: "StateFailed", reason: "lost" }])
      yield* one.retry
      expect(one.instance.born).toBeGreaterThan(born)
      yield* other.beat
      expect(other.told).toMatchObject([{ _tag: "StateFailed", reason: "lost" }])
      yield* other.retry
      for (const { beat, retry } of [one, other, one, other]) yield* Effect.zipRight(retry, beat)
      for (const { instance, state } of [one, other]) {
        expect(instance.phase).toBe("shared")
        expect((yield* state.snapshot(here))[0]).toMatchObject({ requestsUsed: 6, inFlight: 2 })
      }
    })))

  it("is not one in which the others have taken an instance for dead, nor one that was never told anything", () =>
    run(Effect.gen(function*() {
      const leaseTtl = 10_000
      const { member, move } = makeMembers(() => rig().client)
      const [slow, other] = [yield* member("slow", { leaseTtl }), yield* member("other", { leaseTtl })]
      const here = [spec("here")]
      expect([yield* slow.beat, yield* slow.beat]).toEqual([undefined, undefined])
      yield* slow.state.settle(yield* slow.call(here), success)
      yield* slow.state.snapshot(here)
      expect(slow.instance.batches.taken).toBeGreaterThan(0)
      move(leaseTtl + 1)
      yield* other.beat
      yield* other.beat
      expect(yield* Effect.promise(() => rig().client.hget(memberKeys.leases("slow"), "#"))).toBeNull()
      expect([yield* slow.beat, yield* slow.beat]).toEqual([undefined, undefined])
      expect(slow.told).toEqual([])
    })))
})
