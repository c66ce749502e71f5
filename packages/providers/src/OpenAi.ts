/**
 * OpenAI, Azure OpenAI and everything that imitates OpenAI's chat completions (OpenRouter, Mistral, DeepSeek, Ollama,
 * vLLM): with a client of the `openai` package whose `baseURL` points there, or with `apiKey` and `baseUrl`.
 *
 * ```ts
 * const ProviderLive = OpenAi.layer({ name: "openai", client: new OpenAI(), model: "gpt-5.4", rpm: 500, tpm: 200_000 })
 * ```
 *
 * What the models take decides two fields:
 *
 * - `maxTokens` is sent as `max_completion_tokens` to OpenAI and Azure, and for the reasoning families (o-series,
 *   gpt-5 and later) wherever they are served, since those refuse `max_tokens`; as `max_tokens` to everyone else,
 *   since imitations often know nothing newer.
 * - `temperature` and `topP` are left out for the o-series and for gpt-5, gpt-5-mini, gpt-5-nano and gpt-5-pro: they
 *   refuse any value but the default with status 400 (OpenAI's guide to gpt-5.2, "Parameter compatibility").
 *
 * Messages, tools and calls are sent as they are. What a vendor says of its limits is read by the names of its headers,
 * whoever it is: OpenAI's, Azure's, Groq's, Mistral's, Cerebras's and OpenRouter's are known.
 *
 * An error whose body has no field `error` (Mistral's, Cerebras's, that of a server on FastAPI) is read whole where the
 * client was made here, from `apiKey` and `baseUrl`. A client of the user's drops such a body: then only the status is
 * known, and a prompt that is too long is a `caller_fault`.
 *
 * A stream asks for its usage (`stream_options.include_usage`). A server that refuses the field is asked once more
 * without it, and never again with it through that client. The answer is complete where a finish reason came and the
 * stream then ended by itself, with `[DONE]` or without.
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
import { fetchWholeErrors } from "./internal/wholeErrors.ts"
import type { ConfigOptions, ProviderOptions } from "./ProviderOptions.ts"

/**
 * The part of the SDK's client that is used: an `OpenAI`, an `AzureOpenAI`, or anything of this shape.
 *
 * @since 0.1.0
 */
export interface OpenAiClient extends ChatCompletionsClient {}

/**
 * @since 0.1.0
 */
export type Options = ProviderOptions<OpenAiClient>

const isVendor = (baseUrl: string | undefined): boolean =>
  baseUrl !== undefined && URL.canParse(baseUrl) && /(^|\.)(openai|azure)\.com$/.test(new URL(baseUrl).hostname)

/** With the prefix of a router (`openai/o3`) or of a fine-tuned model (`ft:o4-mini:…`). */
const isReasoning = (model: string): boolean => /(^|[/:])(o\d|gpt-([5-9]|\d\d))/.test(model)

const refusesSampling = (model: string): boolean => /(^|[/:])(o\d|gpt-5(?=$|[-:/](?!chat)))/.test(model)

const dialect = (client: OpenAiClient, model: string): Dialect => ({
  maxTokensField: isVendor(client.baseURL) || isReasoning(model) ? "max_completion_tokens" : "max_tokens",
  takesSampling: !refusesSampling(model)
})

/**
 * It is also the adapter of any client that has `chat.completions.create` and is not Groq's.
 *
 * @since 0.1.0
 */
export const adapter: Adapter<OpenAiClient> = {
  name: "openai",
  packageName: "openai",
  defaultModel: "gpt-5.4",
  // The limiter stands before the model: it reserves max_tokens up front (Azure documents it in its quota guide) and
  // counts what is then read from the cache like the rest (community.openai.com/t/does-prompt-caching-reduce-tpm).
  counting: { chargesMaxTokens: true, cacheRead: 1, cacheWrite: 1 },
  recognises: (client): client is OpenAiClient =>
    hasMethods(client, ["chat", "completions", "create"]) && !hasStatic(client, "GroqError"),
  connect: async ({ apiKey, baseUrl }) => {
    const { OpenAI } = await import("openai")
    return new OpenAI({ apiKey, baseURL: baseUrl, maxRetries: 0, fetch: fetchWholeErrors })
  },
  // In an async function, so that a request that has no form here rejects.
  chat: async (client, call) => chat(client, call, dialect(client, call.model)),
  read,
  stream: async (client, call) => stream(client, call, dialect(client, call.model)),
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
 * ```ts
 * OpenAi.layerConfig({ name: "openai", apiKey: Config.redacted("OPENAI_API_KEY"), rpm: Config.integer("OPENAI_RPM") })
 * ```
 *
 * @since 0.1.0
 */
export const layerConfig = (options: ConfigOptions): ProviderLayer<ConfigError> => providerLayerConfig(adapter, options)
