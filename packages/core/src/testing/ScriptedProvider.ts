/**
 * Providers that do as they are told, call by call.
 *
 * @since 0.1.0
 */
import { Clock, Duration, Effect, Ref, Stream } from "effect"
import type { ChatRequest } from "../ChatRequest.ts"
import type { ProviderResponse, Usage } from "../ChatResponse.ts"
import type { FailureClass } from "../FailureClass.ts"
import { type Provider, ProviderFailure } from "../Provider.ts"
import { countEverything, type Counting, type Limits } from "../RateLimit.ts"
import type { ProviderPart, ProviderStream } from "../StreamPart.ts"

/**
 * How one scripted call ends: with an answer, at once or in pieces, with a failure, or never (`hang`, until it is
 * interrupted).
 *
 * @since 0.1.0
 */
export type ScriptedOutcome =
  | {
    readonly _tag: "Answer"
    readonly content?: string
    readonly inputTokens?: number
    readonly outputTokens?: number
  }
  | {
    readonly _tag: "Pieces"
    readonly pieces: ReadonlyArray<string | ProviderPart>
    readonly every?: Duration.DurationInput | undefined
    readonly ends: "finish" | "cut" | "hang" | ProviderFailure
  }
  | { readonly _tag: "Failure"; readonly failure: ProviderFailure }
  | { readonly _tag: "Hang" }

/** An answer; 10 input and 10 output tokens unless told. @since 0.1.0 */
export const answer = (
  answer: { readonly content?: string; readonly inputTokens?: number; readonly outputTokens?: number } = {}
): ScriptedOutcome => ({ _tag: "Answer", ...answer })

const failed = (
  failureClass: FailureClass,
  options: { readonly retryAfter?: Duration.DurationInput; readonly status?: number } = {}
): ProviderFailure =>
  new ProviderFailure({
    class: failureClass,
    message: `scripted ${failureClass}`,
    status: options.status,
    retryAfterMs: options.retryAfter === undefined ? undefined : Duration.toMillis(options.retryAfter)
  })

/** A failure of this class. @since 0.1.0 */
export const failure = (...given: Parameters<typeof failed>): ScriptedOutcome => ({
  _tag: "Failure",
  failure: failed(...given)
})

/**
 * An answer that is streamed: each piece, text or any part, is a batch of its own, `every` apart. `ends` is what comes
 * after the last: its end (default), nothing more although it has not ended (`"cut"`), silence (`"hang"`), or a failure
 * of this class. Where no stream is asked for it is one answer of all its text.
 *
 * @since 0.1.0
 */
export const pieces = (
  pieces: ReadonlyArray<string | ProviderPart>,
  { ends = "finish", every }: {
    readonly every?: Duration.DurationInput
    readonly ends?: "finish" | "cut" | "hang" | FailureClass
  } = {}
): ScriptedOutcome => ({
  _tag: "Pieces",
  pieces,
  every,
  ends: ends === "finish" || ends === "cut" || ends === "hang" ? ends : failed(ends)
})

/** A call that never ends by itself. @since 0.1.0 */
export const hang: ScriptedOutcome = { _tag: "Hang" }

/**
 * - `rpm`, `tpm`, `limits`: limits; none unless told;
 * - `counting`: what counts; everything unless told;
 * - `latency`: of each call; none unless told;
 * - `script`: one outcome a call, in order; after its end every call is answered.
 *
 * @since 0.1.0
 */
export interface ScriptedProvider {
  readonly rpm?: number
  readonly tpm?: number
  readonly weight?: number
  readonly limits?: Limits
  readonly counting?: Partial<Counting>
  readonly latency?: Duration.DurationInput
  readonly script?: ReadonlyArray<ScriptedOutcome>
}

/** A call that a scripted provider saw. @since 0.1.0 */
export interface SeenCall {
  readonly provider: string
  readonly atMs: number
  readonly request: ChatRequest
}

const partsOf = (outcome: Extract<ScriptedOutcome, { readonly _tag: "Pieces" }>): ReadonlyArray<ProviderPart> =>
  outcome.pieces.map((piece) => typeof piece === "string" ? { _tag: "Text", text: piece } : piece)

const respond = (name: string, outcome: ScriptedOutcome): Effect.Effect<ProviderResponse, ProviderFailure> => {
  switch (outcome._tag) {
    case "Failure":
      return Effect.fail(outcome.failure)
    case "Hang":
      return Effect.never
    case "Pieces": {
      if (outcome.ends === "hang") return Effect.never
      if (outcome.ends === "cut") return Effect.fail(failed("truncated"))
      if (outcome.ends !== "finish") return Effect.fail(outcome.ends)
      const content = partsOf(outcome).map((part) => part._tag === "Text" ? part.text : "").join("")
      return respond(name, answer({ content }))
    }
    case "Answer":
      return Effect.succeed({
        content: outcome.content ?? `answer of ${name}`,
        finishReason: "stop",
        model: `${name}-model`,
        usage: { inputTokens: outcome.inputTokens ?? 10, outputTokens: outcome.outputTokens ?? 10 },
        raw: { scripted: true }
      })
  }
}

const finished = (usage: Usage): ReadonlyArray<ProviderPart> => [
  { _tag: "Usage", usage },
  { _tag: "Finish", finishReason: "stop" }
]

/** The same in parts. A failure that comes before any part is the call's own. */
const respondInParts = (
  name: string,
  outcome: ScriptedOutcome
): Effect.Effect<ProviderStream, ProviderFailure> => {
  if (outcome._tag !== "Pieces") {
    return Effect.map(
      respond(name, outcome),
      ({ content, usage = { inputTokens: 0, outputTokens: 0 } }) =>
        Stream.toAsyncIterable(Stream.make([{ _tag: "Text" as const, text: content }, ...finished(usage)]))
    )
  }
  const { ends, every } = outcome
  const said = Stream.fromIterable(partsOf(outcome).map((part) => [part]))
  const spaced = every === undefined ? said : Stream.mapEffect(said, (batch) => Effect.as(Effect.sleep(every), batch))
  const end = ends === "hang"
    ? Stream.never
    : ends === "cut"
    ? Stream.empty
    : ends === "finish"
    ? Stream.make(finished({ inputTokens: 10, outputTokens: outcome.pieces.length }))
    : Stream.fail(ends)
  return Effect.map(Effect.runtime(), (runtime) => Stream.toAsyncIterableRuntime(Stream.concat(spaced, end), runtime))
}

/** What the scripted providers of one router have seen. */
export interface Seen {
  readonly calls: Ref.Ref<ReadonlyArray<SeenCall>>
  readonly underWay: Ref.Ref<number>
}

export const scripted = (name: string, options: ScriptedProvider, seen: Seen): Effect.Effect<Provider> =>
  Effect.map(Ref.make(0), (played): Provider => {
    const leave = Ref.update(seen.underWay, (count) => count - 1)
    const next = (request: ChatRequest) =>
      Effect.gen(function*() {
        const atMs = yield* Clock.currentTimeMillis
        yield* Ref.update(seen.calls, (calls) => [...calls, { provider: name, atMs, request }])
        yield* Effect.acquireRelease(Ref.update(seen.underWay, (count) => count + 1), () => leave)
        const turn = yield* Ref.getAndUpdate(played, (count) => count + 1)
        if (options.latency !== undefined) yield* Effect.sleep(options.latency)
        return options.script?.[turn] ?? answer()
      })
    return {
      name,
      model: `${name}-model`,
      limits: { requests: options.rpm, tokens: options.tpm, ...options.limits },
      weight: options.weight ?? 1,
      counting: { ...countEverything, ...options.counting },
      chat: (request) => Effect.scoped(Effect.flatMap(next(request), (outcome) => respond(name, outcome))),
      stream: (request) => Effect.flatMap(next(request), (outcome) => respondInParts(name, outcome))
    }
  })
