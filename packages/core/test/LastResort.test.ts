import { expect, it } from "@effect/vitest"
import { type ChatRequest, Router, type RouterEvent } from "@route-llm/core"
import { failure, RouterTest, type ScriptedOutcome, type ScriptedProvider } from "@route-llm/core/testing"
import { Effect, Exit, Fiber, Schedule, Stream, TestClock } from "effect"
import { describe } from "vitest"

const hello: ChatRequest = { messages: [{ role: "user", content: "Hello" }], onSaturated: "fail" }

const chat = (request: Partial<ChatRequest> = {}) =>
  Effect.flatMap(Router, (router) => router.chat({ ...hello, ...request }))

const calls = Effect.flatMap(
  RouterTest,
  (test) => Effect.map(test.calls, (seen) => seen.map(({ atMs, provider }) => `${provider}@${atMs}`))
)

const status = Effect.flatMap(Router, (router) => router.status)

const on = (providers: Record<string, ScriptedProvider>, options: Parameters<typeof RouterTest.layer>[1] = {}) =>
  Effect.provide(RouterTest.layer(providers, { rounds: Schedule.stop, ...options }))

const times = (count: number, outcome: ScriptedOutcome) => Array<ScriptedOutcome>(count).fill(outcome)

const broken: ScriptedProvider = { script: times(5, failure("transient")) }

/** Opens its circuit at time 0, for 30 s. */
const breakIt = Effect.repeatN(Effect.flip(chat()), 4)

describe("the last resort", () => {
  it.effect("is one call a second while no circuit is closed; an answer closes it", () =>
    Effect.gen(function*() {
      yield* breakIt
      yield* TestClock.adjust("999 millis")
      expect(yield* Effect.flip(chat())).toMatchObject({
        _tag: "NoCapacity",
        retryAfterMs: 1,
        perProvider: [{ provider: "a", reason: "circuit_open", retryAfterMs: 1 }]
      })
      yield* TestClock.adjust("1 millis")
      const exits = yield* Effect.all(Array.from({ length: 100 }, () => Effect.exit(chat())))
      // The sixth call fails too; nobody else is let through for a second after it.
      expect(exits.filter(Exit.isSuccess)).toHaveLength(0)
      expect((yield* calls).slice(5)).toEqual(["a@1000"])
      expect((yield* status)["a"]).toMatchObject({ circuit: "open", circuitRetryAfterMs: 29_000 })
      yield* TestClock.adjust("1 second")
      expect(yield* chat()).toMatchObject({ provider: "a" })
      expect((yield* status)["a"]).toMatchObject({ circuit: "closed" })
    }).pipe(on({ a: { script: times(6, failure("transient")) } })))

  it.effect("is no resort while another is in service, even a full one", () =>
    Effect.gen(function*() {
      yield* Effect.repeatN(Effect.flip(chat({ forceProvider: "a" })), 4)
      yield* chat()
      yield* TestClock.adjust("5 seconds")
      expect(yield* Effect.flip(chat())).toMatchObject({
        perProvider: [{ reason: "circuit_open" }, { provider: "b", reason: "full" }]
      })
      expect(yield* chat({ forceProvider: "a" })).toMatchObject({ provider: "a" })
    }).pipe(on({ a: broken, b: { rpm: 1 } })))

  it.effect("is the one that should be back first, within its limits", () =>
    Effect.gen(function*() {
      for (const forceProvider of ["b", "a"]) {
        yield* Effect.repeatN(Effect.flip(chat({ forceProvider })), 4)
        yield* TestClock.adjust("2 seconds")
      }
      expect(yield* chat()).toMatchObject({ provider: "a" })
    }).pipe(on({ a: broken, b: { rpm: 5, ...broken } })))

  it.effect("can be forbidden, by the request and by the router", () =>
    Effect.gen(function*() {
      for (const [request, lastResort, called] of [[false, 1_000, 0], [true, Infinity, 0], [true, 1_000, 1]] as const) {
        const count = yield* Effect.gen(function*() {
          yield* breakIt
          yield* TestClock.adjust("20 seconds")
          yield* Effect.exit(chat({ lastResort: request }))
          return (yield* calls).length - 5
        }).pipe(on({ a: broken }, { breaker: { lastResort } }))
        expect(count).toBe(called)
      }
    }))

  it.effect("tries a provider again whose bench is only guessed, and an answer ends it", () =>
    Effect.gen(function*() {
      expect(yield* Effect.flip(chat())).toMatchObject({ attempts: [{ class: "quota" }] })
      expect(yield* Effect.flip(chat())).toMatchObject({ _tag: "NoCapacity", perProvider: [{ reason: "benched" }] })
      yield* TestClock.adjust("1 second")
      yield* chat()
      expect((yield* status)["a"]!.benchedForMs).toBeUndefined()
      yield* chat()
    }).pipe(on({ a: { script: [failure("quota")] } })))

  it.effect("leaves a provider alone until the time it has named, and where its circuit was opened by hand", () =>
    Effect.gen(function*() {
      yield* Effect.flip(chat({ forceProvider: "a" }))
      yield* Effect.flatMap(Router, (router) => router.forceOpen("b"))
      yield* TestClock.adjust("59 seconds")
      expect(yield* Effect.flip(chat())).toMatchObject({ _tag: "NoCapacity", retryAfterMs: 1_000 })
      yield* TestClock.adjust("1 second")
      expect(yield* chat()).toMatchObject({ provider: "a" })
    }).pipe(on({ a: { script: [failure("quota", { retryAfter: "1 minute" })] }, b: {} })))

  it.effect("is for those who wait in line too", () =>
    Effect.gen(function*() {
      yield* breakIt
      const waits = yield* Effect.all(
        Array.from({ length: 3 }, () => Effect.fork(chat({ onSaturated: "wait" })))
      )
      yield* TestClock.adjust("999 millis")
      expect(yield* calls).toHaveLength(5)
      yield* TestClock.adjust("1 millis")
      for (const fiber of waits) expect(yield* Fiber.join(fiber)).toMatchObject({ provider: "a" })
      expect((yield* calls).slice(5)).toEqual(["a@1000", "a@1000", "a@1000"])
    }).pipe(on({ a: broken })))

  it.effect("is worth a wait, but not where the request forbids it", () =>
    Effect.gen(function*() {
      yield* breakIt
      const hurried = { onSaturated: "wait", timeout: "10 seconds" } as const
      expect(yield* Effect.flip(chat({ ...hurried, lastResort: false }))).toMatchObject({
        _tag: "NoCapacity",
        retryAfterMs: 30_000
      })
      const waits = yield* Effect.fork(chat(hurried))
      yield* TestClock.adjust("1 second")
      expect(yield* Fiber.join(waits)).toMatchObject({ provider: "a" })
    }).pipe(on({ a: broken })))
})

describe("circuits moved by hand", () => {
  it.effect("stay open until told otherwise, or for as long as told, and tell of it", () =>
    Effect.gen(function*() {
      const router = yield* Router
      const heard: Array<RouterEvent> = []
      yield* Effect.fork(Stream.runForEach(router.events, (event) => Effect.sync(() => heard.push(event))))
      yield* TestClock.adjust(0)
      yield* router.forceOpen("a")
      expect(yield* chat()).toMatchObject({ provider: "b" })
      yield* TestClock.adjust("10 days")
      expect(yield* status).toMatchObject({ a: { circuitOpen: true, circuitRetryAfterMs: undefined } })
      expect(yield* Effect.flip(chat({ forceProvider: "a" }))).toMatchObject({
        _tag: "NoCapacity",
        retryAfterMs: Infinity
      })
      yield* router.forceClose("a")
      expect(yield* chat()).toMatchObject({ provider: "a" })
      yield* router.forceOpen("a", { for: "1 minute" })
      yield* TestClock.adjust("59999 millis")
      expect(yield* chat()).toMatchObject({ provider: "b" })
      yield* TestClock.adjust("1 millis")
      expect(yield* chat()).toMatchObject({ provider: "a" })
      yield* TestClock.adjust(0)
      expect(heard.flatMap((event) => event._tag === "CircuitMoved" ? [`${event.from} > ${event.to}`] : [])).toEqual([
        "closed > open",
        "open > closed",
        "closed > open",
        "open > half_open",
        "half_open > closed"
      ])
    }).pipe(on({ a: { weight: 9 }, b: {} })))

  it.effect("put a benched provider back into service, and serve those in line", () =>
    Effect.gen(function*() {
      const router = yield* Router
      yield* Effect.flip(chat())
      const waits = yield* Effect.fork(chat({ onSaturated: "wait" }))
      yield* TestClock.adjust("2 seconds")
      yield* router.forceClose("a")
      expect(yield* Fiber.join(waits)).toMatchObject({ provider: "a" })
    }).pipe(on({ a: { script: [failure("rate_limit", { retryAfter: "50 seconds" })] } })))

  it.effect("are of providers that there are", () =>
    Effect.gen(function*() {
      const router = yield* Router
      for (const moved of [router.forceOpen("z"), router.forceClose("z")]) {
        expect(yield* Effect.flip(moved)).toMatchObject({ _tag: "UnknownProvider", registered: ["a"] })
      }
    }).pipe(on({ a: {} })))
})
