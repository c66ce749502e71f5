/**
 * What a caller asks for, in OpenAI's message form: the one form every adapter translates into its vendor's own.
 *
 * @since 0.1.0
 */
import { type Duration, Schema } from "effect"
import { DurationInput } from "./internal/duration.ts"

/** Plain text inside a message. @since 0.1.0 */
export const TextPart = Schema.Struct({ type: Schema.Literal("text"), text: Schema.String })

/** @since 0.1.0 */
export type TextPart = typeof TextPart.Type

/**
 * An image inside a user message: an `https:` address or a `data:` URL (`data:image/png;base64,…`).
 * `detail` is a hint that only OpenAI-style vendors read.
 *
 * @since 0.1.0
 */
export const ImagePart = Schema.Struct({
  type: Schema.Literal("image_url"),
  image_url: Schema.Struct({
    url: Schema.NonEmptyString,
    detail: Schema.optional(Schema.Literal("auto", "low", "high"))
  })
})

/** @since 0.1.0 */
export type ImagePart = typeof ImagePart.Type

/** @since 0.1.0 */
export const ContentPart = Schema.Union(TextPart, ImagePart)

/** @since 0.1.0 */
export type ContentPart = typeof ContentPart.Type

/** One turn of a conversation. @since 0.1.0 */
export const ChatMessage = Schema.Struct({
  role: Schema.Literal("system", "user", "assistant"),
  content: Schema.Union(Schema.String, Schema.Array(ContentPart).pipe(Schema.minItems(1)))
})

/** @since 0.1.0 */
export type ChatMessage = typeof ChatMessage.Type

/** The lane a request travels in; `normal` unless told. @since 0.1.0 */
export const Priority = Schema.Literal("high", "normal", "low")

/** @since 0.1.0 */
export type Priority = typeof Priority.Type

const Fraction = (max: number) => Schema.Finite.pipe(Schema.between(0, max))

/**
 * A chat request.
 *
 * - `maxTokens`: the most tokens the answer may have; each vendor's own default where absent.
 * - `temperature` 0–2, `topP` 0–1, `stop`: passed to the vendor as they are.
 * - `priority`: the lane, default `"normal"`.
 * - `sessionId`: requests of one session prefer one provider, which keeps its prompt cache warm.
 * - `forceProvider`: only this provider is a candidate; an unknown name fails with `UnknownProvider`.
 * - `timeout`: the budget for the whole route, all attempts together; a number is milliseconds; default 60 s.
 *
 * @since 0.1.0
 */
export const ChatRequest = Schema.Struct({
  messages: Schema.Array(ChatMessage).pipe(Schema.minItems(1)),
  maxTokens: Schema.optional(Schema.Int.pipe(Schema.positive())),
  temperature: Schema.optional(Fraction(2)),
  topP: Schema.optional(Fraction(1)),
  stop: Schema.optional(Schema.Union(Schema.String, Schema.Array(Schema.String))),
  priority: Schema.optional(Priority),
  sessionId: Schema.optional(Schema.NonEmptyString),
  forceProvider: Schema.optional(Schema.NonEmptyString),
  timeout: Schema.optional(DurationInput)
}).annotations({ identifier: "ChatRequest" })

/** @since 0.1.0 */
export interface ChatRequest {
  readonly messages: ReadonlyArray<ChatMessage>
  readonly maxTokens?: number | undefined
  readonly temperature?: number | undefined
  readonly topP?: number | undefined
  readonly stop?: string | ReadonlyArray<string> | undefined
  readonly priority?: Priority | undefined
  readonly sessionId?: string | undefined
  readonly forceProvider?: string | undefined
  readonly timeout?: Duration.DurationInput | undefined
}
