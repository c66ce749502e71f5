import Anthropic from "@anthropic-ai/sdk"
import { GoogleGenAI } from "@google/genai"
import type { RouteEvent } from "@route-llm/core"
import { LoopbackVendor, noLatency, type VendorName } from "@route-llm/providers/testing"
import { Effect, type Scope } from "effect"
import Groq from "groq-sdk"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import OpenAI from "openai"
import { LLMRouter } from "route-llm"
import { describe, expect, it } from "vitest"

const hello = { messages: [{ role: "user" as const, content: "[answer with 3 tokens]" }] }

const vendor = (name: VendorName, requestLimit?: number) =>
  LoopbackVendor.make({ vendor: name, latency: noLatency, requestLimit })

const scoped = <A>(effect: Effect.Effect<A, unknown, Scope.Scope>) => Effect.runPromise(Effect.scoped(effect))

const thrown = (run: () => unknown): unknown => {
  try {
    run()
  } catch (error) {
    return error
  }
  throw new Error("expected an error")
}

describe("LLMRouter", () => {
  it("routes over the four official clients, each told by its shape", () =>
    scoped(Effect.gen(function*() {
      const [openai, anthropic, gemini, groq] = yield* Effect.all([
        vendor("openai"),
        vendor("anthropic"),
        vendor("gemini"),
        vendor("groq")
      ])
      const heard: Array<RouteEvent> = []
      const router = LLMRouter.fromConfig({ providers: [] }, { onRoute: (event) => heard.push(event) })
        .register("openai-eu", { client: new OpenAI({ apiKey: "k", baseURL: openai.url }) })
        .register("openai-us", { client: new OpenAI({ apiKey: "k", baseURL: openai.url }) })
        .register("anthropic", { client: new Anthropic({ apiKey: "k", baseURL: anthropic.url }) })
        .register("gemini", { client: new GoogleGenAI({ apiKey: "k", httpOptions: { baseUrl: gemini.url } }) })
        .register("groq", { client: new Groq({ apiKey: "k", baseURL: groq.url }) })
      for (const name of ["openai-eu", "openai-us", "anthropic", "gemini", "groq"]) {
        const answer = yield* Effect.promise(() => router.chat({ ...hello, forceProvider: name }))
        expect(answer).toMatchObject({ provider: name, outputTokens: 3, finishReason: "stop", attempts: 1 })
        expect(answer.content.split(" ")).toHaveLength(3)
      }
      expect(heard.map(({ provider }) => provider)).toEqual(["openai-eu", "openai-us", "anthropic", "gemini", "groq"])
      expect(yield* openai.counts).toMatchObject({ served: 2 })
      yield* Effect.promise(() => router.close())
      const late = yield* Effect.promise(() => router.chat(hello).catch((error: unknown) => error))
      expect(late).toMatchObject({ _tag: "RouterClosed" })
    })))

  it("goes on to larger context windows only, where the configuration names them", () =>
    scoped(Effect.gen(function*() {
      const [small, alike, large] = yield* Effect.all([vendor("openai"), vendor("openai"), vendor("openai")])
      yield* small.fail({ kind: "context_too_long" })
      const entry = (name: string, { url }: LoopbackVendor, contextWindow: number, weight: number) => ({
        name,
        adapter: "openai",
        apiKey: "k",
        baseUrl: url,
        contextWindow,
        weight
      })
      const router = LLMRouter.fromConfig({
        providers: [entry("a", small, 8_000, 9), entry("b", alike, 8_000, 5), entry("c", large, 128_000, 1)]
      })
      expect(yield* Effect.promise(() => router.chat(hello))).toMatchObject({ provider: "c", attempts: 2 })
      expect(yield* alike.counts).toMatchObject({ received: 0 })
      yield* Effect.promise(() => router.close())
    })))

  it("makes the clients that a configuration names, falls back, and shows it in status", () =>
    scoped(Effect.gen(function*() {
      const [openai, groq] = yield* Effect.all([vendor("openai"), vendor("groq")])
      yield* openai.fail({ kind: "overloaded" })
      const router = LLMRouter.fromConfig({
        providers: [
          {
            name: "first",
            adapter: "openai",
            apiKey: "sk-1",
            baseUrl: openai.url,
            weight: 5,
            rpmLimit: 10,
            tpmLimit: 1000
          },
          { name: "groq", apiKey: "gsk-1", baseUrl: groq.url, rpmLimit: 30 },
          { name: "anthropic", apiKey: "unused", enabled: false }
        ]
      })
      const answer = yield* Effect.promise(() => router.chat(hello))
      expect(answer).toMatchObject({ provider: "groq", attempts: 2 })
      const status = yield* Effect.promise(() => router.status())
      expect(Object.keys(status)).toEqual(["first", "groq"])
      expect(status).toMatchObject({
        first: { rpmUsed: 1, rpmLimit: 10, tpmLimit: 1000, circuitOpen: false },
        groq: { rpmUsed: 1, rpmLimit: 30, tpmLimit: undefined }
      })
      yield* Effect.promise(() => router.close())
    })))

  it("lets 40 concurrent calls reach two vendors of 10 a minute 10 times each, and no oftener", () =>
    scoped(Effect.gen(function*() {
      const [openai, groq] = yield* Effect.all([vendor("openai", 10), vendor("groq", 10)])
      const router = LLMRouter.fromConfig({ providers: [] })
        .register("openai", { client: new OpenAI({ apiKey: "k", baseURL: openai.url }), rpm: 10 })
        .register("groq", { client: new Groq({ apiKey: "k", baseURL: groq.url }), rpm: 10 })
      const calls = Array.from(
        { length: 40 },
        () => router.chat(hello).then(() => "served", (error: Error) => error.name)
      )
      const results = yield* Effect.promise(() => Promise.all(calls))
      expect(results.filter((result) => result === "served")).toHaveLength(20)
      expect(results.filter((result) => result === "NoCapacity")).toHaveLength(20)
      for (const each of [openai, groq]) {
        expect(yield* each.counts).toMatchObject({ received: 10, rateLimited: 0, peakRequests: 10 })
      }
      yield* Effect.promise(() => router.close())
    })))

  it("opens no circuit on five malformed requests", () =>
    scoped(Effect.gen(function*() {
      const openai = yield* vendor("openai")
      yield* openai.fail({ kind: "bad_request" }, { times: 5 })
      const router = LLMRouter.fromConfig({ providers: [] })
        .register("openai", { client: new OpenAI({ apiKey: "k", baseURL: openai.url }) })
      for (let turn = 0; turn < 5; turn++) {
        const error = yield* Effect.promise(() => router.chat(hello).catch((error: unknown) => error))
        expect(error).toMatchObject({ _tag: "AllProvidersFailed", isRetryable: false })
      }
      expect(yield* Effect.promise(() => router.chat(hello))).toMatchObject({ provider: "openai" })
      expect(yield* openai.counts).toMatchObject({ received: 6 })
      yield* Effect.promise(() => router.close())
    })))

  it("aborts the call on the wire with the caller's signal, whose reason the promise rejects with", () =>
    scoped(Effect.gen(function*() {
      const openai = yield* vendor("openai")
      yield* openai.fail({ kind: "timeout" })
      const router = LLMRouter.fromConfig({ providers: [] })
        .register("openai", { client: new OpenAI({ apiKey: "k", baseURL: openai.url }) })
      const controller = new AbortController()
      const reason = new Error("changed my mind")
      const answer = router.chat(hello, { signal: controller.signal }).catch((error: unknown) => error)
      yield* openai.awaitCounts(({ inFlight }) => inFlight === 1)
      controller.abort(reason)
      expect(yield* Effect.promise(() => answer)).toBe(reason)
      yield* openai.awaitCounts(({ aborted }) => aborted === 1)
      expect((yield* Effect.promise(() => router.status()))["openai"]).toMatchObject({
        inFlight: 0,
        circuitOpen: false
      })
      yield* Effect.promise(() => router.close())
    })))

  it("reads YAML, and says by line what only the whole can check", () =>
    scoped(Effect.gen(function*() {
      const groq = yield* vendor("groq")
      const folder = yield* Effect.promise(() => mkdtemp(join(tmpdir(), "route-llm-")))
      const path = join(folder, "router.yaml")
      const read = (yaml: string) =>
        Effect.promise(async () => {
          await writeFile(path, yaml)
          return LLMRouter.fromYaml(path).catch((error: unknown) => error)
        })
      const provider = `providers:\n  - name: fast\n    adapter: groq\n    api_key: gsk-1\n    base_url: ${groq.url}\n`
      const router = yield* read(provider)
      if (!(router instanceof LLMRouter)) throw router
      expect(yield* Effect.promise(() => router.chat(hello))).toMatchObject({ provider: "fast" })
      yield* Effect.promise(() => router.close())
      expect(yield* read(`${provider}  - name: mine\n    api_key: k\n`)).toMatchObject({
        _tag: "InvalidConfig",
        source: path,
        issues: [{ path: "providers[1].adapter", line: 6 }]
      })
      const key = "sk-canary-0123456789abcdef0123"
      const slipped = yield* read(`providers: [{ name: ${key}, api_key: k }, { name: a, adapter: ${key}, api_key: k }]`)
      expect(String(slipped)).toContain("found nothing, and the provider's name is no adapter's")
      expect(String(slipped)).toContain("found a text of length 30")
      expect(String(slipped)).not.toContain("canary")
      expect(String(yield* read("providers: [{ name: a, adapter: grok, api_key: k }]"))).toContain(
        "found the text \"grok\""
      )
      yield* Effect.promise(() => rm(folder, { recursive: true }))
    })))

  it("says what is wrong with a configuration and with a client", () => {
    expect(thrown(() => LLMRouter.fromConfig({ providers: [{ name: "mine", rpmLimit: -1 }] }))).toMatchObject({
      _tag: "InvalidConfig",
      issues: [{ path: "providers[0].rpmLimit" }]
    })
    expect(thrown(() => LLMRouter.fromConfig({ providers: [{ name: "mine" }] }))).toMatchObject({
      issues: [
        { path: "providers[0].adapter", issue: expect.stringContaining("openai, anthropic, gemini, groq") },
        { path: "providers[0].apiKey" }
      ]
    })
    const router = LLMRouter.fromConfig({ providers: [] })
    const client = new OpenAI({ apiKey: "k" })
    const configured = LLMRouter.fromConfig({ providers: [{ name: "openai", apiKey: "k" }] })
    expect(thrown(() => configured.register("openai", { client }))).toMatchObject({ _tag: "DuplicateProvider" })
    router.register("a", { client })
    expect(thrown(() => router.register("a", { client }))).toMatchObject({ _tag: "DuplicateProvider" })
    expect(thrown(() => router.register("b", { client, rpm: 0 }))).toMatchObject({ issues: [{ path: "rpm" }] })
    expect(thrown(() => router.register("c", { client: {} as OpenAI }))).toMatchObject({ issues: [{ path: "client" }] })
  })
})
