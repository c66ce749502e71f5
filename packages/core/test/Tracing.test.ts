import { expect, it } from "@effect/vitest"
import { ProviderFailure, ProviderRegistry, Router } from "@route-llm/core"
import { failure, hang, pieces, RouterTest } from "@route-llm/core/testing"
import { Cause, Effect, Exit, Fiber, Option, TestClock, Tracer } from "effect"
import { describe } from "vitest"
import { chat, hello } from "./heard.ts"
import { read } from "./streams.ts"

/** A span as it would be exported. */
interface Exported {
  readonly name: string
  readonly kind: Tracer.SpanKind
  readonly parent: string | undefined
  readonly attributes: Record<string, unknown>
  readonly lastedMs: number
  readonly error: string | undefined
  /** As exporters print it, with what it was caused by. */
  readonly stack: string | undefined
  readonly isInterrupted: boolean
}

const parentOf = (span: Tracer.Span): string | undefined =>
  Option.match(span.parent, {
    onNone: () => undefined,
    onSome: (parent) => parent._tag === "Span" ? parent.name : "external"
  })

/** Collects the spans in the order of their ends. */
const collecting = () => {
  const spans: Array<Exported> = []
  let open = 0
  const native = Effect.runSync(Effect.tracer)
  const tracer = Tracer.make({
    context: (f, fiber) => native.context(f, fiber),
    span: (...given) => {
      const span = native.span(...given)
      const [name, , , , startTime, kind] = given
      open++
      return Object.assign(Object.create(span), {
        end: (endTime: bigint, exit: Exit.Exit<unknown, unknown>) => {
          span.end(endTime, exit)
          open--
          const cause = Exit.isFailure(exit) ? exit.cause : Cause.empty
          const [error] = Cause.prettyErrors(cause)
          spans.push({
            name,
            kind,
            parent: parentOf(span),
            attributes: Object.fromEntries(span.attributes),
            lastedMs: Number(endTime - startTime) / 1e6,
            error: error && `${error.name}: ${error.message}`,
            stack: Cause.pretty(cause, { renderErrorCause: true }),
            isInterrupted: Cause.isInterruptedOnly(cause) && !Cause.isEmpty(cause)
          })
        }
      })
    }
  })
  return { spans, openSpans: () => open, traced: Effect.withTracer(tracer) }
}

const on = (providers: Parameters<typeof RouterTest.layer>[0], tracing = true) =>
  Effect.provide(RouterTest.layer(providers, { tracing }))

describe("tracing", () => {
  it.effect("is a span a request, and under it one a call, by OpenTelemetry's names", () => {
    const { openSpans, spans, traced } = collecting()
    return Effect.gen(function*() {
      const asked = yield* Effect.fork(
        chat({ sessionId: "s", priority: "high", maxTokens: 20, temperature: 0.5 }).pipe(Effect.withSpan("caller"))
      )
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(asked)
      const call = {
        "gen_ai.operation.name": "chat",
        "gen_ai.conversation.id": "s",
        "gen_ai.request.max_tokens": 20,
        "gen_ai.request.temperature": 0.5
      }
      expect(spans).toMatchObject([
        {
          name: "chat a-model",
          kind: "client",
          parent: "Router.chat",
          lastedMs: 1_000,
          error: "ProviderFailure: scripted overloaded",
          attributes: {
            ...call,
            "gen_ai.provider.name": "a",
            "gen_ai.request.model": "a-model",
            "error.type": "overloaded",
            "route_llm.reason": "ranked",
            "route_llm.attempt": 1
          }
        },
        {
          name: "chat b-model",
          parent: "Router.chat",
          error: undefined,
          attributes: {
            ...call,
            "gen_ai.provider.name": "b",
            "gen_ai.response.model": "b-model",
            "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.usage.input_tokens": 10,
            "gen_ai.usage.output_tokens": 10,
            "route_llm.reason": "only",
            "route_llm.fallback_from": "a",
            "route_llm.fallback_because": "overloaded"
          }
        },
        {
          name: "Router.chat",
          kind: "internal",
          parent: "caller",
          lastedMs: 1_000,
          attributes: {
            "gen_ai.conversation.id": "s",
            "route_llm.lane": "high",
            "route_llm.outcome": "success",
            "route_llm.provider": "b",
            "route_llm.attempts": 2
          }
        },
        { name: "caller" }
      ])
      expect(spans[0]?.attributes).not.toHaveProperty("gen_ai.usage.input_tokens")
      expect(openSpans()).toBe(0)
    }).pipe(
      on({ a: { weight: 9, latency: "1 second", script: [failure("overloaded")] }, b: {} }),
      traced
    )
  })

  it.effect("of a stream lasts until it has been read, through a restart", () => {
    const { openSpans, spans, traced } = collecting()
    return Effect.gen(function*() {
      yield* read({ onInterrupt: "restart" })
      expect(spans).toMatchObject([
        { name: "chat a-model", parent: "Router.stream", lastedMs: 1_000, attributes: { "error.type": "truncated" } },
        {
          name: "chat b-model",
          parent: "Router.stream",
          lastedMs: 2_000,
          attributes: {
            "gen_ai.request.stream": true,
            "gen_ai.response.time_to_first_chunk": 1,
            "gen_ai.usage.output_tokens": 2,
            "gen_ai.response.finish_reasons": ["stop"]
          }
        },
        { name: "Router.stream", lastedMs: 3_000, attributes: { "route_llm.outcome": "success" } }
      ])
      expect(openSpans()).toBe(0)
    }).pipe(
      on({
        a: { weight: 9, script: [pieces(["x"], { every: "1 second", ends: "cut" })] },
        b: { script: [pieces(["y", "z"], { every: "1 second" })] }
      }),
      traced
    )
  })

  it.effect("ends with its caller, who has left, and with the error of the route", () => {
    const { openSpans, spans, traced } = collecting()
    return Effect.gen(function*() {
      const left = yield* Effect.fork(chat())
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(left)
      yield* Effect.flip(chat())
      expect(spans).toMatchObject([
        { name: "chat a-model", isInterrupted: true, attributes: { "error.type": "cancelled" } },
        { name: "Router.chat", isInterrupted: true, attributes: { "route_llm.outcome": "cancelled" } },
        { name: "chat a-model", error: "ProviderFailure: scripted caller_fault" },
        {
          name: "Router.chat",
          error: expect.stringContaining("AllProvidersFailed: 1 attempt failed"),
          attributes: { "error.type": "AllProvidersFailed" }
        }
      ])
      expect(openSpans()).toBe(0)
    }).pipe(on({ a: { script: [hang, failure("caller_fault")] } }), traced)
  })

  it.effect("has the adapter's own spans under the call, and nothing that its SDK has thrown", () => {
    const { spans, traced } = collecting()
    return Effect.gen(function*() {
      const { providers, register } = yield* ProviderRegistry
      const [a] = yield* providers
      const thrown = new Error("400 Invalid prompt: 'my secret prompt'")
      const sdk = Effect.fail(new ProviderFailure({ class: "caller_fault", message: "refused", cause: thrown }))
      yield* register({
        ...a!,
        name: "sdk",
        weight: 9,
        chat: () => Effect.withSpan(sdk.pipe(Effect.flip, Effect.flatMap(Effect.fail)), "http")
      })
      yield* Effect.flip(chat())
      expect(spans.map(({ name, parent }) => [name, parent])).toEqual([
        ["http", "chat a-model"],
        ["chat a-model", "Router.chat"],
        ["Router.chat", undefined]
      ])
      expect(JSON.stringify(spans.slice(1))).not.toContain("secret")
    }).pipe(Effect.scoped, on({ a: {} }), traced)
  })

  it.effect("is nothing where it is not asked for", () => {
    const { spans, traced } = collecting()
    return Effect.gen(function*() {
      yield* chat()
      yield* read()
      yield* Effect.flip((yield* Router).chat({ ...hello, messages: [] }))
      expect(spans).toEqual([])
    }).pipe(on({ a: {} }, false), traced)
  })
})
