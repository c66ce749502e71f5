/**
 * The router for plain TypeScript: from an object, a YAML file or the environment, and over clients that you bring.
 *
 * ```ts no-run
 * import { LLMRouter } from "route-llm"
 * import OpenAI from "openai"
 *
 * const router = LLMRouter.fromConfig({
 *   providers: [{ name: "groq", apiKey: "gsk-...", rpmLimit: 30, tpmLimit: 100_000 }]
 * })
 * router.register("openai", { client: new OpenAI(), model: "gpt-5.4", rpm: 500, tpm: 200_000 })
 *
 * const { content, provider } = await router.chat({ messages: [{ role: "user", content: "Hello" }] })
 * await router.close()
 * ```
 *
 * @since 0.1.0
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import {
  type CallOptions,
  type ChatRequest,
  type ChatResponse,
  decodeRouterConfig,
  DuplicateProvider,
  type Explanation,
  InvalidConfig,
  type MissingPackage,
  PromiseRouter,
  type PromiseStream,
  type Provider,
  ProviderRegistry,
  type ProviderRegistryService,
  type RouteEvent,
  RouteListener,
  type Router,
  RouterClosed,
  type RouterConfig,
  type RouterConfigInput,
  RouterLive,
  RouterOptions,
  type RouterOptionsInput,
  RouterState,
  type RouterStatus,
  type StatusReport,
  type StreamOptions,
  type StreamPart,
  TokenEstimator,
  toRouterOptions
} from "@route-llm/core"
import {
  type AdapterName,
  adapterNames,
  type AnyClient,
  type ClientOptions,
  isAdapterName,
  makeProvider,
  recognise
} from "@route-llm/providers"
import type { RouterStateRedis } from "@route-llm/redis"
import { Cause, Effect, Exit, FiberRef, Layer, ManagedRuntime, MetricLabel, Scope } from "effect"
import * as ConfigEnv from "./ConfigEnv.ts"
import * as ConfigFile from "./ConfigFile.ts"
import { checkConfig } from "./internal/checkConfig.ts"
import { adapterOf, connectEntry, type ProviderEntry } from "./internal/entries.ts"
import { takeName } from "./internal/metricsName.ts"
import { sharedState } from "./internal/sharedState.ts"

/**
 * @since 0.1.0
 */
export interface LLMRouterOptions {
  /** Called with each attempt that ended, before its answer is handed over. What it throws changes nothing. */
  readonly onRoute?: ((event: RouteEvent) => void) | undefined
  /**
   * How input tokens are estimated. `"tiktoken"` (default): by OpenAI's `o200k_base`, whose vocabulary the first request
   * waits for (0.2 s). `"heuristic"`: by classes of characters, without a vocabulary.
   */
  readonly estimator?: "tiktoken" | "heuristic" | undefined
  /**
   * With `redisUrl` in the configuration: which picture is shared (`namespace`), what happens while Redis is away
   * (`onStateFailure`), and the rest of `RouterStateRedisOptions`.
   */
  readonly redis?: RouterStateRedis.RouterStateRedisOptions | undefined
  /**
   * What its metrics call it, by their label `router`; default its number among the routers of this process that are
   * open. Two of one name count together.
   */
  readonly name?: string | undefined
  /** What a configuration cannot say, such as a `Schedule` of rounds or rows of `failures`; it outranks it. */
  readonly router?: RouterOptionsInput | undefined
}

/**
 * A provider over your own client. The adapter is told by the client's shape; `adapter` outranks that, for a client of
 * another make that speaks the same API.
 *
 * @since 0.1.0
 */
export type RegisterOptions = Omit<ClientOptions<AnyClient>, "name" | "apiKey"> & {
  readonly adapter?: AdapterName | undefined
}

/** The value, or the error itself rather than Effect's wrapping of it. */
const unwrap = <A, E>(exit: Exit.Exit<A, E>): A => {
  if (Exit.isSuccess(exit)) return exit.value
  throw Cause.squash(exit.cause)
}

const invalid = (source: string, path: string, issue: string): InvalidConfig =>
  new InvalidConfig({ source, issues: [{ path, issue }] })

const stateOf = (
  { redisUrl }: RouterConfig,
  { redis }: LLMRouterOptions
): Layer.Layer<RouterState, InvalidConfig> =>
  redisUrl === undefined ? RouterState.layerMemory : sharedState(redisUrl, redis)

const byoc = (name: string, { adapter, ...options }: RegisterOptions): Provider => {
  const adapterName = adapter ?? recognise(options.client)
  if (adapterName === undefined || !isAdapterName(adapterName)) {
    const path = adapter === undefined ? "client" : "adapter"
    throw invalid(
      `provider "${name}"`,
      path,
      path === "client"
        ? `expected a client of openai, @anthropic-ai/sdk, @google/genai or groq-sdk; for another that speaks one of `
          + `their APIs name the adapter: ${adapterNames.join(", ")}`
        : `expected one of ${adapterNames.join(", ")}, found "${String(adapter)}"`
    )
  }
  return makeProvider(adapterOf(adapterName), { ...options, name })
}

/**
 * @since 0.1.0
 */
export class LLMRouter implements AsyncDisposable {
  readonly #registry: ProviderRegistryService = Effect.runSync(ProviderRegistry.make)
  readonly #scope = Effect.runSync(Scope.make())
  readonly #router: PromiseRouter<InvalidConfig | MissingPackage>
  /** Settles when the configuration's clients are made; undefined from then on, so that no request waits for it. */
  #connecting: Promise<void> | undefined
  /** Names that the configuration takes, before its clients are made. */
  readonly #configured: ReadonlySet<string>
  readonly #runtime: ManagedRuntime.ManagedRuntime<Router, InvalidConfig | MissingPackage>
  readonly #name: ReturnType<typeof takeName>
  #handler: Promise<(request: Request) => Promise<Response>> | undefined
  #closed = false

  private constructor(config: RouterConfig, given: LLMRouterOptions) {
    const { estimator, onRoute, router = {} } = given
    const { name } = this.#name = takeName(given.name)
    const configured = toRouterOptions(config)
    const options = {
      ...configured,
      ...router,
      breaker: { ...configured.breaker, ...router.breaker },
      waiting: { ...configured.waiting, ...router.waiting }
    }
    const Live = RouterLive.pipe(
      Layer.provide([Layer.succeed(ProviderRegistry, this.#registry), stateOf(config, given)]),
      Layer.provide(RouterOptions.layer(options)),
      Layer.provide(estimator === "heuristic" ? TokenEstimator.layerHeuristic : TokenEstimator.layerTiktoken),
      Layer.provide(onRoute === undefined ? Layer.empty : Layer.succeed(RouteListener, onRoute)),
      Layer.locally(FiberRef.currentMetricLabels, [MetricLabel.make("router", name)])
    )
    this.#runtime = ManagedRuntime.make(Live)
    this.#router = new PromiseRouter(this.#runtime, () => this.#connecting)
    const enabled = config.providers.filter((entry) => entry.enabled !== false)
    this.#configured = new Set(enabled.map(({ name }) => name))
    if (enabled.length > 0) this.#connecting = this.#connect(enabled)
    // Who calls chat() or status() gets the rejection; a router that nobody uses must not end the process.
    this.#connecting?.catch(() => {})
  }

  /** Throws `InvalidConfig` with everything that is wrong. A missing SDK rejects every call. */
  static fromConfig(config: RouterConfigInput, options: LLMRouterOptions = {}): LLMRouter {
    return new LLMRouter(unwrap(Effect.runSyncExit(decodeRouterConfig(config, { check: checkConfig }))), options)
  }

  /** Reads the file; rejects with `InvalidConfig`, with the line and column of everything that is wrong. */
  static async fromYaml(path: string, options: LLMRouterOptions = {}): Promise<LLMRouter> {
    const exit = await Effect.runPromiseExit(
      Effect.provide(ConfigFile.fromYaml(path, { check: checkConfig }), NodeFileSystem.layer)
    )
    return new LLMRouter(unwrap(exit), options)
  }

  /**
   * One provider for each of `OPENAI_API_KEY`, `ANTHROPIC_API_KEY`, `GEMINI_API_KEY` and `GROQ_API_KEY` that is set.
   * Throws `InvalidConfig`.
   */
  static fromEnv(options: LLMRouterOptions = {}): LLMRouter {
    return new LLMRouter(unwrap(Effect.runSyncExit(ConfigEnv.fromEnv({ check: checkConfig }))), options)
  }

  /**
   * Adds a provider over your own client, which is used as it is and never closed. Throws `DuplicateProvider`, or
   * `InvalidConfig` for an unknown client or a limit that is not positive.
   */
  register(name: string, options: RegisterOptions): this {
    if (this.#closed) throw new RouterClosed()
    if (this.#configured.has(name)) throw new DuplicateProvider({ provider: name })
    unwrap(Effect.runSyncExit(this.#add(byoc(name, options))))
    return this
  }

  /** Rejects with one of `RouterError`, or with `RouterClosed`. */
  chat(request: ChatRequest, options?: CallOptions): Promise<ChatResponse> {
    return this.#router.chat(request, options)
  }

  /** The text of the answer, as it comes; see `PromiseStream`. */
  stream(request: ChatRequest, options?: CallOptions): PromiseStream<string> {
    return this.#router.stream(request, options)
  }

  /** The answer in parts: text, reasoning, tool calls, usage, who answers, and the finish, which is always the last. */
  streamParts(request: ChatRequest, options?: CallOptions & StreamOptions): PromiseStream<StreamPart> {
    return this.#router.streamParts(request, options)
  }

  /** Every provider as it stands now, by name; rejects with `StateUnavailable` as `chat` does. */
  status(): Promise<RouterStatus> {
    return this.#router.status()
  }

  /** The same in the order of the list, with those who wait and sums since the router was made. */
  report(): Promise<StatusReport> {
    return this.#router.report()
  }

  /** Where the request would go now, and why; nothing is sent. Rejects with `InvalidRequest` or `UnknownProvider`. */
  explain(request: ChatRequest): Promise<Explanation> {
    return this.#router.explain(request)
  }

  /**
   * Serves `/status`, `/events`, `/explain` and `/metrics`, to be looked at only; see `RouterHttp`. The last part of the
   * path decides, so it may be mounted anywhere. It needs no `this`, and never rejects.
   */
  readonly statusHandler = async (request: Request): Promise<Response> => {
    this.#handler ??= import("./http/webHandler.ts").then(({ makeWebHandler }) =>
      makeWebHandler(async () => {
        if (this.#closed) throw new RouterClosed()
        await this.#connecting
        return await this.#runtime.runtime()
      })
    )
    return (await this.#handler)(request)
  }

  /** Takes a provider out of service, for so long or until `forceClose`; rejects with `UnknownProvider`. */
  forceOpen(provider: string, options?: Parameters<PromiseRouter<never>["forceOpen"]>[1]): Promise<void> {
    return this.#router.forceOpen(provider, options)
  }

  /** Puts it back into service at once, whatever had taken it out. */
  forceClose(provider: string): Promise<void> {
    return this.#router.forceClose(provider)
  }

  /** Takes every provider out; calls under way still end, later ones reject with `RouterClosed`. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    const closing = this.#router.close()
    await Effect.runPromise(Scope.close(this.#scope, Exit.void))
    await closing
    this.#name.giveBack()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #add(provider: Provider) {
    return Scope.extend(this.#registry.register(provider), this.#scope)
  }

  async #connect(entries: ReadonlyArray<ProviderEntry>): Promise<void> {
    const all = Effect.forEach(entries, (entry) => Effect.flatMap(connectEntry(entry), (made) => this.#add(made)), {
      discard: true
    })
    unwrap(await Effect.runPromiseExit(all))
    this.#connecting = undefined
  }
}
