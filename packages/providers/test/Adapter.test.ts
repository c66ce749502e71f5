import AnthropicSdk from "@anthropic-ai/sdk"
import { describe, expect, it } from "@effect/vitest"
import { GoogleGenAI } from "@google/genai"
import { ProviderRegistry } from "@route-llm/core"
import { Config, ConfigProvider, Effect, Layer, Redacted } from "effect"
import GroqSdk from "groq-sdk"
import OpenAI from "openai"
import { Anthropic, connectProvider, Gemini, Groq, OpenAi } from "../src/index.ts"
import { answers, serve } from "./helpers.ts"

describe("a provider from a key", () => {
  it.scoped.each(
    [
      ["openai", OpenAi.make, "authorization", "Bearer secret-key"],
      ["anthropic", Anthropic.make, "authorization", "Bearer secret-key"],
      ["gemini", Gemini.make, "x-goog-api-key", "secret-key"],
      ["groq", Groq.make, "authorization", "Bearer secret-key"]
    ] as const
  )("%s", ([vendor, make, header, value]) =>
    Effect.gen(function*() {
      const server = yield* serve({ body: answers[vendor] })
      for (const apiKey of ["secret-key", Redacted.make("secret-key")]) {
        const provider = yield* make({ name: "mine", apiKey, baseUrl: server.url })
        expect((yield* provider.chat({ messages: [{ role: "user", content: "Hello" }] })).content).toBe("Fine.")
      }
      expect(server.requests.map(({ headers }) => headers[header])).toEqual([value, value])
    }))

  it.effect("names the package that is missing", () =>
    Effect.gen(function*() {
      const missing: string = "route-llm-sdk-that-is-not-there"
      const adapter = { ...OpenAi.adapter, packageName: missing, connect: () => import(/* @vite-ignore */ missing) }
      const error = yield* Effect.flip(connectProvider(adapter, { name: "mine", apiKey: "k" }))
      expect(error).toMatchObject({ _tag: "MissingPackage", package: missing, neededFor: "Provider \"mine\"" })
    }))

  it.effect("does not take another fault of the import for it, nor show the key in it", () =>
    Effect.gen(function*() {
      const broken = (thrown: Error) => ({ ...OpenAi.adapter, connect: () => Promise.reject(thrown) })
      const inner = Object.assign(new Error("Cannot find package 'tslib' imported from openai"), {
        code: "ERR_MODULE_NOT_FOUND"
      })
      for (const thrown of [inner, new SyntaxError("Unexpected token secret-key")]) {
        const error = yield* Effect.flip(connectProvider(broken(thrown), { name: "mine", apiKey: "secret-key" }))
        expect(error._tag).toBe("InvalidConfig")
        expect(error.message).not.toContain("secret-key")
      }
    }))

  it.effect("refuses an empty key and an address that is none", () =>
    Effect.gen(function*() {
      const key = yield* Effect.flip(OpenAi.make({ name: "mine", apiKey: "" }))
      expect(key.message).toContain("apiKey: expected a key")
      const url = yield* Effect.flip(OpenAi.make({ name: "mine", apiKey: "k", baseUrl: "nowhere" }))
      expect(url.message).toContain("baseUrl: expected a URL")
    }))
})

describe("layers", () => {
  const registered = (layer: Layer.Layer<never, unknown, ProviderRegistry>) =>
    Effect.gen(function*() {
      const registry = yield* ProviderRegistry
      yield* Layer.build(layer)
      return (yield* registry.providers).map(({ chat: _, stream: _stream, ...spec }) => spec)
    }).pipe(Effect.provide(ProviderRegistry.layer))

  const client = new OpenAI({ apiKey: "k" })
  const plain = { limits: {}, weight: 1 }
  const counting = { chargesMaxTokens: false, cacheRead: 1, cacheWrite: 1 }

  it.scoped("register several providers over one adapter, with their limits or none", () =>
    Effect.gen(function*() {
      const specs = yield* registered(Layer.mergeAll(
        OpenAi.layer({
          name: "openai-eu",
          client,
          model: "gpt-x",
          rpm: 500,
          tpm: 200_000,
          inputTpm: 150_000,
          outputTpm: 50_000,
          rpd: 10_000,
          tpd: 2_000_000,
          concurrency: 20,
          weight: 2,
          counting: { chargesMaxTokens: false }
        }),
        OpenAi.layer({ name: "openai-us", client }),
        Anthropic.layer({ name: "anthropic", client: new AnthropicSdk({ apiKey: "k" }) }),
        Gemini.layer({ name: "gemini", client: new GoogleGenAI({ apiKey: "k", vertexai: false }) }),
        Groq.layer({ name: "groq", client: new GroqSdk({ apiKey: "k" }) })
      ))
      expect(new Set(specs)).toEqual(
        new Set([
          {
            name: "openai-eu",
            model: "gpt-x",
            limits: {
              requests: 500,
              tokens: 200_000,
              inputTokens: 150_000,
              outputTokens: 50_000,
              requestsPerDay: 10_000,
              tokensPerDay: 2_000_000,
              concurrent: 20
            },
            weight: 2,
            counting
          },
          { name: "openai-us", model: "gpt-5.4", ...plain, counting: { ...counting, chargesMaxTokens: true } },
          { name: "anthropic", model: "claude-sonnet-5-5", ...plain, counting: { ...counting, cacheRead: 0 } },
          { name: "gemini", model: "gemini-flash-latest", ...plain, counting },
          { name: "groq", model: "llama-3.3-70b-versatile", ...plain, counting: { ...counting, cacheRead: 0 } }
        ])
      )
    }))

  it.scoped("of one name exclude each other", () =>
    Effect.gen(function*() {
      const layer = Layer.merge(OpenAi.layer({ name: "a", client }), OpenAi.layer({ name: "a", client }))
      expect(yield* Effect.flip(registered(layer))).toMatchObject({ _tag: "DuplicateProvider", provider: "a" })
    }))

  const fromConfig = OpenAi.layerConfig({
    name: "openai",
    apiKey: Config.redacted("OPENAI_API_KEY"),
    rpm: Config.integer("OPENAI_RPM"),
    inputTpm: Config.integer("OPENAI_INPUT_TPM").pipe(Config.withDefault(9_000)),
    model: "gpt-x",
    counting: { cacheRead: 0.5 }
  })
  const environment = (entries: ReadonlyArray<readonly [string, string]>) =>
    Layer.setConfigProvider(ConfigProvider.fromMap(new Map(entries)))

  it.scoped("read what they are told to from the environment", () =>
    Effect.gen(function*() {
      const given = environment([["OPENAI_API_KEY", "k"], ["OPENAI_RPM", "60"]])
      expect(yield* registered(Layer.provide(fromConfig, given))).toEqual([
        {
          name: "openai",
          model: "gpt-x",
          limits: { requests: 60, inputTokens: 9_000 },
          weight: 1,
          counting: { chargesMaxTokens: true, cacheRead: 0.5, cacheWrite: 1 }
        }
      ])
      const error = yield* Effect.flip(registered(Layer.provide(fromConfig, environment([["OPENAI_RPM", "60"]]))))
      expect(String(error)).toContain("OPENAI_API_KEY")
    }))
})
