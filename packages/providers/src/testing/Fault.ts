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
 * A streamed answer that breaks. A request for a whole answer meets what is nearest: a reset in the middle of its body,
 * no answer, or the error.
 *
 * - `at`: where. `"after_start"` is after the events that come before any content, `"after_content"` (default) after
 *   `events` of content (default 3), `"before_end"` before those that end the answer; `"mid_character"` inside the first
 *   character of more than one byte, which is in the second word.
 * - `does`: `"reset"` cuts the connection; `"end"` closes the body in good form, as if all had been said; `"stall"` sends
 *   nothing more and keeps the connection; an error is said as the vendor says it inside a 200, before the headers as its
 *   usual answer (and not `"mid_character"`, where nobody could read it).
 *
 * @since 0.1.0
 */
export interface StreamFault {
  readonly kind: "stream"
  readonly at?:
    | "before_headers"
    | "after_headers"
    | "after_start"
    | "after_content"
    | "before_end"
    | "mid_character"
    | undefined
  readonly events?: number | undefined
  readonly does: "reset" | "end" | "stall" | AnsweredFault
}

/**
 * The request is served, and its stream written in ways that are allowed and hard to read:
 *
 * - `"crlf"`: lines end with CR LF;
 * - `"comments"`: a comment line before each event, as OpenRouter keeps connections alive;
 * - `"idle_events"`: before each event the vendor's own that say nothing (a chunk without choices, a ping, an event of a
 *   type that there is not yet);
 * - `"bytes"`: each byte is a piece of its own, so characters are split too;
 * - `"together"`: all events that are due in one piece.
 *
 * @since 0.1.0
 */
export interface FramingFault {
  readonly kind: "framing"
  readonly shapes: ReadonlyArray<"crlf" | "comments" | "idle_events" | "bytes" | "together">
}

/**
 * @since 0.1.0
 */
export type Fault = AnsweredFault | WireFault | StreamFault | FramingFault
