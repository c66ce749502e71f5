import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Canned, hello, type Vendor } from "./helpers.ts"
import { begun, chunk, end, finished, text } from "./streamParts.ts"
import { bare, streamed, textOf, wired } from "./streamServer.ts"

const usage = (fields: object = {}) => ({
  id: "chatcmpl-7",
  model: "m-1",
  choices: [],
  usage: { prompt_tokens: 12, completion_tokens: 3, ...fields }
})

const counted = (outputTokens = 3) => ({
  _tag: "Usage",
  usage: { inputTokens: 12, outputTokens, cachedInputTokens: undefined, cacheWriteTokens: undefined }
})

const reasoning = (words: string) => ({ _tag: "Reasoning", text: words })
const both = ["openai", "groq"] as const

describe("the parts of an answer", () => {
  it.scoped.each(both)("%s: one batch a chunk, the finish last", (vendor) =>
    Effect.gen(function*() {
      const first = chunk({ role: "assistant", content: "", refusal: null })
      const { batches, failure, server } = yield* streamed(vendor, [
        first,
        chunk({ content: "Fi" }),
        chunk({ content: "ne." }),
        end("stop"),
        { ...usage({ prompt_tokens_details: { cached_tokens: 8 } }), x_groq: { id: "req_1" } }
      ])
      expect(failure).toBeUndefined()
      expect(batches).toEqual([
        [{ _tag: "Metadata", model: "m-1", raw: first }],
        [text("Fi")],
        [text("ne.")],
        [],
        [{ _tag: "Usage", usage: { inputTokens: 12, outputTokens: 3, cachedInputTokens: 8 } }],
        [finished("stop")]
      ])
      expect(server.requests.map(({ body }) => body)).toEqual([
        expect.objectContaining({
          stream: true,
          stream_options: { include_usage: true },
          messages: [{ role: "user", content: hello.messages[0].content }]
        })
      ])
    }))

  it.scoped.each<readonly [string, ReadonlyArray<object>, ReadonlyArray<unknown>]>([
    ["a finish reason beside the last word", [end("length", { content: "a" }), usage()], [
      begun,
      text("a"),
      counted(),
      finished("length")
    ]],
    ["usage in the chunk that ends", [{ ...end("stop", { content: "a" }), usage: usage().usage }], [
      begun,
      text("a"),
      counted(),
      finished("stop")
    ]],
    ["usage in Groq's own place", [
      chunk({ content: "a" }, {}, { x_groq: { id: "req_1" } }),
      { ...end("stop"), x_groq: { id: "req_1", usage: usage().usage } }
    ], [begun, text("a"), counted(), finished("stop")]],
    ["usage in every chunk, of which the last counts", [
      { ...chunk({ content: "a" }), usage: { prompt_tokens: 12, completion_tokens: 1 } },
      { ...end("stop", { content: "b" }), usage: { prompt_tokens: 12, completion_tokens: 2 } }
    ], [begun, text("a"), counted(1), text("b"), counted(2), finished("stop")]],
    ["no usage", [chunk({ content: "a" }, {}, { usage: null }), end("stop")], [begun, text("a"), finished("stop")]],
    ["a refusal", [chunk({ content: null, refusal: "No" }), chunk({ refusal: "." }), end("stop")], [
      begun,
      text("No"),
      text("."),
      finished("stop")
    ]],
    ["a reason that is not known", [end("eos", { content: "a" })], [begun, text("a"), finished("other")]],
    ["reasoning under either name", [
      chunk({ reasoning_content: "Hm" }),
      chunk({ reasoning: ".", reasoning_content: null }),
      chunk({ reasoning: "!", reasoning_content: "!" }),
      end("stop", { content: "a" })
    ], [begun, reasoning("Hm"), reasoning("."), reasoning("!"), text("a"), finished("stop")]],
    ["content in parts", [
      chunk({ content: [{ type: "thinking", thinking: [{ type: "text", text: "Hm" }] }, { type: "text", text: "a" }] }),
      end("stop")
    ], [begun, reasoning("Hm"), text("a"), finished("stop")]],
    ["chunks of nothing", [
      { choices: [] },
      {},
      { choices: null, model: "" },
      { choices: [null] },
      { choices: [{ index: 0 }] },
      { choices: [{ delta: null, finish_reason: "" }] },
      chunk({ content: "a" }),
      chunk({ content: null, tool_calls: null }),
      end("stop")
    ], [{ _tag: "Metadata", model: undefined }, begun, text("a"), finished("stop")]],
    ["content the filter cut", [chunk({ content: "a" }), end("content_filter")], [
      begun,
      text("a"),
      finished("content_filter")
    ]]
  ])("%s", ([_name, events, expected]) =>
    Effect.gen(function*() {
      for (const vendor of both) expect(bare((yield* streamed(vendor, events)).parts)).toEqual(expected)
    }))

  it.scoped("what a vendor says beside it is shown where it is news, not with every word", () =>
    Effect.gen(function*() {
      const cites = { citations: ["https://a.example"] }
      const prompt = { id: "", model: "", choices: [], prompt_filter_results: [{ prompt_index: 0 }] }
      const noted = chunk({ content: "c", annotations: [{ type: "url_citation" }] })
      const last = chunk({}, { finish_reason: "stop", content_filter_results: { hate: { filtered: false } } }, cites)
      const { parts } = yield* streamed("openai", [
        prompt,
        chunk({ content: "a" }, {}, cites),
        chunk({ content: "b" }, { content_filter_results: { hate: { filtered: false } } }, cites),
        noted,
        last
      ])
      expect(parts.flatMap((part) => part._tag === "Metadata" ? [part] : [])).toEqual([
        { _tag: "Metadata", raw: prompt },
        { _tag: "Metadata", model: "m-1", raw: chunk({ content: "a" }, {}, cites) },
        { _tag: "Metadata", raw: noted },
        { _tag: "Metadata", raw: last }
      ])
    }))
})

describe("failures inside the stream", () => {
  it.scoped.each<readonly [string, ReadonlyArray<object>, object]>([
    ["OpenAI's", [{ error: { message: "Slow down", type: "requests", code: "rate_limit_exceeded" } }], {
      class: "rate_limit",
      message: "Slow down"
    }],
    ["OpenRouter's", [
      chunk({ content: "" }, { finish_reason: "error" }, { error: { code: 502, message: "Provider is down" } })
    ], { class: "transient", status: 502, message: "Provider is down" }],
    ["OpenRouter's in a choice", [
      { choices: [{ index: 0, error: { code: 429, message: "Busy" }, finish_reason: "error" }] }
    ], { class: "rate_limit", status: 429 }],
    ["a finish reason alone", [end("error")], {
      class: "transient",
      message: "The vendor ended the answer with an error."
    }],
    ["Groq's", [chunk({}, {}, { x_groq: { id: "r", error: "over capacity" } })], {
      class: "transient",
      message: "over capacity"
    }],
    ["vLLM's", [{ object: "error", message: "too long", type: "BadRequestError", code: 400 }], {
      class: "caller_fault",
      status: 400,
      message: "too long"
    }]
  ])("%s", ([_name, events, expected]) =>
    Effect.gen(function*() {
      for (const vendor of both) {
        const { failure, parts } = yield* streamed(vendor, [chunk({ content: "a" }), ...events])
        expect(failure).toMatchObject({ _tag: "ProviderFailure", ...expected })
        expect(bare(parts)).toEqual([begun, text("a")])
      }
    }))

  it.scoped("an answer that the filter ended before its first word is a refusal, with what it cost", () =>
    Effect.gen(function*() {
      const { failure } = yield* streamed("openai", [end("content_filter"), usage()])
      expect(failure).toMatchObject({ class: "content_policy", usage: { inputTokens: 12, outputTokens: 3 } })
    }))
})

describe("an answer without its end", () => {
  const said = [chunk({ content: "a" })]
  it.scoped.each<readonly [string, Vendor, string, Omit<Canned, "body">, string | undefined]>([
    ["no finish reason", "openai", wired("openai", [...said, usage()]), {}, undefined],
    ["no finish reason, nor [DONE]", "groq", wired("gemini", said), {}, undefined],
    ["a finish reason, then the connection breaks", "openai", wired("gemini", [...said, end("stop")]), {
      fault: "cut"
    }, "network"],
    ["the connection breaks", "groq", wired("gemini", said), { fault: "cut" }, "network"]
  ])("%s (%s)", ([_name, vendor, body, canned, because]) =>
    Effect.gen(function*() {
      const { failure, parts } = yield* streamed(vendor, body, canned)
      expect(textOf(parts)).toBe("a")
      expect(parts.some(({ _tag }) => _tag === "Finish")).toBe(false)
      expect(failure?.class).toBe(because)
    }))

  it.scoped.each(both)("%s: but [DONE] may be left out", (vendor) =>
    Effect.gen(function*() {
      const { parts } = yield* streamed(vendor, wired("gemini", [...said, end("stop")]))
      expect(parts.at(-1)).toEqual(finished("stop"))
    }))
})
