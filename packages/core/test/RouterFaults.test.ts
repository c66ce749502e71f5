import { expect, it } from "@effect/vitest"
import {
  type Candidate,
  type ChatRequest,
  countEverything,
  ProviderRegistry,
  type RouteEvent,
  RouteListener,
  Router,
  RouterState,
  TokenEstimator
} from "@route-llm/core"
import { failure, RouterTest } from "@route-llm/core/testing"
import { Chunk, Effect, Fiber, Layer, Stream, TestClock } from "effect"
import { describe } from "vitest"

const hello: ChatRequest = { messages: [{ role: "user", content: "Hello" }] }

const chat = (request: Partial<ChatRequest> = {}) =>
  Effect.flatMap(Router, (router) => router.chat({ ...hello, ...request }))

const status = Effect.flatMap(Router, (router) => router.status)

const boom = (): number => {
  throw new Error("the policy's own fault")
}

describe("the user's own parts", () => {
  it.effect("takes what is no answer for a failed attempt", () =>
    Effect.gen(function*() {
      const registry = yield* ProviderRegistry
      const broken = { limits: { requests: 10, tokens: 1_000 }, weight: 9, counting: countEverything, model: "m" }
      yield* registry.register({ ...broken, name: "nothing", chat: () => Effect.succeed(undefined as never) })
      yield* registry.register({ ...broken, name: "defect", weight: 8, chat: () => Effect.die(new Error("boom")) })
      expect(yield* chat()).toMatchObject({ provider: "a", attempts: 3 })
      expect(yield* status).toMatchObject({ nothing: { inFlight: 0 }, defect: { inFlight: 0 } })
    }).pipe(Effect.scoped, Effect.provide(RouterTest.layer({ a: {} }))))

  it.effect("uses its own estimate where the estimator's is no count", () =>
    Effect.gen(function*() {
      yield* chat()
      expect(yield* status).toMatchObject({ a: { rpmUsed: 1, tpmUsed: 20 } })
    }).pipe(
      Effect.provide(
        RouterTest.layer({ a: { tpm: 1_000 } }).pipe(
          Layer.provide(Layer.succeed(TokenEstimator, { estimate: () => Effect.succeed(Number.NaN) }))
        )
      )
    ))

  it.effect("follows a policy of the user's own, and outlives one that throws or answers nonsense", () =>
    Effect.gen(function*() {
      for (
        const [policy, expected] of [
          [({ name }: Candidate) => name === "b" ? 1 : 0, "b"],
          [({ name }: Candidate) => name === "a" ? Number.NaN : -5, "b"],
          [({ name }: Candidate) => name === "b" ? boom() : 0, "a"]
        ] as const
      ) {
        const answered = chat().pipe(Effect.provide(RouterTest.layer({ a: {}, b: {} }, { policy })))
        expect((yield* answered).provider).toBe(expected)
      }
    }))

  it.effect("tells each attempt to the listener, whose faults change nothing, and to events", () => {
    const heard: Array<RouteEvent> = []
    const Listener = Layer.succeed(RouteListener, (event) => {
      heard.push(event)
      if (event.attemptNumber === 1) throw new Error("the listener's own fault")
      // An async listener fits the type; its rejection would end the process if nobody took it.
      return Promise.reject(new Error("the async listener's own fault"))
    })
    return Effect.gen(function*() {
      const router = yield* Router
      const events = yield* Effect.fork(Stream.runCollect(Stream.take(router.events, 2)))
      yield* Effect.yieldNow()
      yield* TestClock.adjust("1 second")
      expect(yield* chat({ sessionId: "s", priority: "high" })).toMatchObject({ provider: "b", attempts: 2 })
      expect(heard).toMatchObject([
        { provider: "a", outcome: "overloaded", attemptNumber: 1, inputTokens: 0, timestamp: 1000 },
        { provider: "b", outcome: "success", attemptNumber: 2, inputTokens: 10, sessionId: "s", priority: "high" }
      ])
      expect(heard[1]).toMatchObject({ headroomPct: 90, circuitOpen: false, latencyMs: 0 })
      expect(Chunk.toReadonlyArray(yield* Fiber.join(events))).toEqual(heard)
    }).pipe(Effect.provide(
      RouterTest.layer({ a: { weight: 9, script: [failure("overloaded")] }, b: { rpm: 10 } }).pipe(
        Layer.provide(Listener)
      )
    ))
  })

  it.effect("never loses an answer to a state that breaks while settling", () => {
    const Broken = Layer.effect(
      RouterState,
      Effect.map(RouterState, (state) => ({
        ...state,
        settle: () => Effect.die("the store is gone")
      }))
    ).pipe(Layer.provide(RouterState.layerMemory))
    return chat().pipe(
      Effect.map((response) => expect(response.provider).toBe("a")),
      Effect.provide(RouterTest.layer({ a: {} }, {}, Broken))
    )
  })
})
