/** Where an answer, its vendor and its reader end at awkward moments. */
import { expect, it } from "@effect/vitest"
import type { ProviderPart, ProviderStream } from "@route-llm/core"
import { Router } from "@route-llm/core"
import { hang, pieces, RouterTest } from "@route-llm/core/testing"
import { Effect, Exit, Fiber, Stream, TestClock } from "effect"
import { describe } from "vitest"
import { adapter, hello, interruption, nothingLeft, on, read, textOf, usage } from "./streams.ts"

const text = (piece: string): ProviderPart => ({ _tag: "Text", text: piece })
const finish: ProviderPart = { _tag: "Finish", finishReason: "stop" }

const never = new Promise<never>(() => {})

/** The events of the attempts there are, once so many have ended. */
const outcomes = (count: number) =>
  Effect.gen(function*() {
    const { events } = yield* Router
    const attempts = Stream.filter(events, (event) => event._tag === "RouteEvent")
    return yield* Effect.fork(Stream.runCollect(Stream.take(attempts, count)))
  })

describe("a vendor", () => {
  it.effect("who falls silent after an event without content has its pause", () =>
    Effect.gen(function*() {
      yield* adapter(() =>
        Effect.succeed((async function*() {
          yield [text("x")]
          yield []
          await never
        })())
      )
      const { end } = yield* read()
      expect(interruption(end)).toMatchObject({ because: "timeout", detail: "the vendor sent nothing for too long" })
    }).pipe(Effect.scoped, on({ a: {} }, { stream: { idle: "10 seconds", reader: "5 minutes" } })))

  it.effect("who has said that it is complete is not too slow any more", () =>
    Effect.gen(function*() {
      const { end, parts } = yield* read()
      expect(Exit.isSuccess(end)).toBe(true)
      expect(textOf(parts)).toBe("xy")
      expect(parts.at(-1)).toMatchObject({ _tag: "Finish", inputTokens: 3, outputTokens: 2 })
    }).pipe(on(
      { a: { script: [pieces(["x", "y", usage(3, 2), finish], { every: "4 seconds", ends: "hang" })] } },
      { stream: { idle: "10 seconds", minCharactersPerSecond: 5 } }
    )))

  it.effect("has a floor also where it may pause for ever", () =>
    Effect.gen(function*() {
      const { end } = yield* read()
      expect(interruption(end)).toMatchObject({ detail: "the vendor sent too little for too long" })
    }).pipe(on(
      { a: { script: [pieces(Array<string>(100).fill("x"), { every: "5 seconds" })] } },
      { stream: { idle: Number.POSITIVE_INFINITY, minCharactersPerSecond: 5 } }
    )))

  it.effect("is not blamed for a reader who takes his time", () =>
    Effect.gen(function*() {
      const router = yield* Router
      const answer = yield* router.openStream(hello)
      const attempts = yield* outcomes(1)
      const seen: Array<string> = []
      for (let turn = 0; turn < 3; turn++) {
        const { value = [] } = yield* Effect.promise(() => answer.next())
        seen.push(textOf(value))
        yield* TestClock.adjust("40 seconds")
      }
      expect(seen).toEqual(["x", "y", "z"])
      yield* Effect.promise(() => answer.next())
      expect([...yield* Fiber.join(attempts)]).toMatchObject([{ outcome: "success", latencyMs: 0, circuitOpen: false }])
    }).pipe(
      Effect.scoped,
      on({ a: { script: [pieces(["x", "y", "z"])] } }, {
        stream: { total: "1 minute" },
        breaker: { failureThreshold: 1 }
      })
    ))

  const broken = {
    "sends what is no list of parts": () =>
      (async function*() {
        yield [text("x")]
        yield text("y") as unknown as []
      })(),
    "throws where it should answer a promise": () => ({
      [Symbol.asyncIterator]: () => {
        let turn = 0
        return {
          next: () => {
            if (turn++ > 0) throw new TypeError("x is not a function")
            return Promise.resolve({ done: false as const, value: [text("x")] })
          }
        }
      }
    })
  }
  for (const [name, stream] of Object.entries(broken)) {
    it.effect(`that ${name} has broken its answer`, () =>
      Effect.gen(function*() {
        yield* adapter(() => Effect.sync((): ProviderStream => stream()))
        const { end, parts } = yield* read()
        expect(textOf(parts)).toBe("x")
        expect(interruption(end)).toMatchObject({ _tag: "StreamInterrupted", because: "transient" })
        expect((yield* (yield* Router).status).faulty).toMatchObject({ inFlight: 0 })
      }).pipe(Effect.scoped, on({ a: {} })))
  }
})

describe("while it begins anew elsewhere", () => {
  const cutThenHang = {
    a: { weight: 9, script: [pieces(["Roses "], { ends: "network" })] },
    b: { script: [hang] }
  } as const

  it.effect("its reader can leave, and the call ends", () =>
    Effect.gen(function*() {
      const answer = yield* (yield* Router).openStream(hello, { onInterrupt: "restart" })
      yield* Effect.promise(() => answer.next())
      const next = yield* Effect.fork(Effect.promise(() => answer.next()))
      yield* TestClock.adjust("1 second")
      expect(yield* (yield* RouterTest).underWay).toBe(1)
      yield* Effect.promise(() => answer.return())
      expect(yield* Fiber.join(next)).toEqual({ done: true, value: undefined })
      yield* Effect.promise(() => answer.ended)
      yield* nothingLeft
    }).pipe(Effect.scoped, on(cutThenHang)))

  it.effect("its reader can be interrupted, and the call ends", () =>
    Effect.gen(function*() {
      const router = yield* Router
      const reading = yield* Effect.fork(Stream.runDrain(router.streamParts(hello, { onInterrupt: "restart" })))
      yield* TestClock.adjust("1 second")
      expect((yield* router.status).b).toMatchObject({ inFlight: 1 })
      yield* Fiber.interrupt(reading)
      yield* nothingLeft
    }).pipe(on(cutThenHang)))

  it.effect("who asks ahead waits for his turn", () =>
    Effect.gen(function*() {
      const answer = yield* (yield* Router).openStream(hello, { onInterrupt: "restart" })
      yield* Effect.promise(() => answer.next())
      const first = answer.next()
      yield* TestClock.adjust("1 second")
      const second = answer.next()
      yield* TestClock.adjust("5 seconds")
      const both = yield* Effect.promise(() => Promise.all([first, second]))
      expect(both.map(({ value }) => value === undefined ? "end" : textOf(value))).toEqual(["|Violets ", "are"])
    }).pipe(
      Effect.scoped,
      on({
        a: { weight: 9, script: [pieces(["Roses "], { ends: "network" })] },
        b: { latency: "3 seconds", script: [pieces(["Violets ", "are"])] }
      })
    ))
})

describe("what the vendor has told of its use is settled", () => {
  const told = { a: { script: [pieces([usage(777, 5), "x", "y"], { ends: "hang" })] } } as const

  it.effect("also where nobody has read it yet", () =>
    Effect.gen(function*() {
      const attempts = yield* outcomes(1)
      yield* Effect.yieldNow()
      yield* Effect.scoped(Effect.flatMap(Router, (router) => router.openStream(hello)))
      expect([...yield* Fiber.join(attempts)]).toMatchObject([{
        outcome: "cancelled",
        inputTokens: 777,
        outputTokens: 5
      }])
      yield* nothingLeft
    }).pipe(on(told)))

  it.effect("also where it has begun anew, and its reader is interrupted", () =>
    Effect.gen(function*() {
      const router = yield* Router
      const attempts = yield* outcomes(2)
      yield* Effect.yieldNow()
      const parts = router.streamParts(hello, { onInterrupt: "restart" })
      yield* Stream.runDrain(Stream.takeUntil(parts, (part) => part._tag === "Text" && part.text === "y"))
      expect([...yield* Fiber.join(attempts)]).toMatchObject([
        { provider: "b", outcome: "network" },
        { provider: "a", outcome: "cancelled", inputTokens: 777, outputTokens: 5 }
      ])
      yield* nothingLeft
    }).pipe(on({ ...told, b: { weight: 9, script: [pieces(["Roses "], { ends: "network" })] } })))
})
