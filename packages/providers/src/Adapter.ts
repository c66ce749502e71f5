/**
 * How one vendor's SDK is called. An adapter knows the SDK by the shape of its client only: the client is the user's,
 * it is never changed and never closed, and its base URL, headers, hooks and `fetch` are the ones that are used.
 *
 * @since 0.1.0
 */
import { InvalidConfig, MissingPackage, ProviderRegistry } from "@route-llm/core"
import type {
  ChatRequest,
  Counting,
  DuplicateProvider,
  Limits,
  Provider,
  ProviderFailure,
  ProviderResponse,
  ProviderStream
} from "@route-llm/core"
import { type Clock, Config, Effect, type Layer, Predicate, Record, Redacted, type Scope } from "effect"
import type { ConfigError } from "effect/ConfigError"
import { classify } from "./Classify.ts"
import type { FailureRule } from "./FailureRule.ts"
import { at, text } from "./internal/json.ts"
import { limitsOfAnswer } from "./internal/limitReadings.ts"
import { type Hearing, openStream, type StreamReader } from "./internal/providerStream.ts"
import { redact } from "./internal/redact.ts"
import type {
  AdapterName,
  ClientOptions,
  ConfigOptions,
  KeyOptions,
  ProviderOptions,
  Settings
} from "./ProviderOptions.ts"

/**
 * What an attempt asks for.
 *
 * @since 0.1.0
 */
export interface Asked {
  readonly request: ChatRequest
  readonly model: string
  /** How its failures are read, before the table. */
  readonly rules?: ReadonlyArray<FailureRule> | undefined
}

/**
 * One attempt.
 *
 * @since 0.1.0
 */
export interface ChatCall extends Asked {
  /** Aborts the call on the wire. */
  readonly signal: AbortSignal
}

/**
 * A vendor's answer, as the SDK hands it over.
 *
 * @since 0.1.0
 */
export interface Answered {
  readonly raw: unknown
  /** A `Headers` or a record; whatever is not there is not read. */
  readonly headers: unknown
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
  /** What the vendor counts against its token limits. */
  readonly counting: Counting
  /**
   * Whether it is a client of this vendor's SDK, told by its shape: several copies and majors of one SDK can be
   * installed, so `instanceof` would not do. Never throws.
   */
  recognises(client: unknown): client is Client
  /** A client of its own; rejects where the SDK is not installed or refuses the options. */
  connect(connection: Connection): Promise<Client>
  /** One call on the wire: the SDK's retries are off. Rejects with whatever the SDK throws, or a `ProviderFailure`. */
  chat(client: Client, call: ChatCall): Promise<Answered>
  /** What an answer says. Throws a `ProviderFailure`, or the error that the vendor reported in it. */
  read(raw: unknown, asked: Asked): ProviderResponse
  /**
   * The same call, answered in parts: `raw` is the SDK's iterable of the vendor's events. Where it is none, it is taken
   * for a whole answer, and read like one.
   */
  stream(client: Client, call: ChatCall): Promise<Answered>
  /** Reads the events of one such answer, in order. */
  reader(asked: Asked): StreamReader
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

/** How what is heard of a call is read: when it is heard, and without the client's keys. */
const hearing = (
  adapter: { readonly name: AdapterName },
  client: unknown,
  { request, rules }: Asked,
  clock: Clock.Clock
): Hearing => {
  const heard = () => ({ adapter: adapter.name, nowMs: clock.unsafeCurrentTimeMillis() })
  return {
    limits: (headers) => limitsOfAnswer(headers, heard()),
    failed: (headers) => (thrown) =>
      classify(thrown, { ...heard(), headers, secrets: secretsOf(client), request, rules })
  }
}

/** Whatever is thrown, by the SDK or over what it hands over, becomes a classified failure. */
const call = <Client>(adapter: Adapter<Client>, client: Client, asked: Asked) =>
  Effect.clockWith((clock): Effect.Effect<ProviderResponse, ProviderFailure> => {
    const { failed, limits } = hearing(adapter, client, asked, clock)
    return Effect.tryPromise({
      try: (signal) => adapter.chat(client, { ...asked, signal }),
      catch: failed()
    }).pipe(
      Effect.flatMap(({ headers, raw }) =>
        Effect.try({
          try: () => ({ ...adapter.read(raw, asked), limits: limits(headers) }),
          catch: failed(headers)
        })
      )
    )
  })

/** The same for an answer in parts. */
const stream = <Client>(adapter: Adapter<Client>, client: Client, asked: Asked) =>
  Effect.clockWith((clock): Effect.Effect<ProviderStream, ProviderFailure, Scope.Scope> =>
    openStream({
      hearing: hearing(adapter, client, asked, clock),
      open: (signal) => adapter.stream(client, { ...asked, signal }),
      read: (raw) => adapter.read(raw, asked),
      reader: () => adapter.reader(asked)
    })
  )

const limitsOf = (settings: Settings): Limits =>
  Record.filter({
    requests: settings.rpm,
    tokens: settings.tpm,
    inputTokens: settings.inputTpm,
    outputTokens: settings.outputTpm,
    requestsPerDay: settings.rpd,
    tokensPerDay: settings.tpd,
    concurrent: settings.concurrency
  }, Predicate.isNotUndefined)

const countingOf = (known: Counting, given: Settings["counting"] = {}): Counting => ({
  chargesMaxTokens: given.chargesMaxTokens ?? known.chargesMaxTokens,
  cacheRead: given.cacheRead ?? known.cacheRead,
  cacheWrite: given.cacheWrite ?? known.cacheWrite
})

/**
 * The provider over a client: one call without retries, aborted on the wire by interruption, failures classified. A
 * streamed answer is also aborted when its scope closes.
 *
 * @since 0.1.0
 */
export const makeProvider = <Client>(adapter: Adapter<Client>, options: ClientOptions<Client>): Provider => {
  const { failures: rules, model = adapter.defaultModel } = options
  return {
    name: options.name,
    model,
    limits: limitsOf(options),
    weight: options.weight ?? 1,
    contextWindow: options.contextWindow,
    counting: countingOf(adapter.counting, options.counting),
    chat: (request) => call(adapter, options.client, { request, model, rules }),
    stream: (request) => stream(adapter, options.client, { request, model, rules })
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
    inputTpm: settle(options.inputTpm),
    outputTpm: settle(options.outputTpm),
    rpd: settle(options.rpd),
    tpd: settle(options.tpd),
    concurrency: settle(options.concurrency),
    contextWindow: settle(options.contextWindow),
    failures: settle(options.failures),
    weight: settle(options.weight),
    counting: settle(options.counting)
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
