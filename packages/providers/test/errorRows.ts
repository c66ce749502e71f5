/** What the vendors answer, in their own bodies, and the class each of it is. */
import type { FailureClass } from "@route-llm/core"
import type { Vendor } from "./helpers.ts"

export type Row = readonly [name: string, vendor: Vendor, status: number, body: unknown, expected: FailureClass]

export const openai = (code: string | null, message = "m", type: string | null = null) => ({
  error: { message, type, param: null, code }
})

export const anthropic = (type: string, message = "m", details?: unknown) => ({
  type: "error",
  error: { type, message, ...(details === undefined ? {} : { details }) },
  request_id: "req_1"
})

export const google = (code: number, status: string, message = "m", details: ReadonlyArray<unknown> = []) => ({
  error: { code, message, status, details }
})

const violated = (quotaId: string) => ({
  "@type": "type.googleapis.com/google.rpc.QuotaFailure",
  violations: [{ quotaMetric: "generativelanguage.googleapis.com/requests", quotaId, quotaValue: "20" }]
})

export const retryIn = (retryDelay: string) => ({ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay })

const spentWords = "You exceeded your current quota, please check your plan and billing details."
const tooLarge =
  "Request too large for gpt-4o in organization org-1 on tokens per min (TPM): Limit 30000, Requested 48000."
export const perMinute = violated("GenerateRequestsPerMinutePerProjectPerModel-FreeTier")
export const perDay = violated("GenerateRequestsPerDayPerProjectPerModel-FreeTier")

export const rows: ReadonlyArray<Row> = [
  ["rate limit on tokens", "openai", 429, openai("rate_limit_exceeded", "Rate limit", "tokens"), "rate_limit"],
  ["slow down", "openai", 503, openai("slow_down"), "rate_limit"],
  ["spent quota", "openai", 429, openai("insufficient_quota", spentWords, "insufficient_quota"), "quota"],
  ["spent credit", "openai", 429, openai("credit_balance_exhausted"), "quota"],
  ["organization's spend limit", "openai", 429, openai("organization_spend_limit_exceeded"), "quota"],
  ["project's spend limit", "openai", 429, openai("project_spend_limit_exceeded"), "quota"],
  ["organization's usage limit", "openai", 429, openai("organization_usage_limit_exceeded"), "quota"],
  ["requests per day", "openai", 429, openai("rate_limit_exceeded", "on requests per day (RPD): Limit 200"), "quota"],
  ["larger than the limit", "openai", 429, openai("rate_limit_exceeded", tooLarge, "tokens"), "request_too_large"],
  ["overloaded", "openai", 503, openai(null, "The engine is currently overloaded", "server_error"), "overloaded"],
  ["server error", "openai", 500, openai(null, "The server had an error", "server_error"), "transient"],
  ["bad gateway", "openai", 502, "<html><h1>502 Bad Gateway</h1></html>", "transient"],
  ["gateway timeout", "openai", 504, "", "transient"],
  ["request timeout", "openai", 408, openai(null), "timeout"],
  ["wrong key", "openai", 401, openai("invalid_api_key"), "credential"],
  ["region", "openai", 403, openai("unsupported_country_region_territory"), "credential"],
  ["unknown model", "openai", 404, openai("model_not_found", "The model `x` does not exist"), "model_gone"],
  ["gone", "openai", 410, openai(null), "model_gone"],
  ["Azure's missing deployment", "openai", 404, openai("DeploymentNotFound"), "model_gone"],
  ["wrong request", "openai", 400, openai(null, "Invalid type", "invalid_request_error"), "caller_fault"],
  ["unprocessable", "openai", 422, openai(null, "Invalid type", "invalid_request_error"), "caller_fault"],
  ["a proxy's 400", "openai", 400, "<html>400 Bad Request</html>", "transient"],
  ["context", "openai", 400, openai("context_length_exceeded"), "context_too_long"],
  [
    "context in words",
    "openai",
    400,
    openai(null, "This model's maximum context length is 8192 tokens"),
    "context_too_long"
  ],
  ["content policy", "openai", 400, openai("content_policy_violation"), "content_policy"],
  [
    "Azure's filter",
    "openai",
    400,
    { error: { code: "content_filter", message: "m", innererror: { code: "ResponsibleAIPolicyViolation" } } },
    "content_policy"
  ],
  [
    "OpenRouter's moderation",
    "openai",
    403,
    { error: { code: 403, message: "Input was flagged", metadata: { reasons: ["violence"], flagged_input: "…" } } },
    "content_policy"
  ],
  ["OpenRouter's credits", "openai", 402, { error: { code: 402, message: "Insufficient credits" } }, "quota"],
  ["OpenRouter's timeout", "openai", 408, { error: { code: 408, message: "Timed out" } }, "timeout"],
  ["OpenRouter's model down", "openai", 502, { error: { code: 502, message: "Provider error" } }, "transient"],
  ["OpenRouter's no provider", "openai", 503, { error: { code: 503, message: "No provider" } }, "overloaded"],
  [
    "OpenRouter's no model",
    "openai",
    400,
    { error: { code: 400, message: "x is not a valid model ID" } },
    "model_gone"
  ],
  [
    "OpenRouter's day",
    "openai",
    429,
    { error: { code: 429, message: "Rate limit exceeded: free-models-per-day" } },
    "quota"
  ],
  [
    "OpenRouter's upstream",
    "openai",
    400,
    {
      error: {
        code: 400,
        message: "Provider returned error",
        metadata: { raw: JSON.stringify(openai("context_length_exceeded")), provider_name: "x" }
      }
    },
    "context_too_long"
  ],
  ["Ollama's text", "openai", 404, { error: "model \"x\" not found, try pulling it first" }, "model_gone"],
  ["Bedrock's throttling", "openai", 429, openai("ThrottlingException"), "rate_limit"],
  ["Bedrock's key", "openai", 403, openai("UnrecognizedClientException"), "credential"],
  ["Bedrock's model", "openai", 400, openai(null, "The provided model identifier is invalid."), "model_gone"],

  ["overloaded", "anthropic", 529, anthropic("overloaded_error", "Overloaded"), "overloaded"],
  ["rate limit", "anthropic", 429, anthropic("rate_limit_error"), "rate_limit"],
  ["ramp", "anthropic", 429, anthropic("rate_limit_error", "m", { error_code: "ramp_limit_exceeded" }), "rate_limit"],
  [
    "spend",
    "anthropic",
    429,
    anthropic("rate_limit_error", "m", { error_code: "enforced_spend_limit_reached" }),
    "quota"
  ],
  [
    "contract",
    "anthropic",
    429,
    anthropic("rate_limit_error", "m", { error_code: "contract_spend_limit_reached" }),
    "quota"
  ],
  [
    "credit",
    "anthropic",
    400,
    anthropic("invalid_request_error", "Your credit balance is too low to access the Anthropic API."),
    "quota"
  ],
  [
    "workspace's limit",
    "anthropic",
    400,
    anthropic("invalid_request_error", "You have reached your specified API usage limits. You will regain access on …"),
    "quota"
  ],
  ["billing", "anthropic", 402, anthropic("billing_error"), "quota"],
  ["too large", "anthropic", 413, anthropic("request_too_large"), "request_too_large"],
  ["too large, from the edge", "anthropic", 413, "<html>413</html>", "request_too_large"],
  ["unknown model", "anthropic", 404, anthropic("not_found_error", "model: x"), "model_gone"],
  ["wrong key", "anthropic", 401, anthropic("authentication_error", "invalid x-api-key"), "credential"],
  ["no permission", "anthropic", 403, anthropic("permission_error"), "credential"],
  [
    "prompt too long",
    "anthropic",
    400,
    anthropic("invalid_request_error", "prompt is too long: 9 > 8"),
    "context_too_long"
  ],
  ["wrong request", "anthropic", 400, anthropic("invalid_request_error", "max_tokens: too large"), "caller_fault"],
  [
    "filtered",
    "anthropic",
    400,
    anthropic("invalid_request_error", "Output blocked by content filtering policy"),
    "content_policy"
  ],
  ["server error", "anthropic", 500, anthropic("api_error"), "transient"],
  ["its timeout", "anthropic", 504, anthropic("timeout_error"), "timeout"],

  ["minute", "gemini", 429, google(429, "RESOURCE_EXHAUSTED", spentWords, [perMinute, retryIn("22s")]), "rate_limit"],
  ["day", "gemini", 429, google(429, "RESOURCE_EXHAUSTED", spentWords, [perDay, retryIn("22s")]), "quota"],
  ["day and minute", "gemini", 429, google(429, "RESOURCE_EXHAUSTED", spentWords, [perMinute, perDay]), "quota"],
  ["shared capacity", "gemini", 429, google(429, "RESOURCE_EXHAUSTED", "Resource exhausted"), "rate_limit"],
  [
    "wrong key",
    "gemini",
    400,
    google(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", [{ reason: "API_KEY_INVALID" }]),
    "credential"
  ],
  ["wrong key in words", "gemini", 400, google(400, "INVALID_ARGUMENT", "API key not valid."), "credential"],
  ["region", "gemini", 400, google(400, "FAILED_PRECONDITION", "User location is not supported"), "credential"],
  ["no permission", "gemini", 403, google(403, "PERMISSION_DENIED"), "credential"],
  ["unauthenticated", "gemini", 401, google(401, "UNAUTHENTICATED"), "credential"],
  ["unknown model", "gemini", 404, google(404, "NOT_FOUND", "models/x is not found for API version"), "model_gone"],
  [
    "context",
    "gemini",
    400,
    google(400, "INVALID_ARGUMENT", "The input token count (9) exceeds the maximum number of tokens allowed (8)."),
    "context_too_long"
  ],
  [
    "payload",
    "gemini",
    400,
    google(400, "INVALID_ARGUMENT", "Request payload size exceeds the limit: 20971520 bytes."),
    "request_too_large"
  ],
  ["wrong request", "gemini", 400, google(400, "INVALID_ARGUMENT", "Invalid value"), "caller_fault"],
  ["a proxy's 400", "gemini", 400, "<html>400 Bad Request</html>", "transient"],
  ["overloaded", "gemini", 503, google(503, "UNAVAILABLE", "The model is overloaded."), "overloaded"],
  ["internal", "gemini", 500, google(500, "INTERNAL"), "transient"],
  ["deadline", "gemini", 504, google(504, "DEADLINE_EXCEEDED"), "timeout"],

  ["rate limit", "groq", 429, openai("rate_limit_exceeded", "on requests per minute (RPM)", "requests"), "rate_limit"],
  ["tokens a day", "groq", 429, openai("rate_limit_exceeded", "on tokens per day (TPD): Limit 100000"), "quota"],
  ["larger than the limit", "groq", 413, openai("rate_limit_exceeded", tooLarge, "tokens"), "request_too_large"],
  ["flex capacity", "groq", 498, openai("capacity_exceeded"), "overloaded"],
  ["flex capacity by status", "groq", 498, openai(null), "overloaded"],
  ["withdrawn model", "groq", 400, openai("model_decommissioned"), "model_gone"],
  ["context", "groq", 400, openai(null, "Please reduce the length of the messages or completion."), "context_too_long"],
  ["wrong key", "groq", 401, openai("invalid_api_key"), "credential"],
  ["wrong request", "groq", 422, openai(null), "caller_fault"]
]
