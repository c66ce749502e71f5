/** The loopback vendors' limits beyond requests and tokens, and what their headers show of them. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { LoopbackVendor, noLatency } from "../../src/testing/index.ts"
import type { VendorName } from "../../src/testing/index.ts"
import { chat, make, prompt, promptTokens } from "./support.ts"

const vendors: ReadonlyArray<VendorName> = ["openai", "anthropic", "gemini", "groq"]

describe.each(vendors)("%s", (vendor) => {
  it.scopedLive("limits input apart from output", () =>
    Effect.gen(function*() {
      const loopback = yield* make({ vendor, inputTokenLimit: 2 * promptTokens })
      yield* chat(loopback, { content: prompt })
      yield* chat(loopback, { content: prompt })
      const refused = yield* Effect.flip(chat(loopback, { content: prompt }))
      expect(refused.status).toBe(429)
      expect(JSON.stringify(refused.body)).toMatch(/input ?tokens/i)
      expect(yield* loopback.counts).toMatchObject({ peakInputTokens: 2 * promptTokens, peakOutputTokens: 60 })
    }))

  it.scopedLive("limits output apart from input: there must be room for a token, and the last may overshoot", () =>
    Effect.gen(function*() {
      for (const [outputTokenLimit, served] of [[30, 1], [31, 2]] as const) {
        const loopback = yield* make({ vendor, outputTokenLimit })
        for (let n = 0; n < served; n++) yield* chat(loopback, { content: prompt })
        const refused = yield* Effect.flip(chat(loopback, { content: prompt }))
        expect(refused.status).toBe(429)
        expect(JSON.stringify(refused.body)).toMatch(/output ?tokens/i)
        expect((yield* loopback.counts).peakOutputTokens).toBe(30 * served)
      }
    }))

  it.scopedLive("limits a day", () =>
    Effect.gen(function*() {
      const loopback = yield* make({ vendor, requestsPerDay: 2 })
      yield* chat(loopback, { content: prompt })
      yield* chat(loopback, { content: prompt })
      const refused = yield* Effect.flip(chat(loopback, { content: prompt }))
      expect(refused.status).toBe(429)
      expect(JSON.stringify(refused.body)).toMatch(/per ?day/i)
      expect(yield* loopback.counts).toMatchObject({ served: 2, rateLimited: 1 })
    }))

  it.scopedLive("names in a scripted refusal the limit that it is told", () =>
    Effect.gen(function*() {
      const loopback = yield* make({ vendor })
      yield* loopback.fail({ kind: "rate_limit", dimension: "outputTokens", retryAfterMs: 5_000 })
      expect(JSON.stringify((yield* Effect.flip(chat(loopback, { content: prompt }))).body)).toMatch(/output ?tokens/i)
    }))
})

describe("headers", () => {
  it.scopedLive("anthropic: each apart, and the sum where nothing limits both", () =>
    Effect.gen(function*() {
      const loopback = yield* make({ vendor: "anthropic", inputTokenLimit: 1_000, outputTokenLimit: 500 })
      const { headers } = yield* chat(loopback, { content: prompt })
      expect(Object.fromEntries(headers)).toMatchObject({
        "anthropic-ratelimit-input-tokens-limit": "1000",
        "anthropic-ratelimit-input-tokens-remaining": String(1_000 - promptTokens),
        "anthropic-ratelimit-output-tokens-limit": "500",
        "anthropic-ratelimit-output-tokens-remaining": "470",
        "anthropic-ratelimit-tokens-limit": "1500",
        "anthropic-ratelimit-tokens-remaining": String(1_470 - promptTokens)
      })
    }))

  it.scopedLive("groq: the day that is enforced", () =>
    Effect.gen(function*() {
      const loopback = yield* make({ vendor: "groq", requestsPerDay: 100 })
      const { headers } = yield* chat(loopback, { content: prompt })
      expect(Object.fromEntries(headers)).toMatchObject({
        "x-ratelimit-limit-requests": "100",
        "x-ratelimit-remaining-requests": "99",
        "x-ratelimit-reset-requests": expect.stringMatching(/^(24h0m0s|23h59m59(\.\d+)?s)$/)
      })
    }))

  it.scopedLive.each(["openai", "anthropic", "groq"] as const)(
    "%s: as of the arrival, where told",
    (vendor) =>
      Effect.gen(function*() {
        const left = (headersShow: "arrival" | "completion" | undefined) =>
          Effect.gen(function*() {
            const loopback = yield* LoopbackVendor.make({ vendor, latency: noLatency, tokenLimit: 1_000, headersShow })
            const { headers } = yield* chat(loopback, { content: prompt })
            const name = vendor === "anthropic"
              ? "anthropic-ratelimit-tokens-remaining"
              : "x-ratelimit-remaining-tokens"
            return Number(headers.get(name))
          })
        expect(yield* left("arrival")).toBe(1_000 - promptTokens)
        expect(yield* left("completion")).toBe(1_000 - promptTokens - 30)
        expect(yield* left(undefined)).toBe(1_000 - promptTokens - 30)
      })
  )

  it.scopedLive("as of the arrival hold what others have taken by then, not what they take after", () =>
    Effect.gen(function*() {
      const loopback = yield* make({
        vendor: "openai",
        requestLimit: 10,
        headersShow: "arrival",
        latency: { firstTokenMs: 40, perTokenMs: 0 }
      })
      const asked = yield* Effect.all(Array.from({ length: 4 }, () => chat(loopback, { content: prompt })), {
        concurrency: "unbounded"
      })
      const left = asked.map(({ headers }) => Number(headers.get("x-ratelimit-remaining-requests")))
      expect(left.sort()).toEqual([6, 7, 8, 9])
    }))
})
