import AnthropicSdk from "@anthropic-ai/sdk"
import { describe, expect, it } from "@effect/vitest"
import { GoogleGenAI } from "@google/genai"
import { Effect, Fiber } from "effect"
import GroqSdk from "groq-sdk"
import OpenAI from "openai"
import { Anthropic, Gemini, Groq, OpenAi } from "../src/index.ts"
import { answers, connect, hello, serve, vendors } from "./helpers.ts"

describe("interruption", () => {
  for (const vendor of vendors) {
    it.scoped(`${vendor}: closes the connection`, () =>
      Effect.gen(function*() {
        const server = yield* serve({ fault: "hang" })
        const fiber = yield* Effect.fork(connect(vendor, server.url).chat(hello))
        yield* server.arrived
        yield* Fiber.interrupt(fiber)
        yield* server.abandoned
        expect(server.requests).toHaveLength(1)
      }))
  }
})

describe("the client's own settings", () => {
  it.scoped("its base URL, headers and fetch are used, and it is not changed", () =>
    Effect.gen(function*() {
      const server = yield* serve({ body: answers.openai })
      const urls: Array<string> = []
      const client = new OpenAI({
        apiKey: "k",
        baseURL: `${server.url}/proxy`,
        defaultHeaders: { "x-team": "blue" },
        maxRetries: 5,
        fetch: (url, init) => {
          urls.push(String(url))
          return fetch(url, init)
        }
      })
      const provider = yield* OpenAi.make({ name: "openai", client })
      yield* provider.chat(hello)
      expect(urls).toEqual([`${server.url}/proxy/chat/completions`])
      expect(server.requests[0]?.headers["x-team"]).toBe("blue")
      expect([client.maxRetries, client.baseURL]).toEqual([5, `${server.url}/proxy`])
    }))

  it.scoped("anthropic: its headers stay beside the API version that a temperature needs", () =>
    Effect.gen(function*() {
      const server = yield* serve({ body: answers.anthropic })
      const client = new AnthropicSdk({
        apiKey: "k",
        baseURL: server.url,
        defaultHeaders: { "x-team": "blue", "anthropic-beta": "b1" }
      })
      const provider = yield* Anthropic.make({ name: "anthropic", client, model: "claude-haiku-4-5" })
      yield* provider.chat({ ...hello, temperature: 0 })
      expect(server.requests[0]?.headers).toMatchObject({ "x-team": "blue", "anthropic-beta": "b1" })
    }))

  it.scoped("gemini: its base URL, API version, headers and fetch outlive the call's own options", () =>
    Effect.gen(function*() {
      const server = yield* serve({ body: answers.gemini })
      let calls = 0
      const client = new GoogleGenAI({
        apiKey: "k",
        vertexai: false,
        apiVersion: "v1",
        httpOptions: {
          baseUrl: `${server.url}/proxy`,
          headers: { "x-team": "blue" },
          fetch: (url, init) => {
            calls += 1
            return fetch(url, init)
          }
        }
      })
      const provider = yield* Gemini.make({ name: "gemini", client, model: "gemini-x" })
      yield* provider.chat(hello)
      expect(calls).toBe(1)
      expect(server.requests[0]?.path).toBe("/proxy/v1/models/gemini-x:generateContent")
      expect(server.requests[0]?.headers).toMatchObject({ "x-team": "blue", "x-goog-api-key": "k" })
    }))

  it.scoped("gemini: an answer that could be continued is not, since that would be a second request", () =>
    Effect.gen(function*() {
      const server = yield* serve({
        body: {
          candidates: [{ content: { parts: [{ text: "a" }] }, finishReason: "CONTINUATION", continuationToken: "t" }]
        }
      })
      const response = yield* connect("gemini", server.url).chat(hello)
      expect([response.content, response.finishReason, server.requests.length]).toEqual(["a", "length", 1])
    }))

  it.scoped("gemini: the SDK's own timeout is a timeout, not the caller's abort", () =>
    Effect.gen(function*() {
      const server = yield* serve({ fault: "hang" })
      const client = new GoogleGenAI({
        apiKey: "k",
        vertexai: false,
        httpOptions: { baseUrl: server.url, timeout: 20 }
      })
      const provider = yield* Gemini.make({ name: "gemini", client })
      expect((yield* Effect.flip(provider.chat(hello))).class).toBe("timeout")
    }))

  it.scoped.each(
    [
      [
        "openai",
        (url: string) => OpenAi.make({ name: "x", client: new OpenAI({ apiKey: "k", baseURL: url, timeout: 20 }) })
      ],
      [
        "groq",
        (url: string) => Groq.make({ name: "x", client: new GroqSdk({ apiKey: "k", baseURL: url, timeout: 20 }) })
      ],
      [
        "anthropic",
        (url: string) =>
          Anthropic.make({ name: "x", client: new AnthropicSdk({ apiKey: "k", baseURL: url, timeout: 20 }) })
      ]
    ] as const
  )("%s: the client's timeout holds, once", ([_, make]) =>
    Effect.gen(function*() {
      const server = yield* serve({ fault: "hang" })
      const provider = yield* make(server.url)
      expect((yield* Effect.flip(provider.chat(hello))).class).toBe("timeout")
      expect(server.requests.length).toBe(1)
    }))

  it.effect("a port where nobody listens is a failure of the network", () =>
    Effect.gen(function*() {
      const { url } = yield* Effect.scoped(serve({}))
      for (const vendor of vendors) {
        expect((yield* Effect.flip(connect(vendor, url).chat(hello))).class).toBe("network")
      }
    }))
})
