/** Where rounds, waiting, benches and times meet. */
import { expect, it } from "@effect/vitest"
import { PromiseRouter, ProviderFailure, Router, type RouterError } from "@route-llm/core"
import { answer, failure, RouterTest, type ScriptedOutcome, type ScriptedProvider } from "@route-llm/core/testing"
import { Effect, Exit, Fiber, Layer, ManagedRuntime, Schedule, Scope, TestClock } from "effect"
import { describe } from "vitest"
import { calls, chat, hello, on, times } from "./routes.ts"

/** Lets the virtual time pass that the effect takes, second by second, and answers how it ended and when. */
const played = <A, R>(effect: Effect.Effect<A, RouterError, R>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(Effect.either(effect))
    let seconds = 0
    for (; seconds < 700 && fiber.unsafePoll() === null; seconds++) yield* TestClock.adjust("1 second")
    return { seconds, ended: yield* Fiber.join(fiber) }
  })

const failed = <R>(effect: Effect.Effect<unknown, RouterError, R>) =>
  Effect.flatMap(played(effect), ({ ended }) => Effect.flip(ended))

const patient = { breaker: { failureThreshold: 1_000, minimumCalls: 1_000, lastResort: Infinity } } as const

/** Its limit is used up by the first request, for a minute. */
const full = (script: ReadonlyArray<ScriptedOutcome> = []): ScriptedProvider => ({ rpm: 1, weight: 1, script })

describe("a provider that failed for the moment", () => {
  it.effect("is asked again after its pause, not after the wait for another that is full", () =>
    Effect.gen(function*() {
      yield* chat({ forceProvider: "b" })
      const { ended, seconds } = yield* played(chat())
      expect(yield* ended).toMatchObject({ provider: "a", attempts: 2 })
      expect(seconds).toBeLessThanOrEqual(2)
    }).pipe(on({ a: { weight: 9, script: [failure("transient")] }, b: full() })))

  it.effect("does not keep the request from another that has room meanwhile", () =>
    Effect.gen(function*() {
      yield* chat({ forceProvider: "b" })
      yield* TestClock.adjust("50 seconds")
      const { ended, seconds } = yield* played(chat())
      expect(yield* ended).toMatchObject({ provider: "b" })
      expect(seconds).toBeLessThanOrEqual(12)
    }).pipe(on(
      { a: { weight: 9, script: times(99, failure("transient")) }, b: full() },
      { ...patient, rounds: Schedule.spaced("4 seconds") }
    )))

  it.effect("leaves all the wait to another where there is no other round", () =>
    Effect.gen(function*() {
      yield* chat({ forceProvider: "b" })
      yield* TestClock.adjust("30 seconds")
      const { ended } = yield* played(chat())
      expect(yield* ended).toMatchObject({ provider: "b", attempts: 2 })
    }).pipe(on({ a: { weight: 9, script: [failure("transient")] }, b: full() }, { rounds: Schedule.stop })))

  it.effect("is not asked again once another has refused the request for good", () =>
    Effect.gen(function*() {
      const error = yield* failed(chat())
      expect(error).toMatchObject({ _tag: "AllProvidersFailed", isRetryable: false, endedBy: undefined })
      expect(yield* calls).toEqual(["a@0", "b@0"])
    }).pipe(on({ a: { weight: 9, script: [failure("transient")] }, b: { script: [failure("content_policy")] } })))
})

const nonsense = new ProviderFailure({ class: "overloaded", message: "?", retryAfterMs: Number.NaN })

describe("time", () => {
  it.effect("is all an attempt's own where nobody else is in service", () =>
    Effect.gen(function*() {
      yield* (yield* Router).forceOpen("b")
      const { ended } = yield* played(chat())
      expect(yield* ended).toMatchObject({ provider: "a", attempts: 1, latencyMs: 40_000 })
    }).pipe(on({ a: { latency: "40 seconds" }, b: { weight: 9 } })))

  it.effect("ends also for a schedule that never answers", () =>
    Effect.gen(function*() {
      const { ended, seconds } = yield* played(chat({ timeout: "5 seconds" }))
      expect(yield* Effect.flip(ended)).toMatchObject({ _tag: "AllProvidersFailed", endedBy: "schedule" })
      expect(seconds).toBeLessThanOrEqual(6)
    }).pipe(on(
      { a: { script: [failure("transient")] } },
      { rounds: Schedule.mapEffect(Schedule.forever, () => Effect.never) }
    )))

  it.effect("that is no number is none", () =>
    Effect.gen(function*() {
      const { ended, seconds } = yield* played(chat())
      expect(yield* ended).toMatchObject({ attempts: 2 })
      expect(seconds).toBeGreaterThan(2)
    }).pipe(on({ a: { script: [{ _tag: "Failure", failure: nonsense }] } }, { rounds: Schedule.spaced("3 seconds") })))
})

describe("a bench", () => {
  const benched = Effect.map(Effect.flatMap(Router, ({ status }) => status), ({ a }) => a?.benchedForMs)

  it.effect("is not for a request that was too large, whatever time its vendor named", () =>
    Effect.gen(function*() {
      yield* chat()
      expect(yield* calls).toEqual(["a@0", "b@0"])
      expect(yield* benched).toBeUndefined()
    }).pipe(on({ a: { weight: 9, script: [failure("request_too_large", { retryAfter: "1 minute" })] }, b: {} })))

  it.effect("that was guessed gives way to the time that the vendor names", () =>
    Effect.gen(function*() {
      yield* chat()
      expect(yield* benched).toBe(3_600_000)
      yield* TestClock.adjust("1 second")
      yield* failed(chat({ forceProvider: "a", onSaturated: "fail" }))
      expect(yield* benched).toBe(59_000)
    }).pipe(
      on({ a: { weight: 9, script: [failure("quota"), failure("rate_limit", { retryAfter: "1 minute" })] }, b: {} })
    ))

  it.effect("is set also where the request ends", () =>
    Effect.gen(function*() {
      yield* failed(chat())
      expect(yield* benched).toBe(3_599_000)
    }).pipe(
      on({ a: { script: [failure("credential")] } }, { failures: { credential: { request: "fail", bench: "1 hour" } } })
    ))
})

describe("when it may be asked again", () => {
  const once = { rounds: Schedule.stop } as const

  it.effect("is what the last word of each says, less the time since", () =>
    Effect.gen(function*() {
      const error = yield* failed(chat())
      // Of a, 30 s told at 0 s; of b, an hour told at 20 s.
      expect(error).toMatchObject({ _tag: "AllProvidersFailed", retryAfterMs: 10_000 })
      expect(error.message).toContain("Try again in 10.0 s.")
    }).pipe(on({
      a: { weight: 9, script: [failure("overloaded", { retryAfter: "30 seconds" })] },
      b: { latency: "20 seconds", script: [failure("quota")] }
    }, once)))

  it.effect("is not known where one that failed for the moment has named no time", () =>
    Effect.gen(function*() {
      const error = yield* failed(chat())
      expect(error).toMatchObject({ _tag: "AllProvidersFailed", isRetryable: true, retryAfterMs: undefined })
      expect(error.message).not.toContain("Try again")
    }).pipe(on({ a: { weight: 9, script: [failure("transient")] }, b: { script: [failure("quota")] } }, once)))

  it.effect("is never where all were taken out by hand, and the error says what to do", () =>
    Effect.gen(function*() {
      const router = yield* Router
      yield* router.forceOpen("a")
      const error = yield* failed(chat())
      expect(error).toMatchObject({ _tag: "NoCapacity", isRetryable: false, retryAfterMs: Infinity })
      expect(error.message).toContain("forceClose what was opened by hand (a)")
    }).pipe(on({ a: {} })))

  it.effect("follows the user's own rows", () =>
    Effect.gen(function*() {
      const error = yield* failed(chat())
      expect(error).toMatchObject({ _tag: "AllProvidersFailed", isRetryable: true })
    }).pipe(on(
      { a: { weight: 9, script: [failure("content_policy")] }, b: { script: [failure("overloaded")] } },
      { ...once, failures: { content_policy: { request: "next" } } }
    )))
})

describe("closing", () => {
  it.effect("tells those in line that it is closed", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(RouterTest.layer({ a: full() }), scope)
      const waiting = yield* Effect.fork(Effect.either(Effect.provide(
        Effect.zipRight(chat(), chat({ timeout: "5 minutes" })),
        context
      )))
      yield* TestClock.adjust("1 second")
      yield* Scope.close(scope, Exit.void)
      const error = yield* Effect.flip(yield* Fiber.join(waiting))
      expect(error).toMatchObject({ _tag: "RouterClosed", isRetryable: false })
    }))

  it.effect("an abort is heard also while the router is being made ready", () =>
    Effect.gen(function*() {
      let makeReady = () => {}
      const ready = new Promise<void>((resolve) => {
        makeReady = resolve
      })
      const runtime = ManagedRuntime.make(RouterTest.layer({ a: { script: [answer()] } }))
      const router = new PromiseRouter(runtime, () => ready)
      const controller = new AbortController()
      const reason = new Error("enough")
      const asked = router.chat(hello, { signal: controller.signal }).then(() => "answered", (error: unknown) => error)
      controller.abort(reason)
      expect(yield* Effect.promise(() => asked)).toBe(reason)
      makeReady()
      yield* Effect.promise(() => router.close())
    }))
})
