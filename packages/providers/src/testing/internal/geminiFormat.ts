/**
 * Gemini: `POST /v1beta/models/{model}:generateContent`. Fields are those of `@google/genai` 2.32. It sends no
 * rate-limit headers: a 429 tells in its body which window is full (`QuotaFailure`, by `quotaId`) and how long to wait
 * (`RetryInfo`). A key that is refused is a 400, not a 401.
 */
import { Either, Schema } from "effect"
import { decoder, maybe } from "./VendorFormat.ts"
import type { Answer, ErrorReply, Message, Problem, ProblemContext, VendorFormat } from "./VendorFormat.ts"

const Part = Schema.Union(
  Schema.Struct({ text: Schema.String }),
  Schema.Struct({ inlineData: Schema.Struct({ mimeType: Schema.NonEmptyString, data: Schema.NonEmptyString }) }),
  Schema.Struct({ fileData: Schema.Struct({ mimeType: maybe(Schema.String), fileUri: Schema.NonEmptyString }) })
)

const Content = Schema.Struct({
  role: maybe(Schema.Literal("user", "model")),
  parts: Schema.NonEmptyArray(Part)
})

const Body = Schema.Struct({
  contents: Schema.NonEmptyArray(Content),
  systemInstruction: maybe(Schema.Struct({ parts: Schema.NonEmptyArray(Part) })),
  generationConfig: maybe(Schema.Struct({
    maxOutputTokens: maybe(Schema.Int.pipe(Schema.positive())),
    temperature: maybe(Schema.Number.pipe(Schema.between(0, 2))),
    topP: maybe(Schema.Number.pipe(Schema.between(0, 1))),
    stopSequences: maybe(Schema.Array(Schema.String).pipe(Schema.maxItems(5)))
  }))
})

const messageOf = (role: Message["role"], parts: ReadonlyArray<typeof Part.Type>): Message => {
  const texts = parts.flatMap((part) => "text" in part ? [part.text] : [])
  return { role, text: texts.join(""), images: parts.length - texts.length }
}

const decodeBody = decoder(Body)

const answerBody = (answer: Answer) => ({
  candidates: [{
    content: { role: "model", parts: [{ text: answer.text }] },
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

/** Which quota is exhausted, as Google names it. */
const quotas = {
  requests: { metric: "generate_content_requests", id: "GenerateRequestsPerMinutePerProjectPerModel" },
  tokens: { metric: "generate_content_input_token_count", id: "GenerateContentInputTokensPerModelPerMinute" },
  daily: { metric: "generate_content_free_tier_requests", id: "GenerateRequestsPerDayPerProjectPerModel-FreeTier" }
}

const exhausted = (
  quota: keyof typeof quotas,
  options: { readonly limit: number; readonly retryAfterMs: number | undefined },
  { clock, model }: ProblemContext
): ErrorReply => {
  const { id, metric } = quotas[quota]
  const quotaMetric = `generativelanguage.googleapis.com/${metric}`
  const retryDelay = options.retryAfterMs === undefined ? undefined : clock.protoDuration(options.retryAfterMs)
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
        : exhausted("daily", { limit: 250, retryAfterMs: 20_000 }, context)
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
  decode: (body, route) =>
    Either.map(decodeBody(body), (call) => ({
      model: route.model ?? "",
      messages: [
        ...(call.systemInstruction === undefined ? [] : [messageOf("system", call.systemInstruction.parts)]),
        ...call.contents.map(({ parts, role }) => messageOf(role === "model" ? "assistant" : "user", parts))
      ],
      maxTokens: call.generationConfig?.maxOutputTokens,
      stream: route.stream ?? false
    })),
  answer: answerBody,
  headers: () => ({}),
  error: errorReply
}
