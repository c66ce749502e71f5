import { describe, expect, it } from "@effect/vitest"
import { type ChatMessage, type ChatRequest, TokenEstimator, type Tool } from "@route-llm/core"
import { Effect } from "effect"
import { exactTokens } from "./tokens/exact.ts"
import { samples } from "./tokens/samples.ts"

const layers = { layerHeuristic: TokenEstimator.layerHeuristic, layerTiktoken: TokenEstimator.layerTiktoken }

const user = (content: ChatMessage["content"]): ChatMessage => ({ role: "user", content } as ChatMessage)

const weather: Tool = {
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather at a place, now or on a day of the coming week",
    parameters: { type: "object", properties: { place: { type: "string" }, day: { type: "string" } } }
  }
}

const call = {
  id: "call_1",
  type: "function" as const,
  function: {
    name: "get_weather",
    arguments: JSON.stringify({ place: "Lisbon", days: ["Monday", "Tuesday", "Friday"] })
  }
}

describe.each(Object.entries(layers))("TokenEstimator.%s", (_, layer) => {
  const estimate = (request: ChatRequest) =>
    Effect.flatMap(TokenEstimator, (estimator) => estimator.estimate(request)).pipe(Effect.provide(layer))

  it.effect("adds 4 for each message and 3 for the answer", () =>
    Effect.gen(function*() {
      expect(yield* estimate({ messages: [user("")] })).toBe(7)
      expect(yield* estimate({ messages: [user(""), user("")] })).toBe(11)
    }))

  it.effect("counts images, by their detail", () =>
    Effect.gen(function*() {
      const image = (detail?: "low" | "high") =>
        user([{ type: "image_url", image_url: { url: "https://example.com/a.png", detail } }])
      expect(yield* estimate({ messages: [image("low")] })).toBe(7 + 85)
      expect(yield* estimate({ messages: [image("high")] })).toBe(7 + 765)
      expect(yield* estimate({ messages: [image()] })).toBe(7 + 765)
    }))

  it.effect("counts the parts of a message as its text", () =>
    Effect.gen(function*() {
      const [text, parts] = yield* Effect.all([
        estimate({ messages: [user(samples.English)] }),
        estimate({ messages: [user([{ type: "text", text: samples.English }])] })
      ])
      expect(parts).toBe(text)
    }))

  it.effect("counts tools as their JSON, and something for each", () =>
    Effect.gen(function*() {
      const messages = [user("Is it raining?")]
      const plain = yield* estimate({ messages })
      const one = yield* estimate({ messages, tools: [weather] })
      const two = yield* estimate({ messages, tools: [weather, weather] })
      const json = exactTokens(JSON.stringify(weather.function))
      expect(two - one).toBeGreaterThan(0.8 * json + 7)
      expect(two - one).toBeLessThan(1.5 * json + 7)
      expect(one - plain).toBeGreaterThanOrEqual(two - one + 10)
      expect(yield* estimate({ messages, tools: [] })).toBe(plain)
    }))

  it.effect("counts what a call of a tool and its answer say", () =>
    Effect.gen(function*() {
      const answer: ChatMessage = { role: "tool", content: "14 degrees, rain until noon", tool_call_id: "call_1" }
      const plain = yield* estimate({ messages: [user("?"), { role: "assistant", content: "" }] })
      const called = yield* estimate({ messages: [user("?"), { role: "assistant", content: "", tool_calls: [call] }] })
      const said = exactTokens(call.function.name) + exactTokens(call.function.arguments)
      expect(called - plain).toBeGreaterThan(0.9 * said + 7)
      expect(called - plain).toBeLessThan(1.5 * said + 10)
      const answered = yield* estimate({
        messages: [user("?"), { role: "assistant", content: "", tool_calls: [call] }, answer]
      })
      expect(answered - called).toBeGreaterThan(exactTokens(answer.content as string))
      expect(answered - called).toBeLessThan(1.5 * exactTokens(answer.content as string) + 5)
    }))

  it.effect("does not fail on a tool that is no JSON, on broken surrogates, on special tokens", () =>
    Effect.gen(function*() {
      const parameters: Record<string, unknown> = {}
      parameters["itself"] = parameters
      const tools: ReadonlyArray<Tool> = [
        { type: "function", function: { name: "loop", parameters } },
        { type: "function", function: { name: "big", parameters: { most: 2n } } }
      ]
      expect(yield* estimate({ messages: [user("?")], tools })).toBeGreaterThan(7)
      expect(yield* estimate({ messages: [user("\ud800"), user("\udc00 \ud83d")] })).toBeGreaterThan(11)
      expect(yield* estimate({ messages: [user("<|endoftext|><|im_start|>")] })).toBeGreaterThan(10)
    }))

  it.effect("gives the same count for the same request", () =>
    Effect.gen(function*() {
      const estimator = yield* TokenEstimator
      const request = { messages: [user(samples.English), user(samples.code)], tools: [weather] }
      expect(yield* estimator.estimate(request)).toBe(yield* estimator.estimate(request))
    }).pipe(Effect.provide(layer)))
})

describe("TokenEstimator", () => {
  it.effect("is the heuristic where no layer is provided", () =>
    Effect.gen(function*() {
      const request = { messages: [user(samples.Japanese)] }
      const plain = yield* Effect.flatMap(TokenEstimator, (estimator) => estimator.estimate(request))
      const heuristic = yield* Effect.flatMap(TokenEstimator, (estimator) => estimator.estimate(request)).pipe(
        Effect.provide(TokenEstimator.layerHeuristic)
      )
      expect(plain).toBe(heuristic)
      expect(plain).not.toBe(exactTokens(samples.Japanese) + 7)
    }))

  it.effect("is exact with js-tiktoken's vocabulary", () =>
    Effect.gen(function*() {
      const estimator = yield* TokenEstimator
      const messages = Object.values(samples).map(user)
      for (const message of messages) {
        expect(yield* estimator.estimate({ messages: [message] })).toBe(exactTokens(message.content as string) + 7)
      }
      expect(yield* estimator.estimate({ messages })).toBe(
        messages.reduce((sum, { content }) => sum + exactTokens(content as string) + 4, 3)
      )
    }).pipe(Effect.provide(TokenEstimator.layerTiktoken)))
})
