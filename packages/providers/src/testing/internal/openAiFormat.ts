/**
 * OpenAI: `POST /v1/chat/completions`. Error codes and messages as in its error reference and in issue threads that
 * quote them; `retry-after-ms` stands beside `retry-after` on 429s, and the SDK prefers it.
 */
import { chatCompletionChunks } from "./chatCompletionChunks.ts"
import { chatCompletion, decodeChatCompletion, rateHeaders } from "./chatCompletions.ts"
import { bearer, limitWords } from "./VendorFormat.ts"
import type { ErrorReply, Problem, ProblemContext, RateLimitProblem, VendorFormat } from "./VendorFormat.ts"

const error = (
  status: number,
  fields: {
    readonly message: string
    readonly type: string
    readonly code?: string
    readonly param?: string | undefined
  },
  headers: Record<string, string> = {}
): ErrorReply => ({
  status,
  headers,
  body: {
    error: { message: fields.message, type: fields.type, param: fields.param ?? null, code: fields.code ?? null }
  }
})

const rateLimited = (problem: RateLimitProblem, { clock, model }: ProblemContext): ErrorReply => {
  const { short, what } = limitWords[problem.dimension]
  const limit = `on ${what} per ${short === "RPD" ? "day" : "min"} (${short}): Limit ${problem.limit}`
  const fields = { type: what === "requests" ? "requests" : "tokens", code: "rate_limit_exceeded" }
  if (problem.requested > problem.limit) {
    const message =
      `Request too large for ${model} in organization org-loopback ${limit}, Requested ${problem.requested}. `
      + "The input or output tokens must be reduced in order to run successfully."
    return error(429, { ...fields, message })
  }
  const message = `Rate limit reached for ${model} in organization org-loopback ${limit}, `
    + `Used ${problem.used}, Requested ${problem.requested}.`
  if (problem.retryAfterMs === undefined) return error(429, { ...fields, message })
  return error(
    429,
    { ...fields, message: `${message} Please try again in ${clock.goDuration(problem.retryAfterMs)}.` },
    {
      "retry-after": clock.seconds(problem.retryAfterMs),
      "retry-after-ms": String(clock.wireMs(problem.retryAfterMs))
    }
  )
}

const errorReply = (problem: Problem, context: ProblemContext): ErrorReply => {
  const invalid = "invalid_request_error"
  switch (problem.kind) {
    case "rate_limit":
      return rateLimited(problem, context)
    case "quota":
      return problem.reason === "spend_limit"
        ? error(429, {
          message: "Your organization has reached its spend limit.",
          type: "insufficient_quota",
          code: "organization_spend_limit_exceeded"
        })
        : error(429, {
          message: "You exceeded your current quota, please check your plan and billing details.",
          type: "insufficient_quota",
          code: "insufficient_quota"
        })
    case "server_error":
      return error(problem.status, {
        message: "The server had an error while processing your request. Sorry about that!",
        type: "server_error"
      })
    case "overloaded":
      return error(503, {
        message: "The engine is currently overloaded, please try again later.",
        type: "server_error"
      })
    case "unauthorized":
      return error(401, { message: "Incorrect API key provided.", type: invalid, code: "invalid_api_key" })
    case "model_not_found":
      return error(404, {
        message: `The model \`${context.model}\` does not exist or you do not have access to it.`,
        type: invalid,
        code: "model_not_found"
      })
    case "bad_request":
      return error(400, { message: problem.message, type: invalid, param: problem.param })
    case "context_too_long":
      return error(400, {
        message: "This model's maximum context length is 128000 tokens. Please reduce the length of the messages.",
        type: invalid,
        param: "messages",
        code: "context_length_exceeded"
      })
    case "request_too_large":
      return error(413, { message: "The request body is too large.", type: invalid })
    case "unknown_url":
      return error(404, { message: `Invalid URL (${problem.method} ${problem.path})`, type: invalid })
  }
}

export const openAiFormat: VendorFormat = {
  basePath: "/v1",
  route: (path) => path === "/v1/chat/completions" ? {} : undefined,
  apiKey: bearer,
  decode: decodeChatCompletion,
  answer: chatCompletion,
  stream: (answer) => chatCompletionChunks(answer),
  headers: (rate, { clock, id }) => ({
    "x-request-id": `req_${id}`,
    ...rateHeaders("requests", rate.limits.requests, (ms) => clock.goDuration(ms)),
    ...rateHeaders("tokens", rate.limits.tokens, (ms) => clock.goDuration(ms))
  }),
  error: errorReply,
  errorEvent: (body) => ({ data: body })
}
