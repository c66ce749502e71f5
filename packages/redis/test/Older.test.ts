/** Redis is back with less than it had said: from a file that is older, or as a replica that had not heard of it yet. */
import type { Reservation } from "@route-llm/core"
import { RouterStateRedis } from "@route-llm/redis"
import { Effect, type Scope } from "effect"
import { describe, expect, it } from "vitest"
import { makeMembers, type Member, memberKeys } from "./member.ts"
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
      const kept = calls
      // Read when it starts again.
      yield* Effect.promise(() => rig().client.call("SAVE"))
      const second = yield* startInstance(state, [provider], options)
      yield* chats(second, 4)
      yield* chats(first, 4)
      yield* Effect.forEach([first, second], ({ router }) => router.status)
      yield* rig().restart
      yield* Effect.forEach([first, second], recovered)
      const ended = yield* Effect.forEach([first, second], (instance) => chats(instance, limit))
      expect(ended.flat().filter((one) => !isAnswered(one)).length).toBeGreaterThan(0)
      expect(calls).toBeLessThanOrEqual(limit)
      // What was in the same bucket as the file may be counted twice.
      expect(calls).toBeGreaterThanOrEqual(limit - kept)
    })), 20_000)

  it("is told what it has forgotten and nothing else, and nobody is back before he has", () =>
    run(Effect.gen(function*() {
      const { client, restart } = rig()
      const { member, move } = makeMembers(() => client)
      const leaseTtl = 3_600_000
      const here = [spec("here", { concurrent: 10, requestsPerDay: 100 })]
      const ends = ({ state }: Member, reservation: Reservation) => state.settle(reservation, success)
      const [one, other] = [yield* member("one", { leaseTtl }), yield* member("other", { leaseTtl })]
      const open: Array<Reservation> = []
      for (const each of [one, other]) {
        yield* each.beat
        yield* ends(each, yield* each.call(here))
        open.push(yield* each.call(here))
        yield* each.state.snapshot(here)
      }
      yield* Effect.promise(() => client.call("SAVE"))
      // Another bucket, of the day as well.
      move(700_000)
      const third = yield* member("third", { leaseTtl })
      const all = [one, other, third]
      for (const each of all) {
        yield* each.beat
        yield* ends(each, yield* each.call(here))
        yield* each.call(here)
        yield* each.state.snapshot(here)
        yield* each.beat
      }
      yield* ends(one, open[0]!)
      yield* ends(other, open[1]!)
      yield* Effect.forEach(all, ({ state }) => state.snapshot(here))
      yield* one.beat
      const before = yield* one.state.snapshot(here)
      const figures = {
        inFlight: 3,
        requestsUsed: 6,
        limits: expect.arrayContaining([expect.objectContaining({ used: 10 })])
      }
      expect(before[0]).toMatchObject(figures)
      yield* restart
      // Connected again.
      yield* Effect.promise(() => client.ping())
      const notices = ({ beat, instance, told }: Member) =>
        Effect.gen(function*() {
          const failure = yield* beat
          expect(failure).toMatchObject({ reason: "lost" })
          instance.onFailure(failure!)
          expect(told).toMatchObject([{ _tag: "StateFailed", reason: "lost" }])
        })
      yield* notices(one)
      yield* one.retry
      move(1)
      yield* Effect.forEach([other, third], notices)
      yield* one.back("settling")
      expect(one.instance.phase).toBe("settling")
      // Its settling is over, and the others are not back.
      yield* one.retry
      expect(one.instance.phase).toBe("settling")
      yield* Effect.forEach([other, third], ({ back }) => back("settling"))
      yield* Effect.forEach(all, ({ back }) => back("shared"))
      for (const { beat } of [...all, ...all, ...all]) yield* beat
      for (const { instance, state } of all) {
        expect(instance.phase).toBe("shared")
        expect((yield* state.snapshot(here))[0]).toMatchObject(figures)
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
