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

/** A call of a tool that the model asked for; `arguments` is JSON as the model wrote it. @since 0.1.0 */
export const ToolCallPart = Schema.Struct({
  id: Schema.String,
  type: Schema.Literal("function"),
  function: Schema.Struct({ name: Schema.NonEmptyString, arguments: Schema.String })
})

/** @since 0.1.0 */
export type ToolCallPart = typeof ToolCallPart.Type

const Content = Schema.Union(Schema.String, Schema.Array(ContentPart).pipe(Schema.minItems(1)))

/**
 * One turn of a conversation. An assistant's turn that calls tools carries them in `tool_calls`, and a `tool` turn
 * answers one of them.
 *
 * @since 0.1.0
 */
export const ChatMessage = Schema.Union(
  Schema.Struct({ role: Schema.Literal("system", "user"), content: Content }),
  Schema.Struct({
    role: Schema.Literal("assistant"),
    content: Content,
    tool_calls: Schema.optional(Schema.Array(ToolCallPart).pipe(Schema.minItems(1)))
  }),
  Schema.Struct({ role: Schema.Literal("tool"), content: Schema.String, tool_call_id: Schema.String })
)

/** @since 0.1.0 */
export type ChatMessage = typeof ChatMessage.Type

/** A function that the model may ask for; `parameters` is a JSON Schema. @since 0.1.0 */
export const Tool = Schema.Struct({
  type: Schema.Literal("function"),
  function: Schema.Struct({
    name: Schema.NonEmptyString,
    description: Schema.optional(Schema.String),
    parameters: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.Unknown }))
  })
})

/** @since 0.1.0 */
export type Tool = typeof Tool.Type

/** Whether tools are called: as the model likes, never, at least one, or this one. @since 0.1.0 */
export const ToolChoice = Schema.Union(
  Schema.Literal("auto", "none", "required"),
  Schema.Struct({ type: Schema.Literal("function"), function: Schema.Struct({ name: Schema.NonEmptyString }) })
)

/** @since 0.1.0 */
export type ToolChoice = typeof ToolChoice.Type

/** The lane a request travels in; `normal` unless told. @since 0.1.0 */
export const Priority = Schema.Literal("high", "normal", "low")

/** @since 0.1.0 */
export type Priority = typeof Priority.Type

/** What a request does while every candidate is full: wait in line, or fail at once. @since 0.1.0 */
export const OnSaturated = Schema.Literal("wait", "fail")

/** @since 0.1.0 */
export type OnSaturated = typeof OnSaturated.Type

const Fraction = (max: number) => Schema.Finite.pipe(Schema.between(0, max))

/**
 * A chat request.
 *
 * - `maxTokens`: the most tokens the answer may have; each vendor's own default where absent.
 * - `temperature` 0–2, `topP` 0–1, `stop`: passed to the vendor as they are.
 * - `tools`, `toolChoice`: functions the model may ask for, in OpenAI's form whichever vendor answers.
 * - `priority`: the lane, default `"normal"`.
 * - `sessionId`: requests of one session prefer one provider, which keeps its prompt cache warm.
 * - `forceProvider`: only this provider is a candidate; an unknown name fails with `UnknownProvider`.
 * - `timeout`: the budget for the whole route, waiting and all attempts together; a number is milliseconds; default
 *   60 s.
 * - `attemptTimeout`: the longest one attempt may take; default as the router's.
 * - `maxAttempts`: the most calls made for it, default as the router's (10); 1: no fallback.
 * - `lastResort`: `false` calls no provider that is out of service, even if all are; default true.
 * - `onSaturated`: `"wait"` in line or `"fail"` at once while every candidate is full; default as the router's.
 * - `explain`: the answer tells in `route` why each attempt went where it went; default false. It costs some 10 µs.
 *
 * @since 0.1.0
 */
export const ChatRequest = Schema.Struct({
  messages: Schema.Array(ChatMessage).pipe(Schema.minItems(1)),
  maxTokens: Schema.optional(Schema.Int.pipe(Schema.positive())),
  temperature: Schema.optional(Fraction(2)),
  topP: Schema.optional(Fraction(1)),
  stop: Schema.optional(Schema.Union(Schema.String, Schema.Array(Schema.String))),
  tools: Schema.optional(Schema.Array(Tool)),
  toolChoice: Schema.optional(ToolChoice),
  priority: Schema.optional(Priority),
  sessionId: Schema.optional(Schema.NonEmptyString),
  forceProvider: Schema.optional(Schema.NonEmptyString),
  timeout: Schema.optional(DurationInput),
  attemptTimeout: Schema.optional(DurationInput),
  maxAttempts: Schema.optional(Schema.Int.pipe(Schema.positive())),
  lastResort: Schema.optional(Schema.Boolean),
  onSaturated: Schema.optional(OnSaturated),
  explain: Schema.optional(Schema.Boolean)
}).annotations({ identifier: "ChatRequest" })

/** @since 0.1.0 */
export interface ChatRequest {
  readonly messages: ReadonlyArray<ChatMessage>
  readonly maxTokens?: number | undefined
  readonly temperature?: number | undefined
  readonly topP?: number | undefined
  readonly stop?: string | ReadonlyArray<string> | undefined
  readonly tools?: ReadonlyArray<Tool> | undefined
  readonly toolChoice?: ToolChoice | undefined
  readonly priority?: Priority | undefined
  readonly sessionId?: string | undefined
  readonly forceProvider?: string | undefined
  readonly timeout?: Duration.DurationInput | undefined
  readonly attemptTimeout?: Duration.DurationInput | undefined
  readonly maxAttempts?: number | undefined
  readonly lastResort?: boolean | undefined
  readonly onSaturated?: OnSaturated | undefined
  readonly explain?: boolean | undefined
}
