/** What is left behind in Redis is ended: by whom it belongs to, or by the others. */
import type { Reservation } from "@route-llm/core"
import { fields } from "@route-llm/core/kernel"
import { Effect, type Scope } from "effect"
import { describe, expect, it } from "vitest"
import { StoreFailure } from "../src/internal/Store.ts"
import { makeMembers, type Member, memberKeys } from "./member.ts"
import { redisServer } from "./rigs/redisServer.ts"
import { skips, suiteRig } from "./rigs/suite.ts"
import { spec, success } from "./stateSupport.ts"

const run = (effect: Effect.Effect<void, never, Scope.Scope>) => Effect.runPromise(Effect.scoped(effect))

const leaseTtl = 10_000

describe.skipIf(skips("own"))("a lease", () => {
  const rig = suiteRig(redisServer(), ({ flush }) => flush)
  const members = () => makeMembers(() => rig().client)

  /** What Redis knows of a provider. */
  const row = (name: string) =>
    Effect.promise(async () => {
      const bytes = await rig().client.getBuffer(memberKeys.provider(spec(name)))
      return Object.fromEntries(Object.entries(fields).map(([field, at]) => [field, bytes?.readDoubleLE(at * 8)]))
    })
  const inFlight = (name: string) => Effect.map(row(name), ({ inFlightRequests }) => inFlightRequests)

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

  /** One that is not heard of for too long, and whose call the other one ends meanwhile. */
  const takenForDead = (meanwhile: (slow: Member, reservation: Reservation) => Effect.Effect<unknown>) =>
    Effect.gen(function*() {
      const { member, move } = members()
      const [slow, other] = [yield* member("slow", { leaseTtl }), yield* member("other", { leaseTtl })]
      yield* slow.beat
      const reservation = yield* slow.call([spec("here")])
      yield* other.state.snapshot([spec("here")])
      move(leaseTtl + 1)
      yield* meanwhile(slow, reservation)
      yield* other.beat
      yield* other.beat
      expect(yield* row("here")).toMatchObject({ inFlightRequests: 0, requests: 1, output: reservation.outputTokens })
      return { other, slow, reservation }
    })

  it("that the others have ended is held again while its call is under way, and what it took is counted once", () =>
    run(Effect.gen(function*() {
      const { other, reservation, slow } = yield* takenForDead(() => Effect.void)
      yield* slow.beat
      yield* slow.beat
      expect(yield* row("here")).toMatchObject({ inFlightRequests: 1, requests: 1 })
      expect((yield* other.state.snapshot([spec("here")]))[0]).toMatchObject({ inFlight: 1 })
      yield* slow.state.settle(reservation, success)
      yield* slow.beat
      expect(yield* row("here")).toMatchObject({
        inFlightRequests: 0,
        requests: 1,
        dayRequests: 1,
        input: reservation.inputTokens,
        output: reservation.outputTokens + success.usage.outputTokens
      })
    })))

  it("that is not taken over at the first attempt is none that others have ended", () =>
    run(Effect.gen(function*() {
      const { member } = members()
      const { back, beat, call, instance, retry, state } = yield* member("one", { leaseTtl })
      yield* beat
      instance.onFailure(new StoreFailure({ reason: "timeout", detail: "it is not heard" }))
      const reservation = yield* call([spec("here")])
      const asks = instance.run.bind(instance)
      instance.run = (script, specs, others, more, done) =>
        script === "settle"
          ? void setImmediate(() => done(new StoreFailure({ reason: "timeout", detail: "nor is it told" })))
          : asks(script, specs, others, more, done)
      yield* retry
      instance.run = asks
      yield* back("settling")
      expect(yield* row("here")).toMatchObject({ inFlightRequests: 1, requests: 0 })
      yield* state.settle(reservation, success)
      yield* beat
      expect(yield* row("here")).toMatchObject({ inFlightRequests: 0, requests: 1, input: success.usage.inputTokens })
    })))

  it("that the others have ended while Redis was away from here is held again, or counted as it ended", () =>
    run(Effect.gen(function*() {
      const held: Array<Reservation> = []
      const { reservation, slow } = yield* takenForDead((slow, reservation) =>
        Effect.gen(function*() {
          slow.instance.onFailure(new StoreFailure({ reason: "timeout", detail: "it is not heard" }))
          yield* slow.state.settle(reservation, success)
          held.push(yield* slow.call([spec("here")]))
        })
      )
      yield* slow.back("settling")
      expect(yield* row("here")).toMatchObject({
        inFlightRequests: 1,
        requests: 1,
        output: reservation.outputTokens + success.usage.outputTokens
      })
      for (const each of held) yield* slow.state.settle(each, success)
      yield* slow.beat
      expect(yield* row("here")).toMatchObject({ inFlightRequests: 0, requests: 2 })
    })))
})
