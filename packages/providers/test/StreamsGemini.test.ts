import { describe, expect, it } from "@effect/vitest"
import type { ProviderPart } from "@route-llm/core"
import { Effect, Fiber } from "effect"
import { Gemini } from "../src/index.ts"
import { connect, hello } from "./helpers.ts"
import { begun, finished, text } from "./streamParts.ts"
import { bare, collect, serveStreams, streamed, streamOf, textOf, wired } from "./streamServer.ts"

const chunk = (parts: ReadonlyArray<object>, candidate: object = {}, top: object = {}) => ({
  candidates: [{ content: { role: "model", parts }, index: 0, ...candidate }],
  modelVersion: "m-1",
  responseId: "r-1",
  ...top
})

const usage = (candidatesTokenCount: number, fields: object = {}) => ({
  usageMetadata: { promptTokenCount: 12, candidatesTokenCount, ...fields }
})

const end = (finishReason = "STOP", parts: ReadonlyArray<object> = [], candidate: object = {}) =>
  chunk(parts, { finishReason, ...candidate }, usage(3))

const shown = { _tag: "Metadata", model: undefined }
const call = (index: number, id: string, name: string, json: string) => ({
  _tag: "ToolCall",
  index,
  id,
  name,
  arguments: json
})
const counted = (outputTokens: number, cachedInputTokens?: number) => ({
  _tag: "Usage",
  usage: { inputTokens: 12, outputTokens, cachedInputTokens }
})

const rawOf = (parts: ReadonlyArray<ProviderPart>) =>
  parts.flatMap((part) => part._tag === "Metadata" ? [part.raw] : [])

describe("the parts of an answer", () => {
  it.scoped("one batch a chunk, the finish last", () =>
    Effect.gen(function*() {
      const { batches, failure, server } = yield* streamed("gemini", [
        chunk([{ text: "Fi" }], {}, usage(1)),
        chunk([{ text: "ne." }], {}, usage(2)),
        end("STOP", [{ text: "" }])
      ])
      expect(failure).toBeUndefined()
      expect(batches.map(bare)).toEqual([
        [begun, text("Fi"), counted(1)],
        [text("ne."), counted(2)],
        [counted(3)],
        [finished("stop")]
      ])
      expect(server.requests.map(({ body, path }) => [path, body])).toEqual([[
        "/v1beta/models/gemini-flash-latest:streamGenerateContent?alt=sse",
        { contents: [{ role: "user", parts: [{ text: hello.messages[0].content }] }], generationConfig: {} }
      ]])
    }))

  it.scoped.each<readonly [string, ReadonlyArray<object>, ReadonlyArray<unknown>]>([
    ["thoughts, which count as output", [
      chunk([{ text: "Hm", thought: true }, { text: "a" }]),
      chunk(
        [{ text: "b" }],
        { finishReason: "MAX_TOKENS" },
        usage(3, { thoughtsTokenCount: 7, cachedContentTokenCount: 8 })
      )
    ], [begun, { _tag: "Reasoning", text: "Hm" }, text("a"), text("b"), counted(10, 8), finished("length")]],
    ["calls, which come whole", [
      chunk([
        { functionCall: { name: "get_weather", args: { city: "Oslo" } }, thoughtSignature: "c2ln" },
        { functionCall: { id: "own", name: "get_time" } }
      ]),
      chunk([{ functionCall: { name: "get_time", args: {} } }]),
      end()
    ], [
      begun,
      call(0, "call_r-1_0", "get_weather", "{\"city\":\"Oslo\"}"),
      call(1, "own", "get_time", "{}"),
      call(2, "call_r-1_2", "get_time", "{}"),
      counted(3),
      finished("tool_calls")
    ]],
    ["more after its finish reason", [chunk([{ text: "a" }], { finishReason: "STOP" }), chunk([{ text: "b" }])], [
      begun,
      text("a"),
      text("b"),
      finished("stop")
    ]],
    ["a reason that is not known", [end("MALFORMED_FUNCTION_CALL", [{ text: "a" }])], [
      begun,
      text("a"),
      counted(3),
      finished("other")
    ]],
    ["content the filter cut", [chunk([{ text: "a" }]), end("SAFETY")], [
      begun,
      text("a"),
      counted(3),
      finished("content_filter")
    ]],
    ["chunks of nothing", [{}, { candidates: [] }, { candidates: [{}] }, chunk([{}]), end("STOP", [{ text: "a" }])], [
      shown,
      text("a"),
      counted(3),
      finished("stop")
    ]]
  ])("%s", ([_name, events, expected]) =>
    Effect.gen(function*() {
      const { failure, parts } = yield* streamed("gemini", events)
      expect(failure).toBeUndefined()
      expect(bare(parts)).toEqual(expected)
    }))

  it.scoped("signatures, other parts, citations and the last ratings are shown", () =>
    Effect.gen(function*() {
      const ratings = { safetyRatings: [{ category: "HARM_CATEGORY_HARASSMENT", probability: "NEGLIGIBLE" }] }
      const signed = chunk([{ text: "", thoughtSignature: "c2ln" }])
      const code = chunk([{ executableCode: { code: "1", language: "PYTHON" } }])
      const grounded = chunk([{ text: "b" }], { groundingMetadata: { webSearchQueries: ["q"] } })
      const last = end("STOP", [], ratings)
      const { parts } = yield* streamed("gemini", [
        chunk([{ text: "a" }], ratings),
        chunk([{ text: "a" }], ratings),
        signed,
        code,
        grounded,
        last
      ])
      expect(rawOf(parts).slice(1)).toMatchObject([signed, code, grounded, last])
    }))
})

describe("failures inside the stream", () => {
  const quota = {
    error: {
      code: 429,
      status: "RESOURCE_EXHAUSTED",
      message: "Quota exceeded",
      details: [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "7s" }]
    }
  }

  it.scoped.each<readonly [string, object, object]>([
    ["UNAVAILABLE", { error: { code: 503, status: "UNAVAILABLE", message: "The model is overloaded." } }, {
      class: "overloaded",
      status: 503,
      code: "UNAVAILABLE",
      message: "The model is overloaded."
    }],
    ["RESOURCE_EXHAUSTED", quota, {
      class: "rate_limit",
      status: 429,
      code: "RESOURCE_EXHAUSTED",
      message: "Quota exceeded",
      retryAfterMs: 7_000
    }]
  ])("%s", ([_name, error, expected]) =>
    Effect.gen(function*() {
      for (const before of [[], [chunk([{ text: "a" }])]]) {
        const { failure, parts } = yield* streamed("gemini", [...before, error])
        expect(failure).toMatchObject({ _tag: "ProviderFailure", ...expected })
        expect(textOf(parts)).toBe(before.length === 0 ? "" : "a")
      }
    }))

  it.effect("also where a client hands the error over as an event", () =>
    Effect.gen(function*() {
      async function* events() {
        yield quota
      }
      const models = {
        generateContent: () => Promise.resolve({}),
        generateContentStream: () => Promise.resolve(events())
      }
      const provider = yield* Gemini.make({ name: "x", client: { models } })
      const { failure } = yield* Effect.scoped(Effect.flatMap(streamOf(provider), collect))
      expect(failure).toMatchObject({ class: "rate_limit", retryAfterMs: 7_000 })
    }))

  it.scoped("a prompt that is blocked, and a filter before the first word, are refusals with what they cost", () =>
    Effect.gen(function*() {
      const prompt = { promptFeedback: { blockReason: "SAFETY" }, usageMetadata: { promptTokenCount: 12 } }
      const refused = { class: "content_policy", usage: { inputTokens: 12, outputTokens: 0 } }
      const first = yield* streamed("gemini", [prompt])
      expect(first.failure).toMatchObject({ ...refused, message: "gemini-flash-latest refused the content (SAFETY)." })
      const second = yield* streamed("gemini", [chunk([], { finishReason: "SAFETY" }, usage(0))])
      expect(second.failure).toMatchObject(refused)
    }))

  it.scoped("what only the reader takes for one ends the call as well", () =>
    Effect.gen(function*() {
      const server = yield* serveStreams
      const reading = yield* Effect.fork(Effect.flatMap(streamOf(connect("gemini", server.url)), collect))
      const wire = yield* server.next
      yield* wire.begin()
      yield* wire.write(wired("gemini", [{ promptFeedback: { blockReason: "SAFETY" } }]))
      expect((yield* Fiber.join(reading)).failure?.class).toBe("content_policy")
      yield* wire.abandoned
    }))
})

describe("an answer without its end", () => {
  const said = wired("gemini", [chunk([{ text: "a" }], {}, usage(1))])

  it.scoped.each(
    [
      ["ends", said, undefined, undefined],
      ["breaks", said, "cut", "network"],
      ["ends within an event", `${said}data: {"candidates":[{"conte`, undefined, "truncated"]
    ] as const
  )("has no finish: the connection %s", ([_name, body, fault, because]) =>
    Effect.gen(function*() {
      const { failure, parts } = yield* streamed("gemini", body, fault === undefined ? {} : { fault })
      expect(bare(parts)).toEqual([begun, text("a"), counted(1)])
      expect(failure?.class).toBe(because)
    }))
})
