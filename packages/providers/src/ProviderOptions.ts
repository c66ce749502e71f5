/**
 * What describes a provider, whichever way its client comes.
 *
 * @since 0.1.0
 */
import type { Counting } from "@route-llm/core"
import type { Config, Redacted } from "effect"
import type { FailureRule } from "./FailureRule.ts"

/**
 * The adapters there are.
 *
 * @since 0.1.0
 */
export type AdapterName = "openai" | "anthropic" | "gemini" | "groq"

/**
 * Each limit is ≥ 1. One that is left out is learned where the vendor tells it, and does not bind before.
 *
 * @since 0.1.0
 */
export interface Settings {
  /** Unique within one router: several providers can use one adapter, such as `openai-eu` and `openai-us`. */
  readonly name: string
  /** The vendor's name for the model (Azure: the deployment). Default: the adapter's `defaultModel`. */
  readonly model?: string | undefined
  /** Requests a minute. */
  readonly rpm?: number | undefined
  /** Tokens a minute, input and output together. */
  readonly tpm?: number | undefined
  /** Tokens of input a minute, as Anthropic and Google limit them. */
  readonly inputTpm?: number | undefined
  /** Tokens of output a minute, as Anthropic limits them. */
  readonly outputTpm?: number | undefined
  /** Requests in any 24 hours. */
  readonly rpd?: number | undefined
  /** Tokens in any 24 hours, input and output together. */
  readonly tpd?: number | undefined
  /** Requests under way at one time. */
  readonly concurrency?: number | undefined
  /** Tokens the model takes at most, input and output together; see `ProviderSpec.contextWindow` for what it decides. */
  readonly contextWindow?: number | undefined
  /** Rows of the table of failures that are read before the built-in ones; see `FailureRule`. */
  readonly failures?: ReadonlyArray<FailureRule> | undefined
  /** The static term of the score, ≥ 0. Default: 1. */
  readonly weight?: number | undefined
  /** What the vendor counts against its token limits, where that is not as the adapter's `counting` says. */
  readonly counting?: { readonly [Field in keyof Counting]?: Counting[Field] | undefined } | undefined
}

/**
 * A provider over the user's own client.
 *
 * @since 0.1.0
 */
export interface ClientOptions<Client> extends Settings {
  readonly client: Client
  readonly apiKey?: undefined
}

/**
 * A provider over a client that is made here, from the SDK package, without retries.
 *
 * @since 0.1.0
 */
export interface KeyOptions extends Settings {
  readonly apiKey: string | Redacted.Redacted
  /** Default: the SDK's, that is the vendor's public API or what the SDK reads from the environment. */
  readonly baseUrl?: string | undefined
  readonly client?: undefined
}

/**
 * @since 0.1.0
 */
export type ProviderOptions<Client> = ClientOptions<Client> | KeyOptions

/**
 * `KeyOptions` of which any can be an effect `Config`.
 *
 * @since 0.1.0
 */
export type ConfigOptions = {
  readonly [Key in keyof Omit<KeyOptions, "client">]: KeyOptions[Key] | Config.Config<NonNullable<KeyOptions[Key]>>
}
