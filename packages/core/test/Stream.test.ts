import { expect, it } from "@effect/vitest"
import { ProviderRegistry, Router } from "@route-llm/core"
import { failure, hang, pieces, RouterTest } from "@route-llm/core/testing"
import { Chunk, Effect, Exit, Fiber, Stream, TestClock } from "effect"
import { describe } from "vitest"
import { calledProviders, hello, interruption, nothingLeft, on, read, textOf, usage } from "./streams.ts"

describe("an answer", () => {
  it.effect("comes in parts: who answers, the content as it comes, and the finish as the last", () =>
    Effect.gen(function*() {
      const { end, parts } = yield* read()
      expect(Exit.isSuccess(end)).toBe(true)
      expect(parts).toMatchObject([
        { _tag: "Route", provider: "a", attempts: 1 },
        { _tag: "Text", text: "Roses " },
        { _tag: "Reasoning", text: "hm" },
        { _tag: "Text", text: "are red" },
        { _tag: "Usage", usage: { inputTokens: 10, outputTokens: 3 } },
        { _tag: "Finish", finishReason: "stop", provider: "a", inputTokens: 10, outputTokens: 3, attempts: 1 }
      ])
      expect(parts.at(-1)).toMatchObject({ firstTokenMs: 1_000, latencyMs: 3_000 })
      expect((yield* (yield* Router).status).a).toMatchObject({
        avgFirstTokenMs: 600,
        avgLatencyMs: 1_000,
        tpmUsed: 13
      })
      yield* nothingLeft
    }).pipe(
      on({ a: { script: [pieces(["Roses ", { _tag: "Reasoning", text: "hm" }, "are red"], { every: "1 second" })] } })
    ))

  it.effect("is told once it has ended, with the time to its first token", () =>
    Effect.gen(function*() {
      const router = yield* Router
      const events = yield* Effect.fork(Stream.runCollect(Stream.take(router.events, 1)))
      yield* TestClock.adjust(0)
      yield* read({}, { sessionId: "s", priority: "high" })
      expect(Chunk.toReadonlyArray(yield* Fiber.join(events))).toMatchObject([{
        _tag: "RouteEvent",
        outcome: "success",
        inputTokens: 10,
        outputTokens: 2,
        firstTokenMs: 1_000,
        latencyMs: 2_000,
        sessionId: "s",
        priority: "high"
      }])
    }).pipe(on({ a: { script: [pieces(["x", "y"], { every: "1 second" })] } })))

  it.effect("is the text alone where that is enough", () =>
    Effect.gen(function*() {
      const texts = yield* Stream.runCollect((yield* Router).stream(hello))
      expect(Chunk.toReadonlyArray(texts)).toEqual(["Roses ", "are red"])
    }).pipe(on({ a: { script: [pieces(["Roses ", { _tag: "Metadata", raw: {} }, "are red"])] } })))

  it.effect("of a provider that does not stream is one part", () =>
    Effect.gen(function*() {
      const { register } = yield* ProviderRegistry
      const [first] = yield* (yield* ProviderRegistry).providers
      if (first === undefined) return yield* Effect.dieMessage("no provider")
      const { stream: _stream, ...whole } = first
      yield* register({ ...whole, name: "whole", weight: 99 })
      const { parts } = yield* read()
      expect(parts).toMatchObject([
        { _tag: "Route", provider: "whole" },
        { _tag: "Metadata", raw: { scripted: true } },
        { _tag: "Text", text: "answer of a" },
        { _tag: "Usage" },
        { _tag: "Finish", provider: "whole", inputTokens: 10 }
      ])
    }).pipe(Effect.scoped, on({ a: {} })))
})

describe("before the first content", () => {
  const start = [{ _tag: "Metadata", model: "m", raw: {} }, usage(7, 0)] as const
  const silent = {
    "a refusal": failure("overloaded"),
    "an error after its start": pieces(start, { ends: "overloaded" }),
    "an end after its start": pieces(start, { ends: "cut" }),
    "silence": hang,
    "silence after its start": pieces(start, { ends: "hang" }),
    "an empty text and an end": pieces([""], { ends: "cut" })
  }

  for (const [name, outcome] of Object.entries(silent)) {
    it.effect(`${name} goes on elsewhere, and nobody sees it`, () =>
      Effect.gen(function*() {
        const { end, parts } = yield* read()
        expect(Exit.isSuccess(end)).toBe(true)
        expect(textOf(parts)).toBe("fine")
        expect(parts[0]).toMatchObject({ _tag: "Route", provider: "b", attempts: 2 })
        expect(parts.filter(({ _tag }) => _tag === "Route" || _tag === "Restart")).toHaveLength(1)
        yield* nothingLeft
      }).pipe(on({ a: { weight: 9, script: [outcome] }, b: { script: [pieces(["fine"])] } })))
  }

  it.effect("has a limit of its own", () =>
    Effect.gen(function*() {
      const { parts } = yield* read()
      expect(parts.at(-1)).toMatchObject({ _tag: "Finish", provider: "b" })
      expect((yield* (yield* RouterTest).calls).map(({ atMs }) => atMs)).toEqual([0, 3_000])
    }).pipe(on({ a: { weight: 9, script: [hang] }, b: {} }, { stream: { firstChunk: "3 seconds" } })))

  it.effect("ends with the route's own errors", () =>
    Effect.gen(function*() {
      const { end, parts } = yield* read()
      expect(interruption(end)).toMatchObject({ _tag: "AllProvidersFailed", attempts: [{ class: "caller_fault" }] })
      expect(parts).toEqual([])
      expect(interruption((yield* read({}, { timeout: "2 seconds" })).end)).toMatchObject({ _tag: "DeadlineExceeded" })
      yield* nothingLeft
    }).pipe(on({ a: { script: [failure("caller_fault"), hang, hang] } })))

  it.effect("settles what the vendor had counted", () =>
    Effect.gen(function*() {
      yield* read()
      expect((yield* (yield* Router).status).a).toMatchObject({ tpmUsed: 7 })
    }).pipe(on({ a: { weight: 9, script: [pieces(start, { ends: "transient" })] }, b: {} })))
})

describe("a reader", () => {
  it.effect("who leaves early ends the call, and what came is settled", () =>
    Effect.gen(function*() {
      const router = yield* Router
      const texts = yield* Stream.runCollect(Stream.take(router.stream(hello), 3))
      expect(texts).toHaveLength(3)
      yield* nothingLeft
      const { tpmUsed } = (yield* router.status).a!
      expect(tpmUsed).toBeGreaterThan(8)
      expect(tpmUsed).toBeLessThan(20)
    }).pipe(on({ a: { script: [pieces([usage(8, 0), ...Array<string>(50).fill("words ")], { ends: "hang" })] } })))

  it.effect("who is interrupted while he waits for the beginning leaves nothing", () =>
    Effect.gen(function*() {
      const router = yield* Router
      const fiber = yield* Effect.fork(Stream.runDrain(router.stream(hello)))
      yield* TestClock.adjust("1 second")
      expect(yield* (yield* RouterTest).underWay).toBe(1)
      yield* Fiber.interrupt(fiber)
      expect(yield* calledProviders).toEqual(["a"])
      yield* nothingLeft
    }).pipe(on({ a: { weight: 9, script: [hang] }, b: {} })))

  it.effect("may ask ahead, ask after the end, and leave twice", () =>
    Effect.gen(function*() {
      const answer = yield* (yield* Router).openStream(hello)
      const all = yield* Effect.promise(() => Promise.all([answer.next(), answer.next(), answer.next(), answer.next()]))
      expect(all.map(({ value }) => value === undefined ? "end" : textOf(value))).toEqual(["x", "y", "", "end"])
      expect(yield* Effect.promise(() => answer.return())).toEqual({ done: true, value: undefined })
      expect(yield* Effect.promise(() => answer.return())).toEqual({ done: true, value: undefined })
      expect(yield* Effect.promise(() => answer.next())).toEqual({ done: true, value: undefined })
    }).pipe(Effect.scoped, on({ a: { script: [pieces(["x", "y"])] } })))

  it.effect("who opens an answer and forgets it has it ended by the scope", () =>
    Effect.gen(function*() {
      yield* Effect.scoped(Effect.flatMap(Router, (router) => router.openStream(hello)))
      yield* nothingLeft
    }).pipe(on({ a: { script: [pieces(["x"], { ends: "hang" })] } })))
})
