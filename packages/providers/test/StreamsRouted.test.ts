/**
 * Streams of every vendor through its official SDK and the router, broken at every point: what the reader sees, who is
 * called, what is settled. Never a part of an answer twice, never an end that is none.
 */
import AnthropicSdk from "@anthropic-ai/sdk"
import { describe, expect, it } from "@effect/vitest"
import { GoogleGenAI } from "@google/genai"
import { type Provider, Router, type StreamOptions, type StreamPart } from "@route-llm/core"
import { Clock, Effect, Either, Ref, Stream } from "effect"
import GroqSdk from "groq-sdk"
import OpenAI from "openai"
import * as Anthropic from "../src/Anthropic.ts"
import * as Gemini from "../src/Gemini.ts"
import * as Groq from "../src/Groq.ts"
import * as OpenAi from "../src/OpenAi.ts"
import { LoopbackVendor, noLatency } from "../src/testing/index.ts"
import type { Fault, FramingFault, StreamFault } from "../src/testing/index.ts"
import { type Vendor, vendors } from "./helpers.ts"
import { routing, second, status } from "./routing.ts"

const asked = { messages: [{ role: "user" as const, content: "[answer with 8 tokens]" }] }
const words = "this tëxt came from your test host with"

const providerOf = (vendor: Vendor, url: string): Effect.Effect<Provider> =>
  Effect.orDie(
    {
      openai: () => OpenAi.make({ name: "openai", client: new OpenAI({ apiKey: "k", baseURL: url }) }),
      anthropic: () => Anthropic.make({ name: "anthropic", client: new AnthropicSdk({ apiKey: "k", baseURL: url }) }),
      gemini: () =>
        Gemini.make({
          name: "gemini",
          client: new GoogleGenAI({ apiKey: "k", vertexai: false, httpOptions: { baseUrl: url } })
        }),
      groq: () => Groq.make({ name: "groq", client: new GroqSdk({ apiKey: "k", baseURL: url }) })
    }[vendor]()
  )

/** The vendor first, and behind it one that answers "fine"; sockets take real time. */
const setting = (vendor: Vendor, options: Parameters<typeof routing>[1] = {}) =>
  Effect.gen(function*() {
    const server = yield* LoopbackVendor.make({ vendor, latency: noLatency })
    const { events, layer } = routing([yield* providerOf(vendor, server.url), second], {
      breaker: { failureThreshold: 100 },
      ...options
    })
    return { server, events, layer }
  })

const textOf = (parts: ReadonlyArray<StreamPart>) =>
  parts.map((part) => part._tag === "Text" ? part.text : part._tag === "Restart" ? "|" : "").join("")

/** The parts that came, and the error that they ended with. */
const read = (options: StreamOptions = {}) =>
  Effect.gen(function*() {
    const seen = yield* Ref.make<ReadonlyArray<StreamPart>>([])
    const parts = (yield* Router).streamParts(asked, options)
    const end = yield* Effect.either(Stream.runForEach(parts, (part) => Ref.update(seen, (all) => [...all, part])))
    return { parts: yield* Ref.get(seen), error: Either.isLeft(end) ? end.left : undefined }
  })

const live = Effect.withClock(Clock.make())

/** Up to where the answer has no content yet, so that nobody may notice. */
const early = ["before_headers", "after_headers", "after_start"] as const

/** From where on the reader has seen a part of it. Anthropic's first event of content only opens a block. */
const late = { after_content: 3, before_end: 8, mid_character: 1 } as const

const wordsUpTo = (vendor: Vendor, at: keyof typeof late): string =>
  words.split(/(?<= )/).slice(0, at === "after_content" && vendor === "anthropic" ? 2 : late[at]).join("")

/** What OpenAI and Groq say of an overload inside a 200 has neither its status nor a code of its own. */
const becauseOf = (because: string, vendor: Vendor): string =>
  because === "overloaded" && (vendor === "openai" || vendor === "groq") ? "transient" : because

const breaks: ReadonlyArray<readonly [does: StreamFault["does"], because: string]> = [
  ["reset", "network"],
  ["end", "truncated"],
  [{ kind: "overloaded" }, "overloaded"],
  [{ kind: "rate_limit" }, "rate_limit"]
]

describe.each(vendors)("%s", (vendor) => {
  it.scoped("an answer comes whole, with its usage as the vendor told it", () =>
    Effect.gen(function*() {
      const { events, layer, server } = yield* setting(vendor)
      const { error, parts } = yield* Effect.provide(read(), layer)
      const { inputTokens } = yield* server.counts
      expect({ error, text: textOf(parts) }).toEqual({ error: undefined, text: words })
      expect(parts.at(-1)).toMatchObject({ _tag: "Finish", finishReason: "stop", inputTokens, outputTokens: 8 })
      expect(events).toMatchObject([{
        outcome: "success",
        inputTokens,
        outputTokens: 8,
        firstTokenMs: expect.any(Number)
      }])
    }).pipe(live))

  for (const at of early) {
    it.scoped.each(breaks)(
      `broken ${at} by %o: the next one answers, and nobody sees it`,
      ([does]) =>
        Effect.gen(function*() {
          const { events, layer, server } = yield* setting(vendor)
          yield* server.fail({ kind: "stream", at, does })
          const { error, parts } = yield* Effect.provide(read(), layer)
          expect({ error, text: textOf(parts) }).toEqual({ error: undefined, text: "fine" })
          expect(parts.map(({ _tag }) => _tag)).toEqual(["Route", "Metadata", "Text", "Finish"])
          expect(events.map(({ provider }) => provider)).toEqual([vendor, "second"])
          expect(events[0]?.outcome).not.toBe("success")
          expect((yield* Effect.provide(status, layer))[vendor]).toMatchObject({ inFlight: 0 })
        }).pipe(live)
    )
  }

  for (const at of ["after_content", "before_end", "mid_character"] as const) {
    it.scoped.each(at === "mid_character" ? breaks.slice(0, 2) : breaks)(
      `broken ${at} by %o: the reader is told, and nothing comes twice`,
      ([does, usually]) =>
        Effect.gen(function*() {
          const because = becauseOf(usually, vendor)
          const { events, layer, server } = yield* setting(vendor)
          yield* server.fail({ kind: "stream", at, does })
          const { error, parts } = yield* Effect.provide(read(), layer)
          const text = wordsUpTo(vendor, at)
          expect(textOf(parts)).toBe(text)
          expect(parts.some(({ _tag }) => _tag === "Finish")).toBe(false)
          expect(error).toMatchObject({ _tag: "StreamInterrupted", provider: vendor, because, characters: text.length })
          expect(events).toMatchObject([{ provider: vendor, outcome: because }])
          expect(events[0]?.outputTokens).toBeGreaterThan(0)
        }).pipe(live)
    )

    it.scoped(`broken ${at} with a restart asked for: it begins anew elsewhere, and says so`, () =>
      Effect.gen(function*() {
        const { layer, server } = yield* setting(vendor)
        yield* server.fail({ kind: "stream", at, does: "reset" })
        const { error, parts } = yield* Effect.provide(read({ onInterrupt: "restart" }), layer)
        expect({ error, text: textOf(parts) }).toEqual({ error: undefined, text: `${wordsUpTo(vendor, at)}|fine` })
      }).pipe(live))
  }

  it.scoped("a stall before content goes on elsewhere, one in the middle ends the answer; both end on the wire", () =>
    Effect.gen(function*() {
      const { layer, server } = yield* setting(vendor, { stream: { firstChunk: "100 millis", idle: "100 millis" } })
      const program = Effect.gen(function*() {
        yield* server.fail({ kind: "stream", at: "after_start", does: "stall" })
        expect(textOf((yield* read()).parts)).toBe("fine")
        yield* server.awaitCounts(({ aborted }) => aborted === 1)
        yield* server.fail({ kind: "stream", at: "after_content", does: "stall" })
        expect((yield* read()).error).toMatchObject({ _tag: "StreamInterrupted", because: "timeout" })
        yield* server.awaitCounts(({ aborted }) => aborted === 2)
      })
      yield* Effect.provide(program, layer)
    }).pipe(live))

  it.scoped("a reader who leaves after three words ends the call on the wire, and what came is settled", () =>
    Effect.gen(function*() {
      const { events, layer, server } = yield* setting(vendor)
      yield* server.fail({ kind: "stream", at: "after_content", events: 6, does: "stall" })
      const program = Effect.gen(function*() {
        yield* Stream.runDrain(Stream.take((yield* Router).stream(asked), 3))
        yield* server.awaitCounts(({ aborted }) => aborted === 1)
        expect(events).toMatchObject([{ outcome: "cancelled" }])
        expect(events[0]?.outputTokens).toBeGreaterThan(0)
        expect((yield* status)[vendor]).toMatchObject({ inFlight: 0, circuit: "closed" })
      })
      yield* Effect.provide(program, layer)
    }).pipe(live))

  it.scoped("an answer that is written oddly is the same answer", () =>
    Effect.gen(function*() {
      const { layer, server } = yield* setting(vendor)
      const shapes: ReadonlyArray<FramingFault["shapes"]> = [
        ["crlf"],
        ["comments"],
        ["idle_events"],
        ["bytes"],
        ["together"],
        ["crlf", "comments", "idle_events", "bytes"]
      ]
      for (const each of shapes) {
        yield* server.fail({ kind: "framing", shapes: each } satisfies Fault)
        const { error, parts } = yield* Effect.provide(read(), layer)
        expect({ each, error, text: textOf(parts) }).toEqual({ each, error: undefined, text: words })
        expect(parts.at(-1)).toMatchObject({ _tag: "Finish", provider: vendor })
      }
    }).pipe(live))
})
