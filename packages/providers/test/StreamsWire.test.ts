/** What is the same for every vendor: bytes, headers, refusals, aborts. */
import { describe, expect, it } from "@effect/vitest"
import type { ProviderFailure, ProviderPart } from "@route-llm/core"
import { Effect, Exit, Fiber, Scope } from "effect"
import { vi } from "vitest"
import { answers, canary, connect, hello, serve, vendors } from "./helpers.ts"
import { finished } from "./streamParts.ts"
import { bare, collect, events, serveStreams, streamed, streamOf, textOf, wired } from "./streamServer.ts"

const words = ["Grüße ", "🌹", " 数"]

const ended = finished("stop")
const over = { done: true, value: undefined }

for (const vendor of vendors) {
  const whole = wired(vendor, events[vendor](words))
  const first = whole.slice(0, whole.indexOf("\n\n", whole.indexOf("Grüße ")) + 2)

  describe(`${vendor}: a stream`, () => {
    it.scoped.each(
      [
        ["by itself", whole],
        ["with comments and fields not known", `: hello\n\n${whole.replaceAll("\n\n", "\nid: 1\n\n: still here\n\n")}`],
        ["with CRLF", whole.replaceAll("\n", "\r\n")]
      ] as const
    )("is read %s", ([_name, body]) =>
      Effect.gen(function*() {
        // Google's SDK reads what stands behind `data:` up to the empty line as JSON.
        const sent = vendor === "gemini" ? body.replaceAll("\nid: 1", "") : body
        const { failure, parts } = yield* streamed(vendor, sent)
        expect(failure).toBeUndefined()
        expect(textOf(parts)).toBe(words.join(""))
        expect(parts.at(0)).toMatchObject({ _tag: "Metadata", model: "m-1" })
        expect(parts.filter(({ _tag }) => _tag === "Usage").at(-1)).toMatchObject({
          usage: { inputTokens: 7, outputTokens: 2 }
        })
        expect(parts.filter(({ _tag }) => _tag === "Finish")).toEqual([ended])
        expect(parts.at(-1)).toEqual(ended)
      }))

    it.scoped("is read byte by byte, with its characters split", () =>
      Effect.gen(function*() {
        const server = yield* serveStreams
        const open = yield* Effect.fork(streamOf(connect(vendor, server.url)))
        const wire = yield* server.next
        yield* wire.begin()
        const reading = yield* Effect.fork(collect(yield* Fiber.join(open)))
        for (const byte of Buffer.from(whole)) yield* wire.write(Buffer.from([byte]))
        yield* wire.end
        const { parts } = yield* Fiber.join(reading)
        const { parts: atOnce } = yield* streamed(vendor, whole)
        expect(bare(parts)).toEqual(bare(atOnce))
        expect(textOf(parts)).toBe(words.join(""))
      }))

    it.scoped("has begun with its headers, and each event comes when it is sent", () =>
      Effect.gen(function*() {
        const server = yield* serveStreams
        const open = yield* Effect.fork(streamOf(connect(vendor, server.url)))
        const wire = yield* server.next
        yield* wire.begin()
        const parts = (yield* Fiber.join(open))[Symbol.asyncIterator]()
        yield* wire.write(first)
        const come: Array<ProviderPart> = []
        while (textOf(come) === "") {
          const { done, value } = yield* Effect.promise(() => parts.next())
          if (done === true) break
          come.push(...value)
        }
        expect(textOf(come)).toBe(words[0])
      }))

    it.scoped("is aborted on the wire when its scope closes, whoever waits for it", () =>
      Effect.gen(function*() {
        const server = yield* serveStreams
        const scope = yield* Scope.make()
        const open = yield* Effect.fork(Scope.extend(streamOf(connect(vendor, server.url)), scope))
        const wire = yield* server.next
        yield* wire.begin()
        yield* wire.write(first)
        const reading = yield* Effect.fork(collect(yield* Fiber.join(open)))
        yield* Scope.close(scope, Exit.void)
        yield* wire.abandoned
        const { failure, parts } = yield* Fiber.join(reading)
        expect([failure, parts.some(({ _tag }) => _tag === "Finish")]).toEqual([undefined, false])
      }))

    it.scoped("is aborted before its headers by its scope, and by interruption", () =>
      Effect.gen(function*() {
        const server = yield* serveStreams
        const scope = yield* Scope.make()
        const open = yield* Effect.fork(Effect.flip(Scope.extend(streamOf(connect(vendor, server.url)), scope)))
        const wire = yield* server.next
        yield* Scope.close(scope, Exit.void)
        yield* wire.abandoned
        expect((yield* Fiber.join(open)).class).toMatch(/cancelled|timeout/)
        const interrupted = yield* Effect.fork(streamOf(connect(vendor, server.url)))
        const second = yield* server.next
        yield* Fiber.interrupt(interrupted)
        yield* second.abandoned
      }))

    it.scoped("is aborted by return, also while it is waited for", () =>
      Effect.gen(function*() {
        for (const isWaiting of [false, true]) {
          const server = yield* serveStreams
          const open = yield* Effect.fork(streamOf(connect(vendor, server.url)))
          const wire = yield* server.next
          yield* wire.begin()
          const parts = (yield* Fiber.join(open))[Symbol.asyncIterator]()
          const waiting = isWaiting ? parts.next() : undefined
          expect(yield* Effect.promise(async () => parts.return?.())).toEqual(over)
          yield* wire.abandoned
          if (waiting !== undefined) expect(yield* Effect.promise(() => waiting)).toEqual(over)
          expect(yield* Effect.promise(() => parts.next())).toEqual(over)
        }
      }))

    it.scoped("fails as the network does when the connection is reset, once", () =>
      Effect.gen(function*() {
        const server = yield* serveStreams
        const open = yield* Effect.fork(streamOf(connect(vendor, server.url)))
        const wire = yield* server.next
        yield* wire.begin()
        yield* wire.write(first)
        const parts = (yield* Fiber.join(open))[Symbol.asyncIterator]()
        yield* Effect.promise(() => parts.next())
        yield* wire.reset
        const failed = yield* Effect.flip(Effect.tryPromise({
          try: async () => {
            while ((await parts.next()).done !== true);
          },
          catch: (thrown) => thrown as ProviderFailure
        }))
        expect(failed).toMatchObject({ _tag: "ProviderFailure", class: "network" })
        expect(yield* Effect.promise(() => parts.next())).toEqual(over)
      }))

    it.scoped("leaves a connection that can be used again", () =>
      Effect.gen(function*() {
        const server = yield* serveStreams
        const provider = connect(vendor, server.url)
        const used = []
        for (let turn = 0; turn < 6; turn++) {
          const reading = yield* Effect.fork(Effect.scoped(Effect.flatMap(streamOf(provider), collect)))
          const wire = yield* server.next
          yield* wire.begin()
          yield* wire.write(whole)
          // Anthropic says itself that it has said all: its answer is over, and left, before its body is.
          if (vendor !== "anthropic") yield* wire.end
          expect((yield* Fiber.join(reading)).parts.at(-1)).toEqual(ended)
          if (vendor === "anthropic") yield* wire.end
          used.push(wire.connection)
        }
        // The client takes a second one where the first is not yet back in its pool.
        expect(new Set(used).size).toBeLessThanOrEqual(2)
      }))

    it.scoped("refused before it begins fails as a whole answer does, once", () =>
      Effect.gen(function*() {
        const server = yield* serve({
          status: 429,
          headers: { "retry-after": "7" },
          body: { error: { message: `Too many requests with ${canary}` } }
        })
        const provider = connect(vendor, server.url)
        const whole = yield* Effect.flip(provider.chat(hello))
        const failure = yield* Effect.flip(streamOf(provider))
        expect({ ...failure, message: failure.message }).toEqual({ ...whole, message: whole.message })
        expect(failure.class).toBe("rate_limit")
        // Google's SDK keeps the headers of errors to itself.
        expect(failure.retryAfterMs).toBe(vendor === "gemini" ? undefined : 7_000)
        expect(server.requests.length).toBe(2)
      }))

    it.scoped("shows no key in what breaks it off", () =>
      Effect.gen(function*() {
        const error = { code: 503, status: "UNAVAILABLE", type: "overloaded", message: `Key ${canary} is refused` }
        const event = vendor === "anthropic" ? "event: error\n" : ""
        const { failure } = yield* streamed(vendor, `${first}${event}data: ${JSON.stringify({ error })}\n\n`)
        expect(failure?.message).toBe("Key [redacted] is refused")
        expect(JSON.stringify(failure)).not.toContain(canary)
      }))

    it.scoped("that holds no JSON is a transient failure, without the answer's words", () =>
      Effect.gen(function*() {
        // The SDKs print it, unless they are told not to.
        yield* Effect.acquireRelease(
          Effect.sync(() => void ["OPENAI_LOG", "GROQ_LOG", "ANTHROPIC_LOG"].map((name) => vi.stubEnv(name, "off"))),
          () => Effect.sync(() => void vi.unstubAllEnvs())
        )
        const { failure } = yield* streamed(vendor, first + first.replace("Grüße", "\"secret").replaceAll("m-1", ""))
        expect(failure).toMatchObject({ class: "transient", message: "The vendor sent an event that is no JSON." })
      }))

    it.scoped.each(["<!doctype html><p>captive portal</p>", "", JSON.stringify(answers[vendor])])(
      "that is none has no finish: %s",
      (body) =>
        Effect.gen(function*() {
          const { parts } = yield* streamed(vendor, body)
          expect(parts).toEqual([])
        })
    )
  })
}

it.scoped.each(["openai", "groq", "gemini"] as const)(
  "%s: what is aborted has no end, whatever was said",
  (vendor) =>
    Effect.gen(function*() {
      const server = yield* serveStreams
      const scope = yield* Scope.make()
      const open = yield* Effect.fork(Scope.extend(streamOf(connect(vendor, server.url)), scope))
      const wire = yield* server.next
      yield* wire.begin()
      yield* wire.write(wired(vendor, events[vendor](words)))
      const parts = (yield* Fiber.join(open))[Symbol.asyncIterator]()
      const said: Array<ProviderPart> = []
      while (said.at(-1)?._tag !== "Usage") said.push(...(yield* Effect.promise(() => parts.next())).value ?? [])
      const next = parts.next()
      yield* Scope.close(scope, Exit.void)
      expect(yield* Effect.promise(() => next)).toEqual(over)
    })
)

describe("limits", () => {
  const headers = {
    "x-ratelimit-limit-requests": "5",
    "x-ratelimit-remaining-requests": "4",
    "anthropic-ratelimit-requests-limit": "5",
    "anthropic-ratelimit-requests-remaining": "4"
  }

  it.scoped.each(vendors)("%s: are read from the headers", (vendor) =>
    Effect.gen(function*() {
      const { stream } = yield* streamed(vendor, events[vendor](words), { headers })
      const server = yield* serve({ body: answers[vendor], headers })
      const { limits } = yield* connect(vendor, server.url).chat(hello)
      expect(limits).toBeDefined()
      expect(stream.limits).toEqual(limits)
    }))

  it.scoped.each(vendors)("%s: stand in a failure inside the stream as well", (vendor) =>
    Effect.gen(function*() {
      const { failure } = yield* streamed(vendor, events[vendor](words).slice(0, 3), { headers, fault: "cut" })
      expect(failure).toMatchObject({
        class: "network",
        limits: expect.arrayContaining([{ dimension: expect.any(String), limit: 5, remaining: 4 }])
      })
    }))
})
