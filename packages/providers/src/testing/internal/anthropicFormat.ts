/**
 * Anthropic: `POST /v1/messages`. Fields are those of `@anthropic-ai/sdk` 1.12; rate-limit headers and error types as
 * in its API reference (rate-limits, errors).
 */
import { decodeMessages } from "./anthropicBody.ts"
import { messageEvents } from "./anthropicEvents.ts"
import type { VendorClock } from "./VendorClock.ts"
import { bearer } from "./VendorFormat.ts"
import type {
  Answer,
  ErrorReply,
  LimitName,
  LimitState,
  Problem,
  ProblemContext,
  RateLimitProblem,
  RateState,
  VendorFormat
} from "./VendorFormat.ts"

const stopReasons = { stop: "end_turn", length: "max_tokens", tool_calls: "tool_use" } as const

const answerBody = (answer: Answer) => ({
  id: `msg_${answer.id}`,
  type: "message",
  role: "assistant",
  model: answer.model,
  content: [
    ...(answer.text === "" ? [] : [{ type: "text", text: answer.text, citations: null }]),
    ...answer.calls.map(({ args, name }, index) => ({
      type: "tool_use",
      id: `toolu_${answer.id}_${index}`,
      name,
      input: args,
      caller: { type: "direct" }
    }))
  ],
  stop_reason: stopReasons[answer.finish],
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

/** "The most restrictive limit in force": without one on both, that of the organisation, whose total is the sum. */
const combined = ({ inputTokens, outputTokens, tokens }: RateState["limits"]): LimitState | undefined =>
  tokens ?? (inputTokens === undefined || outputTokens === undefined ? undefined : {
    limit: inputTokens.limit + outputTokens.limit,
    remaining: inputTokens.remaining + outputTokens.remaining,
    resetMs: Math.max(inputTokens.resetMs, outputTokens.resetMs)
  })

const words: { readonly [Name in LimitName]: string } = {
  requests: "requests per minute",
  tokens: "tokens per minute",
  inputTokens: "input tokens per minute",
  outputTokens: "output tokens per minute",
  requestsPerDay: "requests per day"
}

const rateLimited = ({ dimension, limit }: RateLimitProblem): string =>
  `This request would exceed the rate limit for your organization of ${limit} ${words[dimension]}. `
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
  decode: decodeMessages,
  answer: answerBody,
  stream: (answer) => messageEvents(answer, answerBody(answer)),
  headers: (rate, { clock, id }) => ({
    "request-id": `req_${id}`,
    ...rateHeaders("requests", rate.limits.requests, clock),
    ...rateHeaders("input-tokens", rate.limits.inputTokens, clock),
    ...rateHeaders("output-tokens", rate.limits.outputTokens, clock),
    ...rateHeaders("tokens", combined(rate.limits), clock)
  }),
  error: errorReply,
  errorEvent: (body) => ({ event: "error", data: body })
}
