import type { FailureRule } from "../FailureRule.ts"

/** A request too long for the model's window, in the words of those who have no code for it, one vendor a line. */
const tooLong = new RegExp(
  [
    // OpenAI, Azure, OpenRouter, Mistral, DeepSeek, vLLM, Fireworks, LM Studio, llama.cpp, MiniMax.
    "maximum context|maximum model length|context (length|window|size|limit)",
    // Anthropic ("input length and `max_tokens` exceed context limit" is the other), Bedrock.
    "(prompt|input) is too long",
    // Gemini, Vertex.
    "input token count .*(exceeds|only supports)",
    // Groq, Cerebras.
    "reduce the length of the messages",
    // xAI.
    "maximum prompt length",
    // Moonshot.
    "exceeded model token limit",
    // Zhipu.
    "prompt exceeds max",
    // DashScope.
    "range of input length should be",
    // Cohere.
    "too many tokens",
    // Text Generation Inference, as behind Together and Hugging Face.
    "`inputs` (tokens \\+|must have less than)"
  ].join("|"),
  "i"
)

/** The table of `Classify.ts`: read from the top, the first row that matches counts. */
export const rules: ReadonlyArray<FailureRule> = [
  // The caller's own abort, as the SDKs report it. Who has answered was not aborted, whatever the words.
  { class: "cancelled", code: /^caller_aborted$/ },
  { class: "cancelled", status: "none", code: /^APIUserAbortError$/ },
  { class: "cancelled", status: "none", message: /^Request was aborted\.?$/ },

  // An account that is set aside, which is not this request's content.
  {
    class: "credential",
    status: [400, 401, 403],
    body: true,
    message: /\b(account|organi[sz]ation|project|workspace)\b[^.]{0,40}\bflagged\b/i
  },

  // The content.
  {
    class: "content_policy",
    code: /^(content_filter|content_policy_violation|ResponsibleAIPolicyViolation|moderation|moderation_blocked)$/i
  },
  {
    class: "content_policy",
    status: [400, 403],
    body: true,
    message: /content (filtering|management|moderation) policy|safety system|requires moderation|flagged/i
  },

  // The size. OpenAI and Groq call a request over the whole minute's tokens "too large" under a rate limit's code.
  // When to come back is then said of the limit: this request never fits.
  { class: "request_too_large", status: [413, 429], message: /request too large/i, retryAfter: "ignored" },
  {
    class: "request_too_large",
    code: /^(request_too_large|request_body_too_large_after_decoding)$/i,
    retryAfter: "ignored"
  },
  {
    class: "context_too_long",
    code: /^(context_length_exceeded|model_max_prompt_tokens_exceeded)$/i,
    retryAfter: "ignored"
  },
  { class: "context_too_long", status: [400, 413, 422], message: tooLong, retryAfter: "ignored" },
  {
    class: "request_too_large",
    status: [400],
    message: /request (payload|body|entity).{0,20}(too large|exceeds)/i,
    retryAfter: "ignored"
  },
  { class: "request_too_large", status: [413], retryAfter: "ignored" },
  // OpenRouter: what has the model takes no tools, or no images, as this request needs them. Others are served.
  {
    class: "request_too_large",
    status: [404],
    message: /no endpoints found that (support|can handle)/i,
    retryAfter: "ignored"
  },

  // Money and days: nothing that a minute brings back.
  {
    class: "quota",
    code: new RegExp(
      "^(insufficient_(quota|balance|credits|funds)|credit_balance_exhausted|billing_\\w+|\\w*spend_limit\\w*"
        + "|\\w*usage_limit_exceeded)$",
      "i"
    )
  },
  {
    class: "quota",
    status: [400, 403, 429],
    message: /credit balance|spend(ing)? limit|usage limits?\b.*regain|insufficient (balance|credits|funds)/i
  },
  // Google adds a retry delay of seconds to a spent day.
  { class: "quota", code: /PerDay/, retryAfter: "ignored" },
  { class: "quota", status: [429], message: /\bper[- ]day\b|\bdaily\b/i },
  { class: "quota", status: [402] },

  // What the request refers to: another vendor does not have it either. Google calls what is not there forbidden, and
  // of the bare "File Not Found" of llama.cpp it is the path that is not there.
  { class: "caller_fault", code: /^previous_response_not_found$/ },
  {
    class: "caller_fault",
    status: [400, 403, 404],
    body: true,
    message: new RegExp(
      "no (such )?file\\b.{0,20}(found|object)"
        + "|\\b(?<!model )(file|cached ?content)\\b(?! not found\\W*$).{0,100}\\b(not found|(does|may) not exist)",
      "i"
    )
  },

  // The key, and where it may be used from.
  {
    class: "credential",
    code: new RegExp(
      "^(invalid_api_key|API_KEY_\\w+|authentication_error|invalid_authentication|UNAUTHENTICATED|PERMISSION_DENIED"
        + "|permission_error|FAILED_PRECONDITION|unsupported_country_region_territory|organization_on_hold"
        + "|account_deactivated|UnrecognizedClientException|ExpiredTokenException|invalid_grant)$"
    )
  },
  {
    class: "credential",
    status: [400, 403],
    message:
      /api[ _]?key (not|is not|expired)|invalid api key|organization has been disabled|location is not supported/i
  },
  {
    class: "credential",
    status: "none",
    message: /^Could not resolve authentication method|^The `apiKey` function|^Could not load the default credentials/
  },

  // The model.
  {
    class: "model_gone",
    code: new RegExp(
      "^(model_not_found|invalid_model|DeploymentNotFound|model_decommissioned|model_not_available"
        + "|model_terms_required)$",
      "i"
    )
  },
  {
    class: "model_gone",
    status: [400, 403, 404],
    message: new RegExp(
      "not a valid model|model identifier is invalid"
        + "|model\\b.{0,80}\\b(does not exist|not found|decommissioned|no longer (available|supported))",
      "i"
    )
  },

  // The moment.
  {
    class: "overloaded",
    code: /^(overloaded_error|overloaded|server_overloaded|engine_overloaded|UNAVAILABLE|capacity_exceeded)$/i
  },
  {
    class: "rate_limit",
    code: new RegExp(
      "^(rate_limit_exceeded|rate_limit_error|ramp_limit_exceeded|slow_down|RESOURCE_EXHAUSTED|ThrottlingException"
        + "|too_many_requests)$",
      "i"
    )
  },
  { class: "timeout", code: /^(timeout_error|DEADLINE_EXCEEDED)$/i },

  // Only the status is left. A page with 403 is a firewall's, and says nothing of the key.
  { class: "credential", status: [401] },
  { class: "credential", status: [403], body: true },
  // Like a wrong path, a wrong method is of the address, which is the same for every request.
  { class: "model_gone", status: [404, 405, 410] },
  { class: "timeout", status: [408] },
  { class: "rate_limit", status: [429] },
  { class: "overloaded", status: [498, 503, 529] },
  // Not 409: vendors answer so where two requests met, and a third one is served.
  { class: "caller_fault", status: [400, 406, 411, 414, 415, 422, 431], body: true },

  // No answer at all. An SDK's own timeout aborts its fetch, so an abort that is not the caller's is one.
  {
    class: "timeout",
    code:
      /^(APIConnectionTimeoutError|TimeoutError|AbortError|E(SOCKET)?TIMEDOUT|UND_ERR_(HEADERS|BODY|CONNECT)_TIMEOUT)$/
  },
  { class: "timeout", status: "none", message: /^Request timed out/ },
  {
    class: "network",
    code: new RegExp(
      "^(APIConnectionError|E(CONNREFUSED|CONNRESET|CONNABORTED|NOTFOUND|AI_AGAIN|PIPE|HOSTUNREACH|NETUNREACH|PROTO)"
        + "|EAI_AGAIN|UND_ERR_\\w+|ERR_(SSL|TLS)_\\w+|CERT_\\w+|\\w+_CERT(IFICATE)?\\w*|FetchError|ConnectionRefused"
        + "|ConnectionClosed)$"
    )
  },
  {
    class: "network",
    status: "none",
    message:
      /^(fetch failed|failed to fetch|connection error|network (error|request failed)|terminated|socket hang up)/i
  }
]
