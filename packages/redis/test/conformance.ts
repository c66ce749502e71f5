/** What every `RouterState` does, whatever lies behind it: one suite, run on each layer. On `TestClock`; a layer over a store
 * takes its time from it too. */
import { expect, it } from "@effect/vitest"
import { RouterState, type StateChange } from "@route-llm/core"
import { Effect, Queue, Stream, TestClock } from "effect"
import { describe } from "vitest"
import {
  ask,
  call,
  failed,
  granted,
  inFlight,
  type MakeState,
  one,
  onOwn,
  realMoment,
  reserve,
  settle,
  snapshot,
  spec,
  success,
  two
} from "./stateSupport.ts"

/** `make`: a state of its own for each name. */
export const conformance = (title: string, make: MakeState): void => {
  const on = onOwn(`${title} asked`, make)

  describe(`${title}, asked`, () => {
    it.effect("grants what the limits allow, to the best first, and says when there is room again", () =>
      on(Effect.gen(function*() {
        const names = [yield* call(ask(two)), yield* call(ask(two)), yield* call(ask(two))].map(({ provider }) =>
          provider
        )
        expect(names.sort()).toEqual(["a", "a", "b"])
        const refused = yield* reserve(ask(two))
        expect(refused).toMatchObject({
          _tag: "Refused",
          refusals: [{ provider: "a", reason: "full" }, { provider: "b" }]
        })
      })))

    it.effect("settles a reservation once", () =>
      on(Effect.gen(function*() {
        const reservation = yield* call(ask(one))
        yield* settle(reservation, success)
        const [before] = yield* snapshot(one)
        yield* settle(reservation, success)
        const [after] = yield* snapshot(one)
        expect(before).toMatchObject({ requestsUsed: 1, tokensUsed: 30, inFlight: 0 })
        expect(after).toEqual(before)
      })))

    it.effect("gives back what was not used", () =>
      on(Effect.gen(function*() {
        yield* settle(yield* call(ask(one)), { _tag: "Unused" })
        const [state] = yield* snapshot(one)
        expect(state).toMatchObject({ requestsUsed: 0, tokensUsed: 0, inFlight: 0, headroom: 1 })
        yield* call(ask(one))
      })))

    it.effect("lets one probe through among a hundred, and a ramp after it", () =>
      on(
        Effect.gen(function*() {
          const open = [spec("a")]
          for (let n = 0; n < 3; n++) yield* settle(yield* call(ask(open)), failed)
          expect(yield* reserve(ask(open, { lastResort: false }))).toMatchObject({
            refusals: [{ reason: "circuit_open" }]
          })
          yield* TestClock.adjust("30 seconds")
          const asked = yield* Effect.all(
            Array.from({ length: 100 }, () => reserve(ask(open, { lastResort: false }))),
            {
              concurrency: "unbounded"
            }
          )
          const probes = asked.filter(({ _tag }) => _tag === "Granted")
          expect(probes.length).toBe(1)
          yield* settle(granted(probes[0]!), success)
          yield* call(ask(open))
          expect(yield* reserve(ask(open))).toMatchObject({ refusals: [{ reason: "ramping" }] })
        }),
        { breaker: { failureThreshold: 3 } }
      ))

    it.effect("sets aside whom a vendor's Retry-After names, until then", () =>
      on(Effect.gen(function*() {
        const reservation = yield* call(ask(two, { forceProvider: "a" }))
        yield* settle(reservation, { _tag: "Failure", class: "rate_limit", latencyMs: 10, retryAfterMs: 7_000 })
        const refused = yield* reserve(ask(two, { forceProvider: "a" }))
        expect(refused).toMatchObject({ refusals: [{ provider: "a", reason: "benched", retryAfterMs: 7_000 }, {}] })
        yield* TestClock.adjust("7 seconds")
        yield* call(ask(two, { forceProvider: "a" }))
      })))

    it.effect("moves circuits by hand", () =>
      on(Effect.gen(function*() {
        const state = yield* RouterState
        expect(yield* state.force(two, "a", { _tag: "Open", forMs: Infinity })).toBe(true)
        expect(yield* state.force(two, "nobody", { _tag: "Closed" })).toBe(false)
        expect((yield* call(ask(two))).provider).toBe("b")
        expect(yield* reserve(ask(two, { forceProvider: "a" }))).toMatchObject({
          refusals: [{ reason: "circuit_open" }, {}]
        })
        yield* state.force(two, "a", { _tag: "Closed" })
        expect((yield* call(ask(two, { forceProvider: "a" }))).provider).toBe("a")
      })))

    it.effect("keeps a session with its provider, over one answer from elsewhere", () =>
      on(Effect.gen(function*() {
        const equal = [spec("a"), spec("b", {}, { weight: 2 })]
        const session = { sessionId: "s" }
        yield* settle(yield* call(ask(equal, { ...session, forceProvider: "a" })), success)
        const pinned = yield* call(ask(equal, session))
        expect(pinned.provider).toBe("a")
        yield* settle(pinned, success)
        const elsewhere = { ...session, tried: ["a"] }
        yield* settle(yield* call(ask(equal, elsewhere)), success)
        expect((yield* call(ask(equal, session))).provider).toBe("a")
        yield* settle(yield* call(ask(equal, elsewhere)), success)
        expect((yield* call(ask(equal, session))).provider).toBe("b")
        expect((yield* call(ask(equal))).provider).toBe("b")
      })))

    it.effect("tells what changes", () =>
      on(
        Effect.gen(function*() {
          const { changes } = yield* RouterState
          const heard = yield* Queue.unbounded<StateChange>()
          yield* changes.pipe(Stream.runForEach((change) => Queue.offer(heard, change)), Effect.forkScoped)
          yield* realMoment
          const open = [spec("a")]
          yield* settle(yield* call(ask(open)), {
            _tag: "Failure",
            class: "overloaded",
            latencyMs: 10,
            retryAfterMs: 1_000,
            limits: [{ dimension: "requests", limit: 50 }]
          })
          expect(yield* Queue.take(heard)).toMatchObject({ _tag: "LimitLearned", dimension: "requests", limit: 50 })
          expect(yield* Queue.take(heard)).toMatchObject({ _tag: "CircuitMoved", from: "closed", to: "open" })
          expect(yield* Queue.take(heard)).toMatchObject({ _tag: "Benched", because: "overloaded", forMs: 1_000 })
        }).pipe(Effect.scoped),
        { breaker: { failureThreshold: 1 } }
      ))

    it.effect("never takes more than the limits with 200 callers at once, and loses none of them", () =>
      on(Effect.gen(function*() {
        const limited = [
          spec("a", { requests: 40, tokens: 20_000 }),
          spec("b", { requests: 30 }),
          spec("c", { tokens: 9_000, concurrent: 7 })
        ]
        const asked = yield* Effect.all(
          Array.from(
            { length: 200 },
            (_, n) => reserve(ask(limited, { inputTokens: 1 + (n * 37) % 900, draw: n / 200 }))
          ),
          { concurrency: "unbounded" }
        )
        const reservations = asked.flatMap((each) => each._tag === "Granted" ? [each.reservation] : [])
        const of = (name: string) => reservations.filter(({ provider }) => provider === name)
        const tokens = (name: string) => of(name).reduce((sum, each) => sum + each.inputTokens + each.outputTokens, 0)
        expect(of("a").length).toBeLessThanOrEqual(40)
        expect(of("b").length).toBe(30)
        expect(of("c").length).toBeLessThanOrEqual(7)
        expect(tokens("a")).toBeLessThanOrEqual(20_000)
        expect(tokens("c")).toBeLessThanOrEqual(9_000)
        expect(yield* inFlight(limited)).toEqual(["a", "b", "c"].map((name) => of(name).length))
        yield* Effect.forEach(reservations, (each) => settle(each, success), { concurrency: "unbounded" })
        expect(yield* inFlight(limited)).toEqual([0, 0, 0])
      })))
  })
}
