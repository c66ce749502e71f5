import { expect, it } from "@effect/vitest"
import { type FailureClass, ProviderFailure, ProviderRegistry, Router, type RouterError } from "@route-llm/core"
import { answer, failure, hang, RouterTest, type ScriptedOutcome, type ScriptedProvider } from "@route-llm/core/testing"
import { Effect, Fiber, Random, Schedule, TestClock } from "effect"
import { describe } from "vitest"
import { calls, chat, on, times } from "./routes.ts"

/** Lets the virtual time pass that the effect takes, at most so much, and answers how it ended. */
const played = <A, R>(effect: Effect.Effect<A, RouterError, R>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(Effect.either(effect))
    yield* TestClock.adjust("10 minutes")
    return yield* Fiber.join(fiber)
  })

const failed = <R>(effect: Effect.Effect<unknown, RouterError, R>) => Effect.flatMap(played(effect), Effect.flip)

const answered = <A, R>(effect: Effect.Effect<A, RouterError, R>) => Effect.flatten(played(effect))

const always = (outcome: ScriptedOutcome, weight = 1): ScriptedProvider => ({ weight, script: times(200, outcome) })

const everySecond = {
  rounds: Schedule.spaced("1 second"),
  breaker: { failureThreshold: 1_000, minimumCalls: 1_000, lastResort: Infinity }
}

describe("rounds", () => {
  it.effect("calls each candidate once at once, then the same again as the schedule says", () =>
    Effect.gen(function*() {
      expect(yield* answered(chat())).toMatchObject({ provider: "a", attempts: 5 })
      expect(yield* calls).toEqual(["a@0", "b@0", "a@1000", "b@1000", "a@2000"])
    }).pipe(on({
      a: { weight: 9, script: times(2, failure("transient")) },
      b: always(failure("overloaded"))
    }, everySecond)))

  it.effect("pauses by default for a random part of a time that doubles from 500 ms to 10 s", () =>
    Effect.gen(function*() {
      const longest = [0, 0, 0, 0, 0, 0, 0]
      for (let seed = 1; seed <= 20; seed++) {
        const times = yield* Effect.gen(function*() {
          yield* failed(chat({ maxAttempts: 8, timeout: "10 minutes" }))
          return (yield* Effect.flatMap(RouterTest, (test) => test.calls)).map(({ atMs }) => atMs)
        }).pipe(
          on({ a: always(failure("transient")) }, { breaker: everySecond.breaker }),
          Effect.withRandom(Random.make(seed))
        )
        expect(times).toHaveLength(8)
        for (let n = 0; n < 7; n++) longest[n] = Math.max(longest[n]!, times[n + 1]! - times[n]!)
      }
      for (const [n, ms] of longest.entries()) {
        const most = Math.min(500 * 2 ** n, 10_000)
        expect(ms).toBeLessThanOrEqual(most + 1)
        expect(ms).toBeGreaterThan(most / 2)
      }
    }))

  it.effect("never calls one before the time it has asked for", () =>
    Effect.gen(function*() {
      expect(yield* answered(chat())).toMatchObject({ attempts: 2 })
      expect(yield* calls).toEqual(["a@0", "a@7000"])
    }).pipe(on({ a: { script: [failure("overloaded", { retryAfter: "7 seconds" })] } }, everySecond)))

  it.effect("ends at once where the next could not end in time, and says so", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(chat({ timeout: "5 seconds" }))
      expect(error).toMatchObject({
        _tag: "AllProvidersFailed",
        endedBy: "timeout",
        retryAfterMs: 7_000,
        isRetryable: true
      })
      expect(error.message).toContain("Try again in 7.0 s.")
    }).pipe(on({ a: { script: [failure("overloaded", { retryAfter: "7 seconds" })] } }, everySecond)))

  it.effect("go on with what failed for the moment only", () =>
    Effect.gen(function*() {
      expect(yield* failed(chat({ maxAttempts: 4 }))).toMatchObject({ endedBy: "maxAttempts" })
      expect(yield* calls).toEqual(["key@0", "gone@0", "spent@0", "busy@0"])
      expect(yield* failed(chat({ maxAttempts: 3 }))).toMatchObject({ attempts: { length: 3 } })
      // The others are benched.
      expect((yield* calls).slice(4)).toEqual(["busy@600000", "busy@601000", "busy@602000"])
    }).pipe(on({
      key: always(failure("credential"), 9),
      gone: always(failure("model_gone"), 8),
      spent: always(failure("quota", { retryAfter: "2 hours" }), 7),
      busy: always(failure("transient"), 1)
    }, { ...everySecond, failures: { credential: { bench: "1 hour" }, model_gone: { bench: "1 hour" } } })))

  it.effect("go on with the provider that was forced", () =>
    Effect.gen(function*() {
      expect(yield* answered(chat({ forceProvider: "a" }))).toMatchObject({ provider: "a", attempts: 3 })
      expect(yield* calls).toEqual(["a@0", "a@1000", "a@2000"])
    }).pipe(on({ a: { script: times(2, failure("network")) }, b: {} }, everySecond)))

  it.effect("end with the schedule, also with one that breaks", () =>
    Effect.gen(function*() {
      const broken = Schedule.mapEffect(Schedule.forever, () => Effect.dieMessage("the schedule's own fault"))
      for (const [rounds, count] of [[Schedule.stop, 1], [Schedule.recurs(2), 3], [broken, 1]] as const) {
        const error = yield* failed(chat()).pipe(on({ a: always(failure("transient")) }, { rounds }))
        expect(error).toMatchObject({ endedBy: "schedule", attempts: { length: count } })
      }
    }))

  it.effect("a schedule sees the error that the route would end with", () => {
    const twoOf = Schedule.recurWhile((error: { readonly attempts: ReadonlyArray<unknown> }) =>
      error.attempts.length < 4
    )
    return Effect.gen(function*() {
      expect(yield* failed(chat())).toMatchObject({ attempts: { length: 4 } })
    }).pipe(on({ a: always(failure("transient")), b: always(failure("network")) }, { rounds: twoOf }))
  })
})

describe("the retry budget", () => {
  it.effect("bounds the calls of further rounds, and answers fill it again", () =>
    Effect.gen(function*() {
      const down = yield* Effect.all(Array.from({ length: 100 }, () => Effect.fork(Effect.flip(chat()))))
      yield* TestClock.adjust("59 seconds")
      const errors = yield* Effect.forEach(down, Fiber.join)
      expect(yield* calls).toHaveLength(100 + 10)
      expect(errors.every((error) => error._tag === "AllProvidersFailed" && error.endedBy === "retryBudget")).toBe(true)
      for (let turn = 0; turn < 15; turn++) yield* chat()
      const before = (yield* calls).length
      // Three more: fifteen answers at a fifth of a call each.
      for (const more of [3, 0]) {
        const error = yield* failed(chat({ forceProvider: "a", topP: 1 }))
        expect(error).toMatchObject({ endedBy: "retryBudget", attempts: { length: 1 + more } })
      }
      expect(yield* calls).toHaveLength(before + 5)
    }).pipe(on({
      a: { script: [...times(110, failure("transient")), ...times(15, answer()), ...times(10, failure("transient"))] }
    }, everySecond)))
})

describe("the table of failures", () => {
  it.effect("goes on with larger context windows only, and with those that are not known", () =>
    Effect.gen(function*() {
      const registry = yield* ProviderRegistry
      const seen: Array<string> = []
      const tooLong = yield* Effect.flip(chat().pipe(on({ x: { script: [failure("context_too_long")] } })))
      expect(tooLong).toMatchObject({ isRetryable: false })
      expect(tooLong.message).toContain("Shorten the messages, or add a provider with a larger contextWindow.")
      for (
        const [name, weight, contextWindow] of [
          ["middle", 9, 16_000],
          ["small", 8, 8_000],
          ["same", 7, 16_000],
          ["unknown", 6, undefined],
          ["large", 5, 128_000]
        ] as const
      ) {
        yield* registry.register({
          name,
          model: "m",
          weight,
          contextWindow,
          limits: {},
          counting: { chargesMaxTokens: false, cacheRead: 1, cacheWrite: 1 },
          chat: () =>
            Effect.suspend(() => {
              seen.push(name)
              return name === "large"
                ? Effect.succeed({ content: "", finishReason: "stop", model: "m", raw: {} } as const)
                : new ProviderFailure({ class: "context_too_long", message: "too long" })
            })
        })
      }
      expect(yield* chat()).toMatchObject({ provider: "large", attempts: 3 })
      expect(seen).toEqual(["middle", "unknown", "large"])
    }).pipe(Effect.scoped, on({})))

  it.effect("takes the user's rows over its own", () =>
    Effect.gen(function*() {
      expect(yield* chat()).toMatchObject({ provider: "b", attempts: 2 })
      const status = yield* Effect.flatMap(Router, (router) => router.status)
      expect(status).toMatchObject({ a: { benchedForMs: 3_000, benchedBecause: "content_policy", circuitOpen: true } })
    }).pipe(on({ a: { weight: 9, script: [failure("content_policy")] }, b: {} }, {
      breaker: { failureThreshold: 1 },
      failures: { content_policy: { request: "next", bench: "3 seconds", breaker: true } }
    })))

  it.effect("says what to do about each", () =>
    Effect.gen(function*() {
      const advice: ReadonlyArray<readonly [FailureClass, boolean, string]> = [
        ["quota", true, "Raise the spent quota or budget. Try again in"],
        ["credential", false, "Check the key"],
        ["caller_fault", false, "Correct the request."],
        ["content_policy", false, "Change the content."],
        ["request_too_large", false, "Send less at once"],
        ["overloaded", true, "The schedule of rounds allows no other."]
      ]
      for (const [failureClass, isRetryable, words] of advice) {
        const error = yield* Effect.flip(chat({ maxAttempts: 2 })).pipe(
          on({ a: always(failure(failureClass)) }, { rounds: Schedule.stop })
        )
        expect([failureClass, error.isRetryable]).toEqual([failureClass, isRetryable])
        expect(error.message).toContain(words)
      }
    }))
})

describe("time", () => {
  it.effect("gives an attempt half of what is left while there is somebody else, and all of it to the last", () =>
    Effect.gen(function*() {
      expect(yield* answered(chat())).toMatchObject({ provider: "c", attempts: 3 })
      expect(yield* calls).toEqual(["a@0", "b@30000", "c@45000"])
    }).pipe(on({ a: { weight: 9, script: [hang] }, b: { weight: 5, script: [hang] }, c: { latency: "14 seconds" } })))

  it.effect("gives an attempt no more than it may have", () =>
    Effect.gen(function*() {
      expect(yield* answered(chat())).toMatchObject({ provider: "b" })
      expect(yield* answered(chat({ attemptTimeout: "2 seconds" }))).toMatchObject({ provider: "b" })
      expect(yield* calls).toEqual(["a@0", "b@5000", "a@600000", "b@602000"])
    }).pipe(on({ a: { weight: 9, script: [hang, hang] }, b: {} }, { attemptTimeout: "5 seconds" })))
})
