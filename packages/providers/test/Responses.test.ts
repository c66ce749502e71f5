import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { answers, type Canned, connect, failWith, hello, serve, type Vendor, vendors } from "./helpers.ts"

const chat = (vendor: Vendor, canned: Canned) =>
  Effect.gen(function*() {
    const server = yield* serve(canned)
    return yield* connect(vendor, server.url).chat(hello)
  })

const completion = (choice: unknown, usage?: unknown) => ({ object: "chat.completion", choices: [choice], usage })

describe("the answer", () => {
  it.scoped("of each vendor", () =>
    Effect.gen(function*() {
      const read = yield* Effect.forEach(vendors, (vendor) =>
        Effect.map(chat(vendor, { body: answers[vendor] }), ({ raw, ...response }) => {
          expect(raw).toMatchObject(answers[vendor])
          return response
        }))
      expect(read).toEqual([
        {
          content: "Fine.",
          finishReason: "stop",
          model: "gpt-4o-2024-08-06",
          usage: { inputTokens: 12, outputTokens: 3, cachedInputTokens: 8, cacheWriteTokens: undefined }
        },
        {
          content: "Fine.",
          finishReason: "stop",
          model: "claude-sonnet-4-5-20250929",
          usage: { inputTokens: 12, outputTokens: 3, cachedInputTokens: 4, cacheWriteTokens: 3 }
        },
        {
          content: "Fine.",
          finishReason: "stop",
          model: "gemini-2.5-flash",
          usage: { inputTokens: 12, outputTokens: 10, cachedInputTokens: 8 }
        },
        {
          content: "Fine.",
          finishReason: "length",
          model: "llama-3.3-70b-versatile",
          usage: { inputTokens: 12, outputTokens: 3, cachedInputTokens: undefined, cacheWriteTokens: undefined }
        }
      ])
    }))

  it.scoped("names the model that was asked where the vendor names none, and no usage where it counted none", () =>
    Effect.gen(function*() {
      const response = yield* chat("openai", { body: completion({ message: { content: "x" } }) })
      expect(response).toMatchObject({ model: "gpt-5.4", content: "x", finishReason: "other" })
      expect(response.usage).toBeUndefined()
    }))

  it.scoped.each(
    [
      ["null content", "groq", completion({ message: { content: null }, finish_reason: "tool_calls" }), ""],
      [
        "content in parts",
        "openai",
        completion({ message: { content: [{ type: "thinking", thinking: [] }, { type: "text", text: "a" }] } }),
        "a"
      ],
      ["a refusal", "openai", completion({ message: { content: null, refusal: "No." } }), "No."],
      ["content: []", "anthropic", { type: "message", content: [] }, ""],
      ["no parts", "gemini", { candidates: [{ finishReason: "MAX_TOKENS" }] }, ""]
    ] as const
  )("tolerates %s", ([_, vendor, body, content]) =>
    Effect.gen(function*() {
      expect((yield* chat(vendor, { body })).content).toBe(content)
    }))

  it.scoped.each(
    [
      ["openai", "function_call", "tool_calls"],
      ["openai", "eos", "other"],
      ["anthropic", "max_tokens", "length"],
      ["anthropic", "model_context_window_exceeded", "length"],
      ["anthropic", "stop_sequence", "stop"],
      ["anthropic", "tool_use", "tool_calls"],
      ["anthropic", "refusal", "content_filter"],
      ["anthropic", "pause_turn", "other"],
      ["gemini", "MAX_TOKENS", "length"],
      ["gemini", "SAFETY", "content_filter"],
      ["gemini", "MALFORMED_FUNCTION_CALL", "other"]
    ] as const
  )("%s: finish reason %s is %s", ([vendor, reason, expected]) =>
    Effect.gen(function*() {
      const bodies = {
        openai: completion({ message: { content: "x" }, finish_reason: reason }),
        anthropic: { content: [{ type: "text", text: "x" }], stop_reason: reason },
        gemini: { candidates: [{ content: { parts: [{ text: "x" }] }, finishReason: reason }] }
      }
      expect((yield* chat(vendor, { body: bodies[vendor] })).finishReason).toBe(expected)
    }))

  it.scoped("that the filter ended before its first word is a refusal, with what it cost", () =>
    Effect.gen(function*() {
      const gemini = yield* failWith("gemini", {
        body: { promptFeedback: { blockReason: "SAFETY" }, usageMetadata: { promptTokenCount: 9 } }
      })
      expect(gemini.failure).toMatchObject({ class: "content_policy", usage: { inputTokens: 9, outputTokens: 0 } })
      const openai = yield* failWith("openai", {
        body: completion({ message: { content: null }, finish_reason: "content_filter" })
      })
      expect(openai.failure.class).toBe("content_policy")
      const anthropic = yield* failWith("anthropic", { body: { content: [], stop_reason: "refusal" } })
      expect(anthropic.failure.class).toBe("content_policy")
    }))
})

describe("an answer without a message is a transient failure", () => {
  it.scoped.each(
    [
      ["openai", { choices: [] }],
      ["openai", completion({ finish_reason: "stop" })],
      ["groq", { choices: [null] }],
      ["gemini", { usageMetadata: { promptTokenCount: 3 } }],
      ["gemini", { candidates: [{}] }]
    ] as const
  )("%s", ([vendor, body]) =>
    Effect.gen(function*() {
      expect(yield* Effect.flip(chat(vendor, { body }))).toMatchObject({ class: "transient" })
    }))
})

describe("garbage under status 200 is a transient failure", () => {
  const garbage: ReadonlyArray<readonly [string, Canned]> = [
    ["an HTML page", { body: "<!doctype html><p>captive portal</p>" }],
    ["HTML that says it is JSON", { body: "<html></html>", headers: { "content-type": "application/json" } }],
    ["an empty body", {}],
    ["an empty body without a type", { headers: { "content-length": "0", "content-type": "text/plain" } }],
    ["null", { body: null }],
    ["an array", { body: [1, 2] }],
    ["JSON of another shape", { body: { data: { text: "hi" } } }],
    ["a number", { body: 42 }]
  ]
  for (const vendor of vendors) {
    it.scoped.each(garbage)(`${vendor}: %s`, ([_, canned]) =>
      Effect.gen(function*() {
        const { failure } = yield* failWith(vendor, canned)
        expect(failure).toMatchObject({ _tag: "ProviderFailure", class: "transient" })
        expect(failure.message).not.toBe("")
      }))
  }

  it.scoped("and an error that is reported there is read like any other", () =>
    Effect.gen(function*() {
      const top = yield* failWith("openai", { body: { error: { code: 402, message: "Insufficient credits" } } })
      expect(top.failure).toMatchObject({ class: "quota", status: 402, message: "Insufficient credits" })
      const inChoice = yield* failWith("openai", {
        body: completion({ error: { code: 429, message: "Provider is rate limited" }, message: { content: "" } })
      })
      expect(inChoice.failure).toMatchObject({ class: "rate_limit", status: 429 })
    }))
})
