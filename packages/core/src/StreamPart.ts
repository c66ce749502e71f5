/**
 * What an answer that is streamed consists of.
 *
 * @since 0.1.0
 */
import type { FinishReason, Usage } from "./ChatResponse.ts"
import type { RouteTrace } from "./Explanation.ts"
import type { FailureClass } from "./FailureClass.ts"
import type { LimitReading } from "./RateLimit.ts"

/**
 * Content: what a reader sees. Text, the model's reasoning where the vendor shows it, or a piece of a tool call:
 * `index` tells the calls of one answer apart, the first piece of a call carries its `id` and `name`, and `arguments` is
 * JSON in pieces.
 *
 * @since 0.1.0
 */
export type ContentDelta =
  | { readonly _tag: "Text"; readonly text: string }
  | { readonly _tag: "Reasoning"; readonly text: string }
  | {
    readonly _tag: "ToolCall"
    readonly index: number
    readonly id?: string | undefined
    readonly name?: string | undefined
    readonly arguments: string
  }

/**
 * What a provider's stream yields.
 *
 * - `Usage`: as counted up to here; a later one replaces an earlier one;
 * - `Metadata`: whatever else the vendor sends, such as ids, citations or safety ratings, as it sends it;
 * - `Finish`: the vendor has said that the answer is complete. It is the last part, after `Usage`, and a stream that ends
 *   without it was cut off.
 *
 * @since 0.1.0
 */
export type ProviderPart =
  | ContentDelta
  | { readonly _tag: "Usage"; readonly usage: Usage }
  | { readonly _tag: "Metadata"; readonly model?: string | undefined; readonly raw: unknown }
  | { readonly _tag: "Finish"; readonly finishReason: FinishReason }

/**
 * One answer in parts: a batch for each event of the vendor's, so that what comes together stays together. Its iterator
 * rejects with a `ProviderFailure`; anything else is taken for a `transient` one.
 *
 * @since 0.1.0
 */
export interface ProviderStream extends AsyncIterable<ReadonlyArray<ProviderPart>> {
  /** What the vendor said of its limits in the headers. */
  readonly limits?: ReadonlyArray<LimitReading> | undefined
}

/**
 * What the router's stream yields.
 *
 * - `Route`: who answers, before the first content; after a `Restart` once more;
 * - `Restart`: what came before is void, since its provider broke in the middle; with `onInterrupt: "restart"` only;
 * - `Finish`: the answer is complete. The last part, with what it took.
 *
 * @since 0.1.0
 */
export type StreamPart =
  | Exclude<ProviderPart, { readonly _tag: "Finish" }>
  | {
    readonly _tag: "Route"
    readonly provider: string
    readonly model: string
    /** Calls made so far, this one included. */
    readonly attempts: number
  }
  | { readonly _tag: "Restart"; readonly provider: string; readonly because: FailureClass }
  | {
    readonly _tag: "Finish"
    readonly finishReason: FinishReason
    readonly provider: string
    readonly model: string
    /** As the vendor reported; the estimate where it reported none. */
    readonly inputTokens: number
    readonly outputTokens: number
    /** Of the whole answer, without the time in which nobody read. */
    readonly latencyMs: number
    readonly firstTokenMs: number
    readonly attempts: number
    /** Each attempt with the decision that led to it; where the request had `explain: true`. */
    readonly route?: RouteTrace | undefined
  }

/**
 * How an answer is streamed. `onInterrupt`: what happens when it is cut off after its beginning has been read: `"fail"`
 * with `StreamInterrupted` (default), or `"restart"` at another provider, which a `Restart` part announces. An error
 * before the first content always goes on to another provider in silence.
 *
 * @since 0.1.0
 */
export interface StreamOptions {
  readonly onInterrupt?: "fail" | "restart" | undefined
}

/**
 * An answer that has begun to arrive, in batches of parts: what a vendor sends at once comes at once. Reading it is what
 * makes it go on (back-pressure); `return` ends it early and aborts the call on the wire. It can be read once.
 *
 * Rejects with `StreamInterrupted`. However it ends, it is settled with what is known of its use.
 *
 * @since 0.1.0
 */
export interface AnswerStream extends AsyncIterableIterator<ReadonlyArray<StreamPart>> {
  readonly return: () => Promise<IteratorReturnResult<undefined>>
  /** Resolves once it is settled, whoever ended it and however. */
  readonly ended: Promise<void>
}
