/** More of what vendors answer: those that imitate OpenAI in other forms, and what stands before a vendor or in its way. */
import { anthropic, google, openai, type Row } from "./errorRows.ts"

/** Mistral's, and that of vLLM before it had an `error`. */
export const bare = (message: string, type: string, code: string | number | null) => ({
  object: "error",
  message,
  type,
  param: null,
  code
})

export const detailed = {
  detail: [{ type: "missing", loc: ["body", "messages", 0, "content"], msg: "Field required", input: { role: "user" } }]
}

export const tooLongForVllm = bare(
  "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens",
  "BadRequestError",
  400
)

export const tooLongForCerebras = {
  message: "Please reduce the length of the messages or completion. Current length is 9000 while limit is 8192",
  type: "invalid_request_error",
  param: "messages",
  code: "context_length_exceeded"
}

const invalid = (message: string) => openai(null, message, "invalid_request_error")

const toolUse = "No endpoints found that support tool use. To learn more about provider routing, visit: https://…"

const exceedsLimit =
  "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease input length "
  + "or `max_tokens` and try again"

const firewall = "<!DOCTYPE html><title>Attention Required! | Cloudflare</title>Your request was flagged"

export const moreRows: ReadonlyArray<Row> = [
  // A client of the user's keeps nothing of these bodies but that they were JSON.
  [
    "Mistral's wrong request",
    "openai",
    400,
    bare("Expected last role User", "invalid_request", "3230"),
    "caller_fault"
  ],
  ["FastAPI's wrong request", "openai", 422, detailed, "caller_fault"],
  ["vLLM's context, dropped", "openai", 400, tooLongForVllm, "caller_fault"],
  ["a refusal, dropped", "openai", 403, { detail: "Not allowed" }, "credential"],
  ["a 400 without a body", "openai", 400, "", "transient"],

  ["wrong method", "openai", 405, invalid("Not allowed to POST on /v1"), "model_gone"],
  ["wrong method, in a page", "openai", 405, "<html>405</html>", "model_gone"],
  ["conflict", "openai", 409, openai(null, "conflict"), "transient"],
  ["unknown media", "openai", 415, invalid("Unsupported Media Type"), "caller_fault"],
  ["a proxy's 415", "openai", 415, "<html>415</html>", "transient"],
  ["headers too large", "openai", 431, openai(null, "Request Header Fields Too Large"), "caller_fault"],

  ["flagged account", "openai", 403, invalid("Your account has been flagged for unusual activity"), "credential"],
  ["flagged prompt", "openai", 400, invalid("Your prompt was flagged as violating our policy"), "content_policy"],
  ["a firewall's page", "openai", 403, firewall, "transient"],
  ["a firewall's line", "openai", 403, "error code: 1020", "transient"],
  ["a file of another key", "openai", 404, invalid("No such File object: file-abc"), "caller_fault"],
  ["llama.cpp's wrong path", "openai", 404, openai(null, "File Not Found", "not_found_error"), "model_gone"],

  ["a server's missing model file", "openai", 404, openai(null, "Model file not found: x.gguf"), "model_gone"],

  ["an upstream that was aborted", "openai", 500, openai(null, "Request was aborted."), "transient"],
  ["an upstream that was late", "openai", 500, openai(null, "Request timed out."), "transient"],
  ["an upstream that broke", "openai", 500, openai(null, "terminated"), "transient"],
  ["an upstream's missing key", "openai", 500, openai(null, "Could not resolve authentication method."), "transient"],

  ["OpenRouter's tools", "openai", 404, { error: { code: 404, message: toolUse } }, "request_too_large"],
  [
    "OpenRouter's no endpoint",
    "openai",
    404,
    { error: { code: 404, message: "No endpoints found for x/y." } },
    "model_gone"
  ],

  [
    "xAI's context",
    "openai",
    400,
    {
      code: "invalid-argument",
      error: "This model's maximum prompt length is 131072 but the request contains 537812 tokens."
    },
    "context_too_long"
  ],
  [
    "Mistral's context behind a gateway",
    "openai",
    400,
    invalid("Prompt contains 33000 tokens, too large for model with 32768 maximum context length"),
    "context_too_long"
  ],
  [
    "llama.cpp's context",
    "openai",
    400,
    openai(null, "the request exceeds the available context size, try increasing it", "exceed_context_size_error"),
    "context_too_long"
  ],
  [
    "vLLM's context",
    "openai",
    400,
    openai(null, "The decoder prompt (length 9) is longer than the maximum model length of 8"),
    "context_too_long"
  ],
  [
    "OpenAI's window",
    "openai",
    400,
    invalid("Your input exceeds the context window of this model."),
    "context_too_long"
  ],
  ["Moonshot's context", "openai", 400, invalid("Your request exceeded model token limit: 8192"), "context_too_long"],
  ["Zhipu's context", "openai", 400, openai("1261", "Prompt exceeds max length"), "context_too_long"],
  ["DashScope's context", "openai", 400, invalid("Range of input length should be [1, 30720]"), "context_too_long"],
  ["Cohere's context", "openai", 400, invalid("too many tokens: size limit exceeded by 23 tokens"), "context_too_long"],
  [
    "GitHub Models' context",
    "openai",
    400,
    openai("model_max_prompt_tokens_exceeded", "prompt token count of 9 exceeds the limit of 8"),
    "context_too_long"
  ],
  [
    "TGI's context",
    "openai",
    422,
    {
      error: "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193. Given: 9000",
      error_type: "validation"
    },
    "context_too_long"
  ],

  ["context limit", "anthropic", 400, anthropic("invalid_request_error", exceedsLimit), "context_too_long"],
  ["Bedrock's context", "anthropic", 400, { message: "Input is too long for requested model." }, "context_too_long"],
  [
    "a file of another key",
    "anthropic",
    404,
    anthropic("not_found_error", "File not found: file_011CNha8"),
    "caller_fault"
  ],
  ["a firewall's page", "anthropic", 403, firewall, "transient"],
  ["a server on FastAPI", "anthropic", 422, detailed, "caller_fault"],

  [
    "a file of another key",
    "gemini",
    403,
    google(403, "PERMISSION_DENIED", "You do not have permission to access the File abc or it may not exist."),
    "caller_fault"
  ],
  [
    "a cache of another key",
    "gemini",
    403,
    google(403, "PERMISSION_DENIED", "CachedContent not found (or permission denied)"),
    "caller_fault"
  ],
  [
    "Vertex's context",
    "gemini",
    400,
    google(
      400,
      "INVALID_ARGUMENT",
      "Unable to submit request because the input token count is 9 but model only supports up to 8."
    ),
    "context_too_long"
  ],
  ["a firewall's page", "gemini", 403, firewall, "transient"],

  ["a body without an error", "groq", 400, bare("m", "invalid_request_error", null), "caller_fault"],
  ["its context", "groq", 400, tooLongForVllm, "context_too_long"]
]
