/**
 * What an answer that is streamed consists of.
 *
 * @since 0.1.0
 */
import type { FinishReason, Usage } from "./ChatResponse.ts"
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
