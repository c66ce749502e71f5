/**
 * What holds for every vendor, each through its official SDK.
 */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import type { Fault, VendorName } from "../../src/testing/index.ts"
import { addsUp, chat, make, prompt, promptTokens } from "./support.ts"

const vendors: ReadonlyArray<VendorName> = ["openai", "anthropic", "gemini", "groq"]

describe.each(vendors)("%s", (name) => {
  it.scopedLive("answers as long as the marker asks, and reports what it counted", () =>
    Effect.gen(function*() {
      const vendor = yield* make({ vendor: name })
      const answer = yield* chat(vendor, { content: prompt, model: "some-model" })
      expect(answer.text.split(" ")).toHaveLength(30)
      expect(answer).toMatchObject({ model: "some-model", inputTokens: promptTokens, outputTokens: 30 })
      expect(answer.finish).toMatch(/^(stop|end_turn|STOP)$/)
      expect(yield* vendor.counts).toEqual({
        received: 1,
        served: 1,
        rateLimited: 0,
        failed: 0,
        aborted: 0,
        inFlight: 0,
        inputTokens: promptTokens,
        outputTokens: 30,
        peakRequests: 1,
        peakTokens: promptTokens + 30,
        peakInputTokens: promptTokens,
        peakOutputTokens: 30
      })
    }))

  it.scopedLive("stops at the request's maximum and says so", () =>
    Effect.gen(function*() {
      const vendor = yield* make({ vendor: name })
      const answer = yield* chat(vendor, { content: prompt, maxTokens: 10 })
      expect(answer.outputTokens).toBe(10)
      expect(answer.finish).toMatch(/^(length|max_tokens|MAX_TOKENS)$/)
    }))

  it.scopedLive("checks the key and the model, and counts neither refusal in its windows", () =>
    Effect.gen(function*() {
      const vendor = yield* make({ vendor: name, apiKey: "right", models: ["known"] })
      const wrong = yield* Effect.flip(chat(vendor, { content: prompt, apiKey: "wrong", model: "known" }))
      expect(wrong.status).toBe(name === "gemini" ? 400 : 401)
      const unknown = yield* Effect.flip(chat(vendor, { content: prompt, apiKey: "right", model: "unknown" }))
      expect(unknown.status).toBe(404)
      expect(JSON.stringify(unknown.body)).toContain("unknown")
      yield* chat(vendor, { content: prompt, apiKey: "right", model: "known" })
      const counts = yield* vendor.counts
      expect(counts).toMatchObject({ received: 3, served: 1, failed: 2, peakRequests: 1, inputTokens: promptTokens })
    }))

  it.scopedLive("refuses the request that would exceed its request limit, and names the wait", () =>
    Effect.gen(function*() {
      const vendor = yield* make({ vendor: name, requestLimit: 2 })
      yield* chat(vendor, { content: prompt })
      yield* chat(vendor, { content: prompt })
      const refused = yield* Effect.flip(chat(vendor, { content: prompt }))
      expect(refused.status).toBe(429)
      if (name !== "gemini") expect(refused.headers.get("retry-after")).toMatch(/^(59|60)$/)
      expect(yield* vendor.counts).toMatchObject({
        served: 2,
        rateLimited: 1,
        peakRequests: 2,
        inputTokens: 2 * promptTokens
      })
    }))

  it.scopedLive("refuses the request whose input would exceed its token limit", () =>
    Effect.gen(function*() {
      const vendor = yield* make({ vendor: name, tokenLimit: 2 * promptTokens + 30 - 1 })
      yield* chat(vendor, { content: prompt })
      const refused = yield* Effect.flip(chat(vendor, { content: prompt }))
      expect(refused.status).toBe(429)
      expect(yield* vendor.counts).toMatchObject({ served: 1, rateLimited: 1, peakTokens: promptTokens + 30 })
    }))

  it.scopedLive("serves again after a reset, at the start and in the middle, and after garbage of every shape", () =>
    Effect.gen(function*() {
      const vendor = yield* make({ vendor: name })
      const faults: ReadonlyArray<Fault> = [
        { kind: "reset" },
        { kind: "reset", at: "mid_body" },
        { kind: "garbage", shape: "truncated_json" },
        { kind: "garbage", shape: "not_http" }
      ]
      for (const fault of faults) yield* vendor.fail(fault)
      for (const fault of faults) {
        const failure = yield* Effect.flip(chat(vendor, { content: prompt }))
        expect([fault, failure.status]).toEqual([fault, undefined])
        expect(failure.cause).toBeInstanceOf(Error)
      }
      yield* chat(vendor, { content: prompt })
      const counts = yield* vendor.counts
      expect(counts).toMatchObject({ received: 5, served: 1, failed: 4, peakRequests: 1 })
      addsUp(counts)
    }))

  it.scopedLive.each(["html", "other_json"] as const)(
    "sends %s where an answer should be",
    (shape) =>
      Effect.gen(function*() {
        const vendor = yield* make({ vendor: name })
        yield* vendor.fail({ kind: "garbage", shape })
        // What an SDK makes of it is its own affair: none may find an answer in it.
        const answer = yield* Effect.option(chat(vendor, { content: prompt }))
        expect(answer._tag === "None" || answer.value.text === "").toBe(true)
        expect(yield* vendor.counts).toMatchObject({ served: 0, failed: 1 })
      })
  )

  it.scopedLive("never answers on a timeout, and counts the client that leaves", () =>
    Effect.gen(function*() {
      const vendor = yield* make({ vendor: name })
      yield* vendor.fail({ kind: "timeout" })
      const waiting = yield* Effect.fork(chat(vendor, { content: prompt }))
      addsUp(yield* vendor.awaitCounts(({ inFlight }) => inFlight === 1))
      yield* Fiber.interrupt(waiting)
      const counts = yield* vendor.awaitCounts(({ aborted }) => aborted === 1)
      expect(counts).toMatchObject({ received: 1, served: 0, inFlight: 0 })
    }))

  it.scopedLive("keeps what an aborted request counted on arrival, and not its answer", () =>
    Effect.gen(function*() {
      const vendor = yield* make({ vendor: name, latency: { firstTokenMs: 60_000, perTokenMs: 0 } })
      const waiting = yield* Effect.fork(chat(vendor, { content: prompt }))
      yield* vendor.awaitCounts(({ inputTokens }) => inputTokens > 0)
      yield* Fiber.interrupt(waiting)
      const counts = yield* vendor.awaitCounts(({ aborted }) => aborted === 1)
      expect(counts).toMatchObject({
        inputTokens: promptTokens,
        outputTokens: 0,
        peakTokens: promptTokens,
        inFlight: 0
      })
    }))

  it.scopedLive("says what it is told to say, up to the maximum", () =>
    Effect.gen(function*() {
      const vendor = yield* make({ vendor: name })
      const content = "Please [say \"Roses are red,\\nviolets \\\"are\\\" blue\"]."
      expect((yield* chat(vendor, { content })).text).toBe("Roses are red,\nviolets \"are\" blue")
      const short = yield* chat(vendor, { content, maxTokens: 3 })
      expect([short.text, short.outputTokens]).toEqual(["Roses are red,", 3])
      expect(yield* vendor.counts).toMatchObject({ outputTokens: 9 })
    }))
})
