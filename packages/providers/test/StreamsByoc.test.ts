import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { Anthropic, Gemini, OpenAi } from "../src/index.ts"
import { answers } from "./helpers.ts"
import { finished } from "./streamParts.ts"
import { collect, streamOf } from "./streamServer.ts"

/** Something that happens once. */
const signal = () => {
  let give = () => {}
  const given = new Promise<void>((resolve) => {
    give = resolve
  })
  return { give, given }
}

describe("clients that only look like the SDK's", () => {
  const through = (create: () => PromiseLike<unknown>) =>
    OpenAi.make({ name: "x", client: { chat: { completions: { create } } } })

  const read = (create: () => PromiseLike<unknown>) =>
    Effect.scoped(Effect.flatMap(Effect.flatMap(through(create), (provider) => streamOf(provider)), collect))

  it.effect("may answer as a whole", () =>
    Effect.gen(function*() {
      const { batches } = yield* read(() => Promise.resolve(answers.openai))
      expect(batches).toEqual([[
        { _tag: "Metadata", model: "gpt-4o-2024-08-06", raw: answers.openai },
        { _tag: "Text", text: "Fine." },
        { _tag: "Usage", usage: { inputTokens: 12, outputTokens: 3, cachedInputTokens: 8 } },
        finished("stop")
      ]])
      expect(yield* Effect.flip(read(() => Promise.resolve("<html>")))).toMatchObject({ class: "transient" })
    }))

  it.effect("are told to stop where they do not heed the signal", () =>
    Effect.gen(function*() {
      let left = 0
      const silent = {
        [Symbol.asyncIterator]: () => ({
          next: () => new Promise(() => {}),
          return: () => {
            left += 1
            return Promise.reject(new Error("broken"))
          }
        })
      }
      const provider = yield* through(() => Promise.resolve(silent))
      yield* Effect.scoped(streamOf(provider))
      expect(left).toBe(1)
      const stream = yield* Effect.scoped(streamOf(provider))
      const parts = stream[Symbol.asyncIterator]()
      expect(yield* Effect.promise(() => parts.next())).toEqual({ done: true, value: undefined })
    }))

  it.effect("may have no streams, as an older one of Google's", () =>
    Effect.gen(function*() {
      const models = { generateContent: () => Promise.resolve(answers.gemini) }
      const provider = yield* Gemini.make({ name: "x", client: { models } })
      const { batches } = yield* Effect.scoped(Effect.flatMap(streamOf(provider), collect))
      expect(batches).toEqual([[
        { _tag: "Metadata", model: "gemini-2.5-flash", raw: answers.gemini },
        { _tag: "Text", text: "Fine." },
        { _tag: "Usage", usage: { inputTokens: 12, outputTokens: 10, cachedInputTokens: 8 } },
        finished("stop")
      ]])
    }))

  it.effect("are left at once where they answer after they were called off", () =>
    Effect.gen(function*() {
      const asked = signal()
      const answer = signal()
      const left = signal()
      const stream = {
        [Symbol.asyncIterator]: () => ({
          next: () => new Promise(() => {}),
          return: async () => left.give()
        })
      }
      const provider = yield* through(async () => {
        asked.give()
        await answer.given
        return stream
      })
      const fiber = yield* Effect.fork(Effect.scoped(streamOf(provider)))
      yield* Effect.promise(() => asked.given)
      yield* Fiber.interrupt(fiber)
      answer.give()
      yield* Effect.promise(() => left.given)
    }))

  it.effect("are read to their end after the finish", () =>
    Effect.gen(function*() {
      const gate = signal()
      const end = signal()
      async function* stream() {
        yield { type: "message_stop" }
        await gate.given
        yield { type: "ping" }
        end.give()
      }
      const client = { messages: { create: () => Promise.resolve(stream()) } }
      const provider = yield* Anthropic.make({ name: "x", client })
      yield* Effect.scoped(Effect.gen(function*() {
        const { parts } = yield* Effect.flatMap(streamOf(provider), collect)
        expect(parts).toEqual([finished("other")])
        gate.give()
        yield* Effect.promise(() => end.given)
      }))
    }))

  it.effect("fail as they like", () =>
    Effect.gen(function*() {
      const broken = (next: () => unknown) => () => Promise.resolve({ [Symbol.asyncIterator]: () => ({ next }) })
      const thrown = () => {
        throw Object.assign(new Error("m"), { status: 429 })
      }
      expect((yield* read(broken(thrown))).failure?.class).toBe("rate_limit")
      for (const result of [undefined, Promise.resolve(undefined), Promise.reject(new Error("no"))]) {
        expect((yield* read(broken(() => result))).failure?.class).toBe("transient")
      }
    }))
})
