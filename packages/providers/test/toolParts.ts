/** Tools, calls and conversations for the tests of tools. */
import type { ChatMessage, ChatRequest, Tool, ToolCall } from "@route-llm/core"
import { Effect } from "effect"
import { LoopbackVendor, noLatency } from "../src/testing/index.ts"
import type { RecordedRequest } from "../src/testing/index.ts"
import { answers, connect, hello, serve, type Vendor } from "./helpers.ts"

export const weather: Tool = {
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather in a city",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] }
  }
}

export const time: Tool = { type: "function", function: { name: "get_time" } }

export const called = (calls: ReadonlyArray<ToolCall> = [], content: string | [] = ""): ChatMessage => ({
  role: "assistant",
  content: content.length === 0 ? [{ type: "text", text: "" }] : content,
  tool_calls: calls.map(({ arguments: json, id, name }) => ({
    id,
    type: "function",
    function: { name, arguments: json }
  }))
})

export const result = (id: string, content: string): ChatMessage => ({ role: "tool", content, tool_call_id: id })

export const connected = (vendor: Vendor) =>
  Effect.map(LoopbackVendor.make({ vendor, latency: noLatency }), (loopback) => ({
    loopback,
    mine: connect(vendor, loopback.url.replace(/\/v1$/, ""))
  }))

export const bodies = (requests: ReadonlyArray<RecordedRequest>) =>
  requests.map(({ body }) => body as Readonly<Record<string, unknown>>)

/** The body of one request, at a vendor that takes anything. */
export const sent = (vendor: Vendor, request: Partial<ChatRequest>, model?: string) =>
  Effect.gen(function*() {
    const server = yield* serve({ body: answers[vendor] })
    yield* connect(vendor, server.url, model).chat({ ...hello, ...request })
    return server.requests[0]!.body as Readonly<Record<string, unknown>>
  })
