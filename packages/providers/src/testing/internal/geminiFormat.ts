/**
 * Gemini: `POST /v1beta/models/{model}:generateContent`. Fields are those of `@google/genai` 2.32. It sends no
 * rate-limit headers: a 429 tells in its body which window is full (`QuotaFailure`, by `quotaId`) and how long to wait
 * (`RetryInfo`). A key that is refused is a 400, not a 401.
 */
import { decodeGenerateContent } from "./geminiBody.ts"
import { responseChunks } from "./geminiChunks.ts"
import type { Answer, ErrorReply, LimitName, Problem, ProblemContext, VendorFormat } from "./VendorFormat.ts"

/** Without ids, as the Gemini API sends them; of parallel calls the first is signed. */
const callParts = ({ calls }: Answer) =>
  calls.map(({ args, name }, index) => ({
    functionCall: { name, args },
    ...(index === 0 ? { thoughtSignature: "bG9vcGJhY2s=" } : {})
  }))

const answerBody = (answer: Answer) => ({
  candidates: [{
    content: { role: "model", parts: [...(answer.text === "" ? [] : [{ text: answer.text }]), ...callParts(answer)] },
    finishReason: answer.finish === "length" ? "MAX_TOKENS" : "STOP",
    index: 0
  }],
  usageMetadata: {
    promptTokenCount: answer.inputTokens,
    candidatesTokenCount: answer.outputTokens,
    totalTokenCount: answer.inputTokens + answer.outputTokens
  },
  modelVersion: answer.model,
  responseId: answer.id
})

const reply = (code: number, status: string, message: string, details: ReadonlyArray<object> = []): ErrorReply => ({
  status: code,
  body: { error: { code, message, status, ...(details.length === 0 ? {} : { details }) } }
})

const type = (name: string) => ({ "@type": `type.googleapis.com/google.rpc.${name}` })

/** Which quota is exhausted, as Google names it; it has none on both kinds of tokens, so that name is made alike. */
const quotas: { readonly [Name in LimitName]: { readonly metric: string; readonly id: string } } = {
  requests: { metric: "generate_content_requests", id: "GenerateRequestsPerMinutePerProjectPerModel" },
  tokens: { metric: "generate_content_token_count", id: "GenerateContentTokensPerModelPerMinute" },
  inputTokens: { metric: "generate_content_input_token_count", id: "GenerateContentInputTokensPerModelPerMinute" },
  outputTokens: { metric: "generate_content_output_token_count", id: "GenerateContentOutputTokensPerModelPerMinute" },
  requestsPerDay: {
    metric: "generate_content_free_tier_requests",
    id: "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
  }
}

/** What Google asks for where a day is spent. */
const misleadingMs = 20_000

const exhausted = (
  quota: LimitName,
  options: { readonly limit: number; readonly retryAfterMs: number | undefined },
  { clock, model }: ProblemContext
): ErrorReply => {
  const { id, metric } = quotas[quota]
  const quotaMetric = `generativelanguage.googleapis.com/${metric}`
  const waitMs = quota === "requestsPerDay" ? misleadingMs : options.retryAfterMs
  const retryDelay = waitMs === undefined ? undefined : clock.protoDuration(waitMs)
  return reply(
    429,
    "RESOURCE_EXHAUSTED",
    "You exceeded your current quota, please check your plan and billing details.\n"
      + `* Quota exceeded for metric: ${quotaMetric}, limit: ${options.limit}`
      + (retryDelay === undefined ? "" : `\nPlease retry in ${retryDelay}.`),
    [
      {
        ...type("QuotaFailure"),
        violations: [{
          quotaMetric,
          quotaId: id,
          quotaDimensions: { location: "global", model },
          quotaValue: String(options.limit)
        }]
      },
      {
        ...type("Help"),
        links: [{
          description: "Learn more about Gemini API quotas",
          url: "https://ai.google.dev/gemini-api/docs/rate-limits"
        }]
      },
      ...(retryDelay === undefined ? [] : [{ ...type("RetryInfo"), retryDelay }])
    ]
  )
}

const serverErrors: { readonly [status: number]: readonly [string, string] } = {
  503: ["UNAVAILABLE", "The service is currently unavailable."],
  504: ["DEADLINE_EXCEEDED", "Deadline expired before operation could complete."]
}

const badKey = "API key not valid. Please pass a valid API key."

const errorReply = (problem: Problem, context: ProblemContext): ErrorReply => {
  switch (problem.kind) {
    case "rate_limit":
      return exhausted(problem.dimension, problem, context)
    case "quota":
      return problem.reason === "balance"
        ? reply(
          429,
          "RESOURCE_EXHAUSTED",
          "Your prepayment credits are depleted. Please manage your project and billing."
        )
        : exhausted("requestsPerDay", { limit: 250, retryAfterMs: undefined }, context)
    case "server_error": {
      const [status, message] = serverErrors[problem.status] ?? ["INTERNAL", "An internal error has occurred."]
      return reply(problem.status, status, message)
    }
    case "overloaded":
      return reply(503, "UNAVAILABLE", "The model is overloaded. Please try again later.")
    case "unauthorized":
      return reply(400, "INVALID_ARGUMENT", badKey, [
        {
          ...type("ErrorInfo"),
          reason: "API_KEY_INVALID",
          domain: "googleapis.com",
          metadata: { service: "generativelanguage.googleapis.com" }
        },
        { ...type("LocalizedMessage"), locale: "en-US", message: badKey }
      ])
    case "model_not_found":
      return reply(
        404,
        "NOT_FOUND",
        `models/${context.model} is not found for API version v1beta, or is not supported for generateContent.`
      )
    case "bad_request":
      return reply(400, "INVALID_ARGUMENT", problem.message)
    case "context_too_long":
      return reply(
        400,
        "INVALID_ARGUMENT",
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."
      )
    case "request_too_large":
      return reply(413, "INVALID_ARGUMENT", "Request payload size exceeds the limit.")
    case "unknown_url":
      return reply(404, "NOT_FOUND", `The requested URL ${problem.path} was not found on this server.`)
  }
}

const path = /^\/v1(?:beta|alpha)?\/models\/([^/:]+):(generateContent|streamGenerateContent)$/

export const geminiFormat: VendorFormat = {
  basePath: "",
  route: (requested) => {
    const [, model, method] = path.exec(requested) ?? []
    return model === undefined ? undefined : { model, stream: method === "streamGenerateContent" }
  },
  apiKey: (headers, query) => {
    const key = headers["x-goog-api-key"]
    return typeof key === "string" ? key : query.get("key") ?? undefined
  },
  decode: decodeGenerateContent,
  answer: answerBody,
  stream: (answer) => responseChunks(answer, answerBody),
  headers: () => ({}),
  error: errorReply,
  errorEvent: (body) => ({ data: body })
}
