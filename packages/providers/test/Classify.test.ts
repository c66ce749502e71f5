import { describe, expect, it } from "@effect/vitest"
import type { FailureClass } from "@route-llm/core"
import { Effect, FastCheck as fc } from "effect"
import { classify } from "../src/Classify.ts"
import { anthropic, google, openai, perDay, perMinute, retryIn, rows } from "./errorRows.ts"
import { type Canned, failWith, type Vendor, vendors } from "./helpers.ts"

describe("each signal, through the vendor's SDK", () => {
  it.scoped.each(rows)("%s, %s", ([_, vendor, status, body, expected]) =>
    Effect.gen(function*() {
      const { calls, failure } = yield* failWith(vendor, { status, body })
      expect(failure).toMatchObject({ _tag: "ProviderFailure", class: expected, status })
      // The SDKs would call three times.
      expect(calls).toBe(1)
    }))
})

describe("no answer", () => {
  for (const vendor of vendors) {
    it.scoped(`${vendor}: a connection that is reset, or cut in the body`, () =>
      Effect.gen(function*() {
        const reset = yield* failWith(vendor, { fault: "reset" })
        expect([reset.failure.class, reset.calls]).toEqual(["network", 1])
        const cut = yield* failWith(vendor, {
          fault: "cut",
          body: "{\"a\":",
          headers: { "content-type": "application/json" }
        })
        expect([cut.failure.class, cut.calls]).toEqual(["network", 1])
      }))
  }
})

describe("how long to wait", () => {
  const now = Date.UTC(2026, 10, 23, 12)
  const limited = (headers: Readonly<Record<string, string>>, body: unknown = openai("rate_limit_exceeded")) =>
    ({ status: 429, headers, body }) satisfies Canned

  it.scoped.each<readonly [Vendor, Canned, number | undefined]>([
    ["openai", limited({ "retry-after-ms": "1500", "retry-after": "9" }), 1_500],
    ["openai", limited({ "x-ms-retry-after-ms": "250" }), 250],
    ["groq", limited({ "retry-after": "7" }), 7_000],
    ["anthropic", limited({ "retry-after": "0.5" }, anthropic("rate_limit_error")), 500],
    ["openai", limited({ "retry-after": "0" }), 0],
    ["openai", limited({ "retry-after": "99999999" }), 86_400_000],
    ["openai", limited({ "retry-after": "soon" }), undefined],
    ["openai", limited({ "retry-after": "-5" }), undefined],
    ["openai", limited({}), undefined],
    ["openai", limited({}, openai("rate_limit_exceeded", "Please try again in 7.66s. Visit")), 7_660],
    ["groq", limited({}, openai("rate_limit_exceeded", "Please try again in 2m59.56s. Visit")), 179_560],
    ["openai", limited({}, openai("rate_limit_exceeded", "Please try again in 6ms.")), 6],
    ["gemini", limited({}, google(429, "RESOURCE_EXHAUSTED", "m", [perMinute, retryIn("10.68s")])), 10_680],
    ["gemini", limited({}, google(429, "RESOURCE_EXHAUSTED", "m", [perDay, retryIn("22s")])), undefined]
  ])("%s: %o", ([vendor, canned, expected]) =>
    Effect.gen(function*() {
      expect((yield* failWith(vendor, canned)).failure.retryAfterMs).toBe(expected)
    }))

  it("takes a date as the time until then", () => {
    const at = (date: number) => ({
      status: 429,
      headers: new Headers({ "retry-after": new Date(date).toUTCString() })
    })
    expect(classify(at(now + 90_000), { nowMs: now }).retryAfterMs).toBe(90_000)
    expect(classify(at(now - 90_000), { nowMs: now }).retryAfterMs).toBe(0)
  })
})

describe("values that are no HTTP error", () => {
  const named = (name: string, message = "m") => Object.assign(new Error(message), { name })

  it.each<readonly [unknown, FailureClass]>([
    [named("TimeoutError"), "timeout"],
    [named("AbortError", "This operation was aborted"), "timeout"],
    [new TypeError("fetch failed", { cause: Object.assign(new Error("x"), { code: "ENOTFOUND" }) }), "network"],
    [
      new TypeError("fetch failed", { cause: Object.assign(new Error("x"), { code: "UND_ERR_CONNECT_TIMEOUT" }) }),
      "timeout"
    ],
    [Object.assign(new Error("x"), { code: "EAI_AGAIN" }), "network"],
    [new Error("Request was aborted."), "cancelled"],
    [new Error("Request timed out."), "timeout"],
    [new SyntaxError("Unexpected end of JSON input"), "transient"],
    [new Error("Could not resolve authentication method. Expected one of apiKey"), "credential"],
    [undefined, "transient"],
    [null, "transient"],
    ["words", "transient"],
    [42, "transient"],
    [{}, "transient"]
  ])("%s is %s", (thrown, expected) => {
    const failure = classify(thrown, { nowMs: 0 })
    expect(failure.class).toBe(expected)
    expect(failure.message).not.toBe("")
  })

  it("an abort is the caller's where the caller aborted", () => {
    expect(classify(named("AbortError"), { nowMs: 0, aborted: true }).class).toBe("cancelled")
    expect(classify({ status: 500 }, { nowMs: 0, aborted: true }).class).toBe("cancelled")
  })

  it("causes and bodies that contain themselves end", () => {
    const circular: { error?: unknown; cause?: unknown; message: string } = { message: "m" }
    circular.error = circular
    circular.cause = circular
    expect(classify(circular, { nowMs: 0 }).class).toBe("transient")
  })

  it("any JSON whatever is classified, in a short message", () => {
    fc.assert(fc.property(fc.jsonValue(), fc.integer({ min: 100, max: 599 }), (error, status) => {
      const failure = classify({ status, error, message: JSON.stringify(error) }, { nowMs: 0 })
      expect(failure.message.length).toBeLessThanOrEqual(300)
    }))
  })
})
