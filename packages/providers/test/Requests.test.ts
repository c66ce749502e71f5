import AnthropicSdk from "@anthropic-ai/sdk"
import { describe, expect, it } from "@effect/vitest"
import type { ChatRequest } from "@route-llm/core"
import { Effect } from "effect"
import OpenAI from "openai"
import * as Anthropic from "../src/Anthropic.ts"
import * as OpenAi from "../src/OpenAi.ts"
import { answers, canary, connect, hello, serve, type Vendor, vendors } from "./helpers.ts"

const image = "data:image/png;base64,iVBORw0KGgo="

const conversation: ChatRequest = {
  messages: [
    { role: "system", content: "Be brief." },
    { role: "user", content: "Hi" },
    { role: "assistant", content: "Hello." },
    { role: "system", content: [{ type: "text", text: "Speak French." }] },
    {
      role: "user",
      content: [
        { type: "text", text: "What is it?" },
        { type: "image_url", image_url: { url: image, detail: "low" } },
        { type: "image_url", image_url: { url: "https://example.com/cat.webp?s=1" } }
      ]
    }
  ],
  maxTokens: 99,
  temperature: 0.4,
  stop: ["END", "STOP"]
}

const sent = (vendor: Vendor, request: ChatRequest) =>
  Effect.gen(function*() {
    const server = yield* serve({ body: answers[vendor] })
    yield* connect(vendor, server.url).chat(request)
    expect(server.requests).toHaveLength(1)
    return server.requests[0]!
  })

const openAiBody = {
  messages: [
    { role: "system", content: "Be brief." },
    { role: "user", content: "Hi" },
    { role: "assistant", content: "Hello." },
    { role: "system", content: [{ type: "text", text: "Speak French." }] },
    {
      role: "user",
      content: [
        { type: "text", text: "What is it?" },
        { type: "image_url", image_url: { url: image, detail: "low" } },
        { type: "image_url", image_url: { url: "https://example.com/cat.webp?s=1" } }
      ]
    }
  ],
  temperature: 0.4,
  stop: ["END", "STOP"]
}

describe("the request on the wire", () => {
  it.scoped("openai", () =>
    Effect.gen(function*() {
      const request = yield* sent("openai", { ...conversation, topP: 0.9 })
      expect([request.method, request.path]).toEqual(["POST", "/v1/chat/completions"])
      expect(request.headers.authorization).toBe(`Bearer ${canary}`)
      expect(request.body).toEqual({ model: "gpt-5.4", ...openAiBody, max_completion_tokens: 99, top_p: 0.9 })
    }))

  it.scoped("groq", () =>
    Effect.gen(function*() {
      const request = yield* sent("groq", { ...conversation, topP: 0.9 })
      expect([request.method, request.path]).toEqual(["POST", "/openai/v1/chat/completions"])
      expect(request.headers.authorization).toBe(`Bearer ${canary}`)
      expect(request.body).toEqual({
        model: "llama-3.3-70b-versatile",
        ...openAiBody,
        max_completion_tokens: 99,
        top_p: 0.9
      })
    }))

  it.scoped("anthropic", () =>
    Effect.gen(function*() {
      const request = yield* sent("anthropic", { ...conversation, topP: 0.9 })
      expect([request.method, request.path]).toEqual(["POST", "/v1/messages"])
      expect(request.headers.authorization).toBe(`Bearer ${canary}`)
      expect(request.headers["anthropic-version"]).toBe("2023-06-01")
      expect(request.body).toEqual({
        model: "claude-haiku-4-5",
        max_tokens: 99,
        system: "Be brief.\n\nSpeak French.",
        messages: [
          { role: "user", content: [{ type: "text", text: "Hi" }] },
          { role: "assistant", content: [{ type: "text", text: "Hello." }] },
          {
            role: "user",
            content: [
              { type: "text", text: "What is it?" },
              { type: "image", source: { type: "base64", media_type: "image/png", data: "iVBORw0KGgo=" } },
              { type: "image", source: { type: "url", url: "https://example.com/cat.webp?s=1" } }
            ]
          }
        ],
        temperature: 0.4,
        stop_sequences: ["END", "STOP"]
      })
    }))

  it.scoped("gemini", () =>
    Effect.gen(function*() {
      const request = yield* sent("gemini", { ...conversation, topP: 0.9 })
      expect([request.method, request.path]).toEqual(["POST", "/v1beta/models/gemini-flash-latest:generateContent"])
      expect(request.headers["x-goog-api-key"]).toBe(canary)
      expect(request.body).toEqual({
        systemInstruction: { role: "user", parts: [{ text: "Be brief.\n\nSpeak French." }] },
        contents: [
          { role: "user", parts: [{ text: "Hi" }] },
          { role: "model", parts: [{ text: "Hello." }] },
          {
            role: "user",
            parts: [
              { text: "What is it?" },
              { inlineData: { mimeType: "image/png", data: "iVBORw0KGgo=" } },
              { fileData: { mimeType: "image/webp", fileUri: "https://example.com/cat.webp?s=1" } }
            ]
          }
        ],
        generationConfig: { temperature: 0.4, topP: 0.9, maxOutputTokens: 99, stopSequences: ["END", "STOP"] }
      })
    }))

  it.scoped("holds no field the caller left out", () =>
    Effect.gen(function*() {
      const bodies = yield* Effect.forEach(vendors, (vendor) => Effect.map(sent(vendor, hello), ({ body }) => body))
      const user = { role: "user", content: "Hello there, how are you?" }
      expect(bodies).toEqual([
        { model: "gpt-5.4", messages: [user] },
        {
          model: "claude-haiku-4-5",
          max_tokens: Anthropic.defaultMaxTokens,
          messages: [{ role: "user", content: [{ type: "text", text: user.content }] }]
        },
        { contents: [{ role: "user", parts: [{ text: user.content }] }], generationConfig: {} },
        { model: "llama-3.3-70b-versatile", messages: [user] }
      ])
    }))

  it.scoped("a conversation of system messages only becomes a user turn where the system prompt stands apart", () =>
    Effect.gen(function*() {
      const request = { messages: [{ role: "system", content: "a" }, { role: "system", content: "b" }] } as const
      const anthropic = yield* sent("anthropic", request)
      expect(anthropic.body).toMatchObject({
        messages: [{ role: "user", content: [{ type: "text", text: "a\n\nb" }] }]
      })
      expect(anthropic.body).not.toHaveProperty("system")
      const gemini = yield* sent("gemini", request)
      expect(gemini.body).toMatchObject({ contents: [{ role: "user", parts: [{ text: "a\n\nb" }] }] })
    }))

  it.scoped("what a vendor has no form for is the caller's fault, and is not sent", () =>
    Effect.gen(function*() {
      const server = yield* serve({ body: answers.anthropic })
      const provider = connect("anthropic", server.url)
      const picture = (url: string) => [{ type: "image_url", image_url: { url } }] as const
      for (
        const message of [
          { role: "system", content: picture(image) },
          { role: "user", content: picture("data:image/png,raw") },
          { role: "user", content: picture("data:nonsense") },
          { role: "user", content: picture("data:image/bmp;base64,AAAA") }
        ] as const
      ) {
        const failure = yield* Effect.flip(provider.chat({ messages: [message] }))
        expect(failure.class).toBe("caller_fault")
      }
      expect(server.requests).toHaveLength(0)
    }))
})

describe("what models take", () => {
  const openAiSent = (model: string, baseURL?: string) =>
    Effect.gen(function*() {
      const bodies: Array<Record<string, unknown>> = []
      const client = new OpenAI({
        apiKey: "k",
        baseURL,
        fetch: async (_url, init) => {
          bodies.push(JSON.parse(String(init?.body)))
          return Response.json(answers.openai)
        }
      })
      const provider = yield* OpenAi.make({ name: "openai", client, model })
      yield* provider.chat({ ...hello, maxTokens: 7, temperature: 0.5, topP: 0.5 })
      const { messages: _, ...body } = bodies[0]!
      return body
    })

  const sampling = { temperature: 0.5, top_p: 0.5 }

  it.effect.each(
    [
      ["gpt-4o", "https://api.openai.com/v1", { max_completion_tokens: 7, ...sampling }],
      ["gpt-4o", "https://eu.api.openai.com/v1", { max_completion_tokens: 7, ...sampling }],
      ["my-deployment", "https://x.openai.azure.com/openai/v1", { max_completion_tokens: 7, ...sampling }],
      ["gpt-4o", "https://openai.com.example.org/v1", { max_tokens: 7, ...sampling }],
      ["mistral-large-latest", "https://api.mistral.ai/v1", { max_tokens: 7, ...sampling }],
      ["openai/o3-mini", "https://openrouter.ai/api/v1", { max_completion_tokens: 7 }],
      ["ft:o4-mini:org", "https://api.openai.com/v1", { max_completion_tokens: 7 }],
      ["gpt-5", "https://api.openai.com/v1", { max_completion_tokens: 7 }],
      ["gpt-5-mini-2025-08-07", "https://api.openai.com/v1", { max_completion_tokens: 7 }],
      ["gpt-5-chat-latest", "https://api.openai.com/v1", { max_completion_tokens: 7, ...sampling }],
      ["openai/gpt-5.2", "https://openrouter.ai/api/v1", { max_completion_tokens: 7, ...sampling }],
      ["olmo-7b", "http://localhost:11434/v1", { max_tokens: 7, ...sampling }]
    ] as const
  )("openai: %s at %s", ([model, baseURL, expected]) =>
    Effect.gen(function*() {
      expect(yield* openAiSent(model, baseURL)).toEqual({ model, ...expected })
    }))

  const anthropicSent = (model: string, request: Partial<ChatRequest>) =>
    Effect.gen(function*() {
      const server = yield* serve({ body: answers.anthropic })
      const client = new AnthropicSdk({ apiKey: "k", baseURL: server.url })
      const provider = yield* Anthropic.make({ name: "anthropic", client, model })
      yield* provider.chat({ ...hello, ...request })
      const { body, headers } = server.requests[0]!
      const { max_tokens: _max, messages: _messages, model: _model, ...rest } = body as Record<string, unknown>
      return [rest, headers["anthropic-version"]] as const
    })

  const old = "2023-06-01"
  const present = "2026-10-21"

  it.scoped.each(
    [
      ["claude-haiku-4-5", { temperature: 1.7 }, { temperature: 1 }, old],
      ["claude-haiku-4-5", { topP: 0.3 }, { top_p: 0.3 }, old],
      ["claude-haiku-4-5", {}, {}, present],
      ["claude-opus-4-20250514", { temperature: 0 }, { temperature: 0 }, old],
      ["claude-opus-4-1@20250805", { temperature: 0 }, { temperature: 0 }, old],
      ["anthropic.claude-3-5-sonnet-20241022-v2:0", { temperature: 0 }, { temperature: 0 }, old],
      ["claude-sonnet-4-6", { temperature: 0 }, { temperature: 0 }, old],
      ["claude-opus-4-7", { temperature: 0 }, {}, present],
      ["claude-sonnet-5-5", { temperature: 0, topP: 0.3 }, {}, present],
      ["kimi-k2", { temperature: 0.2 }, { temperature: 0.2 }, old]
    ] as const
  )("anthropic: %s with %o", ([model, request, expected, version]) =>
    Effect.gen(function*() {
      expect(yield* anthropicSent(model, request)).toEqual([expected, version])
    }))

  it.scoped("anthropic: a large maxTokens does not meet the SDK's demand for streaming", () =>
    Effect.gen(function*() {
      const server = yield* serve({ body: answers.anthropic })
      yield* connect("anthropic", server.url).chat({ ...hello, maxTokens: 64_000 })
      expect(server.requests[0]?.body).toMatchObject({ max_tokens: 64_000 })
    }))
})
