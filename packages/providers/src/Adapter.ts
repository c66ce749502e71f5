/**
 * How one vendor's SDK is called. An adapter knows the SDK by the shape of its client only: the client is the user's,
 * it is never changed and never closed, and its base URL, headers, hooks and `fetch` are the ones that are used.
 *
 * @since 0.1.0
 */
import { InvalidConfig, MissingPackage, ProviderRegistry } from "@route-llm/core"
import type { ChatRequest, DuplicateProvider, Provider, ProviderFailure, ProviderResponse } from "@route-llm/core"
import { Clock, Config, Effect, type Layer, Redacted } from "effect"
import type { ConfigError } from "effect/ConfigError"
import { classify } from "./Classify.ts"
import { at, text } from "./internal/json.ts"
import { redact } from "./internal/redact.ts"

/**
 * The adapters there are.
 *
 * @since 0.1.0
 */
export type AdapterName = "openai" | "anthropic" | "gemini" | "groq"

/**
 * One attempt.
 *
 * @since 0.1.0
 */
export interface ChatCall {
  readonly request: ChatRequest
  readonly model: string
  /** Aborts the call on the wire. */
  readonly signal: AbortSignal
}

/**
 * @since 0.1.0
 */
export interface Connection {
  readonly apiKey: string
  readonly baseUrl: string | undefined
}

/**
 * @since 0.1.0
 */
export interface Adapter<Client> {
  readonly name: AdapterName
  /** On npm. It is imported by `connect` only, so a user who brings a client needs no second copy. */
  readonly packageName: string
  readonly defaultModel: string
  /** See `ProviderSpec`. */
  readonly chargesMaxTokens: boolean
  /**
   * Whether it is a client of this vendor's SDK, told by its shape: several copies and majors of one SDK can be
   * installed, so `instanceof` would not do. Never throws.
   */
  recognises(client: unknown): client is Client
  /** A client of its own; rejects where the SDK is not installed or refuses the options. */
  connect(connection: Connection): Promise<Client>
  /** One call on the wire: the SDK's retries are off. Rejects with whatever the SDK throws, or a `ProviderFailure`. */
  chat(client: Client, call: ChatCall): Promise<ProviderResponse>
}

/**
 * What describes a provider, whichever way its client comes.
 *
 * @since 0.1.0
 */
export interface Settings {
  /** Unique within one router: several providers can use one adapter, such as `openai-eu` and `openai-us`. */
  readonly name: string
  /** The vendor's name for the model (Azure: the deployment). Default: the adapter's `defaultModel`. */
  readonly model?: string | undefined
  /** Requests a minute. Default: not limited. */
  readonly rpm?: number | undefined
  /** Tokens a minute, input and output together. Default: not limited. */
  readonly tpm?: number | undefined
  /** The static term of the score, ≥ 0. Default: 1. */
  readonly weight?: number | undefined
  /** Whether the vendor charges `maxTokens` on arrival. Default: as the adapter's vendor does. */
  readonly chargesMaxTokens?: boolean | undefined
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

const invalid = (options: Settings, path: string, issue: string): InvalidConfig =>
  new InvalidConfig({ source: `provider "${options.name}"`, issues: [{ path, issue }] })

/** Node and Bun name the package in quotes; a module that the SDK itself misses has another name. */
const isMissing = (thrown: unknown, packageName: string): boolean =>
  /^(ERR_)?MODULE_NOT_FOUND$/.test(text(at(thrown, "code")) ?? "")
  && new RegExp(`['"]${packageName}['"]`).test(text(at(thrown, "message")) ?? "")

const connect = <Client>(
  adapter: Adapter<Client>,
  options: KeyOptions
): Effect.Effect<Client, MissingPackage | InvalidConfig> => {
  const apiKey = Redacted.isRedacted(options.apiKey) ? Redacted.value(options.apiKey) : options.apiKey
  if (apiKey === "") return invalid(options, "apiKey", "expected a key, found an empty string")
  if (options.baseUrl !== undefined && !URL.canParse(options.baseUrl)) {
    return invalid(options, "baseUrl", "expected a URL such as https://api.example.com/v1")
  }
  return Effect.tryPromise({
    try: () => adapter.connect({ apiKey, baseUrl: options.baseUrl }),
    catch: (thrown) =>
      isMissing(thrown, adapter.packageName)
        ? new MissingPackage({ package: adapter.packageName, neededFor: `Provider "${options.name}"` })
        : invalid(options, "client", `${adapter.packageName} made no client: ${redact(String(thrown), [apiKey])}`)
  })
}

/** The keys a client holds in the open, so that no message repeats them. They can rotate: read at each failure. */
const secretsOf = (client: unknown): ReadonlyArray<string> =>
  ["apiKey", "authToken"].flatMap((property) => text(at(client, property)) ?? [])

const call = <Client>(
  adapter: Adapter<Client>,
  connection: { readonly client: Client; readonly model: string },
  request: ChatRequest
): Effect.Effect<ProviderResponse, ProviderFailure> =>
  Effect.tryPromise((signal) => adapter.chat(connection.client, { request, model: connection.model, signal })).pipe(
    // Whatever was thrown becomes a classified failure. An interrupted fiber does not come here.
    Effect.catchTag(
      "UnknownException",
      ({ error }) =>
        Effect.flatMap(
          Clock.currentTimeMillis,
          (nowMs) => classify(error, { nowMs, secrets: secretsOf(connection.client), request })
        )
    )
  )

/**
 * The provider over a client: one call without retries, aborted on the wire by interruption, failures classified.
 *
 * @since 0.1.0
 */
export const makeProvider = <Client>(adapter: Adapter<Client>, options: ClientOptions<Client>): Provider => {
  const model = options.model ?? adapter.defaultModel
  return {
    name: options.name,
    model,
    requestLimit: options.rpm ?? Infinity,
    tokenLimit: options.tpm ?? Infinity,
    weight: options.weight ?? 1,
    chargesMaxTokens: options.chargesMaxTokens ?? adapter.chargesMaxTokens,
    chat: (request) => call(adapter, { client: options.client, model }, request)
  }
}

/**
 * A provider from options of either kind. Fails with `MissingPackage` where a key was given and the vendor's SDK is not
 * installed, and with `InvalidConfig` where the key or base URL cannot be used.
 *
 * @since 0.1.0
 */
export const connectProvider = <Client>(
  adapter: Adapter<Client>,
  options: ProviderOptions<Client>
): Effect.Effect<Provider, MissingPackage | InvalidConfig> => {
  if (options.apiKey === undefined) return Effect.succeed(makeProvider(adapter, options))
  const { apiKey: _key, baseUrl: _url, client: _client, ...settings } = options
  return Effect.map(connect(adapter, options), (client) => makeProvider(adapter, { ...settings, client }))
}

/**
 * @since 0.1.0
 */
export type ProviderLayer<E = never> = Layer.Layer<
  never,
  DuplicateProvider | InvalidConfig | MissingPackage | E,
  ProviderRegistry
>

/**
 * A layer that registers such a provider until its scope closes.
 *
 * @since 0.1.0
 */
export const providerLayer = <Client>(adapter: Adapter<Client>, options: ProviderOptions<Client>): ProviderLayer =>
  ProviderRegistry.provide(connectProvider(adapter, options))

const resolve = (options: ConfigOptions): Effect.Effect<KeyOptions, ConfigError> => {
  const settle = <A>(value: A | Config.Config<A>): Effect.Effect<A, ConfigError> =>
    Config.isConfig(value) ? value : Effect.succeed(value)
  return Effect.all({
    name: settle(options.name),
    apiKey: settle<string | Redacted.Redacted>(options.apiKey),
    baseUrl: settle(options.baseUrl),
    model: settle(options.model),
    rpm: settle(options.rpm),
    tpm: settle(options.tpm),
    weight: settle(options.weight),
    chargesMaxTokens: settle(options.chargesMaxTokens)
  })
}

/**
 * The same, reading its options from the `ConfigProvider` when it is built.
 *
 * @since 0.1.0
 */
export const providerLayerConfig = <Client>(
  adapter: Adapter<Client>,
  options: ConfigOptions
): ProviderLayer<ConfigError> =>
  ProviderRegistry.provide(Effect.flatMap(resolve(options), (resolved) => connectProvider(adapter, resolved)))
