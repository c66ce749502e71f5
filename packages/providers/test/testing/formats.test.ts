/**
 * What only one vendor says: its headers, its error bodies, its own rules for a request.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Fault, VendorName } from "../../src/testing/index.ts"
import { chat, make as makeVendor, prompt } from "./support.ts"

const make = (vendor: VendorName, limits: { readonly requestLimit?: number; readonly tokenLimit?: number } = {}) =>
  makeVendor({ vendor, ...limits })

const content = prompt

const meet = (vendor: VendorName, fault: Fault) =>
  Effect.gen(function*() {
    const loopback = yield* make(vendor, { requestLimit: 50 })
    yield* loopback.fail(fault)
    return yield* Effect.flip(chat(loopback, { content }))
  })

const openAiError = (type: string, code: string | null) => ({ error: { message: expect.any(String), type, code } })

const anthropicError = (type: string, message: unknown = expect.any(String)) => ({
  type: "error",
  error: { type, message },
  request_id: expect.stringMatching(/^req_/)
})

const googleError = (code: number, status: string) => ({ error: { code, status, message: expect.any(String) } })

const faults: ReadonlyArray<readonly [VendorName, Fault, number, object]> = [
  ["openai", { kind: "rate_limit", dimension: "tokens" }, 429, openAiError("tokens", "rate_limit_exceeded")],
  ["openai", { kind: "quota" }, 429, openAiError("insufficient_quota", "insufficient_quota")],
  [
    "openai",
    { kind: "quota", reason: "spend_limit" },
    429,
    openAiError("insufficient_quota", "organization_spend_limit_exceeded")
  ],
  ["openai", { kind: "server_error" }, 500, openAiError("server_error", null)],
  ["openai", { kind: "overloaded" }, 503, openAiError("server_error", null)],
  ["openai", { kind: "unauthorized" }, 401, openAiError("invalid_request_error", "invalid_api_key")],
  ["openai", { kind: "model_not_found" }, 404, openAiError("invalid_request_error", "model_not_found")],
  ["openai", { kind: "bad_request" }, 400, openAiError("invalid_request_error", null)],
  ["openai", { kind: "context_too_long" }, 400, openAiError("invalid_request_error", "context_length_exceeded")],
  ["openai", { kind: "request_too_large" }, 413, openAiError("invalid_request_error", null)],

  ["anthropic", { kind: "rate_limit" }, 429, anthropicError("rate_limit_error")],
  [
    "anthropic",
    { kind: "quota" },
    400,
    anthropicError("invalid_request_error", expect.stringContaining("credit balance"))
  ],
  ["anthropic", { kind: "quota", reason: "spend_limit" }, 429, {
    error: { type: "rate_limit_error", details: { error_code: "enforced_spend_limit_reached" } }
  }],
  ["anthropic", { kind: "server_error", status: 503 }, 503, anthropicError("api_error")],
  ["anthropic", { kind: "overloaded" }, 529, anthropicError("overloaded_error", "Overloaded")],
  ["anthropic", { kind: "unauthorized" }, 401, anthropicError("authentication_error")],
  ["anthropic", { kind: "model_not_found" }, 404, anthropicError("not_found_error")],
  ["anthropic", { kind: "bad_request", message: "no" }, 400, anthropicError("invalid_request_error", "no")],
  [
    "anthropic",
    { kind: "context_too_long" },
    400,
    anthropicError("invalid_request_error", expect.stringContaining("prompt is too long"))
  ],
  ["anthropic", { kind: "request_too_large" }, 413, anthropicError("request_too_large")],

  ["gemini", { kind: "quota", reason: "balance" }, 429, googleError(429, "RESOURCE_EXHAUSTED")],
  ["gemini", { kind: "server_error" }, 500, googleError(500, "INTERNAL")],
  ["gemini", { kind: "server_error", status: 504 }, 504, googleError(504, "DEADLINE_EXCEEDED")],
  ["gemini", { kind: "overloaded" }, 503, googleError(503, "UNAVAILABLE")],
  ["gemini", { kind: "unauthorized" }, 400, {
    error: { code: 400, status: "INVALID_ARGUMENT", details: [{ reason: "API_KEY_INVALID" }, {}] }
  }],
  ["gemini", { kind: "model_not_found" }, 404, googleError(404, "NOT_FOUND")],
  ["gemini", { kind: "bad_request" }, 400, googleError(400, "INVALID_ARGUMENT")],
  ["gemini", { kind: "context_too_long" }, 400, googleError(400, "INVALID_ARGUMENT")],
  ["gemini", { kind: "request_too_large" }, 413, googleError(413, "INVALID_ARGUMENT")],

  ["groq", { kind: "rate_limit" }, 429, { error: { type: "requests", code: "rate_limit_exceeded" } }],
  ["groq", { kind: "quota" }, 429, {
    error: { message: expect.stringContaining("(RPD)"), code: "rate_limit_exceeded" }
  }],
  ["groq", { kind: "server_error", status: 502 }, 502, { error: { type: "internal_server_error" } }],
  ["groq", { kind: "overloaded" }, 503, { error: { type: "internal_server_error" } }],
  ["groq", { kind: "unauthorized" }, 401, { error: { code: "invalid_api_key" } }],
  ["groq", { kind: "model_not_found" }, 404, { error: { code: "model_not_found" } }],
  ["groq", { kind: "bad_request" }, 400, { error: { type: "invalid_request_error" } }],
  ["groq", { kind: "context_too_long" }, 400, { error: { code: "context_length_exceeded" } }],
  ["groq", { kind: "request_too_large" }, 413, { error: { code: "request_too_large" } }]
]

describe("faults in the vendor's own words", () => {
  it.scopedLive.each(faults)("%s %o: %i", ([vendor, fault, status, body]) =>
    Effect.gen(function*() {
      const failure = yield* meet(vendor, fault)
      expect(failure.status).toBe(status)
      expect(failure.body).toMatchObject(body)
      expect(failure.headers.has("retry-after")).toBe(vendor === "groq" && fault.kind === "quota")
    }))

  it.scopedLive.each(["openai", "anthropic", "groq"] as const)(
    "%s names the wait that was scripted",
    (vendor) =>
      Effect.gen(function*() {
        const failure = yield* meet(vendor, { kind: "rate_limit", retryAfterMs: 12_300 })
        expect(failure.headers.get("retry-after")).toBe("13")
        if (vendor === "openai") expect(failure.headers.get("retry-after-ms")).toBe("12300")
      })
  )

  it.scopedLive("the page of a gateway is not the vendor's", () =>
    Effect.gen(function*() {
      const failure = yield* meet("anthropic", { kind: "server_error", status: 502, shape: "html" })
      expect(failure.status).toBe(502)
      expect(failure.headers.get("content-type")).toBe("text/html")
    }))
})

describe("openai", () => {
  it.scopedLive("tells its limits, what remains and when they reset", () =>
    Effect.gen(function*() {
      const vendor = yield* make("openai", { requestLimit: 50, tokenLimit: 1000 })
      const { headers } = yield* chat(vendor, { content })
      expect(Object.fromEntries(headers)).toMatchObject({
        "x-request-id": expect.stringMatching(/^req_/),
        "x-ratelimit-limit-requests": "50",
        "x-ratelimit-remaining-requests": "49",
        "x-ratelimit-reset-requests": expect.stringMatching(/^(1m0s|59(\.\d+)?s)$/),
        "x-ratelimit-limit-tokens": "1000",
        "x-ratelimit-remaining-tokens": String(1000 - 12 - 30)
      })
      const failure = yield* Effect.zipRight(
        vendor.fail({ kind: "bad_request" }),
        Effect.flip(chat(vendor, { content }))
      )
      expect(failure.headers.get("x-ratelimit-remaining-requests")).toBe("49")
    }))

  it.scopedLive("sends no header of a limit it has not", () =>
    Effect.gen(function*() {
      const { headers } = yield* chat(yield* make("openai", { tokenLimit: 1000 }), { content })
      expect(headers.has("x-ratelimit-limit-requests")).toBe(false)
      expect(headers.has("x-ratelimit-limit-tokens")).toBe(true)
    }))

  it.scopedLive("says of a request above the whole limit that it is too large, and names no wait", () =>
    Effect.gen(function*() {
      const failure = yield* Effect.flip(chat(yield* make("openai", { tokenLimit: 5 }), { content }))
      expect(failure).toMatchObject({
        status: 429,
        body: { error: { type: "tokens", message: expect.stringMatching(/^Request too large/) } }
      })
      expect(failure.headers.has("retry-after")).toBe(false)
    }))
})

describe("anthropic", () => {
  it.scopedLive("tells its limits with dates", () =>
    Effect.gen(function*() {
      const { headers } = yield* chat(yield* make("anthropic", { requestLimit: 50, tokenLimit: 1000 }), { content })
      expect(Object.fromEntries(headers)).toMatchObject({
        "request-id": expect.stringMatching(/^req_/),
        "anthropic-ratelimit-requests-limit": "50",
        "anthropic-ratelimit-requests-remaining": "49",
        "anthropic-ratelimit-tokens-limit": "1000",
        "anthropic-ratelimit-tokens-remaining": String(1000 - 12 - 30)
      })
      const resetsAt = Date.parse(headers.get("anthropic-ratelimit-tokens-reset") ?? "")
      expect(resetsAt).toBeGreaterThan(Date.now() + 55_000)
      expect(resetsAt).toBeLessThan(Date.now() + 62_000)
    }))

  const refused: ReadonlyArray<readonly [object, string]> = [
    [{ max_tokens: undefined }, "max_tokens"],
    [{ messages: [{ role: "system", content: "a" }] }, "messages"],
    [{ messages: [{ role: "user", content: "" }] }, "messages"],
    [{ temperature: 1.5 }, "temperature"]
  ]

  it.scopedLive.each(refused)("refuses %o, which OpenAI would take", ([fields, path]) =>
    Effect.gen(function*() {
      const vendor = yield* make("anthropic")
      const body = { model: "m", max_tokens: 5, messages: [{ role: "user", content: "a" }], ...fields }
      const response = yield* Effect.promise(() =>
        fetch(`${vendor.url}/v1/messages`, { method: "POST", body: JSON.stringify(body) })
      )
      expect(response.status).toBe(400)
      expect(yield* Effect.promise(() => response.json())).toMatchObject({
        error: { type: "invalid_request_error", message: expect.stringContaining(path) }
      })
    }))
})

describe("gemini", () => {
  const violation = (quotaId: string) => ({
    error: {
      status: "RESOURCE_EXHAUSTED",
      details: [
        { "@type": "type.googleapis.com/google.rpc.QuotaFailure", violations: [{ quotaId }] },
        { "@type": "type.googleapis.com/google.rpc.Help" },
        { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: expect.stringMatching(/^\d+(\.\d+)?s$/) }
      ]
    }
  })

  it.scopedLive("sends no rate-limit headers, and names the full window in the body of a 429", () =>
    Effect.gen(function*() {
      const byRequests = yield* make("gemini", { requestLimit: 1 })
      const { headers } = yield* chat(byRequests, { content })
      expect([...headers.keys()].filter((name) => name.includes("ratelimit"))).toEqual([])
      const requests = yield* Effect.flip(chat(byRequests, { content }))
      expect(requests.body).toMatchObject(violation("GenerateRequestsPerMinutePerProjectPerModel"))
      const byTokens = yield* make("gemini", { tokenLimit: 45 })
      yield* chat(byTokens, { content })
      const tokens = yield* Effect.flip(chat(byTokens, { content }))
      expect(tokens.body).toMatchObject(violation("GenerateContentTokensPerModelPerMinute"))
    }))

  it.scopedLive("asks for a short wait even when the day is spent", () =>
    Effect.gen(function*() {
      const failure = yield* meet("gemini", { kind: "quota" })
      expect(failure.body).toMatchObject(violation("GenerateRequestsPerDayPerProjectPerModel-FreeTier"))
    }))
})

describe("groq", () => {
  it.scopedLive("tells requests of the day and tokens of the minute; its requests a minute are in no header", () =>
    Effect.gen(function*() {
      const { headers } = yield* chat(yield* make("groq", { requestLimit: 30, tokenLimit: 1000 }), { content })
      expect(Object.fromEntries(headers)).toMatchObject({
        "x-ratelimit-limit-requests": "500000",
        "x-ratelimit-remaining-requests": "499999",
        "x-ratelimit-reset-requests": "173ms",
        "x-ratelimit-limit-tokens": "1000",
        "x-ratelimit-remaining-tokens": String(1000 - 12 - 30)
      })
    }))

  it.scopedLive("answers 413 to a request above the whole limit", () =>
    Effect.gen(function*() {
      const failure = yield* Effect.flip(chat(yield* make("groq", { tokenLimit: 5 }), { content }))
      expect(failure).toMatchObject({ status: 413, body: { error: { type: "tokens", code: "rate_limit_exceeded" } } })
    }))
})
