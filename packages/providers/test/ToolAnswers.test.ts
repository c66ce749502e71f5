/** Calls in the vendors' answers, beside thoughts and everything else that comes with them. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { connect, failWith, hello, serve, type Vendor } from "./helpers.ts"
import { weather } from "./toolParts.ts"

describe("what vendors answer", () => {
  const read = (vendor: Vendor, body: unknown) =>
    Effect.gen(function*() {
      const server = yield* serve({ body })
      const { content, finishReason, toolCalls } = yield* connect(vendor, server.url).chat({
        ...hello,
        tools: [weather]
      })
      return { content, finishReason, toolCalls }
    })

  const completion = (message: object, finish_reason = "tool_calls") => ({
    id: "chatcmpl-7",
    choices: [{ message: { role: "assistant", content: null, ...message }, finish_reason }]
  })

  const call = (fields: object) => ({ id: "c1", type: "function", function: { name: "get_weather", ...fields } })

  const one = { id: "c1", name: "get_weather", arguments: "{\"city\":\"Oslo\"}" }

  it.scoped.each<readonly [string, Vendor, unknown, unknown]>([
    [
      "reasoning beside it",
      "groq",
      completion({ reasoning: "Hm.", tool_calls: [call({ arguments: one.arguments })] }),
      {
        content: "",
        finishReason: "tool_calls",
        toolCalls: [one]
      }
    ],
    [
      "a call by name, which OpenAI ends with \"stop\"",
      "openai",
      completion({ content: "So:", tool_calls: [call({ arguments: one.arguments })] }, "stop"),
      { content: "So:", finishReason: "tool_calls", toolCalls: [one] }
    ],
    [
      "a call cut off",
      "openai",
      completion({ tool_calls: [call({ arguments: "{\"ci" })] }, "length"),
      { content: "", finishReason: "length", toolCalls: [{ ...one, arguments: "{\"ci" }] }
    ],
    [
      "arguments that are no text, and no id",
      "openai",
      completion({
        tool_calls: [{ ...call({ arguments: { city: "Oslo" } }), id: undefined }, { ...call({}), id: "" }]
      }),
      {
        content: "",
        finishReason: "tool_calls",
        toolCalls: [{ ...one, id: "call_chatcmpl-7_0" }, { ...one, id: "call_chatcmpl-7_1", arguments: "{}" }]
      }
    ],
    [
      "calls of other kinds",
      "openai",
      completion(
        { content: "x", tool_calls: [{ id: "c", type: "custom", custom: { name: "n", input: "" } }, null] },
        "stop"
      ),
      { content: "x", finishReason: "stop", toolCalls: undefined }
    ],
    ["no calls at all", "openai", completion({ content: "x", tool_calls: null }, "stop"), {
      content: "x",
      finishReason: "stop",
      toolCalls: undefined
    }],
    [
      "thinking before it, and tools the vendor runs itself",
      "anthropic",
      {
        id: "msg_1",
        content: [
          { type: "thinking", thinking: "", signature: "s" },
          { type: "server_tool_use", id: "s1", name: "web_search", input: {} },
          { type: "text", text: "So:" },
          { type: "tool_use", id: "c1", name: "get_weather", input: { city: "Oslo" } }
        ],
        stop_reason: "tool_use"
      },
      { content: "So:", finishReason: "tool_calls", toolCalls: [one] }
    ],
    [
      "thoughts before it, and signatures",
      "gemini",
      {
        responseId: "mQ3naP7iCZ2s1PIP-9LR4A8",
        candidates: [{
          content: {
            parts: [
              { text: "Hm.", thought: true },
              { functionCall: { name: "get_weather", args: { city: "Oslo" } }, thoughtSignature: "c2ln" },
              { functionCall: { name: "get_weather" } },
              { functionCall: { id: "own", name: "get_weather", args: {} } },
              { text: "", thoughtSignature: "c2ln" }
            ]
          },
          finishReason: "STOP"
        }]
      },
      {
        content: "",
        finishReason: "tool_calls",
        toolCalls: [
          { ...one, id: "call_mQ3naP7iCZ2s1PIP-9LR4A8_0" },
          { ...one, id: "call_mQ3naP7iCZ2s1PIP-9LR4A8_1", arguments: "{}" },
          { ...one, id: "own", arguments: "{}" }
        ]
      }
    ],
    [
      "an answer without an id",
      "gemini",
      {
        candidates: [{
          content: { parts: [{ functionCall: { name: "get_weather", args: {} } }] },
          finishReason: "STOP"
        }]
      },
      { content: "", finishReason: "tool_calls", toolCalls: [{ ...one, id: "call_1_0", arguments: "{}" }] }
    ]
  ])("%s (%s)", ([_name, vendor, body, expected]) =>
    Effect.gen(function*() {
      expect(yield* read(vendor, body)).toEqual(expected)
    }))

  it.scoped("an id that is made is one that every vendor takes, however long or odd the answer's is", () =>
    Effect.gen(function*() {
      const parts = [{ functionCall: { name: "get_weather", args: {} } }]
      const responseId = `${"x/y.".repeat(40)}z`
      const { toolCalls } = yield* read("gemini", {
        responseId,
        candidates: [{ content: { parts }, finishReason: "STOP" }]
      })
      expect(toolCalls?.[0]?.id).toMatch(/^[\w-]{1,40}$/)
    }))

  it.scoped("a call that the filter cut is an answer, without one it is a refusal", () =>
    Effect.gen(function*() {
      const calls = completion({ tool_calls: [call({ arguments: "{}" })] }, "content_filter")
      expect(yield* read("openai", calls)).toMatchObject({ finishReason: "content_filter", toolCalls: [{ id: "c1" }] })
      const { failure } = yield* failWith("openai", { body: completion({ tool_calls: [] }, "content_filter") })
      expect(failure.class).toBe("content_policy")
    }))
})
