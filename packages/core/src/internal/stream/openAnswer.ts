import { Effect, ExecutionStrategy, Exit, FiberId, Scope } from "effect"
import type { ChatRequest } from "../../ChatRequest.ts"
import type { ProviderResponse, Usage } from "../../ChatResponse.ts"
import { type Provider, ProviderFailure } from "../../Provider.ts"
import type { ProviderPart, ProviderStream } from "../../StreamPart.ts"
import { asFailure, type Budget, callProvider } from "../callProvider.ts"
import { wholeAnswer } from "../chatCall.ts"
import { type Called, endAttempt, type Ending, failedSettlement, failureOf, type Outcome } from "../ending.ts"
import type { Route } from "../route.ts"

export type Batch = ReadonlyArray<ProviderPart>

/** A call whose answer has begun. It is the reader's to settle. */
export interface Opened {
  readonly called: Called
  readonly parts: AsyncIterator<Batch>
  /** All up to the first content, in one batch. */
  readonly first: Batch
  readonly limits: ProviderStream["limits"]
  readonly startedMs: number
  readonly firstTokenMs: number
  /** Ends the call on the wire, and its attempt; once. */
  readonly end: (outcome: Outcome) => Effect.Effect<void>
}

/** The answer as one batch, of a provider that does not stream. */
async function* whole({ content, finishReason, model, raw, toolCalls = [], usage }: ProviderResponse) {
  const parts: Array<ProviderPart> = [{ _tag: "Metadata", model, raw }]
  if (content !== "") parts.push({ _tag: "Text", text: content })
  for (const [index, call] of toolCalls.entries()) parts.push({ _tag: "ToolCall", index, ...call })
  if (usage !== undefined) parts.push({ _tag: "Usage", usage })
  yield [...parts, { _tag: "Finish", finishReason } as const]
}

const streamOf = (
  provider: Provider,
  request: ChatRequest
): Effect.Effect<ProviderStream, ProviderFailure, Scope.Scope> =>
  provider.stream?.(request)
    ?? Effect.map(wholeAnswer(provider, request), (response) =>
      Object.assign(whole(response), { limits: response.limits }))

/** The route is committed to a provider with the first of these: what comes before is no part of the answer. */
const isContent = (part: ProviderPart): boolean =>
  part._tag === "Text" || part._tag === "Reasoning"
    ? part.text !== ""
    : part._tag === "ToolCall" || part._tag === "Finish"

const usageIn = (parts: Batch): Usage | undefined =>
  parts.reduce<Usage | undefined>((usage, part) => part._tag === "Usage" ? part.usage : usage, undefined)

export const endedTooSoon = () =>
  new ProviderFailure({ class: "truncated", message: "the answer ended without its end" })

/** Reads on to the first content. What fails before it says what it has used all the same. */
const untilContent = (parts: AsyncIterator<Batch>): Effect.Effect<Batch, ProviderFailure> =>
  Effect.suspend(() => {
    const read: Array<ProviderPart> = []
    const withUsage = (failure: ProviderFailure) =>
      new ProviderFailure({ ...failure, message: failure.message, usage: failure.usage ?? usageIn(read) })
    const next: Effect.Effect<Batch, ProviderFailure> = Effect.flatMap(
      Effect.tryPromise({ try: () => parts.next(), catch: (thrown) => withUsage(asFailure(thrown)) }),
      (result) => {
        if (result.done === true) return withUsage(endedTooSoon())
        read.push(...result.value)
        return result.value.some(isContent) ? Effect.succeed(read) : next
      }
    )
    return next
  })

/** Closing is the adapter's code: its faults change nothing any more, and nobody waits for it. */
const closed = (scope: Scope.CloseableScope): Effect.Effect<void> =>
  Effect.asVoid(Effect.forkDaemon(Effect.ignoreLogged(Effect.sandbox(Scope.close(scope, Exit.void)))))

/** The beginning of the answer, and the rest of it. */
const begin = ({ provider }: Called, request: ChatRequest, scope: Scope.Scope) =>
  Effect.flatMap(Scope.extend(streamOf(provider, request), scope), (source) => {
    const parts = source[Symbol.asyncIterator]()
    // A generator answers this only once it has left what it waits for.
    const leave = Effect.sync(() => void parts.return?.().then(undefined, () => {}))
    return Effect.zipRight(
      Scope.addFinalizer(scope, leave),
      Effect.map(untilContent(parts), (first) => ({ parts, first, limits: source.limits }))
    )
  })

/**
 * Calls a provider and waits for the first content. Until then it is like any other attempt: whatever fails is settled
 * and goes on elsewhere, nobody has seen anything of it. From then on it ends with the reader's scope at the latest.
 */
export const openAnswer =
  (ending: Ending) =>
  (route: Route, called: Called, { restore, timeoutMs }: Budget): Effect.Effect<Opened, ProviderFailure, Scope.Scope> =>
    Effect.gen(function*() {
      const scope = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
      let isEnded = false
      const end = (outcome: Outcome) =>
        Effect.suspend(() => {
          if (isEnded) return Effect.void
          isEnded = true
          return Effect.zipRight(closed(scope), endAttempt(ending, route, called, outcome))
        })
      const abandoned = { exit: Exit.interrupt(FiberId.none), settlement: failedSettlement(undefined, 0), latencyMs: 0 }
      yield* Scope.addFinalizer(scope, end(abandoned))
      const firstChunkMs = Math.min(timeoutMs, ending.settings.stream.firstChunk ?? timeoutMs)
      const budget = { restore, timeoutMs: firstChunkMs }
      const { exit, latencyMs, startedMs } = yield* callProvider(() => begin(called, route.request, scope), budget)
      if (Exit.isSuccess(exit)) return { called, ...exit.value, startedMs, firstTokenMs: latencyMs, end }
      const failed = Exit.failCause(exit.cause)
      yield* end({ exit: failed, latencyMs, settlement: failedSettlement(failureOf(failed), latencyMs) })
      return yield* failed
    })
