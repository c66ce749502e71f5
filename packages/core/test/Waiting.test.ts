import { expect, it } from "@effect/vitest"
import { type ChatRequest, ProviderRegistry, Router, RouterState } from "@route-llm/core"
import { answer, failure, RouterTest, type ScriptedProvider } from "@route-llm/core/testing"
import {
  type Clock,
  Context,
  type Duration,
  Effect,
  Exit,
  Fiber,
  identity,
  Layer,
  Option,
  Schedule,
  Scope,
  TestClock
} from "effect"
import { describe } from "vitest"
import { demandOn, spec } from "./kernel/support.ts"

const hello: ChatRequest = { messages: [{ role: "user", content: "Hello" }], timeout: "5 minutes" }

const chat = (request: Partial<ChatRequest> = {}) =>
  Effect.flatMap(Router, (router) => router.chat({ ...hello, ...request }))

const calls = Effect.flatMap(RouterTest, (test) => test.calls)
const status = Effect.flatMap(Router, (router) => router.status)
const waiting = Effect.flatMap(RouterState, (state) => state.waiting)

const on =
  (providers: Record<string, ScriptedProvider>, options: Parameters<typeof RouterTest.layer>[1] = {}) =>
  <A, E, R>(effect: Effect.Effect<A, E, R | Router | RouterTest | RouterState | ProviderRegistry>) =>
    countingTimers(Effect.provide(effect, RouterTest.layer(providers, options)))

const nobody = { high: 0, normal: 0, low: 0 }

/** `TestClock` keeps timers that were interrupted; this one counts those that run. */
class Timers extends Context.Reference<Timers>()("test/Timers", { defaultValue: () => ({ running: 0 }) }) {}

const countingTimers = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.gen(function*() {
    const clock = yield* Effect.clock
    const timers = { running: 0 }
    // On top of the test's own clock, which `TestClock.adjust` looks for.
    const counting: Clock.Clock = Object.assign(Object.create(clock), {
      sleep: (duration: Duration.Duration) =>
        Effect.acquireUseRelease(
          Effect.sync(() => timers.running++),
          () => clock.sleep(duration),
          () => Effect.sync(() => timers.running--)
        )
    })
    return yield* effect.pipe(Effect.withClock(counting), Effect.provideService(Timers, timers))
  })

/** Nothing is left behind: nobody in line, nothing reserved, no timer. */
const nothingIsLeft = Effect.gen(function*() {
  expect(yield* waiting).toEqual(nobody)
  for (const { inFlight } of Object.values(yield* status)) expect(inFlight).toBe(0)
  yield* noTimerIsLeft
})

const noTimerIsLeft = Effect.gen(function*() {
  yield* TestClock.adjust(0)
  expect((yield* Timers).running).toBe(0)
})

describe("waiting in line", () => {
  it.effect("serves a request at the exact moment there is room, in the order of arrival", () =>
    Effect.gen(function*() {
      yield* chat()
      const second = yield* Effect.fork(chat())
      const third = yield* Effect.fork(chat())
      yield* TestClock.adjust("60099 millis")
      expect(yield* waiting).toEqual({ high: 0, normal: 2, low: 0 })
      yield* TestClock.adjust("1 millis")
      expect(yield* Fiber.join(second)).toMatchObject({ provider: "a", attempts: 1, latencyMs: 0 })
      yield* TestClock.adjust("60100 millis")
      yield* Fiber.join(third)
      expect((yield* calls).map(({ atMs }) => atMs)).toEqual([0, 60_100, 120_200])
      yield* nothingIsLeft
    }).pipe(on({ a: { rpm: 1 } })))

  it.effect("fails at once where the request or the router says so, or its time cannot come", () =>
    Effect.gen(function*() {
      yield* chat()
      for (const request of [{ onSaturated: "fail" }, { timeout: "60 seconds" }] as const) {
        expect(yield* Effect.flip(chat(request))).toMatchObject({
          _tag: "NoCapacity",
          retryAfterMs: 60_100,
          perProvider: [{ provider: "a", reason: "full", dimension: "requests", needed: 1, limit: 1 }]
        })
      }
      yield* nothingIsLeft
    }).pipe(on({ a: { rpm: 1 } })))

  it.effect("waits no longer than it may", () =>
    Effect.gen(function*() {
      yield* chat()
      const error = yield* Effect.flip(chat())
      expect(error).toMatchObject({ _tag: "NoCapacity", retryAfterMs: 60_100 })
      expect(error.message).toContain("a: full (needs 1 of 1 requests), free in 60.1 s")
    }).pipe(on({ a: { rpm: 1 } }, { waiting: { maxWait: "20 seconds" } })))

  it.effect("has room for so many, and says so", () =>
    Effect.gen(function*() {
      yield* chat()
      const first = yield* Effect.fork(chat())
      yield* Effect.yieldNow()
      expect(yield* Effect.flip(chat())).toMatchObject({ _tag: "QueueFull", waiting: 1, isRetryable: true })
      yield* Fiber.interrupt(first)
      yield* nothingIsLeft
    }).pipe(on({ a: { rpm: 1 } }, { waiting: { maxWaiting: 1 } })))

  it.effect("leaves the line when it is interrupted, and the next moves up", () =>
    Effect.gen(function*() {
      yield* chat()
      const first = yield* Effect.fork(chat())
      const second = yield* Effect.fork(chat())
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(first)
      expect(yield* waiting).toEqual({ high: 0, normal: 1, low: 0 })
      yield* TestClock.adjust("60 seconds")
      yield* Fiber.join(second)
      yield* nothingIsLeft
    }).pipe(on({ a: { rpm: 1 } })))

  it.effect("waits for a bench to end and tries the provider again that had refused for its rate", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(chat())
      yield* TestClock.adjust("20 seconds")
      expect(yield* Fiber.join(fiber)).toMatchObject({ provider: "a", attempts: 2 })
      const limited = yield* Effect.fork(Effect.flip(chat()))
      yield* TestClock.adjust("4 seconds")
      expect(yield* Fiber.join(limited)).toMatchObject({ _tag: "AllProvidersFailed", attempts: { length: 3 } })
      yield* nothingIsLeft
    }).pipe(on({
      a: {
        script: [
          failure("rate_limit", { retryAfter: "20 seconds" }),
          answer(),
          ...Array(3).fill(failure("rate_limit", { retryAfter: "2 seconds" }))
        ]
      }
    })))

  it.effect("waits for an open circuit, and lets one go ahead as its probe", () =>
    Effect.gen(function*() {
      for (let turn = 0; turn < 2; turn++) yield* Effect.flip(chat({ onSaturated: "fail" }))
      const fibers = yield* Effect.forEach([1, 2, 3], () => Effect.fork(chat()))
      yield* TestClock.adjust("30 seconds")
      expect(yield* calls).toHaveLength(3)
      yield* TestClock.adjust("2 seconds")
      for (const fiber of fibers) expect(yield* Fiber.join(fiber)).toMatchObject({ provider: "a" })
      yield* nothingIsLeft
    }).pipe(
      on(
        { a: { latency: "1 second", script: Array(2).fill(failure("transient")) } },
        { breaker: { failureThreshold: 2, lastResort: Infinity, ramp: 0 }, rounds: Schedule.stop }
      ),
      withoutLatency(2)
    ))

  it.effect("chooses from a provider that is registered while it waits", () =>
    Effect.gen(function*() {
      const registry = yield* ProviderRegistry
      yield* chat()
      const waits = yield* Effect.fork(chat())
      yield* TestClock.adjust("1 second")
      const respond = { content: "here", finishReason: "stop", model: "m", raw: {} } as const
      yield* registry.register({
        name: "b",
        model: "m",
        limits: {},
        weight: 1,
        counting: { chargesMaxTokens: false, cacheRead: 1, cacheWrite: 1 },
        chat: () => Effect.succeed(respond)
      })
      yield* TestClock.adjust(0)
      expect(yield* Fiber.join(waits)).toMatchObject({ provider: "b" })
      yield* nothingIsLeft
    }).pipe(Effect.scoped, on({ a: { rpm: 1 } })))

  it.effect("wakes whoever is first, wherever the step of one gives way to that of another", () =>
    Effect.gen(function*() {
      const late: Array<number> = []
      for (let ops = 12; ops <= 60; ops++) {
        if (!(yield* Effect.scoped(wokenInTime(ops)))) late.push(ops)
      }
      expect(late).toEqual([])
    }))

  it.effect("refuses those in line when the router closes", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const runtime = yield* Layer.toRuntimeWithMemoMap(
        RouterTest.layer({ a: { rpm: 1 } }),
        yield* Layer.makeMemoMap
      ).pipe(Scope.extend(scope))
      yield* Effect.provide(chat(), runtime)
      const waits = yield* Effect.fork(Effect.provide(Effect.flip(chat()), runtime))
      yield* TestClock.adjust("1 second")
      yield* Scope.close(scope, Exit.void)
      expect(yield* Fiber.join(waits)).toMatchObject({ _tag: "RouterClosed" })
      yield* noTimerIsLeft
    }).pipe(countingTimers))

  it.effect("wakes whoever waits, wherever the step that brings its time forward is interrupted", () =>
    Effect.gen(function*() {
      const late: Array<number> = []
      for (let ops = 14; ops <= 40; ops++) {
        if (!(yield* Effect.scoped(wokenAfterInterruption(ops)))) late.push(ops)
      }
      expect(late).toEqual([])
    }))
})

/** Two wait, the second for what is free first; the fiber of the other gives way to it after `ops` steps. */
const wokenInTime = (ops: number) =>
  Effect.gen(function*() {
    const providers = ["a", "b"].map((name) => spec(name, { requests: 1 }))
    const state = yield* Effect.provide(RouterState, yield* Layer.build(RouterState.layerMemory))
    const reserve = (forceProvider: string) =>
      state.reserve(demandOn(providers, { forceProvider, waitMs: Infinity, timeLeftMs: 300_000 }), identity)
    const use = (name: string) =>
      Effect.flatMap(reserve(name), (decision) =>
        decision._tag === "Granted"
          ? state.settle(decision.reservation, { _tag: "Success", latencyMs: 0 })
          : Effect.die(decision))
    yield* use("b")
    yield* TestClock.adjust("30 seconds")
    yield* use("a")
    yield* Effect.forkScoped(Effect.withMaxOpsBeforeYield(reserve("a"), ops))
    const first = yield* Effect.forkScoped(reserve("b"))
    yield* TestClock.adjust("31 seconds")
    return Option.isSome(yield* Fiber.poll(first))
  })

/** One waits for a circuit that is closed by hand, in a fiber that is interrupted where it gives way after `ops` steps. */
const wokenAfterInterruption = (ops: number) =>
  Effect.gen(function*() {
    const providers = [spec("a", { requests: 1 })]
    const state = yield* Effect.provide(RouterState, yield* Layer.build(RouterState.layerMemory))
    const reserve = state.reserve(demandOn(providers, { waitMs: Infinity, timeLeftMs: 7_200_000 }), identity)
    const used = yield* reserve
    if (used._tag === "Granted") yield* state.settle(used.reservation, { _tag: "Success", latencyMs: 0 })
    yield* state.force(providers, "a", { _tag: "Open", forMs: 3_600_000 })
    const waits = yield* Effect.forkScoped(reserve)
    yield* TestClock.adjust("1 second")
    const close = state.force(providers, "a", { _tag: "Closed" })
    const closes = yield* Effect.fork(Effect.withMaxOpsBeforeYield(close, ops))
    yield* Effect.yieldNow()
    yield* Fiber.interrupt(closes)
    yield* TestClock.adjust("2 minutes")
    const isServed = Option.isSome(yield* Fiber.poll(waits))
    const [a] = yield* state.snapshot(providers)
    return isServed || a!.circuit === "open"
  })

/** For tests whose first calls take time as well: lets it pass by itself. */
function withoutLatency(seconds: number) {
  return <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(effect)
      for (let second = 0; second < seconds; second++) {
        yield* TestClock.adjust("1 second")
      }
      return yield* Fiber.join(fiber)
    })
}
