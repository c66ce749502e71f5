/** Streamed answers of scripted providers on virtual time: reading them, and what must hold once they have ended. */
import { expect } from "@effect/vitest"
import { type ChatRequest, type Provider, ProviderRegistry, Router, type RouterError } from "@route-llm/core"
import type { StreamInterrupted, StreamOptions, StreamPart } from "@route-llm/core"
import { RouterTest, type ScriptedProvider } from "@route-llm/core/testing"
import { Effect, Exit, Fiber, Ref, Stream, TestClock } from "effect"

export const hello: ChatRequest = { messages: [{ role: "user", content: "Hello" }], timeout: "60 seconds" }

export const on = (providers: Record<string, ScriptedProvider>, options: Parameters<typeof RouterTest.layer>[1] = {}) =>
  Effect.provide(RouterTest.layer(providers, options))

/** The parts that came, and how it ended, in virtual time that passes by the second. */
export const read = (options: StreamOptions = {}, request: Partial<ChatRequest> = {}) =>
  Effect.gen(function*() {
    const router = yield* Router
    const seen = yield* Ref.make<ReadonlyArray<StreamPart>>([])
    const fiber = yield* router.streamParts({ ...hello, ...request }, options).pipe(
      Stream.runForEach((part) => Ref.update(seen, (parts) => [...parts, part])),
      Effect.fork
    )
    const end = yield* passing(fiber)
    return { parts: yield* Ref.get(seen), end }
  })

const passing = <A, E>(fiber: Fiber.RuntimeFiber<A, E>) =>
  Effect.gen(function*() {
    for (let second = 0; second < 700 && fiber.unsafePoll() === null; second++) yield* TestClock.adjust("1 second")
    return yield* Effect.exit(Fiber.join(fiber))
  })

export const textOf = (parts: ReadonlyArray<StreamPart>) =>
  parts.map((part) => part._tag === "Text" ? part.text : part._tag === "Restart" ? "|" : "").join("")

export const interruption = (end: Exit.Exit<void, RouterError | StreamInterrupted>): RouterError | StreamInterrupted =>
  Exit.match(end, {
    onSuccess: () => {
      throw new Error("it ended well")
    },
    onFailure: (cause) => {
      if (cause._tag !== "Fail") throw new Error(`expected a failure, found ${cause._tag}`)
      return cause.error
    }
  })

export const calledProviders = Effect.flatMap(
  RouterTest,
  (test) => Effect.map(test.calls, (seen) => seen.map(({ provider }) => provider))
)

/** Every call has been left, and nothing is reserved any more. */
export const nothingLeft = Effect.gen(function*() {
  yield* TestClock.adjust(1)
  const { underWay } = yield* RouterTest
  expect(yield* underWay).toBe(0)
  const status = yield* (yield* Router).status
  expect(Object.values(status).map(({ inFlight }) => inFlight).every((count) => count === 0)).toBe(true)
})

export const usage = (inputTokens: number, outputTokens: number) =>
  ({ _tag: "Usage", usage: { inputTokens, outputTokens } }) as const

/** A provider of somebody's own, which is asked first. */
export const adapter = (stream: NonNullable<Provider["stream"]>) =>
  Effect.gen(function*() {
    const registry = yield* ProviderRegistry
    const [first] = yield* registry.providers
    if (first === undefined) return yield* Effect.dieMessage("no provider")
    yield* registry.register({ ...first, name: "faulty", weight: 99, stream })
  })
