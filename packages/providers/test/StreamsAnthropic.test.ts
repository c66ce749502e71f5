import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { Anthropic } from "../src/index.ts"
import { hello } from "./helpers.ts"
import { begun, finished, text } from "./streamParts.ts"
import { bare, collect, streamed, streamOf, textOf, wired } from "./streamServer.ts"

const start = (usage: object = { input_tokens: 5, cache_read_input_tokens: 4, output_tokens: 1 }) => ({
  type: "message_start",
  message: { id: "msg_1", type: "message", role: "assistant", model: "m-1", content: [], stop_reason: null, usage }
})

const block = (index: number, content_block: object) => ({ type: "content_block_start", index, content_block })
const delta = (index: number, fields: object) => ({ type: "content_block_delta", index, delta: fields })
const stop = (index: number) => ({ type: "content_block_stop", index })

const said = (index: number, ...words: ReadonlyArray<string>) => [
  block(index, { type: "text", text: "" }),
  ...words.map((text) => delta(index, { type: "text_delta", text })),
  stop(index)
]

const end = (stop_reason: string | null, usage: object = { output_tokens: 3 }, more: object = {}) => [
  { type: "message_delta", delta: { stop_reason, stop_sequence: null, ...more }, usage },
  { type: "message_stop" }
]

const shown = { _tag: "Metadata", model: undefined }
const reasoning = (words: string) => ({ _tag: "Reasoning", text: words })

const counted = (outputTokens: number, fields: object = {}) => ({
  _tag: "Usage",
  usage: { inputTokens: 9, outputTokens, cachedInputTokens: 4, cacheWriteTokens: undefined, ...fields }
})

describe("the parts of an answer", () => {
  it.scoped("one batch an event, the finish last", () =>
    Effect.gen(function*() {
      const events = [
        start(),
        { type: "ping" },
        ...said(0, "Fi", "ne."),
        ...end("end_turn")
      ]
      const { batches, failure, server } = yield* streamed("anthropic", events)
      expect(failure).toBeUndefined()
      // The SDK keeps pings to itself.
      expect(batches).toEqual([
        [{ _tag: "Metadata", model: "m-1", raw: start() }, counted(1)],
        [],
        [text("Fi")],
        [text("ne.")],
        [],
        [counted(3)],
        [finished("stop")]
      ])
      expect(server.requests.map(({ body }) => body)).toEqual([
        {
          model: "claude-haiku-4-5",
          max_tokens: Anthropic.defaultMaxTokens,
          stream: true,
          messages: [{ role: "user", content: [{ type: "text", text: hello.messages[0].content }] }]
        }
      ])
    }))

  it.scoped.each<readonly [string, ReadonlyArray<object>, ReadonlyArray<unknown>]>([
    ["thinking before it, with its signature", [
      start(),
      block(0, { type: "thinking", thinking: "H", signature: "" }),
      delta(0, { type: "thinking_delta", thinking: "m" }),
      delta(0, { type: "signature_delta", signature: "s" }),
      stop(0),
      ...said(1, "a"),
      ...end("end_turn")
    ], [begun, counted(1), reasoning("H"), reasoning("m"), shown, text("a"), counted(3), finished("stop")]],
    ["usage told anew at the end, nulls aside", [
      start({ input_tokens: 0, output_tokens: 0 }),
      ...said(0, "a"),
      ...end("max_tokens", {
        input_tokens: 5,
        cache_read_input_tokens: 4,
        cache_creation_input_tokens: null,
        output_tokens: 3
      })
    ], [
      begun,
      counted(0, { inputTokens: 0, cachedInputTokens: undefined }),
      text("a"),
      counted(3),
      finished("length")
    ]],
    ["usage at the start that the end does not repeat", [
      start({ input_tokens: 5, cache_read_input_tokens: 4, cache_creation_input_tokens: 2, output_tokens: 1 }),
      ...said(0, "a"),
      ...end("end_turn", { input_tokens: null, cache_creation_input_tokens: null, output_tokens: 8 })
    ], [
      begun,
      counted(1, { inputTokens: 11, cacheWriteTokens: 2 }),
      text("a"),
      counted(8, { inputTokens: 11, cacheWriteTokens: 2 }),
      finished("stop")
    ]],
    ["the sequence it stopped at", [start(), ...said(0, "a"), ...end("stop_sequence", {}, { stop_sequence: "END" })], [
      begun,
      counted(1),
      text("a"),
      shown,
      counted(1),
      finished("stop")
    ]],
    ["what its own tools did, citations and events not known", [
      start(),
      block(0, { type: "server_tool_use", id: "s1", name: "web_search", input: {} }),
      delta(0, { type: "input_json_delta", partial_json: "{}" }),
      stop(0),
      block(1, { type: "web_search_tool_result", tool_use_id: "s1", content: [] }),
      delta(2, { type: "citations_delta", citation: { cited_text: "x" } }),
      ...said(2, "a"),
      { type: "message_news" },
      ...end("pause_turn")
    ], [begun, counted(1), shown, shown, shown, shown, text("a"), shown, counted(3), finished("other")]],
    ["no beginning", [...said(0, "a"), { type: "message_stop" }], [text("a"), finished("other")]],
    ["events of nothing", [
      start(),
      { type: "content_block_start", index: 0 },
      { type: "content_block_delta", index: 0, delta: null },
      delta(0, { type: "text_delta", text: "" }),
      delta(0, { type: "text_delta" }),
      stop(4),
      ...end("end_turn")
    ], [begun, counted(1), counted(3), finished("stop")]]
  ])("%s", ([_name, events, expected]) =>
    Effect.gen(function*() {
      const { failure, parts } = yield* streamed("anthropic", events)
      expect(failure).toBeUndefined()
      expect(bare(parts)).toEqual(expected)
    }))

  it.scoped("what is shown is as the vendor sent it", () =>
    Effect.gen(function*() {
      const citation = delta(0, { type: "citations_delta", citation: { cited_text: "x" } })
      const { parts } = yield* streamed("anthropic", [start(), citation, ...said(0, "a"), ...end("end_turn")])
      expect(parts).toContainEqual({ _tag: "Metadata", raw: citation })
    }))
})

describe("tool calls", () => {
  const begins = (index: number, id: string, name: string) => ({ _tag: "ToolCall", index, id, name, arguments: "" })
  const goesOn = (index: number, json: string) => ({ _tag: "ToolCall", index, arguments: json })
  const json = (index: number, partial_json: string) => delta(index, { type: "input_json_delta", partial_json })

  it.scoped("are counted among themselves, with their pieces as they come", () =>
    Effect.gen(function*() {
      const { parts } = yield* streamed("anthropic", [
        start(),
        ...said(0, "So:"),
        block(1, { type: "tool_use", id: "c1", name: "get_weather", input: {} }),
        json(1, ""),
        json(1, "{\"city\":"),
        json(1, "\"Oslo\"}"),
        stop(1),
        block(2, { type: "server_tool_use", id: "s1", name: "web_search", input: {} }),
        json(2, "{}"),
        stop(2),
        block(3, { type: "tool_use", id: "c2", name: "get_time", input: {} }),
        stop(3),
        block(4, { type: "tool_use", name: "whole", input: { a: 1 } }),
        stop(4),
        block(5, { type: "tool_use", id: "c4" }),
        json(5, "{}"),
        stop(5),
        ...end("tool_use")
      ])
      expect(bare(parts).filter((part) => JSON.stringify(part) !== JSON.stringify(shown))).toEqual([
        begun,
        counted(1),
        text("So:"),
        begins(0, "c1", "get_weather"),
        goesOn(0, "{\"city\":"),
        goesOn(0, "\"Oslo\"}"),
        begins(1, "c2", "get_time"),
        goesOn(1, "{}"),
        begins(2, "call_msg_1_2", "whole"),
        goesOn(2, "{\"a\":1}"),
        counted(3),
        finished("tool_calls")
      ])
    }))
})

describe("failures inside the stream", () => {
  it.scoped.each(
    [
      ["overloaded_error", "Overloaded", "overloaded"],
      ["rate_limit_error", "Slow down", "rate_limit"],
      ["api_error", "Internal server error", "transient"]
    ] as const
  )("%s", ([type, message, expected]) =>
    Effect.gen(function*() {
      const error = { type: "error", error: { type, message } }
      for (const before of [[], [start(), ...said(0, "a")]]) {
        const { failure, parts } = yield* streamed("anthropic", [...before, error])
        expect(failure).toMatchObject({ _tag: "ProviderFailure", class: expected, code: type, message })
        expect(textOf(parts)).toBe(before.length === 0 ? "" : "a")
      }
    }))

  it.effect("also where a client hands the error over as an event", () =>
    Effect.gen(function*() {
      async function* events() {
        yield { type: "error", error: { type: "overloaded_error", message: "Overloaded" } }
      }
      const client = { messages: { create: () => Promise.resolve(events()) } }
      const provider = yield* Anthropic.make({ name: "x", client })
      const { failure } = yield* Effect.scoped(Effect.flatMap(streamOf(provider), collect))
      expect(failure).toMatchObject({ class: "overloaded", message: "Overloaded" })
    }))

  it.scoped("an answer that was refused before its first word is a refusal, with what it cost", () =>
    Effect.gen(function*() {
      const { failure } = yield* streamed("anthropic", [start(), ...end("refusal")])
      expect(failure).toMatchObject({ class: "content_policy", usage: { inputTokens: 9, outputTokens: 3 } })
      const { parts } = yield* streamed("anthropic", [start(), ...said(0, "a"), ...end("refusal")])
      expect(parts.at(-1)).toEqual(finished("content_filter"))
    }))
})

describe("an answer without its end", () => {
  const [last = {}] = end("end_turn")
  const body = wired("anthropic", [start(), ...said(0, "a"), last])

  it.scoped.each([["ends", undefined, undefined], ["breaks", "cut", "network"]] as const)(
    "has no finish: the connection %s",
    ([_name, fault, because]) =>
      Effect.gen(function*() {
        const { failure, parts } = yield* streamed("anthropic", body, fault === undefined ? {} : { fault })
        expect(bare(parts)).toEqual([begun, counted(1), text("a"), counted(3)])
        expect(failure?.class).toBe(because)
      })
  )

  it.scoped("but what breaks after message_stop is no failure any more", () =>
    Effect.gen(function*() {
      const whole = wired("anthropic", [start(), ...said(0, "a"), ...end("end_turn")])
      const { failure, parts } = yield* streamed("anthropic", whole, { fault: "cut" })
      expect(failure).toBeUndefined()
      expect(parts.at(-1)).toEqual(finished("stop"))
    }))
})
