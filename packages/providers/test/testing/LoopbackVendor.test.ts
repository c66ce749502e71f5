import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { LoopbackVendor } from "../../src/testing/index.ts"
import type { LoopbackVendorOptions } from "../../src/testing/index.ts"
import { addsUp, chat, make, prompt, promptTokens } from "./support.ts"

describe("limits", () => {
  it.scopedLive("never admits more than the limit in one window, whatever comes (window and clock at 100 times the speed)", () =>
    Effect.gen(function*() {
      const windowMs = 30_000
      const vendor = yield* make({ vendor: "openai", requestLimit: 5, window: windowMs, speed: 100 })
      let sent = 0
      const asked = Effect.zipRight(
        Effect.suspend(() => (sent++, Effect.ignore(chat(vendor, { content: prompt })))),
        vendor.admissions
      )
      // As many windows as it takes, however long a request does.
      const caller = Effect.repeat(asked, { until: (admissions) => admissions.length > 10 })
      yield* Effect.replicateEffect(caller, 8, { concurrency: 8, discard: true })
      const times = (yield* vendor.admissions).map(({ atMs }) => atMs)
      // The sixth after any one is more than a window later.
      for (let index = 5; index < times.length; index++) {
        expect(times[index]! - times[index - 5]!).toBeGreaterThan(windowMs)
      }
      const counts = yield* vendor.counts
      expect(counts.peakRequests).toBe(5)
      expect(counts.rateLimited).toBe(sent - times.length)
      addsUp(counts)
    }))

  it.scopedLive("charges the request's maximum on arrival where told, and nothing at completion", () =>
    Effect.gen(function*() {
      const vendor = yield* make({ vendor: "openai", tokenLimit: 500, counting: "max_tokens_on_arrival" })
      yield* chat(vendor, { content: prompt, maxTokens: 400 })
      expect(yield* vendor.counts).toMatchObject({ outputTokens: 30, peakTokens: promptTokens + 400 })
      yield* Effect.flip(chat(vendor, { content: prompt, maxTokens: 100 }))
      yield* chat(vendor, { content: prompt })
      expect(yield* vendor.counts).toMatchObject({ served: 2, rateLimited: 1, peakTokens: 2 * promptTokens + 430 })
    }))

  it.scopedLive("counts images, system instructions and every message", () =>
    Effect.gen(function*() {
      const vendor = yield* make({ vendor: "openai" })
      const body = {
        model: "gpt-4o",
        messages: [
          { role: "system", content: "12345" },
          {
            role: "user",
            content: [
              { type: "text", text: "1234" },
              { type: "image_url", image_url: { url: "https://example.com/a.png" } }
            ]
          }
        ]
      }
      yield* Effect.promise(() =>
        fetch(`${vendor.url}/chat/completions`, { method: "POST", body: JSON.stringify(body) })
      )
      expect((yield* vendor.counts).inputTokens).toBe((4 + 2) + (4 + 1 + 85))
    }))
})

describe("clients that leave", () => {
  it.scopedLive("leave no answer behind, not even when its time comes", () =>
    Effect.gen(function*() {
      const vendor = yield* make({ vendor: "openai", latency: { firstTokenMs: 250, perTokenMs: 0 } })
      const left = yield* Effect.fork(chat(vendor, { content: prompt }))
      yield* vendor.awaitCounts(({ inputTokens }) => inputTokens > 0)
      yield* Fiber.interrupt(left)
      // Answered after the time at which the first one would have been.
      yield* chat(vendor, { content: prompt })
      const [first, second] = yield* vendor.admissions
      expect([first?.completedAtMs, second?.completedAtMs]).toEqual([undefined, expect.any(Number)])
      expect(yield* vendor.counts).toMatchObject({ aborted: 1, outputTokens: 30, peakTokens: 2 * promptTokens + 30 })
    }))
})

describe("faults", () => {
  it.scopedLive("come as often as scripted, in order, before the standing one, which stays until cleared", () =>
    Effect.gen(function*() {
      const vendor = yield* make({ vendor: "openai" })
      yield* vendor.setFault({ kind: "unauthorized" })
      yield* vendor.fail({ kind: "server_error", status: 502 }, { times: 2 })
      yield* vendor.fail({
        kind: "custom",
        status: 418,
        headers: { "x-teapot": "yes" },
        body: { error: { code: "tea" } }
      })
      const statuses = yield* Effect.replicateEffect(Effect.flip(chat(vendor, { content: prompt })), 5)
      expect(statuses.map(({ status }) => status)).toEqual([502, 502, 418, 401, 401])
      expect([statuses[2]?.body, statuses[2]?.headers.get("x-teapot")]).toEqual([{ error: { code: "tea" } }, "yes"])
      yield* vendor.setFault(undefined)
      yield* chat(vendor, { content: prompt })
    }))

  it.scopedLive("slow down by a factor", () =>
    Effect.gen(function*() {
      const vendor = yield* make({ vendor: "openai", latency: { firstTokenMs: 5, perTokenMs: 0 } })
      yield* vendor.fail({ kind: "slow", factor: 10 })
      yield* chat(vendor, { content: prompt })
      const [admitted] = yield* vendor.admissions
      // Node's timers may fire up to a millisecond early.
      expect(admitted!.completedAtMs! - admitted!.atMs).toBeGreaterThanOrEqual(49)
    }))
})

describe("speed", () => {
  it.scopedLive("shrinks latencies and what the client is told alike", () =>
    Effect.gen(function*() {
      const vendor = yield* make({
        vendor: "openai",
        requestLimit: 1,
        window: "1 hour",
        speed: 1000,
        latency: { firstTokenMs: 5000, perTokenMs: 0 }
      })
      yield* chat(vendor, { content: prompt })
      const [admitted] = yield* vendor.admissions
      // Node's timers may fire up to a millisecond early, which is a second here.
      expect(admitted!.completedAtMs! - admitted!.atMs).toBeGreaterThanOrEqual(4000)
      const { headers } = yield* Effect.flip(chat(vendor, { content: prompt }))
      expect(Number(headers.get("retry-after-ms"))).toBeGreaterThan(0)
      expect(Number(headers.get("retry-after-ms"))).toBeLessThanOrEqual(3600)
      expect(Number(headers.get("retry-after"))).toBeLessThanOrEqual(3.6)
    }))
})

describe("outside", () => {
  it.scopedLive("is plain data in both directions", () =>
    Effect.gen(function*() {
      const options: LoopbackVendorOptions = {
        vendor: "groq",
        requestLimit: 5,
        window: "10 seconds",
        latency: { firstTokenMs: 0, perTokenMs: 0, tail: { share: 0, factor: 1 } }
      }
      const vendor = yield* LoopbackVendor.make(structuredClone(options))
      yield* chat(vendor, { content: prompt })
      const seen = [yield* vendor.counts, yield* vendor.requests, yield* vendor.admissions]
      expect(structuredClone(seen)).toEqual(seen)
    }))

  it.scopedLive("keeps the newest requests only, without keys", () =>
    Effect.gen(function*() {
      const vendor = yield* make({ vendor: "gemini", keepRequests: 2 })
      for (const content of ["one", "two", "three"]) yield* chat(vendor, { content, apiKey: "secret-key" })
      const requests = yield* vendor.requests
      expect(requests.map(({ body }) => JSON.stringify(body))).toEqual([
        expect.stringContaining("two"),
        expect.stringContaining("three")
      ])
      expect(requests[0]).toMatchObject({ method: "POST", path: "/v1beta/models/gemini-2.5-flash:generateContent" })
      expect(JSON.stringify(requests)).not.toContain("secret-key")
    }))

  it.live("ends its connections with its scope", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const vendor = yield* make({ vendor: "openai" }).pipe(Scope.extend(scope))
      yield* vendor.fail({ kind: "timeout" })
      const waiting = yield* Effect.fork(Effect.flip(chat(vendor, { content: prompt })))
      yield* vendor.awaitCounts(({ inFlight }) => inFlight === 1)
      yield* Scope.close(scope, Exit.void)
      expect((yield* Fiber.join(waiting)).status).toBeUndefined()
      expect((yield* Effect.flip(chat(vendor, { content: prompt }))).status).toBeUndefined()
    }))

  it.scopedLive("answers what is not the chat endpoint with the vendor's 404, and half a request with a 400", () =>
    Effect.gen(function*() {
      const vendor = yield* make({ vendor: "anthropic" })
      const unknown = yield* Effect.promise(() => fetch(`${vendor.url}/v1/models`))
      expect([unknown.status, yield* Effect.promise(() => unknown.json())]).toEqual([404, {
        type: "error",
        error: { type: "not_found_error", message: "Not Found" },
        request_id: expect.any(String)
      }])
      const half = yield* Effect.promise(() =>
        fetch(`${vendor.url}/v1/messages`, { method: "POST", body: "{\"model\":" })
      )
      expect(half.status).toBe(400)
      expect(yield* vendor.counts).toMatchObject({ received: 2, failed: 2 })
    }))
})
