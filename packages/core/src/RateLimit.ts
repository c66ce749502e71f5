/**
 * What a vendor can limit, what counts against it, and what it says of it in headers and error bodies.
 *
 * @since 0.1.0
 */
import { Schema } from "effect"

/**
 * - `requests`, `tokens`: a window (60 s unless configured); tokens are input and output together.
 * - `inputTokens`, `outputTokens`: a window, each apart, as Anthropic and some organisations at Groq limit them.
 * - `requestsPerDay`, `tokensPerDay`: any 24 hours.
 * - `concurrent`: requests under way at one time.
 *
 * @since 0.1.0
 */
export const Dimension = Schema.Literal(
  "requests",
  "tokens",
  "inputTokens",
  "outputTokens",
  "requestsPerDay",
  "tokensPerDay",
  "concurrent"
)

/** @since 0.1.0 */
export type Dimension = typeof Dimension.Type

/**
 * A provider's limits, each ≥ 1. One that is absent is not declared: it is learned where the vendor tells it, and else
 * does not bind.
 *
 * @since 0.1.0
 */
export type Limits = { readonly [Name in Dimension]?: number | undefined }

/**
 * What a vendor counts against its token limits. The defaults count everything that was used.
 *
 * @since 0.1.0
 */
export interface Counting {
  /**
   * The vendor charges `maxTokens` on arrival (OpenAI, Azure, Bedrock), not the tokens the answer took. Where a request
   * names no `maxTokens`, the learned output is charged. Default false.
   */
  readonly chargesMaxTokens: boolean
  /** Share of a token read from the prompt cache that counts, 0 to 1; default 1. Anthropic, Groq: 0. */
  readonly cacheRead: number
  /** Share of a token written to the prompt cache that counts, 0 to 1; default 1. */
  readonly cacheWrite: number
}

/** Everything that was used counts, when it was used. @since 0.1.0 */
export const countEverything: Counting = { chargesMaxTokens: false, cacheRead: 1, cacheWrite: 1 }

/**
 * What a vendor said of one of its limits, with an answer or with an error. Absent: it did not say.
 *
 * @since 0.1.0
 */
export interface LimitReading {
  readonly dimension: Exclude<Dimension, "concurrent">
  readonly limit?: number | undefined
  /** How much of the limit is left, for everyone who uses the key. */
  readonly remaining?: number | undefined
  /** How long until nothing counts any more: the window is empty, or the bucket full. */
  readonly resetMs?: number | undefined
}
