import { expect, it } from "@effect/vitest"
import { type ChatRequest, Router, type RouterEvent, RouterState, type RouterStateService } from "@route-llm/core"
import { answer, failure, hang, pieces, RouterTest, type ScriptedProvider } from "@route-llm/core/testing"
import { Chunk, Effect, Fiber, Layer, Stream, TestClock } from "effect"
import { describe } from "vitest"
import { chat, hearing, hello } from "./heard.ts"
import { on, read } from "./streams.ts"

const tags = (heard: ReadonlyArray<RouterEvent>) => heard.map(({ _tag }) => _tag)

const ended = (heard: ReadonlyArray<RouterEvent>) => heard.filter((event) => event._tag === "RouteEnded")

/** How one request ends, as it is told. */
const endOf = (
  request: unknown,
  providers: Record<string, ScriptedProvider>,
  options: Parameters<typeof RouterTest.layer>[1] = {}
) =>
  Effect.gen(function*() {
    const heard = yield* hearing
    const router = yield* Router
    const fiber = yield* Effect.fork(Effect.exit(router.chat(request as ChatRequest)))
    yield* TestClock.adjust("2 minutes")
    yield* Fiber.join(fiber)
    expect(ended(heard)).toHaveLength(1)
    const { attempts, outcome, priority, sessionId } = ended(heard)[0]!
    const { totals } = yield* router.report
    return { outcome, attempts, priority, sessionId, totals }
  }).pipe(Effect.scoped, Effect.provide(RouterTest.layer(providers, options)))

describe("a route tells", () => {
  it.effect("each attempt with its reason, each fallback, and its end", () =>
    Effect.gen(function*() {
      const heard = yield* hearing
      const fiber = yield* Effect.fork(chat({ sessionId: "s", priority: "high" }))
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(fiber)
      const caller = { sessionId: "s", priority: "high" }
      expect(heard).toMatchObject([
        { _tag: "RouteEvent", provider: "a", reason: "ranked", outcome: "overloaded", attemptNumber: 1, ...caller },
        { _tag: "FellBack", from: "a", because: "overloaded", to: "b", attemptNumber: 2, timestamp: 1_000, ...caller },
        {
          _tag: "RouteEvent",
          provider: "b",
          reason: "only",
          fallbackFrom: { provider: "a", class: "overloaded" },
          outcome: "success",
          attemptNumber: 2,
          timestamp: 3_000,
          ...caller
        },
        {
          _tag: "RouteEnded",
          outcome: "success",
          provider: "b",
          attempts: 2,
          latencyMs: 3_000,
          waitedMs: 0,
          timestamp: 3_000,
          ...caller
        }
      ])
      expect(heard[0]).not.toHaveProperty("fallbackFrom")
    }).pipe(
      Effect.scoped,
      on({ a: { weight: 9, latency: "1 second", script: [failure("overloaded")] }, b: { latency: "2 seconds" } })
    ))

  it.effect("why each provider was the one", () =>
    Effect.gen(function*() {
      const heard = yield* hearing
      yield* chat({ forceProvider: "b", sessionId: "s" })
      yield* chat({ sessionId: "s" })
      yield* chat()
      yield* TestClock.adjust(0)
      expect(heard.flatMap((event) => event._tag === "RouteEvent" ? [[event.provider, event.reason]] : [])).toEqual([
        ["b", "forced"],
        ["b", "session"],
        ["a", "ranked"]
      ])
    }).pipe(Effect.scoped, on({ a: { weight: 9 }, b: {} })))

  it.effect("how long it waited, in all its attempts", () =>
    Effect.gen(function*() {
      const heard = yield* hearing
      yield* chat()
      const waits = yield* Effect.fork(chat({ timeout: "5 minutes" }))
      yield* TestClock.adjust("3 minutes")
      yield* Fiber.join(waits)
      const waited = heard.flatMap((event) => event._tag === "RouteEvent" ? [event.waitedMs] : [])
      // The first minute until there is room, the second until the vendor's refusal has rolled out.
      expect(waited).toEqual([0, 60_100, 60_100])
      expect(ended(heard)[1]).toMatchObject({ waitedMs: 120_200, attempts: 2, latencyMs: 120_200 })
    }).pipe(Effect.scoped, on({ a: { rpm: 1, script: [answer(), failure("rate_limit")] } })))

  it.effect("the time in line as waited, not what a store takes to answer", () => {
    const Slow = Layer.effect(
      RouterState,
      Effect.map(RouterState, (state): RouterStateService => ({
        ...state,
        reserve: (demand, restore) => Effect.zipRight(Effect.sleep(24), state.reserve(demand, restore))
      }))
    ).pipe(Layer.provide(RouterState.layerMemory))
    return Effect.gen(function*() {
      const heard = yield* hearing
      const both = yield* Effect.fork(Effect.replicateEffect(chat({ timeout: "5 minutes" }), 2, { concurrency: 2 }))
      yield* TestClock.adjust("2 minutes")
      yield* Fiber.join(both)
      expect(ended(heard)).toMatchObject([
        { waitedMs: 0, latencyMs: 24 },
        { waitedMs: 60_076, latencyMs: 60_100 }
      ])
    }).pipe(Effect.scoped, Effect.provide(RouterTest.layer({ a: { rpm: 1 } }, {}, Slow)))
  })

  it.effect("the end of each kind, once, and counts it", () =>
    Effect.gen(function*() {
      const quick = { onSaturated: "fail" } as const
      const full = { a: { limits: { concurrent: 1 }, script: [hang] } }
      const told = (found: Effect.Effect.Success<ReturnType<typeof endOf>>) => [found.outcome, found.attempts]
      expect(told(yield* endOf(hello, { a: {} }))).toEqual(["success", 1])
      expect(told(yield* endOf({ messages: [], priority: "highest" }, { a: {} }))).toEqual(["InvalidRequest", 0])
      expect(told(yield* endOf(undefined, { a: {} }))).toEqual(["InvalidRequest", 0])
      expect(told(yield* endOf({ ...hello, forceProvider: "z" }, { a: {} }))).toEqual(["UnknownProvider", 0])
      expect(told(yield* endOf(hello, {}))).toEqual(["NoProvidersConfigured", 0])
      expect(told(yield* endOf(hello, { a: { tpm: 5 } }))).toEqual(["TokenLimitExceeded", 0])
      expect(told(yield* endOf(hello, { a: { script: [failure("caller_fault")] } }))).toEqual(["AllProvidersFailed", 1])
      expect(told(yield* endOf({ ...hello, timeout: 10 }, { a: { script: [hang] } }))).toEqual(["DeadlineExceeded", 1])
      expect(told(yield* endOf({ ...hello, timeout: 0 }, { a: {} }))).toEqual(["DeadlineExceeded", 0])
      const blocked = Effect.gen(function*() {
        const heard = yield* hearing
        const first = yield* Effect.fork(chat())
        yield* TestClock.adjust(0)
        yield* Effect.flip(chat(quick))
        const second = yield* Effect.fork(chat())
        yield* TestClock.adjust(0)
        yield* Effect.flip(chat())
        yield* Fiber.interrupt(second)
        yield* Fiber.interrupt(first)
        yield* TestClock.adjust(0)
        return ended(heard).map(({ attempts, outcome }) => [outcome, attempts])
      }).pipe(Effect.scoped, Effect.provide(RouterTest.layer(full, { waiting: { maxWaiting: 1 } })))
      expect(yield* blocked).toEqual([["NoCapacity", 0], ["QueueFull", 0], ["cancelled", 0], ["cancelled", 1]])
    }))

  it.effect("nothing of what it is asked in vain", () =>
    Effect.gen(function*() {
      const wrong = { messages: "secret", priority: "secret", sessionId: { secret: true } }
      const { outcome, priority, sessionId, totals } = yield* endOf(wrong, { a: {} })
      expect({ outcome, priority, sessionId }).toEqual({
        outcome: "InvalidRequest",
        priority: "normal",
        sessionId: undefined
      })
      expect(totals).toMatchObject({ requests: 1, failed: 1 })
    }))
})

describe("a streamed route tells its end", () => {
  const told = (providers: Record<string, ScriptedProvider>, options: Parameters<typeof read>[0] = {}) =>
    Effect.gen(function*() {
      const heard = yield* hearing
      yield* read(options)
      return { tags: tags(heard), ended: ended(heard) }
    }).pipe(Effect.scoped, on(providers))

  it.effect("where the answer has been read to its end", () =>
    Effect.gen(function*() {
      const found = yield* told({ a: { script: [pieces(["x", "y"], { every: "1 second" })] } })
      expect(found.tags).toEqual(["RouteEvent", "RouteEnded"])
      expect(found.ended).toMatchObject([{ outcome: "success", provider: "a", attempts: 1, latencyMs: 2_000 }])
    }))

  it.effect("where it is cut off, and where it is restarted", () =>
    Effect.gen(function*() {
      const cut = { a: { weight: 9, script: [pieces(["x"], { ends: "cut" })] }, b: { script: [pieces(["y"])] } }
      expect((yield* told(cut)).ended).toMatchObject([{ outcome: "StreamInterrupted", attempts: 1 }])
      const restarted = yield* told(cut, { onInterrupt: "restart" })
      expect(restarted.tags).toEqual(["RouteEvent", "FellBack", "RouteEvent", "RouteEnded"])
      expect(restarted.ended).toMatchObject([{ outcome: "success", provider: "b", attempts: 2 }])
    }))

  it.effect("where its reader leaves, and where it never opens", () =>
    Effect.gen(function*() {
      const heard = yield* hearing
      const router = yield* Router
      yield* Stream.runHead(router.stream(hello))
      yield* Effect.flip(Stream.runHead(router.stream(hello)))
      yield* TestClock.adjust(0)
      expect(ended(heard)).toMatchObject([
        { outcome: "cancelled", attempts: 1 },
        { outcome: "AllProvidersFailed", attempts: 1 }
      ])
      expect((yield* router.report).totals).toMatchObject({ requests: 2, cancelled: 1, failed: 1, served: 0 })
    }).pipe(Effect.scoped, on({ a: { script: [pieces(["x", "y", "z"]), failure("caller_fault")] } })))
})

describe("the state tells", () => {
  it.effect("circuits, benches and learned limits, in wall time and without infinities", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(1_700_000_000_000)
      const heard = yield* hearing
      const router = yield* Router
      yield* router.forceOpen("b")
      yield* Effect.flip(chat({ maxAttempts: 1 }))
      yield* TestClock.adjust(0)
      const timestamp = 1_700_000_000_000
      expect(heard.filter(({ _tag }) => !_tag.startsWith("Route"))).toEqual([
        { _tag: "CircuitMoved", provider: "b", from: "closed", to: "open", timestamp },
        // Benched for ever, which JSON has no number for.
        { _tag: "Benched", provider: "a", because: "quota", timestamp }
      ])
      expect((yield* router.report).providers).toMatchObject([
        { name: "a", benchedBecause: "quota", benchedForMs: undefined },
        { name: "b", circuitOpen: true, circuitRetryAfterMs: undefined }
      ])
    }).pipe(
      Effect.scoped,
      on({ a: { script: [failure("quota")] }, b: {} }, { failures: { quota: { bench: Infinity } } })
    ))

  it.effect("the faults of its store, without the password in its address", () => {
    const gone = Effect.die(new Error("connect ECONNREFUSED redis://user:pass-word@store:6379/0"))
    const Broken = Layer.effect(
      RouterState,
      Effect.map(RouterState, (state): RouterStateService => ({
        ...state,
        reserve: () => gone,
        snapshot: () => gone,
        explain: () => gone
      }))
    ).pipe(Layer.provide(RouterState.layerMemory))
    return Effect.gen(function*() {
      const heard = yield* hearing
      const router = yield* Router
      const error = yield* Effect.flip(chat())
      expect(error).toMatchObject({ _tag: "StateUnavailable" })
      expect(error.message).toContain("redis://…@store:6379/0")
      expect(yield* Effect.flip(router.explain(hello))).toMatchObject({ _tag: "StateUnavailable" })
      yield* Effect.exit(router.report)
      yield* TestClock.adjust(0)
      const message = "connect ECONNREFUSED redis://…@store:6379/0"
      expect(heard.flatMap((event) => event._tag === "StateFailed" ? [[event.operation, event.message]] : [])).toEqual([
        ["reserve", message],
        ["explain", message],
        ["snapshot", message]
      ])
      expect(ended(heard)).toMatchObject([{ outcome: "StateUnavailable" }])
    }).pipe(Effect.scoped, Effect.provide(RouterTest.layer({ a: {} }, {}, Broken)))
  })
})

describe("a store that does not answer", () => {
  it.effect("is told, and costs no answer", () => {
    const Hanging = Layer.effect(
      RouterState,
      Effect.map(RouterState, (state): RouterStateService => ({
        ...state,
        isLocal: false,
        settle: () => Effect.never,
        explain: () => Effect.never
      }))
    ).pipe(Layer.provide(RouterState.layerMemory))
    return Effect.gen(function*() {
      const heard = yield* hearing
      const router = yield* Router
      const asked = yield* Effect.fork(chat())
      const explained = yield* Effect.fork(Effect.flip(router.explain(hello)))
      yield* TestClock.adjust("10 seconds")
      expect((yield* Fiber.join(asked)).provider).toBe("a")
      expect((yield* Fiber.join(explained)).message).toContain("it has not answered in time")
      expect(heard.flatMap((event) => event._tag === "StateFailed" ? [[event.operation, event.timestamp]] : []))
        .toEqual([
          ["settle", 1_000],
          ["explain", 5_000]
        ])
    }).pipe(Effect.scoped, Effect.provide(RouterTest.layer({ a: {} }, {}, Hanging)))
  })
})

describe("a reader that lags", () => {
  it.effect("loses the oldest events, and finds the newest", () =>
    Effect.gen(function*() {
      const router = yield* Router
      const pull = yield* Stream.toPull(router.events)
      const first = yield* Effect.fork(pull)
      yield* TestClock.adjust(0)
      yield* chat()
      expect(Chunk.size(yield* Fiber.join(first))).toBe(2)
      for (let request = 0; request < 500; request++) yield* chat({ sessionId: String(request) })
      const kept = Chunk.toReadonlyArray(yield* pull)
      expect(kept).toHaveLength(256)
      expect(kept.at(-1)).toMatchObject({ _tag: "RouteEnded", sessionId: "499" })
      expect(kept[0]).toMatchObject({ _tag: "RouteEvent", sessionId: "372" })
    }).pipe(Effect.scoped, on({ a: {} })))
})
