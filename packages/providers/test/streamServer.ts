/** A vendor on loopback whose answers are written by the test, byte by byte. */
import type { Provider, ProviderFailure, ProviderPart, ProviderStream } from "@route-llm/core"
import { Deferred, Effect, FiberId, Queue, type Scope } from "effect"
import { createServer } from "node:http"
import type { IncomingMessage, ServerResponse } from "node:http"
import { type Canned, connect, hello, listening, serve, type Server, type Vendor } from "./helpers.ts"

const eventStream = { "content-type": "text/event-stream" }

/** One answer under way. */
export interface Wire {
  /** The head, unless it has been sent. */
  readonly begin: (headers?: Readonly<Record<string, string>>) => Effect.Effect<void>
  /** Until what is written has left. */
  readonly write: (...pieces: ReadonlyArray<string | Uint8Array>) => Effect.Effect<void>
  readonly end: Effect.Effect<void>
  readonly reset: Effect.Effect<void>
  /** Until the connection is closed before the answer has ended. */
  readonly abandoned: Effect.Effect<void>
  /** Which connection it is on, from 0. */
  readonly connection: number
}

interface StreamServer {
  readonly url: string
  /** The next request that arrives. */
  readonly next: Effect.Effect<Wire>
}

const wireOf = (request: IncomingMessage, response: ServerResponse, connection: number): Wire => {
  const abandoned = Deferred.unsafeMake<void>(FiberId.none)
  response.on("close", () => {
    if (!response.writableFinished) Deferred.unsafeDone(abandoned, Effect.void)
  })
  const written = (piece: string | Uint8Array) =>
    Effect.async<void>((resume) => {
      response.write(piece, () => resume(Effect.void))
    })
  return {
    begin: (headers = {}) =>
      Effect.sync(() => {
        response.writeHead(200, { ...eventStream, ...headers })
        response.flushHeaders()
      }),
    write: (...pieces) => Effect.forEach(pieces, written, { discard: true }),
    end: Effect.sync(() => void response.end()),
    reset: Effect.sync(() => void request.socket.resetAndDestroy()),
    abandoned: Deferred.await(abandoned),
    connection
  }
}

export const serveStreams: Effect.Effect<StreamServer, never, Scope.Scope> = Effect.gen(function*() {
  const wires = yield* Queue.unbounded<Wire>()
  const connections: Array<unknown> = []
  const http = createServer((request, response) => {
    if (!connections.includes(request.socket)) connections.push(request.socket)
    const connection = connections.indexOf(request.socket)
    request.resume().on("end", () => wires.unsafeOffer(wireOf(request, response, connection)))
  })
  return { url: yield* listening(http), next: Queue.take(wires) }
})

/** The vendor's events as they are on the wire. */
export const wired = (vendor: Vendor, events: ReadonlyArray<object>): string => {
  const data = events.map((event) =>
    vendor === "anthropic" && "type" in event
      ? `event: ${String(event.type)}\ndata: ${JSON.stringify(event)}\n\n`
      : `data: ${JSON.stringify(event)}\n\n`
  ).join("")
  return vendor === "openai" || vendor === "groq" ? `${data}data: [DONE]\n\n` : data
}

export const streamOf = (
  provider: Provider,
  request = hello
): Effect.Effect<ProviderStream, ProviderFailure, Scope.Scope> =>
  provider.stream === undefined ? Effect.dieMessage("it does not stream") : provider.stream(request)

/** What came of a stream, and why it broke off where it did. */
export interface Came {
  readonly batches: ReadonlyArray<ReadonlyArray<ProviderPart>>
  readonly parts: ReadonlyArray<ProviderPart>
  readonly failure: ProviderFailure | undefined
}

/** The parts without what the vendor sent them in. */
export const bare = (parts: ReadonlyArray<ProviderPart>): ReadonlyArray<unknown> =>
  parts.map((part) => part._tag === "Metadata" ? { _tag: "Metadata", model: part.model } : part)

export const collect = (stream: ProviderStream): Effect.Effect<Came> =>
  Effect.promise(async () => {
    const batches: Array<ReadonlyArray<ProviderPart>> = []
    const failure: ProviderFailure | undefined = await (async () => {
      for await (const batch of stream) batches.push(batch)
    })().then(() => undefined, (thrown: ProviderFailure) => thrown)
    return { batches, parts: batches.flat(), failure }
  })

/** A stream that a vendor answers with these bytes, or events, read to its end. */
export const streamed = (
  vendor: Vendor,
  given: string | ReadonlyArray<object>,
  canned: Omit<Canned, "body"> = {},
  model?: string
): Effect.Effect<Came & { readonly server: Server; readonly stream: ProviderStream }, ProviderFailure, Scope.Scope> =>
  Effect.gen(function*() {
    const body = typeof given === "string" ? given : wired(vendor, given)
    const server = yield* serve({ ...canned, body, headers: { ...eventStream, ...canned.headers } })
    const stream = yield* streamOf(connect(vendor, server.url, model))
    return { ...(yield* collect(stream)), server, stream }
  })

const text = {
  openai: (words: string) => ({ id: "c1", model: "m-1", choices: [{ index: 0, delta: { content: words } }] }),
  groq: (words: string) => ({ id: "c1", model: "m-1", choices: [{ index: 0, delta: { content: words } }] }),
  anthropic: (words: string) => ({
    type: "content_block_delta",
    index: 0,
    delta: { type: "text_delta", text: words }
  }),
  gemini: (words: string) => ({
    modelVersion: "m-1",
    candidates: [{ content: { role: "model", parts: [{ text: words }] }, index: 0 }]
  })
}

const chunks = (words: ReadonlyArray<string>) => [
  ...words.map(text.openai),
  { id: "c1", model: "m-1", choices: [{ index: 0, delta: {}, finish_reason: "stop" }] },
  { id: "c1", model: "m-1", choices: [], usage: { prompt_tokens: 7, completion_tokens: 2 } }
]

/** A whole answer of each vendor's, in these words: `m-1`, 7 tokens in, 2 out, ended by itself. */
export const events: { readonly [V in Vendor]: (words: ReadonlyArray<string>) => ReadonlyArray<object> } = {
  openai: chunks,
  groq: chunks,
  anthropic: (words) => [
    {
      type: "message_start",
      message: { id: "msg_1", model: "m-1", content: [], usage: { input_tokens: 7, output_tokens: 1 } }
    },
    { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
    ...words.map(text.anthropic),
    { type: "content_block_stop", index: 0 },
    { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 2 } },
    { type: "message_stop" }
  ],
  gemini: (words) => [
    ...words.map(text.gemini),
    {
      modelVersion: "m-1",
      candidates: [{ content: { parts: [{ text: "" }] }, finishReason: "STOP" }],
      usageMetadata: { promptTokenCount: 7, candidatesTokenCount: 2 }
    }
  ]
}

export const textOf = (parts: ReadonlyArray<ProviderPart>): string =>
  parts.map((part) => part._tag === "Text" ? part.text : "").join("")
