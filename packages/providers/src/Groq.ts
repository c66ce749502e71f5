/**
 * Groq, through `groq-sdk`.
 *
 * ```ts
 * const ProviderLive = Groq.layer({ name: "groq", client: new GroqClient(), model: "openai/gpt-oss-120b", rpm: 30 })
 * ```
 *
 * Groq takes OpenAI's request; `maxTokens` is sent as `max_completion_tokens`, since the SDK deprecates `max_tokens`.
 * Its headers tell the requests of the day and the tokens of the minute. Its limit on requests a minute stands in a 429
 * only, so declare `rpm`. Streams are as of OpenAI, their usage included.
 *
 * @since 0.1.0
 */
import type { InvalidConfig, MissingPackage, Provider } from "@route-llm/core"
import type { Effect } from "effect"
import type { ConfigError } from "effect/ConfigError"
import { connectProvider, providerLayer, providerLayerConfig } from "./Adapter.ts"
import type { Adapter, ProviderLayer } from "./Adapter.ts"
import { chat, read } from "./internal/chatCompletions.ts"
import type { ChatCompletionsClient, Dialect } from "./internal/chatCompletions.ts"
import { reader, stream } from "./internal/chatCompletionsStream.ts"
import { hasMethods, hasStatic } from "./internal/shape.ts"
import type { ConfigOptions, ProviderOptions } from "./ProviderOptions.ts"

/**
 * The part of the SDK's client that is used: a `Groq`, or anything of this shape.
 *
 * @since 0.1.0
 */
export interface GroqClient extends ChatCompletionsClient {}

/**
 * @since 0.1.0
 */
export type Options = ProviderOptions<GroqClient>

const dialect: Dialect = { maxTokensField: "max_completion_tokens", takesSampling: true }

/**
 * @since 0.1.0
 */
export const adapter: Adapter<GroqClient> = {
  name: "groq",
  packageName: "groq-sdk",
  defaultModel: "llama-3.3-70b-versatile",
  // "Cached tokens do not count towards your rate limits" (console.groq.com/docs/prompt-caching); its documentation of
  // rate limits names no reservation of the completion.
  counting: { chargesMaxTokens: false, cacheRead: 0, cacheWrite: 1 },
  recognises: (client): client is GroqClient =>
    hasMethods(client, ["chat", "completions", "create"]) && hasStatic(client, "GroqError"),
  connect: async ({ apiKey, baseUrl }) => {
    const { Groq } = await import("groq-sdk")
    return new Groq({ apiKey, baseURL: baseUrl, maxRetries: 0 })
  },
  chat: async (client, call) => chat(client, call, dialect),
  read,
  stream: async (client, call) => stream(client, call, dialect),
  reader
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
