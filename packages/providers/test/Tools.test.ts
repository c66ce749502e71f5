/** Tools through each vendor's own SDK: a call, its answer, and what is sent of both, as the vendor records it. */
import { describe, expect, it } from "@effect/vitest"
import type { ChatMessage } from "@route-llm/core"
import { Effect } from "effect"
import { type Vendor, vendors } from "./helpers.ts"
import { bodies, called, connected, result, time, weather } from "./toolParts.ts"

const question: ChatMessage = {
  role: "user",
  content:
    "[call tool get_weather {\"city\":\"Oslo\",\"days\":[{\"n\":1}]}] [call tool get_time {}] [answer with 3 tokens]"
}

const oslo = { city: "Oslo", days: [{ n: 1 }] }

/** The two turns of a conversation in which the model asks for both tools at once. */
const conversation = (asked: Vendor, answered = asked) =>
  Effect.gen(function*() {
    const { loopback, mine } = yield* connected(asked)
    const other = answered === asked ? { loopback, mine } : yield* connected(answered)
    const first = yield* mine.chat({ messages: [question], tools: [weather, time] })
    const [a, b] = first.toolCalls ?? []
    const messages: ReadonlyArray<ChatMessage> = [
      { role: "system", content: "Be brief." },
      question,
      called(first.toolCalls),
      result(a!.id, "{\"celsius\":7}"),
      result(b!.id, "12:00"),
      { role: "system", content: "Speak French." },
      { role: "user", content: "And? [answer with 5 tokens]" }
    ]
    const second = yield* other.mine.chat({ messages, tools: [weather, time], toolChoice: "auto" })
    const sent = bodies(yield* other.loopback.requests).at(-1)!
    const last = yield* other.mine.chat({ messages: messages.slice(0, 5), tools: [weather, time] })
    return { first, second, last, sent, a: a!, b: b! }
  })

describe("a call and its answer", () => {
  it.scopedLive.each(vendors)("%s: come back", (vendor) =>
    Effect.gen(function*() {
      const { first, last, second } = yield* conversation(vendor)
      expect(first.finishReason).toBe("tool_calls")
      expect(first.content.split(" ")).toHaveLength(3)
      expect(first.toolCalls?.map(({ arguments: json, name }) => [name, JSON.parse(json)])).toEqual([
        ["get_weather", oslo],
        ["get_time", {}]
      ])
      expect(new Set(first.toolCalls?.map(({ id }) => id)).size).toBe(2)
      expect(second).toMatchObject({ finishReason: "stop" })
      expect(second.content.split(" ")).toHaveLength(5)
      expect(second.toolCalls).toBeUndefined()
      // Also where the tools' answers are the last word, the call has been served.
      expect([last.finishReason, last.toolCalls]).toEqual(["stop", undefined])
    }))

  it.scopedLive.each(["openai", "groq"] as const)("%s: as OpenAI writes it", (vendor) =>
    Effect.gen(function*() {
      const { a, b, sent } = yield* conversation(vendor)
      expect(sent).toMatchObject({ tools: [weather, time], tool_choice: "auto" })
      expect(sent.messages).toEqual([
        { role: "system", content: "Be brief." },
        question,
        {
          role: "assistant",
          content: null,
          tool_calls: [
            { id: a.id, type: "function", function: { name: "get_weather", arguments: JSON.stringify(oslo) } },
            { id: b.id, type: "function", function: { name: "get_time", arguments: "{}" } }
          ]
        },
        { role: "tool", content: "{\"celsius\":7}", tool_call_id: a.id },
        { role: "tool", content: "12:00", tool_call_id: b.id },
        { role: "system", content: "Speak French." },
        { role: "user", content: "And? [answer with 5 tokens]" }
      ])
    }))

  it.scopedLive("anthropic: as blocks, the answers to one turn in one turn, and no block without text", () =>
    Effect.gen(function*() {
      const { a, b, sent } = yield* conversation("anthropic")
      expect(sent).toMatchObject({
        system: "Be brief.\n\nSpeak French.",
        tools: [
          {
            name: "get_weather",
            description: "The weather in a city",
            input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] }
          },
          { name: "get_time", input_schema: { type: "object" } }
        ],
        tool_choice: { type: "auto" }
      })
      expect(sent.messages).toEqual([
        { role: "user", content: [{ type: "text", text: question.content }] },
        {
          role: "assistant",
          content: [
            { type: "tool_use", id: a.id, name: "get_weather", input: oslo },
            { type: "tool_use", id: b.id, name: "get_time", input: {} }
          ]
        },
        {
          role: "user",
          content: [
            { type: "tool_result", tool_use_id: a.id, content: "{\"celsius\":7}" },
            { type: "tool_result", tool_use_id: b.id, content: "12:00" }
          ]
        },
        { role: "user", content: [{ type: "text", text: "And? [answer with 5 tokens]" }] }
      ])
    }))

  it.scopedLive("gemini: as functions, answered under their names", () =>
    Effect.gen(function*() {
      const { sent } = yield* conversation("gemini")
      expect(sent).toMatchObject({
        tools: [{
          functionDeclarations: [
            {
              name: "get_weather",
              description: "The weather in a city",
              parametersJsonSchema: {
                type: "object",
                properties: { city: { type: "string" } },
                required: ["city"]
              }
            },
            { name: "get_time" }
          ]
        }],
        toolConfig: { functionCallingConfig: { mode: "AUTO" } }
      })
      expect(sent.contents).toEqual([
        { role: "user", parts: [{ text: question.content }] },
        {
          role: "model",
          parts: [
            {
              functionCall: { name: "get_weather", args: oslo },
              thoughtSignature: "skip_thought_signature_validator"
            },
            { functionCall: { name: "get_time", args: {} } }
          ]
        },
        {
          role: "user",
          parts: [
            { functionResponse: { name: "get_weather", response: { celsius: 7 } } },
            { functionResponse: { name: "get_time", response: { output: "12:00" } } }
          ]
        },
        { role: "user", parts: [{ text: "And? [answer with 5 tokens]" }] }
      ])
    }))

  const moves = vendors.flatMap((from) => vendors.filter((to) => to !== from).map((to) => [from, to] as const))

  it.scopedLive.each(moves)("asked by %s, answered to %s", ([from, to]) =>
    Effect.gen(function*() {
      expect((yield* conversation(from, to)).second.finishReason).toBe("stop")
    }))
})
