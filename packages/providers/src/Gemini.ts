/**
 * Google's Gemini, through `@google/genai`: the Gemini API, and Vertex with a client of the user's.
 *
 * ```ts
 * const ProviderLive = Gemini.layer({ name: "gemini", client: new GoogleGenAI({ apiKey }), model: "gemini-flash-latest" })
 * ```
 *
 * How a request is translated: all system messages, in order, become one `systemInstruction`; `assistant` is called
 * `model`; a `data:` URL is sent as `inlineData`, any other address as `fileData` with the media type that its
 * extension tells (`image/jpeg` where it tells none). Thoughts are no part of the content, but count as output.
 *
 * @since 0.1.0
 */
import type { ChatRequest, FinishReason, InvalidConfig, MissingPackage, Provider, Usage } from "@route-llm/core"
import type { Effect } from "effect"
import type { ConfigError } from "effect/ConfigError"
import { connectProvider, providerLayer, providerLayerConfig } from "./Adapter.ts"
import type { Adapter, ConfigOptions, ProviderLayer, ProviderOptions } from "./Adapter.ts"
import { answer, blocked, unreadable } from "./internal/answer.ts"
import { at, count, isRecord, list, text } from "./internal/json.ts"
import { imageSource, splitSystem, stopList } from "./internal/messages.ts"
import type { Turn } from "./internal/messages.ts"
import { hasMethods } from "./internal/shape.ts"

type Part =
  | { text: string }
  | { inlineData: { mimeType: string; data: string } }
  | { fileData: { mimeType: string; fileUri: string } }

interface Parameters {
  model: string
  contents: Array<{ role: "user" | "model"; parts: Array<Part> }>
  config: {
    abortSignal: AbortSignal
    httpOptions: { retryOptions: { attempts: number } }
    automaticContinuation: boolean
    systemInstruction?: string
    maxOutputTokens?: number
    temperature?: number
    topP?: number
    stopSequences?: Array<string>
  }
}

/**
 * The part of the SDK's client that is used: a `GoogleGenAI`, or anything of this shape.
 *
 * @since 0.1.0
 */
export interface GeminiClient {
  readonly models: {
    generateContent(parameters: Parameters): PromiseLike<unknown>
  }
}

/**
 * @since 0.1.0
 */
export type Options = ProviderOptions<GeminiClient>

const mediaTypes: Readonly<Record<string, string>> = {
  png: "image/png",
  webp: "image/webp",
  gif: "image/gif",
  heic: "image/heic",
  heif: "image/heif"
}

const mediaType = (url: string): string => {
  const [, extension = ""] = /\.(\w+)(?:[?#]|$)/.exec(url) ?? []
  return mediaTypes[extension.toLowerCase()] ?? "image/jpeg"
}

const part = (given: Turn["parts"][number]): Part => {
  if (given.type === "text") return { text: given.text }
  const source = imageSource(given.image_url.url)
  return source._tag === "Remote"
    ? { fileData: { mimeType: mediaType(source.url), fileUri: source.url } }
    : { inlineData: { mimeType: source.mediaType, data: source.data } }
}

const parameters = (request: ChatRequest, model: string, signal: AbortSignal): Parameters => {
  const { system, turns } = splitSystem(request.messages)
  const stop = stopList(request.stop)
  return {
    model,
    contents: turns.map(({ parts, role }) => ({ role: role === "user" ? "user" : "model", parts: parts.map(part) })),
    config: {
      abortSignal: signal,
      // Merged into the client's own options by the SDK, which retries only where it finds retryOptions.
      httpOptions: { retryOptions: { attempts: 1 } },
      // By default the SDK goes on with further requests where the model stops at a limit of one request.
      automaticContinuation: false,
      ...(system === undefined ? {} : { systemInstruction: system }),
      ...(request.maxTokens === undefined ? {} : { maxOutputTokens: request.maxTokens }),
      ...(request.temperature === undefined ? {} : { temperature: request.temperature }),
      ...(request.topP === undefined ? {} : { topP: request.topP }),
      ...(stop === undefined ? {} : { stopSequences: stop })
    }
  }
}

const finishReasons: Readonly<Record<string, FinishReason>> = {
  STOP: "stop",
  MAX_TOKENS: "length",
  CONTINUATION: "length",
  SAFETY: "content_filter",
  RECITATION: "content_filter",
  BLOCKLIST: "content_filter",
  PROHIBITED_CONTENT: "content_filter",
  SPII: "content_filter",
  IMAGE_SAFETY: "content_filter",
  IMAGE_PROHIBITED_CONTENT: "content_filter",
  IMAGE_RECITATION: "content_filter"
}

/** A field that is 0 is left out of the JSON, as protobuf does. */
const usageOf = (raw: unknown): Usage | undefined => {
  const inputTokens = count(at(raw, "usageMetadata", "promptTokenCount"))
  if (inputTokens === undefined) return undefined
  return {
    inputTokens,
    outputTokens: (count(at(raw, "usageMetadata", "candidatesTokenCount")) ?? 0)
      + (count(at(raw, "usageMetadata", "thoughtsTokenCount")) ?? 0),
    cachedInputTokens: count(at(raw, "usageMetadata", "cachedContentTokenCount"))
  }
}

const contentOf = (candidate: unknown): string =>
  list(at(candidate, "content", "parts"))
    .map((given) => at(given, "thought") === true ? "" : text(at(given, "text")) ?? "").join("")

const read = (raw: unknown, requested: string) => {
  const usage = usageOf(raw)
  const model = text(at(raw, "modelVersion")) ?? requested
  const reason = text(at(raw, "promptFeedback", "blockReason"))
  const candidates = at(raw, "candidates")
  if (reason !== undefined && list(candidates).length === 0) throw blocked(model, usage, reason)
  const candidate = list(candidates)[0]
  // A candidate without content says at least why it ended.
  if (!isRecord(at(candidate, "content")) && text(at(candidate, "finishReason")) === undefined) {
    throw unreadable("a Gemini response with a candidate", raw)
  }
  return answer({
    content: contentOf(candidate),
    finishReason: finishReasons[text(at(candidate, "finishReason")) ?? ""] ?? "other",
    model,
    usage,
    raw
  })
}

/**
 * @since 0.1.0
 */
export const adapter: Adapter<GeminiClient> = {
  name: "gemini",
  packageName: "@google/genai",
  defaultModel: "gemini-flash-latest",
  // Google limits input tokens a minute; the bound of the output plays no part.
  chargesMaxTokens: false,
  recognises: (client): client is GeminiClient => hasMethods(client, ["models", "generateContent"]),
  connect: async ({ apiKey, baseUrl }) => {
    const { GoogleGenAI } = await import("@google/genai")
    // A key is the Gemini API's, whatever GOOGLE_GENAI_USE_VERTEXAI says.
    return new GoogleGenAI({ apiKey, vertexai: false, ...(baseUrl === undefined ? {} : { httpOptions: { baseUrl } }) })
  },
  chat: async (client, { model, request, signal }) =>
    read(await client.models.generateContent(parameters(request, model, signal)), model)
}

/**
 * @since 0.1.0
 */
export const make = (options: Options): Effect.Effect<Provider, MissingPackage | InvalidConfig> =>
  connectProvider(adapter, options)

/**
 * @since 0.1.0
 */
export const layer = (options: Options): ProviderLayer => providerLayer(adapter, options)

/**
 * @since 0.1.0
 */
export const layerConfig = (options: ConfigOptions): ProviderLayer<ConfigError> => providerLayerConfig(adapter, options)
