import { describe, expect, it } from "@effect/vitest"
import { type FailureClass, ProviderFailure } from "@route-llm/core"
import { Effect, FastCheck as fc } from "effect"
import { classify } from "../src/Classify.ts"
import { anthropic, google, openai, perDay, perMinute, retryIn, rows } from "./errorRows.ts"
import { type Canned, failWith, type Vendor, vendors } from "./helpers.ts"
import { moreRows } from "./moreErrorRows.ts"

describe("each signal, through the vendor's SDK", () => {
  it.scoped.each([...rows, ...moreRows])("%s, %s", ([_, vendor, status, body, expected]) =>
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
    ["openai", limited({ "retry-after": "0" }), undefined],
    ["openai", limited({ "retry-after-ms": "0", "retry-after": "9" }), 9_000],
    ["openai", limited({ "retry-after": "99999999" }), 86_400_000],
    ["openai", limited({ "retry-after": "soon" }), undefined],
    ["openai", limited({ "retry-after": "-5" }), undefined],
    ["openai", limited({}), undefined],
    ["openai", limited({}, openai("rate_limit_exceeded", "Please try again in 7.66s. Visit")), 7_660],
    ["groq", limited({}, openai("rate_limit_exceeded", "Please try again in 2m59.56s. Visit")), 179_560],
    ["openai", limited({}, openai("rate_limit_exceeded", "Please try again in 6ms.")), 6],
    ["openai", limited({}, openai("rate_limit_exceeded", "Please try again in 0s.")), undefined],
    ["openai", limited({}, openai("rate_limit_exceeded", "Please try again in 1h2m3.5s.")), 3_723_500],
    ["groq", limited({}, openai("rate_limit_exceeded", "Please try again in 23h59m59s.")), 86_399_000],
    ["openai", limited({}, openai("rate_limit_exceeded", "Please try again in 1d2h. Visit")), 86_400_000],
    ["openai", limited({}, openai("429", "Please retry after 26 seconds.")), 26_000],
    ["openai", limited({}, openai("429", "Please retry after 1 second.")), 1_000],
    ["openai", limited({}, openai("429", "Try again in about 2 minutes and 5 seconds")), 125_000],
    ["openai", limited({}, openai("429", "Please wait 45 seconds before retrying.")), 45_000],
    ["openai", limited({}, openai("429", "Please wait before trying again, 5 models")), undefined],
    ["openai", limited({ "retry-after": "3" }, openai("429", "Please retry after 26 seconds.")), 3_000],
    ["openai", limited({ "retry-after": "60" }, openai("rate_limit_exceeded", "Request too large for m")), undefined],
    ["groq", { ...limited({ "retry-after": "60" }, openai("request_too_large")), status: 413 }, undefined],
    ["openai", { status: 500, body: openai(null, "Please try again in 1d.") }, undefined],
    ["gemini", limited({}, google(429, "RESOURCE_EXHAUSTED", "You exceeded it. Please retry in 22.06s.")), 22_060],
    ["gemini", limited({}, google(429, "RESOURCE_EXHAUSTED", "Please retry in 9s.", [retryIn("0s")])), 9_000],
    ["gemini", limited({}, google(429, "RESOURCE_EXHAUSTED", "m", [retryIn("soon"), retryIn("3s")])), 3_000],
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
    expect(classify(at(now - 90_000), { nowMs: now }).retryAfterMs).toBeUndefined()
  })
})

describe("figures", () => {
  it("whatever a vendor writes, it names whole ms up to a day, or no time", () => {
    const written = fc.oneof(
      fc.double().map(String),
      fc.integer().map(String),
      fc.bigInt().map((value) => `${value}s`),
      fc.date().map(String),
      fc.stringMatching(/^-?\d{1,20}(\.\d{0,12})?(ms|s|m|h|d| seconds| days|)$/),
      fc.string()
    )
    const signal = fc.record({
      headers: fc.dictionary(fc.constantFrom("retry-after", "retry-after-ms", "x-ms-retry-after-ms"), written),
      message: written.map((time) => `Please try again in ${time}`),
      details: fc.array(written.map(retryIn), { maxLength: 2 })
    })
    fc.assert(
      fc.property(signal, fc.integer(), ({ details, headers, message }, nowMs) => {
        const { retryAfterMs = 1 } = classify({ status: 429, headers, error: { message, details } }, { nowMs })
        expect(Number.isSafeInteger(retryAfterMs) && retryAfterMs >= 1 && retryAfterMs <= 86_400_000).toBe(true)
      }),
      { numRuns: 500 }
    )
  })

  it("that an adapter could not read are left out of its failure", () => {
    for (const retryAfterMs of [NaN, -1, 0, Infinity]) {
      const sound = { dimension: "tokens", limit: 5, remaining: 1 } as const
      const limits = [sound, { dimension: "requests", remaining: NaN }, { dimension: "requests", resetMs: -1 }] as const
      const thrown = new ProviderFailure({ class: "rate_limit", message: "m", status: 429, retryAfterMs, limits })
      const failure = classify(thrown, { nowMs: 0 })
      expect(failure).toMatchObject({ class: "rate_limit", message: "m", status: 429, limits: [sound] })
      expect(failure.retryAfterMs).toBeUndefined()
    }
    const told = new ProviderFailure({ class: "rate_limit", message: "m", retryAfterMs: 5 })
    expect(classify(told, { nowMs: 0 })).toBe(told)
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
    // In the events of a stream: no status, but an error of the vendor's.
    [{ error: { message: "Request was aborted." } }, "transient"],
    [{ error: { message: "terminated" } }, "transient"],
    [{ status: 500, message: "Request was aborted." }, "transient"],
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
