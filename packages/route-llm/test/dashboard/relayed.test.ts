import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { expect, it } from "@effect/vitest"
import { Chunk, Clock, Effect, Fiber, Option, Stream, TestClock } from "effect"
import { relayedEvents } from "../../src/dashboard/relayed.ts"

/** What the app does with one connection: an answer whose body these pieces are, or none. */
interface Connection {
  readonly status?: number
  readonly contentType?: string
  readonly pieces?: ReadonlyArray<string | Uint8Array>
  /** How the body ends after them; default in good form. */
  readonly ends?: "closed" | "broken" | "never"
}

const bodyOf = ({ pieces = [], ends = "closed" }: Connection) => {
  const left = pieces.map((piece) => typeof piece === "string" ? new TextEncoder().encode(piece) : piece)
  return new ReadableStream<Uint8Array>({
    // One at a time: what breaks throws away what has not been read.
    pull: (controller) => {
      const piece = left.shift()
      if (piece !== undefined) controller.enqueue(piece)
      else if (ends === "closed") controller.close()
      else if (ends === "broken") controller.error(Object.assign(new Error("cut"), { code: "ECONNRESET" }))
      return piece === undefined && ends === "never" ? new Promise<void>(() => {}) : undefined
    }
  }, { highWaterMark: 0 })
}

const app = (...connections: ReadonlyArray<Connection | Error>) => {
  const asked: Array<Headers> = []
  const fetch: typeof globalThis.fetch = async (_url, init) => {
    const connection = connections[asked.length]
    asked.push(new Headers(init?.headers))
    if (connection === undefined) return new Promise<Response>(() => {})
    if (connection instanceof Error) throw connection
    const { contentType = "text/event-stream; charset=utf-8", status = 200 } = connection
    return new Response(bodyOf(connection), { status, headers: { "content-type": contentType } })
  }
  return { asked, fetch }
}

const options = { url: "http://app/llm/events", name: "http://app/llm", headers: { authorization: "Bearer canary" } }

const microtasks = Effect.promise(() => new Promise<void>((resume) => setImmediate(resume)))

/** The first events that a page would get, and after how many seconds it had them. */
const first = (count: number, { fetch }: { readonly fetch: typeof globalThis.fetch }) =>
  Effect.gen(function*() {
    const reading = yield* Effect.fork(
      relayedEvents(options).pipe(
        Stream.take(count),
        Stream.runCollect,
        Effect.provideService(FetchHttpClient.Fetch, fetch)
      )
    )
    const startedMs = yield* Clock.currentTimeMillis
    for (;;) {
      // What the network brings comes before time goes on.
      for (let turn = 0; turn < 20; turn++) yield* microtasks
      const done = yield* Fiber.poll(reading)
      if (Option.isSome(done)) {
        const seconds = ((yield* Clock.currentTimeMillis) - startedMs) / 1_000
        return { events: Chunk.toReadonlyArray(yield* done.value), seconds }
      }
      yield* TestClock.adjust("1 second")
    }
  })

const lost = (message: string) => `event: lost\ndata: ${JSON.stringify({ message })}\n\n`

const events = ["event: status\ndata: {\"ü\":1}\n\n", ": here\n\n", "retry: 2000\n\n", "event: Benched\ndata: {}\n\n"]

it.effect("passes events on whole, wherever the network cuts them", () =>
  Effect.gen(function*() {
    const bytes = new TextEncoder().encode(events.join(""))
    for (const size of [1, 2, 3, 5, 8, 13, 21, 34, bytes.length]) {
      const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
        bytes.slice(index * size, (index + 1) * size))
      const read = yield* first(events.length, app({ pieces }))
      expect(read, `pieces of ${size} bytes`).toEqual({ events, seconds: 0 })
    }
  }), 20_000)

it.effect("never passes on an event that was cut off, says what happened, and tries again after a second", () =>
  Effect.gen(function*() {
    const there = app(
      { pieces: [events[0]!, "event: status\ndata: {\"half"], ends: "broken" },
      Object.assign(new TypeError("fetch failed"), { cause: { code: "ECONNREFUSED" } }),
      { pieces: [events[3]!], ends: "closed" }
    )
    expect(yield* first(5, there)).toEqual({
      events: [
        events[0],
        lost("http://app/llm does not answer (ECONNRESET)."),
        lost("http://app/llm does not answer (ECONNREFUSED)."),
        events[3],
        lost("http://app/llm has ended its stream.")
      ],
      seconds: 2
    })
    expect(there.asked.length).toBe(3)
  }))

it.effect("gives up an app that sends a line or an event without an end, and takes long ones that have one", () =>
  Effect.gen(function*() {
    const long = "x".repeat(1_500_000)
    const told = lost("The app sends what is no stream of events.")
    for (const piece of [long, `data: ${long}\n`]) {
      const endless = app({ pieces: Array(8).fill(piece), ends: "never" })
      expect(yield* first(1, endless)).toEqual({ events: [told], seconds: 0 })
    }
    const event = `data: ${long}\n\n`
    const { events: passed } = yield* first(4, app({ pieces: Array(4).fill(event), ends: "never" }))
    expect(passed.map((text) => text === event)).toEqual([true, true, true, true])
  }))

it.effect("takes an app that has said nothing for ten seconds for lost, connected or not", () =>
  Effect.gen(function*() {
    const silent = app({ pieces: [events[0]!], ends: "never" })
    expect(yield* first(2, silent)).toEqual({
      events: [events[0], lost("http://app/llm has fallen silent.")],
      seconds: 10
    })
    expect(yield* first(1, app())).toEqual({ events: [lost("http://app/llm does not answer.")], seconds: 10 })
  }))

it.effect("tells a refusal and a web page from events, and keeps what it was given to itself", () =>
  Effect.gen(function*() {
    const there = app(
      { status: 401 },
      { contentType: "text/html", pieces: ["<p>Sign in</p>\n\n"] },
      new TypeError("Headers.append: \"Bearer canary\" is an invalid header value.")
    )
    const { events: told } = yield* first(3, there)
    expect(told).toEqual([
      lost("http://app/llm answers 401."),
      lost("http://app/llm answers with something else than events."),
      lost("http://app/llm does not answer (the connection broke).")
    ])
    expect(there.asked.map((headers) => headers.get("authorization"))).toEqual(Array(3).fill("Bearer canary"))
    expect(told.join("")).not.toContain("canary")
  }))
