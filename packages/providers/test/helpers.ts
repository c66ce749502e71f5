/** A vendor of one canned answer on loopback, which records what it was sent. */
import AnthropicSdk from "@anthropic-ai/sdk"
import { GoogleGenAI } from "@google/genai"
import type { Provider, ProviderFailure } from "@route-llm/core"
import { Deferred, Effect, FiberId, type Scope } from "effect"
import GroqSdk from "groq-sdk"
import { createServer } from "node:http"
import type { IncomingHttpHeaders, IncomingMessage, Server as HttpServer, ServerResponse } from "node:http"
import OpenAI from "openai"
import * as Anthropic from "../src/Anthropic.ts"
import * as Gemini from "../src/Gemini.ts"
import * as Groq from "../src/Groq.ts"
import * as OpenAi from "../src/OpenAi.ts"

export interface Canned {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** Text is sent as it is, anything else as JSON. */
  readonly body?: unknown
  /** `hang`: never answers; `reset`: cuts the connection; `cut`: stops in the middle of the body. */
  readonly fault?: "hang" | "reset" | "cut"
}

interface Recorded {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: unknown
}

export interface Server {
  readonly url: string
  readonly requests: ReadonlyArray<Recorded>
  /** Until the first request has arrived. */
  readonly arrived: Effect.Effect<void>
  /** Until the client has closed the connection of a request that was not answered. */
  readonly abandoned: Effect.Effect<void>
}

const read = async (request: IncomingMessage): Promise<unknown> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(Buffer.from(chunk))
  const text = Buffer.concat(chunks).toString("utf8")
  return text === "" ? undefined : JSON.parse(text)
}

const respond = (canned: Canned, request: IncomingMessage, response: ServerResponse): void => {
  if (canned.fault === "hang") return
  if (canned.fault === "reset") {
    request.socket.resetAndDestroy()
    return
  }
  const isText = typeof canned.body === "string"
  const payload = isText ? canned.body : canned.body === undefined ? "" : JSON.stringify(canned.body)
  response.writeHead(canned.status ?? 200, {
    "content-type": isText ? "text/html" : "application/json",
    ...(canned.fault === "cut" ? { "content-length": `${payload.length + 100}` } : {}),
    ...canned.headers
  })
  if (canned.fault === "cut") response.write(payload, () => request.socket.destroy())
  else response.end(payload)
}

/** The server's address, on a free port until the scope closes. */
export const listening = (http: HttpServer): Effect.Effect<string, never, Scope.Scope> =>
  Effect.gen(function*() {
    yield* Effect.acquireRelease(
      Effect.async<void>((resume) => {
        http.listen(0, "127.0.0.1", () => resume(Effect.void))
      }),
      () =>
        Effect.sync(() => {
          http.closeAllConnections()
          http.close()
        })
    )
    const address = http.address()
    if (address === null || typeof address === "string") return yield* Effect.dieMessage("no port")
    return `http://127.0.0.1:${address.port}`
  })

export const serve = (canned: Canned): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.gen(function*() {
    const requests: Array<Recorded> = []
    const arrived = Deferred.unsafeMake<void>(FiberId.none)
    const abandoned = Deferred.unsafeMake<void>(FiberId.none)
    const http = createServer(async (request, response) => {
      response.on("close", () => {
        if (!response.writableFinished) Deferred.unsafeDone(abandoned, Effect.void)
      })
      const body = await read(request)
      requests.push({ method: request.method ?? "", path: request.url ?? "", headers: request.headers, body })
      Deferred.unsafeDone(arrived, Effect.void)
      respond(canned, request, response)
    })
    return {
      url: yield* listening(http),
      requests,
      arrived: Deferred.await(arrived),
      abandoned: Deferred.await(abandoned)
    }
  })

/** Of a form that no pattern knows, so that only knowing the key itself redacts it. */
export const canary = "canary.key.of.no.known.form"

export const vendors = ["openai", "anthropic", "gemini", "groq"] as const

export type Vendor = typeof vendors[number]

/** A provider over the vendor's real SDK, its retries left as they are by default. */
export const connect = (vendor: Vendor, url: string, model?: string): Provider => {
  const made = {
    openai: () => OpenAi.make({ name: "openai", model, client: new OpenAI({ apiKey: canary, baseURL: `${url}/v1` }) }),
    anthropic: () =>
      Anthropic.make({
        name: "anthropic",
        model: model ?? "claude-haiku-4-5",
        client: new AnthropicSdk({ apiKey: canary, baseURL: url })
      }),
    gemini: () =>
      Gemini.make({
        name: "gemini",
        model,
        client: new GoogleGenAI({
          apiKey: canary,
          vertexai: false,
          httpOptions: { baseUrl: url, retryOptions: { attempts: 3, initialDelay: 0.001, jitter: 0 } }
        })
      }),
    groq: () => Groq.make({ name: "groq", model, client: new GroqSdk({ apiKey: canary, baseURL: url }) })
  }
  return Effect.runSync(made[vendor]())
}

export const hello = { messages: [{ role: "user", content: "Hello there, how are you?" }] } as const

/** The failure of one call to a vendor that answers so, and how often it was called. */
export const failWith = (
  vendor: Vendor,
  canned: Canned
): Effect.Effect<{ readonly failure: ProviderFailure; readonly calls: number }, never, Scope.Scope> =>
  Effect.gen(function*() {
    const server = yield* serve(canned)
    const failure = yield* Effect.orDieWith(
      Effect.flip(connect(vendor, server.url).chat(hello)),
      (response) => new Error(`answered: ${JSON.stringify(response)}`)
    )
    return { failure, calls: server.requests.length }
  })

export const answers = {
  openai: {
    id: "chatcmpl-1",
    object: "chat.completion",
    created: 1,
    model: "gpt-4o-2024-08-06",
    choices: [{ index: 0, message: { role: "assistant", content: "Fine." }, finish_reason: "stop" }],
    usage: {
      prompt_tokens: 12,
      completion_tokens: 3,
      total_tokens: 15,
      prompt_tokens_details: { cached_tokens: 8 }
    }
  },
  groq: {
    id: "chatcmpl-2",
    object: "chat.completion",
    created: 1,
    model: "llama-3.3-70b-versatile",
    choices: [{ index: 0, message: { role: "assistant", content: "Fine." }, finish_reason: "length" }],
    usage: { prompt_tokens: 12, completion_tokens: 3, total_tokens: 15, queue_time: 0.1 },
    x_groq: { id: "req_1" }
  },
  anthropic: {
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: "claude-sonnet-4-5-20250929",
    content: [
      { type: "thinking", thinking: "Let me think.", signature: "x" },
      { type: "text", text: "Fi" },
      { type: "server_tool_use", id: "t", name: "n", input: {} },
      { type: "text", text: "ne." }
    ],
    stop_reason: "end_turn",
    stop_sequence: null,
    usage: { input_tokens: 5, cache_read_input_tokens: 4, cache_creation_input_tokens: 3, output_tokens: 3 }
  },
  gemini: {
    candidates: [{
      content: { role: "model", parts: [{ text: "hm", thought: true }, { text: "Fi" }, { text: "ne." }] },
      finishReason: "STOP",
      index: 0
    }],
    usageMetadata: {
      promptTokenCount: 12,
      candidatesTokenCount: 3,
      thoughtsTokenCount: 7,
      cachedContentTokenCount: 8,
      totalTokenCount: 22
    },
    modelVersion: "gemini-2.5-flash"
  }
} as const
