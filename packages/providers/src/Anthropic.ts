/**
 * Anthropic, through `@anthropic-ai/sdk`; also its clients for Bedrock, Vertex and Foundry, which have the same shape.
 *
 * ```ts
 * const ProviderLive = Anthropic.layer({ name: "anthropic", client: new AnthropicClient(), rpm: 50, tpm: 200_000 })
 * ```
 *
 * How a request is translated:
 *
 * - All system messages, in order, become one `system` text. Turns keep their order; the API itself joins consecutive
 *   ones of one role.
 * - `max_tokens` is required there: without `maxTokens` it is `defaultMaxTokens`.
 * - `temperature` ends at 1 there: a higher one is sent as 1. `topP` is sent only without `temperature`, since Claude
 *   4.1 to 4.6 refuse both together.
 * - Claude from 4.7 on has no sampling parameters and answers one with status 400, so there both are left out. Older
 *   models take them, but only under the API version 2023-06-01: a request that has one is sent under it, since the
 *   SDK from 1.0 on announces 2026-10-21, which has removed them. A request without is sent as the client is set up.
 *
 * @since 0.1.0
 */
import type { ChatRequest, FinishReason, InvalidConfig, MissingPackage, Provider, Usage } from "@route-llm/core"
import type { Effect } from "effect"
import type { ConfigError } from "effect/ConfigError"
import { connectProvider, providerLayer, providerLayerConfig } from "./Adapter.ts"
import type { Adapter, ConfigOptions, ProviderLayer, ProviderOptions } from "./Adapter.ts"
import { answer, unreadable } from "./internal/answer.ts"
import { at, count, list, text } from "./internal/json.ts"
import { imageSource, splitSystem, stopList, unsupported } from "./internal/messages.ts"
import type { Turn } from "./internal/messages.ts"
import { hasMethods } from "./internal/shape.ts"

const mediaTypes = ["image/jpeg", "image/png", "image/gif", "image/webp"] as const

type MediaType = typeof mediaTypes[number]

type Block =
  | { type: "text"; text: string }
  | {
    type: "image"
    source: { type: "base64"; media_type: MediaType; data: string } | { type: "url"; url: string }
  }

interface Body {
  model: string
  max_tokens: number
  messages: Array<{ role: "user" | "assistant"; content: Array<Block> }>
  system?: string
  stop_sequences?: Array<string>
  temperature?: number
  top_p?: number
}

interface CallOptions {
  readonly signal: AbortSignal
  readonly maxRetries: number
  readonly timeout?: number
  readonly headers?: Record<string, string>
}

/**
 * The part of the SDK's client that is used: an `Anthropic`, one of its subclasses, or anything of this shape.
 *
 * @since 0.1.0
 */
export interface AnthropicClient {
  readonly messages: {
    create(body: Body, options: CallOptions): PromiseLike<unknown>
  }
  readonly timeout?: number
}

/**
 * @since 0.1.0
 */
export type Options = ProviderOptions<AnthropicClient>

/**
 * The answer's bound where the request names none: the largest that every Claude model takes.
 *
 * @since 0.1.0
 */
export const defaultMaxTokens = 4_096

const mediaType = (given: string): MediaType => {
  const known = mediaTypes.find((type) => type === given)
  if (known === undefined) throw unsupported(`Claude takes ${mediaTypes.join(", ")}, not ${given}.`)
  return known
}

const block = (part: Turn["parts"][number]): Block => {
  if (part.type === "text") return { type: "text", text: part.text }
  const source = imageSource(part.image_url.url)
  return {
    type: "image",
    source: source._tag === "Remote"
      ? { type: "url", url: source.url }
      : { type: "base64", media_type: mediaType(source.mediaType), data: source.data }
  }
}

/**
 * The models up to 4.6 are a closed list; a Claude that is not on it is newer. A name without "claude" belongs to
 * another vendor behind Anthropic's format, whose models take what the format once had.
 */
const takesSampling = (model: string): boolean =>
  !/claude/i.test(model)
  || /claude-(instant|[23](?!\d)|(opus|sonnet|haiku)-4(-[0-6](?!\d)|[-@]\d{8}|$))/i.test(model)

const sampling = (request: ChatRequest, model: string): Pick<Body, "temperature" | "top_p"> => {
  if (!takesSampling(model)) return {}
  if (request.temperature !== undefined) return { temperature: Math.min(1, request.temperature) }
  return request.topP === undefined ? {} : { top_p: request.topP }
}

const body = (request: ChatRequest, model: string): Body => {
  const { system, turns } = splitSystem(request.messages)
  const stop = stopList(request.stop)
  return {
    model,
    max_tokens: request.maxTokens ?? defaultMaxTokens,
    messages: turns.map(({ parts, role }) => ({ role, content: parts.map(block) })),
    ...(system === undefined ? {} : { system }),
    ...(stop === undefined ? {} : { stop_sequences: stop }),
    ...sampling(request, model)
  }
}

const finishReasons: Readonly<Record<string, FinishReason>> = {
  end_turn: "stop",
  stop_sequence: "stop",
  max_tokens: "length",
  model_context_window_exceeded: "length",
  tool_use: "tool_calls",
  refusal: "content_filter"
}

/** `input_tokens` leaves out what was read from and written to the cache. */
const usageOf = (raw: unknown): Usage | undefined => {
  const uncached = count(at(raw, "usage", "input_tokens"))
  const outputTokens = count(at(raw, "usage", "output_tokens"))
  if (uncached === undefined || outputTokens === undefined) return undefined
  const cachedInputTokens = count(at(raw, "usage", "cache_read_input_tokens"))
  const cacheWriteTokens = count(at(raw, "usage", "cache_creation_input_tokens"))
  return {
    inputTokens: uncached + (cachedInputTokens ?? 0) + (cacheWriteTokens ?? 0),
    outputTokens,
    cachedInputTokens,
    cacheWriteTokens
  }
}

const read = (raw: unknown, model: string) => {
  if (!Array.isArray(at(raw, "content"))) throw unreadable("a message of Anthropic's", raw)
  return answer({
    content: list(at(raw, "content"))
      .map((part) => at(part, "type") === "text" ? text(at(part, "text")) ?? "" : "").join(""),
    finishReason: finishReasons[text(at(raw, "stop_reason")) ?? ""] ?? "other",
    model: text(at(raw, "model")) ?? model,
    usage: usageOf(raw),
    raw
  })
}

const options = (client: AnthropicClient, sent: Body, signal: AbortSignal): CallOptions => ({
  signal,
  maxRetries: 0,
  // The SDK refuses a large max_tokens without streaming unless a timeout is named: the client's own is.
  ...(client.timeout === undefined ? {} : { timeout: client.timeout }),
  ...(sent.temperature === undefined && sent.top_p === undefined
    ? {}
    : { headers: { "anthropic-version": "2023-06-01" } })
})

/**
 * @since 0.1.0
 */
export const adapter: Adapter<AnthropicClient> = {
  name: "anthropic",
  packageName: "@anthropic-ai/sdk",
  defaultModel: "claude-sonnet-5-5",
  // The limiter estimates the output from max_tokens at the start, but corrects it at the end to what was used
  // (docs.anthropic.com/*/api/rate-limits), and it counts output apart from input: the learned output is closer.
  chargesMaxTokens: false,
  // Other SDKs have `messages.create` too (Twilio's), but do not stream it.
  recognises: (client): client is AnthropicClient => hasMethods(client, ["messages", "create"], ["messages", "stream"]),
  connect: async ({ apiKey, baseUrl }) => {
    const { Anthropic } = await import("@anthropic-ai/sdk")
    return new Anthropic({ apiKey, baseURL: baseUrl, maxRetries: 0 })
  },
  chat: async (client, { model, request, signal }) => {
    const sent = body(request, model)
    return read(await client.messages.create(sent, options(client, sent, signal)), model)
  }
}

/**
 * @since 0.1.0
 */
export const make = (given: Options): Effect.Effect<Provider, MissingPackage | InvalidConfig> =>
  connectProvider(adapter, given)

/**
 * @since 0.1.0
 */
export const layer = (given: Options): ProviderLayer => providerLayer(adapter, given)

/**
 * @since 0.1.0
 */
export const layerConfig = (given: ConfigOptions): ProviderLayer<ConfigError> => providerLayerConfig(adapter, given)
