import { describe, expect, it } from "@effect/vitest"
import type { LimitReading } from "@route-llm/core"
import { classify } from "../src/index.ts"
import { limitsOfAnswer } from "../src/internal/limitReadings.ts"
import { google, openai, retryIn } from "./errorRows.ts"
import { headerRows, nowMs, resets } from "./headerRows.ts"

const heard = { adapter: "openai", nowMs } as const

const refused = (status: number, error: unknown, more: object = {}) =>
  classify({ status, error, ...more }, { nowMs, adapter: "openai" }).limits

describe("headers", () => {
  it.each(headerRows)("%s", (_name, adapter, headers, expected) => {
    expect(limitsOfAnswer(new Headers(headers), { adapter, nowMs })).toEqual(expected)
    // On an error they say the same.
    const thrown = { status: 500, headers: new Headers(headers), error: {} }
    expect(classify(thrown, { nowMs, adapter }).limits).toEqual(expected)
  })

  it.each(resets)("a reset of %s is %s ms", (reset, expected) => {
    const headers = { "x-ratelimit-remaining-tokens": "5", "x-ratelimit-reset-tokens": reset }
    expect(limitsOfAnswer(headers, heard)).toEqual([{ dimension: "tokens", remaining: 5, resetMs: expected }])
  })

  it("as a record in any case, and as pairs", () => {
    const expected = [{ dimension: "requests", limit: 5, remaining: 4 }]
    const pairs = [["X-RateLimit-Limit-Requests", "5"], ["X-RateLimit-Remaining-Requests", "4"]] as const
    expect(limitsOfAnswer(Object.fromEntries(pairs), heard)).toEqual(expected)
    expect(limitsOfAnswer(pairs, heard)).toEqual(expected)
    expect(limitsOfAnswer([...pairs, ["x-ratelimit-limit-requests", "6"]], heard)).toBeUndefined()
  })

  it("dates are held against the vendor's clock where ours is far off, and against ours where it is not", () => {
    const headers = (date: number) => ({
      date: new Date(date).toUTCString(),
      "anthropic-ratelimit-requests-remaining": "5",
      "anthropic-ratelimit-requests-reset": new Date(nowMs + 30_000).toISOString()
    })
    const resetMs = (atMs: number, date: number) =>
      limitsOfAnswer(headers(date), { ...heard, nowMs: atMs })?.[0]?.resetMs
    expect(resetMs(nowMs + 3_600_000, nowMs)).toBe(30_000)
    expect(resetMs(nowMs - 3_600_000, nowMs)).toBe(30_000)
    expect(resetMs(nowMs + 250, nowMs)).toBe(29_750)
  })
})

describe("the words of a refusal", () => {
  const organisation = "Rate limit reached for gpt-4o in organization org-1 on "
  const groq = "Rate limit reached for model `llama3-70b-8192` in organization `org_1` service tier `on_demand` on "

  it.each<readonly [string, ReadonlyArray<LimitReading> | undefined]>([
    [`${organisation}requests per min (RPM): Limit 500, Used 500, Requested 1. Please try again in 120ms.`, [
      { dimension: "requests", limit: 500, remaining: 0 }
    ]],
    [`${organisation}tokens per min (TPM): Limit 30000, Used 29000, Requested 2000. Please try again in 2s.`, [
      { dimension: "tokens", limit: 30_000, remaining: 1_000 }
    ]],
    [`${organisation}requests per day (RPD): Limit 200, Used 200, Requested 1.`, [
      { dimension: "requestsPerDay", limit: 200, remaining: 0 }
    ]],
    ["Rate limit reached for x on requests per min. Limit: 3 / min. Please try again in 20s.", [
      { dimension: "requests", limit: 3 }
    ]],
    ["Rate limit reached for x on tokens per min. Limit: 90000.000000 / min. Current: 91000.000000 / min.", [
      { dimension: "tokens", limit: 90_000, remaining: 0 }
    ]],
    [`${groq}tokens per minute (TPM): Limit 7000, Used 0, Requested ~12903. Please try again in 50.597142857s.`, [
      { dimension: "tokens", limit: 7_000, remaining: 7_000 }
    ]],
    [`${groq}requests per minute (RPM): Limit 30, Used 30, Requested 1.`, [
      { dimension: "requests", limit: 30, remaining: 0 }
    ]],
    [`${groq}tokens per day (TPD): Limit 100000, Used 99500, Requested 1500. Please try again in 14m24s.`, [
      { dimension: "tokensPerDay", limit: 100_000, remaining: 500 }
    ]],
    [`${groq}input tokens per minute (ITPM): Limit 8000, Used 8000, Requested 9`, [
      { dimension: "inputTokens", limit: 8_000, remaining: 0 }
    ]],
    ["Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 48000.", [
      { dimension: "tokens", limit: 30_000 }
    ]],
    [`${organisation}requests per min (RPM): Limit 0, Used 0, Requested 1`, undefined],
    [`${organisation}images per min (IPM): Limit 5, Used 5`, undefined],
    [`${organisation}requests per min (RPM): Limit 10,000, Used 10,000`, undefined],
    ["Requests have exceeded call rate limit of your current tier. Please retry after 6 seconds.", undefined]
  ])("%s", (message, expected) => {
    expect(refused(429, openai("rate_limit_exceeded", message).error)).toEqual(expected)
    expect(refused(413, openai("rate_limit_exceeded", message).error)).toEqual(expected)
    // Elsewhere the message may quote the prompt.
    expect(refused(400, openai(null, message).error)).toBeUndefined()
  })

  it("fall behind headers, which also tell the reset", () => {
    const headers = new Headers({ "x-ratelimit-limit-requests": "500", "x-ratelimit-remaining-requests": "0" })
    headers.set("x-ratelimit-reset-requests", "8.64s")
    const message = `${organisation}requests per min (RPM): Limit 500, Used 500, Requested 1.`
    expect(refused(429, { message }, { headers })).toEqual([
      { dimension: "requests", limit: 500, remaining: 0, resetMs: 8_640 }
    ])
  })

  it("of an upstream are not the vendor's own", () => {
    const raw = JSON.stringify(openai("rate_limit_exceeded", `${organisation}requests per min (RPM): Limit 5, Used 5`))
    const error = { code: 429, message: "Provider returned error", metadata: { raw, provider_name: "OpenAI" } }
    const failure = classify({ status: 429, error }, { nowMs, adapter: "openai" })
    expect([failure.class, failure.limits]).toEqual(["rate_limit", undefined])
  })
})

describe("what a body says", () => {
  const exhausted = (violations: ReadonlyArray<unknown>, delay?: string) => {
    const details = [{ violations }, ...(delay === undefined ? [] : [retryIn(delay)])]
    return refused(429, google(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota", details))
  }
  const per = (quotaId: string, quotaValue?: string) => ({ quotaId, quotaValue })
  // 05:41 in California, where it is summer.
  const untilMidnight = (24 - 5) * 3_600_000 - 41 * 60_000

  it.each<readonly [string, ReadonlyArray<unknown>, ReadonlyArray<LimitReading> | undefined]>([
    ["a minute's requests", [per("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "15")], [
      { dimension: "requests", limit: 15, remaining: 0, resetMs: 22_000 }
    ]],
    ["a region's", [per("GenerateContentRequestsPerMinutePerProjectPerRegion", "60")], [
      { dimension: "requests", limit: 60, remaining: 0, resetMs: 22_000 }
    ]],
    ["a minute's input", [per("GenerateContentPaidTierInputTokensPerModelPerMinute", "1000000")], [
      { dimension: "inputTokens", limit: 1_000_000, remaining: 0, resetMs: 22_000 }
    ]],
    ["a day's requests, whose reset is not what the delay says", [
      per("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "20")
    ], [{ dimension: "requestsPerDay", limit: 20, remaining: 0, resetMs: untilMidnight }]],
    ["several, without values", [
      per("GenerateRequestsPerDayPerProjectPerModel-FreeTier"),
      per("GenerateRequestsPerMinutePerProjectPerModel-FreeTier"),
      per("GenerateContentInputTokensPerModelPerMinute-FreeTier")
    ], [
      { dimension: "requestsPerDay", remaining: 0, resetMs: untilMidnight },
      { dimension: "requests", remaining: 0, resetMs: 22_000 },
      { dimension: "inputTokens", remaining: 0, resetMs: 22_000 }
    ]],
    [
      "a day's input, which is no dimension",
      [per("GenerateContentInputTokensPerModelPerDay-FreeTier", "6000000")],
      undefined
    ],
    ["a model that the plan has not", [per("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "0")], undefined],
    ["a value of no form", [per("GenerateRequestsPerMinutePerProjectPerModel", "-3")], [
      { dimension: "requests", remaining: 0, resetMs: 22_000 }
    ]],
    ["something else", [per("PredictImagesPerMinute", "3"), {}, null, 7], undefined]
  ])("google: %s", (_name, violations, expected) => {
    expect(exhausted(violations, "22s")).toEqual(expected)
  })

  it("google: no delay is no reset", () => {
    expect(exhausted([per("GenerateRequestsPerMinutePerProjectPerModel", "15")])).toEqual([
      { dimension: "requests", limit: 15, remaining: 0 }
    ])
  })

  it("google: a day ends at midnight in California, in summer and in winter and when the clocks change", () => {
    const resetAt = (now: string) => {
      const error = google(429, "RESOURCE_EXHAUSTED", "m", [{
        violations: [per("GenerateRequestsPerDayPerProject", "9")]
      }])
      const limits = classify({ status: 429, error }, { nowMs: Date.parse(now), adapter: "gemini" }).limits
      return new Date(Date.parse(now) + (limits?.[0]?.resetMs ?? NaN)).toISOString()
    }
    expect(resetAt("2026-07-01T06:59:59Z")).toBe("2026-07-01T07:00:00.000Z")
    expect(resetAt("2026-07-01T07:00:01Z")).toBe("2026-07-02T07:00:00.000Z")
    expect(resetAt("2026-11-24T20:00:00Z")).toBe("2026-11-25T08:00:00.000Z")
    expect(resetAt("2026-03-08T12:00:00Z")).toBe("2026-03-09T07:00:00.000Z")
  })

  it.each(
    [
      ["free-models-per-day. Add 10 credits to unlock 1000 free model requests per day", 30_000, "requestsPerDay"],
      ["free-models-per-min. Add 10 credits to unlock 1000 free model requests per day", 30_000, "requests"],
      ["limit_rpd/google/gemini-2.5-pro-exp", 30_000, "requestsPerDay"],
      ["limit_rpm/google/gemini-2.5-pro-exp", 90_000, "requests"]
    ] as const
  )("OpenRouter's headers in its body, of what the words say: %s", (words, resetMs, dimension) => {
    const headers = {
      "X-RateLimit-Limit": "50",
      "X-RateLimit-Remaining": "0",
      "X-RateLimit-Reset": String(nowMs + resetMs)
    }
    const error = { message: `Rate limit exceeded: ${words}`, code: 429, metadata: { headers, provider_name: null } }
    expect(refused(429, error)).toEqual([{ dimension, limit: 50, remaining: 0, resetMs }])
  })

  it("a 429 that names no limit has no readings", () => {
    expect(refused(429, openai("rate_limit_exceeded", "Too many requests").error)).toBeUndefined()
    expect(refused(429, google(429, "RESOURCE_EXHAUSTED", "Resource exhausted"))).toBeUndefined()
  })
})
