/**
 * The closed list of adapters, for those who choose one while the program runs: by name, or by the client at hand.
 *
 * @since 0.1.0
 */
import * as Anthropic from "./Anthropic.ts"
import * as Gemini from "./Gemini.ts"
import * as Groq from "./Groq.ts"
import * as OpenAi from "./OpenAi.ts"
import type { AdapterName } from "./ProviderOptions.ts"

/**
 * Any client that has an adapter.
 *
 * @since 0.1.0
 */
export type AnyClient =
  | OpenAi.OpenAiClient
  | Anthropic.AnthropicClient
  | Gemini.GeminiClient
  | Groq.GroqClient

/**
 * @since 0.1.0
 */
export const adapters = {
  openai: OpenAi.adapter,
  anthropic: Anthropic.adapter,
  gemini: Gemini.adapter,
  groq: Groq.adapter
}

/**
 * @since 0.1.0
 */
export const adapterNames: ReadonlyArray<AdapterName> = ["openai", "anthropic", "gemini", "groq"]

/**
 * @since 0.1.0
 */
export const isAdapterName = (name: string): name is AdapterName => adapterNames.some((known) => known === name)

/**
 * The adapter that knows a client by its shape; `undefined` for a client of none. No two adapters know the same one.
 *
 * @since 0.1.0
 */
export const recognise = (client: unknown): AdapterName | undefined =>
  adapterNames.find((name) => adapters[name].recognises(client))
