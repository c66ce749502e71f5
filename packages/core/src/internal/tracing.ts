/**
 * Spans, where `RouterOptions.tracing` asks for them: one a request (`Router.chat`, `Router.stream`), and under it one a
 * call, named and described by OpenTelemetry's conventions for generative AI. No span holds a prompt or an answer, nor
 * whatever an SDK has thrown, since that may quote the request.
 */
import { type Clock, Context, Data, Effect, Exit, Tracer } from "effect"
import type { ChatRequest } from "../ChatRequest.ts"
import type { ProviderResponse } from "../ChatResponse.ts"
import type { Provider, ProviderFailure } from "../Provider.ts"
import type { RouterError, StreamInterrupted } from "../RouterError.ts"
import type { RouteEnded, RouteEvent } from "../RouterEvent.ts"

type Attributes = Readonly<Record<string, string | number | boolean | ReadonlyArray<string> | undefined>>

const annotate = (span: Tracer.Span, attributes: Attributes): void => {
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) span.attribute(name, value)
}

/** What an error says of itself; not what it was caused by. */
class Told extends Data.Error<{ readonly name: string; readonly message: string }> {}

type Failed = RouterError | StreamInterrupted | ProviderFailure

const end = (span: Tracer.Span, clock: Clock.Clock, exit: Exit.Exit<unknown, Failed>): void => {
  const plain = Exit.mapBoth(exit, {
    onSuccess: () => undefined,
    onFailure: ({ _tag, message }) => new Told({ name: _tag, message })
  })
  span.end(clock.unsafeCurrentTimeNanos(), plain)
}

/** Whatever the effect traces lies under the span. */
const under = <A, E, R>(effect: Effect.Effect<A, E, R>, span: Tracer.Span): Effect.Effect<A, E, R> =>
  Effect.mapInputContext(effect, (context: Context.Context<R>) => Context.add(context, Tracer.ParentSpan, span))

/** One of a request, from its arrival to its end. */
export class RouteSpan {
  constructor(readonly span: Tracer.Span, readonly clock: Clock.Clock) {}

  static readonly make = (name: "Router.chat" | "Router.stream"): Effect.Effect<RouteSpan> =>
    Effect.zipWith(
      Effect.makeSpan(name, { captureStackTrace: false }),
      Effect.clock,
      (span, clock) => new RouteSpan(span, clock)
    )

  around<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return under(effect, this.span)
  }

  end({ attempts, outcome, priority, provider, sessionId, waitedMs }: RouteEnded, exit: Exit.Exit<void, Failed>): void {
    annotate(this.span, {
      "gen_ai.conversation.id": sessionId,
      "route_llm.lane": priority,
      "route_llm.outcome": outcome,
      "route_llm.provider": provider,
      "route_llm.attempts": attempts,
      "route_llm.waited_ms": waitedMs,
      "error.type": outcome === "success" ? undefined : outcome
    })
    end(this.span, this.clock, exit)
  }
}

/** What is known of a call before it is made. */
interface Asked {
  readonly request: ChatRequest
  readonly provider: Provider
  readonly streams: boolean
}

/** How a call has ended. */
interface Answered {
  readonly exit: Exit.Exit<Pick<ProviderResponse, "model" | "usage" | "finishReason">, ProviderFailure>
  readonly event: RouteEvent
}

/** One of a call to a provider, until its answer has been read to the end. */
export class CallSpan {
  constructor(readonly span: Tracer.Span, readonly clock: Clock.Clock) {}

  static readonly make = ({ provider, request, streams }: Asked): Effect.Effect<CallSpan> =>
    Effect.zipWith(
      Effect.makeSpan(`chat ${provider.model}`, { kind: "client", captureStackTrace: false }),
      Effect.clock,
      (span, clock) => {
        annotate(span, {
          "gen_ai.operation.name": "chat",
          "gen_ai.provider.name": provider.name,
          "gen_ai.request.model": provider.model,
          "gen_ai.request.max_tokens": request.maxTokens,
          "gen_ai.request.temperature": request.temperature,
          "gen_ai.request.top_p": request.topP,
          "gen_ai.request.stream": streams || undefined,
          "gen_ai.conversation.id": request.sessionId
        })
        return new CallSpan(span, clock)
      }
    )

  around<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return under(effect, this.span)
  }

  end({ event, exit }: Answered): void {
    const answer = Exit.isSuccess(exit) ? exit.value : undefined
    const { fallbackFrom, firstTokenMs } = event
    annotate(this.span, {
      "gen_ai.response.model": answer?.model,
      "gen_ai.response.finish_reasons": answer && [answer.finishReason],
      "gen_ai.response.time_to_first_chunk": firstTokenMs === undefined ? undefined : firstTokenMs / 1_000,
      "gen_ai.usage.input_tokens": answer?.usage?.inputTokens,
      "gen_ai.usage.output_tokens": answer?.usage?.outputTokens,
      "gen_ai.usage.cache_read.input_tokens": answer?.usage?.cachedInputTokens,
      "gen_ai.usage.cache_creation.input_tokens": answer?.usage?.cacheWriteTokens,
      "error.type": event.outcome === "success" ? undefined : event.outcome,
      "route_llm.reason": event.reason,
      "route_llm.attempt": event.attemptNumber,
      "route_llm.fallback_from": fallbackFrom?.provider,
      "route_llm.fallback_because": fallbackFrom?.class,
      "route_llm.waited_ms": event.waitedMs,
      "route_llm.headroom_pct": event.headroomPct
    })
    end(this.span, this.clock, exit)
  }
}
