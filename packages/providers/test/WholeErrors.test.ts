/** Error bodies without an `error`, which OpenAI's SDK drops: read whole where the client was made here. */
import { describe, expect, it } from "@effect/vitest"
import type { FailureClass } from "@route-llm/core"
import { Effect } from "effect"
import * as OpenAi from "../src/OpenAi.ts"
import { google, openai } from "./errorRows.ts"
import { type Canned, failWith, hello, serve } from "./helpers.ts"
import { bare, detailed, tooLongForCerebras, tooLongForVllm } from "./moreErrorRows.ts"

/** Of one call, whole and as a stream, through a client made from a key. */
const failures = (canned: Canned) =>
  Effect.gen(function*() {
    const server = yield* serve(canned)
    const provider = yield* OpenAi.make({ name: "mine", apiKey: "k", baseUrl: server.url })
    const whole = yield* Effect.flip(provider.chat(hello))
    const opened = yield* Effect.flip(Effect.scoped(provider.stream!(hello)))
    return { whole, opened, calls: server.requests.length }
  })

it.scoped.each<readonly [string, number, unknown, FailureClass, string]>([
  ["Mistral", 400, bare("Expected last role", "invalid_request", "3230"), "caller_fault", "Expected last role"],
  ["Mistral's model", 400, bare("Invalid model: x", "invalid_model", "1500"), "model_gone", "Invalid model: x"],
  [
    "Mistral's field",
    422,
    { object: "error", message: detailed },
    "caller_fault",
    "body.messages.0.content: Field required"
  ],
  ["FastAPI", 422, detailed, "caller_fault", "body.messages.0.content: Field required"],
  ["FastAPI in words", 403, { detail: "Not allowed" }, "credential", "Not allowed"],
  ["vLLM", 400, tooLongForVllm, "context_too_long", tooLongForVllm.message],
  ["Cerebras", 400, tooLongForCerebras, "context_too_long", tooLongForCerebras.message],
  ["Gemini's list", 400, [google(400, "INVALID_ARGUMENT", "API key not valid.")], "credential", "API key not valid."],
  ["OpenAI", 400, openai(null, "Invalid type"), "caller_fault", "Invalid type"],
  ["Ollama", 404, { error: "model \"x\" not found" }, "model_gone", "model \"x\" not found"],
  ["a page", 400, "<html>400</html>", "transient", "The vendor answered with a page, not in its error format."]
])("%s", ([_, status, body, expected, message]) =>
  Effect.gen(function*() {
    const { opened, whole } = yield* failures({ status, body })
    expect(whole).toMatchObject({ class: expected, status, message })
    expect(opened).toMatchObject({ class: expected, status, message })
  }))

it.scoped("what comes with the body is kept", () =>
  Effect.gen(function*() {
    const body = bare("Requests rate limit exceeded", "rate_limited", "1300")
    const headers = { "retry-after": "7", "x-ratelimit-limit-req-minute": "6", "x-ratelimit-remaining-req-minute": "0" }
    expect((yield* failures({ status: 429, body, headers })).whole).toMatchObject({
      class: "rate_limit",
      status: 429,
      code: "1300",
      retryAfterMs: 7_000,
      limits: [{ dimension: "requests", limit: 6, remaining: 0 }]
    })
  }))

it.scoped("a connection that breaks in the body is one that broke", () =>
  Effect.gen(function*() {
    const { calls, whole } = yield* failures({
      status: 400,
      fault: "cut",
      body: "{\"a\":",
      headers: { "content-type": "application/json" }
    })
    expect([whole.class, calls]).toEqual(["network", 2])
  }))

describe("a client of the user's", () => {
  it.scoped("drops the body: the message says so, and how it is kept", () =>
    Effect.gen(function*() {
      const { failure } = yield* failWith("openai", { status: 400, body: tooLongForVllm })
      expect(failure).toMatchObject({ class: "caller_fault", status: 400 })
      expect(failure.message).toContain("A provider made from `apiKey` and `baseUrl` keeps it.")
    }))

  it.scoped("is not told to where there was none", () =>
    Effect.gen(function*() {
      const json = { "content-type": "application/json" }
      const empty = { status: 400, body: "", headers: { ...json, "content-length": "0" } }
      expect((yield* failWith("openai", empty)).failure)
        .toMatchObject({ class: "transient", message: "400 status code (no body)" })
      const cut = { status: 400, fault: "cut", body: "{\"a\":", headers: json } as const
      expect((yield* failWith("openai", cut)).failure.class).toBe("transient")
      const page = { status: 400, body: "<html>400</html>", headers: json }
      expect((yield* failWith("openai", page)).failure.class).toBe("transient")
    }))
})
