/**
 * The chat completions format, which OpenAI made and Groq took over: the request and the answer. Fields are those of
 * `openai` 6.49 and `groq-sdk` 1.6.
 */
import { Either, Schema } from "effect"
import { decoder, maybe } from "./VendorFormat.ts"
import type { Answer, Call, LimitState, Message, Problem } from "./VendorFormat.ts"

const TextPart = Schema.Struct({ type: Schema.Literal("text"), text: Schema.String })

const ImagePart = Schema.Struct({
  type: Schema.Literal("image_url"),
  image_url: Schema.Struct({ url: Schema.NonEmptyString })
})

const Content = Schema.Union(Schema.String, Schema.NonEmptyArray(Schema.Union(TextPart, ImagePart)))

const Body = Schema.Struct({
  model: Schema.NonEmptyString,
  messages: Schema.NonEmptyArray(Schema.Struct({
    role: Schema.Literal("system", "developer", "user", "assistant", "tool"),
    content: maybe(Content)
  })),
  max_tokens: maybe(Schema.Int.pipe(Schema.positive())),
  max_completion_tokens: maybe(Schema.Int.pipe(Schema.positive())),
  temperature: maybe(Schema.Number.pipe(Schema.between(0, 2))),
  top_p: maybe(Schema.Number.pipe(Schema.between(0, 1))),
  stop: maybe(Schema.Union(Schema.String, Schema.Array(Schema.String).pipe(Schema.maxItems(4)))),
  stream: maybe(Schema.Boolean)
})

type Role = typeof Body.Type["messages"][number]["role"]

const roles: { readonly [R in Role]: Message["role"] } = {
  system: "system",
  developer: "system",
  user: "user",
  assistant: "assistant",
  tool: "user"
}

const messageOf = (role: Role, content: typeof Content.Type = ""): Message => {
  if (typeof content === "string") return { role: roles[role], text: content, images: 0 }
  const texts = content.flatMap((part) => part.type === "text" ? [part.text] : [])
  return { role: roles[role], text: texts.join(""), images: content.length - texts.length }
}

const decodeBody = decoder(Body)

export const decodeChatCompletion = (body: unknown): Either.Either<Call, Problem> =>
  Either.map(decodeBody(body), (call) => ({
    model: call.model,
    messages: call.messages.map(({ content, role }) => messageOf(role, content)),
    maxTokens: call.max_completion_tokens ?? call.max_tokens,
    stream: call.stream ?? false
  }))

export const chatCompletion = (answer: Answer) => ({
  id: `chatcmpl-${answer.id}`,
  object: "chat.completion",
  created: answer.unixSeconds,
  model: answer.model,
  choices: [{
    index: 0,
    message: { role: "assistant", content: answer.text, refusal: null },
    logprobs: null,
    finish_reason: answer.finish
  }],
  usage: {
    prompt_tokens: answer.inputTokens,
    completion_tokens: answer.outputTokens,
    total_tokens: answer.inputTokens + answer.outputTokens
  }
})

/** `x-ratelimit-{limit,remaining,reset}-<dimension>`, which both vendors send. */
export const rateHeaders = (
  dimension: "requests" | "tokens",
  state: LimitState | undefined,
  reset: (ms: number) => string
): Record<string, string> =>
  state === undefined ? {} : {
    [`x-ratelimit-limit-${dimension}`]: String(state.limit),
    [`x-ratelimit-remaining-${dimension}`]: String(state.remaining),
    [`x-ratelimit-reset-${dimension}`]: reset(state.resetMs)
  }
