import { expect, it } from "@effect/vitest"
import { ProviderFailure, Router, type StreamInterrupted } from "@route-llm/core"
import { answer, pieces } from "@route-llm/core/testing"
import { Effect, Exit, Stream, TestClock } from "effect"
import { describe } from "vitest"
import { adapter, calledProviders, hello, interruption, nothingLeft, on, read, textOf, usage } from "./streams.ts"

describe("an answer that breaks", () => {
  for (const then of ["cut", "network", "overloaded"] as const) {
    it.effect(`(${then}) fails with what was received, and nothing is sent again`, () =>
      Effect.gen(function*() {
        const { end, parts } = yield* read()
        expect(textOf(parts)).toBe("Roses are")
        const error = interruption(end)
        expect(error).toMatchObject({
          _tag: "StreamInterrupted",
          provider: "a",
          because: then === "cut" ? "truncated" : then,
          characters: 9,
          usage: { inputTokens: 8, outputTokens: 2 },
          attempts: [{ provider: "a" }],
          isRetryable: true
        })
        expect((error as StreamInterrupted).received.text).toBe("Roses are")
        expect(JSON.stringify(error)).not.toContain("Roses")
        expect(yield* calledProviders).toEqual(["a"])
        yield* nothingLeft
      }).pipe(on({ a: { weight: 9, script: [pieces([usage(8, 2), "Roses ", "are"], { ends: then })] }, b: {} })))
  }

  it.effect("restarts where that is wanted, and says so", () =>
    Effect.gen(function*() {
      const { end, parts } = yield* read({ onInterrupt: "restart" })
      expect(Exit.isSuccess(end)).toBe(true)
      expect(parts).toMatchObject([
        { _tag: "Route", provider: "a" },
        { _tag: "Text", text: "Roses " },
        { _tag: "Restart", provider: "a", because: "network" },
        { _tag: "Route", provider: "b", attempts: 2 },
        { _tag: "Text", text: "Violets" },
        { _tag: "Usage" },
        { _tag: "Finish", provider: "b", attempts: 2 }
      ])
      yield* nothingLeft
    }).pipe(
      on({ a: { weight: 9, script: [pieces(["Roses "], { ends: "network" })] }, b: { script: [pieces(["Violets"])] } })
    ))

  it.effect("restarts with time of its own, long after the route's", () =>
    Effect.gen(function*() {
      const { end, parts } = yield* read({ onInterrupt: "restart" }, { timeout: "5 seconds" })
      expect(Exit.isSuccess(end)).toBe(true)
      expect(textOf(parts)).toBe("xxxxxxxxxx|answer of b")
    }).pipe(
      on({
        a: { weight: 9, script: [pieces(Array<string>(10).fill("x"), { every: "2 seconds", ends: "cut" })] },
        b: {}
      })
    ))

  it.effect("says what broke first where nobody can restart it", () =>
    Effect.gen(function*() {
      const { end, parts } = yield* read({ onInterrupt: "restart" }, { maxAttempts: 1 })
      expect(interruption(end)).toMatchObject({ _tag: "StreamInterrupted", provider: "a", because: "network" })
      expect(textOf(parts)).toBe("Roses ")
      yield* nothingLeft
    }).pipe(on({ a: { weight: 9, script: [pieces(["Roses "], { ends: "network" })] }, b: {} })))

  it.effect("counts as its provider's failure, and a reader who leaves does not", () =>
    Effect.gen(function*() {
      const router = yield* Router
      yield* Stream.runDrain(Stream.take(router.stream(hello), 1))
      expect((yield* router.status).a).toMatchObject({ circuit: "closed" })
      yield* read()
      expect((yield* router.status).a).toMatchObject({ circuit: "open" })
    }).pipe(
      on({ a: { script: [pieces(["x", "y"]), pieces(["x"], { ends: "cut" })] } }, { breaker: { failureThreshold: 1 } })
    ))
})

describe("time", () => {
  const settings = { stream: { idle: "10 seconds", total: "1 minute", reader: "20 seconds" } } as const

  it.effect("ends an answer whose vendor falls silent", () =>
    Effect.gen(function*() {
      const { end } = yield* read()
      expect(interruption(end)).toMatchObject({ _tag: "StreamInterrupted", because: "timeout", characters: 1 })
      yield* nothingLeft
    }).pipe(on({ a: { script: [pieces(["x"], { ends: "hang" })] } }, settings)))

  it.effect("ends an answer that never ends", () =>
    Effect.gen(function*() {
      const { end, parts } = yield* read({ onInterrupt: "restart" })
      expect(interruption(end)).toMatchObject({ _tag: "StreamInterrupted", because: "timeout" })
      expect(parts.filter(({ _tag }) => _tag === "Text")).toHaveLength(13)
      yield* nothingLeft
    }).pipe(on({ a: { script: [pieces(Array<string>(100).fill("x"), { every: "5 seconds" })] } }, settings)))

  it.effect("ends an answer that trickles, where there is a floor", () =>
    Effect.gen(function*() {
      const { end, parts } = yield* read()
      expect(interruption(end)).toMatchObject({
        _tag: "StreamInterrupted",
        because: "timeout",
        detail: "the vendor sent too little for too long"
      })
      // What came last is handed over all the same.
      expect(textOf(parts)).toBe("xxx")
      yield* nothingLeft
    }).pipe(on(
      { a: { script: [pieces(Array<string>(100).fill("x"), { every: "5 seconds" })] } },
      { stream: { ...settings.stream, minCharactersPerSecond: 1 } }
    )))

  it.effect("gives up an answer whose reader never comes back, without blaming the vendor", () =>
    Effect.gen(function*() {
      const router = yield* Router
      const answer = yield* router.openStream(hello)
      yield* Effect.promise(() => answer.next())
      yield* TestClock.adjust("19 seconds")
      expect((yield* router.status).a).toMatchObject({ inFlight: 1 })
      yield* TestClock.adjust("30 seconds")
      expect((yield* router.status).a).toMatchObject({ inFlight: 0, circuit: "closed", tpmUsed: 11 })
      const rejected = Effect.promise(() => answer.next().then(() => undefined, (error: unknown) => error))
      expect(yield* rejected).toMatchObject({ _tag: "StreamInterrupted", because: "cancelled" })
      yield* nothingLeft
    }).pipe(
      Effect.scoped,
      on({ a: { script: [pieces(["x", "y"])] } }, { ...settings, breaker: { failureThreshold: 1 } })
    ))

  it.effect("in which nobody reads is not the vendor's latency", () =>
    Effect.gen(function*() {
      const answer = yield* (yield* Router).openStream(hello)
      yield* Effect.promise(() => answer.next())
      yield* TestClock.adjust("15 seconds")
      yield* Effect.promise(() => answer.next())
      const { value } = yield* Effect.promise(() => answer.next())
      expect(value?.at(-1)).toMatchObject({ _tag: "Finish", latencyMs: 0 })
    }).pipe(Effect.scoped, on({ a: { script: [pieces(["x", "y"])] } }, settings)))
})

describe("an adapter's own fault", () => {
  it.effect("before the content costs its attempt only", () =>
    Effect.gen(function*() {
      yield* adapter(() => {
        throw new TypeError("x is not a function")
      })
      const { parts } = yield* read()
      expect(parts.at(-1)).toMatchObject({ _tag: "Finish", provider: "a", attempts: 2 })
    }).pipe(Effect.scoped, on({ a: { script: [answer(), answer()] } })))

  it.effect("in the middle is the answer's interruption, with its parts", () =>
    Effect.gen(function*() {
      yield* adapter(() =>
        Effect.succeed((async function*() {
          yield [{ _tag: "Text", text: "x" } as const]
          throw new TypeError("x is not a function")
        })())
      )
      const { end, parts } = yield* read()
      expect(textOf(parts)).toBe("x")
      expect(interruption(end)).toMatchObject({ _tag: "StreamInterrupted", because: "transient" })
    }).pipe(Effect.scoped, on({ a: {} })))

  it.effect("that never answers a `return` holds nobody up", () =>
    Effect.gen(function*() {
      yield* adapter(() =>
        Effect.succeed({
          [Symbol.asyncIterator]: () => ({
            next: () => Promise.resolve({ done: false as const, value: [{ _tag: "Text" as const, text: "x" }] }),
            return: () => new Promise<never>(() => {})
          })
        })
      )
      yield* Stream.runDrain(Stream.take((yield* Router).stream(hello), 2))
      expect((yield* (yield* Router).status).faulty).toMatchObject({ inFlight: 0 })
    }).pipe(Effect.scoped, on({ a: {} })))

  it.effect("a failure of a class that there is not is a transient one", () =>
    Effect.gen(function*() {
      yield* adapter(() => Effect.fail(new ProviderFailure({ class: "nonsense" as "network", message: "?" })))
      const { parts } = yield* read()
      expect(parts.at(-1)).toMatchObject({ _tag: "Finish", provider: "a" })
    }).pipe(Effect.scoped, on({ a: {} })))
})
