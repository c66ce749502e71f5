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

  it("of one that died is ended by the others, also where nobody knows its provider or there are many of the dead", () =>
    run(Effect.gen(function*() {
      const { member, move } = members()
      const leaseTtl = 10_000
      const all = Array.from({ length: 40 }, (_, index) => index)
      const dying = yield* Effect.forEach(all, (index) => member(`dying-${index}`, { leaseTtl }))
      for (const { beat, call } of dying) {
        yield* beat
        yield* call([spec("gone")])
      }
      // The last one to die; its place is wanted.
      const last = yield* member("latest", { leaseTtl })
      yield* last.beat
      yield* last.call([spec("here")])
      expect([yield* inFlight("gone"), yield* inFlight("here")]).toEqual([40, 1])
      move(leaseTtl + 1)
      const survivor = yield* member("survivor", { leaseTtl })
      yield* survivor.state.snapshot([spec("here")])
      // One finds out who is dead, three have room for all of them.
      for (let beat = 0; beat < 4; beat++) yield* survivor.beat
      expect([yield* inFlight("gone"), yield* inFlight("here")]).toEqual([0, 0])
      expect(yield* Effect.promise(() => rig().client.zrange(memberKeys.instances, "0", "-1"))).toEqual(["survivor"])
    })))

  it("that cannot be ended keeps nobody else from being ended", () =>
    run(Effect.gen(function*() {
      const { member, move } = members()
      const leaseTtl = 10_000
      const dying = yield* Effect.forEach(
        Array.from({ length: 20 }, (_, index) => index),
        (index) => member(`dying-${index}`, { leaseTtl })
      )
      for (const { beat, call } of dying) {
        yield* beat
        yield* call([spec("here")])
      }
      // Of another layout, as it were.
      for (const { instance: { with_: { id } } } of dying.slice(0, 17)) {
        const other = Buffer.concat([Buffer.alloc(32), Buffer.from("elsewhere")])
        yield* Effect.promise(() => rig().client.hset(memberKeys.leases(id), "other", other))
      }
      move(leaseTtl + 1)
      const survivor = yield* member("survivor", { leaseTtl })
      yield* survivor.state.snapshot([spec("here")])
      for (let beat = 0; beat < 3; beat++) yield* survivor.beat
      expect(yield* inFlight("here")).toBe(0)
    })))
})
