import type { FailureRule } from "../FailureRule.ts"

/** The table of `Classify.ts`: read from the top, the first row that matches counts. */
export const rules: ReadonlyArray<FailureRule> = [
  // The caller's own abort, as the SDKs report it.
  { class: "cancelled", code: /^(caller_aborted|APIUserAbortError)$/ },
  { class: "cancelled", message: /^Request was aborted\.?$/ },

  // The content.
  {
    class: "content_policy",
    code: /^(content_filter|content_policy_violation|ResponsibleAIPolicyViolation|moderation|moderation_blocked)$/i
  },
  {
    class: "content_policy",
    status: [400, 403],
    message: /content (filtering|management|moderation) policy|safety system|requires moderation|flagged/i
  },

  // The size. OpenAI and Groq call a request over the whole minute's tokens "too large" under a rate limit's code.
  { class: "request_too_large", status: [413, 429], message: /request too large/i },
  { class: "request_too_large", code: /^(request_too_large|request_body_too_large_after_decoding)$/i },
  { class: "context_too_long", code: /^context_length_exceeded$/i },
  {
    class: "context_too_long",
    status: [400, 413, 422],
    message: new RegExp(
      "maximum context|context (length|window|size)|(prompt|input) is too long|input token count .*exceeds"
        + "|reduce the length of the messages",
      "i"
    )
  },
  { class: "request_too_large", status: [400], message: /request (payload|body|entity).{0,20}(too large|exceeds)/i },
  { class: "request_too_large", status: [413] },

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
    message: /^Could not resolve authentication method|^The `apiKey` function|^Could not load the default credentials/
  },

  // The model.
  {
    class: "model_gone",
    code: /^(model_not_found|DeploymentNotFound|model_decommissioned|model_not_available|model_terms_required)$/i
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

  // Only the status is left.
  { class: "credential", status: [401, 403] },
  { class: "model_gone", status: [404, 410] },
  { class: "timeout", status: [408] },
  { class: "rate_limit", status: [429] },
  { class: "overloaded", status: [498, 503, 529] },
  { class: "caller_fault", status: [400, 422], body: true },

  // No answer at all. An SDK's own timeout aborts its fetch, so an abort that is not the caller's is one.
  {
    class: "timeout",
    code:
      /^(APIConnectionTimeoutError|TimeoutError|AbortError|E(SOCKET)?TIMEDOUT|UND_ERR_(HEADERS|BODY|CONNECT)_TIMEOUT)$/
  },
  { class: "timeout", message: /^Request timed out/ },
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
    message:
      /^(fetch failed|failed to fetch|connection error|network (error|request failed)|terminated|socket hang up)/i
  }
]
