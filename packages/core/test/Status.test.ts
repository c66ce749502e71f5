import { expect, it } from "@effect/vitest"
import {
  type ChatResponse,
  countEverything,
  type FailureClass,
  ProviderFailure,
  ProviderRegistry,
  Router,
  type RouterError,
  type RouterEvent,
  RouterEvent as RouterEventSchema,
  RouterLive,
  RouterState,
  StatusReport
} from "@route-llm/core"
import { answer, failure, hang, pieces } from "@route-llm/core/testing"
import { Cause, Effect, Exit, Fiber, JSONSchema, Layer, Random, Schema, Stream, TestClock } from "effect"
import { describe } from "vitest"
import { chat, hello } from "./heard.ts"
import { simulated } from "./simulation/routers.ts"
import { on, read } from "./streams.ts"

const decode = Schema.decodeUnknownSync(StatusReport, { onExcessProperty: "error" })

/** The report, as it comes through JSON. */
const report = Effect.gen(function*() {
  const told = yield* (yield* Router).report
  const decoded = decode(JSON.parse(JSON.stringify(told)))
  expect(decoded).toEqual(told)
  return decoded
})

describe("the report", () => {
  it.effect("has every provider in the order of the list, those who wait, and sums", () =>
    Effect.gen(function*() {
      yield* TestClock.adjust("1 second")
      yield* chat({ forceProvider: "b" })
      yield* Effect.fork(chat({ forceProvider: "a" }))
      for (const priority of ["high", "low", "low"] as const) {
        yield* Effect.fork(chat({ forceProvider: "a", priority, timeout: "5 minutes" }))
      }
      yield* TestClock.adjust("5 seconds")
      expect(yield* report).toMatchObject({
        version: 1,
        timestamp: 6_000,
        startedAt: 0,
        providers: [
          { name: "a", inFlight: 1, rpmUsed: 1, headroomPct: 0, limits: { concurrent: { used: 1, limit: 1 } } },
          { name: "b", inFlight: 0, rpmUsed: 1, rpmLimit: 10, headroomPct: 90 }
        ],
        waiting: { high: 1, normal: 0, low: 2 },
        totals: {
          requests: 5,
          served: 1,
          failed: 0,
          cancelled: 0,
          fallbacks: 0,
          inputTokens: 10,
          outputTokens: 10,
          inFlight: 1,
          rpmUsed: 2
        }
      })
    }).pipe(on({ a: { limits: { concurrent: 1 }, script: [hang] }, b: { rpm: 10 } })))

  it.effect("says of each latency whether it was measured", () =>
    Effect.gen(function*() {
      const told = Effect.map(report, ({ providers }) =>
        providers.map(({ avgFirstTokenMs, avgLatencyMs, firstTokenIsPrior, latencyIsPrior }) => [
          latencyIsPrior,
          avgLatencyMs,
          firstTokenIsPrior,
          avgFirstTokenMs
        ]))
      expect(yield* told).toEqual([[true, 500, true, 500], [true, 500, true, 500]])
      yield* chat({ forceProvider: "a" })
      yield* read({}, { forceProvider: "b" })
      // Long ago is measured all the same, though it counts for next to nothing.
      yield* TestClock.adjust("1 day")
      expect(yield* told).toEqual([
        [false, expect.closeTo(500), true, 500],
        [false, expect.closeTo(500), false, expect.closeTo(500)]
      ])
    }).pipe(on({ a: {}, b: { script: [pieces(["x", "y"])] } })))

  it.effect("says how the newest call that failed did, and when; a cancelled one did not fail", () =>
    Effect.gen(function*() {
      const router = yield* Router
      expect((yield* report).providers[0]).not.toHaveProperty("lastError")
      yield* Effect.flip(chat({ maxAttempts: 1 }))
      yield* TestClock.adjust("3 seconds")
      const left = yield* Effect.fork(chat())
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(left)
      yield* chat()
      expect((yield* router.status).a?.lastError).toEqual({ class: "overloaded", agoMs: 4_000 })
      yield* Effect.flip(chat({ maxAttempts: 1 }))
      expect((yield* report).providers[0]?.lastError).toEqual({ class: "content_policy", agoMs: 0 })
    }).pipe(on({ a: { script: [failure("overloaded"), hang, answer(), failure("content_policy")] } })))

  it("has a JSON Schema, for those who read it elsewhere", () => {
    const { $defs = {} } = JSONSchema.make(StatusReport)
    expect(Object.keys($defs)).toEqual(expect.arrayContaining(["StatusReport", "LimitStatus"]))
  })
})

/** Providers that answer, fail or hang at random, in random times. */
const erratic = (name: string, seen: Array<string>) => {
  const classes: ReadonlyArray<FailureClass> = ["transient", "overloaded", "rate_limit", "content_policy", "network"]
  return {
    name,
    model: `${name}-model`,
    limits: { requests: 60, concurrent: 8 },
    weight: 1,
    counting: countEverything,
    chat: () =>
      Effect.gen(function*() {
        seen.push(name)
        yield* Effect.sleep(yield* Random.nextIntBetween(10, 4_000))
        const draw = yield* Random.next
        if (draw < 0.3) {
          const failed = classes[Math.floor(draw / 0.3 * classes.length)]!
          return yield* new ProviderFailure({ class: failed, message: "erratic" })
        }
        if (draw < 0.33) return yield* Effect.never
        const usage = { inputTokens: 7, outputTokens: yield* Random.nextIntBetween(1, 100) }
        // Some tell nothing of what they took.
        return { content: "here", finishReason: "stop" as const, model: "m", raw: {}, ...(draw < 0.9 ? { usage } : {}) }
      })
  }
}

const howItEnded = (exit: Exit.Exit<ChatResponse, RouterError>): string =>
  Exit.match(exit, {
    onSuccess: () => "success",
    onFailure: (cause) => cause._tag === "Fail" ? cause.error._tag : Cause.isInterrupted(cause) ? "cancelled" : "defect"
  })

describe("totals and events of a crowd", () => {
  const play = Effect.gen(function*() {
    const seen: Array<string> = []
    const Providers = Layer.scopedDiscard(Effect.gen(function*() {
      const { register } = yield* ProviderRegistry
      for (const name of ["a", "b", "c"]) yield* register(erratic(name, seen))
    }))
    const Live = RouterLive.pipe(
      Layer.provide(Providers),
      Layer.provide([ProviderRegistry.layer, RouterState.layerMemory])
    )
    return yield* Effect.gen(function*() {
      const router = yield* Router
      const heard: Array<RouterEvent> = []
      yield* Effect.fork(Stream.runForEach(router.events, (event) => Effect.sync(() => heard.push(event))))
      yield* Effect.sleep(1)
      const one = (id: number) =>
        Effect.gen(function*() {
          yield* Effect.sleep(yield* Random.nextIntBetween(0, 20_000))
          const priority = id % 3 === 0 ? "high" as const : "normal" as const
          const asked = yield* Effect.fork(router.chat({ ...hello, sessionId: String(id), timeout: 20_000, priority }))
          if ((yield* Random.next) < 0.2) {
            yield* Effect.sleep(yield* Random.nextIntBetween(0, 3_000))
            yield* Fiber.interruptFork(asked)
          }
          return howItEnded(yield* Fiber.await(asked))
        })
      const outcomes = yield* Effect.forEach(Array.from({ length: 150 }, (_, id) => id), one, {
        concurrency: "unbounded"
      })
      yield* Effect.sleep("1 minute")
      return { seen, heard, outcomes, report: yield* router.report }
    }).pipe(Effect.provide(Live))
  }).pipe(Effect.orDie)

  it.each([1, 2])("add up to what was seen from both sides (seed %i)", { timeout: 30_000 }, (seed) => {
    const { heard, outcomes, report: told, seen } = simulated(play, seed)
    const attempts = heard.filter((event) => event._tag === "RouteEvent")
    const ended = heard.filter((event) => event._tag === "RouteEnded")
    const counts = (of: (outcome: string) => boolean) => outcomes.filter(of).length
    // One end for each, and the one that its caller has met.
    expect(ended).toHaveLength(outcomes.length)
    for (const [id, outcome] of outcomes.entries()) {
      expect(ended.filter(({ sessionId }) => sessionId === String(id)).map((end) => end.outcome)).toEqual([outcome])
    }
    // One event for each call that a vendor has seen.
    const byProvider = (names: ReadonlyArray<string>) => [...names].sort()
    expect(byProvider(attempts.map(({ provider }) => provider))).toEqual(byProvider(seen))
    for (const { attempts: calls, sessionId } of ended) {
      expect(attempts.filter((attempt) => attempt.sessionId === sessionId)).toHaveLength(calls)
    }
    const fallbacks = heard.filter(({ _tag }) => _tag === "FellBack").length
    expect(fallbacks).toBe(attempts.filter(({ attemptNumber }) => attemptNumber > 1).length)
    expect(told.totals).toMatchObject({
      requests: 150,
      served: counts((outcome) => outcome === "success"),
      cancelled: counts((outcome) => outcome === "cancelled"),
      failed: counts((outcome) => outcome !== "success" && outcome !== "cancelled"),
      fallbacks,
      inputTokens: attempts.reduce((sum, { inputTokens }) => sum + inputTokens, 0),
      outputTokens: attempts.reduce((sum, { outputTokens }) => sum + outputTokens, 0),
      inFlight: 0
    })
    for (const event of heard) Schema.validateSync(RouterEventSchema)(event)
    decode(JSON.parse(JSON.stringify(told)))
    // The crowd has met every side of it.
    for (const outcome of ["success", "cancelled", "AllProvidersFailed"]) expect(outcomes).toContain(outcome)
    expect(fallbacks).toBeGreaterThan(10)
  })
})
