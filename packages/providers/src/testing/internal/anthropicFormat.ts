/**
 * Anthropic: `POST /v1/messages`. Fields are those of `@anthropic-ai/sdk` 1.12; rate-limit headers and error types as
 * in its API reference (rate-limits, errors). `anthropic-ratelimit-tokens-*` is "the most restrictive limit in force";
 * this server has one for input and output together, so the two apart are not sent.
 */
import { Either, Schema } from "effect"
import type { VendorClock } from "./VendorClock.ts"
import { bearer, decoder, maybe } from "./VendorFormat.ts"
import type {
  Answer,
  ErrorReply,
  LimitState,
  Message,
  Problem,
  ProblemContext,
  RateLimitProblem,
  VendorFormat
} from "./VendorFormat.ts"

const TextBlock = Schema.Struct({ type: Schema.Literal("text"), text: Schema.NonEmptyString })

const ImageBlock = Schema.Struct({
  type: Schema.Literal("image"),
  source: Schema.Union(
    Schema.Struct({
      type: Schema.Literal("base64"),
      media_type: Schema.Literal("image/jpeg", "image/png", "image/gif", "image/webp"),
      data: Schema.NonEmptyString
    }),
    Schema.Struct({ type: Schema.Literal("url"), url: Schema.NonEmptyString })
  )
})

const Content = Schema.Union(Schema.NonEmptyString, Schema.NonEmptyArray(Schema.Union(TextBlock, ImageBlock)))

const Body = Schema.Struct({
  model: Schema.NonEmptyString,
  max_tokens: Schema.Int.pipe(Schema.positive()),
  system: Schema.optional(Schema.Union(Schema.String, Schema.Array(TextBlock))),
  messages: Schema.NonEmptyArray(Schema.Struct({ role: Schema.Literal("user", "assistant"), content: Content })),
  temperature: Schema.optional(Schema.Number.pipe(Schema.between(0, 1))),
  top_p: Schema.optional(Schema.Number.pipe(Schema.between(0, 1))),
  stop_sequences: maybe(Schema.Array(Schema.NonEmptyString)),
  stream: maybe(Schema.Boolean)
})

const messageOf = (
  role: Message["role"],
  content: string | ReadonlyArray<typeof TextBlock.Type | typeof ImageBlock.Type>
): Message => {
  if (typeof content === "string") return { role, text: content, images: 0 }
  const texts = content.flatMap((block) => block.type === "text" ? [block.text] : [])
  return { role, text: texts.join(""), images: content.length - texts.length }
}

const decodeBody = decoder(Body)

const answerBody = (answer: Answer) => ({
  id: `msg_${answer.id}`,
  type: "message",
  role: "assistant",
  model: answer.model,
  content: [{ type: "text", text: answer.text, citations: null }],
  stop_reason: answer.finish === "length" ? "max_tokens" : "end_turn",
  stop_sequence: null,
  usage: {
    input_tokens: answer.inputTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    output_tokens: answer.outputTokens,
    service_tier: "standard"
  }
})

const rateHeaders = (dimension: string, state: LimitState | undefined, clock: VendorClock): Record<string, string> =>
  state === undefined ? {} : {
    [`anthropic-ratelimit-${dimension}-limit`]: String(state.limit),
    [`anthropic-ratelimit-${dimension}-remaining`]: String(state.remaining),
    [`anthropic-ratelimit-${dimension}-reset`]: clock.rfc3339(state.resetMs)
  }

const rateLimited = (problem: RateLimitProblem): string =>
  `This request would exceed the rate limit for your organization of ${problem.limit} ${problem.dimension} per minute. `
  + "Please reduce the prompt length or the maximum tokens requested, or try again later."

const errorReply = (problem: Problem, { clock, id, model }: ProblemContext): ErrorReply => {
  const reply = (status: number, type: string, message: string, more: {
    readonly details?: object
    readonly retryAfterMs?: number | undefined
  } = {}): ErrorReply => ({
    status,
    headers: more.retryAfterMs === undefined ? {} : { "retry-after": clock.seconds(more.retryAfterMs) },
    body: {
      type: "error",
      error: { type, message, ...(more.details === undefined ? {} : { details: more.details }) },
      request_id: `req_${id}`
    }
  })
  switch (problem.kind) {
    case "rate_limit":
      return reply(429, "rate_limit_error", rateLimited(problem), { retryAfterMs: problem.retryAfterMs })
    case "quota":
      return problem.reason === "spend_limit"
        ? reply(429, "rate_limit_error", "Your workspace has reached its spend limit.", {
          details: { error_code: "enforced_spend_limit_reached" }
        })
        : reply(400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API.")
    case "server_error":
      return reply(problem.status, problem.status === 504 ? "timeout_error" : "api_error", "Internal server error")
    case "overloaded":
      return reply(529, "overloaded_error", "Overloaded")
    case "unauthorized":
      return reply(401, "authentication_error", "invalid x-api-key")
    case "model_not_found":
      return reply(404, "not_found_error", `model: ${model}`)
    case "bad_request":
      return reply(400, "invalid_request_error", problem.message)
    case "context_too_long":
      return reply(400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum")
    case "request_too_large":
      return reply(413, "request_too_large", "Request exceeds the maximum size")
    case "unknown_url":
      return reply(404, "not_found_error", "Not Found")
  }
}

const apiKeyOf: VendorFormat["apiKey"] = (headers) => {
  const key = headers["x-api-key"]
  return typeof key === "string" ? key : bearer(headers)
}

export const anthropicFormat: VendorFormat = {
  basePath: "",
  route: (path) => path === "/v1/messages" ? {} : undefined,
  apiKey: apiKeyOf,
  decode: (body) =>
    Either.map(decodeBody(body), (call) => ({
      model: call.model,
      messages: [
        ...(call.system === undefined ? [] : [messageOf("system", call.system)]),
        ...call.messages.map(({ content, role }) => messageOf(role, content))
      ],
      maxTokens: call.max_tokens,
      stream: call.stream ?? false
    })),
  answer: answerBody,
  headers: (rate, { clock, id }) => ({
    "request-id": `req_${id}`,
    ...rateHeaders("requests", rate.requests, clock),
    ...rateHeaders("tokens", rate.tokens, clock)
  }),
  error: errorReply
}
