/** Which tools are sent, which choice, and what becomes of conversations that are not as they should be. */
import { describe, expect, it } from "@effect/vitest"
import type { ChatMessage, ToolChoice } from "@route-llm/core"
import { Effect } from "effect"
import { answers, connect, hello, serve, vendors } from "./helpers.ts"
import { bodies, called, connected, result, sent, time, weather } from "./toolParts.ts"

const named: ToolChoice = { type: "function", function: { name: "get_time" } }

const mode = (name: string, allowedFunctionNames?: ReadonlyArray<string>) => ({
  functionCallingConfig: { mode: name, ...(allowedFunctionNames === undefined ? {} : { allowedFunctionNames }) }
})

const choices: ReadonlyArray<readonly [ToolChoice | undefined, openAi: unknown, anthropic: unknown, gemini: unknown]> =
  [
    [undefined, undefined, undefined, undefined],
    ["auto", "auto", { type: "auto" }, mode("AUTO")],
    ["none", "none", { type: "none" }, mode("NONE")],
    ["required", "required", { type: "any" }, mode("ANY")],
    [named, named, { type: "tool", name: "get_time" }, mode("ANY", ["get_time"])]
  ]

describe("the choice", () => {
  it.scoped.each(choices)("%o", ([toolChoice, openAi, anthropic, gemini]) =>
    Effect.gen(function*() {
      const request = { tools: [time], ...(toolChoice === undefined ? {} : { toolChoice }) }
      expect((yield* sent("openai", request)).tool_choice).toEqual(openAi)
      expect((yield* sent("groq", request)).tool_choice).toEqual(openAi)
      expect((yield* sent("anthropic", request)).tool_choice).toEqual(anthropic)
      expect((yield* sent("gemini", request)).toolConfig).toEqual(gemini)
    }))

  it.scoped.each(vendors)(
    "%s: without tools nothing is sent of it, and a demand is the caller's fault",
    (vendor) =>
      Effect.gen(function*() {
        for (const request of [{ tools: [] }, { toolChoice: "auto" }, { toolChoice: "none", tools: [] }] as const) {
          const body = yield* sent(vendor, request)
          expect(Object.keys(body).filter((key) => key.startsWith("tool"))).toEqual([])
        }
        const server = yield* serve({ body: answers[vendor] })
        for (const toolChoice of ["required", named] as const) {
          const failure = yield* Effect.flip(connect(vendor, server.url).chat({ ...hello, toolChoice, tools: [] }))
          expect(failure.class).toBe("caller_fault")
        }
        expect(server.requests).toHaveLength(0)
      })
  )

  it.scoped.each(
    [
      ["claude-sonnet-4-6", true],
      ["claude-opus-4-8", true],
      ["claude-opus-5", true],
      ["claude-3-5-sonnet-20241022", true],
      ["kimi-k2", true],
      ["claude-sonnet-5-5", false],
      ["claude-fable-5-1", false],
      ["claude-mythos-preview", false]
    ] as const
  )("anthropic: %s takes a demand: %s", ([model, takes]) =>
    Effect.gen(function*() {
      const system: ChatMessage = { role: "system", content: "Be brief." }
      const messages = [system, ...hello.messages]
      const body = yield* sent("anthropic", { messages, tools: [time], toolChoice: named }, model)
      expect([body.tool_choice, body.system]).toEqual(
        takes
          ? [{ type: "tool", name: "get_time" }, "Be brief."]
          : [{ type: "auto" }, "Be brief.\n\nAnswer by calling the tool \"get_time\"."]
      )
      const any = yield* sent("anthropic", { tools: [time], toolChoice: "required" }, model)
      expect([any.tool_choice, any.system]).toEqual(
        takes ? [{ type: "any" }, undefined] : [{ type: "auto" }, "Answer by calling one of the tools."]
      )
    }))
})

describe("conversations that are not as they should be", () => {
  const past = (json: string): ReadonlyArray<ChatMessage> => [
    ...hello.messages,
    called([{ id: "call_1", name: "get_weather", arguments: json }], "Let me see."),
    result("call_1", "sunny")
  ]

  it.scopedLive("anthropic: calls without tools declared, which it would refuse", () =>
    Effect.gen(function*() {
      const { loopback, mine } = yield* connected("anthropic")
      yield* mine.chat({ messages: past("{}") })
      const body = bodies(yield* loopback.requests)[0]
      expect(body).toMatchObject({
        tools: [{ name: "get_weather", input_schema: { type: "object" } }],
        tool_choice: { type: "none" },
        messages: [{}, { content: [{ type: "text", text: "Let me see." }, { type: "tool_use" }] }, {}]
      })
    }))

  it.scoped.each(
    [
      ["", {}],
      ["{\"city\":\"Oslo\"}", { city: "Oslo" }],
      ["{\"city\":", { arguments: "{\"city\":" }],
      ["[1]", { arguments: "[1]" }],
      ["Oslo", { arguments: "Oslo" }]
    ] as const
  )("arguments %s become an object where there must be one", ([json, expected]) =>
    Effect.gen(function*() {
      const messages = past(json)
      expect(yield* sent("anthropic", { messages })).toMatchObject({
        messages: [{}, { content: [{}, { input: expected }] }, {}]
      })
      expect(yield* sent("gemini", { messages })).toMatchObject({
        contents: [{}, { parts: [{}, { functionCall: { args: expected } }] }, {}]
      })
      expect(yield* sent("openai", { messages })).toMatchObject({
        messages: [{}, { content: "Let me see.", tool_calls: [{ function: { arguments: json } }] }, {}]
      })
    }))

  it.scopedLive("a system message between the answers does not part them where it stands apart", () =>
    Effect.gen(function*() {
      const ids = ["a", "b"]
      const calls = ids.map((id) => ({ id, name: "get_time", arguments: "{}" }))
      const [first, second] = ids.map((id) => result(id, "12:00"))
      const messages = [
        ...hello.messages,
        called(calls),
        first!,
        { role: "system", content: "Be brief." } as const,
        second!
      ]
      for (const vendor of ["anthropic", "gemini"] as const) {
        const { mine } = yield* connected(vendor)
        expect((yield* mine.chat({ messages, tools: [time] })).finishReason).toBe("stop")
      }
    }))

  it.scoped("an id used again in a later turn means the call of that turn", () =>
    Effect.gen(function*() {
      const again = (name: string) => [called([{ id: "x", name, arguments: "{}" }]), result("x", `{"of":"${name}"}`)]
      const body = yield* sent("gemini", { messages: [...hello.messages, ...again("a"), ...again("b")] })
      expect(body).toMatchObject({
        contents: [{}, {}, { parts: [{ functionResponse: { name: "a", response: { of: "a" } } }] }, {}, {
          parts: [{ functionResponse: { name: "b", response: { of: "b" } } }]
        }]
      })
    }))

  it.scoped("gemini: an answer to no call has no name, and is not sent", () =>
    Effect.gen(function*() {
      const server = yield* serve({ body: answers.gemini })
      const failure = yield* Effect.flip(connect("gemini", server.url).chat({ messages: [result("call_9", "x")] }))
      expect(failure.class).toBe("caller_fault")
      expect(failure.message).toContain("call_9")
      expect(server.requests).toHaveLength(0)
    }))

  it.scopedLive.each(vendors)("%s: what belongs to no call is refused there too", (vendor) =>
    Effect.gen(function*() {
      const { mine } = yield* connected(vendor)
      const failure = yield* Effect.flip(
        mine.chat({ messages: [...past("{}"), result("call_2", "x")], tools: [weather] })
      )
      expect(failure.class).toBe("caller_fault")
    }))

  it.scoped("a vendor's words that quote a call's arguments are withheld", () =>
    Effect.gen(function*() {
      const secret = "{\"name\":\"Ada Lovelace of St James's Square\"}"
      const server = yield* serve({
        status: 400,
        body: { error: { message: `bad: ${secret}`, type: "invalid_request_error" } }
      })
      const failure = yield* Effect.flip(connect("openai", server.url).chat({ messages: past(secret) }))
      expect(failure.message).toContain("withheld")
    }))
})
