/** What each vendor says of its limits, through its own SDK, and what the provider makes of it. */
import AnthropicSdk from "@anthropic-ai/sdk"
import { describe, expect, it } from "@effect/vitest"
import { GoogleGenAI } from "@google/genai"
import type { LimitReading, Provider } from "@route-llm/core"
import { Effect, TestClock } from "effect"
import GroqSdk from "groq-sdk"
import OpenAI from "openai"
import { Anthropic, Gemini, Groq, OpenAi } from "../src/index.ts"
import { LoopbackVendor, noLatency } from "../src/testing/index.ts"
import type { LoopbackVendorOptions, VendorName } from "../src/testing/index.ts"
import { answers, vendors } from "./helpers.ts"
import { promptTokens } from "./testing/support.ts"

const request = { messages: [{ role: "user", content: "please [answer with 30 tokens]" }] } as const

const provider = ({ url, vendor }: LoopbackVendor): Provider => {
  const made = {
    openai: () => OpenAi.make({ name: "x", client: new OpenAI({ apiKey: "k", baseURL: url }) }),
    anthropic: () => Anthropic.make({ name: "x", client: new AnthropicSdk({ apiKey: "k", baseURL: url }) }),
    gemini: () =>
      Gemini.make({
        name: "x",
        client: new GoogleGenAI({ apiKey: "k", vertexai: false, httpOptions: { baseUrl: url } })
      }),
    groq: () => Groq.make({ name: "x", client: new GroqSdk({ apiKey: "k", baseURL: url }) })
  }
  return Effect.runSync(made[vendor]())
}

const connected = (options: LoopbackVendorOptions) =>
  Effect.map(LoopbackVendor.make({ latency: noLatency, ...options }), (vendor) => ({ vendor, mine: provider(vendor) }))

/** Half of a second's rounding and the time of the call aside. */
const aMinute = expect.closeTo(60_000, -4)
const aDay = expect.closeTo(86_400_000, -4)

const reading = (
  dimension: LimitReading["dimension"],
  limit: number,
  remaining: number,
  resetMs: unknown = aMinute
) => ({
  dimension,
  limit,
  remaining,
  resetMs
})

/** Words say nothing of the reset. */
const inWords = (dimension: LimitReading["dimension"], limit: number, remaining: number) => ({
  dimension,
  limit,
  remaining
})

const limits: { readonly [Vendor in VendorName]: LoopbackVendorOptions } = {
  openai: { vendor: "openai", requestLimit: 50, tokenLimit: 1_000 },
  anthropic: { vendor: "anthropic", requestLimit: 50, inputTokenLimit: 1_000, outputTokenLimit: 500 },
  gemini: { vendor: "gemini", requestLimit: 50, inputTokenLimit: 1_000 },
  groq: { vendor: "groq", requestLimit: 50, tokenLimit: 1_000, requestsPerDay: 100 }
}

const saidAfterOne: { readonly [Vendor in VendorName]: ReadonlyArray<unknown> | undefined } = {
  openai: [reading("requests", 50, 49), reading("tokens", 1_000, 1_000 - promptTokens - 30)],
  anthropic: [
    reading("requests", 50, 49),
    reading("inputTokens", 1_000, 1_000 - promptTokens),
    reading("outputTokens", 500, 470)
  ],
  gemini: undefined,
  groq: [reading("requestsPerDay", 100, 99, aDay), reading("tokens", 1_000, 1_000 - promptTokens - 30)]
}

describe.each(vendors)("%s", (name) => {
  it.scopedLive("with an answer, and with an error of any kind", () =>
    Effect.gen(function*() {
      const { mine, vendor } = yield* connected(limits[name])
      expect((yield* mine.chat(request)).limits).toEqual(saidAfterOne[name])
      yield* vendor.fail({ kind: "server_error" })
      yield* vendor.fail({ kind: "unauthorized" })
      for (const expected of ["transient", "credential"]) {
        const failure = yield* Effect.flip(mine.chat(request))
        expect([failure.class, failure.limits]).toEqual([expected, saidAfterOne[name]])
      }
    }))

  it.scopedLive("where requests of the minute are used up", () =>
    Effect.gen(function*() {
      const { mine } = yield* connected({ vendor: name, requestLimit: 1 })
      yield* mine.chat(request)
      const failure = yield* Effect.flip(mine.chat(request))
      expect(failure).toMatchObject({ class: "rate_limit", retryAfterMs: aMinute })
      expect(failure.limits).toContainEqual((name === "groq" ? inWords : reading)("requests", 1, 0))
    }))

  it.scopedLive("where tokens are used up", () =>
    Effect.gen(function*() {
      const { mine } = yield* connected({ vendor: name, tokenLimit: 50 })
      yield* mine.chat(request)
      const failure = yield* Effect.flip(mine.chat(request))
      expect(failure.class).toBe("rate_limit")
      // Google says which limit is full, not how full it is: so much does not fit.
      expect(failure.limits).toContainEqual(reading("tokens", 50, name === "gemini" ? 0 : 50 - promptTokens - 30))
    }))

  it.scopedLive("where input or output is used up", () =>
    Effect.gen(function*() {
      const said = name === "openai" || name === "groq" ? inWords : reading
      const byInput = yield* connected({ vendor: name, inputTokenLimit: 20 })
      yield* byInput.mine.chat(request)
      const input = yield* Effect.flip(byInput.mine.chat(request))
      expect(input.limits).toContainEqual(said("inputTokens", 20, name === "gemini" ? 0 : 20 - promptTokens))
      const byOutput = yield* connected({ vendor: name, outputTokenLimit: 30 })
      yield* byOutput.mine.chat(request)
      const output = yield* Effect.flip(byOutput.mine.chat(request))
      expect(output.limits).toContainEqual(said("outputTokens", 30, 0))
      expect([input.class, output.class]).toEqual(["rate_limit", "rate_limit"])
    }))

  it.scopedLive("counts what someone else uses of the same key", () =>
    Effect.gen(function*() {
      const { mine, vendor } = yield* connected(limits[name])
      const other = provider(vendor)
      yield* other.chat(request)
      yield* other.chat(request)
      const { limits: said = [] } = yield* mine.chat(request)
      expect(said.map(({ limit = 0, remaining = 0 }) => limit - remaining)).toEqual(
        { openai: [3, 126], anthropic: [3, 36, 90], gemini: [], groq: [3, 126] }[name]
      )
    }))
})

describe("a refusal that names no limit", () => {
  it.scopedLive.each(["openai", "anthropic", "gemini"] as const)("%s: says nothing", (name) =>
    Effect.gen(function*() {
      const { mine, vendor } = yield* connected({ vendor: name })
      yield* vendor.fail({ kind: "custom", status: 429, body: { error: { message: "Too many requests" } } })
      const failure = yield* Effect.flip(mine.chat(request))
      expect([failure.class, failure.limits]).toEqual(["rate_limit", undefined])
    }))
})

describe("days", () => {
  it.scopedLive("groq: in its headers, and a spent one is a spent quota", () =>
    Effect.gen(function*() {
      const { mine } = yield* connected({ vendor: "groq", requestsPerDay: 1 })
      yield* mine.chat(request)
      const failure = yield* Effect.flip(mine.chat(request))
      expect([failure.class, failure.limits]).toEqual(["quota", [reading("requestsPerDay", 1, 0, aDay)]])
    }))

  it.scopedLive("gemini: until midnight, whatever the delay says", () =>
    Effect.gen(function*() {
      const { mine } = yield* connected({ vendor: "gemini", requestsPerDay: 1 })
      yield* mine.chat(request)
      const failure = yield* Effect.flip(mine.chat(request))
      expect(failure).toMatchObject({ class: "quota", retryAfterMs: undefined, limits: [{ remaining: 0, limit: 1 }] })
      const resetsAt = new Date(Date.now() + failure.limits![0]!.resetMs!)
      const inCalifornia = { timeZone: "America/Los_Angeles", hour: "2-digit", hourCycle: "h23" } as const
      expect(resetsAt.toLocaleString("en-GB", { ...inCalifornia, minute: "2-digit" })).toMatch(/^(00:00|23:59)$/)
    }))
})

describe("the clock", () => {
  const limitsAt = (atMs: () => number) =>
    Effect.gen(function*() {
      const { mine } = yield* connected({ vendor: "anthropic", requestLimit: 5 })
      yield* TestClock.setTime(atMs())
      return (yield* mine.chat(request)).limits
    })

  it.scoped("is Effect's", () =>
    Effect.gen(function*() {
      let askedMs = 0
      const limits = yield* limitsAt(() => (askedMs = Date.now()) + 3_000)
      expect(limits).toEqual([reading("requests", 5, 4, expect.any(Number))])
      // From the moment at which the vendor had it, and rounded up to a second.
      const [resetMs = 0] = limits?.map((limit) => limit.resetMs) ?? []
      expect(resetMs).toBeGreaterThanOrEqual(56_999)
      expect(resetMs).toBeLessThanOrEqual(58_000 + Date.now() - askedMs)
    }))

  it.scoped("and where that is far off, the vendor's", () =>
    Effect.gen(function*() {
      expect(yield* limitsAt(() => 0)).toEqual([reading("requests", 5, 4)])
    }))
})

describe("vendors that imitate OpenAI", () => {
  const answered = (headers: Readonly<Record<string, string>>, status = 200, body: unknown = answers.openai) =>
    Effect.gen(function*() {
      const { mine, vendor } = yield* connected({ vendor: "openai" })
      yield* vendor.fail({ kind: "custom", status, headers, body })
      return yield* Effect.map(
        Effect.either(mine.chat(request)),
        (either) => either._tag === "Right" ? either.right.limits : either.left.limits
      )
    })

  it.scopedLive("Mistral, by either of its names", () =>
    Effect.gen(function*() {
      expect(yield* answered({ "x-ratelimit-limit-req-minute": "60", "x-ratelimit-remaining-req-minute": "59" }))
        .toEqual([
          { dimension: "requests", limit: 60, remaining: 59 }
        ])
      expect(
        yield* answered({
          "x-ratelimitbysize-limit-minute": "500000",
          "x-ratelimitbysize-remaining-minute": "467993",
          "ratelimitbysize-reset": "40"
        })
      ).toEqual([{ dimension: "tokens", limit: 500_000, remaining: 467_993, resetMs: 40_000 }])
    }))

  it.scopedLive("OpenRouter, whose headers come in a body too, also under status 200", () =>
    Effect.gen(function*() {
      const headers = (seconds: number) => ({
        "X-RateLimit-Limit": "20",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": String(Date.now() + seconds * 1_000)
      })
      const error = {
        code: 429,
        message: "Rate limit exceeded: free-models-per-min. ",
        metadata: { headers: headers(60) }
      }
      const expected = [reading("requests", 20, 0)]
      const bare = { error: { code: 429, message: "Rate limit exceeded" } }
      expect(yield* answered(headers(60), 429, bare)).toEqual(expected)
      expect(yield* answered(headers(60), 200, bare)).toEqual(expected)
      expect(yield* answered({}, 429, { error })).toEqual(expected)
      expect(yield* answered({}, 200, { error })).toEqual(expected)
    }))

  it.scopedLive("Groq, by its region", () =>
    Effect.gen(function*() {
      const vendor = yield* LoopbackVendor.make({ vendor: "groq", latency: noLatency, requestsPerDay: 10 })
      const client = new OpenAI({ apiKey: "k", baseURL: `${vendor.url}/openai/v1` })
      const mine = yield* OpenAi.make({ name: "x", client, model: "llama-3.3-70b" })
      expect((yield* mine.chat(request)).limits).toEqual([reading("requestsPerDay", 10, 9, aDay)])
    }))

  it.scopedLive("an answer that the filter refused says what it cost, and what is left", () =>
    Effect.gen(function*() {
      const { mine, vendor } = yield* connected({ vendor: "openai", requestLimit: 5 })
      const choice = { index: 0, message: { role: "assistant", content: null }, finish_reason: "content_filter" }
      yield* vendor.fail({ kind: "custom", status: 200, body: { ...answers.openai, choices: [choice] } })
      const failure = yield* Effect.flip(mine.chat(request))
      expect(failure).toMatchObject({ class: "content_policy", usage: { inputTokens: 12 } })
      expect(failure.message).toContain("refused the content")
      expect(failure.limits).toEqual([{ dimension: "requests", limit: 5, remaining: 5, resetMs: 0 }])
    }))
})

describe("what was read from the cache, and written to it", () => {
  it.scopedLive.each(
    [
      ["openai", { prompt_tokens: 100, completion_tokens: 9, prompt_tokens_details: { cached_tokens: 64 } }, {
        inputTokens: 100,
        cachedInputTokens: 64
      }],
      ["groq", { prompt_tokens: 100, completion_tokens: 9, prompt_tokens_details: { cached_tokens: 64 } }, {
        inputTokens: 100,
        cachedInputTokens: 64
      }],
      [
        "anthropic",
        { input_tokens: 20, output_tokens: 9, cache_read_input_tokens: 64, cache_creation_input_tokens: 16 },
        { inputTokens: 100, cachedInputTokens: 64, cacheWriteTokens: 16 }
      ],
      ["gemini", { promptTokenCount: 100, candidatesTokenCount: 9, cachedContentTokenCount: 64 }, {
        inputTokens: 100,
        cachedInputTokens: 64
      }]
    ] as const
  )("%s", ([name, usage, expected]) =>
    Effect.gen(function*() {
      const { mine, vendor } = yield* connected({ vendor: name })
      const field = name === "gemini" ? "usageMetadata" : "usage"
      yield* vendor.fail({ kind: "custom", status: 200, body: { ...answers[name], [field]: usage } })
      expect((yield* mine.chat(request)).usage).toMatchObject({ ...expected, outputTokens: 9 })
    }))
})
