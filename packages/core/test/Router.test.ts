import { expect, it } from "@effect/vitest"
import { type ChatRequest, Router, type RouterError } from "@route-llm/core"
import { answer, failure, hang, RouterTest, type ScriptedProvider } from "@route-llm/core/testing"
import { Effect, Exit, Fiber, Schedule, TestClock } from "effect"
import { describe } from "vitest"

const hello: ChatRequest = { messages: [{ role: "user", content: "Hello" }] }

/** Fails at once instead of waiting in line. */
const failing = { waiting: { onSaturated: "fail" } } as const

/** Ends once each candidate has been called. */
const oneRound = { rounds: Schedule.stop }

const chat = (request: Partial<ChatRequest> = {}) =>
  Effect.flatMap(Router, (router) => router.chat({ ...hello, ...request }))

const calls = Effect.flatMap(
  RouterTest,
  (test) => Effect.map(test.calls, (seen) => seen.map(({ provider }) => provider))
)

const status = Effect.flatMap(Router, (router) => router.status)

const on = (providers: Record<string, ScriptedProvider>, options: Parameters<typeof RouterTest.layer>[1] = {}) =>
  Effect.provide(RouterTest.layer(providers, options))

const flipped = <A, R>(effect: Effect.Effect<A, RouterError, R>) => Effect.flip(effect)

describe("Router.chat", () => {
  it.effect("answers with who answered and what it took", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(chat())
      yield* TestClock.adjust("2 seconds")
      expect(yield* Fiber.join(fiber)).toEqual({
        content: "answer of a",
        provider: "a",
        model: "a-model",
        inputTokens: 10,
        outputTokens: 10,
        latencyMs: 2000,
        attempts: 1,
        finishReason: "stop",
        raw: { scripted: true }
      })
      expect((yield* status)["a"]).toMatchObject({ rpmUsed: 1, tpmUsed: 20, inFlight: 0, avgLatencyMs: 800 })
    }).pipe(on({ a: { latency: "2 seconds" } })))

  it.effect("falls back to the next, each once, and says why when none is left", () =>
    Effect.gen(function*() {
      const error = yield* flipped(chat())
      expect(error).toMatchObject({ _tag: "AllProvidersFailed", isRetryable: true })
      expect(yield* calls).toEqual(["a", "b"])
      expect(error.message).toContain(
        "2 attempts failed. a: overloaded (529) after 0 ms, scripted overloaded; b: transient"
      )
      expect(yield* chat()).toMatchObject({ provider: "a", attempts: 1 })
    }).pipe(on({
      a: { weight: 2, script: [failure("overloaded", { status: 529 })] },
      b: { weight: 1, script: [failure("transient")] }
    }, oneRound)))

  it.effect("ends at once on the caller's own fault, which opens no circuit", () =>
    Effect.gen(function*() {
      for (let turn = 0; turn < 5; turn++) {
        expect(yield* flipped(chat())).toMatchObject({ _tag: "AllProvidersFailed", isRetryable: false })
      }
      expect(yield* calls).toEqual(["a", "a", "a", "a", "a"])
      expect(yield* status).toMatchObject({ a: { circuit: "closed" }, b: { circuit: "closed" } })
      expect(yield* chat()).toMatchObject({ provider: "a" })
    }).pipe(on({ a: { weight: 2, script: Array(5).fill(failure("caller_fault", { status: 400 })) }, b: {} })))

  it.effect("opens the circuit at the fifth failure, lets one probe through after the cooldown", () =>
    Effect.gen(function*() {
      for (let turn = 0; turn < 5; turn++) yield* flipped(chat())
      const refused = yield* flipped(chat())
      expect(refused).toMatchObject({
        _tag: "NoCapacity",
        // As a last resort; its circuit is open for 30 s.
        retryAfterMs: 1_000,
        perProvider: [{ provider: "a", reason: "circuit_open" }]
      })
      expect((yield* status)["a"]).toMatchObject({ circuitOpen: true, circuitRetryAfterMs: 30_000 })
      yield* TestClock.adjust("30 seconds")
      const all = yield* Effect.fork(Effect.all(Array.from({ length: 100 }, () => Effect.exit(chat())), {
        concurrency: "unbounded"
      }))
      yield* TestClock.adjust("1 second")
      const exits = yield* Fiber.join(all)
      expect(exits.filter(Exit.isSuccess)).toHaveLength(1)
      expect(yield* calls).toHaveLength(6)
      expect((yield* status)["a"]).toMatchObject({ circuit: "closed" })
    }).pipe(
      on({ a: { latency: "10 millis", script: Array(5).fill(failure("transient")) } }, { ...failing, ...oneRound }),
      withAutoClock
    ))

  it.effect("benches a provider until its Retry-After", () =>
    Effect.gen(function*() {
      expect(yield* chat()).toMatchObject({ provider: "b", attempts: 2 })
      expect((yield* status)["a"]).toMatchObject({
        benchedForMs: 20_000,
        benchedBecause: "rate_limit",
        circuit: "closed"
      })
      yield* TestClock.adjust("19999 millis")
      expect(yield* chat()).toMatchObject({ provider: "b", attempts: 1 })
      yield* TestClock.adjust("1 millis")
      expect(yield* chat()).toMatchObject({ provider: "a" })
    }).pipe(on({ a: { weight: 5, script: [failure("rate_limit", { retryAfter: "20 seconds" })] }, b: {} })))

  it.effect("sends 40 concurrent calls to two providers of 10 a minute: 20 go, 20 are refused with a time", () =>
    Effect.gen(function*() {
      const exits = yield* Effect.all(Array.from({ length: 40 }, () => Effect.exit(chat())), {
        concurrency: "unbounded"
      })
      expect(exits.filter(Exit.isSuccess)).toHaveLength(20)
      const seen = yield* calls
      expect(seen.filter((name) => name === "a")).toHaveLength(10)
      expect(yield* flipped(chat())).toMatchObject({ _tag: "NoCapacity", retryAfterMs: 60_100 })
    }).pipe(on({ a: { rpm: 10 }, b: { rpm: 10 } }, failing)))

  it.effect("keeps the high lane's reserve from everyone else", () =>
    Effect.gen(function*() {
      for (let turn = 0; turn < 8; turn++) yield* chat()
      expect(yield* flipped(chat({ priority: "low" }))).toMatchObject({ _tag: "NoCapacity" })
      expect(yield* flipped(chat())).toMatchObject({ _tag: "NoCapacity" })
      expect(yield* chat({ priority: "high" })).toMatchObject({ provider: "a" })
    }).pipe(on({ a: { rpm: 10 } }, { ...failing, highPriorityReservePct: 20 })))

  it.effect("refuses what fits no window at all", () =>
    Effect.gen(function*() {
      const error = yield* flipped(chat({ messages: [{ role: "user", content: "word ".repeat(2000) }] }))
      expect(error).toMatchObject({ _tag: "TokenLimitExceeded", largestLimit: 500 })
      expect(yield* calls).toEqual([])
    }).pipe(on({ a: { tpm: 500 }, b: { tpm: 100 } })))

  it.effect("keeps a session where it is, over one momentary fallback, and moves it at the second", () =>
    Effect.gen(function*() {
      expect(yield* chat({ sessionId: "s", forceProvider: "b" })).toMatchObject({ provider: "b" })
      expect(yield* chat({ sessionId: "s" })).toMatchObject({ provider: "a", attempts: 2 })
      expect(yield* chat({ sessionId: "s" })).toMatchObject({ provider: "b" })
      expect(yield* chat({ sessionId: "s" })).toMatchObject({ provider: "a", attempts: 2 })
      expect(yield* chat({ sessionId: "s" })).toMatchObject({ provider: "a", attempts: 2 })
      expect(yield* chat({ sessionId: "s" })).toMatchObject({ provider: "a", attempts: 1 })
    }).pipe(on({
      a: { weight: 3 },
      b: {
        script: [answer(), failure("transient"), answer(), failure("transient"), failure("transient")]
      }
    })))

  it.effect("gives up at the deadline and counts the hang against the provider, not the caller's cancellation", () =>
    Effect.gen(function*() {
      const late = yield* Effect.fork(flipped(chat({ timeout: "5 seconds" })))
      yield* TestClock.adjust("5 seconds")
      expect(yield* Fiber.join(late)).toMatchObject({
        _tag: "DeadlineExceeded",
        attempts: [{ provider: "a", class: "timeout", latencyMs: 5000 }]
      })
      const cancelled = yield* Effect.fork(chat())
      yield* TestClock.adjust("1 second")
      expect((yield* status)["a"]).toMatchObject({ inFlight: 1 })
      yield* Fiber.interrupt(cancelled)
      expect((yield* status)["a"]).toMatchObject({ inFlight: 0, circuit: "closed" })
    }).pipe(on({ a: { script: [hang, hang] } })))

  it.live("ends at the deadline on a real clock too, without a last call that cannot succeed", () =>
    Effect.gen(function*() {
      const late = yield* Effect.all(
        Array.from({ length: 40 }, () => flipped(chat({ timeout: 20.5, attemptTimeout: 60_000 }))),
        {
          concurrency: "unbounded"
        }
      )
      expect(new Set(late.map(({ _tag }) => _tag))).toEqual(new Set(["DeadlineExceeded"]))
      expect(new Set(yield* calls)).toEqual(new Set(["a"]))
      // Twenty milliseconds say nothing of a provider that is taken for one of half a second.
      expect((yield* status)["a"]).toMatchObject({ circuit: "closed", inFlight: 0 })
    }).pipe(on({ a: { weight: 9, script: Array(40).fill(hang) }, b: {} })))

  it.effect("refuses bad input before anything is sent", () =>
    Effect.gen(function*() {
      const bad: ReadonlyArray<readonly [Partial<Record<keyof ChatRequest, unknown>>, string]> = [
        [{ messages: [] }, "messages"],
        [{ messages: [{ role: "robot", content: "x" }] }, "messages[0].role"],
        [{ maxTokens: -1 }, "maxTokens"],
        [{ maxTokens: Number.NaN }, "maxTokens"],
        [{ temperature: Number.NaN }, "temperature"],
        [{ priority: "urgent" }, "priority"],
        [{ timeout: -5 }, "timeout"],
        [{ sessionId: "" }, "sessionId"]
      ]
      for (const [fields, path] of bad) {
        const error = yield* flipped(chat(fields as Partial<ChatRequest>))
        expect(error).toMatchObject({ _tag: "InvalidRequest", isRetryable: false })
        expect((error as { path: string }).path).toContain(path)
      }
      expect(yield* flipped(chat({ forceProvider: "z" }))).toMatchObject({ _tag: "UnknownProvider", registered: ["a"] })
      expect(yield* calls).toEqual([])
    }).pipe(on({ a: {} })))

  it.effect("prints no value of a bad request: it may be the prompt", () =>
    Effect.gen(function*() {
      const canary = "CANARY-OF-THE-PROMPT"
      const bad: ReadonlyArray<unknown> = [
        { messages: canary },
        { messages: [{ role: "user", content: [{ type: "input_text", text: canary }] }] },
        { ...hello, priority: canary },
        { ...hello, timeout: canary }
      ]
      for (const request of bad) {
        const error = yield* flipped(Effect.flatMap(Router, (router) => router.chat(request as ChatRequest)))
        expect(error._tag).toBe("InvalidRequest")
        expect(error.message).not.toContain(canary)
      }
    }).pipe(on({ a: {} })))

  it.effect("keeps its deadline where the caller's region cannot be interrupted", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.fork(Effect.uninterruptible(flipped(chat({ timeout: "5 seconds" }))))
      yield* TestClock.adjust("5 seconds")
      expect(yield* Fiber.join(fiber)).toMatchObject({ _tag: "DeadlineExceeded" })
    }).pipe(on({ a: { script: [hang] } })))

  it.effect("says so when it has no provider", () =>
    flipped(chat()).pipe(
      Effect.map((error) => expect(error._tag).toBe("NoProvidersConfigured")),
      on({})
    ))
})

/** Lets virtual time pass by itself, for tests in which calls take time one after another. */
function withAutoClock<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
  return Effect.gen(function*() {
    const ticking = yield* Effect.fork(
      Effect.forever(TestClock.adjust("10 millis").pipe(Effect.zipRight(Effect.yieldNow())))
    )
    return yield* Effect.ensuring(effect, Fiber.interrupt(ticking))
  })
}
