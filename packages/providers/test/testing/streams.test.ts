/** What holds of every vendor's stream, read by its official SDK. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { LoopbackVendor, noLatency } from "../../src/testing/index.ts"
import type { Fault, LoopbackVendorOptions, StreamFault, VendorName } from "../../src/testing/index.ts"
import { listen, streams } from "./streamSupport.ts"

const vendors: ReadonlyArray<VendorName> = ["openai", "anthropic", "gemini", "groq"]

const finishes = { openai: "stop", anthropic: "end_turn", gemini: "STOP", groq: "stop" } as const
const toolFinishes = { openai: "tool_calls", anthropic: "tool_use", gemini: "STOP", groq: "tool_calls" } as const

const make = (vendor: VendorName, options: Partial<LoopbackVendorOptions> = {}) =>
  LoopbackVendor.make({ vendor, latency: noLatency, ...options })

const hear = (vendor: VendorName, url: string, content = "[answer with 8 tokens]") =>
  Effect.promise(() => listen(streams[vendor](url, content)))

/** Then the client leaves: by its signal, since the SDK of Gemini does not do so by itself. */
const firstWord = (vendor: VendorName, url: string, content = "[answer with 8 tokens]") =>
  Effect.promise(async () => {
    const controller = new AbortController()
    for await (const { text } of streams[vendor](url, content, controller.signal)) {
      if (!text) continue
      controller.abort()
      return text
    }
    return undefined
  })

const words = "this tëxt came from your test host with"

describe.each(vendors)("%s streams", (name) => {
  it.scopedLive("the words of an answer, its finish and its usage", () =>
    Effect.gen(function*() {
      const vendor = yield* make(name)
      const heard = yield* hear(name, vendor.url)
      expect(heard).toMatchObject({ text: words, calls: [], finish: finishes[name], thrown: undefined })
      const counts = yield* vendor.counts
      expect(heard.usage).toEqual([counts.inputTokens, 8])
      expect(counts).toMatchObject({ served: 1, outputTokens: 8, inFlight: 0 })
    }))

  it.scopedLive("calls of tools, in pieces where the vendor sends pieces", () =>
    Effect.gen(function*() {
      const vendor = yield* make(name)
      const asked = "[call tool get_weather {\"city\": \"Oslo\"}] [call tool get_weather {\"city\": \"Rome\"}]"
      const { calls, finish, text } = yield* hear(name, vendor.url, asked)
      const expected = ["Oslo", "Rome"].map((city) => ({ name: "get_weather", args: { city } }))
      expect({ finish, text }).toEqual({ finish: toolFinishes[name], text: "" })
      // The helper reads one call a chunk, and Gemini sends both in one.
      expect(calls).toEqual(name === "gemini" ? expected.slice(0, 1) : expected)
    }))

  it.scopedLive("over time: the first word after the first token's, the others after it", () =>
    Effect.gen(function*() {
      const vendor = yield* make(name, { latency: { firstTokenMs: 3_000, perTokenMs: 1_000 }, speed: 100 })
      const startedMs = performance.now()
      const times = yield* Effect.promise(async () => {
        const seen: Array<number> = []
        for await (const { text } of streams[name](vendor.url, "[answer with 8 tokens]")) {
          if (text) seen.push(performance.now() - startedMs)
        }
        return seen
      })
      // Lower bounds only: timers are never early, and late on a busy machine.
      expect(times[0]).toBeGreaterThanOrEqual(38)
      expect(times.at(-1)).toBeGreaterThanOrEqual(108)
    }))

  const broken: ReadonlyArray<readonly [at: NonNullable<StreamFault["at"]>, text: string]> = [
    ["before_headers", ""],
    ["after_headers", ""],
    ["after_start", ""],
    // Of Anthropic's events of content the first begins a block.
    ["after_content", name === "anthropic" ? "this tëxt " : "this tëxt came "],
    ["before_end", words],
    ["mid_character", "this "]
  ]
  for (const [at, text] of broken) {
    it.scopedLive(`up to a break ${at}: a reset, an end in good form, and an error`, () =>
      Effect.gen(function*() {
        const vendor = yield* make(name)
        const meet = (does: StreamFault["does"]) =>
          Effect.zipRight(vendor.fail({ kind: "stream", at, does }), hear(name, vendor.url))
        const reset = yield* meet("reset")
        expect(reset).toMatchObject({ text, finish: undefined })
        expect(reset.thrown).toBeInstanceOf(Error)
        const ended = yield* meet("end")
        expect(ended).toMatchObject({ text, finish: undefined })
        if (at === "mid_character") return
        const failed = yield* meet({ kind: "overloaded" })
        expect(failed.text).toBe(text)
        if (name !== "gemini" || at === "before_headers") {
          expect(failed.thrown).toBeInstanceOf(Error)
          expect(String(failed.thrown)).toMatch(/overloaded|over capacity/i)
        }
        expect(yield* vendor.counts).toMatchObject({ served: 0, failed: 3, inFlight: 0 })
      }))
  }

  it.scopedLive("nothing more after a stall, until the client leaves", () =>
    Effect.gen(function*() {
      const vendor = yield* make(name)
      yield* vendor.fail({ kind: "stream", at: "after_content", does: "stall" })
      expect(yield* firstWord(name, vendor.url)).toBe("this ")
      const counts = yield* vendor.awaitCounts(({ aborted }) => aborted === 1)
      expect(counts).toMatchObject({ served: 0, failed: 0, inFlight: 0 })
      expect(counts.outputTokens).toBe(name === "anthropic" ? 2 : 3)
    }))

  it.scopedLive("to who leaves early what it had written by then", () =>
    Effect.gen(function*() {
      const vendor = yield* make(name, { latency: { firstTokenMs: 0, perTokenMs: 1_000 }, speed: 100 })
      yield* firstWord(name, vendor.url, "[answer with 500 tokens]")
      const { outputTokens } = yield* vendor.awaitCounts(({ aborted }) => aborted === 1)
      expect(outputTokens).toBeGreaterThan(0)
      expect(outputTokens).toBeLessThan(500)
      expect(yield* vendor.admissions).toMatchObject([{ outputTokens }])
    }))

  it.scopedLive.each(["crlf", "comments", "idle_events", "bytes", "together"] as const)(
    "whole, written oddly: %s",
    (shape) =>
      Effect.gen(function*() {
        const vendor = yield* make(name)
        yield* vendor.fail({ kind: "framing", shapes: [shape] })
        expect(yield* hear(name, vendor.url)).toMatchObject({ text: words, finish: finishes[name], thrown: undefined })
      })
  )

  it.scopedLive("not at all where it refuses, with its usual answer", () =>
    Effect.gen(function*() {
      const vendor = yield* make(name, { requestLimit: 1 })
      const faults: ReadonlyArray<Fault> = [{ kind: "rate_limit" }, { kind: "unauthorized" }, { kind: "server_error" }]
      for (const fault of faults) yield* vendor.fail(fault)
      for (const status of [429, name === "gemini" ? 400 : 401, 500]) {
        expect((yield* hear(name, vendor.url)).thrown).toMatchObject({ status })
      }
      yield* hear(name, vendor.url)
      expect((yield* hear(name, vendor.url)).thrown).toMatchObject({ status: 429 })
    }))
})

it.scopedLive("a stream's usage is sent by OpenAI only where it is asked for", () =>
  Effect.gen(function*() {
    const { url } = yield* make("openai")
    const body = { model: "m", stream: true, messages: [{ role: "user", content: "[answer with 2 tokens]" }] }
    const text = yield* Effect.promise(async () =>
      (await fetch(`${url}/chat/completions`, { method: "POST", body: JSON.stringify(body) })).text()
    )
    expect(text).not.toContain("usage")
    expect(text.trimEnd().endsWith("data: [DONE]")).toBe(true)
  }))

it.scopedLive("a request for a whole answer meets what is nearest to a stream's fault", () =>
  Effect.gen(function*() {
    const vendor = yield* make("openai")
    const post = (init: RequestInit = {}) =>
      Effect.promise(() =>
        fetch(`${vendor.url}/chat/completions`, {
          method: "POST",
          body: JSON.stringify({ model: "m", messages: [{ role: "user", content: "a" }] }),
          ...init
        }).then(async (response) => [response.status, await response.text().catch(() => "cut")], () => "reset")
      )
    yield* vendor.fail({ kind: "stream", at: "before_headers", does: "reset" })
    yield* vendor.fail({ kind: "stream", does: "end" })
    yield* vendor.fail({ kind: "stream", does: { kind: "overloaded" } })
    yield* vendor.fail({ kind: "stream", does: "stall" })
    expect(yield* post()).toBe("reset")
    expect(yield* post()).toEqual([200, "cut"])
    expect(yield* post()).toEqual([503, expect.stringContaining("overloaded")])
    const controller = new AbortController()
    const stalled = yield* Effect.fork(post({ signal: controller.signal }))
    yield* vendor.awaitCounts(({ inFlight }) => inFlight === 1)
    controller.abort()
    expect(yield* stalled).toBe("reset")
  }))
