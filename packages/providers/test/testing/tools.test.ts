/** Calls on demand, and the conversations that the vendors refuse. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import type { VendorName } from "../../src/testing/index.ts"
import { callsIn } from "../../src/testing/internal/callMarker.ts"
import { unpaired } from "../../src/testing/internal/toolTurns.ts"
import { make } from "./support.ts"

const paths: { readonly [Vendor in VendorName]: string } = {
  openai: "/chat/completions",
  anthropic: "/v1/messages",
  gemini: "/v1beta/models/gemini-3-pro:generateContent",
  groq: "/openai/v1/chat/completions"
}

const post = (vendor: VendorName, body: unknown) =>
  Effect.gen(function*() {
    const loopback = yield* make({ vendor })
    const response = yield* Effect.promise(() =>
      fetch(loopback.url + paths[vendor], { method: "POST", body: JSON.stringify(body) })
    )
    const json: unknown = yield* Effect.promise(() => response.json())
    return { status: response.status, json, counts: yield* loopback.counts }
  })

const wish = "[call tool get_weather {\"city\":\"Oslo\"}]"

/** Each vendor's request with this user text, and the tool declared or not. */
const bodyOf = (vendor: VendorName, text: string, declares = true) => {
  const declaration = { name: "get_weather", description: "The weather" }
  switch (vendor) {
    case "anthropic":
      return {
        model: "m",
        max_tokens: 500,
        messages: [{ role: "user", content: text }],
        ...(declares ? { tools: [{ ...declaration, input_schema: { type: "object" } }] } : {})
      }
    case "gemini":
      return {
        contents: [{ parts: [{ text }] }],
        generationConfig: { maxOutputTokens: 500 },
        ...(declares ? { tools: [{ functionDeclarations: [declaration] }] } : {})
      }
    default:
      return {
        model: "m",
        max_completion_tokens: 500,
        messages: [{ role: "user", content: text }],
        ...(declares ? { tools: [{ type: "function", function: declaration }] } : {})
      }
  }
}

const calls: { readonly [Vendor in VendorName]: unknown } = {
  openai: {
    choices: [{
      finish_reason: "tool_calls",
      message: {
        content: null,
        tool_calls: [{ type: "function", function: { name: "get_weather", arguments: "{\"city\":\"Oslo\"}" } }]
      }
    }]
  },
  groq: { choices: [{ finish_reason: "tool_calls", message: { content: null, tool_calls: [{ type: "function" }] } }] },
  anthropic: {
    stop_reason: "tool_use",
    content: [{ type: "tool_use", id: expect.stringMatching(/^toolu_/), name: "get_weather", input: { city: "Oslo" } }]
  },
  gemini: {
    candidates: [{
      finishReason: "STOP",
      content: { parts: [{ functionCall: { name: "get_weather", args: { city: "Oslo" } } }] }
    }]
  }
}

describe.each(["openai", "anthropic", "gemini", "groq"] as const)("%s", (vendor) => {
  it.scopedLive("calls a tool that the request declares, and counts the declaration and the call", () =>
    Effect.gen(function*() {
      const { counts, json } = yield* post(vendor, bodyOf(vendor, wish))
      expect(json).toMatchObject(calls[vendor] as object)
      // Eleven characters of the name and fifteen of the arguments.
      expect(counts.outputTokens).toBe(7)
      const plain = yield* post(vendor, bodyOf(vendor, wish, false))
      expect(counts.inputTokens).toBeGreaterThan(plain.counts.inputTokens)
    }))

  it.scopedLive("answers in words where the tool is not declared, and where the call does not fit", () =>
    Effect.gen(function*() {
      const undeclared = yield* post(vendor, bodyOf(vendor, `${wish} [answer with 9 tokens]`, false))
      expect([undeclared.status, undeclared.counts.outputTokens]).toEqual([200, 9])
      expect(JSON.stringify(undeclared.json)).not.toContain("get_weather")
      const long = `[call tool get_weather ${JSON.stringify({ city: "x".repeat(4_000) })}] [answer with 600 tokens]`
      const cut = yield* post(vendor, bodyOf(vendor, long))
      expect(cut.counts.outputTokens).toBe(500)
      expect(JSON.stringify(cut.json)).toMatch(/"(length|max_tokens|MAX_TOKENS)"/)
    }))
})

describe("conversations that are refused", () => {
  const user = { role: "user", content: "a" }
  const call = (id: string) => ({ id, type: "function", function: { name: "f", arguments: "{}" } })
  const tools = [{ type: "function", function: { name: "f" } }]
  const use = (id: string) => ({ type: "tool_use", id, name: "f", input: {} })
  const used = (id: string) => ({ type: "tool_result", tool_use_id: id, content: "x" })
  const declared = [{ name: "f", input_schema: { type: "object" } }]
  const functionCall = { functionCall: { name: "f", args: {} }, thoughtSignature: "c2ln" }
  const functionResponse = { functionResponse: { name: "f", response: {} } }
  const anthropic = (messages: ReadonlyArray<unknown>, more: object = { tools: declared }) => ({
    model: "m",
    max_tokens: 9,
    messages,
    ...more
  })

  it.scopedLive.each<readonly [VendorName, string, unknown, RegExp]>([
    [
      "openai",
      "an answer to nothing",
      { messages: [user, { role: "tool", tool_call_id: "a", content: "" }] },
      /response to/
    ],
    ["openai", "no answer", { messages: [user, { role: "assistant", tool_calls: [call("a")] }, user] }, /did not have/],
    ["openai", "half an answer", {
      messages: [user, { role: "assistant", tool_calls: [call("a"), call("b")] }, {
        role: "tool",
        tool_call_id: "a",
        content: ""
      }]
    }, /did not have/],
    ["openai", "a long id", { messages: [{ role: "assistant", tool_calls: [call("x".repeat(41))] }] }, /tool_calls/],
    ["openai", "a choice without tools", { messages: [user], tool_choice: "auto" }, /only allowed/],
    ["openai", "no tools in a list", { messages: [user], tools: [] }, /tools/],
    ["groq", "no answer", { messages: [user, { role: "assistant", tool_calls: [call("a")] }], tools }, /did not have/],
    [
      "anthropic",
      "calls without tools",
      anthropic([user, { role: "assistant", content: [use("a")] }, {
        role: "user",
        content: [used("a")]
      }], {}),
      /must define tools/
    ],
    [
      "anthropic",
      "no answer",
      anthropic([user, { role: "assistant", content: [use("a")] }, user]),
      /immediately after/
    ],
    ["anthropic", "an answer to nothing", anthropic([{ role: "user", content: [used("a")] }]), /unexpected/],
    [
      "anthropic",
      "one id twice",
      anthropic([user, { role: "assistant", content: [use("a"), use("a")] }, {
        role: "user",
        content: [used("a"), used("a")]
      }]),
      /unique/
    ],
    [
      "anthropic",
      "an empty text",
      anthropic([user, { role: "assistant", content: [{ type: "text", text: "" }] }]),
      /text/
    ],
    ["gemini", "fewer answers than calls", {
      contents: [{ role: "model", parts: [functionCall, functionCall] }, { parts: [functionResponse] }]
    }, /number of function response parts/],
    ["gemini", "a call that is not signed", {
      contents: [{ role: "model", parts: [{ functionCall: { name: "f" } }] }, { parts: [functionResponse] }]
    }, /thought_signature/],
    ["gemini", "a part of nothing", { contents: [{ parts: [{}] }] }, /exactly one/]
  ])("%s: %s", ([vendor, _name, body, words]) =>
    Effect.gen(function*() {
      const { json, status } = yield* post(vendor, { model: "m", ...(body as object) })
      expect([status, JSON.stringify(json)]).toEqual([400, expect.stringMatching(words)])
    }))

  it("a turn answers exactly the calls before it", () => {
    const turn = (calls: string, answers = "") => ({ calls: [...calls], answers: [...answers] })
    expect(unpaired([turn(""), turn("ab"), turn("", "ba"), turn("a"), turn("", "a")])).toBeUndefined()
    expect(unpaired([turn("aab"), turn("", "aba")])).toBeUndefined()
    expect(unpaired([turn("ab"), turn("", "aab")])).toEqual({ index: 1, called: ["a", "b"] })
    expect(unpaired([turn("a"), turn("", "b")])).toEqual({ index: 1, called: ["a"] })
    expect(unpaired([turn(""), turn("", "a")])).toEqual({ index: 1, called: [] })
    expect(unpaired([turn("", "a")])).toEqual({ index: 0, called: [] })
    expect(unpaired([turn("a")])).toEqual({ index: 1, called: ["a"] })
  })
})

describe("the marker", () => {
  const tools = [{ name: "f", text: "" }, { name: "g", text: "" }]

  it.each<readonly [string, ReadonlyArray<unknown>]>([
    ["[call tool f {}]", [{ name: "f", args: {} }]],
    ["a [call tool f {\"a\":[{\"b\":[1]}]}] b [call tool g {\"c\":\"}]\"}] c", [
      { name: "f", args: { a: [{ b: [1] }] } },
      { name: "g", args: { c: "}]" } }
    ]],
    ["[call tool h {}] [call tool g {}]", [{ name: "g", args: {} }]],
    ["[call tool f {\"a\":}]", []],
    ["[call tool f]", []],
    ["[call tool f {", []],
    ["", []]
  ])("%s", (text, expected) => {
    expect(callsIn(text, tools)).toEqual(expected)
  })
})
