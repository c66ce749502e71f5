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
  type RouterStateService,
  TokenEstimator
} from "@route-llm/core"
import { failure, RouterTest } from "@route-llm/core/testing"
import { Chunk, Effect, Exit, Fiber, Layer, Scope, Stream, TestClock } from "effect"
import { describe } from "vitest"

const hello: ChatRequest = { messages: [{ role: "user", content: "Hello" }] }

const chat = (request: Partial<ChatRequest> = {}) =>
  Effect.flatMap(Router, (router) => router.chat({ ...hello, ...request }))

const status = Effect.flatMap(Router, (router) => router.status)

const boom = (): number => {
  throw new Error("the policy's own fault")
}

/** The state in memory, with some of its parts exchanged. */
const stateWith = (
  parts: { readonly [K in "reserve" | "settle" | "snapshot"]?: (part: RouterStateService[K]) => RouterStateService[K] }
) =>
  Layer.effect(
    RouterState,
    Effect.map(RouterState, (state) => ({
      ...state,
      reserve: parts.reserve?.(state.reserve) ?? state.reserve,
      settle: parts.settle?.(state.settle) ?? state.settle,
      snapshot: parts.snapshot?.(state.snapshot) ?? state.snapshot
    }))
  ).pipe(Layer.provide(RouterState.layerMemory))

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
      const events = yield* Effect.fork(Stream.runCollect(Stream.take(
        Stream.filter(router.events, (event) => event._tag === "RouteEvent"),
        2
      )))
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

  it.effect("never loses an answer to a state that breaks while settling", () =>
    chat().pipe(
      Effect.map((response) => expect(response.provider).toBe("a")),
      Effect.provide(
        RouterTest.layer({ a: {} }, {}, stateWith({ settle: () => () => Effect.die("the store is gone") }))
      )
    ))

  it.effect("goes to another where the chosen provider has left the list meanwhile", () => {
    const b = Effect.runSync(Scope.make())
    const Leaving = stateWith({
      reserve: (reserve) => (...asked) => Effect.tap(reserve(...asked), Scope.close(b, Exit.void))
    })
    return Effect.gen(function*() {
      const registry = yield* ProviderRegistry
      const seen = { limits: { concurrent: 1 }, counting: countEverything, model: "m" }
      const never = Effect.dieMessage("b is gone")
      yield* Scope.extend(registry.register({ ...seen, name: "b", weight: 9, chat: () => never }), b)
      expect(yield* chat()).toMatchObject({ provider: "a", attempts: 1 })
      yield* Effect.scoped(Effect.gen(function*() {
        yield* registry.register({ ...seen, name: "b", weight: 0, chat: () => never })
        expect(yield* status).toMatchObject({ b: { inFlight: 0 } })
      }))
    }).pipe(Effect.provide(RouterTest.layer({ a: {} }, {}, Leaving)))
  })

  it.effect("follows the list of providers on after a fault of the state", () => {
    let faults = 1
    const Faulty = stateWith({
      snapshot: (snapshot) => (providers) =>
        Effect.suspend(() => faults-- > 0 ? Effect.die("the store is gone for a moment") : snapshot(providers))
    })
    return Effect.gen(function*() {
      const registry = yield* ProviderRegistry
      yield* chat()
      const waits = yield* Effect.fork(chat({ timeout: "5 minutes" }))
      yield* TestClock.adjust("1 second")
      const respond = { content: "here", finishReason: "stop", model: "m", raw: {} } as const
      const b = { limits: {}, counting: countEverything, model: "m", weight: 1, chat: () => Effect.succeed(respond) }
      yield* registry.register({ ...b, name: "b" })
      yield* TestClock.adjust(0)
      expect(faults).toBe(-1)
      expect(yield* Fiber.join(waits)).toMatchObject({ provider: "b" })
    }).pipe(Effect.scoped, Effect.provide(RouterTest.layer({ a: { rpm: 1 } }, {}, Faulty)))
  })
})
