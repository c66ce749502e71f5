import { expect, it } from "@effect/vitest"
import { Explanation, Router, RouterState, RouteTrace } from "@route-llm/core"
import { failure, pieces, RouterTest } from "@route-llm/core/testing"
import { Effect, Fiber, Layer, Schema, Stream, TestClock } from "effect"
import { describe } from "vitest"
import { chat, hello } from "./heard.ts"
import { calledProviders, on, read } from "./streams.ts"

const explain = (request: object = {}, options?: { readonly inputTokens?: number }) =>
  Effect.gen(function*() {
    const explanation = yield* (yield* Router).explain({ ...hello, ...request }, options)
    expect(Schema.decodeUnknownSync(Explanation)(JSON.parse(JSON.stringify(explanation)))).toEqual(explanation)
    return explanation
  })

describe("explain", () => {
  it.effect("tells where the request would go, and neither sends nor counts it", () =>
    Effect.gen(function*() {
      const router = yield* Router
      const before = yield* router.report
      const explanation = yield* explain({ priority: "low" })
      expect(explanation).toMatchObject({
        lane: "low",
        policy: "formula",
        chosen: "b",
        reason: "ranked",
        candidates: [{ provider: "a", model: "a-model" }, { provider: "b" }]
      })
      expect(yield* calledProviders).toEqual([])
      expect(yield* router.report).toEqual(before)
      expect((yield* chat({ priority: "low" })).provider).toBe("b")
    }).pipe(on({ a: {}, b: { weight: 9 } })))

  it.effect("takes the size that it is told in place of the estimate", () =>
    Effect.gen(function*() {
      expect((yield* explain()).chosen).toBe("a")
      const large = yield* explain({}, { inputTokens: 2_000 })
      expect(large).toMatchObject({ inputTokens: 2_000, chosen: "b" })
      expect(large.candidates[0]).toMatchObject({
        needs: { inputTokens: 2_000 },
        refusal: { reason: "too_large", dimension: "tokens", needed: 2_000, limit: 1_000 }
      })
    }).pipe(on({ a: { weight: 9, tpm: 1_000 }, b: { tpm: 100_000 } })))

  it.effect("fails as the request itself would", () =>
    Effect.gen(function*() {
      const router = yield* Router
      expect(yield* Effect.flip(router.explain({ messages: [] }))).toMatchObject({ _tag: "InvalidRequest" })
      const forced = { ...hello, forceProvider: "z" }
      expect(yield* Effect.flip(router.explain(forced))).toMatchObject({ _tag: "UnknownProvider", registered: ["a"] })
      expect((yield* router.report).totals).toMatchObject({ requests: 0, failed: 0 })
    }).pipe(on({ a: {} })))

  it.effect("says how long the request would wait", () =>
    Effect.gen(function*() {
      yield* chat()
      yield* TestClock.adjust("10 seconds")
      const { chosen, waitMs } = yield* explain()
      expect({ chosen, waitMs }).toEqual({ chosen: undefined, waitMs: 50_100 })
      const waits = yield* Effect.fork(chat())
      yield* TestClock.adjust(50_099)
      expect(yield* calledProviders).toHaveLength(1)
      yield* TestClock.adjust(1)
      expect((yield* Fiber.join(waits)).provider).toBe("a")
    }).pipe(on({ a: { rpm: 1 } })))
})

describe("an answer that explains itself", () => {
  it.effect("has each attempt with the decision that led to it; others have nothing", () =>
    Effect.gen(function*() {
      expect(yield* chat({ forceProvider: "b" })).not.toHaveProperty("route.attempts")
      const asked = yield* Effect.fork(chat({ explain: true }))
      yield* TestClock.adjust("1 minute")
      const { provider, route } = yield* Fiber.join(asked)
      expect(Schema.decodeUnknownSync(RouteTrace)(JSON.parse(JSON.stringify(route)))).toEqual(route)
      expect(provider).toBe("b")
      expect(route?.attempts).toMatchObject([
        {
          provider: "a",
          reason: "ranked",
          outcome: "overloaded",
          latencyMs: 2_000,
          waitedMs: 0,
          explanation: { chosen: "a", candidates: [{ provider: "a" }, { provider: "b" }] }
        },
        {
          provider: "b",
          reason: "only",
          outcome: "success",
          latencyMs: 0,
          waitedMs: 0,
          explanation: { chosen: "b", candidates: [{ refusal: { reason: "tried" } }, { provider: "b" }] }
        }
      ])
    }).pipe(on({ a: { weight: 9, latency: "2 seconds", script: [failure("overloaded")] }, b: {} }, {
      latency: { ceiling: "1 hour" }
    })))

  it.effect("tells the decision of the moment at which it was let out of the line", () =>
    Effect.gen(function*() {
      yield* chat()
      const asked = yield* Effect.fork(chat({ explain: true, timeout: "5 minutes" }))
      yield* TestClock.adjust("2 minutes")
      const { route } = yield* Fiber.join(asked)
      expect(route?.attempts).toMatchObject([{ waitedMs: 60_100, explanation: { chosen: "a", candidates: [{}] } }])
      // By then it had room.
      expect(route?.attempts[0]?.explanation?.candidates[0]).not.toHaveProperty("refusal.reason")
    }).pipe(on({ a: { rpm: 1 } })))

  it.effect("has them at the end of a stream too, through a restart", () =>
    Effect.gen(function*() {
      const { parts } = yield* read({ onInterrupt: "restart" }, { explain: true })
      expect(parts.at(-1)).toMatchObject({
        _tag: "Finish",
        route: { attempts: [{ provider: "a", outcome: "truncated" }, { provider: "b", outcome: "success" }] }
      })
      const silent = yield* Stream.runLast((yield* Router).streamParts(hello))
      expect(silent).toMatchObject({ _tag: "Some", value: { _tag: "Finish", route: undefined } })
    }).pipe(on({ a: { weight: 9, script: [pieces(["x"], { ends: "cut" })] }, b: { script: [pieces(["y"])] } })))

  it.effect("has the attempts alone where the state tells no more", () => {
    const Silent = Layer.effect(
      RouterState,
      Effect.map(RouterState, (state) => ({
        ...state,
        reserve: (...[demand, restore]: Parameters<typeof state.reserve>) =>
          Effect.map(state.reserve(demand, restore), (decision) => {
            if (decision._tag !== "Granted") return decision
            // As a driver of the first hour would answer, and without changing what the ledger knows it by.
            return {
              ...decision,
              reservation: Object.assign(decision.reservation, { explanation: undefined, reason: undefined })
            }
          })
      }))
    ).pipe(Layer.provide(RouterState.layerMemory))
    return Effect.gen(function*() {
      expect((yield* chat({ explain: true })).route?.attempts).toEqual([
        { provider: "a", reason: "ranked", outcome: "success", latencyMs: 0, waitedMs: 0, explanation: undefined }
      ])
      expect((yield* chat({ explain: true, forceProvider: "a" })).route?.attempts[0]?.reason).toBe("forced")
    }).pipe(Effect.provide(RouterTest.layer({ a: {} }, {}, Silent)))
  })
})
