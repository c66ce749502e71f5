import { expect, it } from "@effect/vitest"
import { type ChatRequest, ProviderFailure, ProviderRegistry, Router, RouterMetrics } from "@route-llm/core"
import { answer, pieces, RouterTest } from "@route-llm/core/testing"
import { Cause, Effect, Exit, Stream, TestClock, Tracer } from "effect"
import { describe } from "vitest"
import { hearing } from "./heard.ts"

const canary = (of: string) => `canary-${of}-5f1c9e`

const request: ChatRequest = {
  messages: [
    { role: "system", content: canary("system") },
    { role: "user", content: [{ type: "text", text: canary("prompt") }] },
    {
      role: "assistant",
      content: canary("history"),
      tool_calls: [{ id: canary("id"), type: "function", function: { name: "f", arguments: canary("arguments") } }]
    },
    { role: "tool", content: canary("tool"), tool_call_id: canary("id") }
  ],
  stop: canary("stop"),
  tools: [{ type: "function", function: { name: canary("name"), description: canary("description") } }],
  explain: true
}

/** Whatever a tracer is told, as an exporter prints it. */
const tracing = () => {
  const told: Array<unknown> = []
  const native = Effect.runSync(Effect.tracer)
  const tracer = Tracer.make({
    context: (f, fiber) => native.context(f, fiber),
    span: (...given) => {
      const span = native.span(...given)
      return Object.assign(Object.create(span), {
        attribute: (...attribute: Parameters<Tracer.Span["attribute"]>) => told.push(attribute),
        event: (...event: Parameters<Tracer.Span["event"]>) => told.push(event.map(String)),
        end: (_at: bigint, exit: Exit.Exit<unknown, unknown>) =>
          told.push([
            given[0],
            Exit.isFailure(exit) ? Cause.pretty(exit.cause, { renderErrorCause: true }) : JSON.stringify(exit.value)
          ])
      })
    }
  })
  return { told, traced: Effect.withTracer(tracer) }
}

describe("no prompt and no answer", () => {
  it.effect("is in anything that the router tells of itself", () => {
    const { told, traced } = tracing()
    return Effect.gen(function*() {
      const router = yield* Router
      const { providers, register } = yield* ProviderRegistry
      const [a] = yield* providers
      const thrown = new Error(`400 in "${canary("prompt")}", key ${canary("key")}`)
      const refused = new ProviderFailure({ class: "overloaded", message: "refused", cause: thrown })
      yield* register({ ...a!, name: "refuses", weight: 99, chat: () => refused, stream: () => refused })
      yield* register({
        ...a!,
        name: "breaks",
        weight: 98,
        chat: () => Effect.die(thrown),
        stream: () => Effect.die(thrown)
      })
      const heard = yield* hearing
      const explanation = yield* router.explain(request)
      const { content, route } = yield* router.chat(request)
      const parts = yield* Stream.runCollect(router.streamParts(request))
      const cut = yield* Effect.flip(Stream.runDrain(router.stream(request)))
      const invalid = yield* Effect.flip(router.chat({ ...request, priority: canary("priority") as "high" }))
      yield* TestClock.adjust(0)
      // They were there.
      expect(content).toBe(canary("answer"))
      expect(JSON.stringify([...parts])).toContain(canary("answer"))
      const outside = {
        heard,
        explanation,
        route,
        finish: [...parts].filter(({ _tag }) => _tag === "Finish" || _tag === "Route"),
        errors: [cut, invalid].map((error) => [error.message, error]),
        status: yield* router.status,
        report: yield* router.report,
        metrics: yield* RouterMetrics.prometheus,
        told
      }
      for (const [name, value] of Object.entries(outside)) {
        expect([name, JSON.stringify(value).match(/canary-\w+/g)]).toEqual([name, null])
      }
      expect({ spans: told.length > 20, events: heard.length > 10 }).toEqual({ spans: true, events: true })
    }).pipe(
      Effect.scoped,
      Effect.provide(RouterTest.layer({
        a: {
          script: [
            answer({ content: canary("answer") }),
            pieces([canary("answer")]),
            pieces([canary("answer")], { ends: "cut" })
          ]
        }
      }, { tracing: true })),
      traced
    )
  })
})
