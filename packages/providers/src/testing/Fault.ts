/**
 * What can be made to go wrong at a loopback vendor. Each fault is answered with the vendor's own status, headers and
 * body; where a vendor shows one fault in several shapes, a field chooses. All of it is plain data.
 *
 * @since 0.1.0
 */

/**
 * Faults that the vendor answers in its own error format.
 *
 * - `rate_limit`: a 429. `dimension` (default `"requests"`) is the limit it names; `retryAfterMs` the wait it asks
 *   for, in the vendor's time; absent, it names none. Gemini asks for seconds where a day is spent.
 * - `quota`: a spent budget. `reason` is one of the shapes the vendor has: OpenAI `"balance"` (default,
 *   `insufficient_quota`) and `"spend_limit"`; Anthropic `"balance"` (default, a 400) and `"spend_limit"` (a 429
 *   without Retry-After); Gemini `"daily"` (default, a per-day `quotaId` with a misleadingly short `retryDelay`) and
 *   `"balance"`; Groq `"daily"`. A reason the vendor has not gives its default.
 * - `server_error`: `status` default 500; `shape: "html"` is the page of a gateway before the vendor.
 * - `overloaded`: 529 from Anthropic, 503 from the others.
 * - `unauthorized`: the key is refused; 401, from Gemini a 400.
 * - `model_not_found`, `bad_request`, `context_too_long`, `request_too_large`: what the vendor says of such a request.
 *
 * @since 0.1.0
 */
export type AnsweredFault =
  | {
    readonly kind: "rate_limit"
    readonly dimension?: "requests" | "tokens" | "inputTokens" | "outputTokens" | "requestsPerDay" | undefined
    readonly retryAfterMs?: number | undefined
  }
  | { readonly kind: "quota"; readonly reason?: "balance" | "spend_limit" | "daily" | undefined }
  | {
    readonly kind: "server_error"
    readonly status?: 500 | 502 | 503 | 504 | undefined
    readonly shape?: "json" | "html" | undefined
  }
  | { readonly kind: "overloaded" }
  | { readonly kind: "unauthorized" }
  | { readonly kind: "model_not_found" }
  | { readonly kind: "bad_request"; readonly message?: string | undefined }
  | { readonly kind: "context_too_long" }
  | { readonly kind: "request_too_large" }

/**
 * Faults of the connection, of the answer and of time.
 *
 * - `timeout`: the request is taken and never answered.
 * - `reset`: the connection is reset, by default before a single byte, or in the middle of the body.
 * - `garbage`: what no SDK can use. 200 with a web page (`"html"`, default), with half a JSON text, with JSON of
 *   another service, or bytes that are not HTTP at all.
 * - `slow`: the request is served, `factor` times as slowly (a brown-out).
 * - `custom`: exactly this answer; a `body` that is not a string is sent as JSON.
 *
 * @since 0.1.0
 */
export type WireFault =
  | { readonly kind: "timeout" }
  | { readonly kind: "reset"; readonly at?: "start" | "mid_body" | undefined }
  | { readonly kind: "garbage"; readonly shape?: "html" | "truncated_json" | "other_json" | "not_http" | undefined }
  | { readonly kind: "slow"; readonly factor: number }
  | {
    readonly kind: "custom"
    readonly status: number
    readonly headers?: Readonly<Record<string, string>> | undefined
    readonly body: unknown
  }

/**
 * @since 0.1.0
 */
export type Fault = AnsweredFault | WireFault
