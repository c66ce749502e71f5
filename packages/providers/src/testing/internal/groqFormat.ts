/**
 * Groq: `POST /openai/v1/chat/completions`. Its request headers speak of the DAY, its token headers of the minute; the
 * limit on requests a minute is in no header (console.groq.com/docs/rate-limits).
 */
import { chatCompletionChunks } from "./chatCompletionChunks.ts"
import { chatCompletion, decodeChatCompletion, rateHeaders } from "./chatCompletions.ts"
import { bearer, limitWords } from "./VendorFormat.ts"
import type {
  ErrorReply,
  LimitState,
  Problem,
  ProblemContext,
  RateLimitProblem,
  RateState,
  VendorFormat
} from "./VendorFormat.ts"

/** Shown where no limit of the day is enforced: large enough that no run comes near it. */
const requestsPerDay = 500_000

const dayMs = 24 * 60 * 60 * 1000

/** Refilled steadily, one request each `dayMs / requestsPerDay`, as its documented values are (30 of 14400: 2m59.56s). */
const dailyRequests = (rate: RateState): LimitState =>
  rate.limits.requestsPerDay ?? {
    limit: requestsPerDay,
    remaining: Math.max(1, requestsPerDay - rate.admitted),
    resetMs: Math.min(rate.admitted, requestsPerDay) * dayMs / requestsPerDay
  }

const error = (
  status: number,
  fields: { readonly message: string; readonly type: string; readonly code?: string },
  headers: Record<string, string> = {}
): ErrorReply => ({ status, headers, body: { error: fields } })

const rateLimited = (problem: RateLimitProblem, { clock, model }: ProblemContext): ErrorReply => {
  const { short, what } = limitWords[problem.dimension]
  const limit = `for model \`${model}\` in organization \`org_loopback\` service tier \`on_demand\` on ${what} `
    + `per ${short === "RPD" ? "day" : "minute"} (${short}): Limit ${problem.limit}`
  const fields = { type: what === "requests" ? "requests" : "tokens", code: "rate_limit_exceeded" }
  if (problem.requested > problem.limit) {
    const message = `Request too large ${limit}, Requested ${problem.requested}, please reduce your message size.`
    return error(413, { ...fields, message })
  }
  const message = `Rate limit reached ${limit}, Used ${problem.used}, Requested ${problem.requested}.`
  return problem.retryAfterMs === undefined
    ? error(429, { ...fields, message })
    : error(
      429,
      { ...fields, message: `${message} Please try again in ${clock.goDuration(problem.retryAfterMs)}.` },
      { "retry-after": clock.seconds(problem.retryAfterMs) }
    )
}

const errorReply = (problem: Problem, context: ProblemContext): ErrorReply => {
  const invalid = "invalid_request_error"
  switch (problem.kind) {
    case "rate_limit":
      return rateLimited(problem, context)
    case "quota":
      return error(429, {
        message:
          `Rate limit reached for model \`${context.model}\` in organization \`org_loopback\` on requests per day `
          + `(RPD): Limit ${requestsPerDay}, Used ${requestsPerDay}, Requested 1. `
          + `Please try again in ${context.clock.goDuration(dayMs / 4)}.`,
        type: "requests",
        code: "rate_limit_exceeded"
      }, { "retry-after": context.clock.seconds(dayMs / 4) })
    case "server_error":
      return error(problem.status, { message: "Internal Server Error", type: "internal_server_error" })
    case "overloaded":
      return error(503, {
        message: `${context.model} is currently over capacity. Please try again and back off exponentially.`,
        type: "internal_server_error"
      })
    case "unauthorized":
      return error(401, { message: "Invalid API Key", type: invalid, code: "invalid_api_key" })
    case "model_not_found":
      return error(404, {
        message: `The model \`${context.model}\` does not exist or you do not have access to it.`,
        type: invalid,
        code: "model_not_found"
      })
    case "bad_request":
      return error(400, { message: problem.message, type: invalid })
    case "context_too_long":
      return error(400, {
        message: "Please reduce the length of the messages or completion.",
        type: invalid,
        code: "context_length_exceeded"
      })
    case "request_too_large":
      return error(413, { message: "Request Entity Too Large", type: invalid, code: "request_too_large" })
    case "unknown_url":
      return error(404, {
        message: `Unknown request URL: ${problem.method} ${problem.path}.`,
        type: invalid,
        code: "unknown_url"
      })
  }
}

export const groqFormat: VendorFormat = {
  basePath: "",
  route: (path) => path === "/openai/v1/chat/completions" ? {} : undefined,
  apiKey: bearer,
  decode: decodeChatCompletion,
  answer: (answer) => ({ ...chatCompletion(answer), x_groq: { id: `req_${answer.id}` } }),
  stream: (answer) => {
    const x_groq = { id: `req_${answer.id}` }
    return chatCompletionChunks(answer, {
      first: { x_groq },
      last: { x_groq: { ...x_groq, usage: chatCompletion(answer).usage } }
    })
  },
  headers: (rate, { clock, id }) => ({
    "x-request-id": `req_${id}`,
    "x-groq-region": "loopback",
    ...rateHeaders("requests", dailyRequests(rate), (ms) => clock.goDuration(ms)),
    ...rateHeaders("tokens", rate.limits.tokens, (ms) => clock.goDuration(ms))
  }),
  error: errorReply,
  errorEvent: (body) => ({ data: body })
}
