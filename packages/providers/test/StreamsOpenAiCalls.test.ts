/** What OpenAI and those that imitate it do differently: calls of tools, and what they take. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import OpenAI from "openai"
import { OpenAi } from "../src/index.ts"
import { type Canned, serve } from "./helpers.ts"
import { begun, chunk, end, finished, text } from "./streamParts.ts"
import { bare, streamed, streamOf, wired } from "./streamServer.ts"

const piece = (index: number | undefined, fields: object, id?: string) => ({
  ...(index === undefined ? {} : { index }),
  ...(id === undefined ? {} : { id, type: "function" }),
  function: fields
})

const calls = (...pieces: ReadonlyArray<object>) => chunk({ tool_calls: pieces })

const begins = (index: number, id: string, name: string, json = "") => ({
  _tag: "ToolCall",
  index,
  id,
  name,
  arguments: json
})

const goesOn = (index: number, json: string) => ({ _tag: "ToolCall", index, arguments: json })

describe("tool calls", () => {
  it.scoped.each<readonly [string, ReadonlyArray<object>, ReadonlyArray<unknown>]>([
    ["in pieces, side by side", [
      calls(piece(0, { name: "get_weather", arguments: "" }, "c1")),
      calls(piece(0, { arguments: "{\"city\":" })),
      calls(piece(1, { name: "get_time", arguments: "{" }, "c2"), piece(0, { arguments: "\"Oslo\"}" })),
      calls(piece(1, { arguments: "}" }))
    ], [
      begins(0, "c1", "get_weather"),
      goesOn(0, "{\"city\":"),
      begins(1, "c2", "get_time", "{"),
      goesOn(0, "\"Oslo\"}"),
      goesOn(1, "}")
    ]],
    ["whole, without an index", [
      calls(piece(undefined, { name: "a", arguments: "{}" }, "c1"), piece(undefined, { name: "b", arguments: "{}" }))
    ], [begins(0, "c1", "a", "{}"), begins(1, "call_chatcmpl-7_1", "b", "{}")]],
    ["without an index, told apart by id", [
      calls(piece(undefined, { name: "a", arguments: "[" }, "c1")),
      calls(piece(undefined, { name: "b", arguments: "{" }, "c2")),
      calls(piece(undefined, { arguments: "]" }, "c1")),
      calls(piece(undefined, { arguments: "}" }))
    ], [begins(0, "c1", "a", "["), begins(1, "c2", "b", "{"), goesOn(0, "]"), goesOn(1, "}")]],
    ["all under the index 0", [
      calls(piece(0, { name: "a", arguments: "{}" }, "c1")),
      calls(piece(0, { name: "b", arguments: "{}" }, "c2"))
    ], [begins(0, "c1", "a", "{}"), begins(1, "c2", "b", "{}")]],
    ["that repeat id and name", [
      calls(piece(0, { name: "a", arguments: "{" }, "c1")),
      calls(piece(0, { name: "a", arguments: "}" }, "c1"))
    ], [begins(0, "c1", "a", "{"), goesOn(0, "}")]],
    ["without an id, from index 1 on", [
      calls(piece(1, { name: "a", arguments: "{}" })),
      calls(piece(1, { arguments: "" }))
    ], [begins(0, "call_chatcmpl-7_0", "a", "{}")]],
    ["without arguments, or with an object", [
      calls(piece(0, { name: "a" }, "c1")),
      calls(piece(1, { name: "b", arguments: { city: "Oslo" } }, "c2"))
    ], [begins(0, "c1", "a"), begins(1, "c2", "b", "{\"city\":\"Oslo\"}"), goesOn(0, "{}")]],
    ["of other kinds, which are none", [
      chunk({ content: "x" }),
      chunk({ tool_calls: [{ index: 0, id: "c", type: "custom", custom: { name: "n", input: "" } }, null] })
    ], [text("x")]]
  ])("%s", ([_name, events, expected]) =>
    Effect.gen(function*() {
      const isCall = expected.length > 1 || !_name.includes("none")
      const { parts } = yield* streamed("openai", [...events, end("stop")])
      expect(bare(parts)).toEqual([begun, ...expected, finished(isCall ? "tool_calls" : "stop")])
    }))
})

describe("a server that does not know the field that asks for the usage", () => {
  const refusal = { error: { message: "Extra inputs are not permitted, field: 'stream_options'" } }

  const through = (canned: (body: unknown) => Canned) =>
    Effect.gen(function*() {
      const server = yield* serve({})
      const bodies: Array<unknown> = []
      const answer = (init: RequestInit | undefined) => {
        const body: unknown = JSON.parse(String(init?.body))
        bodies.push(body)
        const { body: payload, status = 200 } = canned(body)
        return Promise.resolve(
          new Response(typeof payload === "string" ? payload : JSON.stringify(payload), {
            status,
            headers: { "content-type": typeof payload === "string" ? "text/event-stream" : "application/json" }
          })
        )
      }
      const client = new OpenAI({ apiKey: "k", baseURL: server.url, fetch: (_url, init) => answer(init) })
      return { bodies, provider: yield* OpenAi.make({ name: "x", client, model: "m-1" }) }
    })

  const asks = (body: unknown) => typeof body === "object" && body !== null && "stream_options" in body

  it.scoped.each<readonly [string, number, object]>([
    ["that names it", 400, refusal],
    ["in a form that the SDK does not read", 422, { detail: [{ loc: ["body", "stream_options"], msg: "Extra" }] }]
  ])("is asked without it, and never again with it: %s", ([_name, status, body]) =>
    Effect.gen(function*() {
      const ok = wired("openai", [end("stop", { content: "a" })])
      const { bodies, provider } = yield* through((sent) => asks(sent) ? { status, body } : { body: ok })
      for (const count of [2, 3]) {
        yield* streamOf(provider)
        expect(bodies.length).toBe(count)
      }
      expect(bodies.map(asks)).toEqual([true, false, false])
    }))

  it.scoped("another refusal stands, and is no reason to forgo it", () =>
    Effect.gen(function*() {
      const { bodies, provider } = yield* through(() => ({ status: 400, body: { error: { message: "Bad request" } } }))
      expect((yield* Effect.flip(streamOf(provider))).class).toBe("caller_fault")
      const unread = yield* through(() => ({ status: 400, body: { detail: "no" } }))
      for (const count of [2, 4]) {
        yield* Effect.flip(streamOf(unread.provider))
        expect(unread.bodies.length).toBe(count)
      }
      expect([bodies, unread.bodies].map((sent) => sent.map(asks))).toEqual([[true], [true, false, true, false]])
    }))
})
