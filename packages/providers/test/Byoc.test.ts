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
        (url: string) => OpenAi.make({ name: "x", client: new OpenAI({ apiKey: "k", baseURL: url, timeout: 500 }) })
      ],
      [
        "groq",
        (url: string) => Groq.make({ name: "x", client: new GroqSdk({ apiKey: "k", baseURL: url, timeout: 500 }) })
      ],
      [
        "anthropic",
        (url: string) =>
          Anthropic.make({ name: "x", client: new AnthropicSdk({ apiKey: "k", baseURL: url, timeout: 500 }) })
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

describe("clients that only look like the SDK's", () => {
  const limited = new Headers({ "x-ratelimit-limit-requests": "5", "x-ratelimit-remaining-requests": "4" })
  const hostile = new Proxy({}, {
    get: () => {
      throw new Error("hostile")
    }
  })
  const broken = () => {
    throw new Error("broken")
  }

  /** A promise of an answer with this method beside it. */
  const promise = (withResponse: unknown) => Object.assign(Promise.resolve(answers.openai), { withResponse })

  it.effect.each<readonly [string, () => PromiseLike<unknown>]>([
    ["a plain promise", () => Promise.resolve(answers.openai)],
    ["a method that throws", () => promise(broken)],
    ["a method that rejects", () => promise(() => Promise.reject(new Error("broken")))],
    ["a method of another kind", () => promise(() => "data")],
    ["no method", () => promise("no")],
    ["no data", () => promise(() => ({ response: { headers: limited } }))],
    ["no response", () => promise(() => ({ data: answers.openai }))],
    ["headers that throw", () => promise(() => ({ data: answers.openai, response: { headers: hostile } }))],
    ["headers that are none", () => promise(() => ({ data: answers.openai, response: { headers: 7 } }))]
  ])("are answered, without readings: %s", ([_, create]) =>
    Effect.gen(function*() {
      let calls = 0
      const counted = () => {
        calls += 1
        return create()
      }
      for (const make of [OpenAi.make, Groq.make]) {
        const mine = yield* make({ name: "x", client: { chat: { completions: { create: counted } } } })
        const response = yield* mine.chat(hello)
        expect([response.content, response.limits, response.raw]).toEqual(["Fine.", undefined, answers.openai])
      }
      expect(calls).toBe(2)
    }))

  it.effect("are read where they show the headers as the SDK does", () =>
    Effect.gen(function*() {
      const create = () => promise(() => ({ data: answers.openai, response: { headers: limited } }))
      const mine = yield* OpenAi.make({ name: "x", client: { chat: { completions: { create } } } })
      expect((yield* mine.chat(hello)).limits).toEqual([{ dimension: "requests", limit: 5, remaining: 4 }])
    }))

  it.effect("of Anthropic's and Google's shape likewise", () =>
    Effect.gen(function*() {
      const anthropic = yield* Anthropic.make({
        name: "x",
        client: { messages: { create: () => Promise.resolve(answers.anthropic) } }
      })
      const gemini = yield* Gemini.make({
        name: "x",
        client: { models: { generateContent: () => Promise.resolve(answers.gemini) } }
      })
      for (const mine of [anthropic, gemini]) {
        const response = yield* mine.chat(hello)
        expect([response.content, response.limits]).toEqual(["Fine.", undefined])
      }
    }))

  it.effect("fail in their own words, once", () =>
    Effect.gen(function*() {
      let calls = 0
      const error = Object.assign(new Error("m"), {
        status: 429,
        headers: limited,
        error: { code: "rate_limit_exceeded" }
      })
      const create = () => {
        calls += 1
        const failed = Promise.reject(error)
        return Object.assign(failed, { withResponse: () => failed })
      }
      const mine = yield* OpenAi.make({ name: "x", client: { chat: { completions: { create } } } })
      expect(yield* Effect.flip(mine.chat(hello))).toMatchObject({
        class: "rate_limit",
        limits: [{ dimension: "requests", limit: 5, remaining: 4 }]
      })
      expect(calls).toBe(1)
    }))
})
