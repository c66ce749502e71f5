/**
 * Anthropic, through `@anthropic-ai/sdk`; also its clients for Bedrock, Vertex and Foundry, which have the same shape.
 *
 * ```ts
 * const ProviderLive = Anthropic.layer({ name: "anthropic", client: new AnthropicClient(), rpm: 50, inputTpm: 30_000 })
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
 * - The answers to calls that came together are one user turn. Where the conversation has calls and the request no
 *   tools, tools of those names are declared and ruled out (`none`), since the API demands a declaration.
 * - Claude from 5.1 on refuses a `toolChoice` that forces a call: there it is sent as `auto`, and the system prompt
 *   asks for the call, as Anthropic's guide to Sonnet 5.5 advises.
 * - Thinking is no part of the content, and its blocks are not sent back: the API takes turns without them.
 *
 * A stream tells its usage twice: the input at its start, all of it at its end. It is complete with `message_stop`.
 *
 * @since 0.1.0
 */
import type { InvalidConfig, MissingPackage, Provider } from "@route-llm/core"
import type { Effect } from "effect"
import type { ConfigError } from "effect/ConfigError"
import { connectProvider, providerLayer, providerLayerConfig } from "./Adapter.ts"
import type { Adapter, ProviderLayer } from "./Adapter.ts"
import { type Body, bodyOf, read } from "./internal/anthropicMessages.ts"
import { reader } from "./internal/anthropicStream.ts"
import { hasMethods } from "./internal/shape.ts"
import { withResponse } from "./internal/withResponse.ts"
import type { ConfigOptions, ProviderOptions } from "./ProviderOptions.ts"

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
  // docs.anthropic.com/en/api/rate-limits: input is input_tokens and cache_creation_input_tokens; what is read from the
  // cache does not count (on all but the oldest models). Output is estimated from max_tokens at the start, but
  // corrected at the end to what was used, and counted apart from input: the learned output is closer.
  counting: { chargesMaxTokens: false, cacheRead: 0, cacheWrite: 1 },
  // Other SDKs have `messages.create` too (Twilio's), but do not stream it.
  recognises: (client): client is AnthropicClient => hasMethods(client, ["messages", "create"], ["messages", "stream"]),
  connect: async ({ apiKey, baseUrl }) => {
    const { Anthropic } = await import("@anthropic-ai/sdk")
    return new Anthropic({ apiKey, baseURL: baseUrl, maxRetries: 0 })
  },
  chat: async (client, { signal, ...asked }) => {
    const sent = bodyOf(asked, defaultMaxTokens)
    return withResponse(client.messages.create(sent, options(client, sent, signal)))
  },
  read,
  stream: async (client, { signal, ...asked }) => {
    const sent: Body = { ...bodyOf(asked, defaultMaxTokens), stream: true }
    return withResponse(client.messages.create(sent, options(client, sent, signal)))
  },
  reader
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
