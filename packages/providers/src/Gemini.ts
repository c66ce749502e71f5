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
 * Tools: the answer to a call is sent under the name of the call that has its id, since Google knows calls by name.
 * Calls that come without an id are given one. Signatures of thoughts are not kept between turns, so the model does not
 * see again what it thought before a call.
 *
 * A stream is complete where a finish reason came and the stream then ended by itself.
 *
 * Google limits input a minute, so declare `inputTpm` rather than `tpm`. It tells its limits in a 429 only.
 *
 * @since 0.1.0
 */
import { countEverything } from "@route-llm/core"
import type { InvalidConfig, MissingPackage, Provider } from "@route-llm/core"
import type { Effect } from "effect"
import type { ConfigError } from "effect/ConfigError"
import { connectProvider, providerLayer, providerLayerConfig } from "./Adapter.ts"
import type { Adapter, ProviderLayer } from "./Adapter.ts"
import { type Parameters, parametersOf, read } from "./internal/generateContent.ts"
import { reader } from "./internal/generateContentStream.ts"
import { at } from "./internal/json.ts"
import { hasMethods } from "./internal/shape.ts"
import type { ConfigOptions, ProviderOptions } from "./ProviderOptions.ts"

/**
 * The part of the SDK's client that is used: a `GoogleGenAI`, or anything of this shape.
 *
 * @since 0.1.0
 */
export interface GeminiClient {
  readonly models: {
    generateContent(parameters: Parameters): PromiseLike<unknown>
    /** Where it is absent, an answer that is to be streamed comes as one part. */
    generateContentStream?(parameters: Parameters): PromiseLike<unknown>
  }
}

/**
 * @since 0.1.0
 */
export type Options = ProviderOptions<GeminiClient>

/**
 * @since 0.1.0
 */
export const adapter: Adapter<GeminiClient> = {
  name: "gemini",
  packageName: "@google/genai",
  defaultModel: "gemini-flash-latest",
  // Google limits input tokens a minute (ai.google.dev/gemini-api/docs/rate-limits): the bound of the output plays no
  // part, and no exception is documented for what is read from the cache.
  counting: countEverything,
  recognises: (client): client is GeminiClient => hasMethods(client, ["models", "generateContent"]),
  connect: async ({ apiKey, baseUrl }) => {
    const { GoogleGenAI } = await import("@google/genai")
    // A key is the Gemini API's, whatever GOOGLE_GENAI_USE_VERTEXAI says.
    return new GoogleGenAI({ apiKey, vertexai: false, ...(baseUrl === undefined ? {} : { httpOptions: { baseUrl } }) })
  },
  chat: async (client, call) => {
    const raw = await client.models.generateContent(parametersOf(call))
    return { raw, headers: at(raw, "sdkHttpResponse", "headers") }
  },
  read,
  stream: async ({ models }, call) => {
    const parameters = parametersOf(call)
    if (models.generateContentStream === undefined) {
      const raw = await models.generateContent(parameters)
      return { raw, headers: at(raw, "sdkHttpResponse", "headers") }
    }
    // The headers come with the chunks.
    return { raw: await models.generateContentStream(parameters), headers: undefined }
  },
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
