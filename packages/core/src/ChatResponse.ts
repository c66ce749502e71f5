/**
 * What comes back from a provider, and from the router.
 *
 * @since 0.1.0
 */
import type { RouteTrace } from "./Explanation.ts"
import type { LimitReading } from "./RateLimit.ts"

/**
 * Why the answer ended. `"other"` stands for a reason a vendor has and the common form has not; `raw` tells it.
 *
 * @since 0.1.0
 */
export type FinishReason = "stop" | "length" | "content_filter" | "tool_calls" | "other"

/**
 * Tokens as the vendor billed them. `inputTokens` is the whole prompt, cached parts included;
 * `cachedInputTokens` and `cacheWriteTokens` are the parts of it that were read from and written to a cache.
 *
 * @since 0.1.0
 */
export interface Usage {
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cachedInputTokens?: number | undefined
  readonly cacheWriteTokens?: number | undefined
}

/**
 * A call of one of the request's tools that the model asks for.
 *
 * @since 0.1.0
 */
export interface ToolCall {
  /** What the tool's answer refers to. */
  readonly id: string
  readonly name: string
  /** JSON, as the model wrote it. */
  readonly arguments: string
}

/**
 * One provider's answer to one attempt. `usage` is absent where the vendor reported none: the reservation is then
 * kept as it was estimated.
 *
 * @since 0.1.0
 */
export interface ProviderResponse {
  readonly content: string
  readonly finishReason: FinishReason
  /** The model that answered, as the vendor names it. */
  readonly model: string
  readonly usage?: Usage | undefined
  readonly toolCalls?: ReadonlyArray<ToolCall> | undefined
  /** What the vendor said of its limits, in headers or body. */
  readonly limits?: ReadonlyArray<LimitReading> | undefined
  /** The vendor's response, untouched. */
  readonly raw: unknown
}

/**
 * The router's answer: the text, who gave it and what it took.
 *
 * @since 0.1.0
 */
export interface ChatResponse {
  readonly content: string
  /** The name of the provider that answered. */
  readonly provider: string
  readonly model: string
  /** As the vendor reported; the estimate where it reported none. */
  readonly inputTokens: number
  /** As the vendor reported; the estimate where it reported none. */
  readonly outputTokens: number
  /** Of the attempt that answered. */
  readonly latencyMs: number
  /** Calls made for this request, the one that answered included. */
  readonly attempts: number
  readonly finishReason: FinishReason
  /** Absent where the model called no tool. */
  readonly toolCalls?: ReadonlyArray<ToolCall> | undefined
  /** Each attempt with the decision that led to it; where the request had `explain: true`. */
  readonly route?: RouteTrace | undefined
  /** The vendor's response, untouched. */
  readonly raw: unknown
}
