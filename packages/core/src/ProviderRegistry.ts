/**
 * The providers of one router. A provider's layer registers it here and takes it out again when its scope closes;
 * the router reads the list at each request, so providers can come and go while it runs.
 *
 * @since 0.1.0
 */
import { Context, Effect, Layer, type Scope, type Stream, Struct, SubscriptionRef } from "effect"
import type { Provider } from "./Provider.ts"
import type { Dimension } from "./RateLimit.ts"
import { DuplicateProvider, InvalidConfig } from "./RouterError.ts"
import type { ConfigIssue } from "./RouterError.ts"

/**
 * @since 0.1.0
 */
export interface ProviderRegistryService {
  /**
   * Adds a provider until the scope closes. Fails on a name that is taken, on limits below 1 and on a weight that is
   * negative or not finite.
   */
  readonly register: (provider: Provider) => Effect.Effect<void, DuplicateProvider | InvalidConfig, Scope.Scope>
  /** In the order of registration. The array is the same one until something is registered or taken out. */
  readonly providers: Effect.Effect<ReadonlyArray<Provider>>
  /** The list as it is, and each one that follows. */
  readonly changes: Stream.Stream<ReadonlyArray<Provider>>
}

const limitIssue = (path: string, value: number): ReadonlyArray<ConfigIssue> =>
  value >= 1 ? [] : [{ path, issue: `expected a number ≥ 1, found ${value}` }]

/** Each limit's name where providers are configured. */
const limitNames: Readonly<Record<Dimension, string>> = {
  requests: "rpm",
  tokens: "tpm",
  inputTokens: "inputTpm",
  outputTokens: "outputTpm",
  requestsPerDay: "rpd",
  tokensPerDay: "tpd",
  concurrent: "concurrency"
}

const shareIssue = (path: string, value: number): ReadonlyArray<ConfigIssue> =>
  value >= 0 && value <= 1 ? [] : [{ path, issue: `expected a share from 0 to 1, found ${value}` }]

const issuesOf = ({ contextWindow, counting, limits, name, weight }: Provider): ReadonlyArray<ConfigIssue> => [
  ...(name === "" ? [{ path: "name", issue: "expected a name, found an empty string" }] : []),
  ...Struct.keys(limitNames).flatMap((dimension) => {
    const limit = limits[dimension]
    return limit === undefined ? [] : limitIssue(limitNames[dimension], limit)
  }),
  ...(contextWindow === undefined ? [] : limitIssue("contextWindow", contextWindow)),
  ...(weight >= 0 && Number.isFinite(weight)
    ? []
    : [{ path: "weight", issue: `expected a finite number ≥ 0, found ${weight}` }]),
  ...shareIssue("counting.cacheRead", counting.cacheRead),
  ...shareIssue("counting.cacheWrite", counting.cacheWrite)
]

const validate = (provider: Provider): Effect.Effect<void, InvalidConfig> => {
  const [first, ...rest] = issuesOf(provider)
  return first === undefined
    ? Effect.void
    : new InvalidConfig({ source: `provider "${provider.name}"`, issues: [first, ...rest] })
}

type Addition = [Effect.Effect<void, DuplicateProvider>, ReadonlyArray<Provider>]

const make: Effect.Effect<ProviderRegistryService> = Effect.gen(function*() {
  const registered = yield* SubscriptionRef.make<ReadonlyArray<Provider>>([])

  const add = (provider: Provider): Effect.Effect<void, DuplicateProvider> =>
    Effect.flatten(
      SubscriptionRef.modify(registered, (providers): Addition =>
        providers.some(({ name }) => name === provider.name)
          ? [new DuplicateProvider({ provider: provider.name }), providers]
          : [Effect.void, [...providers, provider]])
    )

  const remove = (provider: Provider) =>
    SubscriptionRef.update(registered, (providers) => providers.filter((other) => other !== provider))

  return {
    register: (provider) =>
      validate(provider).pipe(
        Effect.zipRight(Effect.acquireRelease(add(provider), () => remove(provider)))
      ),
    providers: SubscriptionRef.get(registered),
    changes: registered.changes
  }
})

/**
 * @since 0.1.0
 */
export class ProviderRegistry
  extends Context.Tag("@route-llm/core/ProviderRegistry")<ProviderRegistry, ProviderRegistryService>()
{
  /** An empty registry. */
  static readonly make: Effect.Effect<ProviderRegistryService> = make

  /** An empty registry. */
  static readonly layer: Layer.Layer<ProviderRegistry> = Layer.effect(this, make)

  /** A layer that registers one provider. */
  static readonly provide = <E, R>(
    provider: Effect.Effect<Provider, E, R>
  ): Layer.Layer<never, E | DuplicateProvider | InvalidConfig, ProviderRegistry | Exclude<R, Scope.Scope>> =>
    Layer.scopedDiscard(Effect.gen(function*() {
      const registry = yield* ProviderRegistry
      yield* registry.register(yield* provider)
    }))
}
